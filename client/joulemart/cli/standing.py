"""Commands of standing orders: standing place|ls|show|pause|resume|cancel."""

from datetime import datetime
from typing import Annotated

import typer

from ..standing_objects import StandingOrder
from . import columns, figures
from .filters import Filters, moment
from .session import PAGE_LIMIT, Session, command
from .shelf import Limit
from .tables import Column

app = typer.Typer()
standing_app = typer.Typer(help="Units kept reserved for the hours ahead.", no_args_is_help=True)
app.add_typer(standing_app, name="standing")

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Standing order id.")]
WORDS = {"kept": "kept", "partly_kept": "partly kept", "not_kept": "not kept"}
SHORT = {
    "price": "too dear", "greenness": "not green enough", "capacity": "no units free", "money": "too little money",
    "shelf": "nobody offers it",
}  # fmt: skip


@command(standing_app, "place", writes=True)
def place(
    session: Session,
    filters: Filters,
    cap: Annotated[str, typer.Option(help="The most it may promise and spend in a month, e.g. 500.")],
    ahead: Annotated[int, typer.Option(min=1, max=167, help="For how many hours ahead.")] = 24,
    block: Annotated[int | None, typer.Option(min=1, max=167, help="Hours bought at once; 6.")] = None,
    until: Annotated[str | None, typer.Option(help="When it ends; without, when you cancel it.")] = None,
) -> None:
    """Keep --units of --accelerator reserved, at most --price a unit-hour and at least --renewable-share green."""
    where = dict(filters)
    units = where.pop("units", 1)
    try:
        limit, ends_at = figures.minor_units(cap, where.get("currency", "USD")), moment(until) if until else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    session.confirm(f"Keep {columns.units(units)} reserved, for at most {cap} a month?")
    made = session.client.standing_orders.place(
        units=units, where=where, limit_minor=limit, ahead_hours=ahead, block_hours=block,
        ends_at=datetime.fromisoformat(ends_at) if ends_at else None, dry_run=session.options.dry_run,
    )  # fmt: skip
    line = f"would place {terms_of(made)}; nothing was changed" if session.options.dry_run else order_line(made)
    session.show_one(made, [line], _columns())


@command(standing_app, "ls")
def ls(session: Session, limit: Limit = 20) -> None:
    """List your standing orders."""
    session.show_list(
        session.client.standing_orders.list(limit=min(limit, PAGE_LIMIT)),
        _columns(),
        limit=limit,
        empty="no standing order yet: `joulemart standing place --help`",
    )


@command(standing_app, "show")
def show(session: Session, order: OrderId) -> None:
    """Show how an order stands and what was decided for it, the newest first."""
    found = session.client.standing_orders.get(order)
    told = [f"{figures.when(each.at, session.now)}  {each.sentence}" for each in found.decisions]
    session.show_one(found, [order_line(found), f"  {terms_of(found)}", *told], _columns())


@command(standing_app, "pause", writes=True)
def pause(session: Session, order: OrderId) -> None:
    """Buy nothing until it is resumed; what is reserved stays."""
    _move(session, order, "pause")


@command(standing_app, "resume", writes=True)
def resume(session: Session, order: OrderId) -> None:
    """Buy again."""
    _move(session, order, "resume")


@command(standing_app, "cancel", writes=True)
def cancel(session: Session, order: OrderId) -> None:
    """Buy nothing any more; what is reserved stays."""
    _move(session, order, "cancel")


def _move(session: Session, order: str, verb: str) -> None:
    orders = session.client.standing_orders
    if session.options.dry_run:
        session.would(f"{verb} {order}", orders.get(order))
        return
    session.confirm(f"{verb.capitalize()} {order}?")
    moved = {"pause": orders.pause, "resume": orders.resume, "cancel": orders.cancel}[verb](order)
    session.show_one(moved, [order_line(moved)], _columns())


def order_line(order: StandingOrder) -> str:
    """`sto_1 active  2 units  partly kept: too dear  18 of 24 h  $420.00 of $500.00 left`."""
    return "  ".join(
        part
        for part in (
            f"{order.id} {order.state}", columns.units(order.units), _standing(order), _hours(order), _money(order),
        )
        if part
    )  # fmt: skip


def terms_of(order: StandingOrder) -> str:
    """`2 units of H100, at most $2.50/unit-h, 80% renewable, 24 h ahead in blocks of 6 h`."""
    price, share = order.where.get("price__lte"), order.where.get("renewable_share__gte")
    return ", ".join(
        [
            f"{columns.units(order.units)} of {' or '.join(order.where.get('accelerator', ()))}",
            *([f"at most {figures.money(price, order.currency)}/unit-h"] if price is not None else []),
            *([f"{share:.0%} renewable"] if share is not None else []),
            f"{order.ahead_hours} h ahead in blocks of {order.block_hours} h",
        ]
    )


def _standing(order: StandingOrder) -> str:
    word = WORDS.get(order.standing or "", order.standing or "")
    why = SHORT.get(order.short_of or "", order.short_of or "")
    return f"{word}: {why}" if why else word


def _hours(order: StandingOrder) -> str:
    return f"{order.hours_kept} of {order.hours_wanted} h"


def _money(order: StandingOrder) -> str:
    left, limit = (figures.money(each, order.currency) for each in (order.left_minor, order.limit_minor))
    return f"{left} of {limit} left"


def _columns() -> list[Column[StandingOrder]]:
    return [
        Column("id", lambda o: o.id),
        Column("state", lambda o: o.state),
        Column("accelerator", lambda o: " ".join(o.where.get("accelerator", ()))),
        Column("units", lambda o: o.units, lambda o: columns.units(o.units), right=True),
        Column("standing", lambda o: o.standing, _standing),
        Column("hours_kept", lambda o: o.hours_kept, _hours, right=True),
        Column("left_minor", lambda o: o.left_minor, _money, right=True),
    ]
