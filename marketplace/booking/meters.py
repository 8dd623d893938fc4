"""What a quantity of a meter is in the unit it is priced in, and what that unit costs; shown, never charged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.booking.models.charges import UNIT_SECOND
from marketplace.common.currencies import exponent_of
from marketplace.common.units import decimal_text, nearest_div

PLACES = 9  # decimals of a quantity and of a unit price
ONE = 10**PLACES


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a price: its name, how much of the meter it is, and what is metered."""

    name: str
    per: int
    what: str


UNITS = {
    UNIT_SECOND: Unit("Unit-Hours", 3_600, "Unit Time"),
    "core_second": Unit("Core-Hours", 3_600, "Core Time"),
    "token": Unit("1000000 Tokens", 10**6, "Tokens"),
    "byte": Unit("GB", 10**9, "Data Transfer"),
    "wh": Unit("kWh", 1_000, "Electricity"),
}


def scaled_quantity(quantity: int, unit: Unit) -> int:
    """The quantity in the unit, in thousand-millionths: 33,052 unit-seconds are 9.181111111 hours."""
    return nearest_div(quantity * ONE, unit.per)


def scaled_price(contract: "Terms", unit: Unit, currency: str) -> int:
    """What the unit costs before tax, in thousand-millionths of the currency: the total over all that was promised."""
    promised = contract.units * sum(contract.seconds)
    amount = before_tax(contract.price_lines) * unit.per * ONE
    return nearest_div(amount, promised * 10 ** exponent_of(currency)) if promised else 0


def plain(scaled: int) -> str:
    """Thousand-millionths as a decimal, at most nine places."""
    return decimal_text(scaled, PLACES)


def before_tax(price_lines: Sequence[Mapping[str, Any]]) -> int:
    """What a contract comes to without tax, in minor units."""
    return sum(line["amount_minor"] for line in price_lines if line["code"] != "tax")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a price is made of: promised units, the seconds of each hour, and the frozen lines."""

    units: int
    seconds: Sequence[int]
    price_lines: Sequence[Mapping[str, Any]]
