"""From what power stations deliver to what a kWh emits: factors by technology, in g/kWh, and the mean of a mix.

Life-cycle: medians of IPCC AR5 WGIII Annex III, Table A.III.2 (2014). Direct: the same table's direct emissions. Where
that table is silent (oil, unknown), the defaults of Electricity Maps: oil 650 and 406 (UK POST 2014; EIA 2020, BEIS
2021), an unknown thermal plant 700 and 575. What is burnt but partly renewable (waste) counts as unknown, so no share
is overstated.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from marketplace.common.units import PPM
from marketplace.energy.signals.base import Signal


class Factor(NamedTuple):
    """g/kWh over the life cycle and at the stack, and whether the energy is renewable, or at least free of carbon."""

    lifecycle_g: int
    direct_g: int
    renewable: bool = False
    carbon_free: bool = False


FACTORS = {
    "biomass": Factor(230, 0, renewable=True, carbon_free=True),
    "coal": Factor(820, 760),
    "gas": Factor(490, 370),
    "geothermal": Factor(38, 0, renewable=True, carbon_free=True),
    "hydro": Factor(24, 0, renewable=True, carbon_free=True),
    "nuclear": Factor(12, 0, carbon_free=True),
    "oil": Factor(650, 406),
    "solar": Factor(48, 0, renewable=True, carbon_free=True),  # at utility scale; roofs have 41
    "wind": Factor(12, 0, renewable=True, carbon_free=True),  # where it is not said whether on land
    "wind_offshore": Factor(12, 0, renewable=True, carbon_free=True),
    "wind_onshore": Factor(11, 0, renewable=True, carbon_free=True),
    "unknown": Factor(700, 575),
}


def lifecycle_mg(mix: Mapping[str, Fraction]) -> int:
    """The mean life-cycle intensity of a mix of technologies in any unit, mg/kWh rounded up.

    Raises ZeroDivisionError for a mix of nothing.
    """
    return ceil(1000 * sum(part * FACTORS[name].lifecycle_g for name, part in mix.items()) / sum(mix.values()))


def signals_of_mix(mix: Mapping[str, Fraction]) -> dict[Signal, int]:
    """Intensities (mg/kWh, rounded up) and shares (ppm, rounded down) of a mix; raises ZeroDivisionError."""
    whole = sum(mix.values(), Fraction(0))
    direct = sum((part * FACTORS[name].direct_g for name, part in mix.items()), Fraction(0))
    renewable = sum((part for name, part in mix.items() if FACTORS[name].renewable), Fraction(0))
    free = sum((part for name, part in mix.items() if FACTORS[name].carbon_free), Fraction(0))
    return {
        Signal.DIRECT: ceil(1000 * direct / whole),
        Signal.LIFECYCLE: lifecycle_mg(mix),
        Signal.RENEWABLE: floor(renewable * PPM / whole),
        Signal.CARBON_FREE: floor(free * PPM / whole),
    }
