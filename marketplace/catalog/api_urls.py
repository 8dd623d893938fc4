"""Addresses under /api/v1 that take a place: a grid zone, or a site of the catalog by its id."""

from marketplace.catalog.models import Site
from marketplace.energy.api.places import zone_of
from marketplace.energy.api_urls import urls_with_places
from marketplace.energy.models import GridZone


def zone_of_place(code: str) -> GridZone:
    """The zone of this code, or that of the site with this id; raises NotFound."""
    site = Site.objects.select_related("zone").filter(public_id=code).first()
    return site.zone if site else zone_of(code)


urlpatterns = urls_with_places(zone_of_place)
