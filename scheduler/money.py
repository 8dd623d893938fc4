"""The money of a job: held when it is submitted, captured when an attempt ends, released when the job has ended.

What is held is a ceiling that no offer may pass, so a round never touches the books. Locks: the job and its hours, then
its hold, then accounts; facts are posted once, at the end of the transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Sum

from marketplace.booking import settling
from marketplace.booking.charging import Part, Span, charge_use, parts_of
from marketplace.booking.credits import credit_interruption, credit_lost_work
from marketplace.booking.models import ChargeLine, Contract, Settlement
from marketplace.common.ids import new_id
from marketplace.ledger.budgets import Through
from marketplace.ledger.errors import BudgetExceeded, InsufficientFunds, WalletFrozen
from marketplace.ledger.holds import hold_money, open_hold, release, release_many
from marketplace.ledger.lines import Fact
from marketplace.ledger.models import Hold
from marketplace.ledger.services import post_many
from scheduler.models import Attempt, Job
from scheduler.requests import StoredAsk
from scheduler.states import JOB, PROVIDERS_FAULT, is_paid

ACTOR = "market"
CEILING = "total__lte"
SECOND = timedelta(seconds=1)
LATELY = timedelta(minutes=10)
AT_ONCE = 500
PROMISED = ("allocated", "starting", "running")
BEYOND = """
    FROM scheduler_allocation AS allocation
    JOIN scheduler_job AS job ON job.id = allocation.job_id
    JOIN booking_contract AS contract ON contract.id = allocation.contract_id
    JOIN ledger_hold AS hold ON hold.subject = job.public_id AND hold.state = 'open'
    CROSS JOIN LATERAL (
        SELECT contract.total_minor + coalesce(sum(later.total_minor), 0) AS total_minor
        FROM scheduler_piece AS piece JOIN booking_contract AS later ON later.id = piece.contract_id
        WHERE piece.job_id = job.id AND piece.begun_at IS NULL AND piece.released_at IS NULL
    ) AS promised
    WHERE allocation.live AND hold.amount - hold.released > promised.total_minor AND hold.captured = 0
"""
SURPLUS = f"""
    SELECT job.id {BEYOND} AND allocation.round_id IN (
        SELECT id FROM (SELECT id, now FROM scheduler_matchround ORDER BY id DESC LIMIT 500) AS last WHERE now >= %s
    ) ORDER BY job.id
"""  # noqa: S608  # words of this module
SURPLUS_OF = f"""
    SELECT hold.id, hold.amount - hold.released - promised.total_minor {BEYOND} AND job.id = ANY(%s::bigint[])
"""  # words of this module


def hold_of(job: Job) -> Hold | None:
    """The job's money that is still held; None where all is settled or nothing costs anything."""
    found: Hold | None = Hold.objects.of_subject(job.public_id).open().select_related("organization").first()
    return found


def last_hold_of(job: Job) -> Hold | None:
    """The same, or where nothing is left of it the last one; None where nothing costs anything."""
    found: Hold | None = Hold.objects.of_subject(job.public_id).select_related("organization").order_by("-pk").first()
    return hold_of(job) or found


def tested(ceiling: int | None, *, stop: bool) -> int | None:
    """The limit that a ceiling is on what an offer may cost; none of work that stops when its money is used up."""
    return None if stop else ceiling


def may_cost(job: Job) -> int:
    """What is to be held of a waiting job: its ceiling, or what is left of it where it stops by its budget.

    Its budget is read again: it may have been raised since `job` was.
    """
    if not job.budget_stop:
        return job.ceiling_minor or 0
    ceiling = Job.objects.values_list("ceiling_minor", flat=True).get(pk=job.pk) or 0
    return max(0, ceiling - sum(row.captured for row in Hold.objects.of_subject(job.public_id)))


def charged_under(contract: Contract) -> int:
    """What was charged under a contract so far, tax included."""
    lines = ChargeLine.objects.filter(contract=contract)
    return lines.aggregate(charged=Sum(F("charge_minor") + F("tax_minor")))["charged"] or 0


def hold_ceiling(*, job: Job, now: datetime, actor: str = ACTOR) -> None:
    """Hold the most that a new job may cost. Raises InsufficientFunds, BudgetExceeded, WalletFrozen."""
    if job.ceiling_minor:
        hold_money(
            organization=job.buyer, asset=currency_of(job), livemode=settings.LIVEMODE, amount=job.ceiling_minor,
            subject=job.public_id, now=now, actor=actor, through=Through(job.api_key),
        )  # fmt: skip


def hold_anew(*, job: Job, ceiling: int, now: datetime, actor: str = ACTOR) -> None:
    """Hold `ceiling` instead of what is held of a job.

    Raises InsufficientFunds, BudgetExceeded, WalletFrozen; then nothing is written.
    """
    with transaction.atomic():
        post(_held_anew(job, hold_of(job), ceiling, now), now, actor)


def currency_of(job: Job) -> str:
    """The currency that offers for the job must have."""
    return str(job.ask["limits"]["currency"][0])


