"""A user's Keras settings change no number: trainings under all of them have the same weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from servers import tracking_to

from gauntlet.__main__ import main

COMMAND = [
    "autoencoder",
    "--preset",
    "smoke",
    "--epochs",
    "2",
    "--autoencoder",
    "magnet_1",
    "--validation_size",
    "10",
]

SETTINGS = {
    "floatx": "float64",
    "epsilon": 0.5,
    "backend": "jax",
    "image_data_format": "channels_first",
}

VARIABLES = {
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "1",
}


def _weights(uri: str, folder: Path) -> str:
    """Return the digest of the weights of the one autoencoder in a store."""
    with tracking_to(uri, folder) as client:
        experiment = client.get_experiment_by_name("autoencoders").experiment_id
        (run,) = client.search_runs([experiment], "tags.`gauntlet.step` = 'autoencoder'")
    return run.data.tags["gauntlet.weights_sha256"]


@pytest.mark.slow
def test_keras_settings_change_no_weight_and_are_left_alone(new_store, start, tmp_path) -> None:
    file = tmp_path / "home" / ".keras" / "keras.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(SETTINGS))
    homes = {"HOME": str(tmp_path / "home")}, {"KERAS_HOME": str(file.parent)}
    uris, said = [new_store() for _ in range(3)], []
    with tracking_to(uris[0], tmp_path):  # this process has no such settings
        assert main(COMMAND) == 0
    for uri, environment in zip(uris[1:], (VARIABLES | homes[0], homes[1]), strict=True):
        process = start("python", "-m", "gauntlet", *COMMAND, uri=uri, **environment)
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, out + err
        said.append(out)
    assert len({_weights(uri, tmp_path) for uri in uris}) == 1
    assert [text.count("KERAS_BACKEND=torch is not used") for text in said] == [1, 0]
    assert json.loads(file.read_text()) == SETTINGS


def test_keras_of_another_backend_is_refused_in_one_line(monkeypatch) -> None:
    import keras

    from gauntlet.errors import GauntletError
    from gauntlet.training import runtime

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(GauntletError, match=r"loaded with the backend 'jax': set KERAS_BACKEND="):
        runtime.configure_tensorflow.__wrapped__()
