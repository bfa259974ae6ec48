"""CPU, memory and GPU beside every run; without a GPU one line says so."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pynvml
import pytest

from gauntlet.entry_points import autoencoder
from gauntlet.pipeline.session import session
from gauntlet.tracking.experiments import experiment_id
from gauntlet.tracking.runs import tracked_run

GIB = 2**30
NO_GPU = "no GPU: GPU metrics are not logged"


@pytest.fixture
def two_gpus(monkeypatch):
    """NVML with two GPUs; the second one has twice the first one's load."""
    answers = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda i: i,
        "nvmlDeviceGetMemoryInfo": lambda i: SimpleNamespace(used=(i + 1) * GIB, total=8 * GIB),
        "nvmlDeviceGetUtilizationRates": lambda i: SimpleNamespace(gpu=40 * (i + 1)),
        "nvmlDeviceGetPowerUsage": lambda i: 100_000 * (i + 1),
        "nvmlDeviceGetEnforcedPowerLimit": lambda _: 400_000,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)


@pytest.fixture
def no_gpu(monkeypatch):
    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)


def _metrics(store, tiny, seconds: float = 0) -> dict[str, float]:
    with tracked_run("autoencoders", "a name", tiny("autoencoder").as_json(), tags={}) as run:
        time.sleep(seconds)
    return store.get_run(run.id).data.metrics


def test_every_gpu_is_measured(store, tiny, two_gpus):
    found = _metrics(store, tiny)
    gpus = {name: value for name, value in found.items() if name.startswith("system/gpu_")}
    assert gpus == {
        "system/gpu_0_memory_usage_percentage": 12.5,
        "system/gpu_0_memory_usage_megabytes": 1073.7,
        "system/gpu_0_utilization_percentage": 40,
        "system/gpu_0_power_usage_watts": 100,
        "system/gpu_0_power_usage_percentage": 25,
        "system/gpu_1_memory_usage_percentage": 25,
        "system/gpu_1_memory_usage_megabytes": 2147.5,
        "system/gpu_1_utilization_percentage": 80,
        "system/gpu_1_power_usage_watts": 200,
        "system/gpu_1_power_usage_percentage": 50,
    }


def test_run_shorter_than_an_interval_is_measured(store, tiny, no_gpu, monkeypatch):
    monkeypatch.setattr("gauntlet.tracking.runs.SYSTEM_METRICS_SECONDS", 60)
    start = time.monotonic()
    found = set(_metrics(store, tiny))
    assert time.monotonic() - start < 30, "closing a run must not wait for a sample"
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= found
    assert not [name for name in found if "gpu" in name]


def test_longer_run_is_sampled_again_and_again(store, tiny, monkeypatch):
    monkeypatch.setattr("gauntlet.tracking.runs.SYSTEM_METRICS_SECONDS", 0.1)
    _metrics(store, tiny, 1)
    (run,) = store.search_runs([experiment_id("autoencoders")])
    samples = store.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    assert len(samples) > 2 and len({s.step for s in samples}) == len(samples)


def test_missing_gpu_is_said_once(store, tiny, no_gpu, capsys, caplog):
    autoencoder.run(tiny("autoencoder", epochs="1"))
    captured = capsys.readouterr()
    assert (captured.out + captured.err + caplog.text).lower().count("gpu metrics") == 1
    assert captured.out.splitlines()[1] == NO_GPU
    training, examination = store.search_runs([experiment_id("autoencoders")])
    for run in (training, examination):
        assert run.data.tags["gauntlet.device"] == "CPU"


def test_nothing_is_said_where_there_are_gpus(store, two_gpus, capsys):
    with session("autoencoder"):
        pass
    assert "GPU" not in capsys.readouterr().out
