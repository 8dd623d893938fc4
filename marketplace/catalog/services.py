"""What a provider can do with an offer."""

from datetime import datetime

from django.db import transaction

from marketplace.catalog.models import Offer
from marketplace.catalog.states import OFFER
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.events.services import move


@transaction.atomic
def publish_offer(*, offer: Offer, now: datetime) -> Offer:
    """Put an offer on the shelf. Raises IllegalState, ValidationFailed for an offer without a price."""
    if not any(offer.rate_mm):
        raise ValidationFailed([FieldProblem("/rate_mm", "bad_value", "an offer needs a price before it is published")])
    _move(offer, "live", now=now, paused_reason="")
    return offer


@transaction.atomic
def pause_offer(*, offer: Offer, now: datetime, reason: str = "") -> Offer:
    """Take an offer off the shelf for now; promises already made stay. Raises IllegalState."""
    _move(offer, "paused", now=now, reason="paused", paused_reason=reason[:200])
    return offer


@transaction.atomic
def retire_offer(*, offer: Offer, now: datetime) -> Offer:
    """Take an offer off the shelf for good. Raises IllegalState."""
    _move(offer, "retired", now=now)
    return offer


def _move(offer: Offer, to: str, *, now: datetime, reason: str = "", **fields: object) -> None:
    move(offer, to, table=OFFER, now=now, reason=reason, provider=offer.site.provider, fields=fields)
