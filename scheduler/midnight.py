"""Work that runs on is charged at each 00:00 UTC for what it used by then (money.md, section 3).

By signed lines alone: the agent is asked for one in every clock hour (`scheduler/usage.py`), so soon after midnight
there is one that reaches it. The work of an agent that sends none is charged at the end. Charges are cumulative, so a
bill does not depend on how often it was cut. Locks: the attempt, which its end moves first too, then holds, then
accounts.
"""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from marketplace.booking import settling
from marketplace.booking.charging import Part, charge_use, parts_of
from marketplace.booking.models import ChargeLine, UsageRecord
from marketplace.ledger.lines import Fact
from marketplace.ledger.models import Hold
from scheduler.models import Attempt
from scheduler.money import hold_of, post
from scheduler.states import PAID_FROM_S

DAY, PATIENCE = timedelta(days=1), timedelta(minutes=10)


def capture_running(*, now: datetime) -> int:
    """Charge each attempt that had run an hour at the last midnight for its signed use up to then; how many were.

    Safe to repeat, and to run twice at once or beside ends: what has a line is not charged again.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # Soon a line comes that reaches midnight; one that has not come by then is not waited for.
    line_since = midnight if now < midnight + PATIENCE else midnight - DAY
    old = Attempt.objects.running_since(midnight - timedelta(seconds=PAID_FROM_S)).filter(metered_at__gte=line_since)
    charged = ChargeLine.objects.filter(attempt=OuterRef("public_id"), during__endswith__gte=midnight)
    keys = old.exclude(Exists(charged)).order_by("pk").values_list("pk", flat=True)
    return sum(_capture(key, midnight, now) for key in list(keys))


@transaction.atomic
def _capture(key: int, midnight: datetime, now: datetime) -> bool:
    """Whether there was something to charge the attempt for; not if it has ended meanwhile."""
    running = Attempt.objects.filter(pk=key, state="running").with_terms().select_related("allocation__reservation")
    attempt = running.select_for_update(of=("self",)).first()
    if attempt is None or attempt.started_at is None:
        return False
    start, facts = attempt.started_at, list[Fact]()
    until = min(midnight, _signed_until(attempt, start))
    for part, hold in _bought(attempt):
        if until > _charged_until(part, attempt, start):
            facts += charge_use(part=part, hold=hold, attempt=attempt.public_id, until=until, now=now)[1]
    post(facts, now)
    return bool(facts)


def _bought(attempt: Attempt) -> list[tuple[Part, Hold]]:
    """What the attempt runs on, with what is held for it."""
    if attempt.allocation.reservation is not None:
        return settling.holds_of(attempt.allocation.reservation)
    hold = hold_of(attempt.job)
    return [(parts_of([attempt.allocation.contract])[0], hold)] if hold else []


def _signed_until(attempt: Attempt, start: datetime) -> datetime:
    """Up to where its use is recorded; its `start` where nothing is."""
    rows = UsageRecord.objects.filter(
        contract=attempt.allocation.contract_id, attempt=attempt.public_id, flagged=""
    ).values_list("during", flat=True)  # fmt: skip
    return max((span.upper for span in rows), default=start)


def _charged_until(part: Part, attempt: Attempt, start: datetime) -> datetime:
    """Up to where the contract was charged for it; its `start` where it was not. Whoever reads it holds the attempt."""
    lines = ChargeLine.objects.filter(contract=part.contract, attempt=attempt.public_id)
    return max((line.during.upper for line in lines), default=start)
