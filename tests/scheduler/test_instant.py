"""A job submitted to a quiet segment is placed at once; what that cannot place is a batch round's."""

import multiprocessing
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.test import APIClient

from config.launcher.product import matcher_queues
from marketplace.booking.hours import hours_by_day
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import take_hours
from marketplace.catalog.models import Offer
from scheduler.api.jobs import preferred_wait
from scheduler.cycle import held, replay
from scheduler.hints import wake
from scheduler.instant import MOST, place_now
from scheduler.models import Allocation, Attempt, Job, MatchRound
from scheduler.shards import all_shards
from tests.market import MONDAY, NOON, key_of, make_organization
from tests.scheduler.scene import TestAgent, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
FORK = multiprocessing.get_context("fork")
TREE = {"name": "hello", "resources": {"cpus": 1}, "run": "echo hello", "config": {"joulemart": {"time_limit_s": 600}}}


def place(now=NOON):
    return place_now(segment="cpu", now=now)


def modes(rounds):
    return [(each.mode, each.placed) for each in rounds]


def fresh(job):
    return Job.objects.get(pk=job.pk)


def test_a_job_on_a_quiet_segment_is_placed_at_once_with_its_reasons():
    offer = make_cpu_offer()
    job = make_job(now=NOON)

    assert modes(place()) == [("instant", 1)]

    allocation = Allocation.objects.get(job=job)
    assert fresh(job).state == "allocated"
    assert allocation.offer == offer
    assert "pending" not in allocation.why
    assert allocation.why["round"] == allocation.round.public_id


def test_it_takes_the_offer_that_a_batch_would_take():
    make_cpu_offer(units=4)
    best = make_cpu_offer(units=4)
    Offer.objects.filter(pk=best.pk).update(rate_mm=[1_000] * 168)
    make_job(now=NOON)

    place()

    assert Allocation.objects.get().offer == best


def test_nothing_waiting_leaves_no_round():
    make_cpu_offer()

    assert place() == []
    assert not MatchRound.objects.exists()


def test_what_is_left_without_an_offer_is_refused_with_its_reason_by_a_batch():
    make_cpu_offer(units=1)
    jobs = [make_job(now=NOON, name=f"job {number}") for number in range(2)]

    assert modes(place()) == [("instant", 1), ("batch", 0)]

    states = {fresh(job).state: fresh(job).unplaced for job in jobs}
    assert states["allocated"] is None
    assert states["queued"]["code"] == "outbid"


def test_a_job_that_waits_for_its_next_turn_does_not_keep_the_next_from_being_placed():
    offer = make_cpu_offer(units=2)
    waiting = make_job(now=NOON, units=2)
    Job.objects.filter(pk=waiting.pk).update(ask=waiting.ask | {"units": 2})
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + timedelta(hours=170), 1), units=1)
    assert modes(place()) == [("batch", 0)]

    job = make_job(now=NOON)

    assert modes(place()) == [("instant", 1)]
    assert (fresh(job).state, fresh(waiting).state) == ("allocated", "queued")


def test_more_than_a_few_are_a_batch():
    make_cpu_offer(units=64)
    for number in range(MOST + 1):
        make_job(now=NOON, name=f"job {number}")

    assert modes(place()) == [("batch", MOST + 1)]


def test_a_job_that_is_due_is_a_batch_which_serves_it_first():
    make_cpu_offer(units=1)
    make_job(now=NOON)
    due = make_job(now=NOON, due_at=NOON - timedelta(minutes=1))

    assert modes(place()) == [("batch", 1)]
    assert fresh(due).state == "allocated"


def test_an_instant_round_decided_again_gives_the_same_bytes():
    make_cpu_offer(units=2)
    make_cpu_offer(units=1)
    make_job(now=NOON)
    place()
    for number in range(4):
        make_job(now=NOON, name=f"job {number}")
    place()
    Offer.objects.update(rate_mm=[9_000] * 168)

    kept = list(MatchRound.objects.filter(mode="instant"))

    assert sorted(each.placed for each in kept) == [1, 2]
    assert all(replay(each) for each in kept)


def test_a_replay_sees_a_plan_that_was_changed():
    make_cpu_offer(units=2)
    make_job(now=NOON)
    (first,) = place()
    make_job(now=NOON)
    (second,) = place()

    first.result = second.result

    assert not replay(first)


@pytest.mark.django_db(transaction=True)
def test_a_segment_that_a_round_holds_is_waited_for():
    make_cpu_offer()
    job = make_job(now=NOON)
    rounds = []

    def worker():
        rounds.extend(modes(place()))
        connection.close()

    with held("cpu") as ours:
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join(timeout=0.3)
        assert (ours, thread.is_alive(), fresh(job).state) == (True, True, "queued")
    thread.join(timeout=20)

    assert rounds == [("instant", 1)]


