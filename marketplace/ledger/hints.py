"""Wake-up calls to the workers that speak with processors; one lost is found again by their schedule."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def wake_outbox() -> None:
    """Have what stands in the outbox sent once this transaction is committed."""
    transaction.on_commit(lambda: _send("send_gateway_calls"))


def wake_webhooks() -> None:
    """Have what came by webhook applied once this transaction is committed."""
    transaction.on_commit(lambda: _send("apply_webhooks"))


def _send(task: str) -> None:
    try:
        current_app.send_task(task, expires=10, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("no worker was woken to %s: %s", task, error)
