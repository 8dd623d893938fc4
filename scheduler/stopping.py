"""Work that says `budget_stop`: no offer is too dear for it, and it ends when its money is used up (money.md, 1).

The matcher knows nothing of it: such a job has no limit on its total. What is held for it becomes a number of seconds
when a lease is granted, and that is the lease's limit.
"""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from marketplace.booking.charging import due_for_use, parts_of
from marketplace.booking.pricing import seconds_bought
from marketplace.common.clock import hour_ceil
from scheduler.jobfile import JobFile
from scheduler.models import Allocation, Attempt, Job, Lease
from scheduler.money import charged_under, hold_of, may_cost
from scheduler.pieces import over_as
from scheduler.states import BUDGET_LIMIT, TIME_LIMIT, is_paid

SECOND = timedelta(seconds=1)
SETTLING = timedelta(seconds=5)  # a run that is stopped at its limit needs a moment to be gone


def seconds_for(money: int | None, *, total: int, promised_s: int) -> int | None:
    """How long `money` pays for where full use of `promised_s` costs `total`; None where it pays for all of it."""
    bought = promised_s if money is None else seconds_bought(money, total, promised_s)
    return bought if bought < promised_s else None


def promised_s(allocation: Allocation) -> int:
    """For how many seconds the hours were promised."""
    return (allocation.end - allocation.start) // SECOND


def bought_s(job: Job, allocation: Allocation) -> int | None:
    """How long what is held, with what was charged already, pays for, where that is less than what is promised."""
    if not job.budget_stop:
        return None
    contract, hold = allocation.contract, hold_of(job)
    money = charged_under(contract) + (hold.rest if hold else 0)
    return seconds_for(money, total=contract.total_minor, promised_s=promised_s(allocation))


def stops_after(job: Job, attempt: Attempt) -> int | None:
    """After how many seconds the budget ends the attempt at the latest; None where it does not."""
    if attempt.state == "pending":
        return bought_s(job, attempt.allocation)
    budget_s = attempt.budget_s
    return None if budget_s is None or budget_s >= promised_s(attempt.allocation) else budget_s


def time_limit(lease: Lease) -> int:
    """How many seconds the lease lets its attempt run: what it is promised, or what its budget pays for."""
    most, budget_s = longest(lease), lease.attempt.budget_s
    return most if budget_s is None else max(1, min(most, budget_s))


def longest(lease: Lease) -> int:
    """How many seconds the promise lets the attempt run, whatever its budget.

    The promise takes whole hours, so a late start inside its last hour costs the buyer no seconds. Inside a reservation
    it ends with that at the latest.
    """
    allocation = lease.attempt.allocation
    last = hour_ceil(allocation.end)
    if allocation.reservation is not None:
        last = min(last, allocation.reservation.end)
    left = (last - lease.granted_at - SETTLING) // SECOND
    return max(1, min(promised_s(allocation), left))


def ended_as(lease: Lease, reason: str, message: str, *, ran_s: int | None) -> tuple[str, str]:
    """Reason and message of an end as the agent tells it: it knows one limit, not who set it.

    It ran `ran_s` by its own word. A budget that was raised too late for the agent to hear was still what ended it.
    """
    reason, message = over_as(lease.attempt, reason, message)
    limit_s = time_limit(lease) if ran_s is None else ran_s
    if reason != TIME_LIMIT or lease.attempt.budget_s is None or limit_s >= longest(lease):
        return reason, message
    return BUDGET_LIMIT, f"The work was stopped after {limit_s} s, for which its budget paid."


def uses_up(*, attempt: Attempt, reason: str, now: datetime) -> bool:
    """Whether the end leaves nothing of its job's budget to try again with."""
    job, allocation = attempt.job, attempt.allocation
    if not job.budget_stop or attempt.started_at is None:
        return False
    hold = hold_of(job)
    if hold is None:
        return may_cost(job) == 0
    if not is_paid(reason, tier=allocation.offer.tier, ran_s=(now - attempt.started_at) // SECOND):
        return False
    [part] = parts_of([allocation.contract])
    return due_for_use(part=part, hold=hold, attempt=attempt.public_id, until=now) >= hold.rest


def budget_of(file: JobFile) -> int | None:
    """The budget at which the job of a file stops, if it says so."""
    return file.ask.max_total_minor if file.ask.budget_stop else None


def most_for(total: int, budget: int | None) -> int:
    """The most that work costs whose full use comes to `total`."""
    return total if budget is None else min(total, budget)


def most_of(job: Job, total: int) -> int:
    """The same of a job."""
    return most_for(total, job.ceiling_minor if job.budget_stop else None)


def with_the_stop(sentence: str, stops_after_s: int | None) -> str:
    """`sentence`, and that the budget ends the work early, if it does."""
    if stops_after_s is None:
        return sentence
    return f"{sentence} " + _("Its budget ends it before its time limit.")
