"""The entry point `compare` on two small attack runs: from the store to the page, or a refusal."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from servers import tracking_to
from stored import runs_of
from vocabulary import unnamed

from gauntlet.config.compare import CompareConfig
from gauntlet.entry_points import attack, compare
from gauntlet.errors import UsageError
from gauntlet.report.comparison.compare import Comparison
from gauntlet.tracking.names import Of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two(attacked, tiny, tmp_path_factory) -> Iterator[tuple[mlflow.MlflowClient, str, str]]:
    """A store with two attack runs, seed 0 with all threat models and seed 1 with one."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copy(attacked.uri.removeprefix("sqlite:///"), folder / "mlflow.db")
    with tracking_to(f"sqlite:///{folder}/mlflow.db", folder) as client:
        attack.run(tiny("attack", seed="1", defence="none,reformer", threat_models="white_box"))
        yield client, *(run.info.run_id for run in _found(client, "attack"))


def _found(client: mlflow.MlflowClient, name: str) -> list[Any]:
    """Return the runs of a step, the oldest first."""
    found = runs_of(client, f"tags.`gauntlet.step` = '{name}'")
    return sorted(found, key=lambda run: run.info.start_time)


@pytest.fixture(scope="module")
def compared(two, tmp_path_factory) -> tuple[Comparison, Path, Any]:
    """The comparison of both: what was found, the folder, the run."""
    client, first, second = two
    folder = tmp_path_factory.mktemp("compared") / "report"
    found = compare.run(CompareConfig(runs=f"{first}, {second}", output=str(folder)))
    (run,) = _found(client, "compare")
    return found, folder, run


def test_numbers_are_those_of_the_stored_examples(two, compared) -> None:
    client, first, second = two
    found, _, run = compared
    name = f"difference/white_box/fgsm/{second[:8]}_none-{first[:8]}_none"
    accuracies = []
    for run_id in (first, second):
        cells = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/cells.json"))
        history = client.get_metric_history(cells["none/white_box/fgsm"], "adv/accuracy")
        accuracies += [metric.value for metric in history if metric.step == 100]
    assert run.data.metrics[name] == pytest.approx(accuracies[1] - accuracies[0])
    kinds = ("difference", "difference_low", "difference_high", "p_holm")
    logged = {name for name in run.data.metrics if name.split("/")[0] in kinds}
    assert len(logged) == 4 * len(found.pairs)


def test_what_one_run_has_alone_is_left_out(compared) -> None:
    found, folder, _ = compared
    assert {contest.threat_model for contest in found.attacks} == {"white_box"}
    assert {one.reason for one in found.left_out} == {"stands in one run only"}
    assert "| gray_box | fgsm | stands in one run only |" in (folder / "compare.md").read_text()


def test_run_holds_the_report_and_names_its_inputs(two, compared) -> None:
    client, first, second = two
    _, folder, run = compared
    assert client.get_experiment(run.info.experiment_id).name == "comparisons"
    assert run.info.status == "FINISHED" and "gauntlet.seed" not in run.data.tags
    assert [run.data.tags[f"gauntlet.input.run_{i}"] for i in (1, 2)] == [first, second]
    assert run.data.params["config/runs"] == f"{first}, {second}"
    assert {"compare.html", "compare.md", "figures", "tables"} <= {
        file.path for file in client.list_artifacts(run.info.run_id)
    }
    figures = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "figures")}
    assert figures == {file.name for file in (folder / "figures").iterdir()}
    kinds, without_a_name = unnamed(client)
    assert Of.COMPARISON in kinds and without_a_name == []
    assert run.inputs.dataset_inputs[0].dataset.name == "digits"


