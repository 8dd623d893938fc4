"""What can be done to a reservation with the jobs inside it, over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.booking.api import SCOPES, mine
from marketplace.booking.reservationview import reservation_as_json
from marketplace.common.clock import utc_now
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from scheduler.inside import cancel_reservation


class CancelView(APIView):
    """End a reservation and return its hours."""

    scopes = SCOPES

    @extend_schema(tags=["reservations"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, reservation: str) -> Response:
        """Cancel what is held or confirmed and has not begun, with the jobs that wait inside it."""
        row = cancel_reservation(reservation=mine(request).by_public_id(reservation), now=utc_now())
        return Response(reservation_as_json(row))
