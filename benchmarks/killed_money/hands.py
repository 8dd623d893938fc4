"""The processes that are killed: buyers, tills, the provider and the endpoint for webhooks.

Each says in shared memory what it is doing (`stage.OP`), so that it can be killed in the middle of it. One that starts
anew goes on where the last one was stopped.
"""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from benchmarks.killed_money.journal import Act, Journal
from benchmarks.killed_money.stage import OP, Phase, Stage

IDLE_S = 0.02
MOST_TRIES = 100
MISSED_EVERY = 100  # turns of a till between two questions for messages that never came
JOB = "name: hello\nrun: echo hello\nconfig:\n  joulemart:\n    time_limit_s: 60\n"
FLAG = {
    "create_topup": "topup", "create_payee": "payout", "create_transfer": "payout", "create_refund": "payout",
    "payment": "topup", "refund": "payout", "payee": "payout", "transfer": "payout",
}  # fmt: skip


class Hand:
    """One process: its number, what it is doing, and the last phase of the run in which it works."""

    def __init__(self, number: int, doing: Any, phase: Any, last: Phase) -> None:
        self.number, self.flags, self.phase, self.last = number, doing, phase, last

    @contextmanager
    def doing(self, op: str) -> Iterator[None]:
        """Within, whoever watches may kill it in the middle of `op`."""
        self.flags[self.number] = OP.index(op)
        yield
        self.flags[self.number] = 0

    def turns(self) -> Iterator[int]:
        """Turn after turn until it is to stop."""
        for turn in itertools.count():
            if self.phase.value > self.last:
                return
            yield turn


# ---- buyers


def buy(stage: Stage, hand: Hand, *, same_key: bool) -> None:
    """Top up, reserve, cancel what was reserved, submit jobs and have money sent back, one request at a time."""
    journal = Journal(stage.folder / f"buyer-{hand.number}")
    left = journal.unanswered()
    if left is not None:
        _send(hand, journal, left, same_key=same_key)
    dice = random.Random(uuid4().int)  # noqa: S311
    for _ in hand.turns():
        act = _choose(stage, dice)
        if act is None:
            time.sleep(IDLE_S)
        else:
            journal.begin(act)
            _send(hand, journal, act, same_key=same_key)


def _send(hand: Hand, journal: Journal, act: Act, *, same_key: bool) -> None:
    """Send a request until it is answered for good, and note the answer."""
    for _ in range(MOST_TRIES):
        with hand.doing(act.op):
            answer = _post(act.path, act.body, act.secret, act.key if same_key else str(uuid4()))
        under_way = answer.status_code == 409 and answer.json()["code"] == "request_in_flight"
        if answer.status_code < 500 and not under_way:
            journal.end(act, answer.status_code)
            return
        time.sleep(IDLE_S)
    raise RuntimeError(f"{act.path} is not answered: {answer.status_code}")


def _post(path: str, body: dict[str, Any] | str, secret: str, key: str) -> Any:
    from django.test import Client  # noqa: PLC0415

    kind = "application/yaml" if isinstance(body, str) else "application/json"
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    return Client(raise_request_exception=False).post(f"/api/v1{path}", body, content_type=kind, headers=headers)


def _choose(stage: Stage, dice: random.Random) -> Act | None:
    """What a buyer does next; None when there is nothing of the kind to do."""
    buyer, secret = dice.choice(stage.buyers)
    kinds: dict[str, Callable[[], Act | None]] = {
        "topup": lambda: _topup(secret, dice), "reserve": lambda: _reserve(stage, secret, dice),
        "cancel": lambda: _cancel(buyer, secret), "job": lambda: Act("hold", "/jobs", JOB, str(uuid4()), secret),
        "refund": lambda: _refund(buyer, secret, dice),
    }  # fmt: skip
    return kinds[dice.choices(list(kinds), weights=(3, 4, 4, 2, 1))[0]]()


def _topup(secret: str, dice: random.Random) -> Act:
    amount = dice.choice((500, 501, 2_000, 9_999))
    return Act("topup", "/wallet/topups", {"amount_minor": amount}, str(uuid4()), secret, amount)


def _reserve(stage: Stage, secret: str, dice: random.Random) -> Act | None:
    from marketplace.common.clock import hour_floor, utc_now  # noqa: PLC0415

    start = hour_floor(utc_now()) + timedelta(hours=dice.randrange(12, 48))
    ask = {"units": dice.choice((1, 2, 7)), "hours": dice.choice((1, 3)), "offer": dice.choice(stage.offers).public_id,
           "start": start.isoformat()}  # fmt: skip
    answer = _post("/quotes", ask, secret, str(uuid4()))
    if answer.status_code != 201:
        return None
    return Act("hold", "/reservations", {"quote": answer.json()["id"], "option": 1}, str(uuid4()), secret)


