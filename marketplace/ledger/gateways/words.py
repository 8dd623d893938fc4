"""Stripe's words for things and errors, as the ledger's facts and errors: both processors answer in them.

`ours` turns an amount of the processor into minor units; of the sandbox they are the same.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from marketplace.ledger.gateways.base import (
    BalanceTransaction,
    DisputeFacts,
    GatewayBusy,
    GatewayDeclined,
    GatewayError,
    GatewayInvalid,
    GatewayMisconfigured,
    GatewayUnknown,
    PayeeFacts,
    PaymentFacts,
    PayoutFacts,
    RefundFacts,
    TransferFacts,
    WebhookEvent,
)

Thing = Mapping[str, Any]
Ours = Callable[[int, str], int]
KEY = "jm_key"  # of the metadata: the key of our outbox row
ORGANIZATION = "jm_organization"

KINDS = {
    "charge", "refund", "refund_failure", "transfer", "transfer_reversal", "dispute", "dispute_reversal", "fee",
    "payout",
}  # fmt: skip
PAYMENTS = {"succeeded": "succeeded", "processing": "processing", "canceled": "cancelled"}
REFUNDS = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}
DISPUTES = {"won": "won", "lost": "lost"}
PAYOUTS = {"paid": "paid", "failed": "failed", "canceled": "failed"}
SUBJECTS = {
    "payment_intent": "payment", "checkout.session": "payment", "charge": "payment", "refund": "refund",
    "account": "payee", "capability": "payee", "transfer": "transfer", "dispute": "dispute", "payout": "payout",
}  # fmt: skip
# Refusals that are no fault of the request: it may be asked again later, with another key.
REFUSALS = {
    "balance_insufficient", "insufficient_capabilities_for_transfer", "charge_already_refunded", "charge_disputed",
}  # fmt: skip
BUSY_S = 2.0


def as_it_is(amount: int, _asset: str) -> int:
    """The amount of a processor whose units are ours."""
    return amount


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def id_of(reference: Any) -> str:
    """The id of what a field refers to, expanded or not; "" where there is nothing."""
    return str(reference["id"] if isinstance(reference, Mapping) else reference or "")


def key_of(thing: Thing) -> str:
    """The key of our outbox row that made it; "" for what something else made."""
    return str((thing.get("metadata") or {}).get(KEY, ""))


def transaction_of(thing: Thing, ours: Ours, *, source: str = "") -> BalanceTransaction:
    """`source` is for a charge that is not expanded: its PaymentIntent."""
    asset = thing["currency"].upper()
    origin = thing["source"]
    if not source and isinstance(origin, Mapping) and origin.get("object") == "charge":
        source = id_of(origin["payment_intent"])
    kind = "payout" if thing["reporting_category"] == "payout_reversal" else thing["reporting_category"]
    amount, fee, net = (ours(thing[name], asset) for name in ("amount", "fee", "net"))
    return BalanceTransaction(
        id=thing["id"], kind=kind if kind in KINDS else "adjustment", source=source or id_of(origin), asset=asset,
        amount=amount, fee=fee, net=net, at=moment(thing["created"]),
    )  # fmt: skip


def transactions_of(things: Iterable[Thing | None], ours: Ours, *, source: str = "") -> tuple[BalanceTransaction, ...]:
    return tuple(transaction_of(thing, ours, source=source) for thing in things if thing)


def payment_of(intent: Thing | None, session: Thing | None, ours: Ours) -> PaymentFacts:
    """An intent, the session that it was made on, or both; a session has no intent before somebody tries to pay."""
    about = intent or session or {}
    asset = about["currency"].upper()
    charge = (intent or {}).get("latest_charge") or {}
    amounts = {
        "amount": intent["amount"] if intent else about["amount_total"],
        "captured": (intent or {}).get("amount_received", 0),
        "refunded": charge.get("amount_refunded", 0),
    }
    return PaymentFacts(
        intent=id_of(intent), session=id_of(session), key=key_of(intent or {}) or key_of(session or {}), asset=asset,
        state=_state_of_payment(intent, session), livemode=about["livemode"], reason=_reason(intent),
        method=id_of((intent or {}).get("payment_method")) if _is_saved(intent) else "",
        transactions=transactions_of([charge.get("balance_transaction")], ours, source=id_of(intent)),
        **{name: ours(amount, asset) for name, amount in amounts.items()},
    )  # fmt: skip


def _state_of_payment(intent: Thing | None, session: Thing | None) -> str:
    """A card that was refused on a page leaves the page open: the buyer may take another."""
    if intent and intent["status"] in PAYMENTS:
        return PAYMENTS[intent["status"]]
    if session and session["status"] == "expired":
        return "cancelled"
    if session and session["status"] == "open":
        return "open"
    return "failed" if intent and intent.get("last_payment_error") else "open"


def _is_saved(intent: Thing | None) -> bool:
    """A method belongs to a customer only when it was saved for later, or comes from there."""
    return bool(intent and intent.get("customer") and intent["status"] in {"succeeded", "processing"})


def _reason(intent: Thing | None) -> str:
    about = intent or {}
    error = about.get("last_payment_error") or {}
    return "" if about.get("status") == "succeeded" else reason_of(error.get("code"), error.get("decline_code"))


def reason_of(code: str | None, decline_code: str | None) -> str:
    """The more telling of two words."""
    return decline_code if decline_code and decline_code != "generic_decline" else code or ""


def refund_of(thing: Thing, ours: Ours) -> RefundFacts:
    asset = thing["currency"].upper()
    moves = [thing.get("balance_transaction"), thing.get("failure_balance_transaction")]
    return RefundFacts(
        id=thing["id"], intent=id_of(thing["payment_intent"]), key=key_of(thing), asset=asset,
        amount=ours(thing["amount"], asset), state=REFUNDS.get(thing["status"], "pending"),
        reason=thing.get("failure_reason") or "", transactions=transactions_of(moves, ours),
    )  # fmt: skip


def payee_of(thing: Thing) -> PayeeFacts:
    """Enabled is who may be sent money and have it paid out."""
    asked = thing.get("requirements") or {}
    missing = dict.fromkeys([*(asked.get("past_due") or ()), *(asked.get("currently_due") or ())])
    active = (thing.get("capabilities") or {}).get("transfers") == "active"
    return PayeeFacts(
        id=thing["id"], enabled=active and thing["payouts_enabled"], submitted=thing["details_submitted"],
        missing=tuple(missing),
    )  # fmt: skip


def transfer_of(thing: Thing, reversals: Iterable[Thing], ours: Ours) -> TransferFacts:
    asset = thing["currency"].upper()
    return TransferFacts(
        id=thing["id"], payee=id_of(thing["destination"]), key=key_of(thing), group=thing["transfer_group"] or "",
        asset=asset, amount=ours(thing["amount"], asset), reversed=ours(thing["amount_reversed"], asset),
        reversals=tuple((each["id"], ours(each["amount"], asset)) for each in reversals),
    )  # fmt: skip


def dispute_of(thing: Thing, ours: Ours) -> DisputeFacts:
    """All that begins with `warning` moves nothing; what a card network has settled beforehand neither."""
    asset, status = thing["currency"].upper(), thing["status"]
    inquiry = status.startswith("warning_") or status == "prevented"
    return DisputeFacts(
        id=thing["id"], intent=id_of(thing["payment_intent"]), asset=asset, amount=ours(thing["amount"], asset),
        state="inquiry" if inquiry else DISPUTES.get(status, "open"), reason=thing["reason"],
        transactions=transactions_of(thing["balance_transactions"], ours),
    )  # fmt: skip


def payout_of(thing: Thing, ours: Ours) -> PayoutFacts:
    asset = thing["currency"].upper()
    return PayoutFacts(
        id=thing["id"], asset=asset, amount=ours(thing["amount"], asset), state=PAYOUTS.get(thing["status"], "pending")
    )


def event_of(thing: Thing) -> WebhookEvent:
    """Raises LookupError, TypeError, ValueError or OverflowError for what is no event."""
    about = thing["data"]["object"]
    kind = about.get("object") if isinstance(about.get("object"), str) else ""
    subject = SUBJECTS.get(kind, "")
    if not isinstance(thing["id"], str) or not thing["id"] or not isinstance(thing["type"], str):
        raise ValueError("an event has an id and a type")
    return WebhookEvent(
        id=thing["id"], type=thing["type"], subject=subject, object_id=_object_of(kind, about) if subject else "",
        at=moment(int(thing["created"])),
    )  # fmt: skip


def _object_of(kind: str, about: Thing) -> str:
    if kind in {"checkout.session", "charge"}:
        return id_of(about.get("payment_intent")) or str(about["id"])
    return id_of(about["account"]) if kind == "capability" else str(about["id"])


def error_of(
    *, status: int | None, code: str = "", decline_code: str = "", message: str = "", wait: float = BUSY_S
) -> GatewayError:
    """The error that an HTTP answer means; no answer, or one that makes no sense, leaves everything open."""
    if status == 402:
        return GatewayDeclined(message, reason=reason_of(code, decline_code))
    if status == 429:
        return GatewayBusy(message, retry_after=wait)
    if status in {401, 403}:
        return GatewayMisconfigured(message)
    if status in {400, 404} and code in REFUSALS:
        return GatewayDeclined(message, reason=code)
    if status in {400, 404}:
        return GatewayInvalid(message)
    return GatewayUnknown(message)
