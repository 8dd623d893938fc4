"""Stripe: the only import of its library. One call is one HTTP request; trying again is the outbox's part."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import stripe

from marketplace.common.clock import utc_now
from marketplace.common.outside import assert_outside_transaction
from marketplace.ledger.gateways import stripe_amounts, words
from marketplace.ledger.gateways.base import (
    BalanceTransaction,
    DisputeFacts,
    GatewayInvalid,
    GatewayUnknown,
    PayeeFacts,
    PaymentFacts,
    PayoutFacts,
    RefundFacts,
    TopupPage,
    TransferFacts,
    WebhookEvent,
)
from marketplace.ledger.gateways.signatures import Recipient, read_webhook
from marketplace.ledger.gateways.stripe_amounts import ours, theirs

PATIENCE_S = (5.0, 20.0)  # to connect, to answer: less than a task may take
PAGE = 100
SESSIONS_OF = timedelta(days=2)  # a page is open for one
WITH_MONEY = ["latest_charge.balance_transaction"]
WITH_REFUND = ["balance_transaction", "failure_balance_transaction"]


class Transport(stripe.RequestsClient):
    """Every request to Stripe goes through here, also for the next page of a list: outside transactions, and an answer
    that is none of Stripe's, such as a proxy's, counts as no answer.
    """

    def request(  # type: ignore[override]  # the library's own subclass differs from its parent as well
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        assert_outside_transaction()
        content, status, answered = super().request(method, url, headers, post_data)
        if not _makes_sense(content, status):
            raise GatewayUnknown(f"{status} with a body that is no answer of Stripe's")
        return content, status, answered


def _makes_sense(content: bytes, status: int) -> bool:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    told = body.get("object" if status < 400 else "error") if isinstance(body, dict) else None
    return isinstance(told, str if status < 400 else dict)


class StripeGateway:
    """Top-ups by Checkout, payees by Connect; money of one account in one mode."""

    name = "stripe"

    def __init__(
        self, *, key: str, base: str, recipient: Recipient, clock: Callable[[], datetime] = utc_now,
        patience: tuple[float, float] = PATIENCE_S,
    ) -> None:  # fmt: skip
        self.livemode = recipient.livemode
        self._recipient, self._clock = recipient, clock
        self._api = stripe.StripeClient(
            key, base_addresses={"api": base}, max_network_retries=0, http_client=Transport(timeout=patience)
        ).v1

    def movable(self, *, op: str, asset: str, amount: int) -> int:
        return stripe_amounts.movable(op=op, asset=asset, amount=amount)

    def create_topup(
        self, *, key: str, asset: str, amount: int, customer: str, save_method: bool, success_url: str, cancel_url: str
    ) -> TopupPage:
        about = {words.KEY: key, words.ORGANIZATION: customer}
        price = {
            "currency": asset.lower(), "unit_amount": theirs(op="create_topup", asset=asset, amount=amount),
            "product_data": {"name": "Wallet top-up"},
        }  # fmt: skip
        intent: dict[str, Any] = {"metadata": about, "capture_method": "automatic"}
        if save_method:
            intent["setup_future_usage"] = "off_session"
        wanted: Any = {
            "mode": "payment", "payment_method_types": ["card"], "adaptive_pricing": {"enabled": False},
            "line_items": [{"price_data": price, "quantity": 1}], "client_reference_id": customer, "metadata": about,
            "customer_creation": "always" if save_method else "if_required", "payment_intent_data": intent,
            "success_url": success_url, "cancel_url": cancel_url,
        }  # fmt: skip
        with told():
            session = self._api.checkout.sessions.create(wanted, {"idempotency_key": key})
        return TopupPage(session=session.id, url=session.url or "")

    def charge_saved(self, *, key: str, asset: str, amount: int, customer: str, method: str) -> PaymentFacts:
        with told():
            owner = words.id_of(self._api.payment_methods.retrieve(method).to_dict().get("customer"))
            if not owner:
                raise GatewayInvalid(f"{method} is not saved for anybody")
            wanted: Any = {
                "amount": theirs(op="charge_saved", asset=asset, amount=amount), "currency": asset.lower(),
                "customer": owner, "payment_method": method, "off_session": True, "confirm": True,
                "capture_method": "automatic", "metadata": {words.KEY: key, words.ORGANIZATION: customer},
                "expand": WITH_MONEY,
            }  # fmt: skip
            intent = self._api.payment_intents.create(wanted, {"idempotency_key": key})
        return words.payment_of(intent.to_dict(), None, ours)

    def fetch_payment(self, reference: str) -> PaymentFacts:
        with told():
            if reference.startswith("cs_"):
                expand = ["payment_intent", *(f"payment_intent.{path}" for path in WITH_MONEY)]
                session = self._api.checkout.sessions.retrieve(reference, {"expand": expand}).to_dict()
                return words.payment_of(session.get("payment_intent"), session, ours)
            intent = self._api.payment_intents.retrieve(reference, {"expand": WITH_MONEY}).to_dict()
            pages = self._api.checkout.sessions.list({"payment_intent": reference, "limit": 1}).data
        return words.payment_of(intent, pages[0].to_dict() if pages else None, ours)

    def create_refund(self, *, key: str, intent: str, amount: int) -> RefundFacts:
        with told():
            asset = self._api.payment_intents.retrieve(intent).currency.upper()
            wanted: Any = {
                "payment_intent": intent, "amount": theirs(op="create_refund", asset=asset, amount=amount),
                "metadata": {words.KEY: key}, "expand": WITH_REFUND,
            }  # fmt: skip
            refund = self._api.refunds.create(wanted, {"idempotency_key": key})
        return words.refund_of(refund.to_dict(), ours)

    def fetch_refund(self, refund: str) -> RefundFacts:
        with told():
            return words.refund_of(self._api.refunds.retrieve(refund, {"expand": WITH_REFUND}).to_dict(), ours)

    def create_payee(self, *, key: str, organization: str, country: str, email: str) -> PayeeFacts:
        wanted: Any = {
            "country": country, "email": email, "capabilities": {"transfers": {"requested": True}},
            "controller": {
                "fees": {"payer": "application"}, "losses": {"payments": "application"},
                "stripe_dashboard": {"type": "express"}, "requirement_collection": "stripe",
            },
            "metadata": {words.KEY: key, words.ORGANIZATION: organization},
        }  # fmt: skip
        with told():
            return words.payee_of(self._api.accounts.create(wanted, {"idempotency_key": key}).to_dict())

    def payee_link(self, *, payee: str, return_url: str, refresh_url: str) -> str:
        wanted: Any = {
            "account": payee, "type": "account_onboarding", "return_url": return_url, "refresh_url": refresh_url
        }  # fmt: skip
        with told():
            return self._api.account_links.create(wanted).url

    def fetch_payee(self, payee: str) -> PayeeFacts:
        with told():
            return words.payee_of(self._api.accounts.retrieve(payee).to_dict())

    def create_transfer(self, *, key: str, payee: str, asset: str, amount: int, group: str) -> TransferFacts:
        wanted: Any = {
            "destination": payee, "currency": asset.lower(), "transfer_group": group,
            "amount": theirs(op="create_transfer", asset=asset, amount=amount), "metadata": {words.KEY: key},
        }  # fmt: skip
        with told():
            transfer = self._api.transfers.create(wanted, {"idempotency_key": key}).to_dict()
        return words.transfer_of(transfer, transfer["reversals"]["data"], ours)

    def reverse_transfer(self, *, key: str, transfer: str, amount: int) -> TransferFacts:
        with told():
            asset = self._api.transfers.retrieve(transfer).currency.upper()
            part = theirs(op="reverse_transfer", asset=asset, amount=amount)
            wanted: Any = {"amount": part, "metadata": {words.KEY: key}}
            self._api.transfers.reversals.create(transfer, wanted, {"idempotency_key": key})
        return self.fetch_transfer(transfer)

    def fetch_transfer(self, transfer: str) -> TransferFacts:
        with told():
            found = self._api.transfers.retrieve(transfer).to_dict()
            return words.transfer_of(found, self._reversals(found), ours)

    def fetch_dispute(self, dispute: str) -> DisputeFacts:
        with told():
            return words.dispute_of(self._api.disputes.retrieve(dispute).to_dict(), ours)

    def fetch_payout(self, payout: str) -> PayoutFacts:
        with told():
            return words.payout_of(self._api.payouts.retrieve(payout).to_dict(), ours)

    def find_by_key(self, *, op: str, key: str, params: Mapping[str, object]) -> str | None:
        with told():
            return self._finders[op](self, key, params)

    def balance_transactions(self, day: date) -> Iterator[BalanceTransaction]:
        start = int(datetime.combine(day, time(), UTC).timestamp())
        wanted: Any = {"created": {"gte": start, "lt": start + 86_400}, "limit": PAGE, "expand": ["data.source"]}
        with told():
            newest_first = [each.to_dict() for each in self._api.balance_transactions.list(wanted).auto_paging_iter()]
        return iter(words.transactions_of(reversed(newest_first), ours))

    def events_since(self, moment: datetime) -> Iterator[WebhookEvent]:
        wanted: Any = {"created": {"gte": int(moment.timestamp())}, "limit": PAGE}
        with told():
            newest_first = [each.to_dict() for each in self._api.events.list(wanted).auto_paging_iter()]
        return map(words.event_of, reversed(newest_first))

    def verify_webhook(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> WebhookEvent:
        return read_webhook(raw=raw, headers=headers, now=now, recipient=self._recipient)

    def _reversals(self, transfer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """All of them: a transfer shows ten."""
        if not transfer["reversals"]["has_more"]:
            yield from transfer["reversals"]["data"]
            return
        for each in self._api.transfers.reversals.list(transfer["id"], {"limit": PAGE}).auto_paging_iter():
            yield each.to_dict()

    def _find_topup(self, key: str, params: Mapping[str, object]) -> str | None:
        """Of the open ones by date, of those that somebody paid on by their payment."""
        since = int((self._clock() - SESSIONS_OF).timestamp())
        found = _made_with(key, self._api.checkout.sessions.list({"created": {"gte": since}, "limit": PAGE}))
        intent = None if found else self._find_payment(key, params)
        if intent is None:
            return found
        pages = self._api.checkout.sessions.list({"payment_intent": intent, "limit": 1}).data
        return pages[0].id if pages else None

    def _find_payment(self, key: str, _params: Mapping[str, object]) -> str | None:
        query = f"metadata['{words.KEY}']:'{key}'"
        found = self._api.payment_intents.search({"query": query, "limit": 1}).data
        return found[0].id if found else None

    def _find_refund(self, key: str, params: Mapping[str, object]) -> str | None:
        return _made_with(key, self._api.refunds.list({"payment_intent": str(params["intent"]), "limit": PAGE}))

    def _find_payee(self, key: str, _params: Mapping[str, object]) -> str | None:
        return _made_with(key, self._api.accounts.list({"limit": PAGE}))

    def _find_transfer(self, key: str, params: Mapping[str, object]) -> str | None:
        return _made_with(key, self._api.transfers.list({"transfer_group": str(params["group"]), "limit": PAGE}))

    def _find_reversal(self, key: str, params: Mapping[str, object]) -> str | None:
        return _made_with(key, self._api.transfers.reversals.list(str(params["transfer"]), {"limit": PAGE}))

    _finders = {
        "create_topup": _find_topup, "charge_saved": _find_payment, "create_refund": _find_refund,
        "create_payee": _find_payee, "create_transfer": _find_transfer, "reverse_transfer": _find_reversal,
    }  # fmt: skip


def _made_with(key: str, things: stripe.ListObject[Any]) -> str | None:
    """The id of the one with the key in its metadata, page after page."""
    return next((each.id for each in things.auto_paging_iter() if words.key_of(each.to_dict()) == key), None)


@contextmanager
def told() -> Iterator[None]:
    """The library's errors as ours."""
    try:
        yield
    except stripe.APIConnectionError as error:
        raise GatewayUnknown(str(error)) from error
    except stripe.StripeError as error:
        about = error.json_body["error"] if isinstance(error.json_body, dict) else {}
        raise words.error_of(
            status=error.http_status, code=about.get("code") or "", decline_code=about.get("decline_code") or "",
            message=str(error), wait=_wait(error),
        ) from error  # fmt: skip


def _wait(error: stripe.StripeError) -> float:
    """Seconds, as Retry-After says; a date there is not read."""
    text = str({name.lower(): value for name, value in (error.headers or {}).items()}.get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() and len(text) < 5 else words.BUSY_S
