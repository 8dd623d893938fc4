"""What a worker keeps of the shelf between rounds is what it would read; anything that changes is read again."""

from datetime import timedelta

import pytest
from django.db import connection

from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from marketplace.catalog.models import Latency
from marketplace.energy.models import EnergySource, ShareHour, SourceShare
from scheduler.keeping import kept_shelf
from scheduler.snapshot import read_shelf
from tests.energy.evidence import make_generation
from tests.energy.plants import make_served
from tests.market import NOON, make_cpu, make_offer, make_place, make_site, make_zone, triggers_off
from tests.scheduler.scene import TestAgent, make_cpu_offer, publish_hours

pytestmark = pytest.mark.django_db


def kept(now=NOON):
    return kept_shelf(segment="cpu", now=now).facts


def read(now=NOON):
    return read_shelf(now=now, families=["cpu"]).facts


def raise_the_price(offer):
    offer.rate_mm = [9_000] * 168
    offer.save()


def rename_the_site(offer):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_site SET name = 'Elsewhere' WHERE id = %s", [offer.site_id])


def speed_the_hardware_up(offer):
    offer.hardware.pf_milli += 1
    offer.hardware.save()


def measure_a_route(offer):
    make_place(**{offer.site.public_id: 7})


def forget_a_route(offer):
    Latency.objects.all().delete()


def bring_an_agent(offer):
    TestAgent(offer, now=NOON)


def learn_of_an_hour(offer):
    publish_hours(offer.site.zone, NOON + timedelta(days=3), days=1)


def retire_it(offer):
    type(offer).objects.filter(pk=offer.pk).update(**{"state": "paused"})


def add_another(offer):
    make_cpu_offer()


def build_a_plant(offer):
    make_served(offer.site.point, NOON, days=30, wh=[5])


def meter_an_hour(offer):
    make_generation(EnergySource.objects.first(), NOON, 14)


def sell_the_certificates(offer):
    EnergySource.objects.update(certificates_sold=True)


def promise_an_hour(offer):
    with triggers_off():
        ShareHour.objects.create(share=SourceShare.objects.first(), start=NOON + timedelta(hours=2), promised_ppm=9)


def sell_more_beside_it(offer):
    make_offer(offer.site, units=64)


@pytest.mark.parametrize(
    "change",
    [
        raise_the_price, rename_the_site, speed_the_hardware_up, measure_a_route, forget_a_route, bring_an_agent,
        learn_of_an_hour, retire_it, add_another, build_a_plant, meter_an_hour, sell_the_certificates, promise_an_hour,
        sell_more_beside_it,
    ],
)  # fmt: skip
def test_whatever_changes_is_read_again(change):
    offer, other = make_cpu_offer(), make_cpu_offer()
    make_place("munich", **{other.site.public_id: 9})
    make_served(offer.site.point, NOON, days=30, wh=[9])
    assert kept() == read()

    change(offer)

    assert kept() == read()


def test_facts_that_are_as_they_were_are_the_very_same_and_promised_hours_are_seen():
    offer, other = make_cpu_offer(units=2), make_cpu_offer(units=2)
    before = {facts.id: facts for facts in kept()}
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + timedelta(hours=1), 1), units=1)

    after = {facts.id: facts for facts in kept()}

    assert after[other.public_id] is before[other.public_id]
    assert after[offer.public_id].free[0] == 1
    assert tuple(after.values()) == read()


def test_the_next_hour_is_read_again():
    offer = make_cpu_offer(units=2)
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + timedelta(hours=1), 1), units=1)
    later = NOON + timedelta(hours=1)

    assert [facts.free[0] for facts in (*kept(), *kept(later))] == [1, 2]
    assert kept(later) == read(later)


def test_an_offer_in_a_zone_without_hours_comes_on_the_shelf_once_they_are_published():
    offer = make_cpu_offer()
    hidden = make_offer(make_site(zone=make_zone("FR")), hardware=make_cpu())
    assert [facts.id for facts in kept()] == [offer.public_id]

    publish_hours(hidden.site.zone, NOON + timedelta(days=1))

    assert len(kept()) == 2
    assert kept() == read()


def test_machines_that_are_sold_twice_are_known_from_the_round_on_in_which_both_are_on_the_shelf():
    firm = make_cpu_offer(units=2)
    alone = kept_shelf(segment="cpu", now=NOON).twins

    loose = make_offer(firm.site, hardware=firm.hardware, units=2, tier="interruptible", twin=firm)
    together = kept_shelf(segment="cpu", now=NOON).twins
    take_hours(offer=loose, wanted=hours_by_day(NOON, NOON + timedelta(hours=1), 1), units=1)

    assert [each.tolist() for each in alone] == [[], []]
    assert [each.tolist() for each in together] == [[loose.pk], [firm.pk]]
    assert kept_shelf(segment="cpu", now=NOON).twins is together, "an offer keeps its twin, so it is not asked again"
