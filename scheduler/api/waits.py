"""The waiting list over HTTP."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import current_organization, key_of, organizations_of
from marketplace.booking import waiting
from marketplace.booking.api.reservations import SCOPES
from marketplace.booking.models import Wait
from marketplace.booking.waiting import Wanted
from marketplace.booking.waitview import wait_as_json
from marketplace.common.clock import utc_now
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from scheduler.api.quotes import need_of_quote
from scheduler.quoting import request_as_json
from scheduler.waitinglist import join_list

BESIDE = ("q", "start__gte", "finish__lte")


class WaitInput(serializers.Serializer[dict[str, Any]]):
    """How many units for how many hours of what (`where`, as in a quote, or `offer`), from when and by when."""

    units = serializers.IntegerField(min_value=1, max_value=100_000)
    hours = serializers.IntegerField(min_value=1, max_value=168)
    where = serializers.DictField(default=dict)
    offer = serializers.CharField(max_length=40, required=False)
    start_after = serializers.DateTimeField(required=False, allow_null=True)
    start_by = serializers.DateTimeField(required=False, allow_null=True)
    reserve = serializers.BooleanField(default=False)


def wanted_of(ask: dict[str, Any], now: datetime) -> Wanted:
    """What a body asks for. Raises InvalidParameter, UnknownParameter, ValidationFailed."""
    if beside := sorted(set(BESIDE) & set(ask["where"])):
        detail = "a place on the list says start_after and start_by beside where"
        raise ValidationFailed([FieldProblem(f"/where/{name}", "bad_value", detail) for name in beside])
    offer = {"offer": ask["offer"]} if "offer" in ask else {}
    need = need_of_quote(
        {"units": ask["units"], "hours": ask["hours"], "where": ask["where"], "when": "now"} | offer, now
    )
    return Wanted(
        units=ask["units"], hours=ask["hours"], where=request_as_json(need)["where"], reserve=ask["reserve"],
        start_after=ask.get("start_after"), start_by=ask.get("start_by"),
    )  # fmt: skip


def one(request: Request, wait: str) -> Wait:
    """One of the caller's waits."""
    return Wait.objects.of(organizations_of(request)).with_terms().by_public_id(wait)


class WaitsView(APIView):
    """List the places on the waiting list, and join it."""

    scopes = SCOPES

    @extend_schema(tags=["waits"], operation_id="waits_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """The caller's places, newest first, with those that were served or given up."""
        now, rows = utc_now(), Wait.objects.of(organizations_of(request)).with_terms()
        return paged(request, rows, lambda each: wait_as_json(each, now), now=now)

    @extend_schema(tags=["waits"], request=WaitInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        """Wait for hours that are not free: position and expected start; `dry_run=true` only tells them."""
        now = utc_now()
        wanted = wanted_of(parse(WaitInput, request.data), now)
        wait = join_list(buyer=current_organization(request), wanted=wanted, now=now, api_key=key_of(request))
        return Response(wait_as_json(wait, now), status=201)


class WaitView(APIView):
    """One place on the waiting list."""

    scopes = SCOPES

    @extend_schema(tags=["waits"], responses={200: dict})
    def get(self, request: Request, wait: str) -> Response:
        """Its position and expected start, or the reservation that serves it."""
        return Response(wait_as_json(one(request, wait), utc_now()))


class LeaveView(APIView):
    """Leave the waiting list."""

    scopes = SCOPES

    @extend_schema(tags=["waits"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent()
    def post(self, request: Request, wait: str) -> Response:
        """Give up the place; 409 for one that waits no more."""
        now = utc_now()
        return Response(wait_as_json(waiting.leave(wait=one(request, wait), now=now), now))
