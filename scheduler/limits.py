"""Limits cross the border here: the API's units outside, the core's integers inside."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.units import PPM
from scheduler.core.feasibility import FILTERS

SHARES = frozenset({"renewable_share__gte", "matched_share__gte", "carbon_free_share__gte", "reliability__gte"})
MG_PER_G = 1000


def to_core(name: str, value: Any) -> Any:
    """One limit as stored: shares in ppm, intensity in mg/kWh, choices as a list; the rest as it is.

    Raises ValidationFailed for an unknown name or a value of the wrong kind.
    """
    pointer = f"/limits/{name}"
    if name not in FILTERS:
        raise ValidationFailed([FieldProblem(pointer, "unknown_parameter", f"there is no limit {name}")])
    if isinstance(value, str) and FILTERS[name].many:
        return [value]
    if isinstance(value, (list, tuple)):
        return [str(each) for each in value]
    try:
        return _number(name, value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise ValidationFailed([FieldProblem(pointer, "bad_value", f"{value!r} is not a number")]) from error


def _number(name: str, value: Any) -> Any:
    if name in SHARES:
        share = Decimal(str(value))
        if not 0 <= share <= 1:
            raise ValidationFailed([FieldProblem(f"/limits/{name}", "bad_value", f"{value} is not in 0..1", "0.8")])
        return int(share * PPM)
    if name == "carbon_g_per_kwh__lte":
        return int(Decimal(str(value)) * MG_PER_G)
    return value if isinstance(value, (bool, str)) else int(value)


def to_api(name: str, value: Any) -> Any:
    """A stored limit in the API's units."""
    if value is None or isinstance(value, bool):
        return value
    if name in SHARES:
        return float(Decimal(value) / PPM)
    if name == "carbon_g_per_kwh__lte":
        return -(-value // MG_PER_G)
    return list(value) if isinstance(value, (list, tuple)) else value


def limits_to_core(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Every limit as stored; None values are left out."""
    return {name: to_core(name, value) for name, value in limits.items() if value is not None}


def limits_to_api(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Every stored limit in the API's units, without those the market adds by itself."""
    return {name: to_api(name, value) for name, value in limits.items() if name not in {"served", "family"}}
