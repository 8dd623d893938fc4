"""A job that two shards have read, as it was called to the other meanwhile, is allocated once. The control fails."""

import multiprocessing
from datetime import timedelta

import numpy as np
import pytest
from django.conf import settings
from django.db import connection, connections
from django.db.utils import IntegrityError

from marketplace.common.errors import StaleVersion
from scheduler import commit, cycle
from scheduler.cycle import run_round
from scheduler.models import Allocation, Attempt, Job
from scheduler.shards import Shard, Trip
from tests.market import NOON, make_cpu, make_offer, make_site
from tests.scheduler.scene import make_job, publish_hours

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = 40
GROUPS = {"europe": ("DE",), "americas": ("US",), "rest": ()}
FORK = multiprocessing.get_context("fork")


def match_in_process(prepare, group, turns, meet, database, results):
    """A worker of `group`: reads when its turn comes, has the jobs called to the other, and commits with it."""
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    settings.REGION_GROUPS = GROUPS
    prepare()
    look = cycle._look

    def looked_together(*args):
        seen = look(*args)
        Job.objects.update(region_group="americas")  # as a call does: units were given back there
        turns[1].set()
        meet.wait(timeout=120)
        return seen

    cycle._look = looked_together
    turns[group != "europe"].wait(timeout=120)
    try:
        results.put(run_round(segment=f"cpu.{group}", now=NOON).placed)
    except (IntegrityError, StaleVersion) as refused:
        results.put(type(refused).__name__)
    connections.close_all()


def race(prepare):
    """What each of two workers on different shards says: how many it placed, or what refused its plan."""
    settings.REGION_GROUPS = GROUPS
    for country in ("DE", "US"):
        offer = make_offer(make_site(country=country), hardware=make_cpu(), units=JOBS, rate_mm=4_000)
        publish_hours(offer.site.zone, NOON + timedelta(days=1))
    for number in range(JOBS):
        trip = Trip(("europe", "americas", "rest")).as_json()
        make_job(now=NOON, name=str(number), region_group="europe", trip=trip)
    results, meet, turns = FORK.Queue(), FORK.Barrier(2), (FORK.Event(), FORK.Event())
    turns[0].set()
    database = connection.settings_dict["NAME"]
    connections.close_all()
    racers = [
        FORK.Process(target=match_in_process, args=(prepare, group, turns, meet, database, results))
        for group in ("europe", "americas")
    ]
    for racer in racers:
        racer.start()
    said = [results.get(timeout=150) for _ in racers]
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return said


@pytest.fixture(autouse=True)
def whole_again():
    kept = settings.REGION_GROUPS
    yield
    settings.REGION_GROUPS = kept


def guarded():
    """The product as it is."""


def without_guard():
    """The control: every job counts as standing, whatever became of it."""
    commit.LOCK_JOBS = "SELECT NULL WHERE %s::text <> %s::text OR true"
    commit._tried = lambda standing, queue: np.zeros(len(queue), dtype=np.int64)


def test_two_shards_that_read_the_same_jobs_allocate_each_once():
    said = race(guarded)

    assert sum(said) == JOBS == Allocation.objects.filter(live=True).count() == Attempt.objects.count()
    assert Allocation.objects.values("job").distinct().count() == JOBS
    assert {job.state for job in Job.objects.all()} == {"allocated"}


def test_the_control_without_the_guard_runs_into_the_constraints():
    """With the guard the later shard only leaves out what went; without it, it is refused its whole plan."""
    said = race(without_guard)

    assert {"IntegrityError", "StaleVersion"} & set(map(str, said))


@pytest.mark.parametrize("group", ["europe", "americas"])
def test_a_second_worker_on_a_shard_leaves_it_to_the_first_and_another_shard_is_free(group):
    settings.REGION_GROUPS = GROUPS
    make_job(now=NOON, region_group=group)
    shard = Shard("cpu", group)

    with cycle.held(shard.name) as ours:
        other = connection.copy()
        connections["default"], mine = other, connections["default"]
        try:
            with cycle.held(shard.name) as same, cycle.held(Shard("cpu", "rest").name) as another:
                assert (ours, same, another) == (True, False, True)
        finally:
            other.close()
            connections["default"] = mine
