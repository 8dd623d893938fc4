"""The bill of one job or reservation that has ended: the invoice it has, or a button that asks for it."""

from collections.abc import Collection
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Organization
from accounts.tenancy import current_organization
from frontend.store.access import attempt, for_members
from marketplace.booking.models import ChargeLine
from marketplace.common.clock import utc_now
from marketplace.ledger.models import Invoice
from scheduler.billing import invoice_order


@dataclass(frozen=True, slots=True)
class OrderBill:
    """Whether something charged is on no invoice yet, the invoice that was asked for, whether one may still object."""

    order: str
    possible: bool
    invoice: Invoice | None
    disputable: bool


def bill_of_order(*, order: str, subjects: Collection[str], buyer: Organization, ended: bool) -> OrderBill:
    """What its page offers: an invoice once the order has ended, an objection as long as a charge has not matured."""
    charges = ChargeLine.objects.of_buyers([buyer]).filter(contract__subject__in=subjects)
    asked = Invoice.objects.of([buyer]).issued().filter(order=order, kind="invoice")
    return OrderBill(
        order=order, possible=ended and charges.not_invoiced().exists(), invoice=asked.first() if ended else None,
        disputable=charges.open_to_objection(utc_now()).exists(),
    )  # fmt: skip


@require_POST
@for_members
def invoice_now(request: HttpRequest, order: str) -> HttpResponse:
    """Invoice an order that has ended before its month is over, and show the invoice."""
    mine = current_organization(request)
    here = reverse("job" if order.startswith("job_") else "reservation", args=[order])
    done = _("It is invoiced: the month's invoice leaves it out.")
    if not attempt(request, lambda: invoice_order(buyer=mine, order=order, now=utc_now()), done=done):
        return HttpResponseRedirect(here)
    newest = Invoice.objects.of([mine]).issued().filter(order=order, kind="invoice").first()
    return HttpResponseRedirect(reverse("invoice", args=[newest.public_id]) if newest else here)
