"""A document as pages and files: tables as CSV for machines and LaTeX for papers."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.evaluation.statistics import Interval
from gauntlet.report.document.csv_table import NO_BREAK, as_csv
from gauntlet.report.document.files import texts, write
from gauntlet.report.document.latex import LONG_TABLE, as_latex
from gauntlet.report.document.model import (
    Document,
    Figure,
    Items,
    Number,
    Section,
    Table,
    plain,
    slug,
)
from gauntlet.report.document.pages import TABLES, as_html, as_markdown

THIRD = Interval(1 / 3, 0.25, 0.5)


def _table(*rows: list[str], name: str = "rates", caption: str = "Over all images") -> Table:
    return Table(name, ["", "rate"], rows, caption)


def _document(*tables: Table) -> Document:
    return Document("It", ["Short."], [Section("Rates, all", [*tables, Items(["one", "`two`"])])])


# --- CSV ---


def _read(table: Table) -> list[list[str]]:
    return list(csv.reader(io.StringIO(as_csv(table))))


def test_csv_shows_cells_and_adds_the_numbers_of_intervals_unrounded() -> None:
    shown = Number.of(THIRD, "33.3 % [25, 50]")
    assert _read(_table(["`a`, **b**", shown], ["[c](#d)", "not measured"])) == [
        ["", "rate", "rate: value", "rate: low", "rate: high"],
        ["a, b", "33.3 % [25, 50]", repr(1 / 3), "0.25", "0.5"],
        ["c", "not measured", "", "", ""],
    ]


def test_csv_leaves_out_undefined_numbers_and_no_break_spaces() -> None:
    one = Number(f"1{NO_BREAK}%", {"value": 0.01, "low": float("nan")})
    assert _read(_table(["a", one])) == [["", "rate", "rate: value"], ["a", "1 %", "0.01"]]


def test_csv_of_text_alone_has_no_more_columns() -> None:
    assert _read(_table(['a "b"\nc', "d,e"])) == [["", "rate"], ['a "b" c', "d,e"]]


# --- LaTeX ---


def _line_of(text: str) -> str:
    """Return the line of the only row of a table whose first cell is a text."""
    return as_latex(_table([text, "1"])).split("\\midrule\n")[1].split("\n")[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("50 % & more_", r"50 \% \& more\_"),
        ("`--seed 1` **x**", r"\texttt{-{}-seed 1} \textbf{x}"),
        ("a ** b", "a ** b"),
        ("[link](#there)", "link"),
        ("[0.1, 0.2]", "{}[0.1, 0.2]"),
        ("* note", "{}* note"),
        ("ε ± 0.1 ≤ “x”", r"$\varepsilon$ $\pm$ 0.1 $\leq$ ``x''"),
        ("Śivaslıoğlu é", r"\'{S}ivasl{\i}o\u {g}lu \'{e}"),
        (r"a\b{c}$d^e", r"a\textbackslash{}b\{c\}\$d\textasciicircum{}e"),
        ("f~g<h>#i", r"f\textasciitilde{}g\textless{}h\textgreater{}\#i"),
        (f"1{NO_BREAK}[2]", "1~[2]"),
        ("中", r"\texttt{U+4E2D}"),
    ],
)
def test_latex_escapes(text: str, line: str) -> None:
    assert _line_of(text) == rf"{line} & 1 \\"


def _without_commands(latex: str) -> str:
    """Return what is left of LaTeX without commands, escaped characters and mathematics."""
    return re.sub(r"\\[a-zA-Z]+|\\.|\$[^$]*\$", "", latex)


@given(st.text())
def test_latex_of_any_text_has_balanced_braces_and_nothing_special(text: str) -> None:
    cell, end = _line_of(f"x{text}").rsplit(" & 1 ", 1)
    assert cell.isascii() and end == r"\\"
    rest, depth = _without_commands(cell), 0
    for character in rest:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0 and not set(rest) & set("\\&%$#_^\n")


@pytest.mark.parametrize("rows", [1, LONG_TABLE + 1])
def test_latex_table_is_whole(rows: int) -> None:
    table = _table(*[["a", "b" * 50]] * rows, caption="Over `all` images")
    latex = as_latex(table)
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", latex) for word in ("begin", "end"))
    assert begun == ended[::-1] and ("longtable" in begun) == (rows > LONG_TABLE)
    assert r"\caption{Over \texttt{all} images}" in latex and r"\label{tab:rates}" in latex
    assert [latex.count(rf"\{rule}") for rule in ("toprule", "midrule", "bottomrule")] == [1, 1, 1]
    assert len(re.findall(r"^a & b+ \\\\$", latex, re.M)) == rows
    assert re.search(r"\{lp\{0\.\d\d\\linewidth\}\}", latex)


# --- pages and files ---


def test_pages_say_where_the_tables_are_and_have_an_anchor_per_section() -> None:
    document = _document(_table(["a", "1"]))
    text, html = as_markdown(document), as_html(document)
    assert TABLES in text and "Over all images (`tables/rates.csv`, `.tex`)" in text
    assert '<a id="rates-all"></a>\n\n## Rates, all\n' in text and "\n- one\n- `two`\n" in text
    assert '<h2 id="rates-all">' in html and '<table id="table-rates">' in html
    assert "Over all images (<code>tables/rates.csv</code>" in html
    assert "<li>one</li><li><code>two</code></li>" in html
    assert "tables/" not in as_markdown(_document())


def test_write_puts_tables_and_figures_beside_the_pages(tmp_path) -> None:
    document = _document(_table(["a", "1"]))
    document = document._replace(
        sections=[*document.sections, Section("Drawn", [Figure("it", b"png", "It.")])]
    )
    files = write(document, tmp_path, "report")
    assert {file.relative_to(tmp_path).as_posix() for file in files} == {
        "report.html",
        "report.md",
        "tables/rates.csv",
        "tables/rates.tex",
        "figures/it.png",
    }
    assert all(file.is_file() for file in files)


def test_two_tables_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two named rates"):
        texts(_document(_table(["a", "1"]), _table(["b", "2"])), "report")


def test_name_of_a_table_is_a_files_name() -> None:
    with pytest.raises(ValueError, match="named like a_b; received a/b"):
        _table(name="a/b")
    assert slug("dense, relative") == "dense_relative"


def test_markup_is_taken_away() -> None:
    assert plain("`a` **b `c`** [d](#e)") == "a b c d"
