"""Reservations over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import key_of, organizations_of
from marketplace.booking import services
from marketplace.booking.greenpromises import promise_as_json, promise_for, promise_of
from marketplace.booking.models import Quote, Reservation
from marketplace.booking.querysets import ReservationQuerySet
from marketplace.booking.reservationview import reservation_as_json
from marketplace.common.clock import utc_now
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.ledger.budgets import Through

SCOPES = {"GET": "reservations:read", "POST": "reservations:write"}


class PromiseInput(serializers.Serializer[dict[str, Any]]):
    """How many per cent of the energy shall be promised to be matched by the hour, and how many it must be at least."""

    percent = serializers.IntegerField(min_value=1, max_value=100)
    least_percent = serializers.IntegerField(min_value=1, max_value=100, default=1)


class ReserveInput(serializers.Serializer[dict[str, Any]]):
    """Which option of which quote; `confirm: false` holds it until the quote expires."""

    quote = serializers.CharField(max_length=40)
    option = serializers.IntegerField(min_value=1, default=1)
    confirm = serializers.BooleanField(default=True)
    promise_green = PromiseInput(required=False)


def mine(request: Request) -> ReservationQuerySet:
    """The reservations of the caller's organizations."""
    return Reservation.objects.of(organizations_of(request)).with_terms().with_changes()


def shown(reservation: Reservation) -> dict[str, Any]:
    """One reservation with what was promised of its energy."""
    return reservation_as_json(reservation) | {"green_promise": promise_as_json(promise_of(reservation))}


class ReservationsView(APIView):
    """List and make reservations."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], operation_id="reservations_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """The caller's reservations, newest first."""
        return paged(request, mine(request), reservation_as_json, now=utc_now())

    @extend_schema(tags=["reservations"], request=ReserveInput, responses={201: dict})
    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        """Take an option of a quote, at the quote's price."""
        ask = parse(ReserveInput, request.data)
        now = utc_now()
        quote = Quote.objects.of(organizations_of(request)).by_public_id(ask["quote"])
        reservation = services.hold_option(quote=quote, option=ask["option"], now=now)
        if wish := ask.get("promise_green"):
            promise_for(
                reservation=reservation, asked_percent=wish["percent"], least_percent=wish["least_percent"], now=now
            )
        if ask["confirm"]:
            services.confirm(reservation=reservation, now=now, through=Through(key_of(request)))
        return Response(shown(mine(request).by_public_id(reservation.public_id)), status=201)


class ReservationView(APIView):
    """One reservation."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], responses={200: dict})
    def get(self, request: Request, reservation: str) -> Response:
        """The reservation with its frozen price and terms."""
        return Response(shown(mine(request).by_public_id(reservation)))


class ConfirmView(APIView):
    """Make a held reservation firm."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request, reservation: str) -> Response:
        """Confirm before the hold expires."""
        row = services.confirm(
            reservation=mine(request).by_public_id(reservation), now=utc_now(), through=Through(key_of(request))
        )
        return Response(reservation_as_json(row))
