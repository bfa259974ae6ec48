"""Typed, frozen, validated configs: the one source of each parameter's name, range, default, help.

Strings come in (command line, MLproject), a validated model comes out; nothing heavy is imported.
"""
