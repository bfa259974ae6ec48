"""Headlines of the papers' reports, by cases that a hand can compute."""

from __future__ import annotations

from collections.abc import Sequence

from made_cells import made_cell

from gauntlet.cells.result import CellResult
from gauntlet.papers.sivaslioglu2020 import report as sivaslioglu2020
from gauntlet.papers.vigouroux2018 import report as vigouroux2018
from gauntlet.report.claims.results import Key, Results

N = 10


def _cell(attack: str, epsilons: tuple[float, ...], fallen: Sequence[range]) -> CellResult:
    return made_cell(attack, fallen, defence="it", epsilons=epsilons, n=N)


def test_minimum_norm_attacks_count_within_the_headlines_budget_alone() -> None:
    lost = {"autoattack": range(3), "fgsm": range(2), "cw_l2": range(5, 6)}
    cells = {
        Key(network, part, attack, "features", "white_box"): {
            0: _cell(attack, (0.1, 1.0), [lost.get(attack, range(0)), range(N)])
            if attack == "cw_l2"
            else _cell(attack, (0.1,), [lost.get(attack, range(0))])
        }
        for network in vigouroux2018.NETWORKS
        for attack, part in vigouroux2018.STRONGEST.items()
    }
    classic, _ = vigouroux2018.headline(Results(cells, {}, {}))
    del cells[Key("funn", "autoattack", "autoattack", "features", "white_box")][
        0
    ]  # its only seed failed
    assert vigouroux2018.headline(Results(cells, {}, {})) == [classic]
    assert "classic: robust accuracy 0.6000 [" in classic  # 0, 1, 2 and 5 fall; at epsilon 1 all
    assert "epsilon 0.1" in classic and "cw_l2" in classic and "(10 images)" in classic


def test_first_papers_headline_names_undefended_best_and_worst() -> None:
    fallen = {
        ("vanilla", "none"): 8,
        ("vanilla", "encoded"): 9,
        ("vanilla", "reformer"): 7,
        ("denoising", "encoded"): 3,
        ("denoising", "reformer"): 5,
    }
    cells = {}
    for (kind, defence), n in fallen.items():
        for part, attacks in (("dense", sivaslioglu2020.WEAK), ("autoattack", ("autoattack",))):
            for attack in attacks:
                lost = range(n - 1) if attack == "autoattack" else range(n - 2, n)
                key = Key(kind, part, attack, defence, "white_box")
                cells[key] = {0: _cell(attack, (0.1, 0.3), [lost, range(N)])}
    results = Results(cells, {}, {})
    (line,) = sivaslioglu2020.headline(results)
    assert "no autoencoder 0.2000 [" in line
    assert line.index("no autoencoder") < line.index("denoising, encoded 0.7000 [")
    assert "vanilla, encoded 0.1000 [" in line and "reformer" not in line
    assert sivaslioglu2020.headline(Results({}, {}, {})) == []
    blind = Key("denoising", "dense", "bim", "encoded", "transfer")
    cells[blind] = {0: _cell("bim", (0.1, 0.3), [range(2), range(N)])}
    assert sivaslioglu2020.headline(results) == [line]  # 0.8; white_box leaves less
    cells[blind] = {0: _cell("bim", (0.1, 0.3), [range(4), range(N)])}
    (line,) = sivaslioglu2020.headline(results)
    assert "denoising, encoded under transfer 0.6000 [" in line
