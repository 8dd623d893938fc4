"""What the console calls a provider's metering points."""

from collections.abc import Sequence
from typing import Any

from accounts.models import Organization
from marketplace.catalog.models import Site
from marketplace.energy.models import MeterPoint


def points_of(organization: Organization) -> list[MeterPoint]:
    """The organization's metering points, by code."""
    return list(MeterPoint.objects.filter(organization=organization).select_related("zone").order_by("code"))


def names_of(points: Sequence[MeterPoint]) -> dict[int, str]:
    """What each point (by key) is called: its code, or the sites of one that was made together with its site."""
    sites = sites_of(points)
    return {
        point.pk: sites[point.pk] if point.pk in sites and point.code.startswith("sit_") else point.code
        for point in points
    }


def sites_of(points: Sequence[MeterPoint]) -> dict[int, str]:
    """The names of the sites at each point (by key) that has any."""
    sites: dict[int, list[str]] = {}
    rows = Site.objects.filter(point__in=[point.pk for point in points]).order_by("name")
    for key, name in rows.values_list("point", "name"):
        sites.setdefault(key, []).append(name)
    return {key: ", ".join(names) for key, names in sites.items()}


def choose_among(field: Any, organization: Organization) -> None:
    """Let a ModelChoiceField offer the organization's points by what they are called."""
    field.queryset = MeterPoint.objects.filter(organization=organization).order_by("code")
    names = names_of(points_of(organization))
    field.label_from_instance = lambda point: names.get(point.pk, point.code)
