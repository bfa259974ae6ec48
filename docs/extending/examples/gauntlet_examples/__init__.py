"""One component of each kind: an entry that describes it, and the code that the entry names."""
