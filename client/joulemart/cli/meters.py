"""Commands of providers' meters: provider meters push."""

from pathlib import Path
from typing import Annotated

import typer

from ..meter_objects import MeterImport
from .session import Session, command
from .tables import Column

meters_app = typer.Typer(help="Your meters.", no_args_is_help=True)

Readings = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A CSV file, plain or gzipped."),
]


@command(meters_app, "push", writes=True)
def push(session: Session, file: Readings) -> None:
    """Import readings of metering points, plants and stores: the whole file, or nothing and every fault named."""
    session.file = str(file)
    session.confirm(f"Import {file}?")
    with session.working(f"sending {file.name}"):
        told = session.client.meters.push(file, dry_run=session.options.dry_run)
    session.show_one(told, _lines(told, dry_run=session.options.dry_run), _columns(), name=told.sha256)


def _lines(told: MeterImport, *, dry_run: bool) -> list[str]:
    verb = "would be imported; nothing was stored" if dry_run else "imported"
    lines = [f"{_hours(told.rows)} {verb}"]
    if told.incomplete_hours:
        lines.append(f"{_hours(told.incomplete_hours)} left out: a quarter is missing, and nothing is filled in")
    return lines


def _hours(count: int) -> str:
    return f"{count:,} {'hour' if count == 1 else 'hours'}"


def _columns() -> list[Column[MeterImport]]:
    return [
        Column("rows", lambda told: told.rows),
        Column("incomplete_hours", lambda told: told.incomplete_hours),
        Column("sha256", lambda told: told.sha256),
    ]
