"""The trial balance: what every kind of account holds, by currency, and that all of it sums to nothing."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from frontend.components.formats import MINUS
from marketplace.common.currencies import figure
from marketplace.ledger.kinds import ACCOUNTS, DEBIT
from marketplace.ledger.models import Entry


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """One asset of test or live money: its accounts, and what debits and credits come to."""

    asset: str
    livemode: bool
    rows: list[dict[str, Any]]
    debits: str
    credits: str
    difference: str
    balanced: bool


def shown(value: int, asset: str) -> str:
    """An amount as the desk shows it: no sign of a currency, thousands apart, a true minus."""
    whole, dot, part = figure(abs(value), asset).partition(".")
    return f"{MINUS if value < 0 else ''}{int(whole):,}{dot}{part}"


def trial_balances() -> list[TrialBalance]:
    """One for each asset and mode in the books, from the entries alone, in one query."""
    found: dict[tuple[str, bool], dict[str, int]] = {}
    sums = Entry.objects.values_list("asset", "livemode", "account__kind").annotate(sum=Sum("amount")).order_by()
    for asset, livemode, kind, amount in sums:
        found.setdefault((asset, livemode), {})[kind] = int(amount)
    return [_balance(asset, livemode, kinds) for (asset, livemode), kinds in sorted(found.items())]


def _balance(asset: str, livemode: bool, sums: dict[str, int]) -> TrialBalance:
    names = kind_names()
    rows = []
    for kind, how in ACCOUNTS.items():
        if kind in sums:
            amount = sums[kind]
            sides = {"debit": amount, "credit": 0} if how.normal == DEBIT else {"debit": 0, "credit": -amount}
            rows.append({"kind": kind, "name": names.get(kind, kind)}
                        | {side: shown(value, asset) if value else "" for side, value in sides.items()})  # fmt: skip
    debits = sum(sums[kind] for kind in sums if ACCOUNTS[kind].normal == DEBIT)
    credits = -sum(sums[kind] for kind in sums if ACCOUNTS[kind].normal != DEBIT)
    total = sum(sums.values())
    return TrialBalance(
        asset, livemode, rows, shown(debits, asset), shown(credits, asset), shown(total, asset), not total
    )


def kind_names() -> dict[str, str]:
    """The accounts in words."""
    return {
        "buyer_available": _("Wallets: available"),
        "buyer_held": _("Wallets: held"),
        "buyer_frozen": _("Wallets: frozen by disputes"),
        "provider_pending": _("Providers: not matured"),
        "provider_payable": _("Providers: payable"),
        "provider_in_transit": _("Providers: on its way"),
        "provider_receivable": _("Providers: owe us"),
        "stripe_clearing": _("At the processor"),
        "operator_bank": _("At the bank"),
        "disputed_funds": _("Disputed, with the processor"),
        "suspense": _("Suspense: not explained yet"),
        "tax_payable": _("Tax to pay"),
        "platform_fee": _("Market's fees earned"),
        "stripe_fees": _("Processor's fees"),
        "dispute_fees": _("Fees of disputes"),
        "dispute_loss": _("Losses"),
        "sla_expense": _("Goodwill given"),
    }
