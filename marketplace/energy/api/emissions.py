"""Addresses of the Carbon Aware SDK's web API, answered from the market's own record: average life-cycle intensity."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.common.clock import HOUR, hour_floor, moment_of, rfc3339
from marketplace.common.errors import NotFound
from marketplace.common.parsing import parse
from marketplace.energy.api import carbonaware as shape
from marketplace.energy.api.places import FindZone, invalid, zone_of
from marketplace.energy.emissions import Rating, best_ratings, expected_ratings, observed_ratings
from marketplace.energy.errors import NoHistory
from marketplace.energy.models import ForecastSignal, GridForecast
from marketplace.energy.services import share_over
from marketplace.energy.windows import QUALITIES
from marketplace.energy.zoneoutlook import forecasts_of

DAY = 24 * HOUR
LONGEST = 31 * DAY


class PlacesView(APIView):
    """A view of everybody's that takes places."""

    public = True
    find_zone: FindZone = staticmethod(zone_of)

    def observed(self, ask: dict[str, Any], places: list[str], now: datetime) -> list[Rating]:
        """The published hours of each place in turn; raises InvalidParameter and NotFound."""
        end = ask.get("toTime", max(now, ask.get("time", now)))
        start = ask.get("time", end - DAY)
        _check_span(start, end, "time", "toTime")
        return [
            rating
            for place in dict.fromkeys(places)
            for rating in observed_ratings(location=place, zone=self.find_zone(place), start=start, end=end, now=now)
        ]


class ByLocationView(PlacesView):
    """What was observed at one place."""

    @extend_schema(
        tags=["energy"], parameters=[shape.LocationInput], responses={200: shape.EmissionsDataOutput(many=True)}
    )
    def get(self, request: Request) -> Response:
        """Each published hour between `time` and `toTime` (the last day, unless said); 204 when there is none."""
        ask = parse(shape.LocationInput, request.query_params.dict())
        return _told(self.observed(ask, [ask["location"]], moment_of(request)))


class ByLocationsView(PlacesView):
    """What was observed at several places."""

    @extend_schema(
        tags=["energy"], parameters=[shape.LocationsInput], responses={200: shape.EmissionsDataOutput(many=True)}
    )
    def get(self, request: Request) -> Response:
        """Each published hour between `time` and `toTime`, place by place; 204 when there is none."""
        ask = parse(shape.LocationsInput, _query(request))
        return _told(self.observed(ask, ask["location"], moment_of(request)))


class BestLocationsView(PlacesView):
    """Where and when it was cleanest."""

    @extend_schema(
        tags=["energy"], parameters=[shape.LocationsInput], responses={200: shape.EmissionsDataOutput(many=True)}
    )
    def get(self, request: Request) -> Response:
        """The hours with the lowest rating among all of these places; 204 when there is none."""
        ask = parse(shape.LocationsInput, _query(request))
        return _told(best_ratings(self.observed(ask, ask["location"], moment_of(request))))


class ForecastsNowView(PlacesView):
    """The present forecast of several places."""

    @extend_schema(
        tags=["energy"], parameters=[shape.ForecastsNowInput], responses={200: shape.ForecastOutput(many=True)}
    )
    def get(self, request: Request) -> Response:
        """For each place the mean of every window of `windowSize` minutes within the forecast, and the best of them.

        Hours that have ended are no part of it, however late the place's source is.
        """
        ask = parse(shape.ForecastsNowInput, _query(request))
        now = moment_of(request)
        told = []
        for place in dict.fromkeys(ask["location"]):
            zone = self.find_zone(place)
            found = forecasts_of(zone=zone, signals=[ForecastSignal.LIFECYCLE], now=now)
            if not found or _end_of(found[0]) <= now:
                raise NoHistory(zone.code)
            told.append(_forecast(ask, place, found[0], now, since=max(found[0].origin, hour_floor(now))))
        return shape.labelled([body for body, _ in told], [quality for _, found in told for quality in found])


