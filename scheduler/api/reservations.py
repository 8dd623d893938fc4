"""What can be done to a reservation with the jobs inside it, over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import key_of
from marketplace.booking.api.reservations import SCOPES, mine
from marketplace.booking.changing import MOST_HOURS, MOST_UNITS
from marketplace.booking.reservationview import change_as_json, reservation_as_json
from marketplace.common.clock import utc_now
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.ledger.budgets import Through
from scheduler.inside import cancel_reservation, extend_reservation, resize_reservation


class ExtendInput(serializers.Serializer[dict[str, Any]]):
    """For how many hours longer; `total_minor` is the price that was shown, any other is refused."""

    hours = serializers.IntegerField(min_value=1, max_value=MOST_HOURS)
    total_minor = serializers.IntegerField(min_value=0, required=False)


class ResizeInput(serializers.Serializer[dict[str, Any]]):
    """How many units from the next hour on; `total_minor` is the price that was shown, any other is refused."""

    units = serializers.IntegerField(min_value=1, max_value=MOST_UNITS)
    total_minor = serializers.IntegerField(min_value=0, required=False)


def changed(request: Request, reservation: str) -> Response:
    """The reservation read afresh, with its last change."""
    row = mine(request).by_public_id(reservation)
    return Response(reservation_as_json(row) | {"change": change_as_json(list(row.changes.all())[-1])})


class ExtendView(APIView):
    """Make a reservation longer."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], request=ExtendInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request, reservation: str) -> Response:
        """Take the next hours on the same offer at today's price; `dry_run=true` shows it."""
        ask, row = parse(ExtendInput, request.data), mine(request).by_public_id(reservation)
        extend_reservation(
            reservation=row, hours=ask["hours"], shown_minor=ask.get("total_minor"), now=utc_now(),
            through=Through(key_of(request)),
        )  # fmt: skip
        return changed(request, reservation)


class ResizeView(APIView):
    """Change the units of a reservation."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], request=ResizeInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request, reservation: str) -> Response:
        """Buy more for the hours that have not begun, or give some back that no job inside needs."""
        ask, row = parse(ResizeInput, request.data), mine(request).by_public_id(reservation)
        resize_reservation(
            reservation=row, units=ask["units"], shown_minor=ask.get("total_minor"), now=utc_now(),
            through=Through(key_of(request)),
        )  # fmt: skip
        return changed(request, reservation)


class CancelView(APIView):
    """End a reservation and return its hours."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, reservation: str) -> Response:
        """Cancel what is held or confirmed and has not begun, with the jobs that wait inside it."""
        row = cancel_reservation(reservation=mine(request).by_public_id(reservation), now=utc_now())
        return Response(reservation_as_json(row))
