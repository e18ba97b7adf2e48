"""The `spinenode` command: options in, exit codes out (contract.md)."""

from __future__ import annotations

import sys
import traceback

import typer
from typer.exceptions import TyperException

from service.commands import (
    analyze,
    cohort,
    conformance,
    demo,
    evaluate,
    fetch,
    install,
    jobs,
    phantom,
    serve,
    status,
)
from service.exits import describe

app = typer.Typer(
    name="spinenode",
    help="Reads spine CTs and returns vertebra masks, texture and fracture findings. "
    "Research use only. Not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    serve,
    analyze,
    fetch,
    demo,
    phantom,
    jobs,
    status,
    evaluate,
    cohort,
    conformance,
    install,
):
    module.register(app)


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    del debug  # taken from the command line by `main`, wherever it stands


def main() -> None:
    """Run the command line; errors become one line on stderr and the contract's exit code."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = app(args=arguments, standalone_mode=False)
    except typer.Abort:
        sys.exit(130)
    except TyperException as error:
        if error.format_message():
            sys.stderr.write(f"spinenode: {error.format_message()} (see 'spinenode --help')\n")
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the outermost boundary: every error becomes one line
        if debug:
            traceback.print_exc()
        line, exit_code = describe(error)
        sys.stderr.write(f"spinenode: {line}\n")
        sys.exit(exit_code)
    sys.exit(code if isinstance(code, int) else 0)
