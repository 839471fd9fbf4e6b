"""The command line: finds the commands, and turns errors into one message and an exit code.

Every module of this package with a function `command` is a command; the module's name is its name.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

import edgemoe.cli
from edgemoe import __version__
from edgemoe.cli.console import coloured, write_json
from edgemoe.runtime.errors import EdgemoeError

INTERRUPTED = 130

app = typer.Typer(
    name="edgemoe",
    help="Compile mixture-of-experts and mixer models for edge devices, run and inspect them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 an error in one message, 2 usage, 3 a budget cannot be met.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"edgemoe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def reported(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: an error becomes a message on stderr and an exit code."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        try:
            with warnings.catch_warnings():
                if not options.get("verbose"):  # those of the libraries below us
                    warnings.simplefilter("ignore")
                command(**options)
        except EdgemoeError as error:
            raise typer.Exit(_report(error, options)) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            raise typer.Exit(_report_bug(error, options)) from None

    return run


def _report(error: EdgemoeError, options: dict[str, Any]) -> int:
    if options.get("verbose", 0) > 1:
        traceback.print_exception(error)
    name = coloured(type(error).__name__, 31)
    print(f"{name}: {error}", file=sys.stderr)
    if not error.is_written:
        _write_error(error, options)
    return error.exit_code


def _report_bug(error: Exception, options: dict[str, Any]) -> int:
    """Say that an unexpected exception is our fault, not the user's."""
    if options.get("verbose", 0) > 1:
        traceback.print_exception(error)
        advice = "please report it with the traceback above"
    else:
        advice = "run the same command with -vv for the traceback, and please report it"
    name = coloured(f"bug in edgemoe {__version__}", 31)
    print(f"{name}: {type(error).__name__}: {error}; {advice}", file=sys.stderr)
    _write_error(error, options)
    return 1


def _write_error(error: Exception, options: dict[str, Any]) -> None:
    try:
        data = {"error": {"type": type(error).__name__, "message": str(error)}}
        write_json(options.get("json_file"), data)
    except EdgemoeError as second:
        print(f"{type(second).__name__}: {second}", file=sys.stderr)


def _add_commands() -> None:
    for module in pkgutil.iter_modules(edgemoe.cli.__path__):
        if module.name == "main":
            continue
        command = getattr(importlib.import_module(f"edgemoe.cli.{module.name}"), "command", None)
        if command is not None:
            app.command(name=module.name)(reported(command))


_add_commands()
