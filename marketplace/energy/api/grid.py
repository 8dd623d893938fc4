"""Grid zones, their hours and forecasts over HTTP. Open to everybody: the grid belongs to nobody."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.common.clock import HOUR, hour_ceil, hour_floor, moment_of, rfc3339
from marketplace.common.paging import list_answer, page_of_list, read_ask
from marketplace.common.parsing import parse
from marketplace.energy.api.places import invalid, zone_of
from marketplace.energy.errors import NoHistory
from marketplace.energy.models import ForecastSignal, GridForecast, GridHour, GridZone, MarginalHour, SignalFeed
from marketplace.energy.services import ZoneHours, hours_of
from marketplace.energy.signals.base import BASES
from marketplace.energy.zoneoutlook import forecasts_of, notice_of, told_hours

MOST_HOURS = 336


class HoursInput(serializers.Serializer[dict[str, Any]]):
    """Which zone and hours: [start, end), or `hours` from `start`; by default 48 hours from now."""

    zone = serializers.CharField(max_length=20)
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)
    hours = serializers.IntegerField(min_value=1, max_value=MOST_HOURS, required=False)


class ForecastsInput(serializers.Serializer[dict[str, Any]]):
    """Which zone, and which of its signals (all when left out)."""

    zone = serializers.CharField(max_length=20)
    signal = serializers.ChoiceField(choices=ForecastSignal.values, required=False)


def zone_as_json(zone: GridZone, stale_since: datetime | None) -> dict[str, Any]:
    return {
        "object": "grid_zone",
        "id": zone.code,
        "name": zone.name,
        "name_zh": zone.name_zh,
        "country": zone.country,
        "market_boundary": zone.market_boundary,
        "timezone": zone.timezone,
        "lat": zone.latitude,
        "lon": zone.longitude,
        "sample": zone.sample,
        "stale_since": rfc3339(stale_since),
    }


class ZonesView(APIView):
    """The zones whose hours are known."""

    public = True

    @extend_schema(tags=["energy"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Every grid zone, by code; `stale_since` where its source is late: what it said last is still used."""
        page = page_of_list(list(GridZone.objects.all()), read_ask(request.query_params), id_of=lambda zone: zone.code)
        now = moment_of(request)
        stale = SignalFeed.objects.stale_since(now)
        return list_answer(request, page, lambda zone: zone_as_json(zone, stale.get(zone.pk)), now=now)


class HoursView(APIView):
    """Carbon intensity and renewable share, hour by hour."""

    public = True

    @extend_schema(tags=["energy"], parameters=[HoursInput], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Published where known, forecast where not; each hour says which. Intensity is the life-cycle average.

        `marginal` stands apart: what one more kWh would have emitted, where a source tells it. It is no average and is
        never mixed with one.
        """
        ask = parse(HoursInput, request.query_params.dict())
        zone, now = zone_of(ask["zone"]), moment_of(request)
        start, count = _span(ask, now)
        end = start + count * HOUR
        hours = hours_of(zones=[zone], start=start, hours=count, now=now).zone(zone)
        told = told_hours(zone=zone, start=start, end=min(end, hour_floor(now)))
        marginal = MarginalHour.objects.latest_within(zone, start, end)
        sources = {row.source for row in told.values()} | {row.source for row in marginal.values()}
        meta = {
            "count": count,
            "as_of": rfc3339(now),
            "notice": notice_of(zone=zone, sources=sources, now=now),
            "stale_since": rfc3339(SignalFeed.objects.stale_since(now).get(zone.pk)),
        }
        body = {
            "data": [_hour(zone, hours, number, start, told) for number in range(count)],
            "marginal": [_marginal(row) for row in marginal.values()],
            "has_more": False,
            "meta": meta,
        }
        return Response({"object": "list", "zone": zone.code, **body})


class ForecastsView(APIView):
    """What is expected of a zone, with the range that four in five hours should fall into."""

    public = True

    @extend_schema(tags=["energy"], parameters=[ForecastsInput], responses={200: dict})
    def get(self, request: Request) -> Response:
        """P10, P50 and P90 of each signal for 14 days from the last published hour: shares in ppm, others in mg/kWh."""
        ask = parse(ForecastsInput, request.query_params.dict())
        zone, now = zone_of(ask["zone"]), moment_of(request)
        wanted = [ask["signal"]] if "signal" in ask else ForecastSignal.values
        found = forecasts_of(zone=zone, signals=wanted, now=now)
        if not found:
            raise NoHistory(zone.code)
        data = [forecast_as_json(zone, row) for row in found]
        meta = {"count": len(data), "as_of": rfc3339(now)}
        return Response({"object": "list", "zone": zone.code, "data": data, "has_more": False, "meta": meta})


def forecast_as_json(zone: GridZone, row: GridForecast) -> dict[str, Any]:
    return {
        "object": "grid_forecast",
        "zone": zone.code,
        "signal": row.signal,
        "unit": unit_of(row.signal),
        "origin": rfc3339(row.origin),
        "method": row.method,
        "vintage": row.vintage,
        "sample": zone.sample,
        "p10": row.p10,
        "p50": row.p50,
        "p90": row.p90,
    }


def unit_of(signal: str) -> str:
    """What the values of a forecast signal count."""
    return "ppm" if signal in {ForecastSignal.RENEWABLE, ForecastSignal.CARBON_FREE} else "mg_per_kwh"


def _span(ask: dict[str, Any], now: datetime) -> tuple[datetime, int]:
    """The first whole hour and the number of hours; raises InvalidParameter."""
    start = hour_floor(ask.get("start") or now)
    if "end" in ask and "hours" in ask:
        raise invalid("hours", "give either end or hours", "leave one out")
    count = (hour_ceil(ask["end"]) - start) // HOUR if "end" in ask else ask.get("hours", 48)
    if not 1 <= count <= MOST_HOURS:
        raise invalid(
            "end", f"from 1 to {MOST_HOURS} hours can be asked for at once", "end after start, within 14 days"
        )
    latest = hour_floor(now) + MOST_HOURS * HOUR
    if start + count * HOUR > latest:
        raise invalid("start", "that is beyond the forecast", f"the last hour ends at {rfc3339(latest)}")
    return start, count


def _hour(
    zone: GridZone, hours: ZoneHours, number: int, start: datetime, told: Mapping[datetime, GridHour]
) -> dict[str, Any]:
    row = told.get(start + number * HOUR)
    return {
        "object": "grid_hour",
        "start": rfc3339(start + number * HOUR),
        "renewable_share_ppm": hours.renewable_ppm[number],
        "carbon_free_share_ppm": hours.carbon_free_ppm[number],
        "carbon_mg_per_kwh": hours.lifecycle_mg[number],
        "direct_mg_per_kwh": hours.direct_mg[number],
        "quality": hours.quality(number),
        "forecast": hours.forecast[number],
        "sample": zone.sample,
        "source": row.source if row else None,
        "vintage": row.vintage if row else None,
        "basis": BASES.get(row.source) if row else None,
    }


def _marginal(row: MarginalHour) -> dict[str, Any]:
    return {
        "object": "marginal_hour",
        "start": rfc3339(row.start),
        "marginal_mg_per_kwh": row.marginal_mg_per_kwh,
        "source": row.source,
        "vintage": row.vintage,
    }
