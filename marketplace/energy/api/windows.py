"""When a run would be cleanest, over HTTP."""

from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.common.clock import HOUR, hour_ceil, hour_floor, moment_of, rfc3339
from marketplace.common.parsing import parse
from marketplace.energy.api.grid import MOST_HOURS
from marketplace.energy.api.places import FindZone, invalid, zone_of
from marketplace.energy.models import GridZone, SignalFeed
from marketplace.energy.starts import Band, RankedStart, candidate_starts, ranked_starts
from marketplace.energy.windows import QUALITIES
from marketplace.energy.zoneoutlook import notice_of, outlook_of

USUAL_SPAN = 48 * HOUR


class WindowsInput(serializers.Serializer[dict[str, Any]]):
    """Where (a zone, or a site by its id), for how many `hours`, and between which moments: by default from now on."""

    zone = serializers.CharField(max_length=40, required=False)
    site = serializers.CharField(max_length=40, required=False)
    hours = serializers.IntegerField(min_value=1, max_value=168)
    start__gte = serializers.DateTimeField(required=False)
    finish__lte = serializers.DateTimeField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)


class WindowsView(APIView):
    """Starts of a run, cleanest first."""

    public = True
    find_zone: FindZone = staticmethod(zone_of)

    @extend_schema(tags=["energy"], parameters=[WindowsInput], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Starts at the earliest moment and at every whole hour after it, by their median life-cycle intensity.

        Each with P10, P50, P90 of intensity (mg/kWh) and renewable share (ppm), and the change from starting now. A
        start that lies in the past means now. Averages describe the place: a cleaner hour is no avoided emission.
        """
        ask = parse(WindowsInput, request.query_params.dict())
        now = moment_of(request)
        zone = self.find_zone(_place(ask))
        length = ask["hours"] * HOUR
        earliest, finish = _between(ask, length, now)
        first = hour_floor(now)
        count = (hour_ceil(max(finish, now + length)) - first) // HOUR
        hours = outlook_of(zone=zone, start=first, hours=count, now=now)
        starts = candidate_starts(earliest, finish, length)
        ranked = ranked_starts(hours, first=first, now=now, starts=starts, length=length)
        data = [_start(zone, each, rank) for rank, each in enumerate(ranked[: ask["limit"]], start=1)]
        meta = {
            "count": len(ranked),
            "as_of": rfc3339(now),
            "notice": notice_of(zone=zone, sources=(), now=now),
            "stale_since": rfc3339(SignalFeed.objects.stale_since(now).get(zone.pk)),
        }
        has_more = len(ranked) > len(data)
        return Response({"object": "list", "zone": zone.code, "data": data, "has_more": has_more, "meta": meta})


def _place(ask: dict[str, Any]) -> str:
    if ("zone" in ask) == ("site" in ask):
        raise invalid("zone", "give either a zone or a site", "zone=DE")
    place: str = ask.get("zone") or ask["site"]
    return place


def _between(ask: dict[str, Any], length: timedelta, now: datetime) -> tuple[datetime, datetime]:
    """The earliest start and the latest end of a run; raises InvalidParameter."""
    earliest = max(ask.get("start__gte", now), now)
    latest = hour_floor(now) + MOST_HOURS * HOUR
    finish = ask.get("finish__lte", min(max(earliest + USUAL_SPAN, earliest + length), latest))
    if max(finish, now + length) > latest:
        raise invalid("finish__lte", "that is beyond the forecast", f"at the latest {rfc3339(latest)}")
    if earliest + length > finish:
        raise invalid(
            "finish__lte", "the run does not fit between start and finish", f"at least {rfc3339(earliest + length)}"
        )
    return earliest, finish


def _start(zone: GridZone, ranked: RankedStart, rank: int) -> dict[str, Any]:
    run, permille = ranked.run, ranked.change_permille
    return {
        "object": "run_window",
        "rank": rank,
        "start": rfc3339(run.start),
        "finish": rfc3339(run.finish),
        "carbon_mg_per_kwh": _band(run.lifecycle),
        "renewable_share_ppm": _band(run.renewable),
        "change_from_now": {
            "mg_per_kwh": ranked.change_mg, "percent": None if permille is None else permille / 10,
        },
        "quality": QUALITIES[run.quality],
        "sample": zone.sample,
    }  # fmt: skip


def _band(band: Band) -> dict[str, int | None]:
    return {"p10": band.p10, "p50": band.p50, "p90": band.p90}
