"""Green receipts over HTTP: those of the caller's purchases and sites, their files, and verification for everybody."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import current_organization, organizations_of
from marketplace.common.clock import moment_of, utc_now
from marketplace.common.downloads import AsCsv, AsPdf, csv_file, pdf_file
from marketplace.common.errors import NotFound, TooLarge, UnknownParameter
from marketplace.common.months import Month
from marketplace.common.paging import NAMES, paged
from marketplace.energy.api.places import invalid
from marketplace.energy.models import GreenReceipt, ReceiptStatus
from marketplace.energy.querysets import GreenReceiptQuerySet
from marketplace.energy.receipts.document import file_for, key_set, standing_of, summary_of
from marketplace.energy.receipts.excerpt import payload_for
from marketplace.energy.receipts.pdf import receipt_pdf
from marketplace.energy.receipts.reading import readers_of
from marketplace.energy.receipts.report import report_of, report_rows
from marketplace.energy.receipts.reportpdf import report_pdf
from marketplace.energy.receipts.verification import MOST_BYTES, outcome_as_json, verify_file

READ = {"GET": "receipts:read"}
FILTERS = ("status", "subject", "issued_at__gte", "issued_at__lt")
VERSION = OpenApiParameter("version", int, description="as it was at that version; the latest without it")
KEPT_S = 3600  # how long others may keep the public keys


class ReceiptsView(APIView):
    """Receipts of what the caller bought, and of work at its sites."""

    scopes = READ

    @extend_schema(
        tags=["receipts"], operation_id="receipts_list", responses={200: dict},
        parameters=[
            OpenApiParameter("status", str, enum=ReceiptStatus.values),
            OpenApiParameter("subject", str, description="the job or reservation"),
            OpenApiParameter("issued_at__gte", datetime, description="the latest version was issued then or later"),
            OpenApiParameter("issued_at__lt", datetime),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The latest version of each, what ended last first. A provider sees the part of its own sites."""
        mine = organizations_of(request)
        rows = filtered(GreenReceipt.objects.seen_by(mine).newest(), request)
        return paged(request, rows, lambda receipt: summary_of(receipt, mine), now=utc_now())


def filtered(rows: GreenReceiptQuerySet, request: Request) -> GreenReceiptQuerySet:
    """The rows that the query asks for; raises UnknownParameter, InvalidParameter."""
    params = request.query_params
    if strange := sorted(set(params) - NAMES - set(FILTERS)):
        raise UnknownParameter(f"{strange[0]} means nothing here", hint=", ".join(FILTERS))
    if (status := params.get("status")) is not None:
        if status not in ReceiptStatus.values:
            raise invalid("status", "there is no such status", " or ".join(ReceiptStatus.values))
        rows = rows.filter(status=status)
    if subject := params.get("subject"):
        rows = rows.filter(subject=subject)
    for name in FILTERS[2:]:
        if text := params.get(name):
            rows = rows.filter(**{name: _moment(name, text)})
    return rows


def _moment(name: str, text: str) -> datetime:
    try:
        return serializers.DateTimeField().to_internal_value(text)
    except serializers.ValidationError as error:
        raise invalid(name, "this is no time", "2026-11-24T10:00:00Z") from error


def versions_asked(request: Request, receipt: str) -> list[GreenReceipt]:
    """The versions of a receipt that the caller may see, up to the one asked for; NotFound, InvalidParameter."""
    found = GreenReceipt.objects.seen_by(readers_of(request, receipt)).versions_of(receipt)
    if (text := request.query_params.get("version")) is not None:
        if not text.isascii() or not text.isdigit() or len(text) > 6:
            raise invalid("version", "a version is a whole number from 1", "1")
        found = found.filter(version__lte=int(text))
        if not found.filter(version=int(text)).exists():
            raise NotFound(f"there is no version {text} of green receipt {receipt}")
    versions = list(found)
    if not versions:
        raise NotFound(f"there is no green receipt {receipt}")
    return versions


class ReceiptView(APIView):
    """One receipt as a file."""

    scopes = READ

    @extend_schema(tags=["receipts"], parameters=[VERSION], responses={200: dict})
    def get(self, request: Request, receipt: str) -> Response:
        """The evidence: every version as it was signed, and the keys. A provider gets an excerpt without signatures."""
        return Response(file_for(versions_asked(request, receipt), readers_of(request, receipt)))


