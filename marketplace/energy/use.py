"""The energy of a piece of work and its carbon: pure integer formulas of the specification (Use of energy)."""

from marketplace.common.units import PPM

SECONDS_PER_HOUR = 3600


def modelled_wh(*, seconds: int, units: int, idle_w: int, max_w: int, utilisation_ppm: int = PPM) -> int:
    """ceil(seconds × units × (idle + (max − idle) × u) / 3600) in Wh; u is 1 when it is not known."""
    watts_ppm = idle_w * PPM + (max_w - idle_w) * utilisation_ppm
    return -(-seconds * units * watts_ppm // (SECONDS_PER_HOUR * PPM))


def site_wh(it_wh: int, pue_ppm: int) -> int:
    """What the site's meter sees of `it_wh`: ceil(it × PUE)."""
    return -(-it_wh * pue_ppm // PPM)


def carbon_ug(wh: int, mg_per_kwh: int) -> int:
    """Wh × mg/kWh = µg, exactly."""
    return wh * mg_per_kwh
