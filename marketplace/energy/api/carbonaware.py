"""Bodies in the shape of the Carbon Aware SDK's web API (Green Software Foundation): camelCase in, camelCase out.

Its clients refuse names that they do not know, so nothing is added to the bodies: what the values are (metered,
modelled, forecast, yearly, sample) is told by a header.
"""

# ruff: noqa: N815 - these names are the SDK's

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from marketplace.common.clock import rfc3339
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.parsing import parse
from marketplace.energy.emissions import Rating
from marketplace.energy.windows import QUALITIES

QUALITY_HEADER = "Joulemart-Quality"
MOST_LOCATIONS = 10
MOST_ITEMS = 50
MINUTE = timedelta(minutes=1)
MG_PER_G = 1000


class LocationInput(serializers.Serializer[dict[str, Any]]):
    """One place and the moments between which it was observed."""

    location = serializers.CharField(max_length=40)
    time = serializers.DateTimeField(required=False)
    toTime = serializers.DateTimeField(required=False)


class LocationsInput(serializers.Serializer[dict[str, Any]]):
    """Several places (`location` once for each) and the moments between which they were observed."""

    location = serializers.ListField(
        child=serializers.CharField(max_length=40), allow_empty=False, max_length=MOST_LOCATIONS
    )
    time = serializers.DateTimeField(required=False)
    toTime = serializers.DateTimeField(required=False)


class ForecastsNowInput(serializers.Serializer[dict[str, Any]]):
    """Several places, the part of their forecast that counts, and the length of the work in minutes."""

    location = serializers.ListField(
        child=serializers.CharField(max_length=40), allow_empty=False, max_length=MOST_LOCATIONS
    )
    dataStartAt = serializers.DateTimeField(required=False)
    dataEndAt = serializers.DateTimeField(required=False)
    windowSize = serializers.IntegerField(min_value=1, max_value=14 * 24 * 60, required=False)


class ForecastItem(serializers.Serializer[dict[str, Any]]):
    """One forecast as it stood at `requestedAt`."""

    location = serializers.CharField(max_length=40)
    requestedAt = serializers.DateTimeField()
    dataStartAt = serializers.DateTimeField(required=False)
    dataEndAt = serializers.DateTimeField(required=False)
    windowSize = serializers.IntegerField(min_value=1, max_value=14 * 24 * 60, required=False)


class AverageInput(serializers.Serializer[dict[str, Any]]):
    """One place and the time that the work took there."""

    location = serializers.CharField(max_length=40)
    startTime = serializers.DateTimeField()
    endTime = serializers.DateTimeField()


class EmissionsDataOutput(serializers.Serializer[Any]):
    """An observed rating in g/kWh; `duration` as hh:mm:ss."""

    location = serializers.CharField()
    time = serializers.DateTimeField()
    rating = serializers.FloatField()
    duration = serializers.CharField()


class ForecastPointOutput(serializers.Serializer[Any]):
    """An expected rating in g/kWh over `duration` minutes."""

    location = serializers.CharField()
    timestamp = serializers.DateTimeField()
    duration = serializers.IntegerField()
    value = serializers.FloatField()


class ForecastOutput(serializers.Serializer[Any]):
    """A forecast and the best starts in it."""

    requestedAt = serializers.DateTimeField()
    location = serializers.CharField()
    dataStartAt = serializers.DateTimeField()
    dataEndAt = serializers.DateTimeField()
    windowSize = serializers.IntegerField()
    generatedAt = serializers.DateTimeField()
    optimalDataPoints = ForecastPointOutput(many=True)
    forecastData = ForecastPointOutput(many=True)


class AverageOutput(serializers.Serializer[Any]):
    """The mean over the time asked for, in g/kWh."""

    location = serializers.CharField()
    startTime = serializers.DateTimeField()
    endTime = serializers.DateTimeField()
    carbonIntensity = serializers.FloatField()


def parse_list(form: type[serializers.BaseSerializer[Any]], data: Any) -> list[dict[str, Any]]:
    """The validated items of a body that is a list; raises ValidationFailed with a JSON pointer for each problem."""
    if not isinstance(data, list) or not 0 < len(data) <= MOST_ITEMS:
        raise ValidationFailed(
            [FieldProblem("", "not_a_list", f"the body must be a list of 1 to {MOST_ITEMS} objects")]
        )
    items: list[dict[str, Any]] = []
    problems: list[FieldProblem] = []
    for index, item in enumerate(data):
        try:
            items.append(parse(form, item))
        except ValidationFailed as failure:
            problems += [
                FieldProblem(f"/{index}{each.pointer}", each.code, each.detail, each.hint) for each in failure.problems
            ]
    if problems:
        raise ValidationFailed(problems)
    return items


def labelled(body: Any, qualities: Iterable[int]) -> Response:
    """The answer, with the worst of its qualities in a header; 204 when there is nothing to tell, as the SDK does."""
    worst = max(qualities, default=None)
    response = Response(body) if body else Response(status=204)
    if worst is not None:
        response[QUALITY_HEADER] = QUALITIES[worst]
    return response


def emissions_as_json(rating: Rating) -> dict[str, Any]:
    return {
        "location": rating.location,
        "time": rfc3339(rating.start),
        "rating": rating.mg_per_kwh / MG_PER_G,
        "duration": f"{rating.length // timedelta(hours=1):02}:{rating.length // MINUTE % 60:02}:00",
    }


def point_as_json(rating: Rating) -> dict[str, Any]:
    return {
        "location": rating.location,
        "timestamp": rfc3339(rating.start),
        "duration": rating.length // MINUTE,
        "value": rating.mg_per_kwh / MG_PER_G,
    }


def average_as_json(location: str, start: datetime, end: datetime, mg_per_kwh: int) -> dict[str, Any]:
    return {
        "location": location,
        "startTime": rfc3339(start),
        "endTime": rfc3339(end),
        "carbonIntensity": mg_per_kwh / MG_PER_G,
    }
