"""Answers of sources, piece by piece: JSON without floats, UTC moments, whole mg/kWh and ppm."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from marketplace.common.clock import rfc3339
from marketplace.common.units import PPM
from marketplace.energy.imports.cells import MOST_MG_PER_KWH
from marketplace.energy.signals.errors import ProviderConfused


@contextmanager
def understood(source: str) -> Iterator[None]:
    """Whatever cannot be read within becomes ProviderConfused."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ProviderConfused(f"{source} is not understood: {type(error).__name__}: {error}"[:200]) from error


def json_of(raw: bytes) -> Any:
    """The decoded answer, its fractions exact; raises ValueError."""
    return json.loads(raw.decode(), parse_float=Decimal, parse_constant=_no_constant)


def moment(text: str) -> datetime:
    """The UTC moment of a text that names its offset; raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} names no offset")
    return found.astimezone(UTC)


def utc_text(at: datetime) -> str:
    """`2026-11-24T10:00:00Z`, as all the sources with JSON take it."""
    return str(rfc3339(at))


def mg_of(grams: object) -> int:
    """g/kWh as whole mg/kWh; raises ValueError below 0 and far above any power station."""
    value = round(1000 * exact(grams))
    if not 0 <= value <= MOST_MG_PER_KWH:
        raise ValueError(f"{value} mg/kWh is no intensity")
    return value


def ppm_of(percent: object) -> int:
    """Per cent as whole ppm; raises ValueError outside 0 to 100."""
    value = round(PPM // 100 * exact(percent))
    if not 0 <= value <= PPM:
        raise ValueError(f"{value} ppm is no share")
    return value


def exact(value: object) -> Fraction:
    """A number of an answer, exactly; raises ValueError for what is none."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(f"{value!r} is no number")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is no number") from error
    if not number.is_finite() or abs(number.adjusted()) > 20:
        raise ValueError(f"{value!r} is no number")
    return Fraction(number)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
