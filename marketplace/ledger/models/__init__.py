"""The ledger's rows: the books, what is held of a wallet, and what is owed and sent to the world outside."""

from marketplace.ledger.models.books import Account, Entry, Journal
from marketplace.ledger.models.holds import Hold
from marketplace.ledger.models.invoices import Invoice, InvoiceLine, InvoiceSeries
from marketplace.ledger.models.taxes import BillingDetails, TaxRule

__all__ = [
    "Account", "BillingDetails", "Entry", "Hold", "Invoice", "InvoiceLine", "InvoiceSeries", "Journal", "TaxRule",
]  # fmt: skip
