"""What green energy may be promised of future hours: pure maths over fractions of plants' output.

Certificates of the future do not exist yet, and a forecast that is made anew must not break a promise: so what is set
aside is a fraction of each hour's output, whatever that will be. Its size follows from the P10 of the output, and what
is promised from the P10 of the share that the fraction gives (Listings forecast, reservations promise).
"""

from collections.abc import Sequence

import numpy as np

from marketplace.common.units import PPM
from marketplace.energy.paths import Whole
from marketplace.energy.shares import ShareBands, bands_of

PERCENT = 100
LOW = 0  # of the three bands


def fractions(load: Whole, asked_percent: int, low: Sequence[Whole], free: Sequence[Whole]) -> list[Whole]:
    """The ppm of each supply's output to set aside, [supplies][hours], in the order in which they are to be used.

    `load` is Wh [hours]; `low` the P10 of each supply's whole output, `free` the ppm of it that nobody has. A supply
    gives as much as the hour still lacks; all that is free of it where its P10 is 0.
    """
    lacking = -(-load * asked_percent // PERCENT)
    found = []
    for output, left in zip(low, free, strict=True):
        enough = np.where(output > 0, -(-lacking * PPM // np.maximum(output, 1)), left)
        part = np.where(lacking > 0, np.minimum(left, enough), 0)
        found.append(part)
        lacking = np.maximum(0, lacking - part * output // PPM)
    return found


def promised_share(load: Whole, supply: Whole) -> ShareBands:
    """The bands of the matched share of `load`, Wh [hours], under what the fractions may give, Wh [paths, hours].

    Raises ValueError for a load of nothing and for fewer than ten paths.
    """
    return bands_of(load, supply, np.zeros_like(supply))


def promise_percent(asked_percent: int, bands: ShareBands) -> int:
    """What is promised, in whole per cent: never more than asked, nor than the P10 of the share, rounded down."""
    return min(asked_percent, int(bands.matched[LOW]) * PERCENT // PPM)


def green_credit(
    *, charge_minor: int, promised_percent: int, matched_wh: int, used_wh: int, credit_rate_ppm: int, cap_ppm: int
) -> int:
    """What a missed promise gives back: min(floor(cap × charge), ceil(charge × rate × gap)), in minor units.

    The gap is promised minus matched share, exact; 0 where the promise was kept or nothing was used.
    """
    gap = promised_percent * used_wh - PERCENT * matched_wh
    if gap <= 0 or not used_wh:
        return 0
    owed = -(-charge_minor * credit_rate_ppm * gap // (PPM * PERCENT * used_wh))
    return min(charge_minor * cap_ppm // PPM, owed)
