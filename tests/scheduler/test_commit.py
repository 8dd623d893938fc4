"""A plan is written as a set: the whole of what still stands, in one transaction, or nothing."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test.utils import CaptureQueriesContext

from marketplace.booking import taking
from marketplace.booking.contracts import freeze_terms
from marketplace.booking.freezing import Promises, contracts_of
from marketplace.booking.models import CapacityDay, Contract
from marketplace.common.copying import FEW, ask_keys, keys_of, write_rows
from marketplace.common.errors import IllegalState, StaleVersion
from marketplace.events.models import Event
from marketplace.events.services import Movers, move_many
from scheduler.asks import seconds
from scheduler.commit import commit_plan
from scheduler.core.types import Placement, Plan
from scheduler.models import Allocation, Attempt, Job
from scheduler.snapshot import Shelf
from scheduler.states import JOB
from tests.market import MONDAY, NOON, make_organization, triggers_off
from tests.scheduler.scene import allocated, held_by_somebody, make_cpu_offer, make_job, make_round, queued

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def placement(job, offer, *, start=NOON, hours=1, worth=1):
    return Placement(
        job.public_id, offer.public_id, seconds(start), seconds(start + hours * HOUR), job.units, (), 1, 1, worth
    )


def commit(*placements, offers, queue=None):
    return commit_plan(
        plan=Plan(placements, ()), queue=queue or queued(NOON), shelf=Shelf(offers, ()), round_=make_round(NOON),
        explain=lambda: lambda _: {"sentence": "It fits."}, prepare_round=lambda: lambda _: None, now=NOON,
    )  # fmt: skip


def promised(offer, day=MONDAY):
    """{hour: units} that are promised on `day`."""
    row = CapacityDay.objects.get(offer=offer, day=day.date())
    return {hour: units for hour, units in enumerate(row.units_promised) if units}


def rows():
    return [model.objects.count() for model in (Contract, Allocation, Attempt, Event)]


def test_a_plan_takes_as_many_statements_for_thirty_jobs_as_for_one():
    offers = [make_cpu_offer(units=50) for _ in range(3)]
    make_round(NOON)  # the reference of the day is made once
    counts = []
    for size in (1, 30):
        jobs = [make_job(now=NOON, name=str(number)) for number in range(size)]
        plan, queue = [placement(job, offers[n % 3]) for n, job in enumerate(jobs)], queued(NOON)
        with CaptureQueriesContext(connection) as told:
            outcome = commit(*plan, offers=offers, queue=queue)
        assert (outcome.placed, outcome.conflicts) == (size, 0)
        counts.append(len(told))

    assert counts[0] == counts[1]


def test_every_job_of_a_plan_gets_its_hours_contract_attempt_and_numbered_event():
    here, there = make_cpu_offer(units=4), make_cpu_offer(units=4)
    jobs = [make_job(now=NOON, units=units) for units in (1, 2, 3)]

    commit(
        placement(jobs[0], here), placement(jobs[1], here, start=NOON + 11 * HOUR, hours=2), placement(jobs[2], there),
        offers=[here, there],
    )  # fmt: skip

    assert promised(here) == {12: 1, 23: 2}
    assert promised(here, MONDAY + timedelta(days=1)) == {0: 2}
    assert promised(there) == {12: 3}
    for job, offer in zip(jobs, (here, here, there), strict=True):
        attempt = Attempt.objects.get(job=job)
        allocation = attempt.allocation
        assert (attempt.number, attempt.state, allocation.job, allocation.offer) == (1, "pending", job, offer)
        assert allocation.contract.subject == allocation.public_id
        assert allocation.contract.buyer == job.buyer
        event = Event.objects.get(object_id=job.public_id)
        assert (event.type, event.object_seq, event.state) == ("job.allocated", 2, "allocated")
        assert (event.buyer, event.provider) == (job.buyer, offer.site.provider)
        job.refresh_from_db()
        assert (job.state, job.version, job.next_attempt_at) == ("allocated", 2, None)


@pytest.mark.parametrize("few", [0, FEW], ids=["by COPY", "by INSERT"])
def test_contracts_frozen_as_a_set_equal_those_frozen_one_by_one(monkeypatch, few):
    monkeypatch.setattr("marketplace.common.copying.FEW", few)
    offer = make_cpu_offer(units=4, electricity_mm_per_kwh=2_345)
    offer.rate_mm = [1_000 + 7 * hour for hour in range(168)]
    offer.title = 'a "quoted"\ttitle \\ with a backslash'
    offer.save()
    buyer = make_organization()
    spans = [
        (NOON, NOON + 600 * timedelta(seconds=1)),
        (NOON + timedelta(minutes=40, seconds=7), NOON + timedelta(hours=3, minutes=5)),
        (MONDAY + timedelta(days=6, hours=22), MONDAY + timedelta(days=7, hours=3)),
        (NOON, NOON + timedelta(hours=168)),
        (NOON + timedelta(minutes=59), NOON + timedelta(minutes=61)),
    ]

    starts, ends = np.array([[seconds(moment) for moment in span] for span in spans]).T
    numbers = np.arange(len(spans))
    subjects = np.array([f"set-{n}".encode() for n in numbers])
    promises = Promises(subjects, buyer.pk + 0 * numbers, [offer], 0 * numbers, 1 + numbers, starts, ends)
    [keys] = keys_of(ask_keys((Contract, len(spans))))
    write_rows(contracts_of(promises=promises, keys=keys, now=NOON))
    for n, (start, end) in enumerate(spans):
        freeze_terms(subject=f"one-{n}", buyer=buyer, offer=offer, units=1 + n, start=start, end=end, now=NOON)

    own = {"id", "public_id", "subject"}
    for n, key in enumerate(keys.tolist()):
        one, many = Contract.objects.values().get(subject=f"one-{n}"), Contract.objects.values().get(pk=key)
        assert many["subject"] == f"set-{n}"
        assert {name: many[name] for name in many.keys() - own} == {name: one[name] for name in one.keys() - own}


def test_where_hours_lack_the_jobs_worth_least_yield_wholly():
    offer = make_cpu_offer(units=2)
    jobs = {worth: make_job(now=NOON, name=str(worth)) for worth in (5, 1, 9)}

    outcome = commit(
        *(placement(job, offer, hours=14, worth=worth) for worth, job in jobs.items()), offers=[offer]
    )  # fmt: skip

    assert (outcome.placed, outcome.conflicts) == (2, 1)
    states = {worth: Job.objects.get(pk=job.pk).state for worth, job in jobs.items()}
    assert states == {5: "allocated", 1: "queued", 9: "allocated"}
    assert promised(offer) == dict.fromkeys(range(12, 24), 2)
    assert promised(offer, MONDAY + timedelta(days=1)) == {0: 2, 1: 2}
    assert rows() == [2, 2, 2, 2]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_is_changing_is_a_conflict_without_waiting_and_the_others_are_placed():
    offer = make_cpu_offer(units=4)
    busy, idle = make_job(now=NOON, name="busy"), make_job(now=NOON, name="idle")
    with held_by_somebody(busy):
        outcome = commit(placement(busy, offer), placement(idle, offer), offers=[offer])

    assert (outcome.placed, outcome.conflicts) == (1, 1)
    assert [Job.objects.get(pk=job.pk).state for job in (busy, idle)] == ["queued", "allocated"]
    assert promised(offer) == {12: 1}


def test_hours_beyond_the_known_days_are_a_conflict():
    offer = make_cpu_offer(units=2)
    job = make_job(now=NOON)

    outcome = commit(placement(job, offer, start=NOON + timedelta(days=15), hours=24), offers=[offer])

    assert (outcome.placed, outcome.conflicts) == (0, 1)
    assert rows() == [0, 0, 0, 0]
    assert promised(offer, MONDAY + timedelta(days=15)) == {}


def test_the_next_attempt_of_a_job_that_was_queued_again_gets_the_next_number():
    offer = make_cpu_offer(units=2)
    job = make_job(now=NOON)
    commit(placement(job, offer), offers=[offer])
    Attempt.objects.filter(job=job).update(state="ended", reason="node_failed", ended_at=NOON)
    Allocation.objects.filter(job=job).update(live=False, released_at=NOON)
    Job.objects.filter(pk=job.pk).update(**{"state": "queued"}, version=3, next_attempt_at=NOON)

    commit(placement(job, offer), offers=[offer])

    assert sorted(Attempt.objects.filter(job=job).values_list("number", flat=True)) == [1, 2]


def test_many_move_only_where_the_table_allows_it_and_only_as_they_were_seen():
    jobs = [make_job(now=NOON, name=str(number)) for number in range(3)]
    movers = Movers(
        np.array([job.pk for job in jobs]), np.array([job.public_id.encode() for job in jobs]), np.array([1, 1, 1])
    )

    with pytest.raises(IllegalState):
        move_many(movers, old="queued", to="running", model=Job, table=JOB, now=NOON)
    Job.objects.filter(pk=jobs[1].pk).update(version=7)
    with pytest.raises(StaleVersion), transaction.atomic():
        move_many(movers, old="queued", to="allocated", model=Job, table=JOB, now=NOON).check()

    assert set(Job.objects.values_list("state", flat=True)) == {"queued"}
    assert not Event.objects.exists()


def test_a_plan_with_a_job_that_is_not_as_it_was_seen_is_undone_whole(monkeypatch):
    """Even where the look at the jobs ahead of it says that all stand."""
    offer = make_cpu_offer(units=3)
    jobs = [make_job(now=NOON, name=str(number)) for number in range(3)]
    seen = queued(NOON)
    Job.objects.filter(pk=jobs[1].pk).update(version=7)
    monkeypatch.setattr("scheduler.commit._tried", lambda standing, queue: np.zeros(len(queue), dtype=np.int64))

    with pytest.raises(StaleVersion, match="1 of 3"), transaction.atomic():
        commit(*(placement(job, offer) for job in jobs), offers=[offer], queue=seen)

    assert rows() == [0, 0, 0, 0]
    assert promised(offer) == {}


def test_the_database_refuses_to_oversell_even_a_plan_that_counted_wrongly(monkeypatch):
    offer = make_cpu_offer(units=2)
    jobs = [make_job(now=NOON, name=str(number)) for number in range(3)]
    monkeypatch.setattr(taking, "_yield", lambda claims, demand, free: np.ones(claims.units.size, dtype=np.bool_))

    with pytest.raises(IntegrityError, match="capacity_never_oversold"), transaction.atomic():
        commit(*(placement(job, offer) for job in jobs), offers=[offer])

    assert promised(offer) == {}
    assert set(Job.objects.values_list("state", flat=True)) == {"queued"}


@pytest.mark.parametrize(
    ("rows", "name"), [(Allocation, "allocation_live_once_per_job"), (Attempt, "attempt_live_once_per_job")]
)
def test_the_database_refuses_a_second_live_one_of_a_job(rows, name):
    first, second = (allocated(make_cpu_offer(), now=NOON) for _ in range(2))
    row = second if rows is Attempt else second.allocation

    with triggers_off(), pytest.raises(IntegrityError, match=name), transaction.atomic():
        rows.objects.filter(pk=row.pk).update(job=first.job, **({"number": 2} if rows is Attempt else {}))