class ForecastsBatchView(PlacesView):
    """Forecasts as they stood, to see what one would have done."""

    @extend_schema(
        tags=["energy"], request=shape.ForecastItem(many=True), responses={200: shape.ForecastOutput(many=True)}
    )
    def post(self, request: Request) -> Response:
        """For each item the forecast that was the latest at `requestedAt`; changes nothing."""
        now = moment_of(request)
        told = []
        for index, item in enumerate(shape.parse_list(shape.ForecastItem, request.data)):
            zone, asked = self.find_zone(item["location"]), item["requestedAt"]
            if asked > now:
                raise invalid(f"/{index}/requestedAt", "nothing is known of that moment yet", f"at most {rfc3339(now)}")
            row = GridForecast.objects.latest_of(zone, ForecastSignal.LIFECYCLE, by=asked)
            if row is None:
                raise NotFound(
                    f"no forecast of {zone.code} was kept by {rfc3339(asked)}", hint="ask for a later moment"
                )
            told.append(_forecast(item, item["location"], row, asked, since=row.origin))
        return shape.labelled([body for body, _ in told], [quality for _, found in told for quality in found])


class AverageView(PlacesView):
    """The mean of one place over a time."""

    @extend_schema(tags=["energy"], parameters=[shape.AverageInput], responses={200: shape.AverageOutput})
    def get(self, request: Request) -> Response:
        """The average intensity between `startTime` and `endTime`, each hour weighted by the part that is asked for."""
        ask = parse(shape.AverageInput, request.query_params.dict())
        body, quality = _average(self.find_zone, ask, moment_of(request))
        return shape.labelled(body, [quality])


class AverageBatchView(PlacesView):
    """The means of several places and times."""

    @extend_schema(
        tags=["energy"], request=shape.AverageInput(many=True), responses={200: shape.AverageOutput(many=True)}
    )
    def post(self, request: Request) -> Response:
        """As `average-carbon-intensity` for each item; changes nothing."""
        now = moment_of(request)
        asks = shape.parse_list(shape.AverageInput, request.data)
        told = [_average(self.find_zone, ask, now, f"/{index}/") for index, ask in enumerate(asks)]
        return shape.labelled([body for body, _ in told], [quality for _, quality in told])


def _query(request: Request) -> dict[str, Any]:
    """The query with every `location`; the SDK's own examples call it `locations` too."""
    params = request.query_params
    names = [*params.getlist("location"), *params.getlist("locations")]
    return {name: value for name, value in params.dict().items() if name != "locations"} | {"location": names}


def _told(ratings: list[Rating]) -> Response:
    return shape.labelled([shape.emissions_as_json(each) for each in ratings], [each.quality for each in ratings])


def _check_span(start: datetime, end: datetime, first: str, last: str) -> None:
    if end < start or end - start > LONGEST:
        raise invalid(last, f"from nothing to 31 days after {first}", rfc3339(start + DAY) or "")


def _average(find_zone: FindZone, ask: dict[str, Any], now: datetime, at: str = "") -> tuple[dict[str, Any], int]:
    """The body and its quality; raises InvalidParameter, NotFound, NoHistory."""
    start, end = ask["startTime"], ask["endTime"]
    if end <= start or end > now:
        raise invalid(f"{at}endTime", "must lie after startTime and not in the future", f"at most {rfc3339(now)}")
    _check_span(start, end, f"{at}startTime", f"{at}endTime")
    share = share_over(zone=find_zone(ask["location"]), start=start, end=end, now=now)
    body = shape.average_as_json(ask["location"], start, end, share.lifecycle_mg)
    return body, QUALITIES.index(share.quality)


def _end_of(row: GridForecast) -> datetime:
    return row.origin + len(row.p50) * HOUR


def _forecast(
    ask: dict[str, Any], place: str, row: GridForecast, requested: datetime, *, since: datetime
) -> tuple[dict[str, Any], Iterator[int]]:
    """The body and the qualities in it; raises InvalidParameter for bounds outside of what the forecast has since."""
    last = _end_of(row)
    start, end = ask.get("dataStartAt", since), ask.get("dataEndAt", last)
    if not since <= start < end <= last:
        raise invalid(
            "dataStartAt", "dataStartAt and dataEndAt lie within the forecast, one after the other",
            f"{rfc3339(since)} to {rfc3339(last)}",
        )  # fmt: skip
    size = ask.get("windowSize", HOUR // shape.MINUTE)
    ratings = expected_ratings(location=place, row=row, start=start, end=end, length=timedelta(minutes=size))
    body = {
        "requestedAt": rfc3339(requested),
        "location": place,
        "dataStartAt": rfc3339(start),
        "dataEndAt": rfc3339(end),
        "windowSize": size,
        "generatedAt": rfc3339(row.origin),
        "optimalDataPoints": [shape.point_as_json(each) for each in best_ratings(ratings)],
        "forecastData": [shape.point_as_json(each) for each in ratings],
    }
    return body, (each.quality for each in ratings)
