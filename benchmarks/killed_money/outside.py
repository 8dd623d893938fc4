"""The processor, and the people at its pages: it answers calls with its faults, tells what happened, and pays.

A process of its own that is never killed: what it has done stays done, whoever hears of it.
"""

import threading
import time
from hashlib import sha256
from typing import Any

import httpx

from benchmarks.killed_money.stage import Phase, Stage

SLICE_S = 0.1


def be_outside(stage: Stage, phase: Any) -> None:
    """Serve until nobody is there any more."""
    from django.db import connections  # noqa: PLC0415

    connections.close_all()
    threading.Thread(target=stage.door.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    address = f"http://127.0.0.1:{stage.endpoint.getsockname()[1]}/api/v1/payments/webhooks/stripe"
    while phase.value < Phase.NOBODY:
        time.sleep(SLICE_S)
        _pay(stage)
        _onboard(stage)
        _tell(stage, address)


def _pay(stage: Stage) -> None:
    """Buyers pay on the pages they were led to; one in ten is declined first, another has to confirm who it is."""
    from marketplace.ledger.gateways.sandbox_engine import checkout  # noqa: PLC0415
    from marketplace.ledger.gateways.sandbox_models import SandboxSession  # noqa: PLC0415
    from marketplace.ledger.models import Payment  # noqa: PLC0415

    shown = Payment.objects.filter(state="open").values("session")
    how = {"now": stage.door.clock(), "dice": stage.door.dice}
    open_pages = SandboxSession.objects.filter(status="open", public_id__in=shown)
    for session in open_pages.values_list("public_id", flat=True):
        drawn = sha256(session.encode()).digest()[0] % 10
        if drawn == 0:
            checkout.pay(session=session, outcome="declined", **how)
        checkout.pay(session=session, outcome="3ds_ok" if drawn == 1 else "ok", **how)
        if drawn == 1:
            checkout.authenticate(session=session, agreed=True, **how)


def _onboard(stage: Stage) -> None:
    """Providers tell the processor all it asks."""
    from marketplace.ledger.gateways.sandbox_engine import connect  # noqa: PLC0415
    from marketplace.ledger.gateways.sandbox_models import SandboxPayee  # noqa: PLC0415

    now = stage.door.clock()
    for payee in SandboxPayee.objects.filter(submitted=False).values_list("public_id", flat=True):
        connect.make_link(payee=payee, return_url="http://127.0.0.1/", refresh_url="http://127.0.0.1/", now=now)
        link = SandboxPayee.objects.get(public_id=payee).link
        connect.tell_all(payee=payee, link=link, what="complete", now=now, dice=stage.door.dice)


def _tell(stage: Stage, address: str) -> None:
    """Webhooks to our endpoint; whoever is killed while it takes one gets it again."""
    from marketplace.ledger.gateways.sandbox_engine import due  # noqa: PLC0415
    from marketplace.ledger.gateways.sandbox_engine.deliveries import NO_ANSWER, deliver_due  # noqa: PLC0415

    def post(raw: bytes, headers: Any) -> int:
        try:
            return httpx.post(address, content=raw, headers=dict(headers), timeout=2.0).status_code
        except httpx.HTTPError:
            return NO_ANSWER

    due.settle_due(now=stage.door.clock(), dice=stage.door.dice)
    deliver_due(now=stage.door.clock(), send=post)
