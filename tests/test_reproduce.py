"""Reproductions from end to end on a small plan: reports, reuse, failures, divergence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from small_paper import PARAMETERS, small_paper
from small_paper import networks as small_networks
from stored import runs_of
from vocabulary import unnamed

from gauntlet.cells import measure
from gauntlet.config.command_line import parse
from gauntlet.config.training import AutoencoderConfig
from gauntlet.entry_points import reproduce
from gauntlet.errors import DivergenceError, IncompleteError, UsageError
from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.plan import Network
from gauntlet.papers.sivaslioglu2020 import plan as first
from gauntlet.papers.vigouroux2018 import plan as second
from gauntlet.pipeline import matrix
from gauntlet.pipeline.trainings import TrainedNetwork
from gauntlet.report.claims.results import TrainedKey
from gauntlet.tracking.artifacts import StoredModel
from gauntlet.tracking.names import Of


@pytest.fixture
def config(store, tmp_path, monkeypatch) -> ReproduceConfig:
    return small_paper(tmp_path, monkeypatch)


def _parents(store: Any) -> list[Any]:
    experiment = store.get_experiment_by_name("reproductions").experiment_id
    found = store.search_runs([experiment], order_by=["attributes.start_time ASC"])
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags]


@pytest.mark.slow
def test_report_says_what_was_found_and_where(store, config, capsys) -> None:
    reproduce.run(config)
    (parent,) = _parents(store)
    folder = reproduce.folder(config)
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    for content in (page, text):
        assert "fgsm-encoded" in content and parent.info.run_id in content
        assert parent.data.tags["gauntlet.dataset_sha256"] in content
    assert '<a href="#fgsm-encoded">' in page and 'id="fgsm-encoded"' in page
    assert re.findall(r"\| \*\*all\*\* \| (\S+) \|", text) == [_minutes_of_trainings(store)]
    verdicts = {
        name: parent.data.metrics[f"claims/{name}"] for name in ("reproduced", "not_reproduced")
    }
    assert verdicts == {"reproduced": 1, "not_reproduced": 2}
    assert (
        "**3 claims: 1 reproduced, 0 reproduced only under, 2 not reproduced, 0 not tested, "
        in text
    )
    assert "An order is claimed only where its noise was tested" in text
    assert {item.path for item in store.list_artifacts(parent.info.run_id)} >= {
        "report.html",
        "report.md",
        "matrix.json",
        "tables",
    }
    assert (folder / "tables" / "claim_fgsm-encoded.csv").is_file()
    assert (folder / "tables" / "verdicts.tex").is_file()
    said = capsys.readouterr().out
    assert "1 reproduced" in said and str(folder / "report.html") in said
    kinds, without_a_name = unnamed(store)
    assert Of.REPRODUCTION in kinds and without_a_name == []
    assert not re.search(r"""(src|href)=["']https?:""", page)
    figures = re.findall(r"\]\((figures/.*?)\)", text)
    assert {"figures/latent_space.png", "figures/manifold.png"} < set(figures)  # an examination's
    assert all((folder / figure).is_file() for figure in figures)


@pytest.mark.slow
def test_smoke_sizes_judge_nothing(store, tmp_path, monkeypatch, capsys) -> None:
    config = small_paper(tmp_path, monkeypatch, preset="smoke", train_size="20")
    reproduce.run(config)
    (parent,) = _parents(store)
    text, said = (reproduce.folder(config) / "report.md").read_text(), capsys.readouterr().out
    assert not [name for name in parent.data.metrics if name.startswith("claims/")]
    for shown in (text, said):
        assert "Smoke sizes judge nothing" in shown
        assert not re.search(r"\d+ (not )?(reproduced|checkable|tested)", shown)
    # Twenty images teach nobody: it stands beside the numbers.
    learned = r"vanilla, dense, encoded: (every test image is predicted as class|clean accuracy)"
    assert re.search(f"Warning: {learned}", text) and re.search(f"warning: {learned}", said)


