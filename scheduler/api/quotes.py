"""Quotes over HTTP."""

from datetime import datetime
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import current_organization, organizations_of
from marketplace.booking.models import Quote
from marketplace.booking.reservationview import quote_as_json
from marketplace.catalog.filters import OfferFilter
from marketplace.common.clock import utc_now
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.parsing import parse
from scheduler.core.scoring import whole_weights
from scheduler.quoting import make_quote
from scheduler.search import Need

MOST_DAYS = 14


class WeightsInput(serializers.Serializer[dict[str, Any]]):
    """How much each matters; any numbers, they are made per cents."""

    price = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    latency = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    green = serializers.IntegerField(min_value=0, max_value=1000, default=0)


class QuoteInput(serializers.Serializer[dict[str, Any]]):
    """What to quote: units for hours, with the shelf's filters under `where`."""

    units = serializers.IntegerField(min_value=1, max_value=100_000)
    hours = serializers.IntegerField(min_value=1, max_value=168)
    where = serializers.DictField(default=dict)
    weights = WeightsInput(required=False)
    when = serializers.ChoiceField(["now", "balanced", "cheapest", "greenest"], default="balanced")
    offer = serializers.CharField(max_length=40, required=False)
    start = serializers.DateTimeField(required=False)
    start_after = serializers.DateTimeField(required=False)
    finish_by = serializers.DateTimeField(required=False)
    hold = serializers.BooleanField(default=False)


def need_of_quote(ask: dict[str, Any], now: datetime) -> Need:
    """The need that a quote's body states. Raises InvalidParameter, UnknownParameter, ValidationFailed."""
    query = QueryDict(mutable=True)
    for name, value in ask["where"].items():
        query.setlist(name, [str(each) for each in value] if isinstance(value, list) else [str(value)])
    filters = OfferFilter.read(query)
    limits = filters.limits()
    text = limits.pop("q", "")
    if "offer" in ask:
        limits["offer"] = [ask["offer"]]
    if "start" in ask and ask["start"] < now:
        detail = "this start has passed"
        raise ValidationFailed([FieldProblem("/start", "bad_value", detail, "leave it out to start now")])
    wishes = ask.get("weights")
    try:
        weights = whole_weights(wishes["price"], wishes["latency"], wishes["green"]) if wishes else (40, 20, 40)
    except ValueError as error:
        raise ValidationFailed([FieldProblem("/weights", "bad_value", str(error))]) from error
    return Need(
        units=ask["units"], hours=ask["hours"], near=filters.place, weights=weights, when=ask["when"], limits=limits,
        text=text, start=ask.get("start"), start_after=ask.get("start_after"), finish_by=ask.get("finish_by"),
    )  # fmt: skip


class QuotesView(APIView):
    """Ask for prices that hold for ten minutes."""

    scopes = {"POST": "reservations:write"}
    limit = "quotes"

    @extend_schema(tags=["quotes"], request=QuoteInput, responses={201: dict})
    @idempotent()
    def post(self, request: Request) -> Response:
        """Up to five options, best first; `hold: true` holds the first until the quote expires."""
        now = utc_now()
        ask = parse(QuoteInput, request.data)
        need = need_of_quote(ask, now)
        quote = make_quote(buyer=current_organization(request), need=need, now=now, hold=ask["hold"])
        held = quote.reservations.first()
        return Response(quote_as_json(quote) | {"reservation": held.public_id if held else None}, status=201)


class QuoteView(APIView):
    """One quote."""

    scopes = {"GET": "reservations:read"}

    @extend_schema(tags=["quotes"], responses={200: dict})
    def get(self, request: Request, quote: str) -> Response:
        """The frozen answer."""
        return Response(quote_as_json(Quote.objects.of(organizations_of(request)).by_public_id(quote)))
