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


def test_second_papers_headline_counts_what_every_strong_attack_leaves_per_network() -> None:
    lost = {"autoattack": range(3), "bim": range(2, 4)}
    cells = {
        Key(network, "autoattack", attack, "features", "white_box"): {
            0: _cell(attack, (0.1,), [lost[attack]])
        }
        for network in vigouroux2018.NETWORKS
        for attack in vigouroux2018.STRONGEST
    }
    classic, _ = vigouroux2018.headline(Results(cells, {}, {}))
    failed = Key("funn", "autoattack", "autoattack", "features", "white_box")
    del cells[failed][0]  # its only seed
    assert vigouroux2018.headline(Results(cells, {}, {})) == [classic]
    assert "classic: robust accuracy 0.6000 [" in classic  # 0 to 3 fall
    assert "epsilon 0.1" in classic and "(10 images)" in classic


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
