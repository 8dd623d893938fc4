"""A job that stops by its budget is given a larger one while it waits or runs (money.md, section 3).

What is held is replaced by more, past the same caps and out of the same wallet. What that pays for is the limit of the
lease now, of which the agent hears at its next heartbeat. Locks: the attempt, which its end moves first too, then the
job, its hold, accounts.
"""

from datetime import datetime

from django.db import transaction

from marketplace.common.errors import FieldProblem, IllegalState, StaleVersion, ValidationFailed
from scheduler.models import Attempt, Job
from scheduler.money import charged_under, hold_anew, may_cost
from scheduler.states import JOB
from scheduler.stopping import bought_s, promised_s


@transaction.atomic
def raise_budget(*, job: Job, budget_minor: int, now: datetime) -> Job:
    """Let the job cost up to `budget_minor`, and what runs go on for as long as that pays for.

    The same budget again changes nothing. Raises IllegalState for a job that stops by no budget or is about to end,
    ValidationFailed for less than it may cost already, StaleVersion when it was promised or ended just now,
    InsufficientFunds, BudgetExceeded and WalletFrozen when the rest cannot be held; nothing is written then.
    """
    attempt = _open_attempt(job)
    job = Job.objects.select_for_update(of=("self",)).select_related("buyer").get(pk=job.pk)
    _check(job, budget_minor)
    if budget_minor == job.ceiling_minor:
        return job
    if set(job.attempts.filter(ended_at=None)) - {attempt}:
        raise StaleVersion(f"{job.public_id} was changed meanwhile", id=job.public_id)
    # Not a move of the job: one that ends just now must find the version that it read.
    Job.objects.filter(pk=job.pk).update(ceiling_minor=budget_minor)
    job.ceiling_minor = budget_minor
    hold_anew(job=job, ceiling=_to_hold(job, attempt), now=now)
    if attempt is not None and attempt.budget_s is not None:  # a lease that is granted later counts for itself
        bought = bought_s(job, attempt.allocation)
        budget_s = promised_s(attempt.allocation) if bought is None else bought
        Attempt.objects.filter(pk=attempt.pk).update(budget_s=budget_s)
    return job


def _open_attempt(job: Job) -> Attempt | None:
    open_ones = Attempt.objects.filter(job=job, ended_at=None).select_related("allocation__contract")
    found: Attempt | None = open_ones.select_for_update(of=("self",)).first()
    return found


def _check(job: Job, budget_minor: int) -> None:
    if job.state in JOB.final or job.cancel_requested_at is not None:
        raise IllegalState(f"this job has ended or is about to: {job.state}", state=job.state)
    if not job.budget_stop:
        raise IllegalState("this job does not stop by a budget", hint="`budget_stop: true` in a job file says so")
    least = job.ceiling_minor or 0
    if budget_minor < least:
        detail = f"it may cost {least} already, and what was promised is not taken back"
        raise ValidationFailed([FieldProblem("/max_total", "bad_value", detail, str(least + 1))])


def _to_hold(job: Job, attempt: Attempt | None) -> int:
    """What is left of the budget, at most what is left of the price of what it was promised."""
    left = may_cost(job)
    if attempt is None:
        return left
    contract = attempt.allocation.contract
    return min(left, max(0, contract.total_minor - charged_under(contract)))
