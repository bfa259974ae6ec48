"""`python -m gauntlet <entry point> --flag value`: the command line of every entry point.

Nothing heavy is imported before the config is valid.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from gauntlet.catalogue.components import load
from gauntlet.catalogue.entry_points import ENTRY_POINTS, EntryPoint
from gauntlet.catalogue.parameters import PRESET, Parameter, to_string
from gauntlet.config.command_line import config_class, default_string, parse
from gauntlet.config.config import Config
from gauntlet.config.data import PRESETS
from gauntlet.errors import GauntletError, UsageError, disk_fault, unknown_name
from gauntlet.interruption import interruptible
from gauntlet.masking import mask_output
from gauntlet.output import never_fail
from gauntlet.tracking.launcher import stand_where_the_user_does

USAGE_ERROR, FAILURE, INTERRUPTED = 2, 1, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one entry point; return the exit code: 0, 1 failure, 2 usage, 130 interrupted."""
    try:
        entry_point, values = read_arguments(sys.argv[1:] if argv is None else argv)
        config = parse(entry_point, values)
        stand_where_the_user_does()
        with interruptible():
            _run(entry_point, config)
    except UsageError as error:
        return _say(f"error: {error}", USAGE_ERROR)
    except GauntletError as error:
        return _say(f"error: {error}", FAILURE)
    except OSError as error:
        if (sentence := disk_fault(error)) is None:
            raise
        return _say(f"error: {sentence}", FAILURE)
    except KeyboardInterrupt as stop:
        news = str(stop) or "what was measured is logged, the runs are KILLED"
        return _say(f"interrupted: {news}", INTERRUPTED)
    return 0


def read_arguments(argv: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Split a command line into the entry point and its parameters as strings.

    Raises:
        UsageError: an unknown entry point or flag, or a flag without a value.
    """
    wanted = next(iter(argv), "")
    if wanted and wanted not in ENTRY_POINTS and not wanted.startswith("-"):
        raise UsageError(unknown_name("entry point", wanted, ENTRY_POINTS))
    parser = _build_parser(wanted)
    given, unknown = parser.parse_known_args(argv)
    values = vars(given)
    entry_point = values.pop("entry_point")
    if unknown:
        names = [f"--{name}" for name in config_class(entry_point).parameters()]
        raise UsageError(unknown_name("flag", unknown[0].split("=")[0], names))
    return entry_point, values


def _run(entry_point: str, config: Config) -> None:
    # TensorFlow reads these at import: the log of a run is about the run, not about oneDNN.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    load(ENTRY_POINTS[entry_point].code)(config)


def _say(line: str, exit_code: int) -> int:
    sys.stderr.write(line + "\n")
    return exit_code


def _build_parser(wanted: str) -> _Parser:
    """Return a parser that knows every entry point, and the flags of the one that is wanted."""
    parser = _Parser(
        prog="python -m gauntlet",
        description="Run one entry point of the Gauntlet project outside `mlflow run`.",
    )
    commands = parser.add_subparsers(dest="entry_point", required=True, metavar="ENTRY_POINT")
    for entry in ENTRY_POINTS.values():
        command = commands.add_parser(
            entry.name,
            help=entry.sentence,
            description=f"{entry.sentence}.",
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if entry.name == wanted:
            model = config_class(wanted)
            command.epilog = _examples(entry) + model.more_help
            for parameter in model.parameters().values():
                _add_flag(command, model, parameter)
    return parser


def _examples(entry: EntryPoint) -> str:
    parameter, value = entry.example
    return f"""\
Lists are comma separated; hyphens and underscores are the same in flags. Try it in seconds with
  python -m gauntlet {entry.name} --{parameter} {value}
and give the same parameters to MLflow as
  mlflow run . -e {entry.name} -P {parameter}={value}
"""


def _add_flag(parser: _Parser, model: type[Config], parameter: Parameter) -> None:
    name = parameter.name
    flags = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
    default = default_string(parameter)
    shown = "must be given" if default is None else default
    if parameter.default == PRESET:
        said = {preset: model.preset_values({"preset": preset})[name] for preset in PRESETS}
        shown = ", ".join(f"{preset}: {to_string(value)}" for preset, value in said.items())
    text = f"{parameter.help} [{shown}]".replace("%", "%%")
    parser.add_argument(*flags, dest=name, metavar="VALUE", help=text)


if __name__ == "__main__":
    never_fail()
    mask_output()
    sys.exit(main())
