"""A processor as the tests see it: the gateway that is called, the people at its pages, time, and its webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction

from marketplace.ledger.gateways.base import PaymentGateway
from marketplace.ledger.gateways.faults import NONE, Dice, Faults
from marketplace.ledger.gateways.sandbox import ACCOUNT, SandboxGateway
from marketplace.ledger.gateways.sandbox_engine import checkout, connect, disputes, due, payouts, refunds
from marketplace.ledger.gateways.sandbox_engine.deliveries import deliver_due
from marketplace.ledger.gateways.sandbox_models import SandboxDispute, SandboxPayee, SandboxPayment, SandboxPayout
from marketplace.ledger.gateways.signatures import Recipient
from marketplace.ledger.gateways.stripe_gateway import StripeGateway
from tests.fake_stripe.door import KEY, Door, open_door
from tests.market import NOON

SECRET = "whsec_of_the_tests"
HERE, THERE = "http://127.0.0.1/wallet/", "http://127.0.0.1/wallet/?cancelled=1"


class Clock:
    """The processor's time, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def a_key() -> str:
    return f"jm_{uuid4()}"


class Scene:
    """The engine is the processor behind both gateways: what people and time do there is done to it."""

    door: Door

    def __init__(self, gateway: PaymentGateway, clock: Clock, dice: Dice) -> None:
        self.gateway, self.clock, self.dice = gateway, clock, dice

    def passes(self, span: timedelta) -> None:
        """Time passes, and what is due happens."""
        self.clock.now += span
        due.settle_due(now=self.clock.now, dice=self.dice)

    # ---- calls with what most tests do not care about

    def topup(self, amount=10_000, *, asset="USD", key=None, save=False):
        return self.gateway.create_topup(
            key=key or a_key(), asset=asset, amount=amount, customer="org_1", save_method=save,
            success_url=HERE, cancel_url=THERE,
        )  # fmt: skip

    def paid(self, amount=10_000, *, outcome="ok", asset="USD", save=False):
        """A payment made on a page."""
        page = self.topup(amount, asset=asset, save=save)
        self.pay(page.session, outcome)
        return self.gateway.fetch_payment(page.session)

    def saved(self, outcome="ok"):
        """The id of a payment method that was saved on a page."""
        page = self.topup(save=True)
        self.pay(page.session, outcome)
        if outcome.startswith("3ds"):
            self.authenticate(page.session)
        return self.gateway.fetch_payment(page.session).method

    def charge(self, method, amount=5_000, *, key=None):
        return self.gateway.charge_saved(
            key=key or a_key(), asset="USD", amount=amount, customer="org_1", method=method
        )

    def payee(self, *, key=None):
        return self.gateway.create_payee(
            key=key or a_key(), organization="org_2", country="DE", email="pay@example.test"
        )

    def enabled_payee(self):
        payee = self.payee()
        self.onboard(payee.id)
        return payee.id

    def transfer(self, payee, amount=1_608, *, key=None, group="pay_1", asset="USD"):
        return self.gateway.create_transfer(key=key or a_key(), payee=payee, asset=asset, amount=amount, group=group)

    # ---- what people do at the processor

    def pay(self, session, outcome):
        checkout.pay(session=session, outcome=outcome, now=self.clock.now, dice=self.dice)

    def authenticate(self, session, *, agreed=True):
        checkout.authenticate(session=session, agreed=agreed, now=self.clock.now, dice=self.dice)

    def onboard(self, payee, what="complete"):
        self.gateway.payee_link(payee=payee, return_url=HERE, refresh_url=THERE)
        link = SandboxPayee.objects.get(public_id=payee).link
        connect.tell_all(payee=payee, link=link, what=what, now=self.clock.now, dice=self.dice)

    @transaction.atomic
    def bank_returns(self, refund):
        refunds.fail_refund(refund=refund, now=self.clock.now, dice=self.dice)

    @transaction.atomic
    def dispute(self, intent, **how):
        payment = SandboxPayment.objects.get(public_id=intent)
        return disputes.open_dispute(payment=payment, now=self.clock.now, dice=self.dice, **how).public_id

    @transaction.atomic
    def escalate(self, dispute):
        disputes.escalate(dispute=_dispute(dispute), now=self.clock.now, dice=self.dice)

    @transaction.atomic
    def decide(self, dispute, *, won):
        disputes.close_dispute(dispute=_dispute(dispute), won=won, now=self.clock.now, dice=self.dice)

    @transaction.atomic
    def pay_out(self, amount):
        return payouts.pay_out(asset="USD", amount=amount, now=self.clock.now, dice=self.dice).public_id

    @transaction.atomic
    def arrive(self, payout, *, at_the_bank):
        row = SandboxPayout.objects.get(public_id=payout)
        payouts.arrive(payout=row, at_the_bank=at_the_bank, now=self.clock.now, dice=self.dice)

    # ---- what the processor tells

    def webhooks(self):
        """The (body, headers) that are due now, in the order in which they are sent."""
        sent = []

        def take(raw, headers):
            sent.append((raw, headers))
            return 200

        while deliver_due(now=self.clock.now, send=take):
            pass
        return sent

    def told(self):
        """The events of the webhooks that are due now."""
        return [self.gateway.verify_webhook(raw, headers, self.clock.now) for raw, headers in self.webhooks()]

    def moves(self):
        """(kind, source, amount, fee, net) of today's balance transactions."""
        today = self.gateway.balance_transactions(self.clock.now.date())
        return [(each.kind, each.source, each.amount, each.fee, each.net) for each in today]


def sandbox_scene(faults: Faults = NONE) -> Scene:
    """The sandbox, called as it is."""
    clock, dice = Clock(), Dice(faults)
    return Scene(SandboxGateway(dice=dice, secret=SECRET, clock=clock), clock, dice)


@contextmanager
def stripe_scene(faults: Faults = NONE) -> Iterator[Scene]:
    """Stripe's own library, over HTTP, before the same engine; `scene.door` is what it talks to."""
    clock, dice = Clock(), Dice(faults)
    patience_s = 1.5 if faults.timeout else 60.0  # of answers that come, however busy the machine is
    with open_door(clock=clock, dice=dice) as door:
        gateway = StripeGateway(
            key=KEY,
            base=door.url,
            recipient=recipient(account="acct_platform"),
            clock=clock,
            patience=(5.0, patience_s),
        )  # fmt: skip
        scene = Scene(gateway, clock, dice)
        scene.door = door
        yield scene


def recipient(**changes) -> Recipient:
    return Recipient(**{"secrets": (SECRET,), "account": ACCOUNT, "livemode": False, **changes})


def _dispute(name: str) -> SandboxDispute:
    return SandboxDispute.objects.get(public_id=name)
