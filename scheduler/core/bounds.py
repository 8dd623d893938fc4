"""The numeric limits of an ask on one column, as the compiled rounds test them (matching.md, section 2)."""

from scheduler.core.compiled import lean
from scheduler.core.market import Ints
from scheduler.core.tables import (
    BOOT,
    BOOT_S,
    CARBON,
    CARBON_CAP,
    CARBON_FREE,
    CARBON_FREE_SHARE,
    FAR,
    FREE,
    INTENSITY,
    LATENCY,
    MATCHED,
    MATCHED_SHARE,
    MEAN_PRICE,
    MEMORY,
    MEMORY_GB,
    NONE,
    NOTICE,
    NOTICE_S,
    PF_MILLI,
    PFLOP_PRICE,
    PRICE,
    RELIABILITY,
    RELIABILITY_PPM,
    RENEWABLE,
    SHARE,
    TOTAL,
    WATTS,
    Shelf,
)
from scheduler.core.types import HOUR_S

MM_PER_MINOR_HOUR = 1000 * HOUR_S
UG_PER_G = 10**6
FANTASTIC = 1 << 40  # mm per PFLOP-hour, which nobody asks


@lean
def facts_fit(facts: Ints, latency: Ints, bounds: Ints, ask: int, offer: int, place: int) -> bool:
    """The bounds on what does not change from hour to hour; an unknown fact passes none."""
    if bounds[ask, MEMORY] != NONE and facts[MEMORY_GB, offer] < max(0, bounds[ask, MEMORY]):
        return False
    if bounds[ask, NOTICE] != NONE and facts[NOTICE_S, offer] < max(0, bounds[ask, NOTICE]):
        return False
    if bounds[ask, BOOT] != NONE and not 0 <= facts[BOOT_S, offer] <= bounds[ask, BOOT]:
        return False
    if bounds[ask, RELIABILITY] != NONE and facts[RELIABILITY_PPM, offer] < max(0, bounds[ask, RELIABILITY]):
        return False
    return bounds[ask, LATENCY] == NONE or 0 <= latency[place, offer] <= bounds[ask, LATENCY]


@lean
def span_total(shelf: Shelf, series: int, offer: int, first: int, skipped: int, stop: int, rest: int) -> int:
    """Sum of value x seconds from `skipped` seconds into hour `first` to `rest` seconds into hour `stop`."""
    whole = shelf.until[series, offer, stop] - shelf.until[series, offer, first]
    return whole + shelf.values[series, offer, stop] * rest - shelf.values[series, offer, first] * skipped


@lean
def prices_fit(bounds: Ints, ask: int, units: int, price: int, run_s: int, pf_milli: int) -> bool:
    """The bounds on what a run costs; `price` is the sum of mm x seconds per unit-hour."""
    if bounds[ask, MEAN_PRICE] != NONE and -(-price // run_s) > bounds[ask, MEAN_PRICE]:
        return False
    if bounds[ask, PFLOP_PRICE] != NONE and -(-price * 1000 // (run_s * pf_milli)) > bounds[ask, PFLOP_PRICE]:
        return False
    return bounds[ask, TOTAL] == NONE or units * price // MM_PER_MINOR_HOUR <= bounds[ask, TOTAL]


@lean
def most_asked(bounds: Ints, ask: int, pf_milli: int) -> int:
    """mm per unit-hour: who asks more in every hour breaks a limit on the mean of the run; FAR where there is none."""
    mean, pflop = bounds[ask, MEAN_PRICE], bounds[ask, PFLOP_PRICE]
    most = mean if mean != NONE else FAR
    return min(most, pflop * pf_milli // 1000) if NONE < pflop < FANTASTIC else most


@lean
def shares_fit(
    shelf: Shelf, bounds: Ints, ask: int, offer: int, run_s: int, first: int, skipped: int, stop: int, rest: int
) -> bool:
    """The bounds on the means of shares over the hours of a run."""
    for bound, series in ((RENEWABLE, SHARE), (MATCHED_SHARE, MATCHED), (CARBON_FREE_SHARE, CARBON_FREE)):
        if bounds[ask, bound] == NONE:
            continue
        share = span_total(shelf, series, offer, first, skipped, stop, rest)
        if share // run_s < max(0, bounds[ask, bound]):
            return False
    return True


@lean
def carbon_fits(bounds: Ints, ask: int, units: int, carbon: int, run_s: int, watts: int) -> bool:
    """The bounds on emissions; `carbon` is the sum of mg/kWh x seconds."""
    if bounds[ask, INTENSITY] != NONE and -(-carbon // run_s) > bounds[ask, INTENSITY]:
        return False
    micrograms = -(-carbon // HOUR_S) * watts * units
    return bounds[ask, CARBON_CAP] == NONE or -(-micrograms // UG_PER_G) <= bounds[ask, CARBON_CAP]


@lean
def hours_fit(
    shelf: Shelf, bounds: Ints, ask: int, units: int, offer: int, run_s: int,
    first: int, skipped: int, stop: int, rest: int,
) -> bool:  # fmt: skip
    """The bounds on the hours of a run."""
    if bounds[ask, FREE] != NONE:
        for hour in range(first, stop + (rest > 0)):
            if shelf.began[offer, hour] < bounds[ask, FREE]:
                return False
    price = span_total(shelf, PRICE, offer, first, skipped, stop, rest)
    if not prices_fit(bounds, ask, units, price, run_s, shelf.facts[PF_MILLI, offer]):
        return False
    if not shares_fit(shelf, bounds, ask, offer, run_s, first, skipped, stop, rest):
        return False
    if bounds[ask, INTENSITY] == NONE and bounds[ask, CARBON_CAP] == NONE:
        return True
    carbon = span_total(shelf, CARBON, offer, first, skipped, stop, rest)
    return carbon_fits(bounds, ask, units, carbon, run_s, shelf.facts[WATTS, offer])
