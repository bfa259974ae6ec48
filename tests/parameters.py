"""Values of parameters that several tests need."""

from __future__ import annotations

REQUIRED = {"compare": {"runs": f"{'a' * 32},{'b' * 32}"}}
"""Entry point -> what has no default."""