def settle_end(*, attempt: Attempt, reason: str, now: datetime) -> None:
    """What the end of an attempt does to its job's money, once the job has moved on."""
    job, reservation = attempt.job, attempt.allocation.reservation
    if reservation is not None:
        post(_ended(attempt, settling.holds_of(reservation), reason, now), now)
        return
    hold = last_hold_of(job)  # a capture at midnight may have left nothing of it
    if hold is None:
        return
    facts = _ended(attempt, [(parts_of([attempt.allocation.contract])[0], hold)], reason, now)
    if job.state in JOB.final:
        post([*facts, *_settled(job, hold, now)], now)
    elif job.state == "allocated":  # its next piece has begun, which is held for
        post(facts, now)
    else:
        _keep_enough(job, hold, facts, now)


def settle_job(*, job: Job, now: datetime) -> None:
    """Give all that is held of a job that ended without running back."""
    hold = hold_of(job)
    if hold is not None:
        post(_settled(job, hold, now), now)


def post(facts: Sequence[Fact], now: datetime, actor: str = ACTOR) -> None:
    """Post the facts of one transaction, if there are any."""
    if facts:
        post_many(facts=facts, now=now, actor=actor)


def _ended(attempt: Attempt, bought: Sequence[tuple[Part, Hold]], reason: str, now: datetime) -> list[Fact]:
    """The captures of what an attempt used, or the credits for what it was not given."""
    started, tier = attempt.started_at, attempt.allocation.offer.tier
    ran_s = (now - started) // SECOND if started else 0
    facts: list[Fact] = []
    if started and is_paid(reason, tier=tier, ran_s=ran_s):
        for part, hold in bought:
            facts += charge_use(part=part, hold=hold, attempt=attempt.public_id, until=now, now=now)[1]
    elif reason in PROVIDERS_FAULT and tier == "firm" and attempt.preempt_cause == "":
        for part, hold in bought:
            facts += _credit(attempt, part, hold, now)
    return facts


def _credit(attempt: Attempt, part: Part, hold: Hold, now: datetime) -> list[Fact]:
    """For firm work that the provider ended: on its own contract, or on its part of a reservation that goes on."""
    allocation, units = attempt.allocation, attempt.allocation.units
    if allocation.reservation is None:
        ran = [Span(attempt.started_at, now, units)] if attempt.started_at else []
        return credit_interruption(part=part, subject=attempt.public_id, delivered=ran, livemode=hold.livemode, now=now)
    begin = max(allocation.start, now) if attempt.started_at else allocation.start
    if begin >= allocation.end:
        return []
    missed = Span(begin, allocation.end, units)
    return credit_lost_work(part=part, subject=attempt.public_id, missed=missed, livemode=hold.livemode, now=now)


def _settled(job: Job, hold: Hold, now: datetime) -> list[Fact]:
    """Release what is left and note how the job's money ended."""
    facts = release(hold=hold)
    rows = Hold.objects.of_subject(job.public_id)
    Settlement.objects.create(
        public_id=new_id("stl"), job=job.public_id, buyer=job.buyer, asset=hold.asset, livemode=hold.livemode,
        charged_minor=sum(row.captured for row in rows), released_minor=sum(row.released for row in rows),
        created_at=now,
    )  # fmt: skip
    return facts


def _keep_enough(job: Job, hold: Hold, facts: Sequence[Fact], now: datetime) -> None:
    """A job that waits again holds its ceiling again, or as much as is left, which is then what it may cost."""
    ceiling = may_cost(job)
    try:
        with transaction.atomic():
            post([*facts, *_held_anew(job, hold, ceiling, now)], now)
    except (BudgetExceeded, InsufficientFunds, WalletFrozen):
        hold.refresh_from_db()
        post(facts, now)
        ceiling = hold.rest
    limit_to(job, tested(ceiling, stop=job.budget_stop))


def _held_anew(job: Job, hold: Hold | None, ceiling: int, now: datetime) -> list[Fact]:
    if (hold.rest if hold else 0) == ceiling:
        return []
    facts = release(hold=hold) if hold else []
    if ceiling:
        _, fact = open_hold(
            organization=job.buyer, asset=hold.asset if hold else currency_of(job), livemode=settings.LIVEMODE,
            amount=ceiling, subject=job.public_id, now=now, through=Through(job.api_key),
        )  # fmt: skip
        facts.append(fact)
    return facts


def release_surplus(*, now: datetime) -> int:
    """Give back what jobs that were allocated lately hold beyond their contracts' totals; how many were looked at.

    It may run late or not at all: the rest comes back when the job ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(SURPLUS, [now - LATELY])
        found = cursor.fetchall()
    for begin in range(0, len(found), AT_ONCE):
        _release_surplus([job for (job,) in found[begin : begin + AT_ONCE]], now)
    return len(found)


@transaction.atomic
def _release_surplus(jobs: Sequence[int], now: datetime) -> None:
    """A job that is being moved just now is left as it is."""
    rows = (
        Job.objects.filter(pk__in=jobs, state__in=PROMISED)
        .order_by("pk")
        .select_for_update(skip_locked=True, of=("self",))
    )
    with connection.cursor() as cursor:
        cursor.execute(SURPLUS_OF, [list(rows.values_list("pk", flat=True))])
        amounts = dict(cursor.fetchall())
    post(release_many(amounts=amounts) if amounts else [], now)


def limit_to(job: Job, ceiling: int | None) -> None:
    """No offer may cost the waiting job more than `ceiling`, if there is one."""
    if job.ask["limits"].get(CEILING) != ceiling:
        job.ask = StoredAsk.from_json(job.ask).relaxed({CEILING: ceiling}).as_json()
        Job.objects.filter(pk=job.pk).update(ask=job.ask)
