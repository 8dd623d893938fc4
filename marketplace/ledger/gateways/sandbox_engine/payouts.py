"""Money from the balance to the operator's own bank."""

from datetime import datetime

from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_engine.balance import move, require
from marketplace.ledger.gateways.sandbox_engine.events import tell
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_models import SandboxPayout


def pay_out(*, asset: str, amount: int, now: datetime, dice: Dice) -> SandboxPayout:
    """Send `amount` to the bank. Raises Refused when the balance is lower."""
    require(amount, asset)
    row = SandboxPayout.objects.create(asset=asset, amount=amount, created_at=now)
    move(kind="payout", source=row.public_id, asset=asset, amount=-amount, now=now)
    tell(type_="payout.created", about=shapes.payout(row), now=now, dice=dice)
    return row


def arrive(*, payout: SandboxPayout, at_the_bank: bool, now: datetime, dice: Dice) -> None:
    """The bank has it, or sends it back."""
    row = SandboxPayout.objects.select_for_update(of=("self",)).get(pk=payout.pk)
    if row.status != "in_transit":
        raise Refused(f"The payout is {row.status}.")
    row.status = "paid" if at_the_bank else "failed"
    row.save()
    if not at_the_bank:
        move(kind="payout_reversal", source=row.public_id, asset=row.asset, amount=row.amount, now=now)
    tell(type_=f"payout.{row.status}", about=shapes.payout(row), now=now, dice=dice)
