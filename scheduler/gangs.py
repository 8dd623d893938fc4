"""A job's place in its gang: joining one, and what happens to the others when a job leaves it.

The others are dealt with in a transaction of their own, which a hint asks for and the sweep as well: whoever moves a
job holds its lock, and two who then want the other's would wait for ever.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import Organization
from marketplace.common.errors import FieldProblem, ValidationFailed
from scheduler.attempts import end_attempt, move_job
from scheduler.models import Attempt, Gang, Job
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

    One that failed, was cancelled or expired ends all others. One that is queued again takes back those that were
    promised a start with it. A gang of which all have ended is over.
    """
    gang = (
        Gang.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(public_id=public_id, ended_at=None)
        .first()
    )
    if gang is None:
        return False
    jobs = list(gang.jobs.select_for_update(of=("self",)).select_related("buyer").order_by("pk"))
    left = [job for job in jobs if job.state in JOB.open]
    if any(job.state in JOB.final and job.state != "succeeded" for job in jobs):
        changed = _end(left, now)
    elif any(job.state == "queued" for job in left):
        changed = _take_back([job for job in left if job.state == "allocated"], now)
    else:
        changed = False
    if len(jobs) == gang.size and not any(job.state in JOB.open for job in jobs):
        changed = Gang.objects.filter(pk=gang.pk).update(ended_at=now) == 1
    return changed


def _end(jobs: Sequence[Job], now: datetime) -> bool:
    """Cancel what has not started and tell the rest to stop."""
    untold = [job for job in jobs if job.cancel_requested_at is None]
    Job.objects.filter(pk__in=[job.pk for job in untold]).update(cancel_requested_at=now)
    for job in untold:
        job.cancel_requested_at = now
        if job.state == "queued":
            move_job(job, "cancelled", now=now, reason="cancelled")
        elif job.state == "allocated":
            end_attempt(attempt=_attempt(job), reason="cancelled", now=now, message="another job of its gang ended")
    return bool(untold)


def _take_back(jobs: Sequence[Job], now: datetime) -> bool:
    for job in jobs:
        end_attempt(attempt=_attempt(job), reason="preempted", now=now, message="its gang is queued again")
    return bool(jobs)


def _attempt(job: Job) -> Attempt:
    attempt = job.attempts.select_related("allocation__offer__site__provider", "job__buyer").get(ended_at=None)
    attempt.job = job
    return attempt
