"""Invoices over HTTP."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import organizations_of
from marketplace.common.clock import utc_now
from marketplace.common.downloads import AsCsv, AsPdf, csv_file, pdf_file
from marketplace.common.paging import paged
from marketplace.ledger.invoicepdf import invoice_pdf
from marketplace.ledger.invoiceview import invoice_as_json, invoice_rows, invoice_summary
from marketplace.ledger.models import Invoice
from marketplace.ledger.querysets import InvoiceQuerySet

READ = {"GET": "usage:read"}


def mine(request: Request) -> InvoiceQuerySet:
    """The issued invoices of the caller's organizations."""
    return Invoice.objects.of(organizations_of(request)).issued().select_related("corrects")


def shown(request: Request, invoice: str) -> dict[str, Any]:
    """One of them with its lines."""
    return invoice_as_json(mine(request).prefetch_related("lines").by_public_id(invoice))


class InvoicesView(APIView):
    """Invoices and credit notes."""

    scopes = READ

    @extend_schema(tags=["invoices"], operation_id="invoices_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """The caller's, newest first, without their lines."""
        return paged(request, mine(request), invoice_summary, now=utc_now())


class InvoiceView(APIView):
    """One invoice."""

    scopes = READ

    @extend_schema(tags=["invoices"], responses={200: dict})
    def get(self, request: Request, invoice: str) -> Response:
        """With every line."""
        return Response(shown(request, invoice))


class InvoicePdfView(APIView):
    """One invoice on paper."""

    scopes = READ
    renderer_classes = [JSONRenderer, AsPdf]

    @extend_schema(tags=["invoices"], responses={(200, "application/pdf"): bytes})
    def get(self, request: Request, invoice: str) -> HttpResponse:
        """In the caller's language; the same figures as its JSON."""
        found = shown(request, invoice)
        return pdf_file(invoice_pdf(found), f"{found['number']}.pdf")


class InvoiceCsvView(APIView):
    """The lines of one invoice as a table."""

    scopes = READ
    renderer_classes = [JSONRenderer, AsCsv]

    @extend_schema(tags=["invoices"], responses={(200, "text/csv"): str})
    def get(self, request: Request, invoice: str) -> StreamingHttpResponse:
        """A row for each line, money as plain decimals."""
        found = shown(request, invoice)
        return csv_file(invoice_rows(found), f"{found['number']}.csv")
