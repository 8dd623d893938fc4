"""Commands of the waiting list: waits join|ls|show|leave."""

from datetime import datetime
from typing import Annotated

import typer

from ..wait_objects import Wait
from . import columns, figures
from .filters import Filters
from .session import PAGE_LIMIT, Session, command
from .shelf import Limit
from .tables import Column

app = typer.Typer()
waits_app = typer.Typer(help="The waiting list for hours that are not free.", no_args_is_help=True)
app.add_typer(waits_app, name="waits")

WaitId = Annotated[str, typer.Argument(metavar="WAIT", help="Id of a place on the list.")]
BESIDE = ("units", "hours", "start__gte")


@command(waits_app, "join", writes=True)
def join(
    session: Session,
    filters: Filters,
    offer: Annotated[str | None, typer.Option(help="Wait for this offer instead of --accelerator.")] = None,
    start_by: Annotated[str | None, typer.Option(help="The latest start; without, the soonest.")] = None,
    reserve: Annotated[bool, typer.Option("--reserve", help="Reserve it at once, at most at --price.")] = False,
) -> None:
    """Wait for --units for --hours that are not free; --start says from when."""
    where = {name: value for name, value in filters.items() if name not in BESIDE}
    units, hours = filters.get("units", 1), filters.get("hours", 1)
    after = filters.get("start__gte")
    try:
        by = datetime.fromisoformat(start_by).astimezone() if start_by else None
    except ValueError as error:
        raise typer.BadParameter(f"{start_by!r} is not a time like 2026-11-24T10:00+08:00") from error
    done = "reserve it when there is room" if reserve else "hold it for you when there is room"
    session.confirm(f"Wait for {columns.units(units)} for {hours} h and {done}?")
    made = session.client.waits.join(
        units=units, hours=hours, where=where, offer=offer, reserve=reserve, start_by=by,
        start_after=datetime.fromisoformat(after) if after else None, dry_run=session.options.dry_run,
    )  # fmt: skip
    tried = f"would wait: {_told(made, session.now)}; nothing was changed"
    line = tried if session.options.dry_run else _line(made, session.now)
    session.show_one(made, [line], _columns(session))


@command(waits_app, "ls")
def ls(session: Session, limit: Limit = 20) -> None:
    """List your places, the newest first."""
    session.show_list(
        session.client.waits.list(limit=min(limit, PAGE_LIMIT)),
        _columns(session),
        limit=limit,
        empty="you wait for nothing: `joulemart waits join --help`",
    )


@command(waits_app, "show")
def show(session: Session, wait: WaitId) -> None:
    """Show a place: who is ahead, when it is expected to start, or what serves it."""
    found = session.client.waits.get(wait)
    session.show_one(found, [_line(found, session.now)], _columns(session))


@command(waits_app, "leave", writes=True)
def leave(session: Session, wait: WaitId) -> None:
    """Give up a place."""
    if session.options.dry_run:
        session.would(f"leave {wait}", session.client.waits.get(wait))
        return
    session.confirm(f"Leave {wait}?")
    left = session.client.waits.leave(wait)
    session.show_one(left, [_line(left, session.now)], _columns(session))


def _line(wait: Wait, now: datetime) -> str:
    """`wai_1 waiting  2 units for 6 h of H100  number 3  expected Tue 18:00 UTC+8`."""
    return f"{wait.id} {wait.outcome}  {_told(wait, now)}"


def _told(wait: Wait, now: datetime) -> str:
    amount = f"{columns.units(wait.units)} for {wait.hours} h of {_what(wait)}"
    place = f"number {wait.position}" if wait.position else ""
    return "  ".join(part for part in (amount, place, _when(wait, now)) if part)


def _what(wait: Wait) -> str:
    return " or ".join(wait.where.get("offer") or wait.where.get("accelerator") or ())


def _when(wait: Wait, now: datetime) -> str:
    """When it is expected to start, or until when it is held."""
    if wait.outcome == "offered":
        return f"{wait.reservation}: confirm it by {figures.when(wait.answer_by, now)}"
    if wait.outcome != "waiting":
        return wait.reservation or ""
    if wait.expected_start is None:
        return "not expected within two weeks"
    late = "" if wait.in_time else ", later than you asked, unless hours come back"
    return f"expected {figures.when(wait.expected_start, now)}{late}"


def _columns(session: Session) -> list[Column[Wait]]:
    return [
        Column("id", lambda w: w.id),
        Column("outcome", lambda w: w.outcome),
        Column("what", _what),
        Column("units", lambda w: w.units, lambda w: columns.units(w.units), right=True),
        Column("hours", lambda w: w.hours, lambda w: f"{w.hours} h", right=True),
        Column("position", lambda w: w.position, lambda w: f"number {w.position}" if w.position else "", right=True),
        Column("expected_start", lambda w: columns.iso(w.expected_start), lambda w: _when(w, session.now)),
    ]
