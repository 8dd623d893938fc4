"""Payees, what they tell of themselves, and the money moved to them."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from marketplace.common.ids import new_id
from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_engine.balance import move, require
from marketplace.ledger.gateways.sandbox_engine.events import tell
from marketplace.ledger.gateways.sandbox_engine.payments import Metadata
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused, no_such
from marketplace.ledger.gateways.sandbox_models import SandboxPayee, SandboxReversal, SandboxTransfer

LINK_FOR = timedelta(minutes=30)
UNKNOWN = ["external_account", "individual.verification.document", "tos_acceptance.date"]
TOLD = {"complete": [], "incomplete": ["individual.verification.document"]}  # what is still missing then


def create_payee(*, country: str, email: str, metadata: Metadata, now: datetime) -> shapes.Shape:
    """An account of which nothing is known yet."""
    row = SandboxPayee.objects.create(country=country, email=email, metadata=metadata, missing=UNKNOWN, created_at=now)
    return shapes.payee(row)


@transaction.atomic
def make_link(*, payee: str, return_url: str, refresh_url: str, now: datetime) -> shapes.Shape:
    """The address of the payee's page, for a while; older ones stop working."""
    row = _locked(payee)
    row.link, row.link_until, row.return_url, row.refresh_url = new_id("lnk"), now + LINK_FOR, return_url, refresh_url
    row.save()
    address = f"{settings.WEB_URL}/sandbox/payees/{row.public_id}/?link={row.link}"
    return {"object": "account_link", "url": address, "created": shapes.seconds(now),
            "expires_at": shapes.seconds(row.link_until)}  # fmt: skip


@transaction.atomic(durable=True)
def tell_all(*, payee: str, link: str, what: str, now: datetime, dice: Dice) -> SandboxPayee:
    """The payee told who they are, completely or not. Raises Refused for a link that is over, or no such answer."""
    row = _locked(payee)
    if not is_open(row, link, now) or what not in TOLD:
        raise Refused("The link is over.")
    row.missing, row.submitted, row.enabled, row.link = TOLD[what], True, what == "complete", ""
    row.save()
    tell(type_="account.updated", about=shapes.payee(row), now=now, dice=dice)
    return row


def is_open(payee: SandboxPayee, link: str, now: datetime) -> bool:
    """Whether the link still opens the payee's page."""
    return bool(link) and link == payee.link and payee.link_until is not None and payee.link_until > now


def create_transfer(
    *, payee: str, asset: str, amount: int, group: str, metadata: Metadata, now: datetime, dice: Dice
) -> shapes.Shape:
    """Move money to the payee, from a balance that has it."""
    row = _locked(payee)
    if amount <= 0:
        raise Refused("The amount must be positive.", code="parameter_invalid_integer", kept=False)
    if not row.enabled:
        raise Refused("The account cannot receive transfers yet.", code="insufficient_capabilities_for_transfer")
    require(amount, asset)
    transfer = SandboxTransfer.objects.create(
        payee=row, asset=asset, amount=amount, group=group, metadata=metadata, created_at=now
    )
    move(kind="transfer", source=transfer.public_id, asset=asset, amount=-amount, now=now)
    tell(type_="transfer.created", about=shapes.transfer(transfer), now=now, dice=dice)
    return shapes.transfer(transfer)


def reverse_transfer(*, transfer: str, amount: int, metadata: Metadata, now: datetime, dice: Dice) -> shapes.Shape:
    """Take a part of a transfer back."""
    row = SandboxTransfer.objects.select_for_update(of=("self",)).filter(public_id=transfer).first()
    if row is None:
        raise no_such("transfer", transfer)
    left = row.amount - row.reversed
    if not 0 < amount <= left:
        raise Refused(f"{amount} is not between 1 and the {left} that are left.", code="amount_too_large")
    row.reversed += amount
    row.save()
    reversal = SandboxReversal.objects.create(transfer=row, amount=amount, metadata=metadata, created_at=now)
    move(kind="transfer_reversal", source=reversal.public_id, asset=row.asset, amount=amount, now=now)
    tell(type_="transfer.reversed", about=shapes.transfer(row), now=now, dice=dice)
    return shapes.reversal(reversal)


def _locked(payee: str) -> SandboxPayee:
    row = SandboxPayee.objects.select_for_update(of=("self",)).filter(public_id=payee).first()
    if row is None:
        raise no_such("account", payee)
    return row
