"""Questions about yearly figures of grids."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

if TYPE_CHECKING:
    from marketplace.energy.models import GridYear


class GridYearQuerySet(models.QuerySet["GridYear"]):
    def of_zones(self, zones: Collection[int]) -> "dict[int, list[GridYear]]":
        """By zone (key) its years, the earliest first and of one year the latest published last.

        A zone without years of its own has those of the zone that bears its country's code.
        """
        from marketplace.energy.models import GridZone  # noqa: PLC0415  # models ask querysets, not the reverse

        asked = dict(GridZone.objects.filter(pk__in=zones).values_list("pk", "country"))
        national = Q(zone__code=F("zone__country"), zone__country__in=set(asked.values()))
        rows = self.filter(Q(zone__in=asked) | national).select_related("zone")
        own: dict[int, list[GridYear]] = {}
        of_country: dict[str, list[GridYear]] = {}
        for row in rows.order_by("year", "published_at", "pk"):
            own.setdefault(row.zone_id, []).append(row)
            if row.zone.code == row.zone.country:
                of_country.setdefault(row.zone.country, []).append(row)
        found = {zone: own.get(zone) or of_country.get(country, []) for zone, country in asked.items()}
        return {zone: years for zone, years in found.items() if years}
