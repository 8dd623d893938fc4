"""Webhooks out of the sandbox: signed, one sender at a time, again until they are taken."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event

import httpx
import pytest
from django.db import connection, transaction

from marketplace.ledger.gateways.sandbox_engine import deliveries
from marketplace.ledger.gateways.sandbox_engine.deliveries import MOST_TRIES, NO_ANSWER, deliver_due
from marketplace.ledger.gateways.sandbox_engine.due import run_due
from marketplace.ledger.gateways.sandbox_models import SandboxDelivery
from tests.ledger.gateways.scene import sandbox_scene


@pytest.fixture
def scene(db):
    return sandbox_scene()


def answering(*statuses):
    """A sender that gets these answers, the last one for ever, and the bodies it sent."""
    sent, left = [], list(statuses)

    def send(raw, headers):
        sent.append(raw)
        return left.pop(0) if len(left) > 1 else left[0]

    return send, sent


def test_what_is_taken_is_not_sent_again(scene):
    scene.paid()
    send, sent = answering(200)

    assert deliver_due(now=scene.clock.now, send=send) == 3
    assert deliver_due(now=scene.clock.now + timedelta(days=1), send=send) == 0
    assert len(sent) == 3


def test_what_is_not_taken_comes_again_ever_later_and_is_given_up_in_the_end(scene):
    scene.topup()
    scene.passes(timedelta(days=1))
    send, sent = answering(500)
    start = now = scene.clock.now
    gaps = []
    while SandboxDelivery.objects.filter(given_up_at=None).exists():
        deliver_due(now=now, send=send)
        due = SandboxDelivery.objects.get().due_at
        gaps.append(due - now)
        now = due

    assert len(sent) == MOST_TRIES
    assert gaps[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert gaps == sorted(gaps)
    assert timedelta(days=2) < now - start < timedelta(days=5)
    assert SandboxDelivery.objects.get().answered == 500
    deliver_due(now=now + timedelta(days=9), send=send)
    assert len(sent) == MOST_TRIES


def test_a_signature_is_of_the_moment_of_sending_not_of_the_event(scene):
    scene.paid()
    scene.clock.now += timedelta(days=3)

    assert [each.type for each in scene.told()] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_one_call_lets_time_pass_and_tells_it(scene):
    slow = scene.paid(outcome="slow")
    send, sent = answering(200)
    before = run_due(now=scene.clock.now, send=send)
    after = run_due(now=scene.clock.now + timedelta(minutes=1), send=send)

    assert (before, after, len(sent)) == (2, 3, 5)
    assert scene.gateway.fetch_payment(slow.intent).state == "succeeded"


def test_where_nobody_answers_the_rest_waits_as_well(scene):
    scene.paid()
    send, sent = answering(NO_ANSWER, 200)

    assert deliver_due(now=scene.clock.now, send=send) == 0
    assert len(sent) == 1
    assert deliver_due(now=scene.clock.now + timedelta(minutes=1), send=send) == 3


def test_it_is_posted_to_our_endpoint_and_a_broken_link_is_no_answer(scene, settings, monkeypatch):
    settings.WEB_URL = "http://market.test"
    posted = []

    def post(address, *, content, headers, timeout):
        posted.append((address, headers["Content-Type"]))
        if len(posted) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(204)

    monkeypatch.setattr(deliveries.httpx, "post", post)
    scene.paid()

    assert deliver_due(now=scene.clock.now) == 0
    assert deliver_due(now=scene.clock.now + timedelta(minutes=1)) == 3
    assert set(posted) == {("http://market.test/api/v1/payments/webhooks/sandbox", "application/json")}


def test_it_is_no_more_sent_inside_a_transaction_than_any_call(scene):
    scene.paid()
    send, sent = answering(200)
    with transaction.atomic(), pytest.raises(RuntimeError):
        deliver_due(now=scene.clock.now, send=send)

    assert sent == []


def test_two_senders_at_once_never_send_the_same(committed):
    scene = sandbox_scene()
    for _ in range(10):
        scene.paid()
    together, sent = Barrier(2, timeout=20), []

    def send(raw, headers):
        sent.append(raw)
        return 200

    def work():
        try:
            together.wait()
            return sum(iter(lambda: deliver_due(now=scene.clock.now, send=send, most=3), 0))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        taken = [each.result() for each in [pool.submit(work) for _ in range(2)]]

    assert (sum(taken), len(sent), len(set(sent))) == (30, 30, 30)


def test_what_another_sender_is_claiming_holds_nobody_up(committed):
    scene = sandbox_scene()
    scene.paid()
    claimed, looked = Event(), Event()

    def claim():
        try:
            with transaction.atomic():
                SandboxDelivery.objects.order_by("pk").select_for_update(of=("self",)).first()
                claimed.set()
                looked.wait(timeout=20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(claim)
        assert claimed.wait(timeout=20)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        try:
            taken = deliver_due(now=scene.clock.now, send=answering(200)[0])
        finally:
            looked.set()
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
        other.result()

    assert taken == 2
