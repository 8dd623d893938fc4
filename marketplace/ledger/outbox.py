"""The worker of the outbox: calls to the processor, made outside any transaction, and what their answers change.

An answer and its journal commit together with the end of the call. Where it is not known what became of a call it is
made again with the same key; after a day, in which the processor keeps keys, what the key made is looked for first.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from marketplace.ledger import payments, payouts
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.gateways.base import (
    GatewayBusy,
    GatewayDeclined,
    GatewayError,
    GatewayInvalid,
    GatewayMisconfigured,
    PaymentGateway,
)
from marketplace.ledger.models import GatewayCall, GatewayStop

KEYS_KEPT = timedelta(hours=23)
MOST = 20
log = logging.getLogger(__name__)
Apply = Callable[[GatewayCall, Any, datetime], None]
Refuse = Callable[[GatewayCall, str, datetime], None]

# What an answer changes, and what a refusal does, by what was asked for.
APPLY: Mapping[str, Apply] = {
    "create_topup": lambda call, page, now: payments.apply_page(call=call, page=page, now=now),
    "charge_saved": lambda _, facts, now: payments.apply_payment(facts=facts, now=now),
    "create_refund": lambda _, facts, now: payments.apply_refund(facts=facts, now=now),
    "create_payee": lambda call, facts, now: payouts.apply_new_payee(public_id=call.subject, facts=facts, now=now),
    "create_transfer": lambda _, facts, now: payouts.apply_transfer(facts=facts, now=now),
    "reverse_transfer": lambda _, facts, now: payouts.apply_transfer(facts=facts, now=now),
}
REFUSED: Mapping[str, Refuse] = {
    "create_topup": lambda call, why, now: payments.fail_payment(public_id=call.subject, reason=why, now=now),
    "charge_saved": lambda call, why, now: payments.fail_payment(public_id=call.subject, reason=why, now=now),
    "create_refund": lambda call, why, now: payments.fail_refund(public_id=call.subject, reason=why, now=now),
    "create_payee": lambda call, why, now: payouts.refuse_payee(public_id=call.subject, reason=why, now=now),
    "create_transfer": lambda call, why, now: payouts.fail_payout(public_id=call.subject, reason=why, now=now),
    "reverse_transfer": lambda call, why, now: None,
}
FETCH = {"create_refund": "fetch_refund", "create_payee": "fetch_payee", "create_transfer": "fetch_transfer",
         "charge_saved": "fetch_payment", "reverse_transfer": "fetch_transfer"}  # fmt: skip


def send_due(*, now: datetime, most: int = MOST) -> int:
    """Make up to `most` calls whose turn has come; how many were claimed. None while a processor is stopped."""
    stopped = GatewayStop.objects.values("gateway")
    calls = GatewayCall.objects.exclude(gateway__in=stopped).claim(now=now, most=most)
    for call in calls:
        send(call=call, now=now)
    return len(calls)


def send_now(*, call: GatewayCall, now: datetime) -> None:
    """Make one call at once, for a person who waits, unless a worker has it already or the processor is stopped."""
    stopped = GatewayStop.objects.values("gateway")
    for claimed in GatewayCall.objects.filter(pk=call.pk).exclude(gateway__in=stopped).claim(now=now, most=1):
        send(call=claimed, now=now)


def send(*, call: GatewayCall, now: datetime) -> None:
    """Make a claimed call, outside any transaction, and take over its answer."""
    gateway = gateway_of(call.gateway)
    try:
        answer = _ask(gateway, call, now)
    except GatewayDeclined as error:
        _refused(call, error.reason or str(error), now)
    except GatewayInvalid as error:
        log.error("%s %s was not understood: %s", call.op, call.subject, error)
        _refused(call, "invalid", now)
    except GatewayMisconfigured as error:
        stop(gateway=call.gateway, reason=str(error), now=now)
        GatewayCall.objects.put_off(call, now=now, error=str(error))
    except GatewayBusy as error:
        GatewayCall.objects.put_off(call, now=now, error=str(error), after=timedelta(seconds=error.retry_after))
    except GatewayError as error:
        GatewayCall.objects.put_off(call, now=now, error=str(error))
    else:
        _answered(call, answer, now)


def _ask(gateway: PaymentGateway, call: GatewayCall, now: datetime) -> Any:
    if call.first_sent_at and now - call.first_sent_at > KEYS_KEPT and call.op in FETCH:
        made = gateway.find_by_key(op=call.op, key=call.key, params=call.params)
        if made is not None:
            return getattr(gateway, FETCH[call.op])(made)
    return getattr(gateway, call.op)(key=call.key, **call.params)


@transaction.atomic
def _answered(call: GatewayCall, answer: Any, now: datetime) -> None:
    if GatewayCall.objects.finish(call, state="done", now=now):
        APPLY[call.op](call, answer, now)


@transaction.atomic
def _refused(call: GatewayCall, why: str, now: datetime) -> None:
    if GatewayCall.objects.finish(call, state="failed", now=now, error=why):
        REFUSED[call.op](call, why, now)


def stop(*, gateway: str, reason: str, now: datetime) -> None:
    """Let the outbox of a processor stand still until an operator starts it."""
    log.error("calls to %s have stopped: %s", gateway, reason)
    GatewayStop.objects.get_or_create(gateway=gateway, defaults={"reason": reason[:400], "since": now})


def start(*, gateway: str) -> bool:
    """Let the outbox run again; whether it stood still."""
    return GatewayStop.objects.filter(gateway=gateway).delete()[0] > 0
