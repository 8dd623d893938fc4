"""How good the forecasts of a zone were, over HTTP. Open to everybody, as the forecasts are."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.common.clock import hour_floor, moment_of, rfc3339
from marketplace.common.parsing import parse
from marketplace.common.units import PPM, nearest_div
from marketplace.energy.api.grid import unit_of
from marketplace.energy.api.places import zone_of
from marketplace.energy.models import ForecastScore, GridZone
from marketplace.energy.querysets.grid import ScoreTotals

TRAILING = timedelta(days=30)


class ScoresInput(serializers.Serializer[dict[str, Any]]):
    """Which zone."""

    zone = serializers.CharField(max_length=20)


class ScoresView(APIView):
    """How far off the forecasts of a zone were, beside what it costs to say yesterday again."""

    public = True

    @extend_schema(tags=["energy"], parameters=[ScoresInput], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Per signal over the last 30 days, up to 24 hours ahead: mean absolute error, MASE and P10-P90 coverage.

        `mase_ppm` is the error over that of "as yesterday at this hour": below 1,000,000 the forecast is the better
        one; null when yesterday was never wrong. Of `inside_ppm` 800,000 is right. A signal whose days have not been
        judged yet is missing.
        """
        zone, now = zone_of(parse(ScoresInput, request.query_params.dict())["zone"]), moment_of(request)
        until = hour_floor(now).date()
        found = ForecastScore.objects.of_days(zone, until - TRAILING, until).by_signal()
        data = [_as_json(zone, totals) for totals in found]
        meta = {
            "count": len(data), "as_of": rfc3339(now),
            "first_day": (until - TRAILING).isoformat(), "end_day": until.isoformat(),
        }  # fmt: skip
        return Response({"object": "list", "zone": zone.code, "data": data, "has_more": False, "meta": meta})


def _as_json(zone: GridZone, totals: ScoreTotals) -> dict[str, Any]:
    return {
        "object": "forecast_score",
        "zone": zone.code,
        "signal": totals.signal,
        "unit": unit_of(totals.signal),
        "method": totals.method,
        "sample": zone.sample,
        "days": totals.days,
        "hours": totals.hours,
        "mae": nearest_div(totals.error, totals.hours),
        "naive_mae": nearest_div(totals.naive_error, totals.hours),
        "mase_ppm": nearest_div(totals.error * PPM, totals.naive_error) if totals.naive_error else None,
        "inside_ppm": totals.inside_ppm // totals.hours,
    }
