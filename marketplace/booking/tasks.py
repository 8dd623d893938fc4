"""Periodic work of booking."""

from celery import shared_task

from marketplace.booking.greenhours import refresh_listings
from marketplace.booking.greenpromises import answer_misses
from marketplace.booking.maturing import AT_ONCE, mature_lines
from marketplace.booking.services import ensure_capacity
from marketplace.catalog.models import Offer
from marketplace.common.clock import utc_now

DAYS_AHEAD = 16


@shared_task(name="extend_capacity", time_limit=30)
def extend_capacity() -> None:
    """Every offer on the shelf has a CapacityDay for each of the next sixteen days."""
    today = utc_now().date()
    for offer in Offer.objects.exclude(state="retired"):
        ensure_capacity(offer=offer, first=today, days=DAYS_AHEAD)


@shared_task(name="answer_missed_promises", time_limit=60)
def answer_missed_promises() -> None:
    """Give the credits of green promises that final receipts show as missed."""
    answer_misses(now=utc_now())


@shared_task(name="mature_charges", time_limit=30)
def mature_charges() -> None:
    """What providers earned a while ago becomes payable."""
    while mature_lines(now=utc_now()) == AT_ONCE:
        pass


@shared_task(name="refresh_outlooks", time_limit=120)
def refresh_outlooks() -> None:
    """What is to be expected of the shares of every offer on the shelf."""
    refresh_listings(now=utc_now())
