"""What organizations used of a segment lately, and so who has more than its part: the one door to `SegmentUse`.

A promise counts at once and in full: hours that are promised are kept from others, and a flood submitted in one minute
must not count as nothing until it has run. When its attempt ends, all is given back but the seconds that the program
ran and that are not the provider's loss, the same that are paid for. Both are counted on the day of the promise.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import connection

from marketplace.common.sending import Answer, ask
from scheduler.core.fairness import Party, overs
from scheduler.models import Attempt, SegmentUse
from scheduler.states import is_paid

SECOND = timedelta(seconds=1)
COUNT = """
    INSERT INTO scheduler_segmentuse AS used (segment, organization_id, day, work)
    SELECT %(segment)s, promised.organization, %(day)s, promised.work
    FROM unnest(%(organizations)s::bigint[], %(work)s::bigint[]) AS promised(organization, work)
    ORDER BY promised.organization
    ON CONFLICT (segment, organization_id) DO UPDATE SET
        work = work_decayed(used.work, excluded.day - used.day)
             + work_decayed(excluded.work, used.day - excluded.day),
        day = greatest(used.day, excluded.day)
"""
# Never below 0 even where the speed of a hardware class was corrected after the promise.
GIVE_BACK = """
    UPDATE scheduler_segmentuse
    SET work = greatest(0, work_decayed(work, %(today)s - day)
                         - work_decayed(%(work)s, greatest(day, %(today)s) - %(day)s)),
        day = greatest(day, %(today)s)
    WHERE segment = %(segment)s AND organization_id = %(organization)s
"""
PARTIES = """
    SELECT party.id, sum(party.work), organization.weight
    FROM (
        SELECT used.organization_id AS id, now.work
        FROM scheduler_segmentuse AS used, LATERAL (SELECT work_decayed(used.work, %(today)s - used.day)) AS now(work)
        WHERE used.segment = %(segment)s AND (now.work > 0 OR EXISTS (
            SELECT FROM scheduler_queueentry AS entry JOIN scheduler_job AS job ON job.id = entry.job_id
            WHERE entry.segment = used.segment AND job.buyer_id = used.organization_id AND job.state = 'queued'))
        UNION ALL
        SELECT unnest(%(buyers)s::bigint[]), 0
    ) AS party JOIN accounts_organization AS organization ON organization.id = party.id
    GROUP BY party.id, organization.weight
"""


def enter(*, segment: str, organization: int, now: datetime) -> None:
    """The organization (its key) queues a job: from now on it has a part in the segment."""
    row = SegmentUse(segment=segment, organization_id=organization, day=now.date())
    SegmentUse.objects.bulk_create([row], ignore_conflicts=True)


def read_overs(*, segment: str, buyers: Collection[int], now: datetime) -> dict[int, int]:
    """{organization's key: its part of the work over its weight's part, ppm}, in one query.

    Of everybody with use or queued jobs in `segment`, and of `buyers`, who surely have.
    """
    return overs_of(ask_parties(segment=segment, buyers=buyers, now=now))


def ask_parties(*, segment: str, buyers: Collection[int], now: datetime) -> Answer:
    """The question of `read_overs`."""
    return ask(PARTIES, {"segment": segment, "today": now.date(), "buyers": sorted(buyers)})


def overs_of(parties: Answer) -> dict[int, int]:
    """Its answer."""
    with parties:
        return overs({key: Party(int(work), weight) for key, work, weight in parties.fetchall()})


def count_promises(*, segment: str, promised: Iterable[tuple[int, int]], now: datetime) -> None:
    """Count (buyer's key, work) of what a round promised, in one statement.

    Rows are locked in the order of their organizations, after everything else that the transaction locks.
    """
    sums: dict[int, int] = defaultdict(int)
    for buyer, work in promised:
        sums[buyer] += work
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT, {"segment": segment, "day": now.date(), "organizations": list(sums), "work": list(sums.values())}
        )


def give_work_back(*, attempt: Attempt, now: datetime) -> None:
    """Give back what the ended attempt was promised and did not use. To be called once, with its hours."""
    allocation, job = attempt.allocation, attempt.job
    promised = (allocation.end - allocation.start) // SECOND
    unused = promised - min(promised, _used_seconds(attempt, now))
    if unused:
        speed = allocation.units * allocation.offer.hardware.pf_milli
        with connection.cursor() as cursor:
            cursor.execute(
                GIVE_BACK,
                {"segment": job.segment, "organization": job.buyer_id, "today": now.date(),
                 "day": allocation.created_at.date(), "work": unused * speed},
            )  # fmt: skip


def _used_seconds(attempt: Attempt, now: datetime) -> int:
    """Seconds that count: none of an attempt that never ran or whose end is the provider's loss."""
    if attempt.started_at is None:
        return 0
    ran_s = max(0, -(-(now - attempt.started_at) // SECOND))
    return ran_s if is_paid(attempt.reason, tier=attempt.allocation.offer.tier, ran_s=ran_s) else 0
