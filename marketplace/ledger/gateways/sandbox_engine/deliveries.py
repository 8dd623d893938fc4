"""Webhooks to our own endpoint, signed, and sent again until it takes them."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import httpx
from django.conf import settings
from django.db import transaction

from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_models import SandboxDelivery
from marketplace.ledger.gateways.signatures import HEADER, sign

Send = Callable[[bytes, Mapping[str, str]], int]
PATH = "/api/v1/payments/webhooks/sandbox"
PATIENCE_S = 5.0
CLAIMED_FOR = timedelta(minutes=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)
MOST_TRIES = 20  # about four days
AT_ONCE = 50
NO_ANSWER = 0


def deliver_due(*, now: datetime, send: Send | None = None, most: int = AT_ONCE) -> int:
    """Send up to `most` webhooks that are due, the oldest first; how many were taken.

    `send` posts a body with headers and gives the HTTP status, NO_ANSWER for none: then nobody is there to take the
    rest, and they wait as well.
    """
    send = send or post
    taken = 0
    for row in _claim(now, most):
        raw = json.dumps(body_of(row)).encode()
        signature = sign(raw=raw, secret=settings.SANDBOX_WEBHOOK_SECRET, at=now)
        status = send(raw, {"Content-Type": "application/json", HEADER: signature})
        _write_down(row, status, now)
        taken += _is_taken(status)
        if status == NO_ANSWER:
            break
    return taken


def body_of(delivery: SandboxDelivery) -> shapes.Shape:
    """The event; one of a payee names the payee's account, as events of connected accounts do."""
    shape = shapes.event(delivery.event)
    about = shape["data"]["object"]
    return shape | ({"account": about["id"]} if about["object"] == "account" else {})


def post(raw: bytes, headers: Mapping[str, str]) -> int:
    """POST to our endpoint."""
    try:
        return httpx.post(settings.WEB_URL + PATH, content=raw, headers=dict(headers), timeout=PATIENCE_S).status_code
    except httpx.HTTPError:
        return NO_ANSWER


@transaction.atomic(durable=True)
def _claim(now: datetime, most: int) -> list[SandboxDelivery]:
    """Rows that nobody else sends for a minute."""
    waiting = SandboxDelivery.objects.filter(done_at=None, given_up_at=None, due_at__lte=now).order_by("due_at", "pk")
    rows = list(waiting.select_related("event").select_for_update(of=("self",), skip_locked=True)[:most])
    SandboxDelivery.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=now + CLAIMED_FOR)
    return rows


def _write_down(row: SandboxDelivery, status: int, now: datetime) -> None:
    """Unless somebody else has tried since."""
    taken, last = _is_taken(status), row.tries + 1 >= MOST_TRIES
    SandboxDelivery.objects.filter(pk=row.pk, tries=row.tries, done_at=None).update(
        tries=row.tries + 1,
        answered=status,
        due_at=now + min(FIRST_WAIT * 2**row.tries, LONGEST_WAIT),
        done_at=now if taken else None,
        given_up_at=now if last and not taken else None,
    )


def _is_taken(status: int) -> bool:
    return 200 <= status < 300
