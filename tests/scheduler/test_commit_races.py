"""Committers of overlapping plans race: no hour is sold twice, no job is placed twice. The controls fail."""

import multiprocessing
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, connections
from django.db.utils import IntegrityError

from marketplace.booking import taking
from marketplace.booking.models import CapacityDay
from marketplace.common.errors import StaleVersion
from marketplace.events.models import Event
from scheduler import commit
from scheduler.asks import seconds
from scheduler.core.types import Placement, Plan
from scheduler.models import Allocation, Job
from scheduler.snapshot import Shelf
from tests.market import MONDAY, NOON
from tests.scheduler.scene import make_cpu_offer, make_job, make_round, queued

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 4
JOBS = 60
UNITS = 5
OFFERS = 4
FORK = multiprocessing.get_context("fork")


def commit_in_process(prepare, turn, shared, offers, database, meet, results):
    """One process: read the queue, meet the others, commit a plan for every job (or, not `shared`, for its own)."""
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    prepare(meet)
    queue = queued(NOON)
    placed = [
        Placement(
            public_id, offers[(number + turn) % OFFERS].public_id, seconds(NOON),
            seconds(NOON + timedelta(hours=14)), 1, (), 1, 1, 1 + number,
        )
        for number, public_id in enumerate(queue.ids)
        if shared or number % PROCESSES == turn
    ]  # fmt: skip
    round_ = make_round(NOON)
    meet.wait(timeout=60)
    try:
        outcome = commit.commit_plan(
            plan=Plan(tuple(placed), ()),
            queue=queue,
            shelf=Shelf(offers, ()),
            round_=round_,
            explain=lambda: lambda _: {"sentence": "It fits."},
            prepare_round=lambda: lambda _: None,
            now=NOON,
        )
        results.put(outcome.placed)
    except (IntegrityError, StaleVersion) as refused:
        results.put(type(refused).__name__)
    connections.close_all()


def race(prepare, offers, *, shared=True):
    """What each committer says: how many it placed, or what refused its plan."""
    results, meet = FORK.Queue(), FORK.Barrier(PROCESSES)
    database = connection.settings_dict["NAME"]
    connections.close_all()
    racers = [
        FORK.Process(target=commit_in_process, args=(prepare, turn, shared, offers, database, meet, results))
        for turn in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    said = [results.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return said


def scene(units=UNITS):
    offers = [make_cpu_offer(units=units) for _ in range(OFFERS)]
    for number in range(JOBS):
        make_job(now=NOON, name=str(number))
    return offers


def sold(offer):
    return Allocation.objects.filter(offer=offer, live=True).count()


def guarded(_):
    """The product as it is."""


def without_locked_hours(meet):
    """The control: everyone reads the hours before anyone writes them, without a lock."""
    taking.LOCK_DAYS = taking.LOCK_DAYS.replace("FOR UPDATE OF day", "")
    lock = taking._lock

    def read_together(*args):
        found = lock(*args)
        meet.wait(timeout=60)
        return found

    taking._lock = read_together


def without_locked_jobs(_):
    """The control: every job counts as standing, whatever became of it."""
    commit.LOCK_JOBS = "SELECT NULL WHERE %s::text <> %s::text OR true"
    commit._tried = lambda standing, queue: np.zeros(len(queue), dtype=np.int64)


def test_committers_of_overlapping_plans_never_oversell_nor_place_a_job_twice():
    offers = scene()

    said = race(guarded, offers)

    assert sum(said) == Allocation.objects.count() == OFFERS * UNITS
    assert [sold(offer) for offer in offers] == [UNITS] * OFFERS
    for offer in offers:
        days = CapacityDay.objects.filter(offer=offer).order_by("day")
        assert days[0].units_promised == [0] * 12 + [UNITS] * 12
        assert days[1].units_promised == [UNITS] * 2 + [0] * 22
    placed = Job.objects.filter(state="allocated")
    assert placed.count() == len({each.job_id for each in Allocation.objects.all()}) == OFFERS * UNITS
    assert Event.objects.filter(type="job.allocated").count() == OFFERS * UNITS


def test_the_control_without_locked_hours_oversells():
    """If this ever stops overselling, the race above proves nothing about hours. The CHECK that would still refuse is
    taken away."""
    offers = scene()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE booking_capacityday DROP CONSTRAINT capacity_never_oversold")
    try:
        race(without_locked_hours, offers, shared=False)

        assert max(sold(offer) for offer in offers) > UNITS
        promised = CapacityDay.objects.get(offer=offers[0], day=MONDAY.date()).units_promised[12]
        assert promised < sold(offers[0])
    finally:
        CapacityDay.objects.update(units_promised=[0] * 24)
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE booking_capacityday ADD CONSTRAINT capacity_never_oversold "
                "CHECK (hours_fit(units_promised, units_total))"
            )


def test_the_control_without_locked_jobs_runs_into_the_constraints():
    """Without the guard the later committers are refused their whole plan; with it they only leave out what went."""
    offers = scene(units=JOBS)

    said = race(without_locked_jobs, offers)

    assert {"IntegrityError", "StaleVersion"} & set(map(str, said))
