"""Figures as people read them: money with sign and two decimals, shares rounded down, carbon rounded up, local time."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

SIGNS = {"USD": "$", "CNY": "¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "SGD": "S$"}
WITHOUT_DECIMALS = frozenset(
    (
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
        "XPF",
    )
)  # fmt: skip
WITH_THREE = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
MINUS = "−"
UNKNOWN = "–"
PLAIN_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def decimals_of(currency: str) -> int:
    """Digits after the point of a currency's major unit."""
    return 0 if currency in WITHOUT_DECIMALS else 3 if currency in WITH_THREE else 2


def money(minor: int | None, currency: str, *, plus: bool = False) -> str:
    """`$78.87`, `−$0.10`; with `plus` also `+$0.10`."""
    return UNKNOWN if minor is None else _signed(Decimal(minor), currency, plus)


def rate(mm: int | None, currency: str, unit: str = "", *, plus: bool = False) -> str:
    """Thousandths of a minor unit per hour as money per `unit`, rounded half up: `$1.64/unit-h`."""
    if mm is None:
        return UNKNOWN
    minor = (Decimal(mm) / 1000).quantize(Decimal(1), ROUND_HALF_UP)
    return _signed(minor, currency, plus) + (f"/{unit}" if unit else "")


def shown_parts(values: Sequence[float], total: float, step: int) -> list[int]:
    """`values` in whole steps that add up to `total` as it is shown, by largest remainder.

    Values that do not add up to the total to within a step each are only rounded: a mistake must stay visible.
    """
    floors = [math.floor(value / step) for value in values]
    missing = _half_up(total / step) - sum(floors)
    if not 0 <= missing <= len(floors):
        return [_half_up(value / step) for value in values]
    by_remainder = sorted(range(len(floors)), key=lambda place: floors[place] - values[place] / step)
    for place in by_remainder[:missing]:
        floors[place] += 1
    return floors


def _half_up(value: float) -> int:
    return int(Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP))


def _signed(minor: Decimal, currency: str, plus: bool) -> str:
    places = decimals_of(currency)
    amount = f"{abs(minor).scaleb(-places):,.{places}f}"
    sign = MINUS if minor < 0 else "+" if plus else ""
    return f"{sign}{SIGNS[currency]}{amount}" if currency in SIGNS else f"{sign}{currency} {amount}"


def minor_units(text: str, currency: str) -> int:
    """`1.64` in minor units. Raises ValueError for anything but a plain amount the currency can hold."""
    if not PLAIN_AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not an amount like 1.64")
    places = decimals_of(currency)
    minor = Decimal(text).scaleb(places)
    if minor != minor.to_integral_value():
        raise ValueError(f"{text!r} has more than {places} decimals of {currency}")
    return int(minor)


def share(ppm: int | None) -> str:
    """A share in whole per cent, rounded down."""
    return UNKNOWN if ppm is None else f"{ppm // 10_000}%"


def carbon(mg_per_kwh: int | None) -> str:
    """Carbon intensity in whole grams, rounded up."""
    return UNKNOWN if mg_per_kwh is None else f"{-(-mg_per_kwh // 1000)} g/kWh"


def latency(ms: float | None) -> str:
    """Milliseconds, from 1,000 on seconds."""
    if ms is None:
        return UNKNOWN
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def energy(wh: float) -> str:
    """kWh with one decimal; small jobs in Wh, without a decimal where they were counted whole."""
    if wh >= 100:
        return f"{wh / 1000:.1f} kWh"
    return f"{wh:.0f} Wh" if wh >= 10 or wh == int(wh) else f"{wh:.1f} Wh"


def co2e(grams: float) -> str:
    """Carbon of a whole job, rounded up: kg with one decimal under 10 kg, small jobs in g."""
    exact = Decimal(str(grams))
    if 0 < exact < 1:
        return "< 1 g CO2e"
    if exact <= 100:
        return f"{_up(exact, '1')} g CO2e"
    kilograms = exact / 1000
    return f"{_up(kilograms, '0.1' if kilograms < 10 else '1')} kg CO2e"


def _up(value: Decimal, step: str) -> Decimal:
    return value.quantize(Decimal(step), "ROUND_CEILING")


def size(count: int) -> str:
    """Bytes in the nearest decimal unit."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count} B"


def duration(spent: float) -> str:
    """`5 h 42 min`, `12 min 5 s`, `4 s`: begun seconds do not count."""
    seconds = int(spent)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def countdown(left: timedelta) -> str:
    """`9:58`; never below `0:00`."""
    seconds = max(0, int(left.total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}"


def when(moment: datetime | None, now: datetime) -> str:
    """Local time with offset, `Tue 10:00 UTC+8`; with its date when that is not within the coming week."""
    if moment is None:
        return UNKNOWN
    local = moment.astimezone()
    return f"{_day(local, now)} {local:%H:%M} {_offset(local)}"


def window(start: datetime, end: datetime, now: datetime) -> str:
    """`Tue 10:00–16:00 UTC+8`, `Tue 22:00–Wed 04:00 UTC+8`."""
    first, last = start.astimezone(), end.astimezone()
    day = "" if last.date() == first.date() else f"{_day(last, now)} "
    return f"{_day(first, now)} {first:%H:%M}–{day}{last:%H:%M} {_offset(last)}"


def _day(local: datetime, now: datetime) -> str:
    days = (local.date() - now.astimezone().date()).days
    return f"{local:%a}" if 0 <= days < 7 else f"{local:%Y-%m-%d}"


def _offset(local: datetime) -> str:
    seconds = int((local.utcoffset() or timedelta()).total_seconds())
    hours, minutes = divmod(abs(seconds) // 60, 60)
    if seconds == 0:
        return "UTC"
    return f"UTC{MINUS if seconds < 0 else '+'}{hours}" + (f":{minutes:02d}" if minutes else "")
