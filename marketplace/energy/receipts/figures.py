"""The figures of a receipt, recomputed from its own hours alone: whole numbers, carbon in µg, shares in ppm, down.

Location, market and life-cycle totals stand side by side and are never netted (GHG Protocol Scope 2 Guidance, 2015).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from marketplace.common.clock import read_rfc3339
from marketplace.common.units import PPM, ceil_div
from marketplace.energy.use import SECONDS_PER_HOUR, carbon_ug

Hour = Mapping[str, Any]
UG_PER_KG = 10**9
SUMMED = ("it_wh", "site_wh", "onsite_wh", "certificate_wh", "volume_wh", "unmatched_wh", "unit_seconds")
MEASURED = ("metered_site", "metered_node", "metered_device")


def totals_of(hours: Sequence[Hour]) -> dict[str, Any]:
    """Sums over the hours. Energy matched by the hour counts 0 g in the market-based total, the rest the residual mix.

    Where an hour has no residual mix its grid average is taken, and `residual` is false.
    """
    sums: dict[str, Any] = {name: sum(hour[name] for hour in hours) for name in SUMMED}
    return sums | {
        "location_ug": sum(carbon_ug(hour["site_wh"], hour["direct_mg_per_kwh"]) for hour in hours),
        "lifecycle_ug": sum(carbon_ug(hour["site_wh"], hour["lifecycle_mg_per_kwh"]) for hour in hours),
        "market_ug": sum(carbon_ug(hour["unmatched_wh"], _rest_factor(hour)) for hour in hours),
        "market_with_volume_ug": sum(
            carbon_ug(hour["unmatched_wh"] - hour["volume_wh"], _rest_factor(hour)) for hour in hours
        ),
        "residual": all(hour["residual_mg_per_kwh"] is not None for hour in hours),
        "measured_wh": sum(hour["site_wh"] for hour in hours if hour["method"] in MEASURED),
    }


def _rest_factor(hour: Hour) -> int:
    residual = hour["residual_mg_per_kwh"]
    return int(hour["direct_mg_per_kwh"] if residual is None else residual)


def shares_of(hours: Sequence[Hour]) -> dict[str, int]:
    """The shares of all energy, each for itself; all 0 for a use of nothing.

    `matched_ppm` is what may be claimed, by the hour. `volume_ppm` is of coarser certificates and never added to it.
    """
    whole = sum(hour["site_wh"] for hour in hours)
    if not whole:
        return dict.fromkeys(("matched_ppm", "blended_ppm", "grid_ppm", "carbon_free_ppm", "volume_ppm"), 0)
    matched = sum(hour["onsite_wh"] + hour["certificate_wh"] for hour in hours) * PPM
    rest = sum(hour["unmatched_wh"] * rest_share(hour) for hour in hours)
    return {
        "matched_ppm": matched // whole,
        "blended_ppm": (matched + rest) // whole,
        "grid_ppm": sum(hour["site_wh"] * hour["renewable_ppm"] for hour in hours) // whole,
        "carbon_free_ppm": sum(hour["site_wh"] * hour["carbon_free_ppm"] for hour in hours) // whole,
        "volume_ppm": sum(hour["volume_wh"] for hour in hours) * PPM // whole,
    }


def sums_within(hours: Sequence[Hour], start: datetime, end: datetime) -> tuple[int, int]:
    """(matched by the hour, used) Wh in the hours that begin in [start, end), such as those of a promise."""
    hours = [hour for hour in hours if start <= read_rfc3339(hour["start"]) < end]
    matched = sum(hour["onsite_wh"] + hour["certificate_wh"] for hour in hours)
    return matched, sum(hour["site_wh"] for hour in hours)


def rest_share(hour: Hour) -> int:
    """The renewable share of what is not matched: of the residual mix where it is known, else of the grid."""
    residual = hour.get("residual_renewable_ppm")
    return int(hour["renewable_ppm"] if residual is None else residual)


def embodied_ug(*, embodied_kg: int, unit_seconds: int, lifetime_h: int, units_per_node: int) -> int:
    """What a use bears of a node's embodied carbon, in µg rounded up: TE·(TiR/EL)·(RR/ToR) of ISO/IEC 21031."""
    return ceil_div(embodied_kg * UG_PER_KG * unit_seconds, SECONDS_PER_HOUR * lifetime_h * units_per_node)


def sci_of(location_ug: int, equipment: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The software carbon intensity per accelerator-hour, (location + embodied)/R; None where embodied is not known."""
    seconds = sum(each["unit_seconds"] for each in equipment)
    if not seconds or any(each["embodied_kg"] is None for each in equipment):
        return None
    embodied = sum(
        embodied_ug(
            embodied_kg=each["embodied_kg"], unit_seconds=each["unit_seconds"], lifetime_h=each["lifetime_h"],
            units_per_node=each["units_per_node"],
        )
        for each in equipment
    )  # fmt: skip
    return {
        "standard": "ISO/IEC 21031:2024",
        "functional_unit": "accelerator-hour",
        "unit_seconds": seconds,
        "operational_ug": location_ug,
        "embodied_ug": embodied,
        "ug_per_unit_hour": ceil_div((location_ug + embodied) * SECONDS_PER_HOUR, seconds),
    }
