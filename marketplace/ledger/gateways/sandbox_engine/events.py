"""What happened, written down with the webhooks that will tell it."""

from datetime import datetime

from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine.shapes import Shape, plain
from marketplace.ledger.gateways.sandbox_models import SandboxDelivery, SandboxEvent


def tell(*, type_: str, about: Shape, now: datetime, dice: Dice) -> None:
    """Write an event of `about` as it stands, and when each copy of its webhook is due."""
    event = SandboxEvent.objects.create(type=type_, subject=plain(about), created_at=now)
    SandboxDelivery.objects.bulk_create(SandboxDelivery(event=event, due_at=now + wait) for wait in dice.webhook())
