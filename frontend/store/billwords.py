"""The lines of a frozen price, in words."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from frontend.components.formats import MINUS, cost, money, rate, symbol
from marketplace.common.currencies import exponent_of
from scheduler.models import Attempt
from scheduler.states import is_paid

WHOLE_MM = 1000


def bill_lines(price_lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`[{name, amount_minor}]` of a contract's or quote's price lines, as the bill shows them."""
    names = {
        "compute": _("Compute"),
        "electricity": _("Electricity"),
        "platform_fee": _("Platform fee"),
        "tax": _("Tax"),
    }
    return [
        {"name": names.get(line["code"], line["code"]), "amount_minor": line["amount_minor"]} for line in price_lines
    ]


def fine_rate(rate_mm: int, currency: str) -> str:
    """A rate of less than a whole unit of money with its tail, `$0.0240`; any other as usual, `$1.60`."""
    places = exponent_of(currency)
    amount = Decimal(abs(rate_mm)) / WHOLE_MM
    whole = amount.scaleb(-places)
    if whole >= 1 or amount == amount.to_integral():
        return rate(rate_mm, currency)
    return f"{MINUS if rate_mm < 0 else ''}{symbol(currency)}{whole:.{places + 2}f}"


def _is_paid(attempt: Attempt) -> bool:
    ran = (attempt.ended_at - attempt.started_at) if attempt.ended_at and attempt.started_at else timedelta()
    return is_paid(attempt.reason, tier=attempt.allocation.offer.tier, ran_s=ran // timedelta(seconds=1))


def spent(minor: int, currency: str, attempts: Iterable[Attempt]) -> str:
    """The cost to date of a job: `< $0.01` where something that is charged ran, `$0.00` where nothing has."""
    charged = any(each.started_at is not None and _is_paid(each) for each in attempts)
    return cost(minor, currency) if charged else money(minor, currency)
