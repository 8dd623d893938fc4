"""What is promised for later moves to a better hour: a new promise in place of the old one, or nothing changes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.booking.hours import hours_by_day, touched_hours
from marketplace.booking.models import CapacityDay, Contract
from marketplace.booking.services import take_hours
from marketplace.energy.models import GridHour
from scheduler import replanning
from scheduler.core import matching
from scheduler.core.types import QUALITY, REPLAN
from scheduler.cycle import replay, run_round
from scheduler.models import Allocation, Attempt, Gang, Job, MatchRound
from scheduler.tasks import match_carefully
from tests.market import MONDAY, NOON, make_cpu, make_offer, make_site, make_zone
from tests.scheduler.scene import TestAgent, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
USUAL, CHEAP = 4_000, 2_000


@pytest.fixture
def offer():
    """Hour 18 of every day costs half."""
    offer = make_cpu_offer(units=2)
    price(offer, {18: CHEAP})
    TestAgent(offer, now=NOON)
    return offer


def price(offer, hours):
    offer.rate_mm = [hours.get(hour % 24, USUAL) for hour in range(168)]
    offer.save(update_fields=["rate_mm"])


def cheapest(**fields):
    """A job of one hour that takes the cheapest hour of today."""
    ask = {
        "units": 1, "run_s": 3600, "segment": "cpu", "weights": [40, 20, 40], "when": "cheapest", "near": None,
        "limits": {"family": ["cpu"], "served": True}, "rates": None, "reference_pf_milli": None,
        "time_limit_by_class": {},
    }  # fmt: skip
    return make_job(now=NOON, ask=ask, time_limit_s=3600, finish_by=MONDAY + 24 * HOUR, **fields)


def placed(**fields):
    job = cheapest(**fields)
    run_round(segment="cpu", now=NOON)
    assert start_of(job) == 18
    return job


def start_of(job):
    return Allocation.objects.get(job=job, live=True).start.hour


def promised(offer):
    row = CapacityDay.objects.get(offer=offer, day=MONDAY.date())
    return {hour: units for hour, units in enumerate(row.units_promised) if units}


def again(now=NOON):
    return run_round(segment="cpu", now=now, mode=QUALITY)


def test_work_moves_to_an_hour_that_became_cheaper_and_leaves_the_old_one(offer):
    job = placed()
    price(offer, {18: CHEAP, 15: CHEAP // 2})

    round_ = again()

    assert (round_.mode, round_.jobs_seen, round_.placed, round_.conflicts) == (REPLAN, 1, 1, 0)
    assert promised(offer) == {15: 1}
    old, new = Attempt.objects.filter(job=job).order_by("number")
    assert (old.state, old.reason, new.state, new.number) == ("ended", "replanned", "pending", 2)
    assert new.allocation.contract.total_minor <= old.allocation.contract.total_minor
    assert new.allocation.why["chosen"]["start_s"] == int(new.allocation.start.timestamp())
    job.refresh_from_db()
    assert (job.state, job.attempts_made, job.excluded_sites) == ("allocated", 0, [])
    assert replay(round_)


def test_nothing_better_leaves_everything_and_no_record(offer):
    job = placed()

    assert again() is None

    assert start_of(job) == 18
    assert MatchRound.objects.count() == 1


def test_what_starts_within_an_hour_stays(offer):
    job = placed()
    price(offer, {18: CHEAP, 19: CHEAP // 2})

    assert again(now=NOON + 5 * HOUR + timedelta(minutes=1)) is None
    assert start_of(job) == 18


def test_a_better_hour_past_the_window_is_not_taken(offer):
    job = placed()
    Job.objects.filter(pk=job.pk).update(finish_by=NOON + 8 * HOUR)
    price(offer, {18: CHEAP, 21: CHEAP // 2})

    assert again() is None
    assert start_of(job) == 18


def test_greener_hours_are_not_taken_at_a_higher_price(offer):
    """The job was promised a price; whatever else gets better, it never pays more."""
    job = placed()
    Job.objects.filter(pk=job.pk).update(ask=job.ask | {"when": "balanced", "weights": [5, 0, 95]})
    green_offer()
    _, _, snapshot = replanning._look("cpu", NOON)
    [free] = [replace(ask, limits={"family": ("cpu",)}) for ask in snapshot.asks]

    assert matching.match(replace(snapshot, asks=(free,))).placed, "it would move if it could pay more"
    assert again() is None
    assert start_of(job) == 18


def green_offer():
    """An offer at the usual price in a zone of nothing but sun."""
    other = make_offer(make_site(zone=make_zone("SUN")), hardware=make_cpu(), units=2, rate_mm=USUAL)
    GridHour.objects.bulk_create(
        GridHour(
            zone=other.site.zone, start=hour, direct_mg_per_kwh=0, lifecycle_mg_per_kwh=40_000,
            renewable_ppm=1_000_000, carbon_free_ppm=1_000_000, source="test", vintage="1", published_at=hour,
        )
        for hour, _ in touched_hours(MONDAY - timedelta(days=8), MONDAY + timedelta(days=1))
    )  # fmt: skip
    TestAgent(other, now=NOON)


def test_hours_that_went_meanwhile_leave_the_old_promise_as_it_is(offer, monkeypatch):
    job = placed()
    price(offer, {18: CHEAP, 15: CHEAP // 2})
    before = Contract.objects.count()
    lock = replanning._lock_hours

    def taken_first(*what):
        take_hours(offer=offer, wanted=hours_by_day(NOON + 3 * HOUR, NOON + 4 * HOUR, 2), units=2)
        lock(*what)

    monkeypatch.setattr(replanning, "_lock_hours", taken_first)

    round_ = again()

    assert (round_.placed, round_.conflicts) == (0, 1)
    assert start_of(job) == 18
    assert Contract.objects.count() == before
    assert Attempt.objects.get(job=job).state == "pending"


def test_a_job_that_is_cancelled_meanwhile_stays_as_it_is(offer, monkeypatch):
    job = placed()
    price(offer, {18: CHEAP, 15: CHEAP // 2})
    decide = replanning.matching.match

    def changed_meanwhile(snapshot):
        if snapshot.mode == REPLAN:
            Job.objects.filter(pk=job.pk).update(version=9)
        return decide(snapshot)

    monkeypatch.setattr(replanning.matching, "match", changed_meanwhile)

    assert again().conflicts == 1
    assert promised(offer) == {18: 1}


def test_gangs_stay_where_they_start_together(offer):
    gang = Gang.objects.create(buyer=cheapest().buyer, name="pair", size=2, segment="cpu", created_at=NOON)
    jobs = [cheapest(buyer=gang.buyer, gang=gang) for _ in range(2)]
    run_round(segment="cpu", now=NOON)
    starts = {start_of(job) for job in jobs}
    price(offer, {18: CHEAP, 15: CHEAP // 2})

    again()

    assert len(starts) == 1
    assert {start_of(job) for job in jobs} == starts


def test_every_ten_minutes_shards_with_later_promises_are_asked_for_a_quality_round(offer, monkeypatch):
    asked = []
    monkeypatch.setattr("scheduler.tasks.wake_carefully", asked.append)
    monkeypatch.setattr("scheduler.tasks.utc_now", lambda: NOON)
    placed()

    match_carefully()

    assert asked == ["cpu"]
