"""Sample plants: invented hours that are the same in any process, and say that they are."""

from datetime import timedelta

import pytest

from marketplace.energy.models import CertificateLot, GenerationHour
from marketplace.energy.sampleplants import refresh_sample_generation
from marketplace.energy.signals.sample import output_ppm
from tests.energy.evidence import make_point, make_share
from tests.energy.plants import make_plant
from tests.market import MONDAY, NOON, make_zone

HOUR = timedelta(hours=1)


@pytest.fixture
def plant(db):
    return make_plant(make_point(zone=make_zone("DE")), sample=True, technology="solar", capacity_w=1000)


def test_the_sun_shines_by_day_alone_and_never_beyond_the_capacity():
    hours = [output_ppm("DE", "solar", MONDAY + n * HOUR) for n in range(24 * 30)]

    assert max(hours) <= 1_000_000
    assert hours[0] == 0
    assert hours[11] > 0


def test_a_plant_s_hours_are_the_same_in_any_process():
    assert [output_ppm("CN-NX", "wind", MONDAY + 6 * n * HOUR) for n in range(4)] == [254599, 330910, 370220, 374591]


def test_a_new_plant_has_75_days_of_whole_wh(plant):
    assert refresh_sample_generation(now=NOON) == 75 * 24

    hours = list(plant.hours.order_by("start"))
    assert (hours[0].start, hours[-1].start) == (NOON - timedelta(days=75), NOON - HOUR)
    assert all(0 <= hour.wh <= 1000 and hour.quality == "metered" for hour in hours)


def test_each_hour_is_metered_once(plant):
    refresh_sample_generation(now=NOON)

    assert refresh_sample_generation(now=NOON + timedelta(minutes=20)) == 0
    assert refresh_sample_generation(now=NOON + 2 * HOUR) == 2


def test_hours_of_its_term_become_on_site_records_and_earlier_ones_do_not(plant):
    make_share(plant, make_point(plant.organization, zone=plant.zone))
    refresh_sample_generation(now=NOON)

    lots = CertificateLot.objects.all()
    assert lots.count() == GenerationHour.objects.filter(wh__gt=0).count()


def test_a_plant_that_is_no_sample_is_left_alone(plant):
    type(plant).objects.update(sample=False)

    assert refresh_sample_generation(now=NOON) == 0
