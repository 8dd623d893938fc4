"""Periodic work of the ledger: calls to the processor, its messages, payouts, and the sandbox's own time."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from marketplace.common.clock import utc_now
from marketplace.common.locking import alone
from marketplace.ledger import autotopups, outbox, payouts, webhooks
from marketplace.ledger.gateways import SANDBOX, current_gateway
from marketplace.ledger.gateways.base import GatewayError
from marketplace.ledger.gateways.sandbox_engine.due import run_due
from marketplace.ledger.reconciling import reconcile

log = logging.getLogger(__name__)
PAYOUT_LOCK, SANDBOX_LOCK = (7_415, 0), (7_415, 1)
DAY = timedelta(days=1)


@shared_task(name="send_gateway_calls", time_limit=30)
def send_gateway_calls() -> None:
    """Make the calls whose turn has come."""
    outbox.send_due(now=utc_now())


@shared_task(name="top_up_automatically", time_limit=30)
def top_up_automatically() -> None:
    """Charge saved cards for wallets that ran low."""
    if autotopups.top_up_due(now=utc_now()):
        outbox.send_due(now=utc_now())


@shared_task(name="apply_webhooks", time_limit=30)
def apply_webhooks() -> None:
    """Take over what the processor told."""
    webhooks.apply_due(now=utc_now())


@shared_task(name="fetch_missed_webhooks", time_limit=30)
def fetch_missed_webhooks() -> None:
    """Ask the processor what it told lately, for what never arrived."""
    try:
        webhooks.fetch_missed(now=utc_now())
    except GatewayError as error:
        log.warning("what was missed could not be fetched: %s", error)
    webhooks.apply_due(now=utc_now())


@shared_task(name="make_payouts", time_limit=30)
def make_payouts() -> None:
    """Pay out what is payable, once a day for each provider; nothing while yesterday does not add up."""
    with alone(*PAYOUT_LOCK) as mine:
        if mine:
            payouts.make_payouts(now=utc_now())
    outbox.send_due(now=utc_now())


@shared_task(name="reconcile_payments", time_limit=30)
def reconcile_payments() -> None:
    """Compare yesterday with the processor; a difference that nobody named stops the outbox."""
    gateway, now = current_gateway(), utc_now()
    try:
        result = reconcile(gateway=gateway, day=now.date() - DAY)
    except GatewayError as error:
        log.warning("yesterday could not be reconciled: %s", error)
        return
    if not result.clean:
        reason = f"{result.day} does not add up: {len(result.differences)} differences"
        outbox.stop(gateway=gateway.name, reason=reason, now=now)


@shared_task(name="run_sandbox", time_limit=30)
def run_sandbox() -> None:
    """What happens at the sandbox processor by time alone, and its webhooks to us."""
    if settings.PAYMENT_GATEWAY == SANDBOX:
        with alone(*SANDBOX_LOCK) as mine:
            if mine:
                run_due(now=utc_now())
