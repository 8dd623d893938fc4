"""The default processor: needs nothing, moves no money."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Model

from marketplace.common.clock import utc_now
from marketplace.common.outside import assert_outside_transaction
from marketplace.ledger.gateways import sandbox_models as models
from marketplace.ledger.gateways import words
from marketplace.ledger.gateways.base import (
    BalanceTransaction,
    DisputeFacts,
    GatewayUnknown,
    PayeeFacts,
    PaymentFacts,
    PayoutFacts,
    RefundFacts,
    TopupPage,
    TransferFacts,
    WebhookEvent,
)
from marketplace.ledger.gateways.faults import Dice
from marketplace.ledger.gateways.sandbox_engine import checkout, connect, lookups, payments, refunds
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_engine.requests import once
from marketplace.ledger.gateways.sandbox_models import SandboxPayment, SandboxSession
from marketplace.ledger.gateways.signatures import Recipient, read_webhook

ACCOUNT = "acct_sandbox"
MADE = {
    "create_topup": SandboxSession, "charge_saved": SandboxPayment, "create_refund": models.SandboxRefund,
    "create_payee": models.SandboxPayee, "create_transfer": models.SandboxTransfer,
    "reverse_transfer": models.SandboxReversal,
}  # fmt: skip


class SandboxGateway:
    """The engine behind the interface. Its clock is the processor's own, as a real one has its own."""

    name = "sandbox"
    livemode = False

    def __init__(self, *, dice: Dice, secret: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._dice, self._clock = dice, clock
        self._recipient = Recipient(secrets=(secret,), account=ACCOUNT, livemode=False)

    def movable(self, *, op: str, asset: str, amount: int) -> int:
        return amount

    def create_topup(
        self, *, key: str, asset: str, amount: int, customer: str, save_method: bool, success_url: str, cancel_url: str
    ) -> TopupPage:
        page = checkout.Wanted(asset, amount, customer, save_method, success_url, cancel_url)
        about = {words.KEY: key, words.ORGANIZATION: customer}
        answer = self._once(
            key, "create_topup", {"page": page},
            lambda now: checkout.create_session(wanted=page, metadata=about, payment_metadata=about, now=now),
        )  # fmt: skip
        return TopupPage(session=answer["id"], url=answer["url"])

    def charge_saved(self, *, key: str, asset: str, amount: int, customer: str, method: str) -> PaymentFacts:
        wanted = {"asset": asset, "amount": amount, "method": method}
        about = {words.KEY: key, words.ORGANIZATION: customer}
        answer = self._once(
            key, "charge_saved", {**wanted, "customer": customer},
            lambda now: payments.charge_saved(
                asset=asset, amount=amount, method=method, metadata=about, now=now, dice=self._dice
            ),
        )  # fmt: skip
        return words.payment_of(answer, None, words.as_it_is)

    def fetch_payment(self, reference: str) -> PaymentFacts:
        if reference.startswith("cs_"):
            session = self._thing(SandboxSession, reference)
            return words.payment_of(session["payment_intent"], session, words.as_it_is)
        intent = self._thing(SandboxPayment, reference)
        return words.payment_of(intent, lookups.session_of(reference), words.as_it_is)

    def create_refund(self, *, key: str, intent: str, amount: int) -> RefundFacts:
        answer = self._once(
            key, "create_refund", {"intent": intent, "amount": amount},
            lambda now: refunds.create_refund(
                payment=intent, amount=amount, metadata={words.KEY: key}, now=now, dice=self._dice
            ),
        )  # fmt: skip
        return words.refund_of(answer, words.as_it_is)

    def fetch_refund(self, refund: str) -> RefundFacts:
        return words.refund_of(self._thing(models.SandboxRefund, refund), words.as_it_is)

    def create_payee(self, *, key: str, organization: str, country: str, email: str) -> PayeeFacts:
        about = {words.KEY: key, words.ORGANIZATION: organization}
        answer = self._once(
            key, "create_payee", {"organization": organization, "country": country, "email": email},
            lambda now: connect.create_payee(country=country, email=email, metadata=about, now=now),
        )  # fmt: skip
        return words.payee_of(answer)

    def payee_link(self, *, payee: str, return_url: str, refresh_url: str) -> str:
        answer = self._call(
            lambda now: connect.make_link(payee=payee, return_url=return_url, refresh_url=refresh_url, now=now)
        )
        return str(answer["url"])

    def fetch_payee(self, payee: str) -> PayeeFacts:
        return words.payee_of(self._thing(models.SandboxPayee, payee))

    def create_transfer(self, *, key: str, payee: str, asset: str, amount: int, group: str) -> TransferFacts:
        answer = self._once(
            key, "create_transfer", {"payee": payee, "asset": asset, "amount": amount, "group": group},
            lambda now: connect.create_transfer(
                payee=payee, asset=asset, amount=amount, group=group, metadata={words.KEY: key}, now=now,
                dice=self._dice,
            ),
        )  # fmt: skip
        return words.transfer_of(answer, answer["reversals"]["data"], words.as_it_is)

    def reverse_transfer(self, *, key: str, transfer: str, amount: int) -> TransferFacts:
        self._once(
            key, "reverse_transfer", {"transfer": transfer, "amount": amount},
            lambda now: connect.reverse_transfer(
                transfer=transfer, amount=amount, metadata={words.KEY: key}, now=now, dice=self._dice
            ),
        )  # fmt: skip
        return self.fetch_transfer(transfer)

    def fetch_transfer(self, transfer: str) -> TransferFacts:
        shape = self._thing(models.SandboxTransfer, transfer)
        all_ = lookups.rows_of(models.SandboxReversal).filter(transfer__public_id=transfer)
        return words.transfer_of(shape, map(lookups.SHAPES[models.SandboxReversal], all_), words.as_it_is)

    def fetch_dispute(self, dispute: str) -> DisputeFacts:
        return words.dispute_of(self._thing(models.SandboxDispute, dispute), words.as_it_is)

    def fetch_payout(self, payout: str) -> PayoutFacts:
        return words.payout_of(self._thing(models.SandboxPayout, payout), words.as_it_is)

    def find_by_key(self, *, op: str, key: str, params: Mapping[str, object]) -> str | None:
        found: str | None = self._call(lambda _now: lookups.made_with(MADE[op], {words.KEY: key}))
        return found

    def balance_transactions(self, day: date) -> Iterator[BalanceTransaction]:
        start = datetime.combine(day, time(), UTC)
        shapes = self._call(lambda _now: lookups.moves(start, start + timedelta(days=1)))
        return iter(words.transactions_of(shapes, words.as_it_is))

    def events_since(self, moment: datetime) -> Iterator[WebhookEvent]:
        return map(words.event_of, self._call(lambda _now: lookups.events(moment)))

    def verify_webhook(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> WebhookEvent:
        return read_webhook(raw=raw, headers=headers, now=now, recipient=self._recipient)

    def _thing(self, model: type[Model], name: str) -> dict[str, Any]:
        shape: dict[str, Any] = self._call(lambda _now: lookups.thing(model, name))
        return shape

    def _once(
        self, key: str, op: str, params: Mapping[str, object], act: Callable[[datetime], dict[str, Any]]
    ) -> dict[str, Any]:
        answer: dict[str, Any] = self._call(
            lambda now: once(key=key, op=op, params=params, now=now, act=lambda: act(now))
        )
        return answer

    def _call(self, act: Callable[[datetime], Any]) -> Any:
        """What `act` answers, when nothing goes wrong on purpose."""
        assert_outside_transaction()
        fault = self._dice.call()
        if fault and not fault.took_effect:
            raise GatewayUnknown(f"the sandbox was told to answer with {fault.kind}")
        try:
            answer = act(self._clock())
        except Refused as refusal:
            error = refusal.error
            raise words.error_of(
                status=refusal.status, code=error["code"], decline_code=error["decline_code"],
                message=error["message"],
            ) from None  # fmt: skip
        if fault:
            raise GatewayUnknown(f"the sandbox was told to answer with {fault.kind}")
        return answer
