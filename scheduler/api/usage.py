"""What was used and charged in a month, and the same as a cost export."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Organization
from accounts.tenancy import organizations_of
from marketplace.booking.focus import focus_rows
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.downloads import AsCsv, csv_file
from marketplace.common.errors import FieldProblem, InvalidParameter, UnknownParameter
from marketplace.common.months import Month
from marketplace.common.paging import NAMES, list_answer, page_of, read_ask
from scheduler.focusrows import charges_of, credits_of, focus_charges, focus_credits

KNOWN = NAMES | {"month", "format"}
NAMELESS = "Operator of this market"


class UsageView(APIView):
    """Charges of a month."""

    scopes = {"GET": "usage:read"}
    renderer_classes = [JSONRenderer, AsCsv]

    @extend_schema(
        tags=["usage"], operation_id="usage", responses={200: dict, (200, "text/csv"): str},
        parameters=[
            OpenApiParameter("month", str, description="such as 2026-11; this month without it"),
            OpenApiParameter("format", str, enum=["json", "focus"], description="focus: FOCUS 1.2 as CSV"),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        """The charges billed in the month with its sums, newest first; or all its costs as FOCUS 1.2 CSV."""
        now, params = utc_now(), request.query_params
        if strange := sorted(set(params) - KNOWN):
            raise UnknownParameter(f"{strange[0]} means nothing here", hint=", ".join(sorted(KNOWN)))
        month = month_asked(params.get("month"), Month.of(now))
        buyers = organizations_of(request)
        if params.get("format") == "focus":
            issuer = settings.OPERATOR["name"] or NAMELESS
            rows = focus_rows(focus_charges(buyers, month), focus_credits(buyers, month), issuer=issuer)
            return csv_file(rows, f"joulemart-focus-{month}.csv")
        if params.get("format", "json") != "json":
            raise InvalidParameter([FieldProblem("format", "invalid_parameter", "no such format", "json or focus")])
        page = page_of(charges_of(buyers, month), read_ask(params))
        sums = [*_sums_of_charges(buyers, month), *_sums_of_credits(buyers, month)]
        answer = list_answer(request, page, charge_as_json, now=now, month=str(month), sums=sums)
        answer.content_type = "application/json"  # also for who asked for text/csv and no format
        return answer


def month_asked(text: str | None, otherwise: Month) -> Month:
    """The month of a query; raises InvalidParameter."""
    month = otherwise if text is None else Month.read(text)
    if month is None or month.year > 9_998:
        raise InvalidParameter(
            [FieldProblem("month", "invalid_parameter", "a month is a year and a number", str(otherwise))]
        )
    return month


def charge_as_json(row: Any) -> dict[str, Any]:
    """A charge as the list shows it."""
    contract = row.contract
    return {
        "object": "charge",
        "id": row.public_id,
        "order": row.order,
        "contract": contract.public_id,
        "attempt": row.attempt or None,
        "meter": row.meter,
        "idle": row.idle,
        "start": rfc3339(row.start),
        "end": rfc3339(row.end),
        "quantity": row.quantity,
        "currency": contract.currency,
        "livemode": row.livemode,
        "charge_minor": row.charge_minor,
        "tax_minor": row.tax_minor,
        "invoice": row.invoice,
    }


def _sums_of_charges(buyers: Sequence[Organization], month: Month) -> list[dict[str, Any]]:
    rows = charges_of(buyers, month).order_by().values("contract__currency", "livemode")
    found = rows.annotate(lines=Count("pk"), amount=Sum("charge_minor"), tax=Sum("tax_minor"))
    return [_sum("charges", row["contract__currency"], row["amount"], row) for row in found]


def _sums_of_credits(buyers: Sequence[Organization], month: Month) -> list[dict[str, Any]]:
    rows = credits_of(buyers, month).order_by().values("asset", "livemode")
    found = rows.annotate(lines=Count("pk"), amount=Sum("amount_minor"), tax=Sum("tax_minor"))
    return [_sum("credits", row["asset"], row["amount"] - row["tax"], row) for row in found]


def _sum(what: str, currency: str, amount: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """Credits are told as what came back: above 0."""
    return {
        "what": what, "currency": currency, "livemode": row["livemode"], "lines": row["lines"],
        "amount_minor": amount, "tax_minor": row["tax"],
    }  # fmt: skip
