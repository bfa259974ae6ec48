"""What there is: every component describes itself once, and everything else is derived from that.

A file per kind. An entry says a component's name, where its code is (imported only when it runs),
its parameters and its properties; nothing here imports TensorFlow. Other installed packages add
entries through the entry-point group `gauntlet.components`.
"""
