"""Grid zones and their hours over HTTP."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.common.clock import HOUR, hour_floor, rfc3339, utc_now
from marketplace.common.errors import NotFound
from marketplace.common.paging import list_answer, page_of, read_ask
from marketplace.common.parsing import parse
from marketplace.energy.models import GridZone
from marketplace.energy.services import NoHistory, ZoneHours, hours_of

MOST_HOURS = 336


class HoursInput(serializers.Serializer[dict[str, Any]]):
    """Which zone and hours."""

    zone = serializers.CharField(max_length=20)
    start = serializers.DateTimeField(required=False)
    hours = serializers.IntegerField(min_value=1, max_value=MOST_HOURS, default=48)


def zone_as_json(zone: GridZone) -> dict[str, Any]:
    return {
        "object": "grid_zone",
        "id": zone.code,
        "name": zone.name,
        "name_zh": zone.name_zh,
        "country": zone.country,
        "timezone": zone.timezone,
        "sample": zone.sample,
    }


class ZonesView(APIView):
    """The zones whose hours are known."""

    public = True

    @extend_schema(tags=["energy"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Every grid zone."""
        page = page_of(GridZone.objects.all(), read_ask(request.query_params))
        return list_answer(request, page, zone_as_json, now=utc_now())


class HoursView(APIView):
    """Carbon intensity and renewable share, hour by hour."""

    public = True

    @extend_schema(tags=["energy"], parameters=[HoursInput], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Published where known, forecast where not; each hour says which."""
        ask = parse(HoursInput, request.query_params.dict())
        zone = GridZone.objects.filter(code=ask["zone"]).first()
        if zone is None:
            raise NotFound(f"there is no grid zone {ask['zone']}", hint="GET /api/v1/energy/zones")
        now = utc_now()
        start = hour_floor(ask.get("start") or now)
        latest = now + timedelta(hours=MOST_HOURS)
        if start > latest:
            raise NotFound("that is beyond the forecast", hint=f"start before {rfc3339(latest)}")
        try:
            hours = hours_of(zones=[zone], start=start, hours=ask["hours"], now=now).zone(zone)
        except NoHistory as error:
            raise NotFound(str(error)) from error
        data = [_hour(hours, number, rfc3339(start + number * HOUR)) for number in range(ask["hours"])]
        return Response({"object": "list", "zone": zone.code, "data": data, "has_more": False})


def _hour(hours: ZoneHours, number: int, start: str | None) -> dict[str, Any]:
    return {
        "start": start,
        "renewable_share_ppm": hours.renewable_ppm[number],
        "carbon_free_share_ppm": hours.carbon_free_ppm[number],
        "carbon_mg_per_kwh": hours.lifecycle_mg[number],
        "direct_mg_per_kwh": hours.direct_mg[number],
        "quality": hours.quality(number),
        "forecast": number >= hours.known,
    }
