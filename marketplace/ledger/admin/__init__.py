"""The operators' view of the ledger."""

from marketplace.ledger.admin import invoices, money
from marketplace.ledger.gateways import admin as sandbox

__all__ = ["invoices", "money", "sandbox"]
