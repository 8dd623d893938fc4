"""Money back to the card, and the bank that sends it back later."""

from datetime import datetime

from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_engine.balance import move
from marketplace.ledger.gateways.sandbox_engine.disputes import LOST, OPEN
from marketplace.ledger.gateways.sandbox_engine.events import tell
from marketplace.ledger.gateways.sandbox_engine.payments import SLOW, Metadata
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused, no_such
from marketplace.ledger.gateways.sandbox_models import SandboxPayment, SandboxRefund


def create_refund(*, payment: str, amount: int, metadata: Metadata, now: datetime, dice: Dice) -> shapes.Shape:
    """Send `amount` back, at most what is left of the payment."""
    row = SandboxPayment.objects.select_for_update(of=("self",)).filter(public_id=payment).first()
    if row is None:
        raise no_such("payment_intent", payment)
    _check(row, amount)
    row.refunded += amount
    row.save()
    fails_at = now + SLOW if dice.refund_fails() else None
    refund = SandboxRefund.objects.create(
        payment=row, amount=amount, metadata=metadata, created_at=now, fails_at=fails_at
    )
    move(kind="refund", source=refund.public_id, asset=row.asset, amount=-amount, now=now)
    tell(type_="charge.refunded", about=shapes.charge(row), now=now, dice=dice)
    tell(type_="refund.created", about=shapes.refund(refund), now=now, dice=dice)
    return shapes.refund(refund)


def _check(payment: SandboxPayment, amount: int) -> None:
    left = payment.captured - payment.refunded
    if payment.captured and not left:
        raise Refused("The charge has been refunded already.", code="charge_already_refunded")
    if payment.disputes.filter(status__in=(OPEN, LOST)).exists():
        raise Refused("The charge is disputed.", code="charge_disputed")
    if not 0 < amount <= left:
        raise Refused(f"{amount} is not between 1 and the {left} that are left.", code="amount_too_large")


def fail_refund(*, refund: str, now: datetime, dice: Dice) -> None:
    """The bank of the card does not take it: the money is on the operator's balance again."""
    row = SandboxRefund.objects.select_for_update(of=("self",)).get(public_id=refund)
    if row.status == "failed":
        return
    payment = SandboxPayment.objects.select_for_update(of=("self",)).get(pk=row.payment_id)
    row.status, row.reason, row.fails_at = "failed", "expired_or_canceled_card", None
    row.save()
    payment.refunded -= row.amount
    payment.save()
    move(kind="refund_failure", source=row.public_id, asset=payment.asset, amount=row.amount, now=now)
    tell(type_="refund.failed", about=shapes.refund(row), now=now, dice=dice)
