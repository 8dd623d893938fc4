"""One cell of a grid file: text to whole number, time or truth, or the reason why not."""

import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

from marketplace.common.units import PPM

MOST_MG_PER_KWH = 5_000_000  # far above any power station: the unit must be another
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


def whole_hour(text: str, *, naive_is_utc: bool) -> datetime:
    """The UTC hour that `text` names; without an offset only where the heading says UTC. Raises WrongCell."""
    example = "write UTC as 2024-01-01T00:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongCell("not_utc", f"{text!r} is no time" if text else "the cell is empty", example) from error
    if moment.tzinfo is None and naive_is_utc:
        moment = moment.replace(tzinfo=UTC)
    if moment.utcoffset() != timedelta(0):
        raise WrongCell("not_utc", f"{text} does not say that it is UTC", example)
    if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
        raise WrongCell("not_on_grid", f"{text} is not the start of an hour", "one row per whole hour")
    return moment.astimezone(UTC)


def yes_or_no(text: str) -> bool:
    """Whether the value was estimated; raises WrongCell."""
    if text.lower() not in YES_OR_NO:
        raise WrongCell("bad_number", f"{text!r} is neither 0 nor 1" if text else "the cell is empty", "0 or 1")
    return YES_OR_NO[text.lower()]
