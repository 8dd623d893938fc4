"""Card holders' objections: an inquiry asks, a dispute takes the money until it is decided."""

from datetime import datetime

from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_engine.balance import DISPUTE_FEE, move, of_hundredths
from marketplace.ledger.gateways.sandbox_engine.events import tell
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_models import SandboxDispute, SandboxPayment

INQUIRY, OPEN = "warning_needs_response", "needs_response"
LOST = "lost"
UNDECIDED = (INQUIRY, OPEN)


def open_dispute(
    *, payment: SandboxPayment, now: datetime, dice: Dice, inquiry: bool = False, reason: str = "fraudulent"
) -> SandboxDispute:
    """Object to what is left of a payment. Raises Refused where nothing is, or somebody has objected before."""
    payment = SandboxPayment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    if payment.disputes.exists():
        raise Refused("The payment was disputed before.")
    row = SandboxDispute(
        payment=payment, amount=_left(payment), status=INQUIRY if inquiry else OPEN, reason=reason, created_at=now
    )
    row.save()
    if not inquiry:
        _withdraw(row, now)
    tell(type_="charge.dispute.created", about=shapes.dispute(row), now=now, dice=dice)
    if not inquiry:
        tell(type_="charge.dispute.funds_withdrawn", about=shapes.dispute(row), now=now, dice=dice)
    return row


def escalate(*, dispute: SandboxDispute, now: datetime, dice: Dice) -> None:
    """The card holder was not content with the answer: now the money is taken."""
    row = _locked(dispute, INQUIRY)
    row.status, row.amount = OPEN, _left(row.payment)
    row.save()
    _withdraw(row, now)
    tell(type_="charge.dispute.funds_withdrawn", about=shapes.dispute(row), now=now, dice=dice)


def close_dispute(*, dispute: SandboxDispute, won: bool, now: datetime, dice: Dice) -> None:
    """Decide a dispute: won, its money comes back, without the fee. An inquiry is closed and moves nothing."""
    row = _locked(dispute, *UNDECIDED)
    if row.status == INQUIRY:
        row.status = "warning_closed"
    elif won:
        row.status = "won"
        move(kind="dispute_reversal", source=row.public_id, asset=row.payment.asset, amount=row.amount, now=now)
    else:
        row.status = LOST
    row.save()
    tell(type_="charge.dispute.closed", about=shapes.dispute(row), now=now, dice=dice)


def _locked(dispute: SandboxDispute, *statuses: str) -> SandboxDispute:
    """The row now, while it is in one of the statuses."""
    row = SandboxDispute.objects.select_for_update(of=("self", "payment")).select_related("payment").get(pk=dispute.pk)
    if row.status not in statuses:
        raise Refused(f"The dispute is {row.status}.")
    return row


def _left(payment: SandboxPayment) -> int:
    amount = payment.captured - payment.refunded
    if not amount:
        raise Refused("Nothing of the payment is left to dispute.")
    return amount


def _withdraw(row: SandboxDispute, now: datetime) -> None:
    fee = of_hundredths(DISPUTE_FEE, row.payment.asset)
    move(kind="dispute", source=row.public_id, asset=row.payment.asset, amount=-row.amount, fee=fee, now=now)
