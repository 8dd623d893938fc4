"""Checkout pages: made by a call, used by a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from marketplace.common.ids import new_id
from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import payments, shapes
from marketplace.ledger.gateways.sandbox_engine.events import tell
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused, no_such
from marketplace.ledger.gateways.sandbox_models import SandboxMethod, SandboxPayment, SandboxSession

OPEN_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is for."""

    asset: str
    amount: int
    reference: str
    saves: bool
    success_url: str
    cancel_url: str


def create_session(
    *, wanted: Wanted, metadata: payments.Metadata, payment_metadata: payments.Metadata, now: datetime
) -> shapes.Shape:
    """A page that is open for a day."""
    if wanted.amount <= 0:
        raise Refused("The amount must be positive.", code="parameter_invalid_integer", kept=False)
    row = SandboxSession.objects.create(
        asset=wanted.asset, amount=wanted.amount, reference=wanted.reference, saves=wanted.saves,
        success_url=wanted.success_url, cancel_url=wanted.cancel_url, metadata=metadata,
        payment_metadata=payment_metadata, created_at=now, expires_at=now + OPEN_FOR,
    )  # fmt: skip
    return shapes.session(row)


@transaction.atomic(durable=True)
def pay(*, session: str, outcome: str, now: datetime, dice: Dice) -> SandboxSession:
    """The person chose how paying goes. Raises Refused for a page that is no longer open."""
    row = _opened(session, now)
    if outcome not in payments.OUTCOMES:
        raise Refused(f"{outcome!r} is no outcome.")
    payment = row.payment or SandboxPayment(asset=row.asset, amount=row.amount, created_at=now)
    payment.outcome, payment.metadata = outcome, row.payment_metadata
    if outcome in payments.DECLINES:
        payments.fail(payment, payments.DECLINES[outcome], now, dice)
        row.payment = payment
        row.save()
    elif outcome.startswith("3ds"):
        payment.status, payment.reason = "requires_action", ""
        payment.save()
        row.payment = payment
        row.save()
    else:
        _paid(row, payment, now, dice)
    return row


@transaction.atomic(durable=True)
def authenticate(*, session: str, agreed: bool, now: datetime, dice: Dice) -> SandboxSession:
    """The bank has asked whether it is the card's owner. Raises Refused where it did not ask."""
    row = _opened(session, now)
    payment = row.payment
    if payment is None or payment.status != "requires_action":
        raise Refused("The bank asks nothing.")
    if agreed and payment.outcome == "3ds_ok":
        _paid(row, payment, now, dice)
    else:
        payments.fail(payment, payments.NOT_AUTHENTICATED, now, dice)
    return row


def complete_late(row: SandboxSession, now: datetime, dice: Dice) -> None:
    """The money of a slow payment came."""
    tell(type_="checkout.session.async_payment_succeeded", about=shapes.session(row), now=now, dice=dice)


def expire(row: SandboxSession, now: datetime, dice: Dice) -> None:
    """Nobody paid."""
    row.status = "expired"
    row.save()
    tell(type_="checkout.session.expired", about=shapes.session(row), now=now, dice=dice)


def _opened(session: str, now: datetime) -> SandboxSession:
    row = SandboxSession.objects.select_for_update(of=("self",)).filter(public_id=session).first()
    if row is None:
        raise no_such("checkout.session", session)
    if row.status != "open" or row.expires_at <= now:
        raise Refused("This page is no longer open.")
    return row


def _paid(row: SandboxSession, payment: SandboxPayment, now: datetime, dice: Dice) -> None:
    if row.saves:
        payment.customer = new_id("cus")
        saved = SandboxMethod.objects.create(customer=payment.customer, outcome=payment.outcome)
        payment.method = saved.public_id
    payments.go_on(payment, now, dice)
    row.payment, row.status = payment, "complete"
    row.save()
    tell(type_="checkout.session.completed", about=shapes.session(row), now=now, dice=dice)
