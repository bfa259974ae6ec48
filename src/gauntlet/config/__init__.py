"""What is asked for: frozen configs of checked, flat values, made of the catalogue's parameters.

Strings come in from the command line or MLproject. Nothing heavy is imported.
"""
