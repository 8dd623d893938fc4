"""Commands of the shelf: search, offer show, quote, reserve, reservations."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from ..objects import Offer, Quote
from ..reservation_objects import Reservation
from . import columns, figures
from .filters import Filters
from .session import PAGE_LIMIT, Session, command
from .tables import aligned, as_table

app = typer.Typer()
offer_app = typer.Typer(help="Offers on the shelf.", no_args_is_help=True)
reservations_app = typer.Typer(help="Capacity promised to you.", no_args_is_help=True)
app.add_typer(offer_app, name="offer")
app.add_typer(reservations_app, name="reservations")

ReservationId = Annotated[str, typer.Argument(metavar="RESERVATION", help="Reservation id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Show at most this many.")]


@command(app, "search")
def search(
    session: Session,
    filters: Filters,
    sort: Annotated[str | None, typer.Option(help="fit, total, unit_price, carbon, …; -carbon descends.")] = None,
    limit: Limit = 20,
) -> None:
    """Rank the offers that pass your filters, at their all-in price."""
    session.show_list(
        session.client.offers.list(**filters, sort=sort, limit=min(limit, PAGE_LIMIT)),
        columns.priced(session.now),
        limit=limit,
        empty="nothing fits: leave out a filter, or ask `joulemart quote` which one to relax",
    )


@command(offer_app, "show")
def offer_show(session: Session, offer: Annotated[str, typer.Argument(help="Offer id.")]) -> None:
    """Show one offer: hardware, site, terms and its price now."""
    found = session.client.offers.get(offer)
    session.show_one(found, offer_lines(found), columns.own_offers())


@command(app, "quote")
def quote(
    session: Session,
    filters: Filters,
    offer: Annotated[str | None, typer.Argument(help="Offer id; without one, the best offers are quoted.")] = None,
    when: Annotated[str | None, typer.Option(help="now, balanced, cheapest or greenest.")] = None,
) -> None:
    """Freeze an all-in price for ten minutes. A quote costs nothing and takes no capacity."""
    where = dict(filters)
    units, hours = where.pop("units", 1), where.pop("hours", 1)
    weights = {
        axis: value for axis in ("price", "latency", "green") if (value := where.pop(f"w_{axis}", None)) is not None
    }
    start = where.pop("start__gte", None) if offer else None
    made = session.client.quotes.create(
        units=units,
        hours=hours,
        where=where,
        weights=weights or None,
        when=when,
        offer=offer,
        start=None if start is None else datetime.fromisoformat(start),
    )
    session.show_one(made, quote_lines(made, session.now), columns.quotes())


@command(app, "reserve", writes=True)
def reserve(
    session: Session,
    quote: Annotated[str, typer.Argument(help="Quote id.")],
    option: Annotated[int, typer.Option(min=1, help="Which option of the quote.")] = 1,
    hold: Annotated[bool, typer.Option("--hold", help="Only hold it until the quote expires.")] = False,
    promise: Annotated[
        int | None,
        typer.Option("--promise", min=1, max=100, help="Per cent of the energy promised to be matched by the hour."),
    ] = None,
    least: Annotated[
        int | None, typer.Option("--least", min=1, max=100, help="Take a lower promise down to this; else --promise.")
    ] = None,
) -> None:
    """Reserve a quote's option at its frozen price."""
    if least is not None and (promise is None or least > promise):
        raise typer.BadParameter("goes with a --promise that is not lower", param_hint="--least")
    deed = "hold" if hold else "reserve"
    if session.options.dry_run or session.asks:
        found = session.client.quotes.get(quote)
        deed = f"{deed} {option_line(found, option, session.now)}"
        if session.options.dry_run:
            session.would(deed, found)
            return
    session.confirm(f"{deed[0].upper()}{deed[1:]}?")
    made = session.client.reservations.create(
        quote=quote, option=option, confirm=not hold, promise_percent=promise, least_percent=least or promise or 1
    )
    session.show_one(made, [reservation_line(made, session.now)], columns.reservations(session.now))


@command(reservations_app, "ls")
def reservations_ls(session: Session, limit: Limit = 20) -> None:
    """List your reservations."""
    session.show_list(
        session.client.reservations.list(limit=min(limit, PAGE_LIMIT)),
        columns.reservations(session.now),
        limit=limit,
        empty="no reservations yet: start with `joulemart search`",
    )


@command(reservations_app, "extend", writes=True)
def reservations_extend(
    session: Session,
    reservation: ReservationId,
    hours: Annotated[int, typer.Option(min=1, max=168, help="How many hours longer.")],
) -> None:
    """Take the next hours on the same offer, at today's price, which is shown first."""
    _change(session, partial(session.client.reservations.extend, reservation, hours=hours))


@command(reservations_app, "resize", writes=True)
def reservations_resize(
    session: Session,
    reservation: ReservationId,
    units: Annotated[int, typer.Option(min=1, help="How many units from the next hour on.")],
) -> None:
    """Buy more units for the hours to come, at today's price, which is shown first, or give some back."""
    _change(session, partial(session.client.reservations.resize, reservation, units=units))


