"""Asking the sources that the settings name: whose turn it is, for which hours, and what follows from the answer.

A feed is claimed by moving its next turn on, so of any number of processes one asks. The source is asked outside any
transaction; only what it said is written in one. What is known stays when a source fails.
"""

from datetime import datetime, timedelta

import httpx
import structlog
from django.conf import settings
from django.db import transaction

from marketplace.common.clock import HOUR, hour_floor
from marketplace.energy.models import GridZone, SignalFeed
from marketplace.energy.recording import Recorded, record_points
from marketplace.energy.services import HISTORY_HOURS, add_zone
from marketplace.energy.signals.base import SignalPoint
from marketplace.energy.signals.errors import ProviderConfused, ProviderError, ProviderRefused
from marketplace.energy.signals.registry import provider_of
from marketplace.energy.signals.sources import SOURCES, FeedSetting, Source
from marketplace.energy.zones import BY_CODE

log = structlog.get_logger(__name__)

CLAIM = timedelta(minutes=2)  # a process that died leaves the feed to the next one after this
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=1)
FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED = timedelta(minutes=30), timedelta(hours=6)  # a person has to mend it


@transaction.atomic
def sync_feeds(*, now: datetime) -> None:
    """Make the feeds as the settings have them: new ones are due at once, others' are gone."""
    kept = [feed.pk for feed in (_feed_of(wanted, now) for wanted in settings.SIGNALS.feeds) if feed]
    SignalFeed.objects.exclude(pk__in=kept).delete()


def claim_feed(*, feed_id: int, now: datetime) -> SignalFeed | None:
    """The feed, for this process alone to ask; None when it is not due or another process was first."""
    claimed = SignalFeed.objects.filter(pk=feed_id).due(now).update(next_try_at=now + CLAIM)
    return SignalFeed.objects.select_related("zone").get(pk=feed_id) if claimed else None


def fetch_feed(*, feed: SignalFeed, client: httpx.Client, now: datetime) -> Recorded | None:
    """Ask the source of a claimed feed for the hours that are due, and keep what it says; None when it failed.

    A failure changes nothing but the feed: it is tried again later and later. Raises CallInsideTransaction.
    """
    start, end = hours_to_ask(feed=feed, now=now)
    try:
        provider = provider_of(
            feed.provider, account=settings.SIGNALS.accounts[feed.provider], region=feed.region, asked_at=now,
            client=client,
        )  # fmt: skip
        points = list(provider.points(zone=feed.zone.code, start=start, end=end))
        return keep_answer(feed=feed, vintage=provider.vintage, points=points, start=start, end=end, now=now)
    except ProviderError as error:
        keep_failure(feed=feed, error=error, now=now)
        return None


@transaction.atomic
def keep_answer(
    *, feed: SignalFeed, vintage: str, points: list[SignalPoint], start: datetime, end: datetime, now: datetime
) -> Recorded:
    """Record what the source said of [start, end), and when it is to be asked again. Raises ProviderConfused."""
    try:
        recorded = record_points(
            zone=feed.zone, source=feed.provider, vintage=vintage, points=points, start=start, end=end
        )
    except ValueError as error:
        raise ProviderConfused(f"{feed.provider} is not understood: {error}"[:200]) from error
    known = [moment for moment in (feed.known_until, recorded.known_until) if moment]
    asked = max(feed.asked_until or end, end)
    SignalFeed.objects.filter(pk=feed.pk).update(
        known_until=max(known, default=None), asked_until=asked, last_success_at=now, failures=0, last_error="",
        next_try_at=now if asked < hour_floor(now) else next_turn(SOURCES[feed.provider], now),
    )  # fmt: skip
    return recorded


def keep_failure(*, feed: SignalFeed, error: ProviderError, now: datetime) -> None:
    """Remember that the source failed; what it said before stays."""
    failures = feed.failures + 1
    wait = wait_after(failures, error)
    SignalFeed.objects.filter(pk=feed.pk).update(
        failures=failures, last_error=str(error)[:200] or type(error).__name__, next_try_at=now + wait
    )
    log.warning(
        "a source of signals failed", zone=feed.zone.code, provider=feed.provider, failures=failures,
        error=str(error), wait_s=int(wait.total_seconds()),
    )  # fmt: skip


def hours_to_ask(*, feed: SignalFeed, now: datetime) -> tuple[datetime, datetime]:
    """[start, end) of the next question: what was never asked for, oldest first, with what may have been revised.

    At first 75 days are wanted. They come in pieces as long as the source allows.
    """
    source, last = SOURCES[feed.provider], hour_floor(now)
    oldest = last - HISTORY_HOURS * HOUR
    cursor = max(feed.asked_until or oldest, oldest)
    if last - cursor > source.longest:
        return cursor, cursor + source.longest
    again = min(cursor - source.revises, feed.known_until or cursor)
    return max(again, last - source.longest, oldest), last


def next_turn(source: Source, now: datetime) -> datetime:
    """When the source will have told another hour."""
    turn = hour_floor(now) + source.delay
    return turn if turn > now else turn + HOUR


def wait_after(failures: int, error: ProviderError) -> timedelta:
    """How long to leave a source alone after so many failures in a row: doubled each time, up to a limit.

    A source that asks for longer is given longer.
    """
    refused = isinstance(error, ProviderRefused)
    first, longest = (FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED) if refused else (FIRST_WAIT, LONGEST_WAIT)
    doublings = min(failures - 1, 10)
    wait = min(first * (1 << doublings), longest)
    return max(wait, error.wait or wait)


def _feed_of(wanted: FeedSetting, now: datetime) -> SignalFeed | None:
    """The feed of a setting; None, and a line in the log, for a zone that nobody has made."""
    known = BY_CODE.get(wanted.zone)
    zone = add_zone(known=known) if known else GridZone.objects.filter(code=wanted.zone).first()
    if zone is None:
        log.warning("SIGNALS names a zone that does not exist", zone=wanted.zone, provider=wanted.provider)
        return None
    feed, made = SignalFeed.objects.get_or_create(
        zone=zone, provider=wanted.provider,
        defaults={
            "region": wanted.region, "marginal": SOURCES[wanted.provider].marginal, "since": now, "next_try_at": now,
        },
    )  # fmt: skip
    if not made and feed.region != wanted.region:
        SignalFeed.objects.filter(pk=feed.pk).update(
            region=wanted.region, since=now, next_try_at=now, asked_until=None, known_until=None
        )
    return feed
