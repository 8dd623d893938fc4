"""Wake-up calls to the matcher; one lost is found again by the sweep."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def wake(segment: str) -> None:
    """Ask a worker to match `segment` once this transaction is committed."""
    transaction.on_commit(lambda: _send(segment))


def _send(segment: str) -> None:
    try:
        current_app.send_task("match_segment", args=[segment], expires=10, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("the matcher was not woken: %s", error)
