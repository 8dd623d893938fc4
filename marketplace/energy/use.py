"""The energy of a piece of work and its carbon: pure integer formulas of the specification (Use of energy)."""

from collections.abc import Sequence

from marketplace.common.units import PPM, ceil_div, largest_remainder

SECONDS_PER_HOUR = 3600
UG_PER_G = 1_000_000


def modelled_wh(
    *, seconds: int, units: int, idle_w: int, max_w: int, utilisation_ppm: int = PPM, host_idle_w: int = 0
) -> int:
    """ceil(seconds × (units × (idle + (max − idle) × u) + host idle) / 3600) in Wh.

    u is 1 when it is not known; `host_idle_w` counts only for a buyer who holds the whole node.
    """
    watts_ppm = units * (idle_w * PPM + (max_w - idle_w) * utilisation_ppm) + host_idle_w * PPM
    return ceil_div(seconds * watts_ppm, SECONDS_PER_HOUR * PPM)


def site_wh(it_wh: int, pue_ppm: int) -> int:
    """What the site's meter sees of `it_wh`: ceil(it × PUE)."""
    return ceil_div(it_wh * pue_ppm, PPM)


def shared_site_wh(total_wh: int, it_wh: Sequence[int]) -> list[int]:
    """The site's metered total split over its uses (and the unsold rest) by their IT energy; the parts sum exactly.

    Largest remainder, ties to the earlier use, so hand them in by id.
    """
    return largest_remainder(total_wh, it_wh)


def carbon_ug(wh: int, mg_per_kwh: int) -> int:
    """Wh × mg/kWh = µg, exactly."""
    return wh * mg_per_kwh


def carbon_ug_over(wh: Sequence[int], mg_per_kwh: Sequence[int]) -> int:
    """The µg of a use over its hours, exactly: no hour's carbon is rounded before the sum."""
    return sum(carbon_ug(energy, intensity) for energy, intensity in zip(wh, mg_per_kwh, strict=True))


def carbon_g(ug: int) -> int:
    """Whole grams, rounded up: an emission is never made smaller."""
    return ceil_div(ug, UG_PER_G)


def renewable_ppm_over(wh: Sequence[int], share_ppm: Sequence[int]) -> int:
    """ΣE·g/ΣE rounded down: the energy-weighted renewable share of a use; 0 for a use without energy."""
    whole = sum(wh)
    return sum(energy * share for energy, share in zip(wh, share_ppm, strict=True)) // whole if whole else 0