def _minutes_of_trainings(store: Any) -> str:
    names = ("autoencoders", "classifiers")
    ids = [store.get_experiment_by_name(name).experiment_id for name in names]
    spent = [run.info.end_time - run.info.start_time for run in store.search_runs(ids)]
    return f"{sum(spent) / 60_000:.1f}"


@pytest.mark.slow
def test_second_time_nothing_is_computed_and_the_report_is_the_same(store, config) -> None:
    reproduce.run(config)
    before = (reproduce.folder(config) / "report.md").read_text()
    count = _cells(store)
    reproduce.run(config)
    first, second = _parents(store)
    assert _cells(store) == count
    after = (reproduce.folder(config) / "report.md").read_text()
    claims = [
        text.split("## Claims one by one")[1].split("## What stands")[0] for text in (before, after)
    ]
    assert claims[0] == claims[1] and first.info.run_id != second.info.run_id


def _cells(store: Any) -> int:
    finished = "tags.`gauntlet.step` = 'cell' and attributes.status = 'FINISHED'"
    return len(runs_of(store, finished))


@pytest.mark.slow
def test_failed_cell_is_named_and_the_others_are_done(store, config, monkeypatch) -> None:
    judge = measure.measure

    def broken(cell: Any, *more: Any) -> Any:
        if cell.attack.name == "bim":
            raise RuntimeError("it broke")
        return judge(cell, *more)

    monkeypatch.setattr(measure, "measure", broken)
    with pytest.raises(IncompleteError, match="1 computations failed"):
        reproduce.run(config)
    assert _cells(store) == 1 and _parents(store)[0].info.status == "FAILED"
    text = (reproduce.folder(config) / "report.md").read_text()
    assert "it broke" in text and "### Failed" in text
    monkeypatch.setattr(measure, "measure", judge)
    reproduce.run(config)  # goes on with what is missing
    assert _cells(store) == 2 and _parents(store)[1].info.status == "FINISHED"


def test_failure_is_one_line_without_secrets(config, monkeypatch, capsys) -> None:
    def broken(*given: Any) -> None:
        raise RuntimeError("GET https://bob:hunter2xyz@host/a?token=t0kenxyz\nnot found\n  at a")

    monkeypatch.setattr(matrix, "ensure_autoencoder", broken)
    networks = small_networks(config)[:1]
    found = matrix.run_matrix(networks, cast(Any, None), cast(Any, None))
    said = "RuntimeError: GET https://***@host/a?token=***"
    assert found.failed == {"vanilla, seed 0": said}
    assert f"failed: vanilla, seed 0: {said}\n" in capsys.readouterr().out


@pytest.mark.slow
def test_diverged_training_is_a_result(store, config, monkeypatch) -> None:
    train = matrix.ensure_autoencoder

    def diverge(training: Any, data: Any) -> Any:
        if training.values["activation"] == "tanh":
            raise DivergenceError("training diverged in epoch 1")
        return train(training, data)

    monkeypatch.setattr(matrix, "ensure_autoencoder", diverge)
    reproduce.run(config)
    (parent,) = _parents(store)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["claims/reproduced"] == 2  # an infinite loss is at least 1e9
    assert "### Diverged" in (reproduce.folder(config) / "report.md").read_text()


def test_every_seed_keeps_its_number_though_others_fail(monkeypatch) -> None:
    def train(training: Any, data: Any) -> TrainedNetwork:
        if training.seed in (4, 6):
            raise DivergenceError("it diverged") if training.seed == 4 else RuntimeError("it broke")
        return TrainedNetwork(training, StoredModel(f"run {training.seed}", "", "", ""), "")

    monkeypatch.setattr(matrix, "ensure_autoencoder", train)
    networks = [Network("it", AutoencoderConfig(seed=seed), ()) for seed in (4, 5, 6, 7)]
    found = matrix.run_matrix(networks, None, None)
    assert found.trainings == {TrainedKey("it", "autoencoder"): {5: "run 5", 7: "run 7"}}
    assert found.diverged == {"it": {4: "it diverged"}} and [*found.failed] == ["it, seed 6"]