class ReceiptPdfView(APIView):
    """One receipt on paper."""

    scopes = READ
    renderer_classes = [JSONRenderer, AsPdf]

    @extend_schema(tags=["receipts"], parameters=[VERSION], responses={(200, "application/pdf"): bytes})
    def get(self, request: Request, receipt: str) -> HttpResponse:
        """In the caller's language; it shows what the JSON file proves."""
        version = versions_asked(request, receipt)[-1]
        payload = payload_for(version, readers_of(request, receipt))
        return pdf_file(receipt_pdf(payload, sha256=version.sha256, kid=version.kid), f"{version.public_id}.pdf")


class ReceiptStatusView(APIView):
    """What anybody may know of a receipt."""

    public = True

    @extend_schema(tags=["receipts"], responses={200: dict})
    def get(self, request: Request, receipt: str) -> Response:
        """Version, status, hash and date of the latest version: no hours, no buyer."""
        return Response(standing_of(GreenReceipt.objects.newest().by_public_id(receipt)))


class ReceiptKeysView(APIView):
    """The public keys of all receipts."""

    public = True

    @extend_schema(tags=["receipts"], operation_id="receipts_keys", responses={200: dict})
    def get(self, request: Request) -> Response:
        """A JSON Web Key Set; a key that ever signed a receipt stays in it."""
        return Response(key_set(), headers={"Cache-Control": f"public, max-age={KEPT_S}"})


class WellKnownKeysView(ReceiptKeysView):
    """The same under the address where programs look for a host's keys."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """See `receipts/keys`."""
        return super().get(request)


class VerifyView(APIView):
    """Verification of a receipt file, without sign-in."""

    public = True
    authentication_classes: Sequence[Any] = ()

    @extend_schema(tags=["receipts"], operation_id="receipts_verify", request=dict, responses={200: dict})
    def post(self, request: Request) -> Response:
        """Send the file as it was downloaded, at most 8 MiB; nothing of it is kept.

        `result` is `valid`, `check_failed`, `key_untrusted` or `sample_data` (all checks pass, but a sample is no
        evidence), with every check and its fault, and what a file cannot tell. `newest` is what this market has of it.
        """
        return Response(outcome_as_json(verify_file(bounded_body(request))))


def bounded_body(request: Request) -> bytes:
    """The bytes that were sent; raises TooLarge."""
    data: bytes = request._request.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TooLarge(f"a receipt file is at most {MOST_BYTES} bytes here", max_bytes=MOST_BYTES)
    return data


class ReportView(APIView):
    """The receipts of a month for a report of emissions."""

    scopes = READ
    renderer_classes = [JSONRenderer, AsCsv, AsPdf]

    @extend_schema(
        tags=["receipts"], operation_id="receipts_report",
        responses={200: dict, (200, "text/csv"): str, (200, "application/pdf"): bytes},
        parameters=[
            OpenApiParameter("month", str, description="such as 2026-11; this month without it"),
            OpenApiParameter("format", str, enum=["json", "csv", "pdf"]),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        """A row for each receipt of what the caller's organization used in the month, with the hours of that month."""
        params = request.query_params
        if strange := sorted(set(params) - {"month", "format"}):
            raise UnknownParameter(f"{strange[0]} means nothing here", hint="month, format")
        month = month_asked(params.get("month"), Month.of(moment_of(request)))
        kind = params.get("format", "json")
        if kind not in {"json", "csv", "pdf"}:
            raise invalid("format", "no such format", "json, csv or pdf")
        report = report_of(buyer=current_organization(request), month=month)
        name = f"joulemart-receipts-{month}"
        if kind == "csv":
            return csv_file(report_rows(report), f"{name}.csv")
        if kind == "pdf":
            return pdf_file(report_pdf(report), f"{name}.pdf")
        return Response(report, content_type="application/json")


def month_asked(text: str | None, otherwise: Month) -> Month:
    """The month of a query; raises InvalidParameter."""
    month = otherwise if text is None else Month.read(text)
    if month is None or month.year > 9_998:
        raise invalid("month", "a month is a year and a number", str(otherwise))
    return month
