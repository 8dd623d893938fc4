"""What a processor tells by itself: verified, kept once, and applied by asking what is true now.

The order in which messages come, and how often, does not matter: each only says what to fetch.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from marketplace.ledger import disputes, payments, payouts
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.gateways.base import GatewayError, WebhookEvent
from marketplace.ledger.models import WebhookReceipt

MOST = 50
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(hours=1)
LEASE = timedelta(seconds=60)
LOOK_BACK = timedelta(minutes=30)
log = logging.getLogger(__name__)
# By subject: how what is true now is fetched, and what takes it over.
APPLY: Mapping[str, tuple[str, Callable[..., None]]] = {
    "payment": ("fetch_payment", payments.apply_payment),
    "refund": ("fetch_refund", payments.apply_refund),
    "payee": ("fetch_payee", lambda facts, now: payouts.apply_payee(facts=facts, now=now)),
    "transfer": ("fetch_transfer", payouts.apply_transfer),
    "dispute": ("fetch_dispute", disputes.apply_dispute),
}


def receive(*, gateway: str, raw: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Keep a message; whether it is new. Raises SignatureInvalid; nothing is written then."""
    return keep(gateway=gateway, events=[gateway_of(gateway).verify_webhook(raw, headers, now)], now=now) > 0


def keep(*, gateway: str, events: list[WebhookEvent], now: datetime) -> int:
    """Keep messages that were verified; how many are new."""
    rows = [
        WebhookReceipt(
            gateway=gateway, event=each.id, type=each.type[:80], subject=each.subject, object_id=each.object_id,
            at=each.at, received_at=now, next_try_at=now, applied_at=None if each.subject in APPLY else now,
        )
        for each in events
    ]  # fmt: skip
    known = set(WebhookReceipt.objects.filter(_these(gateway, events)).values_list("event", flat=True))
    WebhookReceipt.objects.bulk_create(rows, ignore_conflicts=True)
    return len({row.event for row in rows} - known)


def _these(gateway: str, events: list[WebhookEvent]) -> Q:
    return Q(gateway=gateway, event__in=[each.id for each in events])


def apply_due(*, now: datetime, most: int = MOST) -> int:
    """Apply up to `most` messages whose turn has come; how many were taken."""
    rows = _claim(now, most)
    for row in rows:
        _apply(row, now)
    return len(rows)


@transaction.atomic
def _claim(now: datetime, most: int) -> list[WebhookReceipt]:
    """Take due messages that no other worker has, for a while."""
    due = WebhookReceipt.objects.filter(applied_at=None, next_try_at__lte=now).order_by("next_try_at", "pk")
    rows = list(due.select_for_update(skip_locked=True, of=("self",))[:most])
    WebhookReceipt.objects.filter(pk__in=[row.pk for row in rows]).update(tries=F("tries") + 1, next_try_at=now + LEASE)
    return rows


def _apply(row: WebhookReceipt, now: datetime) -> None:
    """Fetch outside any transaction, then take over."""
    fetch, take_over = APPLY[row.subject]
    mine = WebhookReceipt.objects.filter(pk=row.pk)
    try:
        facts: Any = getattr(gateway_of(row.gateway), fetch)(row.object_id)
    except GatewayError as error:
        log.warning("%s %s could not be fetched: %s", row.type, row.object_id, error)
        wait = min(FIRST_WAIT * 2 ** min(row.tries, 20), LONGEST_WAIT)
        mine.update(next_try_at=now + wait, error=str(error)[:400])
        return
    with transaction.atomic():
        take_over(facts=facts, now=now)
        mine.update(applied_at=now, error="")


def fetch_missed(*, now: datetime) -> int:
    """Ask the processor what happened lately, whether or not a message told it; how many were new."""
    gateway = settings.PAYMENT_GATEWAY
    return keep(gateway=gateway, events=list(gateway_of(gateway).events_since(now - LOOK_BACK)), now=now)
