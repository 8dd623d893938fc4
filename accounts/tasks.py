"""Housekeeping of accounts."""

from celery import shared_task

from accounts.idempotency import prune
from marketplace.common.clock import utc_now


@shared_task(name="accounts.prune_idempotency_keys", time_limit=60)
def prune_idempotency_keys() -> int:
    """Forget idempotency keys older than a day; safe to run at any time, twice too."""
    return prune(now=utc_now())
