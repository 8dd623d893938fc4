"""The sandbox's rows as Stripe shows them, with everything expanded, and the same without."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings

from marketplace.ledger.gateways import sandbox_models as models

Shape = dict[str, Any]
CODES = {"generic_decline": "card_declined", "insufficient_funds": "card_declined"}  # by decline code
TYPES = {
    "transfer_reversal": "transfer_refund", "dispute": "adjustment", "dispute_reversal": "adjustment",
    "payout_reversal": "payout_failure",
}  # fmt: skip
# What is an id unless a request asks to expand it, by the kind of the thing that has it.
EXPANDABLE = {
    "checkout.session": ("payment_intent",), "payment_intent": ("latest_charge",), "charge": ("balance_transaction",),
    "refund": ("balance_transaction", "failure_balance_transaction"), "balance_transaction": ("source",),
}  # fmt: skip


def session(row: models.SandboxSession) -> Shape:
    paid = row.payment is not None and row.payment.captured > 0
    return _thing("checkout.session", row) | {
        "mode": "payment", "status": row.status, "payment_status": "paid" if paid else "unpaid",
        "url": f"{settings.WEB_URL}/sandbox/checkout/{row.public_id}/" if row.status == "open" else None,
        "amount_total": row.amount, "currency": row.asset.lower(), "client_reference_id": row.reference,
        "payment_intent": payment(row.payment) if row.payment else None, "success_url": row.success_url,
        "cancel_url": row.cancel_url, "expires_at": seconds(row.expires_at),
    }  # fmt: skip


def payment(row: models.SandboxPayment) -> Shape:
    tried = bool(row.captured or row.reason)
    return _thing("payment_intent", row) | {
        "amount": row.amount, "amount_received": row.captured, "currency": row.asset.lower(), "status": row.status,
        "customer": row.customer or None, "payment_method": row.method or None,
        "latest_charge": charge(row) if tried else None,
        "last_payment_error": error_of(row.reason) if row.reason and not row.captured else None,
    }  # fmt: skip


def error_of(reason: str) -> Shape:
    return {"type": "card_error", "code": CODES.get(reason, reason), "decline_code": reason, "message": reason}


def charge(row: models.SandboxPayment) -> Shape:
    moved = models.SandboxMove.objects.filter(kind="charge", source=row.charge).first()
    return {
        "id": row.charge, "object": "charge", "livemode": False, "created": seconds(row.created_at),
        "amount": row.amount, "amount_captured": row.captured, "amount_refunded": row.refunded,
        "currency": row.asset.lower(), "status": "succeeded" if row.captured else "failed",
        "refunded": 0 < row.captured == row.refunded, "payment_intent": row.public_id, "metadata": row.metadata,
        "balance_transaction": transaction(moved) if moved else None,
    }  # fmt: skip


def method(row: models.SandboxMethod) -> Shape:
    about = {"object": "payment_method", "type": "card", "livemode": False}
    return about | {"id": row.public_id, "customer": row.customer}


def refund(row: models.SandboxRefund) -> Shape:
    moves = {each.kind: transaction(each) for each in models.SandboxMove.objects.filter(source=row.public_id)}
    return _thing("refund", row) | {
        "amount": row.amount, "currency": row.payment.asset.lower(), "payment_intent": row.payment.public_id,
        "charge": row.payment.charge, "status": row.status, "failure_reason": row.reason or None,
        "balance_transaction": moves.get("refund"), "failure_balance_transaction": moves.get("refund_failure"),
    }  # fmt: skip


def payee(row: models.SandboxPayee) -> Shape:
    return _thing("account", row) | {
        "country": row.country, "email": row.email, "details_submitted": row.submitted, "charges_enabled": False,
        "payouts_enabled": row.enabled, "capabilities": {"transfers": "active" if row.enabled else "inactive"},
        "requirements": {"currently_due": row.missing, "past_due": []},
    }  # fmt: skip


def transfer(row: models.SandboxTransfer) -> Shape:
    newest = [reversal(each) for each in row.reversals.order_by("-pk")[:11]]
    return _thing("transfer", row) | {
        "amount": row.amount, "amount_reversed": row.reversed, "currency": row.asset.lower(),
        "destination": row.payee.public_id, "transfer_group": row.group or None,
        "reversed": row.reversed == row.amount,
        "reversals": {"object": "list", "data": newest[:10], "has_more": len(newest) > 10,
                      "url": f"/v1/transfers/{row.public_id}/reversals"},
    }  # fmt: skip


def reversal(row: models.SandboxReversal) -> Shape:
    return _thing("transfer_reversal", row) | {
        "amount": row.amount, "currency": row.transfer.asset.lower(), "transfer": row.transfer.public_id,
    }  # fmt: skip


def dispute(row: models.SandboxDispute) -> Shape:
    moves = models.SandboxMove.objects.filter(source=row.public_id).order_by("pk")
    return _thing("dispute", row) | {
        "amount": row.amount, "currency": row.payment.asset.lower(), "payment_intent": row.payment.public_id,
        "charge": row.payment.charge, "status": row.status, "reason": row.reason,
        "balance_transactions": [plain(transaction(each)) for each in moves],
    }  # fmt: skip


def payout(row: models.SandboxPayout) -> Shape:
    return _thing("payout", row) | {"amount": row.amount, "currency": row.asset.lower(), "status": row.status}


def transaction(row: models.SandboxMove, source: Shape | None = None) -> Shape:
    return {
        "id": row.public_id, "object": "balance_transaction", "created": seconds(row.created_at), "amount": row.amount,
        "fee": row.fee, "net": row.net, "currency": row.asset.lower(), "reporting_category": row.kind,
        "type": TYPES.get(row.kind, row.kind), "source": source or row.source,
    }  # fmt: skip


def event(row: models.SandboxEvent) -> Shape:
    return {
        "id": row.public_id, "object": "event", "type": row.type, "created": seconds(row.created_at), "livemode": False,
        "data": {"object": row.subject},
    }  # fmt: skip


def plain(shape: Shape, expand: Iterable[str] = ()) -> Shape:
    """`shape` as a request sees it that asks to expand these paths and nothing else."""
    paths = [path.split(".") for path in expand]
    kind = shape.get("object")
    fields = EXPANDABLE.get(kind, ()) if isinstance(kind, str) else ()
    return {name: _plain_field(value, name in fields, name, paths) for name, value in shape.items()}


def _plain_field(value: Any, expandable: bool, name: str, paths: list[list[str]]) -> Any:
    asked = [path[1:] for path in paths if path[0] == name]
    if isinstance(value, dict) and expandable and not asked:
        return value["id"]
    if isinstance(value, dict):
        return plain(value, [".".join(path) for path in asked if path])
    return value


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _thing(kind: str, row: Any) -> Shape:
    return {
        "id": row.public_id, "object": kind, "livemode": False, "created": seconds(row.created_at),
        "metadata": getattr(row, "metadata", {}),
    }  # fmt: skip
