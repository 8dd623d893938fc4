"""The market in which money is moved: buyers with keys, providers with hours to reserve, one with machines for jobs.

The processor is the tests' Stripe-shaped server. What waits for minutes in the product (leases of calls, the time
between tries) waits for less here: how long is not what is tried.
"""

import os
import socket
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

SECRET, ACCOUNT = "whsec_of_the_run", "acct_platform"
FAULTS = "seed=7,dup=.1,shuffle=1,delay=2s,drop=.02,timeout=.05,http500=.02"
PATIENCE_S = (2.0, 1.0)  # less than the processor hangs
UNIT_MM, SECOND_MM = 200_000, 360_000_000  # 2.00 an hour for reservations, 1.00 a second for jobs
OP = ("", "topup", "hold", "capture", "payout")


class Phase(IntEnum):
    """Of a run: requests come; what they began comes to an end; only the processor is there; nobody is."""

    BUSY, NO_MORE_ACTS, OVER, NOBODY = range(4)


@dataclass
class Stage:
    """What all processes know; made before they are forked."""

    folder: Path
    door: Any
    endpoint: socket.socket
    buyers: list[tuple[Any, str]] = field(default_factory=list)  # (organization, secret of its key)
    offers: list[Any] = field(default_factory=list)
    agent: Any = None


def prepare_environment() -> None:
    """Before the settings are read."""
    os.environ |= {
        "PAYMENT_GATEWAY": "stripe", "STRIPE_API_KEY": "sk_test_of_the_tests", "STRIPE_WEBHOOK_SECRETS": SECRET,
        "STRIPE_ACCOUNT_ID": ACCOUNT, "STRIPE_API_BASE": "http://127.0.0.1:1", "SANDBOX_WEBHOOK_SECRET": SECRET,
        "MATURITY_DAYS": "0", "NEW_BUYER_CAP_MINOR": "0",
    }  # fmt: skip


def hurry() -> None:
    """Shorter waits, and no broker: what it would wake, polls."""
    from config.celery import app  # noqa: PLC0415
    from marketplace.events import outbox  # noqa: PLC0415
    from marketplace.ledger import gateways, webhooks  # noqa: PLC0415
    from marketplace.ledger.gateways.sandbox_engine import deliveries  # noqa: PLC0415
    from marketplace.ledger.gateways.signatures import Recipient  # noqa: PLC0415
    from marketplace.ledger.gateways.stripe_gateway import StripeGateway  # noqa: PLC0415

    app.conf.broker_url = "memory://"
    for module in (outbox, webhooks):
        module.LEASE, module.FIRST_WAIT = timedelta(seconds=3), timedelta(seconds=0.1)
        module.LONGEST_WAIT = timedelta(seconds=2)
    deliveries.CLAIMED_FOR, deliveries.FIRST_WAIT = timedelta(seconds=3), timedelta(seconds=0.2)
    deliveries.LONGEST_WAIT = timedelta(seconds=2)
    gateways._stripe = lambda key, base, secrets, account, livemode: StripeGateway(  # type: ignore[assignment]
        key=key, base=base, recipient=Recipient(secrets, account, livemode), patience=PATIENCE_S
    )


def make_stage(folder: Path, *, buyers: int, providers: int) -> Stage:
    """The market and the addresses of its processor and of its own endpoint."""
    from django.conf import settings  # noqa: PLC0415

    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.ledger.gateways.faults import Dice, read_faults  # noqa: PLC0415
    from tests.fake_stripe.door import Door  # noqa: PLC0415

    stage = Stage(folder, Door(clock=utc_now, dice=Dice(read_faults(FAULTS))), socket.create_server(("127.0.0.1", 0)))
    settings.STRIPE_API_BASE = stage.door.url
    _fill(stage, buyers, providers)
    warm(stage)
    return stage


def warm(stage: Stage) -> None:
    """Load what a forked process would load anew each time it takes another's place."""
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from scheduler.core import warm as core  # noqa: PLC0415

    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    core.warm()
    for _, secret in stage.buyers[:1]:
        Client().get("/api/v1/wallet", headers={"Authorization": f"Bearer {secret}"})


def _fill(stage: Stage, buyers: int, providers: int) -> None:
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.ledger.payouts import register_payee  # noqa: PLC0415
    from tests.market import key_of, make_offer, make_organization, make_site  # noqa: PLC0415
    from tests.scheduler.scene import TestAgent, make_cpu_offer  # noqa: PLC0415

    now = utc_now()
    for number in range(buyers):
        buyer = make_organization(funds=(0, 20_000)[number % 2])  # every other one waits for its top-ups
        scopes = ("wallet:write", "reservations:write", "jobs:write", "offers:read")
        stage.buyers.append((buyer, key_of(buyer, *scopes)[1]))
    for _ in range(providers):
        terms = {"free_cancel_s": 30 * 86_400, "idle_bp": 5_000}
        stage.offers.append(make_offer(make_site(), units=1_000, now=now, days=4, rate_mm=UNIT_MM, **terms))
    machines = make_cpu_offer(units=64, now=now)
    machines.rate_mm = [SECOND_MM] * 168
    machines.save(update_fields=["rate_mm"])
    stage.agent = TestAgent(machines, now=now, units=64)
    for offer in (*stage.offers, machines):
        provider = offer.site.provider
        register_payee(organization=provider, email="pay@example.test", livemode=False, now=now)
