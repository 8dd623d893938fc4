"""Stores over HTTP: certified energy put in, and what came out certified by it."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.common.clock import HOUR, hour_floor, moment_of, rfc3339
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.energy import storage
from marketplace.energy.api.lots import lot_as_json
from marketplace.energy.api.meters import ROLES, SCOPES, own_point
from marketplace.energy.api.sources import own_source
from marketplace.energy.models import EnergySource, MeterPoint

MOST_WH = 10**15


class MoveInput(serializers.Serializer[dict[str, Any]]):
    """So many Wh of one whole hour that has ended, at a metering point which the store serves."""

    point = serializers.CharField(max_length=60)
    start = serializers.DateTimeField()
    wh = serializers.IntegerField(min_value=1, max_value=MOST_WH)


def asked_of(request: Request, source: str) -> tuple[EnergySource, MeterPoint, datetime, int]:
    """(store, point, start, Wh) of a body. Raises NotFound, ValidationFailed."""
    store = own_source(request, source, writes=True)
    ask = parse(MoveInput, request.data)
    start: datetime = ask["start"]
    if start != hour_floor(start):
        whole = str(rfc3339(hour_floor(start)))
        raise ValidationFailed([FieldProblem("/start", "not_on_grid", "not the start of an hour", whole)])
    if start + HOUR > moment_of(request):
        raise ValidationFailed([FieldProblem("/start", "bad_value", "that hour is not over yet", "an earlier hour")])
    return store, own_point(request, ask["point"], writes=True), start, ask["wh"]


class ChargesView(APIView):
    """What goes into a store."""

    scopes = SCOPES
    roles = ROLES

    @extend_schema(tags=["energy"], request=MoveInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, source: str) -> Response:
        """Put up to `wh` Wh of what is certified by the hour and free at the point into the store; how many it were."""
        store, point, start, wh = asked_of(request, source)
        stored = storage.charge(store=store, point=point, start=start, wh=wh, now=moment_of(request))
        told = {"object": "charge", "store": store.public_id, "point": point.code, "start": rfc3339(start)}
        return Response(told | {"wh": stored}, status=201)


class DischargesView(APIView):
    """What came out of a store."""

    scopes = SCOPES
    roles = ROLES

    @extend_schema(tags=["energy"], request=MoveInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, source: str) -> Response:
        """Certify `wh` Wh that came out in the hour by what went in before, oldest first; the lot."""
        store, point, start, wh = asked_of(request, source)
        lot = storage.discharge(store=store, point=point, start=start, wh=wh, now=moment_of(request))
        return Response(lot_as_json(lot), status=201)
