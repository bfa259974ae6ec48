"""What only the first paper's figures and its perturbation behind the autoencoder need."""

from __future__ import annotations

import pytest
from stored import examination_of, load_arrays

from gauntlet.cells.result import CellResult
from gauntlet.entry_points import attack
from gauntlet.pipeline.inputs import load_data

EPSILON = 0.1
ENCODED = {
    "autoencoder": "variational",
    "loss": "mean_squared_error",
    "defence": "encoded",
    "attacks": "fgsm",
    "epsilons": str(EPSILON),
}


@pytest.mark.slow
def test_relative_budget_is_the_same_share_of_the_outputs_own_scale(store, tiny) -> None:
    config = tiny("attack", relative_budget="true", threat_models="encoded,white_box", **ENCODED)
    cells = {row.threat_model: row.cells[0] for row in attack.run(config).rows}
    images = load_data(config).x_test
    logged = {name: store.get_run(cell.run_id).data.metrics for name, cell in cells.items()}
    scale = logged["encoded"]["perturbed/mean"] / float(images.mean(dtype="float64"))
    assert logged["encoded"]["attack/epsilon"] == pytest.approx(EPSILON * scale)
    assert scale != pytest.approx(1, abs=0.01)
    assert logged["white_box"]["attack/epsilon"] == pytest.approx(EPSILON)  # images are images
    most = EPSILON * scale * images[0].size ** 0.5
    assert 0.5 * most < _largest_change(cells["encoded"]) <= most * (1 + 1e-5)


def _largest_change(cell: CellResult) -> float:
    return float(load_arrays(cell.run_id, "examples.npz")["noise_l2"].max())


@pytest.mark.slow
def test_variational_training_draws_its_latent_plane(store, tiny) -> None:
    cell = attack.run(tiny("attack", threat_models="encoded", **ENCODED)).rows[0].cells[0]
    training = store.get_run(cell.run_id).data.tags["gauntlet.input.autoencoder"]
    examination = examination_of(store, training).info.run_id
    assert {item.path for item in store.list_artifacts(examination)} >= {
        "latent_space.png",
        "manifold.png",
    }
