"""Periodic work of energy."""

import logging

import httpx
from celery import shared_task

from marketplace.common.clock import utc_now
from marketplace.common.locking import alone
from marketplace.energy.expiring import expire_lots, warn_of_expiry
from marketplace.energy.feeds import claim_feed, fetch_feed, sync_feeds
from marketplace.energy.models import GridZone, SignalFeed
from marketplace.energy.promising import release_unused
from marketplace.energy.receipts.issuing import advance_receipts
from marketplace.energy.sampleplants import refresh_sample_generation
from marketplace.energy.services import record_scores, refresh_forecasts, refresh_sample_hours
from marketplace.energy.settling import SETTLE_AFTER, settle_due

log = logging.getLogger(__name__)
SETTLING_LOCK = (7_412, 10)


@shared_task(name="refresh_grid", time_limit=30)
def refresh_grid() -> None:
    """Publish the sample hours, of grid and plants, that have ended since the last time, and forecast every zone.

    Sources whose turn has come are asked by tasks of their own.
    """
    now = utc_now()
    if GridZone.objects.filter(sample=True).exists():
        refresh_sample_hours(now=now)
        refresh_sample_generation(now=now)
    sync_feeds(now=now)
    for feed in SignalFeed.objects.due(now).values_list("pk", flat=True):
        fetch_signals.apply_async((feed,), expires=300)
    refresh_forecasts(zones=GridZone.objects.all(), now=now)


@shared_task(name="fetch_signals", soft_time_limit=55, time_limit=60)
def fetch_signals(feed_id: int) -> None:
    """Ask one source about one zone if it is its turn, and go on at once while hours of the past are missing."""
    now = utc_now()
    feed = claim_feed(feed_id=feed_id, now=now)
    if feed is None:
        return
    with httpx.Client() as client:
        recorded = fetch_feed(feed=feed, client=client, now=now)
    if recorded and recorded.written and not feed.marginal:
        refresh_forecasts(zones=[feed.zone], now=now)
    if SignalFeed.objects.filter(pk=feed_id).due(now).exists():
        fetch_signals.apply_async((feed_id,), expires=300)


@shared_task(name="settle_energy", time_limit=300, soft_time_limit=290)
def settle_energy() -> None:
    """Settle the hours that are due, then write the receipts that follow from them."""
    with alone(*SETTLING_LOCK) as mine:
        if not mine:
            return
        while settled := settle_due(now=utc_now()):
            log.info("%s uses of energy were settled", settled)
        advance_receipts(now=utc_now())
        release_unused(now=utc_now(), after=2 * SETTLE_AFTER)


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