def _change(session: Session, change: Callable[..., Reservation]) -> None:
    """Show what a change comes to, ask, and make it at that price; `--yes` agrees to today's."""
    agreed, deed = None, "change it"
    if session.options.dry_run or session.asks:
        shown = change(dry_run=True)
        deed, agreed = change_line(shown, session.now), shown.change.total_minor if shown.change else None
        if session.options.dry_run:
            session.would(deed, shown)
            return
    session.confirm(f"{deed[0].upper()}{deed[1:]}?")
    changed = change(total_minor=agreed)
    lines = [change_line(changed, session.now), reservation_line(changed, session.now)]
    session.show_one(changed, lines, columns.reservations(session.now))


@command(reservations_app, "cancel", writes=True)
def reservations_cancel(session: Session, reservation: ReservationId) -> None:
    """Give a reservation's capacity back."""
    if session.options.dry_run:
        found = session.client.reservations.get(reservation)
        session.would(f"cancel {reservation_line(found, session.now)}", found)
        return
    session.confirm(f"Cancel {reservation}?")
    ended = session.client.reservations.cancel(reservation)
    session.show_one(ended, [reservation_line(ended, session.now)], columns.reservations(session.now))


def offer_lines(offer: Offer) -> list[str]:
    """An offer for people, one fact a line."""
    hardware, site = offer.hardware, offer.site
    facts = [
        ("offer", f"{offer.id}  {offer.title}".rstrip()),
        ("state", f"{offer.state}{', sample' if offer.sample else ''}"),
        ("price now", figures.rate(offer.rate_mm, offer.currency, "unit-h")),
        ("hardware", _joined(hardware.accelerator, _gb(hardware.memory_gb), hardware.interconnect)),
        ("units", str(offer.units)),
        ("site", _joined(site.name, site.kind, site.country, f"zone {site.zone}" if site.zone else "")),
        ("provider", offer.provider.name),
        ("terms", _joined(offer.tier, offer.term, _notice(offer))),
        ("reliability", figures.UNKNOWN if offer.reliability_ppm is None else f"{offer.reliability_ppm / 10_000:.2f}%"),
    ]
    return aligned([row for row in facts if row[1]], [False, False])


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _gb(memory_gb: float | None) -> str:
    return "" if memory_gb is None else f"{memory_gb:g} GB"


def _notice(offer: Offer) -> str:
    return "" if offer.notice_s is None else f"{offer.notice_s} s notice"


def quote_lines(quote: Quote, now: datetime) -> list[str]:
    """The best option's total and how long it stands, then all options where there are several."""
    if not quote.options:
        return [f"{quote.id} has no option"]
    expires = "" if quote.expires_at is None else f", expires in {figures.countdown(quote.expires_at - now)}"
    first = quote.options[0]
    currency = columns.currency_of(quote)
    lines = [f"{quote.id}  {figures.money(first.total_minor, currency)} all-in{expires}"]
    if len(quote.options) > 1:
        lines += as_table(columns.options(currency, now), quote.options)
    if first.promisable_percent:
        lines.append(
            f"Up to {first.promisable_percent} % can be promised to be matched by the hour (reserve --promise)."
        )
    return lines + ([first.why.sentence] if first.why.sentence else [])


def option_line(quote: Quote, rank: int, now: datetime) -> str:
    """An option of a quote in one line. Ends the command when the quote has no such option."""
    found = next((option for option in quote.options if option.rank == rank), None)
    if found is None:
        raise typer.BadParameter(f"{quote.id} has options 1 to {len(quote.options)}", param_hint="--option")
    total = figures.money(found.total_minor, columns.currency_of(quote))
    place = columns.hardware_of(found.offer)
    return f"{columns.units(found.units)} of {place}, {figures.window(found.start, found.end, now)}, for {total}"


def change_line(reservation: Reservation, now: datetime) -> str:
    """`add 8 units, Tue 16:00–18:00 UTC+8, for $26.29`; `give back 2 units, …`."""
    change = reservation.change
    if change is None:
        return f"change {reservation.id}"
    count, span = columns.units(abs(change.units)), figures.window(change.start, change.end, now)
    if change.units < 0:
        return f"give back {count}, {span}"
    return f"add {count}, {span}, for {figures.money(change.total_minor, reservation.currency)}"


def reservation_line(reservation: Reservation, now: datetime) -> str:
    """`rsv_90ab confirmed  Tue 10:00–16:00 UTC+8  8 units  $78.87 held`."""
    held = " held" if reservation.state in ("held", "confirmed", "active") else ""
    promise = reservation.green_promise
    promised = [f"{promise.promised_percent} % matched by the hour promised"] if promise else []
    return "  ".join(
        [
            f"{reservation.id} {reservation.state}",
            figures.window(reservation.start, reservation.end, now),
            columns.units(reservation.units),
            figures.money(reservation.total_minor, reservation.currency) + held,
            *promised,
        ]
    )