def test_page_needs_no_network(compared) -> None:
    _, folder, _ = compared
    page = (folder / "compare.html").read_text()
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""", page)
    assert addresses and all(a.startswith(("#", "data:")) for a in addresses)
    assert not re.search(r"@import|url\(", page)


def test_pictures_are_files_and_stand_in_the_page(two, compared) -> None:
    _, folder, _ = compared
    page, text = (folder / "compare.html").read_text(), (folder / "compare.md").read_text()
    pictures = list((folder / "figures").iterdir())
    for picture in pictures:
        assert f"(figures/{picture.name})" in text
        assert base64.b64encode(picture.read_bytes()).decode() in page
    kinds = [re.match(r"(matrix_differences|[a-z]+)_", p.name).group(1) for p in pictures]
    # A worst case and two attacks; matrices of the strongest; five defences x two attacks.
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "curves": 3,
        "matrices": 1,
        "matrix_differences": 1,
        "images": 10,
    }
    assert {file.name for file in folder.iterdir()} == {
        "compare.html",
        "compare.md",
        "figures",
        "tables",
    }


def test_filter_finds_what_ids_name_and_a_budget_can_be_chosen(two, tmp_path, capsys) -> None:
    config = CompareConfig(
        runs="tags.`gauntlet.step` = 'attack' and params.`config/dataset` = 'digits'",
        epsilon=0.3,
        output=str(tmp_path / "report"),
    )
    found = compare.run(config)
    assert [run.id for run in found.runs] == list(two[1:])
    said = capsys.readouterr().out
    assert "white_box, 0.3" in said and "warning: one seed stands behind each run" in said
    assert all(sentence in said for sentence in found.sentences())
    assert f"{tmp_path / 'report' / 'compare.html'}" in said


def test_single_cells_can_be_compared(two, tmp_path) -> None:
    ids = [json.loads(mlflow.artifacts.load_text(f"runs:/{run}/cells.json")) for run in two[1:]]
    names = ",".join(cells["reformer/white_box/noise"] for cells in ids)
    found = compare.run(CompareConfig(runs=names, output=str(tmp_path)))
    assert [contest.title for contest in found.attacks] == ["noise under white_box"]
    assert len(found.pairs) == 2 and not found.left_out


@pytest.fixture(scope="module")
def ids(two) -> dict[str, str]:
    """Runs by what is wrong with them; `good` is an attack run."""
    client, good, _ = two
    like = client.get_run(good)
    tags = {name: like.data.tags[name] for name in ("gauntlet.step", "gauntlet.dataset_sha256")}

    def fake(status: str = "FINISHED", **other: str) -> str:
        own = tags | {f"gauntlet.{name}": value for name, value in other.items()}
        run = client.create_run(like.info.experiment_id, run_name="fake", tags=own)
        if status != "RUNNING":
            client.set_terminated(run.info.run_id, status)
        return str(run.info.run_id)

    deleted = fake()
    client.delete_run(deleted)
    return {
        "good": good,
        "unknown": "c" * 32,
        "deleted": deleted,
        "running": fake("RUNNING"),
        "training": like.data.tags["gauntlet.input.raw"],
        "killed": fake("KILLED"),
        "bare": fake(),
        "bare_cell": fake(step="cell"),
        "other_data": fake(dataset_sha256="0123456789"),
    }


REFUSED = {
    # `runs`, where {names} are those of `ids` -> what is said
    "{good},{unknown}": "no run 'c{32}' in this store",
    "{good},{deleted}": "no run '.*' in this store",
    "seed of 0": "'seed of 0' is no filter of runs",
    "tags.`gauntlet.step` = 'nothing'": "expected at least two runs; .*finds 0",
    "attributes.run_id = '{good}'": "expected at least two runs; .*finds 1",
    "{good},{training}": "expected attack runs or cells .* gauntlet.step is classifier",
    "{good},{running}": r"expected finished runs; received fake \(\w{8}\), which is RUNNING",
    "{good},{killed}": "which is KILLED",
    "{good},{other_data}": r"the same test images; .*\(SHA-256 01234567\): compare runs of one",
    "{good},{bare}": "has no tag gauntlet.seal.*attack again",
    "{good},{bare_cell}": "has no tag gauntlet.seal.*attack again",
}


@pytest.mark.parametrize(("runs", "said"), REFUSED.items(), ids=REFUSED)
def test_refused_in_one_line_before_anything_is_written(two, ids, runs, said, tmp_path) -> None:
    client = two[0]
    before = len(_found(client, "compare"))
    with pytest.raises(UsageError, match=f"^--runs: .*{said}") as refusal:
        compare.run(CompareConfig(runs=runs.format(**ids), output=str(tmp_path / "report")))
    assert "\n" not in str(refusal.value)
    assert len(_found(client, "compare")) == before and not list(tmp_path.iterdir())


def test_nothing_shared_and_no_folder_are_refused_too(two, tmp_path) -> None:
    client, *ids = two
    before = len(_found(client, "compare"))
    with pytest.raises(UsageError, match=r"--epsilon: .*received none .*not attacked at epsilon"):
        compare.run(
            CompareConfig(runs=",".join(ids), epsilon=0.07, output=str(tmp_path / "report"))
        )
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--output: expected a folder .*received '.*file'"):
        compare.run(CompareConfig(runs=",".join(ids), output=str(tmp_path / "file")))
    assert len(_found(client, "compare")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_tensorflow_is_imported(two, start, tmp_path) -> None:
    script = (
        "import sys\n"
        "from gauntlet.__main__ import main\n"
        f"assert main(['compare', '--runs', '{two[1]},{two[2]}', '--output', 'there']) == 0\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    uri = mlflow.get_tracking_uri()
    process = start("python", "-c", script, uri=uri)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "compare.html" in out and (tmp_path / "there" / "compare.html").is_file()
