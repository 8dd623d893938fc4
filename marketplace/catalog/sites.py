"""Sites and the metering points that their energy is settled at."""

from typing import Any

from django.db import transaction

from marketplace.catalog.models import Site
from marketplace.common.ids import new_id
from marketplace.energy.models import MeterPoint


@transaction.atomic
def add_site(**fields: Any) -> Site:
    """A new site with the `fields` of the model; it gets a metering point of its own where none is named."""
    site = Site(public_id=new_id("sit"), **fields)
    return save_site(site)


@transaction.atomic
def save_site(site: Site) -> Site:
    """Write a site. A new one without a metering point gets one; the overhead of an old one goes to its point too."""
    if site.point_id is None:
        site.point = MeterPoint.objects.create(
            organization=site.provider, code=site.public_id, zone=site.zone, pue_design_ppm=site.pue_ppm,
            created_at=site.created_at,
        )  # fmt: skip
    elif site.pk is not None:
        MeterPoint.objects.filter(pk=site.point_id).update(pue_design_ppm=site.pue_ppm)
    site.save()
    return site
