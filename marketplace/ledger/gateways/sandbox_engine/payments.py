"""Payments: on a page, and of a saved method without the buyer."""

from datetime import datetime, timedelta

from marketplace.common.ids import new_id
from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_engine.balance import fee_of, move
from marketplace.ledger.gateways.sandbox_engine.events import tell
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused, no_such
from marketplace.ledger.gateways.sandbox_models import SandboxMethod, SandboxPayment

Metadata = dict[str, str]
SLOW = timedelta(minutes=1)
OUTCOMES = ("ok", "declined", "insufficient", "3ds_ok", "3ds_fail", "slow", "then_dispute")
DECLINES = {"declined": "generic_decline", "insufficient": "insufficient_funds"}
BY_THEMSELVES = ("ok", "slow", "then_dispute")  # those whose methods can be charged while the buyer is away
NOT_AUTHENTICATED = "payment_intent_authentication_failure"
BUYER_IS_AWAY = "authentication_required"


def charge_saved(
    *, asset: str, amount: int, method: str, metadata: Metadata, now: datetime, dice: Dice
) -> shapes.Shape:
    """Charge a saved method. Raises Refused when it wants its owner to confirm; the failed payment stays."""
    saved = SandboxMethod.objects.filter(public_id=method).first()
    if saved is None:
        raise no_such("PaymentMethod", method)
    payment = SandboxPayment(
        asset=asset, amount=amount, metadata=metadata, method=method, customer=saved.customer, outcome=saved.outcome,
        created_at=now,
    )  # fmt: skip
    if saved.outcome not in BY_THEMSELVES:
        fail(payment, DECLINES.get(saved.outcome, BUYER_IS_AWAY), now, dice)
        error = shapes.error_of(payment.reason)
        raise Refused(
            "The card was declined.", status=402, kind="card_error", code=error["code"], decline_code=payment.reason
        )
    go_on(payment, now, dice)
    return shapes.payment(payment)


def go_on(payment: SandboxPayment, now: datetime, dice: Dice) -> None:
    """The card is good: the money comes, or comes later."""
    if payment.outcome == "slow":
        payment.status, payment.due_at, payment.reason = "processing", now + SLOW, ""
        payment.save()
        tell(type_="payment_intent.processing", about=shapes.payment(payment), now=now, dice=dice)
    else:
        succeed(payment, now, dice)


def succeed(payment: SandboxPayment, now: datetime, dice: Dice) -> None:
    """The money is on the operator's balance."""
    payment.status, payment.captured, payment.reason = "succeeded", payment.amount, ""
    payment.charge = new_id("ch")  # not the one that failed before
    payment.due_at = now + SLOW if payment.outcome == "then_dispute" else None
    payment.save()
    fee = fee_of(payment.amount, payment.asset)
    move(kind="charge", source=payment.charge, asset=payment.asset, amount=payment.amount, fee=fee, now=now)
    tell(type_="charge.succeeded", about=shapes.charge(payment), now=now, dice=dice)
    tell(type_="payment_intent.succeeded", about=shapes.payment(payment), now=now, dice=dice)


def fail(payment: SandboxPayment, reason: str, now: datetime, dice: Dice) -> None:
    """No money comes from this card."""
    payment.status, payment.reason, payment.due_at = "requires_payment_method", reason, None
    payment.save()
    tell(type_="payment_intent.payment_failed", about=shapes.payment(payment), now=now, dice=dice)
