"""The numeric limits of an ask on one column, as the compiled rounds test them (matching.md, section 2)."""

from scheduler.core.compiled import compiled
from scheduler.core.tables import (
    BOOT,
    BOOT_S,
    CARBON,
    CARBON_CAP,
    CARBON_FREE,
    CARBON_FREE_SHARE,
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
    Asks,
    Shelf,
    Tastes,
)
from scheduler.core.types import HOUR_S

MM_PER_MINOR_HOUR = 1000 * HOUR_S
UG_PER_G = 10**6


@compiled
def facts_fit(shelf: Shelf, tastes: Tastes, asks: Asks, ask: int, offer: int) -> bool:
    """The bounds on what does not change from hour to hour; an unknown fact passes none."""
    bounds, facts = asks.bounds[ask], shelf.facts
    if bounds[MEMORY] != NONE and facts[MEMORY_GB, offer] < max(0, bounds[MEMORY]):
        return False
    if bounds[NOTICE] != NONE and facts[NOTICE_S, offer] < max(0, bounds[NOTICE]):
        return False
    if bounds[BOOT] != NONE and not 0 <= facts[BOOT_S, offer] <= bounds[BOOT]:
        return False
    if bounds[RELIABILITY] != NONE and facts[RELIABILITY_PPM, offer] < max(0, bounds[RELIABILITY]):
        return False
    if bounds[LATENCY] != NONE:
        return 0 <= shelf.latency[tastes.place[asks.kind[ask]], offer] <= bounds[LATENCY]
    return True


@compiled
def _total(shelf: Shelf, series: int, offer: int, first: int, skipped: int, stop: int, rest: int) -> int:
    """Sum of value x seconds from `skipped` seconds into hour `first` to `rest` seconds into hour `stop`."""
    until, values = shelf.until[series, offer], shelf.values[series, offer]
    return until[stop] - until[first] + values[stop] * rest - values[first] * skipped


@compiled
def hours_fit(
    shelf: Shelf, asks: Asks, ask: int, offer: int, run_s: int, first: int, skipped: int, stop: int, rest: int
) -> bool:
    """The bounds on the hours of a run."""
    bounds = asks.bounds[ask]
    if bounds[FREE] != NONE and shelf.began[offer, first : stop + (rest > 0)].min() < bounds[FREE]:
        return False
    return (
        _prices_fit(shelf, asks, ask, offer, run_s, first, skipped, stop, rest)
        and _shares_fit(shelf, asks, ask, offer, run_s, first, skipped, stop, rest)
        and _carbon_fits(shelf, asks, ask, offer, run_s, first, skipped, stop, rest)
    )


@compiled
def _prices_fit(
    shelf: Shelf, asks: Asks, ask: int, offer: int, run_s: int, first: int, skipped: int, stop: int, rest: int
) -> bool:
    bounds = asks.bounds[ask]
    price = _total(shelf, PRICE, offer, first, skipped, stop, rest)
    if bounds[MEAN_PRICE] != NONE and -(-price // run_s) > bounds[MEAN_PRICE]:
        return False
    if bounds[PFLOP_PRICE] != NONE and -(-price * 1000 // (run_s * shelf.facts[PF_MILLI, offer])) > bounds[PFLOP_PRICE]:
        return False
    return bounds[TOTAL] == NONE or asks.units[ask] * price // MM_PER_MINOR_HOUR <= bounds[TOTAL]


@compiled
def _shares_fit(
    shelf: Shelf, asks: Asks, ask: int, offer: int, run_s: int, first: int, skipped: int, stop: int, rest: int
) -> bool:
    bounds = asks.bounds[ask]
    for bound, series in ((RENEWABLE, SHARE), (MATCHED_SHARE, MATCHED), (CARBON_FREE_SHARE, CARBON_FREE)):
        if bounds[bound] != NONE:
            mean = _total(shelf, series, offer, first, skipped, stop, rest) // run_s
            if mean < max(0, bounds[bound]):
                return False
    return True


@compiled
def _carbon_fits(
    shelf: Shelf, asks: Asks, ask: int, offer: int, run_s: int, first: int, skipped: int, stop: int, rest: int
) -> bool:
    bounds = asks.bounds[ask]
    if bounds[INTENSITY] == NONE and bounds[CARBON_CAP] == NONE:
        return True
    carbon = _total(shelf, CARBON, offer, first, skipped, stop, rest)
    if bounds[INTENSITY] != NONE and -(-carbon // run_s) > bounds[INTENSITY]:
        return False
    micrograms = -(-carbon // HOUR_S) * shelf.facts[WATTS, offer] * asks.units[ask]
    return bounds[CARBON_CAP] == NONE or -(-micrograms // UG_PER_G) <= bounds[CARBON_CAP]
