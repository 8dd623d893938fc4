"""A market's cashier before the sandbox processor: top-ups, refunds, payees, transfers, and the messages about them."""

from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Organization
from marketplace.ledger import outbox, payments, payouts, webhooks
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.gateways.faults import NONE, dice_of
from marketplace.ledger.gateways.sandbox_engine import checkout, connect, disputes, due, refunds
from marketplace.ledger.gateways.sandbox_engine.deliveries import deliver_due
from marketplace.ledger.gateways.sandbox_models import SandboxDispute, SandboxPayee, SandboxPayment, SandboxRefund
from marketplace.ledger.models import Account, Payment, Payout
from marketplace.ledger.wallets import wallet_of
from tests.market import make_organization

MONEY: dict[str, Any] = {"asset": "USD", "livemode": False}
PAGE = "http://127.0.0.1/wallet/topups/{payment}/"


class Cashier:
    """One buyer and one provider; time is moved by hand and messages are delivered when told."""

    def __init__(self, now: datetime) -> None:
        self.now, self.dice = now, dice_of(NONE)
        self.buyer, self.provider = make_organization(funds=0), make_organization(funds=0)
        self.delivered: list[int] = []

    # ---- our side

    def start(self, amount: int = 10_000, *, buyer: Organization | None = None, save: bool = False) -> Payment:
        """A top-up whose page is there."""
        payment, _ = payments.start_topup(
            organization=buyer or self.buyer, amount=amount, success_url=PAGE, cancel_url=PAGE, save_method=save,
            now=self.now, **MONEY,
        )  # fmt: skip
        self.send()
        payment.refresh_from_db()
        return payment

    def topped_up(self, amount: int = 10_000, outcome: str = "ok", *, save: bool = False) -> Payment:
        """A top-up that was paid, with its messages."""
        payment = self.start(amount, save=save)
        self.pay(payment, outcome)
        self.hear()
        payment.refresh_from_db()
        return payment

    def refund(self, amount: int) -> list[Any]:
        return payments.request_refund(organization=self.buyer, amount=amount, now=self.now, actor="test", **MONEY)

    def onboarded(self) -> None:
        """The provider is known to the processor."""
        payee = payouts.register_payee(organization=self.provider, email="p@example.test", livemode=False, now=self.now)
        self.send()
        payee.refresh_from_db()
        assert payee.account is not None
        gateway_of("sandbox").payee_link(payee=payee.account, return_url=PAGE, refresh_url=PAGE)
        link = SandboxPayee.objects.get(public_id=payee.account).link
        connect.tell_all(payee=payee.account, link=link, what="complete", now=self.now, dice=self.dice)
        self.hear()

    def pay_out(self) -> list[Payout]:
        payouts.make_payouts(now=self.now)
        self.send()
        return list(Payout.objects.order_by("pk"))

    def send(self) -> int:
        return outbox.send_due(now=self.now)

    def wallet(self) -> tuple[int, int, int]:
        found = wallet_of(organization=self.buyer, **MONEY)
        return found.available, found.held, found.frozen

    def books(self, *kinds: str) -> list[int]:
        """Balances by kind, over all owners."""
        sums: dict[str, int] = {}
        for each in Account.objects.with_sum():
            sums[each.kind] = sums.get(each.kind, 0) + each.summed
        return [sums.get(kind, 0) for kind in kinds]

    # ---- the processor's side

    def pay(self, payment: Payment, outcome: str = "ok") -> None:
        checkout.pay(session=str(payment.session), outcome=outcome, now=self.now, dice=self.dice)

    def authenticate(self, payment: Payment, *, agreed: bool) -> None:
        checkout.authenticate(session=str(payment.session), agreed=agreed, now=self.now, dice=self.dice)

    def passes(self, span: timedelta) -> None:
        self.now += span
        due.settle_due(now=self.now, dice=self.dice)

    @transaction.atomic
    def dispute(self, payment: Payment, **how: Any) -> str:
        row = SandboxPayment.objects.get(public_id=payment.intent)
        return disputes.open_dispute(payment=row, now=self.now, dice=self.dice, **how).public_id

    @transaction.atomic
    def escalate(self, dispute: str) -> None:
        disputes.escalate(dispute=_dispute(dispute), now=self.now, dice=self.dice)

    @transaction.atomic
    def decide(self, dispute: str, *, won: bool) -> None:
        disputes.close_dispute(dispute=_dispute(dispute), won=won, now=self.now, dice=self.dice)

    @transaction.atomic
    def bank_returns(self) -> None:
        """The last refund comes back."""
        refund = SandboxRefund.objects.order_by("pk").last()
        assert refund is not None
        refunds.fail_refund(refund=refund.public_id, now=self.now, dice=self.dice)

    def deliver(self) -> None:
        """The processor sends what is due to our endpoint."""
        with time_machine.travel(max(self.now, timezone.now()), tick=False):
            while deliver_due(now=timezone.now(), send=self._post):
                pass

    def hear(self) -> None:
        """Messages arrive and are applied."""
        self.deliver()
        self.apply()

    def apply(self) -> None:
        """All messages that arrived by now are applied; our endpoint notes the real time."""
        while webhooks.apply_due(now=max(self.now, timezone.now())):
            pass

    def _post(self, raw: bytes, headers: Any) -> int:
        fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        fields.pop("HTTP_CONTENT_TYPE", None)
        answer = Client().post("/api/v1/payments/webhooks/sandbox", data=raw, content_type="application/json", **fields)
        self.delivered.append(answer.status_code)
        return answer.status_code


def _dispute(public_id: str) -> SandboxDispute:
    return SandboxDispute.objects.select_for_update().get(public_id=public_id)
