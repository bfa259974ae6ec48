"""Secrets in addresses and in the environment: hidden before a text leaves the process.

An address is masked by its structure. Any other text is masked by value: the passwords, tokens and
addresses in this process's environment are known, and so is every address that it was given
(`remember`). A short password, or one that is a plain word or number, is masked inside its address
alone: to replace each `digits` or `1000` would falsify what is measured.
"""

from __future__ import annotations

import functools
import html
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TextIO, cast
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from gauntlet.variables import variables

HIDDEN = "***"

UNREADABLE = "that has @ : / ? # of user and password percent-encoded (%40 %3A %2F %3F %23)"
"""What to do with an address that is not `is_readable`."""

SHORTEST, PLAIN = 6, 12
"""Least length of a value that is masked in any text; of a plain word or number."""

_ADDRESS = re.compile(r"(://)([^\s'\"`<>]*)")  # begins with a literal: pages of megabytes pass
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[\w.-]*)(:\d*)?")
_KEY = r"[\w.%-]*(?:pass|pwd|token|secret|key|auth|cred|sig)[\w.%-]*"
_QUERY = re.compile(rf"([?&;]{_KEY}=)[^&;#\s]+", re.IGNORECASE)
_VARIABLE = re.compile(r"(PASSWORD|PASSWD|(^|_)(TOKEN|SECRET|(ACCESS|API|PRIVATE|SECRET)_KEY))$")
_ADDRESSES = ("MLFLOW_TRACKING_URI", "GAUNTLET_STORAGE")
_WITHOUT_SCHEME = re.compile(r"[^/]*:[^/]*@")

_remembered: set[str] = set()


def remember(address: str) -> None:
    """Know the secrets of an address that is not in the environment."""
    if mask_address(address) != address:
        _remembered.add(address)


def is_readable(address: str) -> bool:
    """Tell whether every library finds the same user, password and host in an address."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    if not parts.netloc:
        return "://" in address or not _WITHOUT_SCHEME.match(address)
    after = address.split("://", 1)[-1].removeprefix(parts.netloc)
    odd = "\\" in parts.netloc or parts.netloc.count("@") > 1 or "@" in after
    return not odd and not re.search(r"\s", address)


def mask_address(address: str) -> str:
    """Return an address without its user part and the secrets of its query."""
    scheme, mark, rest = address.partition("://")
    if not is_readable(address):
        return f"{scheme}{mark}{HIDDEN}" if mark else HIDDEN
    return _masked(scheme + mark, rest) if mark else address


def mask_addresses(text: str) -> str:
    """Return a text with every address in it masked by its structure."""
    return _ADDRESS.sub(lambda found: _masked(*found.groups()), text)


def mask(text: str) -> str:
    """Return a text without the secrets that this process knows, and with addresses masked."""
    return _masker()(text)


def mask_values(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts by name, each masked as `mask` does; this reads the environment once."""
    masked = _masker()
    return {name: masked(text) for name, text in texts.items()}


def _masker() -> Callable[[str], str]:
    """Return what masks a text, with the secrets that this process knows now."""
    known, pattern = _replacements(frozenset(_relevant()), frozenset(_remembered))

    def masked(text: str) -> str:
        if pattern and any(form in text for form in known):
            text = pattern.sub(lambda found: known[found.group()], text)
        return mask_addresses(text)

    return masked


def mask_output() -> None:
    """Mask all that is printed from now on: by libraries, log handlers and tracebacks too."""
    sys.stdout = cast(TextIO, _MaskedStream(sys.stdout))
    sys.stderr = cast(TextIO, _MaskedStream(sys.stderr))


class _MaskedStream:
    """A text stream that masks what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(mask(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _masked(scheme: str, rest: str) -> str:
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    _, at, host = authority.rpartition("@")
    if "@" in tail and authority and (at or not _HOST.fullmatch(authority)):
        return scheme + HIDDEN  # a password with a slash in it, most likely
    return scheme + (HIDDEN + at if at else "") + host + _QUERY.sub(rf"\1{HIDDEN}", tail)


def _relevant() -> Iterator[tuple[str, str]]:
    """Yield the variables that may hold a secret."""
    for name, value in variables().items():
        given = name in _ADDRESSES or ("://" in value and mask_addresses(value) != value)
        if given or _VARIABLE.search(name):
            yield name, value


@functools.lru_cache(maxsize=8)
def _replacements(
    variables: frozenset[tuple[str, str]], addresses: frozenset[str]
) -> tuple[dict[str, str], re.Pattern[str] | None]:
    """Return what stands for each text that must not be shown, and a pattern that finds them."""
    plain = [value for name, value in variables if _VARIABLE.search(name)]
    given = [value for name, value in variables if not _VARIABLE.search(name)]
    known = {form: HIDDEN for value in plain if _is_telling(value) for form in _forms(value)}
    for address in [*given, *addresses]:
        for secret, shown in _secrets(address):
            known |= dict.fromkeys(_forms(secret), shown)
        if (masked := mask_address(address)) != address:
            known |= dict.fromkeys(_forms(address), masked)
    longest_first = sorted(known, key=len, reverse=True)
    return known, re.compile("|".join(map(_found_as, longest_first))) if known else None


def _secrets(address: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of an address that must be shown nowhere, and what stands for each."""
    if not is_readable(address):
        pieces = re.split(r"[\s/?#@:\\\[\]&=]+", address.split("://", 1)[-1])
        yield from ((piece, HIDDEN) for piece in pieces if _is_telling(piece))
        return
    parts = urlsplit(address)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    query = [value for key, value in parse_qsl(parts.query) if re.fullmatch(_KEY, key, re.I)]
    yield from ((value, HIDDEN) for value in (password, *query) if _is_telling(value))
    # Who is called as the folder of his files would lose these from every message.
    if _is_telling(user) and unquote(user) not in os.path.expanduser("~"):  # noqa: PTH111 -- never raises
        yield user, HIDDEN
    if password:  # what a library says that takes it for a port
        yield f"{password}@{parts.hostname}", f"{HIDDEN}@{parts.hostname}"


def _is_telling(value: str) -> bool:
    """Tell whether a value is found in texts only where it is the secret."""
    kinds = sum(any(map(kind, value)) for kind in (str.islower, str.isupper, str.isdigit))
    kinds += not value.isalnum()
    return len(value) >= (SHORTEST if kinds > 1 else PLAIN)


def _forms(value: str) -> set[str]:
    """Return how a value may be written: as it is, percent-encoded, decoded, quoted."""
    decoded = unquote(value)
    forms = {value, decoded, quote(decoded, safe=""), quote(decoded), quote_plus(decoded)}
    return forms | {
        form
        for v in (value, decoded)
        for form in (html.escape(v), json.dumps(v)[1:-1], repr(v)[1:-1])
    }


def _found_as(form: str) -> str:
    """Return the pattern of a form; a short one must not be a part of a longer word."""
    found = re.escape(form)
    if len(form) >= 2 * SHORTEST or not form.isalnum():
        return found
    return rf"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{{2}})){found}(?![A-Za-z0-9])"
