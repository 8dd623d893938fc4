"""Periodic work of energy."""

from celery import shared_task

from marketplace.common.clock import utc_now
from marketplace.energy.models import GridZone
from marketplace.energy.services import refresh_sample_hours


@shared_task(name="refresh_grid", time_limit=30)
def refresh_grid() -> None:
    """Publish the hours that have become known since the last time."""
    if GridZone.objects.filter(sample=True).exists():
        refresh_sample_hours(now=utc_now())
