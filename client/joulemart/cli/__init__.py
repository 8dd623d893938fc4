"""The command `joulemart`. Exit codes: 0 done, 1 job failed, 2 usage, 3 sign-in or scope, 4 not found, 5 conflict or
expired, 6 invalid or nothing fits, 7 money or budget, 8 limited or unavailable, 9 verification failed, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from ..wire import __version__
from . import account, costs, reasons, receipts, selling, shelf, standing, waits, wallet, work
from .exits import DONE, INTERRUPTED, USAGE
from .session import Account

app = typer.Typer(
    name="joulemart",
    help="Search green computing power, reserve it, run jobs on it.",
    epilog=" · ".join(
        [
            "Exit: 0 done",
            "1 job failed",
            "2 usage",
            "3 sign-in or scope",
            "4 not found",
            "5 conflict or expired",
            "6 invalid or nothing fits",
            "7 money or budget",
            "8 limited or unavailable",
            "9 verification failed",
            "130 interrupted",
        ]
    ),
    no_args_is_help=True,
    add_completion=True,
)
for part in (shelf, standing, waits, work, reasons, costs, wallet, receipts, account, selling):
    app.add_typer(part.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"joulemart {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    act_as: Annotated[Account | None, typer.Option("--as", help="Act as this account of the sample market.")] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Search green computing power, reserve it, run jobs on it."""
    context.obj = act_as


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    try:
        code = get_command(app).main(args=arguments, prog_name="joulemart", standalone_mode=False)
    except TyperException as error:
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        if message:
            typer.echo(f"usage  {message}; see `joulemart --help`  [exit {USAGE}]", err=True)
        return USAGE
    except typer.Abort:
        typer.echo("stopped; nothing was changed", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else DONE


def main() -> None:
    """The console script."""
    sys.exit(run())
