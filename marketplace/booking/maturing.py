"""What providers earned becomes payable when the time to dispute it is over."""

from datetime import datetime

from django.db import transaction

from marketplace.booking.models import ChargeLine
from marketplace.ledger.lines import Fact, credit, debit
from marketplace.ledger.services import account_of, post_many

ACTOR = "market"
AT_ONCE = 200


@transaction.atomic
def mature_lines(*, now: datetime, most: int = AT_ONCE) -> int:
    """Mature up to `most` lines whose time has come and that nobody disputes; how many. Another worker's are left."""
    due = ChargeLine.objects.due_to_mature(now).order_by("pk").select_related("contract__provider")
    lines = list(due.select_for_update(skip_locked=True, of=("self",))[:most])
    facts = [_fact(line) for line in lines if line.pending_left]
    ChargeLine.objects.filter(pk__in=[line.pk for line in lines]).update(matured_at=now, pending_left=0)
    if facts:
        post_many(facts=facts, now=now, actor=ACTOR)
    return len(lines)


def _fact(line: ChargeLine) -> Fact:
    pending, payable = (
        account_of(
            kind=kind, owner=line.contract.provider, asset=line.contract.currency, livemode=line.livemode
        )
        for kind in ("provider_pending", "provider_payable")
    )  # fmt: skip
    return Fact("mature", line.public_id, (debit(pending, line.pending_left), credit(payable, line.pending_left)))
