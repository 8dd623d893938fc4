"""What happens at the sandbox by time alone: slow money comes, some of it is disputed, refunds fail, pages expire, and
webhooks are sent.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction

from marketplace.ledger.gateways.faults import Dice, dice_of
from marketplace.ledger.gateways.sandbox_engine import checkout, disputes, payments, refunds
from marketplace.ledger.gateways.sandbox_engine.deliveries import Send, deliver_due
from marketplace.ledger.gateways.sandbox_models import SandboxPayment, SandboxRefund, SandboxSession


def run_due(*, now: datetime, send: Send | None = None) -> int:
    """What a periodic task calls: do all that is due, then tell it; how many webhooks were taken."""
    settle_due(now=now, dice=dice_of(settings.SANDBOX_FAULTS))
    return deliver_due(now=now, send=send)


def settle_due(*, now: datetime, dice: Dice) -> int:
    """Do all that is due by `now`, each thing in a transaction of its own; how many there were."""
    late = SandboxPayment.objects.filter(due_at__lte=now)
    failing = SandboxRefund.objects.filter(fails_at__lte=now)
    unpaid = SandboxSession.objects.filter(status="open", expires_at__lte=now)
    return sum((
        _each(late, lambda row: _go_on(row, now, dice)),
        _each(failing, lambda row: refunds.fail_refund(refund=row.public_id, now=now, dice=dice)),
        _each(unpaid, lambda row: checkout.expire(row, now, dice)),
    ))  # fmt: skip


def _each(rows: models.QuerySet[Any], act: Callable[[Any], None]) -> int:
    """`act` on each row; one that somebody else works on is left to them."""
    done = 0
    for pk in list(rows.values_list("pk", flat=True)):
        with transaction.atomic(durable=True):
            row = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
            if row is not None:
                act(row)
                done += 1
    return done


def _go_on(payment: SandboxPayment, now: datetime, dice: Dice) -> None:
    if payment.status == "processing":
        payments.succeed(payment, now, dice)
        session = SandboxSession.objects.filter(payment=payment).first()
        if session is not None:
            checkout.complete_late(session, now, dice)
        return
    payment.due_at = None
    payment.save()
    if payment.captured > payment.refunded and not payment.disputes.exists():
        disputes.open_dispute(payment=payment, now=now, dice=dice)
