"""What bills need to know of jobs: which job a contract is for, and which contracts a job or reservation has."""

from collections.abc import Collection, Mapping
from datetime import datetime

from accounts.models import Organization
from marketplace.booking.invoicing import issue_order
from marketplace.booking.models import Reservation
from marketplace.booking.states import RESERVATION
from marketplace.common.errors import IllegalState
from marketplace.ledger.models import Invoice
from scheduler.models import Allocation, Job
from scheduler.states import JOB


def orders_of(subjects: Collection[str]) -> Mapping[str, str]:
    """{subject: public id of the job} of those subjects that are allocations."""
    rows = Allocation.objects.filter(public_id__in=list(subjects))
    return dict(rows.values_list("public_id", "job__public_id"))


def invoice_order(*, buyer: Organization, order: str, now: datetime) -> list[Invoice]:
    """The invoice of one job or reservation of the buyer that has ended.

    Raises NotFound, IllegalState while it has not ended, NothingToInvoice. Then nothing is written.
    """
    row: Job | Reservation
    if order.startswith("job_"):
        row, table = Job.objects.of([buyer]).by_public_id(order), JOB
        subjects = list(Allocation.objects.filter(job=row).values_list("public_id", flat=True))
    else:
        row, table, subjects = Reservation.objects.of([buyer]).by_public_id(order), RESERVATION, [order]
    if row.state not in table.final:
        raise IllegalState(f"{order} is {row.state}: it is invoiced once it has ended", state=row.state, id=order)
    return issue_order(buyer=buyer, order=order, subjects=subjects, now=now, orders=orders_of)
