"""Through whose eyes somebody reads a receipt: their organizations', and at the desk its buyer's."""

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import Organization
from accounts.tenancy import looks_after, organizations_of

LOOK = "energy.view_greenreceipt"


def readers_of(request: Request | HttpRequest, receipt: str) -> list[Organization]:
    """The caller's organizations; for operators and auditors in person that of the receipt's buyer too.

    Whoever looks after the market's evidence can follow a receipt to the ledger without being asked in.
    """
    mine = organizations_of(request)
    if not looks_after(request, LOOK):
        return mine
    return [*mine, *Organization.objects.filter(green_receipts__public_id=receipt).distinct()]
