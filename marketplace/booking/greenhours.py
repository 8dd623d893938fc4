"""How green a site's hours are: its own supply against all that it has on sale, and the grid for the rest."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import BigIntegerField, Exists, F, OuterRef, Sum, Value
from django.db.models.functions import Cast

from marketplace.catalog.models import Offer, Site
from marketplace.common.units import PPM
from marketplace.energy.listings import Listing, refresh_outlooks
from marketplace.energy.models import GridZone, SourceShare
from marketplace.energy.pointhours import PointHours, PointLoad, PointWindow, point_hours


def green_hours(*, sites: Iterable[Site], start: datetime, hours: int, now: datetime) -> PointWindow:
    """The hours of the sites' metering points, for the flat load of their whole capacity on sale.

    A constant number of queries whatever the number of sites.
    """
    zones = {site.point_id: site.zone for site in sites}
    watts = load_watts()
    loads = [PointLoad(point, zone, watts.get(point, 0)) for point, zone in sorted(zones.items())]
    return point_hours(loads=loads, start=start, hours=hours, now=now)


def green_hours_at(*, site: Site, start: datetime, hours: int, now: datetime) -> PointHours:
    """The hours of one site. Raises NoHistory where too little is known of its zone."""
    window = green_hours(sites=[site], start=start, hours=hours, now=now)
    return window.point(PointLoad(site.point_id, site.zone, 0))


def refresh_listings(*, now: datetime) -> int:
    """Write the outlook of every live offer anew; how many rows."""
    watts, zones = load_watts(served=False), GridZone.objects.in_bulk()
    rows = Offer.objects.live().order_by("pk").values_list("public_id", "site__point", "site__zone")
    listings = [Listing(subject, PointLoad(point, zones[zone], watts.get(point, 0))) for subject, point, zone in rows]
    return refresh_outlooks(listings=listings, now=now)


def load_watts(*, served: bool = True) -> dict[int, int]:
    """By metering point the W that its live offers draw at the site's meter, all units at full power, each rounded up.

    Of points that a plant serves, or of all. Machines that two offers share count once.
    """
    at_the_meter = Cast(F("hardware__max_w"), BigIntegerField()) * F("site__pue_ppm")
    watts = F("units") * ((at_the_meter + Value(PPM - 1)) / Value(PPM))
    machines = Offer.objects.live().exclude(twin__state="live")
    if served:
        machines = machines.filter(Exists(SourceShare.objects.filter(point=OuterRef("site__point"))))
    rows = machines.order_by().values_list("site__point").annotate(watts=Sum(watts, output_field=BigIntegerField()))
    return dict(rows)
