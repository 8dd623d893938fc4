"""Figures as people read them. Shares round down, carbon rounds up, money is integers until the last character.

Rules: the design's "Numbers". Units: minor units, thousandths of a minor unit per hour (`rate_mm`), ppm, mg/kWh,
grams, Wh, ms, seconds, aware datetimes.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from marketplace.common import printed
from marketplace.common.currencies import exponent_of

SYMBOLS = {"USD": "$", "CNY": "¥", "EUR": "€", "GBP": "£", "JPY": "¥"}
FINE_BELOW = Decimal("0.1")  # units of money: two decimals would be off by more than a twentieth
CARBON_BOUNDS_G = (50, 100, 175, 250, 350, 450, 600)

MINUS = printed.MINUS
Figure = printed.Figure
grouped = printed.grouped
percent_down = printed.percent_down
parts_down = printed.parts_down
grams_up = printed.grams_up
intensity = printed.intensity
carbon_mass = printed.carbon_mass
energy = printed.energy


def money(minor: int, currency: str = "USD") -> str:
    """An exact amount in minor units: `$78.87`, `−$4.10`, `¥1,240`."""
    places = exponent_of(currency)
    amount = Decimal(abs(minor)).scaleb(-places)
    sign = MINUS if minor < 0 else ""
    return f"{sign}{symbol(currency)}{grouped(amount, places)}"


def round_money(minor: int, currency: str = "USD") -> str:
    """An amount without the decimals that say nothing: `$50`, `$12.50`."""
    text, places = money(minor, currency), exponent_of(currency)
    return text.removesuffix(f".{'0' * places}") if places else text


def moved(minor: int, currency: str = "USD") -> str:
    """A change of an amount with its sign: `+$4.16`, `−$4.16`; nothing where nothing moved."""
    return f"{'+' if minor > 0 else ''}{money(minor, currency)}" if minor else ""


def cost(minor: int, currency: str = "USD") -> str:
    """What something costs that is not free: `$78.87`, and `< $0.01` where the exact amount rounds to nothing."""
    return money(minor, currency) if minor else f"< {money(1, currency)}"


def symbol(currency: str) -> str:
    """`$` for USD; a currency without a sign of its own shows its code and a space."""
    return SYMBOLS.get(currency, f"{currency} ")


def rate(rate_mm: int, currency: str = "USD") -> str:
    """A price per hour from thousandths of a minor unit, rounded half up: `$1.64`; under ten cents `$0.0150`."""
    places = exponent_of(currency)
    exact = (abs(Decimal(rate_mm)) / 1000).scaleb(-places)
    if not exact or exact >= FINE_BELOW or rate_mm % 1000 == 0:
        return money(int((Decimal(rate_mm) / 1000).quantize(Decimal(1), ROUND_HALF_UP)), currency)
    least = Decimal(1).scaleb(-places - 2)
    if exact < least:
        return f"< {symbol(currency)}{least}"
    return f"{MINUS if rate_mm < 0 else ''}{symbol(currency)}{exact.quantize(least, ROUND_HALF_UP)}"


def percent_exact(ppm: int, places: int = 2) -> str:
    """A share with decimals, rounded down: reliability `99.88%`."""
    step = Decimal(1).scaleb(-places)
    return f"{(Decimal(ppm) / 10_000).quantize(step, ROUND_DOWN)}%"


def change(new: Figure, old: Figure) -> str:
    """The relative change in whole per cent with its sign: `−13%`, `+4%`, `±0%`; `—` from nothing."""
    if not old:
        return "—"
    share = (Decimal(str(new)) / Decimal(str(old)) - 1) * 100
    return signed(int(share.quantize(Decimal(1), ROUND_HALF_UP))) + "%"


def signed(value: int) -> str:
    """`+4`, `−13`, `±0`."""
    return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{abs(value):,}"


def carbon_step(mg_per_kwh: int) -> int:
    """Step 1 (clean) to 8 (dirty) of the carbon scale."""
    return 1 + sum(mg_per_kwh > bound * 1000 for bound in CARBON_BOUNDS_G)


def power(watts: Figure) -> str:
    """`0.35 kW`."""
    return f"{grouped(Decimal(str(watts)) / 1000, 2)} kW"


def latency(ms: Figure | None) -> str:
    """`7 ms`, from a second up `5.4 s`; `—` when unknown."""
    if ms is None:
        return "—"
    return f"{grouped(Decimal(str(ms)) / 1000, 1)} s" if ms >= 1000 else f"{grouped(ms)} ms"


def duration(seconds: Figure) -> str:
    """`41 s`, `2 min 5 s`, `5 h 42 min`, `3 d 4 h`."""
    whole = int(seconds)
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return _two(_("%d d") % days, h, _("%d h") % h)
    if hours:
        return _two(_("%d h") % hours, m, _("%d min") % m)
    if minutes:
        return _two(_("%d min") % minutes, s, _("%d s") % s)
    return _("%d s") % s


def whole_hours(count: int) -> str:
    """`6 hours`."""
    return ngettext("%(count)d hour", "%(count)d hours", count) % {"count": count}


def _two(first: str, rest: int, second: str) -> str:
    return f"{first} {second}" if rest else first


def data_size(size: int) -> str:
    """`812 B`, `1.2 MB`: decimal units."""
    amount = Decimal(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{grouped(amount, 0 if unit == 'B' else 1)} {unit}"
        amount /= 1000
    return f"{grouped(amount, 1)} TB"


def zone_of(name: str | tzinfo | None) -> tzinfo:
    """A zone by IANA name; an unknown or empty name is UTC, which the page then names."""
    if isinstance(name, tzinfo):
        return name
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def clock(moment: datetime, zone: str | tzinfo | None = None) -> str:
    """`10:00` in the zone."""
    return moment.astimezone(zone_of(zone)).strftime("%H:%M")


def weekday(moment: datetime, zone: str | tzinfo | None = None) -> str:
    """`Tue`, in the reader's language."""
    return _weekdays()[moment.astimezone(zone_of(zone)).weekday()]


