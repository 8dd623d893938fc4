"""Rounds and replanning take no start later than `finish_by - run_s - 120 s`, however cheap it is."""

from datetime import timedelta

import pytest

from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from scheduler.core.types import BATCH, GREEDY, INSTANT, QUALITY
from scheduler.cycle import run_round
from scheduler.models import Allocation, Job
from tests.market import MONDAY, NOON
from tests.scheduler.scene import TestAgent, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
MARGIN = timedelta(seconds=120)


@pytest.fixture
def offer():
    """Every hour of the day is cheaper than the one before."""
    offer = make_cpu_offer(units=1)
    offer.rate_mm = [40_000 - 1_000 * (hour % 24) for hour in range(168)]
    offer.save(update_fields=["rate_mm"])
    TestAgent(offer, now=NOON)
    return offer


def cheapest(finish, **fields):
    ask = {
        "units": 1, "run_s": 3600, "segment": "cpu", "weights": [40, 20, 40], "when": "cheapest", "near": None,
        "limits": {"family": ["cpu"], "served": True}, "rates": None, "reference_pf_milli": None,
        "time_limit_by_class": {},
    }  # fmt: skip
    return make_job(now=NOON, ask=ask, time_limit_s=3600, finish_by=finish, **fields)


def start_of(job):
    return Allocation.objects.get(job=job, live=True).start


@pytest.mark.parametrize("mode", [GREEDY, BATCH, QUALITY])
@pytest.mark.parametrize(("more", "hour"), [(MARGIN, 19), (MARGIN - SECOND, 18)])
def test_a_round_of_any_mode_keeps_to_it(offer, mode, more, hour):
    job = cheapest(MONDAY + 20 * HOUR + more)

    run_round(segment="cpu", now=NOON, mode=mode)

    assert start_of(job) == MONDAY + hour * HOUR


def test_an_instant_round_leaves_what_could_only_start_too_late(offer):
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + HOUR, 1), units=1)
    job = cheapest(NOON + 2 * HOUR + MARGIN - SECOND)

    assert run_round(segment="cpu", now=NOON, mode=INSTANT) is None
    assert not job.allocations.exists()


def test_replanning_moves_nothing_behind_it(offer):
    late, early = (
        cheapest(MONDAY + 20 * HOUR + more, name=name) for name, more in (("late", MARGIN), ("early", MARGIN - SECOND))
    )
    blocked = hours_by_day(MONDAY + 17 * HOUR, MONDAY + 24 * HOUR, 1)
    take_hours(offer=offer, wanted=blocked, units=1)
    run_round(segment="cpu", now=NOON)
    assert {start_of(job).hour for job in (late, early)} == {15, 16}
    offer.capacity_days.filter(day=MONDAY.date()).update(units_promised=[0] * 15 + [1, 1] + [0] * 7)

    run_round(segment="cpu", now=NOON, mode=QUALITY)

    assert start_of(late) == MONDAY + 19 * HOUR
    assert start_of(early) == MONDAY + 18 * HOUR
    for job in Job.objects.all():
        assert start_of(job) <= job.finish_by - HOUR - MARGIN
