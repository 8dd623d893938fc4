"""The meters of sample plants: invented hours, the same in any process, marked as sample with their plant."""

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.copying import wait_for_turn
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import EnergySource, SourceKind
from marketplace.energy.services import HISTORY_HOURS
from marketplace.energy.signals.sample import MIX_OF, output_ppm


@transaction.atomic
def refresh_sample_generation(*, now: datetime) -> int:
    """Meter every hour that has ended by `now` since the last one of each sample plant (at first: 75 days); how many.

    Running it twice, or in two processes at once, writes each hour once.
    """
    wait_for_turn()
    end, written = hour_floor(now), 0
    plants = EnergySource.objects.filter(sample=True, kind=SourceKind.ONSITE, zone__code__in=MIX_OF)
    latest = dict(plants.order_by().values_list("pk").annotate(latest=Max("hours__start")))
    for plant in plants.select_related("zone", "organization"):
        last = latest[plant.pk]
        first = last + HOUR if last else end - HISTORY_HOURS * HOUR
        made = [sample_hour(plant, first + n * HOUR) for n in range((end - first) // HOUR)]
        if made:
            record_generation(source=plant, made=made, now=now)
        written += len(made)
    return written


def sample_hour(plant: EnergySource, start: datetime) -> Made:
    """What the meter of a sample plant says of the hour from `start`, in whole Wh, rounded down."""
    return Made(start, plant.capacity_w * output_ppm(plant.zone.code, plant.technology, start) // PPM)
