"""The ledger's rows: the books, what is held of a wallet, and what is owed and sent to the world outside."""

from marketplace.ledger.gateways import sandbox_models
from marketplace.ledger.models.autotopups import AutoTopup
from marketplace.ledger.models.books import Account, Entry, Journal
from marketplace.ledger.models.budgets import Budget, BudgetPeriod, BudgetUse
from marketplace.ledger.models.holds import Hold
from marketplace.ledger.models.invoices import Invoice, InvoiceLine, InvoiceSeries
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
from marketplace.ledger.models.taxes import BillingDetails, TaxRule

__all__ = [
    "Account", "AutoTopup", "BillingDetails", "Budget", "BudgetPeriod", "BudgetUse", "CardDispute", "Entry",
    "GatewayCall", "GatewayStop", "Hold", "Invoice", "InvoiceLine", "InvoiceSeries", "Journal", "JournalRequest",
    "PayLine", "Payee", "Payment", "Payout", "Refund", "TaxRule", "WebhookReceipt", "sandbox_models",
]  # fmt: skip
