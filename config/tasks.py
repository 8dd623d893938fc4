"""Celery's side of the checker."""

from celery import shared_task

from config import promises
from marketplace.common.clock import utc_now


@shared_task(name="check_promises", time_limit=30, soft_time_limit=28)
def check_promises() -> None:
    """Recompute what must never break, and keep what was found."""
    promises.check_promises(now=utc_now())
