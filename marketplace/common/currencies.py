"""How many decimals a currency has: the one place where minor units become what people read (money.md, section 6)."""

import re

EXPONENT = 2
NONE = frozenset(
    (
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
        "XPF",
    )
)  # fmt: skip
THREE = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
CURRENCY = re.compile(r"[A-Z]{3}")
AMOUNT = re.compile(r"([0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.([0-9]{1,6}))?")


def exponent_of(currency: str) -> int:
    """Decimals of `currency`. Raises ValueError for what is no currency code."""
    if not CURRENCY.fullmatch(currency):
        raise ValueError(f"{currency!r} is no currency: three capital letters, such as USD")
    return 0 if currency in NONE else 3 if currency in THREE else EXPONENT


def to_major(minor: int, currency: str) -> str:
    """`minor` units as a plain decimal: 1827 USD is 18.27, 1827 JPY is 1827, -5 KWD is -0.005."""
    decimals = exponent_of(currency)
    whole, part = divmod(abs(minor), 10**decimals)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def figure(value: int, asset: str) -> str:
    """An amount of any asset as a plain decimal; what is no currency is counted whole."""
    return to_major(value, asset) if CURRENCY.fullmatch(asset) else str(value)


def to_minor(text: str, currency: str) -> int:
    """An amount as people write it in minor units: 18.27 USD is 1827, 1,000 JPY is 1000.

    Raises ValueError for what is no amount, and for more decimals than the currency has.
    """
    decimals, found = exponent_of(currency), AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no amount such as {to_major(1827, currency)}")
    part = (found[2] or "").rstrip("0")
    if len(part) > decimals:
        raise ValueError(f"{currency} has {decimals} decimals, {text!r} has more")
    return int(found[1].replace(",", "") + part.ljust(decimals, "0"))
