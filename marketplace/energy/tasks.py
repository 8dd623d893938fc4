"""Periodic work of energy."""

from celery import shared_task

from marketplace.common.clock import utc_now
from marketplace.energy.expiring import expire_lots, warn_of_expiry
from marketplace.energy.models import GridZone
from marketplace.energy.services import record_scores, refresh_forecasts, refresh_sample_hours


@shared_task(name="refresh_grid", time_limit=30)
def refresh_grid() -> None:
    """Publish the sample hours that have ended since the last time, and forecast every zone from its last hour."""
    now = utc_now()
    if GridZone.objects.filter(sample=True).exists():
        refresh_sample_hours(now=now)
    refresh_forecasts(zones=GridZone.objects.all(), now=now)


@shared_task(name="score_forecasts", time_limit=60)
def score_forecasts() -> None:
    """Judge the forecasts of every day whose hours have become known since the last time."""
    record_scores(zones=GridZone.objects.all(), now=utc_now())


@shared_task(name="expire_certificates", time_limit=300)
def expire_certificates() -> None:
    """Tell whose certificates come to their end, and expire those that have."""
    now = utc_now()
    while warn_of_expiry(now=now):
        pass
    while expire_lots(now=now):
        pass
