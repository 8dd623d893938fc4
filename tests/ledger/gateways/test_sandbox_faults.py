"""What goes wrong at the sandbox on purpose, and that it goes wrong the same way again."""

from collections import Counter
from datetime import timedelta

import pytest

from marketplace.ledger.gateways.base import GatewayUnknown
from marketplace.ledger.gateways.faults import NONE, Dice, Faults, read_faults
from marketplace.ledger.gateways.sandbox_models import SandboxPayment, SandboxRefund, SandboxTransfer
from tests.ledger.gateways.scene import a_key, sandbox_scene

HALF = 5 * 10**8
ALWAYS = 10**9


def test_the_setting_is_read_as_it_is_written():
    read = read_faults("seed=7,dup=.1,shuffle=1,delay=3d,timeout=.05, http500=.02")

    assert read == Faults(seed=7, dup=10**8, shuffle=10**9, delay=3 * 86_400, timeout=5 * 10**7, http500=2 * 10**7)
    assert read_faults("") == NONE
    assert read_faults("drop=0.25,refund_fails=1.0") == Faults(drop=25 * 10**7, refund_fails=10**9)


@pytest.mark.parametrize(
    "text",
    ["dup", "dup=", "dup=.", "dup=2", "dup=1.1", "dup=-.1", "dup=nan", "seed=x", "seed=-1", "delay=3", "delay=3w",
     "dup=.1,dup=.1", "lost=.1", "=1", "timeout=1e-3", "dup=٣"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r"no fault|twice"):
        read_faults(text)


def test_a_seed_throws_the_same_and_another_seed_throws_otherwise():
    faults = read_faults("seed=7,dup=.3,shuffle=.5,drop=.2,delay=3d,timeout=.2,http500=.2,refund_fails=.5")
    other = read_faults("seed=8,dup=.3,shuffle=.5,drop=.2,delay=3d,timeout=.2,http500=.2,refund_fails=.5")

    def thrown(of):
        dice = Dice(of)
        return [(dice.call(), tuple(dice.webhook()), dice.refund_fails()) for _ in range(200)]

    assert thrown(faults) == thrown(faults)
    assert thrown(faults) != thrown(other)


def test_shares_are_met_and_half_of_the_calls_that_fail_were_done():
    dice = Dice(read_faults("seed=1,timeout=.05,http500=.02,dup=.1,drop=.1,delay=3d"))
    calls = Counter((fault.kind, fault.took_effect) for fault in (dice.call() for _ in range(20_000)) if fault)
    webhooks = [dice.webhook() for _ in range(20_000)]
    copies = Counter(map(len, webhooks))
    waits = [wait for each in webhooks for wait in each]

    assert 400 < calls["timeout", True] < 600
    assert 400 < calls["timeout", False] < 600
    assert 140 < calls["http500", True] < 260
    assert 140 < calls["http500", False] < 260
    assert 1_800 < copies[0] < 2_200
    assert 1_600 < copies[2] < 2_000
    assert timedelta(days=2, hours=23) < max(waits) <= timedelta(days=3)


def test_without_faults_nothing_happens():
    dice = Dice(NONE)

    assert [dice.call() for _ in range(100)] == [None] * 100
    assert [dice.webhook() for _ in range(100)] == [[timedelta(0)]] * 100


def until_answered(call):
    """The answer, and how many calls it took."""
    for tries in range(1, 60):
        try:
            return call(), tries
        except GatewayUnknown:
            continue
    raise AssertionError("the sandbox never answers")


@pytest.mark.django_db
@pytest.mark.parametrize("faults", ["seed=3,timeout=.5", "seed=3,http500=.5", "seed=4,timeout=.4,http500=.4"])
def test_the_same_key_until_there_is_an_answer_does_everything_once(faults):
    scene = sandbox_scene(read_faults(faults))
    tries = 0
    for _ in range(10):
        key, refund_key = a_key(), a_key()
        page, first = until_answered(lambda key=key: scene.topup(10_000, key=key))
        scene.pay(page.session, "ok")
        paid, _ = until_answered(lambda page=page: scene.gateway.fetch_payment(page.session))
        _, second = until_answered(
            lambda key=refund_key, intent=paid.intent: scene.gateway.create_refund(key=key, intent=intent, amount=9)
        )
        tries += first + second

    assert tries > 25  # some of them were needed
    assert (SandboxPayment.objects.count(), SandboxRefund.objects.count()) == (10, 10)
    assert set(SandboxPayment.objects.values_list("refunded", flat=True)) == {9}


@pytest.mark.django_db
def test_a_call_without_an_answer_was_done_or_not():
    calm = sandbox_scene()
    calm.paid(10_000)
    payee = calm.enabled_payee()
    scene = sandbox_scene(Faults(seed=5, timeout=ALWAYS))
    done = 0
    for made in range(40):
        with pytest.raises(GatewayUnknown):
            scene.transfer(payee, 1)
        done = SandboxTransfer.objects.count()
        assert done <= made + 1

    assert 10 < done < 30


@pytest.mark.django_db
def test_doubled_dropped_and_delayed_webhooks_still_tell_what_the_list_tells():
    scene = sandbox_scene(Faults(seed=2, dup=HALF, drop=HALF // 2, shuffle=ALWAYS, delay=3_600))
    start = scene.clock.now
    for _ in range(20):
        scene.paid()
    listed = [each.id for each in scene.gateway.events_since(start)]
    assert scene.told() == [] or len(scene.told()) < len(listed)
    scene.clock.now += timedelta(hours=1, minutes=1)
    told = [each.id for each in scene.told()]

    assert len(listed) == 60
    assert set(told) < set(listed)
    assert len(told) > len(set(told))
    assert told != sorted(told)


@pytest.mark.django_db
def test_refunds_fail_later_where_that_is_asked_for():
    scene = sandbox_scene(Faults(refund_fails=ALWAYS))
    paid = scene.paid()
    refund = scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=100)
    scene.passes(timedelta(minutes=1))

    assert refund.state == "succeeded"
    assert scene.gateway.fetch_refund(refund.id).state == "failed"
