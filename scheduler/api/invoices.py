"""Invoices over HTTP, and the invoice of one job or reservation on request."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.idempotency import idempotent
from accounts.tenancy import current_organization
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.ledger.api import invoices as ledger
from marketplace.ledger.invoiceview import invoice_as_json
from scheduler.billing import invoice_order


class InvoiceInput(serializers.Serializer[dict[str, Any]]):
    """What to bill apart from its month."""

    order = serializers.CharField(max_length=40)


class InvoicesView(ledger.InvoicesView):
    """List invoices, and ask for the invoice of one job or reservation."""

    scopes = {"GET": "usage:read", "POST": "usage:write"}

    @extend_schema(tags=["invoices"], request=InvoiceInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent()
    def post(self, request: Request) -> Response:
        """Bill a job or reservation that has ended; what is billed so is not billed with its month again."""
        ask, now = parse(InvoiceInput, request.data), utc_now()
        invoices = invoice_order(buyer=current_organization(request), order=ask["order"], now=now)
        data = [invoice_as_json(invoice) for invoice in invoices]
        meta = {"count": len(data), "as_of": rfc3339(now)}
        return Response({"object": "list", "data": data, "has_more": False, "meta": meta}, status=201)
