"""What a provider has promised, over HTTP, and giving it up. Whose it is and what it costs them is not shown."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import organizations_of
from marketplace.booking.models import Reservation
from marketplace.booking.querysets import ReservationQuerySet
from marketplace.booking.states import GIVE_UP_REASONS
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from scheduler.inside import GivenUp, give_up_reservation

SCOPES = {"GET": "offers:read", "POST": "offers:write"}


class GiveUpInput(serializers.Serializer[dict[str, Any]]):
    """Why; `provider_minor` is the part of the credit that was shown as the provider's, more is refused."""

    reason = serializers.ChoiceField(choices=GIVE_UP_REASONS)
    provider_minor = serializers.IntegerField(min_value=0, required=False)


def sold(request: Request) -> ReservationQuerySet:
    """The reservations of offers of the caller's organizations."""
    return Reservation.objects.sold_by(organizations_of(request)).with_terms().with_changes()


def sold_as_json(reservation: Reservation) -> dict[str, Any]:
    """The promise as its provider sees it."""
    offer = reservation.offer
    return {
        "object": "sold_reservation",
        "id": reservation.public_id,
        "state": reservation.state,
        "reason": reservation.reason or None,
        "offer": {"id": offer.public_id, "title": offer.title},
        "site": {"id": offer.site.public_id, "name": offer.site.name, "sample": offer.site.sample},
        "units": reservation.units,
        "start": rfc3339(reservation.start),
        "end": rfc3339(reservation.end),
        "currency": reservation.contract.currency,
        "created_at": rfc3339(reservation.created_at),
    }


def given_up_as_json(reservation: Reservation, told: GivenUp) -> dict[str, Any]:
    """The reservation with what giving it up came to."""
    return sold_as_json(reservation) | {
        "given_up": {
            "refund_minor": told.refund_minor,
            "credit_minor": told.credit_minor,
            "provider_minor": told.provider_minor,
            "jobs": told.jobs,
        }
    }


class SoldReservationsView(APIView):
    """What was promised to buyers."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], operation_id="sold_reservations_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Reservations of the caller's own offers, newest first."""
        return paged(request, sold(request), sold_as_json, now=utc_now())


class SoldReservationView(APIView):
    """One reservation of the caller's own offers."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], responses={200: dict})
    def get(self, request: Request, reservation: str) -> Response:
        """Its units, its window and its state."""
        return Response(sold_as_json(sold(request).by_public_id(reservation)))


class GiveUpView(APIView):
    """End a reservation that its provider cannot keep."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], request=GiveUpInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request, reservation: str) -> Response:
        """Its buyer has all that is held back, and a service credit; `dry_run=true` shows both."""
        ask, row = parse(GiveUpInput, request.data), sold(request).by_public_id(reservation)
        told = give_up_reservation(
            reservation=row, reason=ask["reason"], shown_minor=ask.get("provider_minor"), now=utc_now()
        )
        return Response(given_up_as_json(row, told))
