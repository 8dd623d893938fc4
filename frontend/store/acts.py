"""Orders from pages happen once, however often a form is sent."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from accounts.idempotency import Answer, once
from accounts.tenancy import actor_of
from marketplace.common.clock import utc_now

LONGEST = 80


def act_once(request: HttpRequest, content: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `act` answered when this form's `request_key` came first.

    Raises IdempotencyMismatch when the key came with other `content`, and whatever `act` raises.
    """
    key = request.POST.get("request_key", "")[:LONGEST]
    if not key:
        with transaction.atomic():
            return act()
    answer = once(
        actor=actor_of(request),
        key=f"page:{key}",
        fingerprint=hashlib.sha256(f"{request.path}\n{content}".encode()).hexdigest(),
        now=utc_now(),
        effect=lambda: Answer(status=201, body=act()),
    )
    body: dict[str, Any] = answer.body
    return body