def _cancel(buyer: Any, secret: str) -> Act | None:
    from marketplace.booking.models import Reservation  # noqa: PLC0415

    row = Reservation.objects.filter(buyer=buyer, state="confirmed").order_by("?").first()
    return row and Act("capture", f"/reservations/{row.public_id}/cancel", {}, str(uuid4()), secret)


def _refund(buyer: Any, secret: str, dice: random.Random) -> Act | None:
    from marketplace.ledger.wallets import wallet_of  # noqa: PLC0415

    most = wallet_of(organization=buyer, asset="USD", livemode=False).available
    if not most:
        return None
    amount = dice.choice((1, most))
    return Act("payout", "/wallet/refunds", {"amount_minor": amount}, str(uuid4()), secret, amount)


# ---- tills


def mind_the_till(stage: Stage, hand: Hand) -> None:
    """Make calls to the processor and apply its messages, as the workers of the product do."""
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.ledger import outbox, webhooks  # noqa: PLC0415
    from marketplace.ledger.gateways.base import GatewayError  # noqa: PLC0415
    from marketplace.ledger.models import GatewayCall, WebhookReceipt  # noqa: PLC0415

    for turn in hand.turns():
        now = utc_now()
        call = GatewayCall.objects.due(now).first()
        if call:
            with hand.doing(FLAG[call.op]):
                outbox.send_due(now=now, most=2)
        told = WebhookReceipt.objects.filter(applied_at=None, next_try_at__lte=now).first()
        if told:
            with hand.doing(FLAG[told.subject]):
                webhooks.apply_due(now=now, most=2)
        if turn % MISSED_EVERY == MISSED_EVERY - 1:
            try:
                webhooks.fetch_missed(now=now)
            except GatewayError:
                continue  # it is asked again
        if not call and not told:
            time.sleep(IDLE_S)


def serve(stage: Stage, hand: Hand) -> None:
    """Take webhooks over HTTP. The socket outlives the process: who comes meanwhile waits for the next one."""
    from config.wsgi import application  # noqa: PLC0415

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    def watched(environ: Any, start_response: Any) -> Any:
        with hand.doing("topup"):
            return application(environ, start_response)

    server = WSGIServer(stage.endpoint.getsockname(), Quiet, bind_and_activate=False)
    server.socket = stage.endpoint
    server.server_name, server.server_port = stage.endpoint.getsockname()
    server.setup_environ()
    server.set_app(watched)
    server.timeout = 0.2
    for _ in hand.turns():
        server.handle_request()


# ---- the provider


def provide(stage: Stage, hand: Hand) -> None:
    """Place and run jobs, let earnings mature, and pay out."""
    from marketplace.booking.maturing import mature_lines  # noqa: PLC0415
    from marketplace.booking.models import ChargeLine  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.ledger.payouts import make_payouts  # noqa: PLC0415
    from scheduler.cycle import run_round  # noqa: PLC0415
    from scheduler.leases import note_seen  # noqa: PLC0415
    from scheduler.money import release_surplus  # noqa: PLC0415

    for _ in hand.turns():
        note_seen(agent=stage.agent.row, now=utc_now())
        run_round(segment="cpu", now=utc_now())
        release_surplus(now=utc_now())
        stage.agent.claim(now=utc_now())
        _finish_all(stage, hand)
        if ChargeLine.objects.filter(matured_at=None).exists():
            with hand.doing("payout"):
                mature_lines(now=utc_now(), most=20)
                make_payouts(now=utc_now())
        else:
            time.sleep(IDLE_S)


def _finish_all(stage: Stage, hand: Hand) -> None:
    """The agent reports the end of every lease that it has."""
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from scheduler.errors import LeaseFenced  # noqa: PLC0415
    from scheduler.finishing import finish  # noqa: PLC0415
    from scheduler.models import Lease  # noqa: PLC0415

    mine = Lease.objects.filter(agent=stage.agent.row, ended_at=None)
    for lease in mine.select_related("attempt__allocation"):
        ran_ms = (utc_now() - lease.granted_at).total_seconds() * 1000
        report = stage.agent.report(lease, usage=[stage.agent.usage(lease, int(ran_ms))])
        with hand.doing("capture"), suppress(LeaseFenced):  # it had been silent too long: its job is placed anew
            finish(public_id=lease.public_id, key=stage.agent.key, report=report, now=utc_now())
