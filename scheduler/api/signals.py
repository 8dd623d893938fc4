"""The price signal of an offer over HTTP."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role
from marketplace.common.clock import rfc3339, utc_now
from scheduler.api.offers import days_asked, own
from scheduler.pricesignal import HOURS, HourSignal, price_signal, sentence_of


class PriceSignalView(APIView):
    """What a provider could ask for the hours of an offer."""

    scopes = {"GET": "offers:read"}
    roles = {"GET": (Role.PROVIDER,)}

    @extend_schema(tags=["offers"], parameters=[OpenApiParameter("days", int)], responses={200: dict})
    def get(self, request: Request, offer: str) -> Response:
        """Price asked, worth of one more unit, unsold units and a suggestion for every hour of up to seven days.

        Only of an own offer. `as_of` is null, and there are no hours, before a round has priced the segment's hours.
        """
        row, now = own(request, offer), utc_now()
        signal = price_signal(offer=row, now=now, hours=min(HOURS, days_asked(request) * 24))
        return Response({
            "object": "price_signal", "offer": row.public_id, "currency": row.currency,
            "as_of": rfc3339(signal.as_of) if signal.as_of else None, "hours": list(map(hour_as_json, signal.hours)),
        })  # fmt: skip


def hour_as_json(hour: HourSignal) -> dict[str, Any]:
    """One hour; rates are the provider's own, prices what buyers pay, mm per unit-hour."""
    return {
        "start": rfc3339(hour.start),
        "units": hour.units,
        "free": hour.free,
        "rate_mm": hour.rate_mm,
        "unit_price_mm": hour.asked_mm,
        "shadow_price_mm": hour.shadow_mm,
        "suggestion": {
            "code": hour.code,
            "rate_mm": hour.suggested_rate_mm,
            "unit_price_mm": hour.suggested_mm,
            "sentence": sentence_of(hour.code),
        },
    }
