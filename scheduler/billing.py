"""What bills need to know of jobs: which job a contract is for, and which contracts a job or reservation has."""

from collections.abc import Collection, Mapping
from datetime import datetime

from accounts.models import Organization
from marketplace.booking.invoicing import issue_order
from marketplace.booking.models import Reservation, ReservationChange
from marketplace.booking.states import RESERVATION
from marketplace.common.errors import IllegalState
from marketplace.common.states import StateTable
from marketplace.ledger.models import Invoice
from scheduler.models import Allocation, Job
from scheduler.states import JOB


def orders_of(subjects: Collection[str]) -> Mapping[str, str]:
    """{subject: public id of what was ordered}: the job of an allocation, the reservation of what was added to it."""
    jobs = Allocation.objects.filter(public_id__in=list(subjects))
    added = ReservationChange.objects.filter(public_id__in=list(subjects))
    return {
        **dict(jobs.values_list("public_id", "job__public_id")),
        **dict(added.values_list("public_id", "reservation__public_id")),
    }


def invoice_order(*, buyer: Organization, order: str, now: datetime) -> list[Invoice]:
    """The invoice of one job or reservation of the buyer that has ended.

    Raises NotFound, IllegalState while it has not ended, NothingToInvoice. Then nothing is written.
    """
    row, table, subjects = _ordered(buyer, order)
    if row.state not in table.final:
        raise IllegalState(f"{order} is {row.state}: it is invoiced once it has ended", state=row.state, id=order)
    return issue_order(buyer=buyer, order=order, subjects=subjects, now=now, orders=orders_of)


def _ordered(buyer: Organization, order: str) -> tuple[Job | Reservation, StateTable, list[str]]:
    """A job or reservation of the buyer, its states, and the subjects of its contracts. Raises NotFound."""
    if order.startswith("job_"):
        job = Job.objects.of([buyer]).by_public_id(order)
        return job, JOB, list(Allocation.objects.filter(job=job).values_list("public_id", flat=True))
    reservation = Reservation.objects.of([buyer]).with_terms().with_changes().by_public_id(order)
    return reservation, RESERVATION, [each.subject for each in reservation.contracts]
