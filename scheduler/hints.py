"""Wake-up calls to the workers; one lost is found again by the sweep."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from scheduler.core.types import QUALITY

QUEUES = "match."  # each shard has a Celery queue of its own, of this name and its own
LAST = 9  # of Celery's priorities on Redis, where 0 goes first
log = logging.getLogger(__name__)


def wake(segment: str) -> None:
    """Ask the segment's own worker to match it once this transaction is committed."""
    transaction.on_commit(lambda: _send("match_now", segment, queue=f"{QUEUES}{segment}"))


def wake_explaining(round_: str) -> None:
    """Ask a worker to write the reasons of a round's allocations once this transaction is committed.

    Whatever else waits for a worker goes first.
    """
    transaction.on_commit(lambda: _send("explain_round", round_, priority=LAST))


def wake_gang(gang: str) -> None:
    """Ask a worker to look after a gang of which a job has moved, once this transaction is committed."""
    transaction.on_commit(lambda: _send("follow_gang", gang))


def wake_inside(reservation: str) -> None:
    """Ask a worker to place what waits inside a reservation, once this transaction is committed."""
    transaction.on_commit(lambda: _send("place_inside", reservation))


def wake_waiting() -> None:
    """Ask a worker to serve the waiting list once this transaction is committed: hours have come back."""
    transaction.on_commit(lambda: _send("serve_waiting"))


def wake_carefully(segment: str) -> None:
    """Ask a worker for a quality round of the segment."""
    _send("match_segment", segment, QUALITY, expires_s=60)


def _send(task: str, *about: str, priority: int = 0, queue: str | None = None, expires_s: int = 10) -> None:
    try:
        current_app.send_task(task, args=about, expires=expires_s, retry=False, priority=priority, queue=queue)
    except (OperationalError, OSError) as error:
        log.warning("no worker was woken to %s: %s", task, error)
