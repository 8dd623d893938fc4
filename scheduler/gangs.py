"""A job's place in its gang: joining one, and what happens to the others when a job leaves it.

The others are dealt with in a transaction of their own, which a hint asks for and the sweep as well: whoever moves a
job holds its lock, and two who then want the other's would wait for ever.
"""

from datetime import datetime

from django.db import transaction

from accounts.models import Organization
from marketplace.common.errors import FieldProblem, ValidationFailed
from scheduler.attempts import end_attempt, move_job
from scheduler.models import Attempt, Gang, Job
from scheduler.money import settle_job
from scheduler.preempting import GANG, give_notice, lock_live
from scheduler.states import JOB

POINTER = "/config/joulemart/gang_id"
SIZE_POINTER = "/config/joulemart/gang_size"


def join(*, buyer: Organization, name: str, size: int, segment: str, now: datetime) -> Gang:
    """The gang of that name, begun with its first job, under its row lock.

    Raises ValidationFailed where a job of this kind does not belong in it.
    """
    Gang.objects.bulk_create(
        [Gang(buyer=buyer, name=name, size=size, segment=segment, created_at=now)], ignore_conflicts=True
    )
    gang = Gang.objects.select_for_update(of=("self",)).get(buyer=buyer, name=name, ended_at=None)
    if gang.size != size:
        detail = f"the gang {name} was begun with {gang.size} jobs, this one says {size}"
        raise ValidationFailed([FieldProblem(SIZE_POINTER, "bad_value", detail, str(gang.size))])
    if gang.segment != segment:
        detail = f"the gang {name} runs on {gang.segment} hardware, this job asks for {segment}"
        raise ValidationFailed([FieldProblem(POINTER, "bad_value", detail, "one gang, one hardware family")])
    if gang.jobs.count() >= size:
        detail = f"the gang {name} has its {size} jobs already"
        raise ValidationFailed([FieldProblem(POINTER, "bad_value", detail, "another gang_id")])
    return gang


def complete(gang: Gang, now: datetime) -> None:
    """Once the last job has joined, all have waited as long as it has, and look for a place together from now on."""
    jobs = list(gang.jobs.order_by("pk"))
    if len(jobs) == gang.size:
        gang.jobs.filter(state="queued").update(
            due_at=max(job.due_at for job in jobs), next_attempt_at=now, region_group=jobs[0].region_group,
            trip=jobs[0].trip,
        )  # fmt: skip


def follow_gangs(*, now: datetime) -> int:
    """Look after every gang that has not ended; how many changed."""
    return sum(follow(public_id=each, now=now) for each in Gang.objects.astray().values_list("public_id", flat=True))


@transaction.atomic
def follow(*, public_id: str, now: datetime) -> bool:
    """Deal with what is left of a gang after one of its jobs moved; whether anything was done.

    One that failed, was cancelled or expired ends all others. One that is queued again takes back those that were to
    start with it, and stops those that run. A gang of which all have ended is over. Jobs that somebody is changing are
    left to the next time.
    """
    unlocked = Gang.objects.select_for_update(skip_locked=True, of=("self",))
    gang = unlocked.filter(public_id=public_id, ended_at=None).first()
    if gang is None:
        return False
    states = set(gang.jobs.values_list("state", flat=True))
    if states & {"failed", "cancelled", "expired"}:
        changed = _end(gang, now)
    elif "queued" in states and states & {"allocated", "starting", "running"}:
        changed = _take_back(gang, now)
    else:
        changed = False
    if gang.jobs.count() == gang.size and not gang.jobs.filter(state__in=JOB.open).exists():
        changed = Gang.objects.filter(pk=gang.pk).update(ended_at=now) == 1
    return changed


def _end(gang: Gang, now: datetime) -> bool:
    """Cancel what has not started and tell the rest to stop."""
    attempts = lock_live(Attempt.objects.open().filter(job__gang=gang, job__cancel_requested_at=None))
    waiting = list(gang.jobs.filter(state="queued").unlocked_in_turn().select_related("buyer"))
    jobs = [*waiting, *(attempt.job for attempt in attempts)]
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(cancel_requested_at=now)
    for job in jobs:
        job.cancel_requested_at = now
    for job in waiting:
        move_job(job, "cancelled", now=now, reason="cancelled")
        settle_job(job=job, now=now)
    for attempt in attempts:
        if attempt.state == "pending":
            end_attempt(attempt=attempt, reason="cancelled", now=now, message="another job of its gang ended")
    return bool(jobs)


def _take_back(gang: Gang, now: datetime) -> bool:
    attempts = lock_live(Attempt.objects.open().filter(job__gang=gang, preempt_by=None))
    for attempt in attempts:
        give_notice(attempt=attempt, cause=GANG, now=now)
    return bool(attempts)
