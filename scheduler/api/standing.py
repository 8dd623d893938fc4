"""Standing orders over HTTP."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import current_organization, key_of, organizations_of
from marketplace.booking import standing
from marketplace.booking.api.reservations import SCOPES
from marketplace.booking.models import StandingOrder
from marketplace.booking.models.standing import MOST_AHEAD
from marketplace.booking.standing import Wish
from marketplace.booking.standingview import decisions_of, order_as_json
from marketplace.common.clock import utc_now
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from scheduler.api.quotes import need_of_quote
from scheduler.quoting import request_as_json

USUAL_BLOCK = 6
OF_ONE_TIME = ("q", "start__gte", "finish__lte", "total__lte", "free__gte")  # say nothing about every hour to come


class StandingOrderInput(serializers.Serializer[dict[str, Any]]):
    """How many units of what (`where`, as in a quote), for how many hours ahead, for how much a month."""

    units = serializers.IntegerField(min_value=1, max_value=100_000)
    where = serializers.DictField()
    limit_minor = serializers.IntegerField(min_value=0)
    ahead_hours = serializers.IntegerField(min_value=1, max_value=MOST_AHEAD, default=24)
    block_hours = serializers.IntegerField(min_value=1, max_value=MOST_AHEAD, required=False)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


def wish_of(ask: dict[str, Any], now: datetime) -> Wish:
    """What a body asks for. Raises InvalidParameter, UnknownParameter, ValidationFailed."""
    if of_one_time := sorted(set(OF_ONE_TIME) & set(ask["where"])):
        detail = "a standing order is for every hour: leave this out"
        raise ValidationFailed([FieldProblem(f"/where/{name}", "bad_value", detail) for name in of_one_time])
    need = need_of_quote({"units": ask["units"], "hours": 1, "where": ask["where"], "when": "now"}, now)
    ahead = ask["ahead_hours"]
    return Wish(
        units=ask["units"], where=request_as_json(need)["where"], limit_minor=ask["limit_minor"], ahead_hours=ahead,
        block_hours=ask.get("block_hours") or min(USUAL_BLOCK, ahead), ends_at=ask.get("ends_at"),
    )  # fmt: skip


def one(request: Request, order: str) -> StandingOrder:
    """One of the caller's standing orders."""
    return StandingOrder.objects.of(organizations_of(request)).with_terms().by_public_id(order)


def shown(order: StandingOrder) -> Response:
    """The order with what was done for it."""
    return Response(order_as_json(order, utc_now()) | {"decisions": decisions_of(order)})


class StandingOrdersView(APIView):
    """List and place standing orders."""

    scopes = SCOPES

    @extend_schema(tags=["standing_orders"], operation_id="standing_orders_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """The caller's standing orders, newest first."""
        now, rows = utc_now(), StandingOrder.objects.of(organizations_of(request)).with_terms()
        return paged(request, rows, lambda each: order_as_json(each, now), now=now)

    @extend_schema(
        tags=["standing_orders"], request=StandingOrderInput, responses={201: dict}, parameters=[DRY_RUN],
    )  # fmt: skip
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        """Keep units reserved under a price and at least so green; the first hours are bought within a minute."""
        now = utc_now()
        wish = wish_of(parse(StandingOrderInput, request.data), now)
        order = standing.place_order(
            buyer=current_organization(request), wish=wish, now=now, api_key=key_of(request)
        )  # fmt: skip
        return Response(order_as_json(order, now), status=201)


class StandingOrderView(APIView):
    """One standing order."""

    scopes = SCOPES

    @extend_schema(tags=["standing_orders"], responses={200: dict})
    def get(self, request: Request, order: str) -> Response:
        """The order, how it stands, and what was decided for it."""
        return shown(one(request, order))


class StateView(APIView):
    """Pause, resume or cancel a standing order."""

    scopes = SCOPES
    verb = ""

    @extend_schema(tags=["standing_orders"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent()
    def post(self, request: Request, order: str) -> Response:
        """What is reserved stays in any case."""
        verbs = {"pause": standing.pause, "resume": standing.resume, "cancel": standing.cancel_order}
        return shown(verbs[self.verb](order=one(request, order), now=utc_now()))
