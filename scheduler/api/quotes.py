"""Quotes over HTTP, and reservations made from them."""

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
from marketplace.booking.api import reservations as booking
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.models import Quote
from marketplace.booking.reservationview import quote_as_json
from marketplace.catalog.filters import PAGING, REQUEST, OfferFilter
from marketplace.common.clock import utc_now
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from scheduler.core.scoring import whole_weights
from scheduler.core.types import MOST_PIECES
from scheduler.errors import NoOfferFits
from scheduler.jobfile.pieces import MOST_RESTART_S, NO_PIECES_NOW
from scheduler.quoting import make_quote, need_again
from scheduler.search import Need

# Names of the shelf's query that a quote's body says beside `where`, or not at all.
BESIDE = (PAGING | REQUEST) - {"near", "start__gte", "finish__lte"}


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
    max_pieces = serializers.IntegerField(min_value=1, max_value=MOST_PIECES, default=1)
    restart_s = serializers.IntegerField(min_value=0, max_value=MOST_RESTART_S, default=0)


def need_of_quote(ask: dict[str, Any], now: datetime) -> Need:
    """The need that a quote's body states. Raises InvalidParameter, UnknownParameter, ValidationFailed."""
    if beside := sorted(BESIDE & set(ask["where"])):
        detail = "this is no filter: say it beside where"
        raise ValidationFailed([FieldProblem(f"/where/{name}", "unknown_field", detail) for name in beside])
    query = QueryDict(mutable=True)
    for name, value in ask["where"].items():
        query.setlist(name, [str(each) for each in value] if isinstance(value, list) else [str(value)])
    filters = OfferFilter.read(query)
    limits, clean = filters.limits(), filters.form.cleaned_data
    text = limits.pop("q", "")
    if "offer" in ask:
        limits["offer"] = [ask["offer"]]
    if "start" in ask and ask["start"] < now:
        detail = "this start has passed"
        raise ValidationFailed([FieldProblem("/start", "bad_value", detail, "leave it out to start now")])
    if ask.get("max_pieces", 1) > 1 and ask["when"] == "now":
        raise ValidationFailed([FieldProblem("/max_pieces", "bad_value", NO_PIECES_NOW, "say when: greenest")])
    wishes = ask.get("weights")
    try:
        weights = whole_weights(wishes["price"], wishes["latency"], wishes["green"]) if wishes else (40, 20, 40)
    except ValueError as error:
        raise ValidationFailed([FieldProblem("/weights", "bad_value", str(error))]) from error
    return Need(
        units=ask["units"], hours=ask["hours"], near=filters.place, weights=weights, when=ask["when"], limits=limits,
        text=text, start=ask.get("start"), start_after=ask.get("start_after") or clean["start__gte"],
        finish_by=ask.get("finish_by") or clean["finish__lte"],
        max_pieces=ask.get("max_pieces", 1), restart_s=ask.get("restart_s", 0),
    )  # fmt: skip


class QuotesView(APIView):
    """Ask for prices that hold for ten minutes."""

    scopes = {"POST": "reservations:write"}
    limit = "quotes"

    @extend_schema(tags=["quotes"], request=QuoteInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
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


class ReservationsView(booking.ReservationsView):
    """List reservations, and make them from quotes."""

    @extend_schema(
        tags=["reservations"], request=booking.ReserveInput, responses={201: dict}, parameters=[DRY_RUN],
    )  # fmt: skip
    @rehearsable
    def post(self, request: Request) -> Response:
        """Take an option of a quote, at the quote's price; hours that are gone come with the next quote."""
        try:
            return super().post(request)
        except CapacityTaken as taken:
            kept = request.query_params.get("dry_run") != "true"
            if kept and (fresh := quoted_anew(request)):
                taken.facts["next_quote"] = fresh.public_id
                taken.hint = f"{fresh.public_id} offers what is free now"
            raise


def quoted_anew(request: Request) -> Quote | None:
    """The request of the quote named in the body asked once more; None when nothing fits it any longer."""
    quote = Quote.objects.of(organizations_of(request)).by_public_id(parse(booking.ReserveInput, request.data)["quote"])
    now = utc_now()
    try:
        return make_quote(buyer=quote.buyer, need=need_again(quote.request, now), now=now)
    except (NoOfferFits, ValidationFailed):
        return None