@pytest.mark.django_db(transaction=True)
def test_a_segment_that_stays_held_is_left_to_who_holds_it(monkeypatch):
    monkeypatch.setattr("scheduler.instant.PATIENCE_S", 1)
    make_cpu_offer()
    job = make_job(now=NOON)
    rounds = []

    def worker():
        rounds.append(place())
        connection.close()

    with held("cpu"):
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join(timeout=20)

    assert (rounds, fresh(job).state) == ([[]], "queued")


def place_in_process(database, meet, results):
    """One worker: meet the others, then place until the queue is empty."""
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    meet.wait(timeout=60)
    placed = 0
    while rounds := place():
        placed += sum(each.placed for each in rounds)
    results.put(placed)
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_two_workers_racing_place_nothing_twice():
    offer = make_cpu_offer(units=40)
    jobs = [make_job(now=NOON, name=f"job {number}") for number in range(30)]
    results, meet = FORK.Queue(), FORK.Barrier(2)
    database = connection.settings_dict["NAME"]
    connections.close_all()

    racers = [FORK.Process(target=place_in_process, args=(database, meet, results)) for _ in range(2)]
    for racer in racers:
        racer.start()
    placed = [results.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join()

    assert [racer.exitcode for racer in racers] == [0, 0]
    assert sum(placed) == len(jobs) == Attempt.objects.count()
    assert Allocation.objects.filter(live=True).values("job").distinct().count() == len(jobs)
    assert CapacityDay.objects.get(offer=offer, day=MONDAY.date()).units_promised[12] == len(jobs)


def test_a_hint_goes_to_the_queue_of_its_segment(monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr("celery.current_app.send_task", lambda task, **how: sent.append((task, how["queue"])))

    with django_capture_on_commit_callbacks(execute=True):
        for shard in all_shards():
            wake(shard.name)

    assert {task for task, _ in sent} == {"match_now"}
    assert sorted(queue for _, queue in sent) == sorted(matcher_queues({})["matcher"])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=20", 20), ("respond-async, wait=10", 10), ("Wait = 5 ; foo", 5), ("wait=99", 20), ('wait="7"', 7),
        ("wait=soon", 0), ("await=3", 0), ("wait=-1", 0), ("", 0),
    ],
)  # fmt: skip
def test_a_preference_to_wait_is_read(header, seconds):
    assert preferred_wait(Request(RequestFactory().post("/", HTTP_PREFER=header))) == seconds


def submit(organization, wait_s, key=None):
    client = APIClient()
    _, secret = key_of(organization, "jobs:write")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    headers = {"Prefer": f"wait={wait_s}", "Idempotency-Key": key or str(uuid.uuid4())}
    return client.post("/api/v1/jobs", TREE, format="json", headers=headers)


def matched_once_submitted(monkeypatch):
    """A worker that places what a submission wakes it for, a moment later."""
    threads = []

    def worker(task, about):
        place_now(segment=about, now=timezone.now())
        connection.close()

    def send(task, about, **_):
        threads.append(threading.Timer(0.2, worker, [task, about]))
        threads[-1].start()

    monkeypatch.setattr("scheduler.hints._send", send)
    return threads


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_waits_tells_the_allocation(monkeypatch):
    now = timezone.now()
    offer = make_cpu_offer(now=now)
    TestAgent(offer, now=now)
    threads = matched_once_submitted(monkeypatch)

    answer = submit(make_organization(), 15)
    for thread in threads:
        thread.join(timeout=20)

    assert answer.status_code == 201
    assert answer["Preference-Applied"] == "wait=15"
    assert answer.json()["state"] == "allocated"
    assert answer.json()["allocation"]["offer"]["id"] == offer.public_id
    assert "report" in answer.json()


@pytest.mark.django_db(transaction=True)
def test_an_answer_waits_no_longer_than_asked_and_a_repeat_is_the_same_job(monkeypatch):
    now = timezone.now()
    TestAgent(make_cpu_offer(now=now), now=now)
    monkeypatch.setattr("scheduler.hints._send", lambda *_, **__: None)
    buyer, key = make_organization(), str(uuid.uuid4())
    client = APIClient()
    _, secret = key_of(buyer, "jobs:write")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    headers = {"Prefer": "wait=1", "Idempotency-Key": key}

    first = client.post("/api/v1/jobs", TREE, format="json", headers=headers)
    place_now(segment="cpu", now=timezone.now())
    again = client.post("/api/v1/jobs", TREE, format="json", headers=headers)

    assert (first.status_code, first.json()["state"]) == (201, "queued")
    assert (again.json()["id"], again.json()["state"]) == (first.json()["id"], "allocated")
    assert again["Idempotent-Replayed"] == "true"
    assert Job.objects.count() == 1
