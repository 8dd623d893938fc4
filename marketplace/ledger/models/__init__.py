"""The ledger's rows: the books, what is held of a wallet, and what is owed and sent to the world outside."""

from marketplace.ledger.models.books import Account, Entry, Journal
from marketplace.ledger.models.holds import Hold

__all__ = ["Account", "Entry", "Hold", "Journal"]
