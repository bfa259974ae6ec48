"""Where studies are kept: an address whose password no record and no command line holds."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

from gauntlet.masking import HIDDEN, UNREADABLE, is_readable, mask_address, remember

STORAGE = "GAUNTLET_STORAGE"
"""Variable that holds the address: for `auto`, and for the same address masked."""


def kept_address() -> str:
    """Return the address that the environment holds; `auto` if it holds none."""
    return os.environ.get(STORAGE) or "auto"


def _check(url: str) -> str:
    if url == mask_address(kept_address()):
        url = kept_address()
    remember(url)
    if HIDDEN in url:
        raise ValueError(f"expected an address that is not masked, or the one that {STORAGE} holds")
    if not is_readable(url):
        raise ValueError(f"expected an address {UNREADABLE}")
    if url != "auto" and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("expected auto, sqlite:///FILE or postgresql+psycopg://HOST/NAME")
    return url


Storage = Annotated[str, AfterValidator(_check), PlainSerializer(mask_address, when_used="json")]
"""What is logged, and sent to workers, is masked; `STORAGE` in their environment is not."""
