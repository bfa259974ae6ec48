"""Finished attack runs side by side."""
