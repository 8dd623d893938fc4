"""What the ledger asks of a payment processor, and the facts it gets back (money.md, section 7).

Amounts are whole minor units of an asset (a currency). Every call that makes something carries the key of its outbox
row: the processor does it once however often it is asked, and the key stands in what it made, to find it by.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


class GatewayError(Exception):
    """A call to the processor did not give what was asked."""


class GatewayDeclined(GatewayError):
    """It refused for good, and would refuse the same key again; `reason` is its word for why, such as `card_declined`.

    A transfer for which the balance is too low (`balance_insufficient`) may be asked for later, with another key.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class GatewayInvalid(GatewayError):
    """It did not understand, or the same key came with other parameters: a fault of ours, never tried again."""


class GatewayBusy(GatewayError):
    """It asks to come back in `retry_after` seconds; nothing was done."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GatewayUnknown(GatewayError):
    """Time-out, broken link or 5xx: it may have been done or not. Only the same key may ask again."""


class GatewayMisconfigured(GatewayError):
    """Keys, account or mode are wrong: the outbox stops until an operator mends it."""


class SignatureInvalid(GatewayError):
    """A webhook that nobody trustworthy sent, or not now, or not to us."""


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One move of the balance that the processor keeps for the operator; `net` = `amount` - `fee`, signed.

    `kind` is one of charge, refund, refund_failure, transfer, transfer_reversal, dispute, dispute_reversal, fee,
    payout, adjustment. `source` is the id of what it belongs to: the PaymentIntent of a charge, the refund, the
    transfer, the reversal (not its transfer), the dispute, the payout. A payout that comes back is another one of kind
    payout, with a positive amount.
    """

    id: str
    kind: str
    source: str
    asset: str
    amount: int
    fee: int
    net: int
    at: datetime


@dataclass(frozen=True, slots=True)
class TopupPage:
    """A checkout page of the processor: where to send the buyer, and the session that it belongs to."""

    session: str
    url: str


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """A payment as it stands now. `state`: open, processing, succeeded, failed, cancelled.

    A payment on a page has no `intent` ("") before the buyer first tries to pay, and stays open when a card is refused:
    the buyer may take another until the page expires, which cancels it.

    `session` is the checkout page it was made on; `key` that of our outbox row. `captured` and `refunded` are in minor
    units. `reason` says why it failed. `transactions` are those of the charge, with its fee.
    """

    intent: str
    session: str
    key: str
    asset: str
    amount: int
    captured: int
    refunded: int
    state: str
    livemode: bool
    reason: str = ""
    method: str = ""  # a saved payment method, for automatic top-ups
    transactions: tuple[BalanceTransaction, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """A refund as it stands now. `state`: pending, succeeded, failed."""

    id: str
    intent: str
    key: str
    asset: str
    amount: int
    state: str
    reason: str = ""
    transactions: tuple[BalanceTransaction, ...] = ()


@dataclass(frozen=True, slots=True)
class PayeeFacts:
    """Who is paid by transfers. `missing` are the processor's words for what it still wants to know."""

    id: str
    enabled: bool
    submitted: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TransferFacts:
    """A transfer to a payee as it stands now; `reversed` of `amount` came back, by `reversals` (id, amount)."""

    id: str
    payee: str
    key: str
    group: str
    asset: str
    amount: int
    reversed: int
    reversals: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A card holder's objection. `state`: inquiry, open, won, lost. Money moved only by its `transactions`."""

    id: str
    intent: str
    asset: str
    amount: int
    state: str
    reason: str
    transactions: tuple[BalanceTransaction, ...] = ()


@dataclass(frozen=True, slots=True)
class PayoutFacts:
    """Money on its way to the operator's bank. `state`: pending, paid, failed."""

    id: str
    asset: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A verified message that an object changed: fetch it, for only its present state counts.

    `subject` is payment, refund, payee, transfer, dispute, payout or "" for what the ledger does not follow;
    `object_id` is what `fetch_<subject>` takes. A checkout session is told as the payment made on it.
    """

    id: str
    type: str
    subject: str
    object_id: str
    at: datetime


class PaymentGateway(Protocol):
    """A payment processor. `key` is `jm_<uuid>` of the outbox row; all raise GatewayError."""

    @property
    def name(self) -> str:
        """sandbox or stripe."""

    @property
    def livemode(self) -> bool:
        """Whether money really moves."""

    def movable(self, *, op: str, asset: str, amount: int) -> int:
        """The largest part of `amount` that `op` can move: some currencies of a processor have coarser steps than ours.

        Whoever asks for more gets GatewayInvalid.
        """

    def create_topup(
        self, *, key: str, asset: str, amount: int, customer: str, save_method: bool, success_url: str, cancel_url: str
    ) -> TopupPage:
        """A page on which the buyer pays. `customer` is the organization's public id."""

    def charge_saved(self, *, key: str, asset: str, amount: int, customer: str, method: str) -> PaymentFacts:
        """Charge a payment method that was saved, without the buyer; raises GatewayDeclined."""

    def fetch_payment(self, reference: str) -> PaymentFacts:
        """By PaymentIntent or by checkout session."""

    def create_refund(self, *, key: str, intent: str, amount: int) -> RefundFacts:
        """Send `amount` back to the card that paid."""

    def fetch_refund(self, refund: str) -> RefundFacts:
        """The refund now."""

    def create_payee(self, *, key: str, organization: str, country: str, email: str) -> PayeeFacts:
        """An account that transfers go to."""

    def payee_link(self, *, payee: str, return_url: str, refresh_url: str) -> str:
        """The address of the page on which the payee tells who they are; it expires soon."""

    def fetch_payee(self, payee: str) -> PayeeFacts:
        """The payee now."""

    def create_transfer(self, *, key: str, payee: str, asset: str, amount: int, group: str) -> TransferFacts:
        """Move `amount` of the operator's balance to the payee."""

    def reverse_transfer(self, *, key: str, transfer: str, amount: int) -> TransferFacts:
        """Take `amount` of a transfer back."""

    def fetch_transfer(self, transfer: str) -> TransferFacts:
        """The transfer now."""

    def fetch_dispute(self, dispute: str) -> DisputeFacts:
        """The dispute now."""

    def fetch_payout(self, payout: str) -> PayoutFacts:
        """The payout now."""

    def find_by_key(self, *, op: str, key: str, params: Mapping[str, object]) -> str | None:
        """The id of what `op` (a method of this class, called with `params`) made for `key`, or None.

        It is looked for by the key in its metadata: a checkout session of the last two days or one that was paid, a
        payment, a refund, a payee, a transfer, or for `reverse_transfer` the reversal (fetch its transfer). A payment
        method that was declined off-session is found too: fetch it to see.
        """

    def balance_transactions(self, day: date) -> Iterator[BalanceTransaction]:
        """Every move of the balance on the UTC day, oldest first."""

    def events_since(self, moment: datetime) -> Iterator[WebhookEvent]:
        """What happened from `moment` on, oldest first, whether or not a webhook told it."""

    def verify_webhook(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> WebhookEvent:
        """The event of a webhook's raw body. Raises SignatureInvalid, also for another account or mode."""
