"""The command line: one clear line for every mistake, before anything heavy is imported."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence

import pytest

from gauntlet.__main__ import main, read_arguments
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.config.command_line import config_class, parse

HEAVY = ("tensorflow", "keras", "mlflow", "numpy", "sklearn", "matplotlib")

MISTAKES: list[tuple[Sequence[str], Sequence[str]]] = [
    # arguments -> what the answer must say
    ([], ["ENTRY_POINT"]),
    (["atack"], ["'atack'", "Did you mean 'attack'", "autoencoder, classifier, attack, main"]),
    (["attack", "--epsilon", "0.1"], ["'--epsilon'", "Did you mean '--epsilons'"]),
    (["attack", "--epsilon=0.1"], ["'--epsilon'", "Did you mean '--epsilons'"]),
    (["attack", "--epsilons"], ["--epsilons", "expected one argument"]),
    (["attack", "stray"], ["'stray'"]),
    (["attack", "--attacks", "fgms"], ["'fgms'", "Did you mean 'fgsm'", "t_fgsm", "lr_natural"]),
    (["attack", "--autoencoder", "vanila"], ["--autoencoder", "'vanilla'", "'vanila'"]),
    (["attack", "--threat_models", "grey_box"], ["'grey_box'", "'gray_box'", "transfer"]),
    (["attack", "--defence", "reform"], ["'reform'", "Did you mean 'reformer'", "encoded"]),
    (["attack", "--defence", "none", "--threat_models", "gray_box"], ["makes no sense"]),
    (["attack", "--dataset", "mnst"], ["'mnst'", "Did you mean 'mnist'", "npz:PATH"]),
    (["attack", "--preset", "smok"], ["--preset", "'smok'", "smoke"]),
    (["attack", "--epsilons=-0.1"], ["--epsilons", "[0, 1]", "-0.1"]),
    (["attack", "--epsilons", "0,1.5"], ["--epsilons", "[0, 1]", "1.5"]),
    (["attack", "--epsilons", "0,big"], ["--epsilons", "number", "'big'"]),
    (["attack", "--epsilons", "nan"], ["--epsilons", "finite", "nan"]),
    (["attack", "--epsilons", "inf"], ["--epsilons", "finite", "inf"]),
    (["attack", "--epsilons", "0.2,0.1"], ["--epsilons", "ascending"]),
    (["attack", "--epsilons", ""], ["--epsilons", "''"]),
    (["attack", "--attacks", ""], ["--attacks", "''"]),
    (["attack", "--attacks", "fgsm,fgsm"], ["--attacks", "once"]),
    (["attack", "--grey_epsilons", "256"], ["--grey_epsilons", "expected grey levels in [0, 255]"]),
    (["attack", "--lr_clip", "perhaps"], ["--lr_clip", "bool", "'perhaps'"]),
    (["attack", "--target", "12"], ["--target", "0 to 9", "12"]),
    (
        ["attack", "--attacks", "lr_one_target", "--lr_target", "10"],
        ["--lr_target", "0 to 9", "10"],
    ),
    (["attack", "--seed", "-1"], ["--seed", "greater than or equal to 0", "'-1'"]),
    (["attack", "--seed", str(2**63)], ["--seed", "less than"]),
    (["autoencoder", "--epochs", "0"], ["--epochs", "greater than or equal to 1", "'0'"]),
    (["autoencoder", "--epochs", "2.5"], ["--epochs", "integer", "'2.5'"]),
    (["autoencoder", "--learning_rate", "nan"], ["--learning_rate", "'nan'"]),
    (["autoencoder", "--widths", "0"], ["--widths", "'0'"]),
    (["autoencoder", "--train_size", "some"], ["--train_size", "'some'"]),
    (["autoencoder", "--attacks", "fgsm"], ["'--attacks'"]),
    (["attack", "--dataset", "$(touch pwned)"], ["'$(touch pwned)'"]),
    (["attack", "--dataset", "'; touch pwned; '"], ["touch pwned"]),
    (["attack", "--dataset", "two\nlines"], ["--dataset"]),
    (["compare"], ["--runs", "expected a value", "received none"]),
    (["compare", "--runs", " "], ["--runs", "expected at least two run ids", "' '"]),
    (["compare", "--runs", "a" * 32], ["--runs", "at least two", "a" * 32]),
    (["compare", "--runs", ",".join(["a" * 32] * 2)], ["--runs", "at least two"]),
    (["compare", "--runs", "x = 1", "--epsilon", "1001"], ["--epsilon", "less than or equal"]),
    (["compare", "--runs", "x = 1", "--epsilon", "far"], ["--epsilon", "number", "'far'"]),
    (["compare", "--runs", "x = 1", "--output", ""], ["--output", "''"]),
    (["compare", "--runs", "x = 1", "--seed", "0"], ["'--seed'"]),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_mistake_is_answered_in_one_line(arguments, said, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    for words in said:
        assert words in err
    assert not list(tmp_path.iterdir())


def test_process_ends_with_2_and_one_line(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gauntlet", "attack", "--epsilons", "0,two"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize("entry_point", ["", *ENTRY_POINTS])
def test_help_is_quick_and_imports_nothing_heavy(entry_point: str) -> None:
    script = (
        "import sys\nfrom gauntlet.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        f"finally: sys.exit(','.join(set({HEAVY}) & set(sys.modules)) or 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", script, *filter(None, [entry_point]), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    # Of the processor's time, which does not depend on who else uses it.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_help_documents_every_parameter(entry_point: str, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([entry_point, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name, parameter in config_class(entry_point).parameters().items():
        assert f"--{name} VALUE" in text
        assert parameter.help and " ".join(parameter.help.split()) in text


def test_hyphens_and_underscores_are_the_same() -> None:
    hyphens = read_arguments(["attack", "--threat-models", "white_box", "--rel-step=0.5"])
    assert hyphens == read_arguments(
        ["attack", "--threat_models", "white_box", "--rel_step", "0.5"]
    )
    assert parse(*hyphens)["rel_step"] == 0.5


def test_presets_fill_what_is_not_given() -> None:
    given = parse(*read_arguments(["attack", "--preset", "smoke", "--epochs", "3"]))
    assert (given["dataset"], given["epochs"], given["batch_size"]) == ("digits", 3, 64)
    assert parse("attack", {"epochs": "preset"}) == parse("attack", {})
