"""Wallets, payments, refunds and payouts as the API shows them."""

from typing import Any

from marketplace.common.clock import rfc3339
from marketplace.ledger.models import Payment, Payout, Refund
from marketplace.ledger.wallets import Wallet


def wallet_as_json(wallet: Wallet) -> dict[str, Any]:
    """What one organization has of one currency."""
    return {
        "object": "wallet",
        "currency": wallet.asset,
        "livemode": wallet.livemode,
        "available_minor": wallet.available,
        "held_minor": wallet.held,
        "frozen_minor": wallet.frozen,
    }


def movement_as_json(row: Any, *, currency: str) -> dict[str, Any]:
    """A journal of `Journal.objects.of_wallet`: what it moved on each part of the wallet."""
    return {
        "object": "movement",
        "id": row.public_id,
        "kind": row.kind,
        "reference": row.ref,
        "currency": currency,
        "livemode": row.livemode,
        "available_minor": row.available,
        "held_minor": row.held,
        "frozen_minor": row.frozen,
        "posted_at": rfc3339(row.posted_at),
    }


def payment_as_json(payment: Payment) -> dict[str, Any]:
    """A top-up; `url` is where its buyer pays while it is open."""
    return {
        "object": "topup",
        "id": payment.public_id,
        "state": payment.state,
        "reason": payment.reason or None,
        "currency": payment.asset,
        "livemode": payment.livemode,
        "amount_minor": payment.amount,
        "captured_minor": payment.captured,
        "refunded_minor": payment.refunded,
        "automatic": payment.automatic,
        "url": payment.url if payment.state == "open" else None,
        "created_at": rfc3339(payment.created_at),
    }


def refund_as_json(refund: Refund) -> dict[str, Any]:
    """Money on its way back to the card of a top-up."""
    return {
        "object": "refund",
        "id": refund.public_id,
        "topup": refund.payment.public_id,
        "state": refund.state,
        "reason": refund.reason or None,
        "currency": refund.payment.asset,
        "livemode": refund.payment.livemode,
        "amount_minor": refund.amount,
        "created_at": rfc3339(refund.created_at),
    }


def payout_as_json(payout: Payout) -> dict[str, Any]:
    """One day's transfer to a provider."""
    return {
        "object": "payout",
        "id": payout.public_id,
        "state": payout.state,
        "reason": payout.reason or None,
        "date": payout.date.isoformat(),
        "currency": payout.asset,
        "livemode": payout.livemode,
        "amount_minor": payout.amount,
        "netted_minor": payout.netted,
        "reversed_minor": payout.reversed,
        "created_at": rfc3339(payout.created_at),
        "paid_at": rfc3339(payout.paid_at),
    }
