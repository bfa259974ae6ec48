"""The papers: one folder each, with what it claims, a plan, and its own tables and figures."""
