"""Commands of providers: provider offers ls|pause|publish, provider reservations ls|give-up, provider agents ls.

Their meters are in `meters`.
"""

from enum import StrEnum
from typing import Annotated

import typer

from ..objects import Offer
from ..reservation_objects import GivenUp, SoldReservation
from . import columns, figures
from .meters import meters_app
from .session import PAGE_LIMIT, Session, command
from .shelf import Limit, ReservationId

app = typer.Typer()
provider_app = typer.Typer(help="What providers do.", no_args_is_help=True)
offers_app = typer.Typer(help="Your offers.", no_args_is_help=True)
agents_app = typer.Typer(help="Your agents.", no_args_is_help=True)
app.add_typer(provider_app, name="provider")
provider_app.add_typer(offers_app, name="offers")
sold_app = typer.Typer(help="What you have promised.", no_args_is_help=True)
provider_app.add_typer(sold_app, name="reservations")
provider_app.add_typer(agents_app, name="agents")
provider_app.add_typer(meters_app, name="meters")

OfferId = Annotated[str, typer.Argument(metavar="OFFER", help="Offer id.")]


@command(offers_app, "ls")
def offers_ls(session: Session, limit: Limit = 20) -> None:
    """List your offers."""
    organization = session.client.me().organization
    pager = session.client.offers.list(provider=organization.id if organization else None, limit=min(limit, PAGE_LIMIT))
    session.show_list(pager, columns.own_offers(), limit=limit, empty="no offers yet: make one in the console")


@command(offers_app, "pause", writes=True)
def offers_pause(session: Session, offer: OfferId) -> None:
    """Take an offer off the shelf; promises already made stand."""
    if not _only_checked(session, "pause", offer):
        session.confirm(f"Pause {offer}?")
        _show(session, session.client.offers.pause(offer))


@command(offers_app, "publish", writes=True)
def offers_publish(session: Session, offer: OfferId) -> None:
    """Put an offer on the shelf."""
    if not _only_checked(session, "publish", offer):
        session.confirm(f"Publish {offer}?")
        _show(session, session.client.offers.publish(offer))


class Cause(StrEnum):
    """Why a promise cannot be kept."""

    HARDWARE_FAILED = "hardware_failed"
    POWER_LOST = "power_lost"
    NETWORK_LOST = "network_lost"
    MAINTENANCE = "maintenance"
    WITHDRAWN = "withdrawn"


@command(sold_app, "ls")
def sold_ls(session: Session, limit: Limit = 20) -> None:
    """List what is promised of your offers."""
    pager = session.client.reservations.sold(limit=min(limit, PAGE_LIMIT))
    session.show_list(pager, columns.sold(session.now), limit=limit, empty="nothing is promised of your offers yet")


@command(sold_app, "give-up", writes=True)
def sold_give_up(
    session: Session, reservation: ReservationId, reason: Annotated[Cause, typer.Option(help="Why you cannot keep it.")]
) -> None:
    """Give a reservation up that you cannot keep; what you owe for it is shown first."""
    agreed = None
    if session.options.dry_run or session.asks:
        shown = session.client.reservations.plan_give_up(reservation, reason=reason.value)
        agreed = shown.given_up.provider_minor if shown.given_up else None
        if session.options.dry_run:
            session.would(f"give {reservation} up: {_consequence(shown)}", shown)
            return
        session.note(_consequence(shown))
    session.confirm(f"Give {reservation} up?")
    ended = session.client.reservations.give_up(reservation, reason=reason.value, provider_minor=agreed)
    session.show_one(ended, [f"{ended.id} {ended.state}: {_consequence(ended)}"], columns.sold(session.now))


def _consequence(sold: SoldReservation) -> str:
    """`$8.32 goes back to its buyer, with a credit of $0.83, of which you owe $0.80; 2 jobs end`."""
    told = sold.given_up or GivenUp()
    back, credit, owed = (
        figures.money(each, sold.currency) for each in (told.refund_minor, told.credit_minor, told.provider_minor)
    )
    jobs = f"; {told.jobs} job{'s' if told.jobs != 1 else ''} end{'s' if told.jobs == 1 else ''}" if told.jobs else ""
    return f"{back} goes back to its buyer, with a credit of {credit}, of which you owe {owed}{jobs}"


@command(agents_app, "ls")
def agents_ls(session: Session, limit: Limit = 20) -> None:
    """List your agents and when each was last heard of."""
    session.show_list(
        session.client.agents.list(limit=min(limit, PAGE_LIMIT)),
        columns.agents(session.now),
        limit=limit,
        empty="no agent yet: start joulemart-agent on a machine of your site",
    )


def _only_checked(session: Session, verb: str, offer: str) -> bool:
    """With --dry-run: show the offer and what would be done to it."""
    if session.options.dry_run:
        found = session.client.offers.get(offer)
        session.would(f"{verb} {found.id}, which is {found.state}", found)
    return session.options.dry_run


def _show(session: Session, offer: Offer) -> None:
    version = "" if offer.version is None else f"  version {offer.version}"
    session.show_one(offer, [f"{offer.id} {offer.state}{version}"], columns.own_offers())
