"""Commands of providers: provider offers ls|pause|publish, provider agents ls."""

from typing import Annotated

import typer

from ..objects import Offer
from . import columns
from .session import PAGE_LIMIT, Session, command
from .shelf import Limit

app = typer.Typer()
provider_app = typer.Typer(help="What providers do.", no_args_is_help=True)
offers_app = typer.Typer(help="Your offers.", no_args_is_help=True)
agents_app = typer.Typer(help="Your agents.", no_args_is_help=True)
app.add_typer(provider_app, name="provider")
provider_app.add_typer(offers_app, name="offers")
provider_app.add_typer(agents_app, name="agents")

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
