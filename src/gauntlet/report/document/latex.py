r"""A table as LaTeX, to be `\input` in a paper that loads booktabs (and longtable, if it is long).

The text is pure ASCII, so any engine and font encoding can read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from gauntlet.report.document.model import CODE, LINK, STRONG, Table

LONG_TABLE = 40
"""Rows of a table that is broken over pages."""

LONG_TEXT = 36
"""Characters of a cell whose column is set as paragraphs."""

_CODE, _STRONG, _END, _BREAK = "\ue000", "\ue001", "\ue002", "\ue003"
"""Private characters that stand for markup while a text is escaped."""

_ESCAPED = {
    _CODE: r"\texttt{",
    _STRONG: r"\textbf{",
    _END: "}",
    _BREAK: "{}",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    # Without T1 fonts these three print as other characters.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "\N{NO-BREAK SPACE}": "~",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    '"': "''",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{MINUS SIGN}": "$-$",
    "\N{GREEK SMALL LETTER ALPHA}": r"$\alpha$",
    "\N{GREEK SMALL LETTER BETA}": r"$\beta$",
    "\N{GREEK SMALL LETTER GAMMA}": r"$\gamma$",
    "\N{GREEK SMALL LETTER EPSILON}": r"$\varepsilon$",
    "\N{GREEK SMALL LETTER LAMDA}": r"$\lambda$",
    "\N{GREEK SMALL LETTER MU}": r"$\mu$",
    "\N{GREEK SMALL LETTER SIGMA}": r"$\sigma$",
    "\N{LATIN SMALL LETTER DOTLESS I}": r"{\i}",
    "\N{SUPERSCRIPT TWO}": r"$^{2}$",
}

_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING CEDILLA}": "c ",
    "\N{COMBINING CARON}": "v ",
    "\N{COMBINING BREVE}": "u ",
}


def as_latex(table: Table) -> str:
    """Return the table with its caption and the label `tab:NAME`."""
    long = len(table.rows) > LONG_TABLE
    return "\n".join([*(_over_pages(table) if long else _floating(table)), ""])


def _floating(table: Table) -> Iterator[str]:
    yield r"% \usepackage{booktabs}"
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{_marked_up(table.caption)}}}"
    yield rf"\label{{tab:{table.name}}}"
    yield rf"\begin{{tabular}}{{{_columns(table)}}}"
    yield from (r"\toprule", _line(table.header), r"\midrule")
    yield from map(_line, table.rows)
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _over_pages(table: Table) -> Iterator[str]:
    yield r"% \usepackage{booktabs,longtable}"
    yield rf"\begin{{longtable}}{{{_columns(table)}}}"
    yield rf"\caption{{{_marked_up(table.caption)}}}\label{{tab:{table.name}}}\\"
    yield from (r"\toprule", _line(table.header), r"\midrule", r"\endhead")
    yield from (r"\bottomrule", r"\endfoot")
    yield from map(_line, table.rows)
    yield r"\end{longtable}"


def _columns(table: Table) -> str:
    """Return the column types: paragraphs share the line's width by the length of their texts."""
    longest = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
    paragraphs = sum(length for length in longest if length > LONG_TEXT)
    taken = 0.1 * sum(length <= LONG_TEXT for length in longest)
    return "".join(
        "l"
        if length <= LONG_TEXT
        else rf"p{{{max(0.9 - taken, 0.4) * length / paragraphs:.2f}\linewidth}}"
        for length in longest
    )


def _line(cells: Sequence[str]) -> str:
    line = " & ".join(map(_marked_up, cells))
    # A bracket or a star after a rule or a line's end would be read as its argument.
    return ("{}" if line.startswith(("[", "*")) else "") + line + r" \\"


def _marked_up(text: str) -> str:
    r"""Return a text with `code` as \texttt and **strong** as \textbf, everything else escaped."""
    text = re.sub(f"[{_CODE}-{_BREAK}]", "", text)
    text = CODE.sub(rf"{_CODE}\1{_END}", LINK.sub(r"\1", text))
    text = STRONG.sub(rf"{_STRONG}\1{_END}", text)
    text = re.sub("-(?=-)", f"-{_BREAK}", text)  # two hyphens would become a dash
    return "".join(map(_escaped, unicodedata.normalize("NFC", text)))


def _escaped(character: str) -> str:
    """Return one character in ASCII."""
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character.isascii():
        return character if character.isprintable() else " "
    base, *accents = list(unicodedata.normalize("NFD", character))
    if base.isascii() and len(accents) == 1 and accents[0] in _ACCENTS:
        return rf"\{_ACCENTS[accents[0]]}{{{base}}}"
    return rf"\texttt{{U+{ord(character):04X}}}"