def test_smoke_reports_do_not_replace_full_ones() -> None:
    assert reproduce.folder(ReproduceConfig(paper="vigouroux2018")) == Path("reports/vigouroux2018")
    assert reproduce.folder(ReproduceConfig(preset="smoke", paper="vigouroux2018")) == Path(
        "reports/smoke/vigouroux2018"
    )


@pytest.mark.slow
def test_report_of_what_is_cached_needs_no_tensorflow(store, config, tmp_path) -> None:
    reproduce.run(config)
    count = _cells(store)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "from pathlib import Path; from gauntlet.entry_points import reproduce; "
        "from gauntlet.config.command_line import parse; "
        "from small_paper import know; "
        f"know(Path({str(tmp_path)!r})); "
        f"config = parse('reproduce', {PARAMETERS | {'output': str(tmp_path / 'again')}!r}); "
        "reproduce.run(config); "
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
    assert _cells(store) == count and (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"paper": "somebody2020"}, "unknown paper 'somebody2020'"),
        ({"seeds": "0"}, "--seeds"),
        ({"few": "0"}, "--few"),
        ({"filters": "0"}, "--filters"),
        ({"output": ""}, "--output"),
    ],
)
def test_refusals(values: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse("reproduce", values)


# --- plans ---


def test_first_paper_has_its_whole_matrix() -> None:
    networks = list(first.networks(ReproduceConfig(seeds=2)))
    names = [(n.name, n.seed) for n in networks]
    assert len(names) == len(set(names)) == 2 * (4 + 1 + 6)
    vanilla, sparse, denoising, variational, *_ = networks
    assert [n.config["autoencoder"] for n in networks[:4]] == list(first.KINDS)
    assert denoising.config["noise"] == 0.5 and vanilla.config["noise"] == 0
    assert {n.config["epochs"] for n in networks} == {35}
    parts = {part.name: part.config for part in sparse.parts}
    assert parts["dense"]["attacks"] == ("fgsm", "t_fgsm", "bim")
    assert parts["dense"]["target"] == 5
    linear = parts["logistic regression"]
    assert len(linear.attacks) == 4 and linear["lr_target"] == 7
    assert linear["classifier"] == "logistic_regression"
    assert parts["dense, relative"]["relative_budget"]
    assert not parts["dense"]["relative_budget"]
    assert variational.config["latent"] == 2


def test_second_paper_trains_and_attacks_as_published() -> None:
    networks = list(second.networks(ReproduceConfig(seeds=2, seed=4)))
    assert [(n.name, n.seed) for n in networks] == [
        ("classic", 4),
        ("funn", 4),
        ("classic", 5),
        ("funn", 5),
        ("magnet", 4),
    ]
    funn = networks[1]
    own = funn.config
    assert (own["epochs"], own["init_epochs"], own["batch_size"]) == (40, 9, 128)
    assert (own["gamma"], own["beta"], own["constraint"]) == (5.0, 0.01, "at_least")
    parts = {part.name: part for part in funn.parts}
    table = parts["table 1"]
    assert table.images == "all" and table.config["epsilons"] == (0.005,)
    assert table.config["deepfool_variant"] == "foolbox1" and table.config["deepfool_steps"] == 50
    assert parts["lowest"].config["local_search_selection"] == "lowest"
    curve = [p.config["deepfool_steps"] for name, p in parts.items() if name.startswith("steps")]
    assert curve[0] == 10 and curve[-1] == 1000


def test_classic_differs_from_funn_in_the_autoencoder_alone() -> None:
    classic, funn, *_ = second.networks(ReproduceConfig())
    for one, other in zip(classic.parts, funn.parts, strict=True):
        assert one.config.replace(autoencoder="funn") == other.config
        assert one[0::2] == other[0::2]
