"""An hour is settled once, 72 hours after it ended: the meter's energy among the uses, green energy in its order."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from marketplace.energy.generation import Made, record_generation
from marketplace.energy.metering import Reading, UsePart, record_readings, record_use
from marketplace.energy.models import CertificateLot, GreenPromise, MatchLine, PromiseHour, ShareHour, UseHour
from marketplace.energy.settling import settle_due
from marketplace.energy.siteenergy import shares_of_meter
from tests.energy.evidence import (
    make_generation,
    make_issuance,
    make_lot,
    make_point,
    make_share,
    make_source,
    make_use,
)
from tests.energy.test_supply import assert_whole, counters, spans
from tests.market import MONDAY, at, make_member

pytestmark = pytest.mark.django_db
THREE_DAYS_ON = MONDAY + timedelta(hours=73)


def verified(**fields):
    return make_source(evidence="metered", verified_by=make_member(fields.get("organization") or _somebody()),
                       verified_at=MONDAY, **fields)  # fmt: skip


def _somebody():
    from tests.market import make_organization

    return make_organization(funds=0)


def promise(subject: str, share, start, percent: int, ppm: int) -> GreenPromise:
    given = GreenPromise.objects.create(
        subject=subject, point=share.point, start=start, end=start + timedelta(hours=1), promised_percent=percent,
        created_at=MONDAY,
    )  # fmt: skip
    hour, _ = ShareHour.objects.get_or_create(share=share, start=start)
    PromiseHour.objects.create(promise=given, share_hour=hour, ppm=ppm)
    return given


def results() -> dict[str, tuple[int, int, int]]:
    return {use.subject: (use.site_wh, use.matched_wh, use.volume_wh) for use in UseHour.objects.order_by("pk")}


def test_uses_of_an_hour_add_up_until_it_is_settled_and_keep_the_least_exact_method():
    point = make_point()

    record_use(subject="job_a", point=point, parts=[UsePart(MONDAY, 500, 900)], method="metered_node")
    record_use(
        subject="job_a", point=point, parts=[UsePart(MONDAY, 25, 100), UsePart(at(MONDAY, 1), 7, 60)],
        method="modelled_full",
    )  # fmt: skip

    rows = UseHour.objects.of_subject("job_a").values_list("it_wh", "site_wh", "unit_seconds", "method")
    assert list(rows) == [(525, 599, 1000, "modelled_full"), (7, 8, 60, "modelled_full")]


def test_a_settled_hour_takes_no_more_use():
    point = make_point()
    record_use(subject="job_a", point=point, parts=[UsePart(MONDAY, 500, 900)], method="metered_node")
    settle_due(now=THREE_DAYS_ON)

    assert record_use(subject="job_a", point=point, parts=[UsePart(MONDAY, 1, 1)], method="metered_node") == 0
    assert UseHour.objects.get().it_wh == 500


def test_nothing_is_settled_before_72_hours_after_the_hour_are_over():
    make_use(make_point(), "job_a", MONDAY, 500)

    assert settle_due(now=THREE_DAYS_ON - timedelta(microseconds=1)) == 0
    assert settle_due(now=THREE_DAYS_ON) == 1
    assert settle_due(now=THREE_DAYS_ON) == 0


def test_the_sites_meter_is_split_over_uses_and_what_nobody_rented():
    point = make_point()
    record_readings(point=point, readings=[Reading(MONDAY, 2000, 2280)])
    for subject, it_wh in (("job_a", 525), ("job_b", 438), ("job_c", 351)):
        make_use(point, subject, MONDAY, it_wh)

    settle_due(now=THREE_DAYS_ON)

    assert results() == {"job_a": (599, 0, 0), "job_b": (499, 0, 0), "job_c": (400, 0, 0)}
    assert point.hours.get().attributed_wh == 1498


def test_without_a_meter_the_overhead_of_the_design_holds():
    make_use(make_point(), "job_a", MONDAY, 525)

    settle_due(now=THREE_DAYS_ON)

    assert results() == {"job_a": (599, 0, 0)}


@given(st.integers(0, 9), st.integers(0, 9), st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_a_meter_gives_out_no_more_than_it_saw_and_no_use_less_than_its_machines(it_wh, overhead, claims):
    shares = shares_of_meter(it_wh, it_wh + overhead, claims)

    assert all(own <= claim for (own, _), claim in zip(shares, claims, strict=True))
    assert all(own <= whole for own, whole in shares)
    assert sum(own for own, _ in shares) == min(it_wh, sum(claims))
    assert sum(whole for _, whole in shares) <= it_wh + overhead
    if sum(claims) >= it_wh > 0:
        assert sum(whole for _, whole in shares) == it_wh + overhead


def test_a_use_that_is_told_late_gets_what_is_left_of_the_meter():
    point = make_point()
    record_readings(point=point, readings=[Reading(MONDAY, 1000, 1100)])
    make_use(point, "job_a", MONDAY, 900)
    settle_due(now=THREE_DAYS_ON)
    make_use(point, "job_b", MONDAY, 500)

    settle_due(now=THREE_DAYS_ON)

    assert results() == {"job_a": (990, 0, 0), "job_b": (110, 0, 0)}
    assert point.hours.get().attributed_wh == 1100


def test_metered_hours_of_a_verified_plant_become_lots_that_tile_them():
    source, here, there = verified(), make_point(), make_point()
    make_share(source, here, 0, 333_333)
    make_share(source, there, 333_333, 1_000_000)

    assert record_generation(source=source, made=[Made(MONDAY, 1000), Made(at(MONDAY, 1), 0)], now=MONDAY) == 2

    lots = CertificateLot.objects.order_by("pk")
    assert [(lot.point, lot.wh_range.lower, lot.wh_range.upper, lot.state) for lot in lots] == [
        (here, 0, 333, "active"), (there, 333, 1000, "active")
    ]  # fmt: skip
    assert [hour.claimed_wh for hour in source.hours.order_by("start")] == [1000, 0]
    assert lots[0].issuance.scheme == "METER"


@pytest.mark.parametrize(
    ("fields", "quality", "states"),
    [({}, "metered", {"pending"}), ({"certificates_sold": True}, "metered", set()), ({}, "profile", set()),
     ({"kind": "ppa_physical"}, "metered", set())],
)  # fmt: skip
def test_what_is_not_verified_waits_and_what_is_sold_or_only_expected_gives_no_lot(fields, quality, states):
    source = make_source(**fields)
    make_share(source, make_point())

    record_generation(source=source, made=[Made(MONDAY, 1000)], quality=quality, now=MONDAY)

    assert set(CertificateLot.objects.values_list("state", flat=True)) == states


def test_the_suns_hour_serves_the_uses_of_that_hour_and_of_no_other():
    source, point = verified(), make_point()
    make_share(source, point)
    record_generation(source=source, made=[Made(MONDAY, 1200), Made(at(MONDAY, 1), 250)], now=MONDAY)
    make_use(point, "job_a", MONDAY, 1000, site_wh=1000)
    make_use(point, "job_a", at(MONDAY, 1), 1000, site_wh=1000)
    record_readings(point=point, readings=[Reading(at(MONDAY, hour), 1000, 1000) for hour in (0, 1)])

    assert settle_due(now=THREE_DAYS_ON + timedelta(hours=1)) == 2

    assert list(UseHour.objects.order_by("start").values_list("site_wh", "matched_wh")) == [(1000, 1000), (1000, 250)]
    first = CertificateLot.objects.earliest("pk")
    assert spans(first) == [(0, 1000, "reserved", "job_a"), (1000, 1200, "available", "")]


def test_on_site_serves_before_contract_before_storage_before_bought():
    point = make_point()
    bought = make_lot(100, point=point)
    stored = make_lot(
        100, point=point,
        issuance=make_issuance(
            release="storage", source=make_source(kind="storage", technology="storage", efficiency_ppm=880_000)
        ),
    )  # fmt: skip
    contract = make_lot(100, point=point, issuance=make_issuance(source=make_source(kind="ppa_physical")))
    onsite = make_lot(100, point=point, issuance=make_issuance(source=make_source()))
    make_use(point, "job_a", MONDAY, 250, site_wh=250)
    record_readings(point=point, readings=[Reading(MONDAY, 250, 250)])

    settle_due(now=THREE_DAYS_ON)

    assert [counters(lot).get("reserved", 0) for lot in (onsite, contract, stored, bought)] == [100, 100, 50, 0]


def test_what_is_certified_by_the_month_never_counts_as_matched_by_the_hour():
    point = make_point()
    month = make_issuance(length=timedelta(days=30), temporal_resolution="month")
    lot = make_lot(1000, point=point, issuance=month)
    make_lot(100, point=point)
    make_use(point, "job_a", MONDAY, 400, site_wh=400)
    record_readings(point=point, readings=[Reading(MONDAY, 400, 400)])

    settle_due(now=THREE_DAYS_ON)

    assert results() == {"job_a": (400, 100, 300)}
    assert counters(lot) == {"available": 700, "reserved": 300}


def test_lots_for_another_point_or_another_hour_or_not_accepted_serve_nobody():
    point = make_point()
    make_lot(100, point=make_point())
    make_lot(100, point=point, issuance=make_issuance(at(MONDAY, 1)))
    make_lot(100, point=point, state="pending")
    make_use(point, "job_a", MONDAY, 400)

    settle_due(now=THREE_DAYS_ON)

    assert results()["job_a"][1:] == (0, 0)


def test_a_promise_is_served_from_what_was_set_aside_for_it_then_from_the_pool_before_others():
    source, point = verified(), make_point()
    share = make_share(source, point)
    promise("rsv_a", share, MONDAY, 80, 400_000)
    record_generation(source=source, made=[Made(MONDAY, 1000)], now=MONDAY)
    record_readings(point=point, readings=[Reading(MONDAY, 1500, 1500)])
    for subject, it_wh in (("rsv_a", 600), ("job_b", 900)):
        make_use(point, subject, MONDAY, it_wh)

    settle_due(now=THREE_DAYS_ON)

    assert results() == {"rsv_a": (600, 541, 0), "job_b": (900, 459, 0)}
    lot = CertificateLot.objects.get()
    assert counters(lot) == {"reserved": 1000}
    assert_whole(lot)


def test_what_was_set_aside_beyond_the_promise_is_given_to_all():
    source, point = verified(), make_point()
    share = make_share(source, point)
    promise("rsv_a", share, MONDAY, 50, 1_000_000)
    record_generation(source=source, made=[Made(MONDAY, 1000)], now=MONDAY)
    record_readings(point=point, readings=[Reading(MONDAY, 1500, 1500)])
    for subject, it_wh in (("rsv_a", 600), ("job_b", 900)):
        make_use(point, subject, MONDAY, it_wh)

    settle_due(now=THREE_DAYS_ON)

    assert results() == {"rsv_a": (600, 475, 0), "job_b": (900, 525, 0)}
    assert_whole(CertificateLot.objects.get())


def test_generation_that_was_told_twice_is_refused_and_nothing_of_it_stays():
    from django.db import IntegrityError, transaction

    source = verified()
    make_share(source, make_point())
    make_generation(source, MONDAY, 10)

    with pytest.raises(IntegrityError, match="generation_hour_once"), transaction.atomic():
        record_generation(source=source, made=[Made(at(MONDAY, 1), 5), Made(MONDAY, 10)], now=MONDAY)

    assert source.hours.count() == 1
    assert CertificateLot.objects.count() == 0


class AnyHour(TestCase):
    """Settling keeps every promise of the ledger, whatever was used and made."""

    @settings(max_examples=40)
    @given(
        uses=st.lists(st.integers(0, 9), min_size=1, max_size=4),
        lots=st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=4),
        metered=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    )
    def test_gives_each_wh_to_one_use_and_no_use_more_than_it_used(self, uses, lots, metered):
        point = make_point()
        made = [
            make_lot(wh, point=point) if hourly else make_lot(
                wh, point=point, issuance=make_issuance(length=timedelta(days=30), temporal_resolution="month")
            )
            for wh, hourly in lots
        ]  # fmt: skip
        for number, it_wh in enumerate(uses):
            make_use(point, f"job_{number}", MONDAY, it_wh)
        if metered:
            record_readings(point=point, readings=[Reading(MONDAY, metered[0], sum(metered))])

        assert settle_due(now=THREE_DAYS_ON) == len(uses)

        rows = list(UseHour.objects.all())
        assert all(use.matched_wh + use.volume_wh <= use.site_wh for use in rows)
        hourly = sum(wh for wh, by_hour in lots if by_hour)
        assert sum(use.matched_wh for use in rows) == min(hourly, sum(use.site_wh for use in rows))
        for lot in made:
            assert_whole(lot)
        for line in MatchLine.objects.select_related("use_hour"):
            assert (line.use_hour.subject, "reserved") in {
                (subject, state)
                for low, up, state, subject in spans(line.lot)
                if low <= line.wh_range.lower and line.wh_range.upper <= up
            }
