"""The ledger's rows: the books, what is held of a wallet, and what is owed and sent to the world outside."""

from marketplace.ledger.gateways import sandbox_models
from marketplace.ledger.models.autotopups import AutoTopup
from marketplace.ledger.models.books import Account, Entry, Journal
from marketplace.ledger.models.holds import Hold
from marketplace.ledger.models.payments import (
    CardDispute,
    GatewayCall,
    GatewayStop,
    Payment,
    Refund,
    WebhookReceipt,
)
from marketplace.ledger.models.payouts import Payee, PayLine, Payout
from marketplace.ledger.models.requests import JournalRequest

__all__ = [
    "Account", "AutoTopup", "CardDispute", "Entry", "GatewayCall", "GatewayStop", "Hold", "Journal", "JournalRequest",
    "PayLine", "Payee", "Payment", "Payout", "Refund", "WebhookReceipt", "sandbox_models",
]  # fmt: skip
