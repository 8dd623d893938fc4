"""The chart of accounts, the kinds of journals, and which assets a book has (money.md, section 2)."""

import re
from dataclasses import dataclass

DEBIT, CREDIT = 1, -1
MONEY, UNITS = "money", "CU"
BOOKS = (MONEY, UNITS)
ASSETS = {MONEY: r"^[A-Z]{3}$", UNITS: r"^CU:.+$"}  # a currency; compute units of a hardware class


@dataclass(frozen=True, slots=True)
class Kind:
    """How accounts of a kind behave.

    `normal` is the side on which they grow. A kept account has its balance on its row, never below 0; of the others the
    balance is the sum of their entries: all writers would else wait for one row.
    """

    normal: int
    kept: bool
    owned: bool  # by an organization; else by the operator


ACCOUNTS = {
    "buyer_available": Kind(CREDIT, kept=True, owned=True),
    "buyer_held": Kind(CREDIT, kept=True, owned=True),
    "buyer_frozen": Kind(CREDIT, kept=True, owned=True),
    "provider_pending": Kind(CREDIT, kept=True, owned=True),
    "provider_payable": Kind(CREDIT, kept=True, owned=True),
    "provider_in_transit": Kind(CREDIT, kept=True, owned=True),
    "provider_receivable": Kind(DEBIT, kept=True, owned=True),
    "stripe_clearing": Kind(DEBIT, kept=False, owned=False),
    "operator_bank": Kind(DEBIT, kept=False, owned=False),
    "disputed_funds": Kind(DEBIT, kept=False, owned=False),
    "suspense": Kind(DEBIT, kept=False, owned=False),
    "tax_payable": Kind(CREDIT, kept=False, owned=False),
    "platform_fee": Kind(CREDIT, kept=False, owned=False),
    "stripe_fees": Kind(DEBIT, kept=False, owned=False),
    "dispute_fees": Kind(DEBIT, kept=False, owned=False),
    "dispute_loss": Kind(DEBIT, kept=False, owned=False),
    "sla_expense": Kind(DEBIT, kept=False, owned=False),
}
WALLET = {kind.removeprefix("buyer_"): kind for kind in ACCOUNTS if kind.startswith("buyer_")}  # its parts
JOURNALS = (
    "topup", "topup_offline", "stripe_fee", "dispute_fee", "hold", "capture", "release", "mature", "net", "payout",
    "payout_failed", "transfer", "transfer_reversal", "refund", "refund_failed", "sla_credit", "goodwill",
    "dispute_opened", "dispute_won", "dispute_lost", "freeze", "unfreeze", "platform_payout", "suspense", "write_off",
    "correction",
)  # fmt: skip

MANUAL = ("topup_offline", "goodwill", "suspense", "write_off", "correction")  # booked by operators
OF_WALLETS = ("topup_offline", "goodwill")  # of them, what comes to a wallet


def book_of(asset: str) -> str:
    """The book that an asset is counted in. Raises ValueError for what is none."""
    for book, form in ASSETS.items():
        if re.fullmatch(form, asset):
            return book
    raise ValueError(f"{asset!r} is no asset: a currency is three capital letters, compute units begin with CU:")
