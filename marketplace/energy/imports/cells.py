"""One cell of a file: text to whole number, time, word or truth, or the reason why not."""

import difflib
import unicodedata
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

from marketplace.common.units import PPM

MOST_MG_PER_KWH = 5_000_000  # far above any power station: the unit must be another
MOST_WH = 2**53
EXAMPLE = "write UTC as 2024-01-01T00:00Z"
YES_OR_NO = {"0": False, "1": True, "false": False, "true": True}


class WrongCell(ValueError):
    """A cell that cannot be taken: code, why, and the mend."""

    def __init__(self, code: str, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.hint = code, detail, hint


def plain_heading(name: str) -> str:
    """A heading for comparison: lower case, subscripts as digits (CO₂ is CO2), single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).lower().split())


@lru_cache(maxsize=65_536)  # a year of a zone repeats few values many times
def scaled(text: str, exponent: int) -> int:
    """`text` × 10^exponent as a whole number, exactly; digits beyond are rounded half to even. Raises WrongCell."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or "_" in text or not text.isascii() or abs(number.adjusted()) > 20:
        detail = f"{text!r} is no number" if text else "the cell is empty"
        raise WrongCell("bad_number", detail, "write digits with a decimal point, as 0.285")
    if number.is_signed() and number != 0:
        raise WrongCell("negative", f"{text} is below 0", "a share or an intensity is never negative")
    return int(number.scaleb(exponent).quantize(Decimal(1), ROUND_HALF_EVEN))


def intensity_mg(text: str) -> int:
    """g/kWh as mg/kWh; raises WrongCell."""
    value = scaled(text, 3)
    if value > MOST_MG_PER_KWH:
        raise WrongCell("bad_number", f"{text} g/kWh is more than any power station emits", "the unit is g/kWh")
    return value


def share_ppm(text: str, exponent: int) -> int:
    """A share as ppm: exponent 6 for a fraction, 4 for per cent; raises WrongCell."""
    value = scaled(text, exponent)
    if value > PPM:
        whole = "0 to 1, as 0.285 for 28.5 %" if exponent == 6 else "0 to 100"
        raise WrongCell("share_out_of_range", f"{text} is more than everything", f"a share is {whole}")
    return value


def utc_moment(text: str, *, naive_is_utc: bool = False) -> datetime:
    """The moment that `text` names; without an offset only where the heading says UTC. Raises WrongCell."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongCell("not_utc", f"{text!r} is no time" if text else "the cell is empty", EXAMPLE) from error
    if moment.tzinfo is None and naive_is_utc:
        moment = moment.replace(tzinfo=UTC)
    if moment.utcoffset() != timedelta(0):
        raise WrongCell("not_utc", f"{text} does not say that it is UTC", EXAMPLE)
    return moment.astimezone(UTC)


def whole_minute(text: str) -> datetime:
    """The UTC minute that `text` names; raises WrongCell."""
    moment = utc_moment(text)
    if (moment.second, moment.microsecond) != (0, 0):
        raise WrongCell("not_on_grid", f"{text} is not the start of a minute", EXAMPLE)
    return moment


def whole_hour(text: str, *, naive_is_utc: bool) -> datetime:
    """The UTC hour that `text` names; without an offset only where the heading says UTC. Raises WrongCell."""
    moment = utc_moment(text, naive_is_utc=naive_is_utc)
    if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
        raise WrongCell("not_on_grid", f"{text} is not the start of an hour", "one row per whole hour")
    return moment


def yes_or_no(text: str) -> bool:
    """Whether the value was estimated; raises WrongCell."""
    if text.lower() not in YES_OR_NO:
        raise WrongCell("bad_number", f"{text!r} is neither 0 nor 1" if text else "the cell is empty", "0 or 1")
    return YES_OR_NO[text.lower()]


def whole(text: str, *, most: int = MOST_WH) -> int:
    """A whole number from 0 to `most`, in plain digits; raises WrongCell."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        detail = f"{text!r} is no whole number" if text else "the cell is empty"
        raise WrongCell("bad_number", detail, "write whole numbers without separators, as 1250")
    if int(text) < 0:
        raise WrongCell("negative", f"{text} is below 0", "energy is counted from 0 up")
    if int(text) > most:
        raise WrongCell("bad_number", f"{text} is more than {most}", "the unit is another")
    return int(text)


def positive(text: str, *, most: int = MOST_WH) -> int:
    """A whole number from 1 to `most`; raises WrongCell."""
    value = whole(text, most=most)
    if not value:
        raise WrongCell("bad_number", "0 is nothing", "at least 1")
    return value


def day(text: str) -> date:
    """A day, as 2024-05-01; raises WrongCell."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        detail = f"{text!r} is no day" if text else "the cell is empty"
        raise WrongCell("bad_value", detail, "write days as 2024-05-01") from error


def label(text: str, *, most: int) -> str:
    """A text of 1 to `most` characters; raises WrongCell."""
    if not text:
        raise WrongCell("bad_value", "the cell is empty")
    if len(text) > most or not text.isprintable():
        raise WrongCell("bad_value", f"at most {most} characters in one line")
    return text


def one_of(text: str, *, known: Collection[str]) -> str:
    """One of the words `known`, whatever its case; raises WrongCell, naming the nearest."""
    by_plain = {word.lower(): word for word in known}
    if text.lower() in by_plain:
        return by_plain[text.lower()]
    close = difflib.get_close_matches(text.lower(), by_plain, n=1)
    hint = f"did you mean {by_plain[close[0]]}?" if close else f"one of {', '.join(known)}"
    raise WrongCell("bad_value", f"{text!r} is none of {', '.join(known)}" if text else "the cell is empty", hint)


def yes(text: str) -> bool:
    """Whether it is so, as a person writes it; raises WrongCell."""
    words = {"yes": True, "no": False, "是": True, "否": False, **YES_OR_NO}
    if text.lower() not in words:
        raise WrongCell("bad_value", f"{text!r} is neither yes nor no" if text else "the cell is empty", "yes or no")
    return words[text.lower()]