def _weekdays() -> tuple[str, ...]:
    return (
        pgettext("weekday", "Mon"),
        pgettext("weekday", "Tue"),
        pgettext("weekday", "Wed"),
        pgettext("weekday", "Thu"),
        pgettext("weekday", "Fri"),
        pgettext("weekday", "Sat"),
        pgettext("weekday", "Sun"),
    )


def moment(value: datetime, zone: str | tzinfo | None = None) -> str:
    """`Tue 10:00` in the zone."""
    return f"{weekday(value, zone)} {clock(value, zone)}"


def day_moment(value: datetime, zone: str | tzinfo | None = None) -> str:
    """`2026-11-24 10:00` in the zone: for lists that reach past a week."""
    return value.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M")


def window(start: datetime, end: datetime, zone: str | tzinfo | None = None) -> str:
    """`Tue 10:00 – 16:00`; the second weekday only when it differs (an end at midnight reads `24:00`)."""
    where = zone_of(zone)
    last = (end - timedelta(microseconds=1)).astimezone(where)
    same_day = last.date() == start.astimezone(where).date()
    closing = clock(end, where)
    if same_day and closing == "00:00":
        closing = "24:00"
    return f"{moment(start, where)} – {closing if same_day else moment(end, where)}"


def offset(value: datetime, zone: str | tzinfo | None = None) -> str:
    """`UTC+8`, `UTC−3:30`, `UTC`."""
    shift = value.astimezone(zone_of(zone)).utcoffset() or timedelta()
    if not shift:
        return "UTC"
    minutes = abs(int(shift.total_seconds())) // 60
    tail = f":{minutes % 60:02d}" if minutes % 60 else ""
    return f"UTC{'+' if shift > timedelta() else MINUS}{minutes // 60}{tail}"


def quality_name(quality: str) -> str:
    """How a figure was come by, as a word: sample, forecast, a yearly average, modelled, metered or audited."""
    names = {
        "sample": pgettext("quality", "Sample"),
        "forecast": pgettext("quality", "Forecast"),
        "yearly": pgettext("quality", "Yearly average"),
        "modelled": pgettext("quality", "Modelled"),
        "metered": pgettext("quality", "Metered"),
        "audited": pgettext("quality", "Audited"),
    }
    return names.get(quality, quality)
