"""Stores: what comes out went in before, less what the store loses, and each stored Wh feeds one discharge."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from marketplace.common.errors import IllegalState
from marketplace.common.units import PPM
from marketplace.energy.errors import StorageExceedsInput
from marketplace.energy.models import CertificateLot, Issuance, StorageDraw
from marketplace.energy.storage import charge, discharge
from tests.energy.evidence import (
    make_generation,
    make_issuance,
    make_lot,
    make_point,
    make_share,
    make_source,
)
from tests.energy.test_supply import assert_whole, counters
from tests.market import MONDAY, NOON, at, make_member, make_organization

pytestmark = pytest.mark.django_db
HOURS = 8


class Plant:
    """A store of 88 % at a point of its organization, whose meter saw much come out of it each hour."""

    def __init__(self, efficiency_ppm: int = 880_000, **fields: object) -> None:
        self.organization = make_organization(funds=0)
        self.point = make_point(self.organization)
        fields = {"evidence": "metered", "verified_by": make_member(make_organization(funds=0)), "verified_at": MONDAY,
                  **fields}  # fmt: skip
        self.store = make_source(
            self.organization, kind="storage", technology="storage", efficiency_ppm=efficiency_ppm, **fields
        )
        make_share(self.store, self.point)
        make_generation(self.store, MONDAY, *[10_000] * HOURS)

    def lot(self, hour: int, wh: int, **fields: object) -> CertificateLot:
        """Certified energy of the hour."""
        values = {"holder": self.organization, "point": self.point, "issuance": make_issuance(at(MONDAY, hour))}
        return make_lot(wh, **(values | fields))

    def charge(self, hour: int, wh: int, *, certified: int | None = None) -> int:
        certified = wh if certified is None else certified
        if certified:
            self.lot(hour, certified)
        return charge(store=self.store, point=self.point, start=at(MONDAY, hour), wh=wh, now=NOON)

    def discharge(self, hour: int, wh: int) -> CertificateLot:
        return discharge(store=self.store, point=self.point, start=at(MONDAY, hour), wh=wh, now=NOON)


def drawn(lot: CertificateLot) -> list[tuple[int, int, int]]:
    rows = StorageDraw.objects.filter(issuance=lot.issuance).order_by("pk")
    return [(row.lot_id, row.wh_range.lower, row.wh_range.upper) for row in rows]


def test_a_thousand_wh_at_88_percent_give_880_and_not_one_more():
    plant = Plant()
    source = plant.lot(0, 1000)
    assert plant.charge(0, 1000, certified=0) == 1000

    with pytest.raises(StorageExceedsInput) as refusal:
        plant.discharge(1, 881)
    assert refusal.value.facts == {"asked_wh": 881, "most_wh": 880}
    assert not Issuance.objects.filter(release="storage").exists()
    assert not plant.store.hours.filter(claimed_wh__gt=0).exists()
    lot = plant.discharge(1, 880)

    assert (lot.available_wh, lot.state, lot.point, lot.holder) == (880, "active", plant.point, plant.organization)
    assert (lot.issuance.scheme, lot.issuance.release, lot.issuance.temporal_resolution) == ("METER", "storage", "hour")
    assert drawn(lot) == [(source.pk, 0, 1000)]
    assert counters(source) == {"stored": 1000}


def test_energy_that_nobody_certified_gives_none():
    plant = Plant()

    assert plant.charge(0, 1000, certified=0) == 0
    with pytest.raises(StorageExceedsInput):
        plant.discharge(1, 1)
    assert plant.charge(0, 1000, certified=300) == 300
    assert plant.discharge(1, 264).available_wh == 264


def test_only_free_hourly_energy_of_ones_own_at_that_point_and_hour_is_stored():
    plant = Plant()
    plant.lot(0, 10, holder=make_organization(funds=0))
    plant.lot(0, 10, point=make_point(plant.organization))
    plant.lot(1, 10)
    plant.lot(0, 10, state="pending")
    month = make_issuance(length=timedelta(days=30), temporal_resolution="month")
    plant.lot(0, 10, issuance=month)
    plant.lot(0, 10, issuance=make_issuance(release="storage"))

    assert plant.charge(0, 100, certified=0) == 0


def test_what_went_in_first_comes_out_first_and_only_from_hours_before():
    plant = Plant(efficiency_ppm=500_000)
    late = plant.lot(2, 10)
    early = plant.lot(0, 10)
    for hour in (2, 0):
        charge(store=plant.store, point=plant.point, start=at(MONDAY, hour), wh=10, now=NOON)

    assert drawn(plant.discharge(3, 6)) == [(early.pk, 0, 10), (late.pk, 0, 2)]
    with pytest.raises(StorageExceedsInput) as refusal:
        plant.discharge(2, 1)
    assert refusal.value.facts["most_wh"] == 0


def test_a_discharge_that_is_told_late_leaves_the_later_ones_as_they_are():
    plant = Plant(efficiency_ppm=PPM)
    plant.charge(0, 10)
    plant.charge(1, 10)
    later = plant.discharge(5, 12)
    before = drawn(later)

    with pytest.raises(StorageExceedsInput):
        plant.discharge(1, 1)
    earlier = plant.discharge(2, 8)

    assert drawn(later) == before
    assert sum(high - low for _, low, high in drawn(earlier)) == 8


def test_a_store_that_nobody_has_verified_gives_lots_that_wait():
    plant = Plant(evidence="declared", verified_by=None)
    plant.charge(0, 100)

    assert plant.discharge(1, 50).state == "pending"


def test_no_more_is_certified_than_the_meter_saw_come_out():
    plant = Plant()
    plant.charge(0, 1000)

    with pytest.raises(IllegalState, match="did not see"):
        discharge(store=plant.store, point=plant.point, start=at(MONDAY, HOURS), wh=1, now=NOON)

    plant.discharge(1, 100)
    assert plant.store.hours.get(start=at(MONDAY, 1)).claimed_wh == 100


def test_what_is_no_store_of_that_point_takes_and_gives_nothing():
    plant = Plant()
    elsewhere = make_point(plant.organization)
    roof = make_source(plant.organization)

    with pytest.raises(IllegalState, match="does not serve"):
        charge(store=plant.store, point=elsewhere, start=MONDAY, wh=1, now=NOON)
    with pytest.raises(IllegalState, match="is no store"):
        discharge(store=roof, point=plant.point, start=MONDAY, wh=1, now=NOON)


def test_the_database_lets_nothing_out_that_did_not_go_in():
    plant, other = Plant(), Plant()
    stored = plant.lot(2, 100)
    charge(store=plant.store, point=plant.point, start=at(MONDAY, 2), wh=60, now=NOON)

    def refuse(by: str, source: object, hour: int, wh_range: tuple[int, int], gives: int = 0) -> None:
        with pytest.raises(DatabaseError, match=by), transaction.atomic():
            issued = make_issuance(at(MONDAY, hour), scheme="METER", release="storage", source=source)
            StorageDraw.objects.create(issuance=issued, lot=stored, wh_range=wh_range)
            make_lot(gives or 1, issuance=issued)

    refuse("put into the store before", plant.store, 2, (0, 10))
    refuse("put into the store before", plant.store, 3, (50, 61))
    refuse("put into the store before", other.store, 3, (0, 10))
    refuse("no more than its efficiency leaves", plant.store, 3, (0, 10), gives=9)
    with pytest.raises(DatabaseError, match="no more than its efficiency leaves"), transaction.atomic():
        make_lot(1, issuance=make_issuance(scheme="METER", release="storage", source=plant.store))
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        plant.discharge(3, 50)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM energy_storagedraw")


class AnyOrder(TestCase):
    """Whatever goes in and out in whatever order, nothing comes out that did not go in before."""

    @settings(max_examples=40)
    @given(
        efficiency=st.sampled_from([PPM, 880_000, 500_000, 333_333]),
        steps=st.lists(st.tuples(st.booleans(), st.integers(0, HOURS - 1), st.integers(1, 9)), max_size=10),
    )
    def test_keeps_the_store_balanced(self, efficiency, steps):
        plant = Plant(efficiency_ppm=efficiency)
        given: dict[int, list[tuple[int, int, int]]] = {}
        for goes_in, hour, wh in steps:
            if goes_in:
                assert plant.charge(hour, wh) == wh
                continue
            try:
                lot = plant.discharge(hour, wh)
            except StorageExceedsInput as refusal:
                assert refusal.facts["most_wh"] < wh
            else:
                given[lot.pk] = drawn(lot)

        seen: set[tuple[int, int]] = set()
        for key, draws in given.items():
            lot = CertificateLot.objects.get(pk=key)
            assert drawn(lot) == draws
            inside = sum(high - low for _, low, high in draws)
            assert lot.available_wh <= inside * efficiency // PPM
            assert (lot.available_wh + 1) * PPM > (inside - 1) * efficiency, "no Wh is drawn in vain"
            fed = {(source, wh) for source, low, high in draws for wh in range(low, high)}
            assert not fed & seen
            seen |= fed
            for source, _, _ in draws:
                assert CertificateLot.objects.get(pk=source).issuance.start < lot.issuance.start
        for lot in CertificateLot.objects.all():
            assert_whole(lot)
