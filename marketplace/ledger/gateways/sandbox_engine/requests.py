"""The same key with the same parameters gets the same answer, whatever happened since; with others it is refused."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_models import SandboxRequest

Answer = dict[str, Any]
KEPT_FOR = timedelta(hours=24)  # then the key is as good as new


def once(*, key: str, op: str, params: Mapping[str, Any], now: datetime, act: Callable[[], Answer]) -> Answer:
    """The answer of `act`, done once for `key`. Raises Refused, the same one again for the same key.

    `act` refuses before it writes, but for what a refusal leaves behind, such as a declined payment.
    """
    fingerprint = sha256(json.dumps([op, params], sort_keys=True, default=str).encode()).hexdigest()
    with transaction.atomic(durable=True):
        _take(key)
        row = SandboxRequest.objects.filter(key=key).first()
        if row is None or row.made_at <= now - KEPT_FOR:
            status, answer = _outcome(act)
            kept = {"fingerprint": fingerprint, "http_status": status, "answer": answer, "made_at": now}
            SandboxRequest.objects.update_or_create(key=key, defaults=kept)
        elif row.fingerprint != fingerprint:
            raise Refused("The key was used with other parameters.", kind="idempotency_error", kept=False)
        else:
            status, answer = row.http_status, row.answer
    if status != 200:
        raise Refused.from_answer(status, answer)
    return answer


def _take(key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"sandbox request {key}"])
        if not cursor.fetchone()[0]:
            raise Refused("Another request has this key.", status=409, code="idempotency_key_in_use", kept=False)


def _outcome(act: Callable[[], Answer]) -> tuple[int, Answer]:
    try:
        return 200, act()
    except Refused as refusal:
        if not refusal.kept:
            raise
        return refusal.status, refusal.error
