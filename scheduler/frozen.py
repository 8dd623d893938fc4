"""While a card payment is disputed its buyer starts nothing: what has not begun is taken back, what runs is stopped.

The charge of what ran stays: its money was held before.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from marketplace.booking import services
from marketplace.booking.models import Reservation
from marketplace.common.errors import IllegalState
from marketplace.ledger.models import CardDispute
from scheduler.models import Job
from scheduler.services import cancel_job
from scheduler.states import JOB


def stop_disputed(*, now: datetime) -> int:
    """Take back what buyers with an open dispute were promised; how many jobs and reservations were stopped."""
    buyers = set(CardDispute.objects.open().values_list("payment__organization", flat=True))
    return _stop_jobs(buyers, now) + _cancel_reservations(buyers, now) if buyers else 0


def _stop_jobs(buyers: Collection[int], now: datetime) -> int:
    jobs = list(Job.objects.filter(buyer__in=buyers, state__in=JOB.open, cancel_requested_at=None))
    for job in jobs:
        cancel_job(job=job, now=now)
    return len(jobs)


def _cancel_reservations(buyers: Collection[int], now: datetime) -> int:
    cancelled = 0
    rows = Reservation.objects.filter(buyer__in=buyers, state__in=("held", "confirmed")).with_terms()
    for row in rows:
        try:
            with transaction.atomic():
                services.cancel(reservation=row, now=now, reason="wallet_frozen")
            cancelled += 1
        except IllegalState:
            continue  # it began, expired or was cancelled a moment ago
    return cancelled
