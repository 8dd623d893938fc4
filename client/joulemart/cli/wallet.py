"""Commands of money: wallet show|topup|refund|ls."""

from typing import Annotated

import typer

from ..wallet_objects import Movement, Refund, Topup, Wallet
from . import figures
from .exits import MONEY
from .session import PAGE_LIMIT, Session, command
from .shelf import Limit
from .tables import Column, aligned

app = typer.Typer()
wallet_app = typer.Typer(help="Your organization's money.", no_args_is_help=True)
app.add_typer(wallet_app, name="wallet")

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In the wallet's currency, e.g. 50 or 12.50.")]
# What a movement was, in a few words; kinds that are not here are told by their name.
WORDS = {
    "topup": "paid in by card", "topup_offline": "paid in by bank", "hold": "held", "capture": "charged",
    "release": "released", "refund": "sent back to the card", "refund_failed": "refund came back",
    "sla_credit": "service credit", "goodwill": "credit of the operator", "freeze": "frozen by a dispute",
    "unfreeze": "free again", "dispute_lost": "dispute lost",
}  # fmt: skip
ENDED = {"failed": "was refused", "cancelled": "was given up"}


@command(wallet_app, "show")
def show(session: Session) -> None:
    """Show what you can spend, what is held for your orders, and what a disputed payment freezes."""
    wallet = session.client.wallet.get()
    session.show_one(wallet, wallet_lines(wallet), _wallet_columns(), name=str(wallet.available_minor))


@command(wallet_app, "ls")
def ls(session: Session, limit: Limit = 20) -> None:
    """List what moved on the wallet, the newest first."""
    session.show_list(
        session.client.wallet.movements(limit=min(limit, PAGE_LIMIT)),
        _movement_columns(session),
        limit=limit,
        empty="nothing has moved yet: `joulemart wallet topup 50` pays in",
    )


@command(wallet_app, "topup", writes=True)
def topup(
    session: Session,
    amount: Amount,
    save_card: Annotated[
        bool, typer.Option("--save-card", help="Let the processor keep the card for automatic top-ups.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is paid; exit 7 when it was not.")] = False,
) -> None:
    """Pay in by card: prints the address of the page to pay on. No card number is asked here."""
    minor = _minor(session, amount)
    if session.options.dry_run:
        planned = session.client.wallet.plan_topup(minor, save_method=save_card)
        session.show_one(planned, [f"would pay in {_money(planned)}; nothing was started"], _topup_columns())
        return
    session.confirm(f"Start a top-up of {amount}?")
    made = session.client.wallet.topup(minor, save_method=save_card)
    if not wait:
        session.show_one(made, topup_lines(made), _topup_columns())
        return
    if made.url:
        session.note(f"pay at {made.url}")
    with session.working("waiting for the payment"):
        ended = session.client.wallet.wait_for(made.id)
    session.show_one(ended, topup_lines(ended), _topup_columns())
    if ended.state != "succeeded":
        raise typer.Exit(MONEY)


@command(wallet_app, "refund", writes=True)
def refund(session: Session, amount: Amount) -> None:
    """Send money back to the cards that paid it in, the newest top-up first."""
    minor = _minor(session, amount)
    if session.options.dry_run:
        session.client.wallet.plan_refund(minor)
        session.would(f"send {amount} back to the cards that paid it", session.client.wallet.get())
        return
    session.confirm(f"Send {amount} back to the cards that paid it?")
    made = session.client.wallet.refund(minor)
    session.show_list(made, _refund_columns(), limit=len(made), empty="nothing goes back")


def wallet_lines(wallet: Wallet) -> list[str]:
    """A wallet for people."""
    rows = [
        ("available", figures.money(wallet.available_minor, wallet.currency)),
        ("held", figures.money(wallet.held_minor, wallet.currency)),
    ]
    if wallet.frozen_minor:
        rows.append(("frozen", figures.money(wallet.frozen_minor, wallet.currency)))
    lines = aligned(rows, [False, True])
    return lines if wallet.livemode else [*lines, "test money: no payment is made"]


def topup_lines(topup: Topup) -> list[str]:
    """A top-up for people: where it stands, and where it is paid."""
    if topup.state == "succeeded":
        return [f"{topup.id} paid  {figures.money(topup.captured_minor, topup.currency)} is in the wallet"]
    if topup.state in ENDED:
        reason = f": {topup.reason}" if topup.reason else ""
        return [f"{topup.id} {ENDED[topup.state]}{reason}; nothing was charged"]
    line = f"{topup.id} {topup.state}  {_money(topup)}"
    if not topup.url:
        return [line, "the page to pay on is being prepared; it stands in your wallet"]
    return [line, f"pay at {topup.url}"]


def _money(topup: Topup) -> str:
    return figures.money(topup.amount_minor, topup.currency)


def _minor(session: Session, amount: str) -> int:
    """An amount in the minor units of the wallet's currency; ends the command for what is none."""
    try:
        return figures.minor_units(amount, session.client.wallet.get().currency)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="AMOUNT") from error


def _wallet_columns() -> list[Column[Wallet]]:
    return [
        Column("currency", lambda w: w.currency),
        Column("available_minor", lambda w: w.available_minor),
        Column("held_minor", lambda w: w.held_minor),
        Column("frozen_minor", lambda w: w.frozen_minor),
        Column("livemode", lambda w: w.livemode),
    ]


def _topup_columns() -> list[Column[Topup]]:
    return [
        Column("id", lambda t: t.id),
        Column("state", lambda t: t.state),
        Column("amount_minor", lambda t: t.amount_minor),
        Column("currency", lambda t: t.currency),
        Column("url", lambda t: t.url),
    ]


def _refund_columns() -> list[Column[Refund]]:
    return [
        Column("id", lambda r: r.id),
        Column("state", lambda r: r.state, lambda r: "on its way" if r.state in ("new", "pending") else r.state),
        Column("amount_minor", lambda r: r.amount_minor, lambda r: figures.money(r.amount_minor, r.currency), True),
        Column("topup", lambda r: r.topup, lambda r: f"to the card of {r.topup}"),
    ]


def _movement_columns(session: Session) -> list[Column[Movement]]:
    return [
        Column(
            "posted_at",
            lambda m: m.posted_at.isoformat() if m.posted_at else None,
            lambda m: figures.when(m.posted_at, session.now),
        ),
        Column("kind", lambda m: m.kind, lambda m: WORDS.get(m.kind, m.kind.replace("_", " "))),
        Column("reference", lambda m: m.reference),
        Column("available_minor", lambda m: m.available_minor, lambda m: _moved(m.available_minor, m), right=True),
        Column("held_minor", lambda m: m.held_minor, lambda m: _moved(m.held_minor, m), right=True),
    ]


def _moved(minor: int, movement: Movement) -> str:
    return figures.money(minor, movement.currency, plus=True) if minor else figures.UNKNOWN
