"""A job in pieces: promised together or not at all, run one after another from its checkpoint, paid by what ran."""

from datetime import timedelta

import pytest
from django.db import connection
from rest_framework.test import APIClient

from config.invariants.capacity import PROMISES
from marketplace.booking.hours import hours_by_day
from marketplace.booking.models import CapacityDay, ChargeLine, Contract
from marketplace.booking.services import take_hours
from marketplace.common.clock import hour_floor, utc_now
from marketplace.ledger.models import Hold
from scheduler.attempts import end_attempt
from scheduler.core.types import QUALITY
from scheduler.cycle import replay, run_round
from scheduler.finishing import finish
from scheduler.jobview import job_as_json
from scheduler.leases import cancel_asked, end_expired_leases
from scheduler.leaseview import lease_as_json
from scheduler.models import Allocation, Artifact, Attempt, Job, Piece, QueueEntry
from scheduler.money import release_surplus
from scheduler.pieces import OVER, last_checkpoint
from scheduler.preempting import lose_from
from scheduler.querysets import JobQuerySet
from scheduler.services import cancel_job, expire_jobs
from scheduler.withdrawing import change_units
from tests.market import make_organization
from tests.scheduler.scene import SPEC, TestAgent, allocated, make_cpu_offer, make_job
from tests.scheduler.test_rehearsal import client_of

pytestmark = pytest.mark.django_db
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
CHEAP, USUAL = 2_000, 6_000
FILE = """run: python3 train.py
config:
  joulemart:
    hours: 4
    finish_by: "{finish}"
    when: cheapest
    carbon_cap_g: 500
    max_pieces: 4
    checkpoint: {{path: ckpt, grace_s: 60, restart_s: 600}}
"""
CHECKPOINT = {"path": "ckpt", "signal": "USR1", "interval_s": None, "grace_s": 60}


NOW = hour_floor(utc_now())  # the database's clock alone ends leases, so what is to come is really to come


@pytest.fixture
def offer():
    """The hours 2, 3, 8 and 9 from now cost a third; interruptible."""
    offer = make_cpu_offer(units=2, tier="interruptible", now=NOW)
    cheap(offer, {2, 3, 8, 9})
    return offer


def cheap(offer, hours, price=CHEAP):
    """These hours from now on cost less than the others."""
    first = NOW.weekday() * 24 + NOW.hour
    offer.rate_mm = [price if (hour - first) % 168 in hours else USUAL for hour in range(168)]
    offer.save(update_fields=["rate_mm"])


def at(hour):
    """So many hours from now."""
    return NOW + hour * HOUR


@pytest.fixture
def agent(offer):
    return TestAgent(offer, now=NOW)


def submit(*, pieces=4, restart_s=600, now=NOW, finish_by=NOW + 12 * HOUR, **fields):
    """Four hours of work that takes the cheapest hours of the day."""
    ask = {
        "units": 1, "run_s": 4 * 3600, "segment": "cpu", "weights": [40, 20, 40], "when": "cheapest", "near": None,
        "limits": {"family": ["cpu"]}, "rates": None, "reference_pf_milli": None, "time_limit_by_class": {},
        "max_pieces": pieces, "restart_s": restart_s,
    }  # fmt: skip
    return make_job(
        now=now, ask=ask, time_limit_s=4 * 3600, finish_by=finish_by, spec=SPEC | {"checkpoint": CHECKPOINT}, **fields
    )


def fresh(job):
    return Job.objects.get(pk=job.pk)


def promised(offer):
    """{hour from now: units} of those promised."""
    rows = CapacityDay.objects.filter(offer=offer).order_by("day")
    hours = [units for row in rows for units in row.units_promised]
    return {hour - NOW.hour: units for hour, units in enumerate(hours) if units}


def placed(**fields):
    job = submit(**fields)
    run_round(segment="cpu", now=NOW)
    return fresh(job)


def saved(attempt, now, path="ckpt/state"):
    """The bytes of a checkpoint came."""
    Artifact.objects.create(
        attempt=attempt, path=path, size=3, sha256="a" * 64, stored_as="somewhere", created_at=now, stored_at=now
    )


def run_piece(agent, job, *, since, until, reason="preempted", checkpoint=True):
    """The agent claims the piece that waits, runs it, and tells its end as it knows it."""
    [lease] = agent.claim(now=since)
    attempt = lease.attempt
    if checkpoint:
        saved(attempt, until)
    milliseconds = (until - since) // timedelta(milliseconds=1)
    report = agent.report(lease, reason, usage=[agent.usage(lease, milliseconds)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=until)
    return Attempt.objects.get(pk=attempt.pk)


def test_all_pieces_are_promised_together_each_at_its_own_contract(offer, agent):
    job = placed()

    assert promised(offer) == {2: 1, 3: 1, 8: 1, 9: 1, 10: 1}
    allocation, piece = Allocation.objects.get(job=job), Piece.objects.get(job=job)
    assert (allocation.start, allocation.end, allocation.goes_on) == (at(2), at(4), True)
    assert (piece.contract.start, piece.contract.end) == (at(8), at(10) + 10 * MINUTE)
    assert (piece.number, piece.is_last, job.state) == (2, True, "allocated")
    assert "In 2 pieces it costs" in allocation.why["sentence"]
    assert replay(allocation.round)


def test_what_was_planned_before_submission_is_what_is_promised(offer, agent):
    """Through the API, from the file to the promise."""
    TestAgent(offer, now=utc_now())
    buyer = make_organization()
    client = client_of(buyer, "jobs:write")
    file = FILE.format(finish=at(12).isoformat())

    def post(query, **headers):
        return client.post(f"/api/v1/jobs{query}", file, content_type="application/yaml", headers=headers)

    plan = post("?dry_run=true").json()["allocation"]["in_pieces"]
    made = post("", **{"idempotency-key": "k"})
    run_round(segment="cpu", now=utc_now())

    assert made.status_code == 201, made.content
    job = Job.objects.with_story().get(public_id=made.json()["id"])
    shown = job_as_json(job, utc_now())
    kept = ("start", "end", "total_minor")
    assert [[each[name] for name in kept] for each in shown["pieces"]] == [
        [each[name] for name in kept] for each in plan["pieces"]
    ]
    assert shown["cost"]["ceiling_minor"] == plan["total_minor"]
    assert shown["carbon"] == {"to_date_g": 0, "cap_g": 500}


def test_hours_that_went_meanwhile_leave_no_piece_at_all(offer, agent, monkeypatch):
    """Between the plan and its hours somebody takes hour 9: nothing of the job is promised, it waits."""
    from scheduler import commit

    def first_another(claims, twins):
        day = CapacityDay.objects.get(offer=offer, day=at(9).date())
        day.units_promised[at(9).hour] = 2
        CapacityDay.objects.filter(pk=day.pk).update(units_promised=day.units_promised)
        return take_many(claims, twins)

    take_many = commit.take_many
    monkeypatch.setattr(commit, "take_many", first_another)

    job = placed()

    assert promised(offer) == {9: 2}
    assert (job.state, Piece.objects.count(), Allocation.objects.count()) == ("queued", 0, 0)


def test_a_job_runs_in_pieces_from_its_checkpoint_and_pays_what_ran(offer, agent):
    job = placed()

    first = run_piece(agent, job, since=at(2), until=at(4) - 10 * SECOND)
    job = fresh(job)
    assert (first.reason, job.state, job.saved_s, job.attempts_made) == ("piece_over", "allocated", 7190, 1)
    second = job.attempts.get(ended_at=None)
    assert (second.allocation.start, second.allocation.offer_id) == (at(8), offer.pk)
    assert not second.allocation.goes_on
    assert promised(offer) == {2: 1, 8: 1, 9: 1, 10: 1}  # an hour that is over stays counted
    assert not QueueEntry.objects.filter(job=job).exists()

    assert agent.claim(now=at(7)) == []
    [lease] = agent.claim(now=at(8))
    inputs = lease_as_json(lease, at(8))["inputs"]
    assert [(each["path"], each["sha256"]) for each in inputs] == [("ckpt/state", "a" * 64)]

    until = at(10)
    assert cancel_asked(lease, until) is None  # the last piece is nobody's to stop
    report = agent.report(lease, usage=[agent.usage(lease, 7_200_000)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=until)

    job = fresh(job)
    assert (job.state, job.attempts_made) == ("succeeded", 2)
    charged = {
        (line.contract.start - NOW) // HOUR: line.quantity for line in ChargeLine.objects.select_related("contract")
    }
    assert charged == {2: 7190, 8: 7200}
    assert set(Hold.objects.of_subject(job.public_id).values_list("state", flat=True)) == {"closed"}
    assert 10 not in promised(offer)


def test_the_agent_is_told_to_save_and_stop_before_the_piece_ends(offer, agent):
    placed()
    start, end = at(2), at(4)
    [lease] = agent.claim(now=start)

    assert cancel_asked(lease, start + HOUR) is None
    told = cancel_asked(lease, end - 60 * SECOND)
    assert told == {"reason": "preempted", "grace_s": 60}
    assert cancel_asked(lease, end - 20 * SECOND)["grace_s"] == 20
    assert lease_as_json(lease, start)["limits"]["time_limit_s"] <= 7200 - 5


def test_the_agent_hears_of_it_with_its_heartbeat_and_its_end_is_that_of_the_piece(offer, agent):
    now = utc_now()
    attempt = allocated(offer, now=now)
    Allocation.objects.filter(pk=attempt.allocation_id).update(end=now + 45 * SECOND, goes_on=True)
    [lease] = agent.claim(now=now)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {agent.secret}")
    address = f"/api/v1/agent/leases/{lease.public_id}"

    told = client.post(f"{address}/heartbeat", {"epoch": 1, "phase": "running"}, format="json").json()
    ended = client.post(f"{address}/finish", agent.report(lease, "preempted"), format="json")
    again = client.post(f"{address}/finish", agent.report(lease, "preempted"), format="json")

    assert told["cancel"] == {"reason": "preempted", "grace_s": 30}
    assert (ended.status_code, again.status_code) == (200, 200)
    attempt.refresh_from_db()
    assert (attempt.reason, attempt.message) == ("piece_over", OVER)
    assert fresh(attempt.job).state == "queued"


def test_while_it_waits_the_job_says_so_and_spends_nothing(offer, agent):
    job = placed()
    run_piece(agent, job, since=at(2), until=at(4) - 10 * SECOND)
    stories: JobQuerySet = Job.objects.with_story()

    early, late = (job_as_json(stories.get(pk=job.pk), at(hour)) for hour in (5, 7))

    assert (early["state"], early["sentence"]) == ("allocated", late["sentence"])
    assert "Waits for its next piece" in early["sentence"]
    assert early["cost"]["to_date_minor"] == late["cost"]["to_date_minor"] > 0
    assert [(each["number"], each["state"]) for each in early["pieces"]] == [(1, "over"), (2, "next")]
    total = sum(Contract.objects.values_list("total_minor", flat=True))
    assert early["cost"]["ceiling_minor"] == total


def test_what_is_held_covers_all_pieces_and_no_more(offer, agent):
    job = placed()

    release_surplus(now=NOW)

    hold = Hold.objects.of_subject(job.public_id).open().get()
    assert hold.rest == sum(Contract.objects.values_list("total_minor", flat=True)) > 0


def test_a_piece_without_a_checkpoint_has_the_work_planned_anew(offer, agent):
    job = placed()

    run_piece(agent, job, since=at(2), until=at(4) - 10 * SECOND, checkpoint=False)

    job = fresh(job)
    assert (job.state, job.saved_s, job.ask["run_s"], job.ask["max_pieces"]) == ("queued", 0, 4 * 3600, 3)
    assert Piece.objects.waiting().count() == 0
    assert promised(offer) == {2: 1}
    assert QueueEntry.objects.filter(job=job).exists()
    run_round(segment="cpu", now=at(4))
    again = fresh(job).attempts.get(ended_at=None).allocation
    assert again.start >= at(4)
    assert not again.goes_on  # four hours by the eleventh: no slack is left for pieces that pay


def test_a_checkpoint_that_is_still_the_one_it_began_with_saved_nothing(offer, agent):
    job = placed(finish_by=at(16))
    run_piece(agent, job, since=at(2), until=at(4) - 10 * SECOND)
    Allocation.objects.filter(job=job, live=True).update(goes_on=True)

    run_piece(agent, job, since=at(8), until=at(10))

    job = fresh(job)
    assert (job.state, job.saved_s) == ("queued", 7190)
    run_round(segment="cpu", now=at(10))
    lease = fresh(job).attempts.get(ended_at=None)
    assert [each.attempt.number for each in last_checkpoint(lease)] == [2]


def test_the_rest_is_planned_with_what_was_saved_and_no_start_past_the_latest(offer, agent):
    job = placed()
    lose_from(piece=Piece.objects.with_terms().get(job=job), now=at(3))
    assert promised(offer) == {2: 1, 3: 1}

    run_piece(agent, job, since=at(2), until=at(4) - 10 * SECOND)

    job = fresh(job)
    assert (job.state, job.saved_s) == ("queued", 7190)
    assert job.ask["run_s"] == 4 * 3600 - 7190 + 600
    run_round(segment="cpu", now=at(4))
    rest = fresh(job).attempts.get(ended_at=None).allocation
    assert rest.start == at(8)
    assert rest.end <= job.finish_by - 120 * SECOND


def test_a_provider_who_lowers_capacity_takes_later_pieces_back_and_what_runs_stays(offer, agent):
    """Hour 8 is promised to somebody who cannot be told to end."""
    job = placed(finish_by=at(16))
    take_hours(offer=offer, wanted=hours_by_day(at(8), at(9), 1), units=1)
    [lease] = agent.claim(now=at(2))

    change_units(offer=offer, units=1, version=offer.version, now=at(2) + MINUTE)

    assert promised(offer) == {2: 1, 3: 1, 8: 1}
    assert (fresh(job).state, Piece.objects.waiting().count()) == ("starting", 0)
    assert cancel_asked(lease, at(4) - MINUTE) == {"reason": "preempted", "grace_s": 60}
    saved(lease.attempt, at(4))
    report = agent.report(lease, "preempted", usage=[agent.usage(lease, 7_190_000)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=at(4) - 10 * SECOND)
    assert (fresh(job).state, fresh(job).saved_s) == ("queued", 7190)

    run_round(segment="cpu", now=at(4))

    rest = fresh(job).attempts.get(ended_at=None).allocation
    assert (rest.end - rest.start, rest.goes_on) == (timedelta(seconds=4 * 3600 - 7190 + 600), False)
    assert 8 not in {int((rest.start - NOW) / HOUR) + n for n in range(3)}


@pytest.mark.parametrize("end", ["lease", "cancel", "fail"])
def test_whatever_else_ends_a_piece_gives_the_later_ones_back(offer, agent, end):
    job = placed()
    now = at(2)
    if end == "cancel":
        cancel_job(job=job, now=now)
    elif end == "fail":
        run_piece(agent, job, since=now, until=now + HOUR, reason="exit_nonzero")
    else:
        agent.claim(now=now)
        Job.objects.get(pk=job.pk).attempts.get().leases.update(
            granted_at=utc_now() - HOUR, expires_at=utc_now() - MINUTE
        )
        end_expired_leases(now=now + 2 * MINUTE)

    assert Piece.objects.waiting().count() == 0
    assert {hour for hour in promised(offer) if hour > 3} == set()
    assert fresh(job).state == {"lease": "queued", "cancel": "cancelled", "fail": "failed"}[end]


def test_work_that_ends_in_its_first_piece_needs_no_other(offer, agent):
    job = placed()

    run_piece(agent, job, since=at(2), until=at(3), reason="succeeded")

    assert fresh(job).state == "succeeded"
    assert {hour for hour in promised(offer) if hour > 2} == set()


def test_replanning_leaves_work_in_pieces_where_it_was_planned(offer, agent):
    placed()
    cheap(offer, {4, 5, 6, 7}, CHEAP // 4)

    assert run_round(segment="cpu", now=NOW, mode=QUALITY) is None
    assert promised(offer) == {2: 1, 3: 1, 8: 1, 9: 1, 10: 1}


def test_the_window_of_a_rest_is_over_when_its_latest_start_has_passed(offer, agent):
    job = placed()
    run_piece(agent, job, since=at(2), until=at(4))
    assert expire_jobs(now=at(11)) == 0  # it has a promise
    end_attempt(attempt=Attempt.objects.with_terms().get(job=job, ended_at=None), reason="node_failed", now=at(9))
    latest = job.finish_by - 2 * HOUR - 120 * SECOND

    assert expire_jobs(now=latest) == 0
    assert expire_jobs(now=latest + SECOND) == 1
    assert fresh(job).state == "expired"


def test_the_promised_hours_are_those_that_the_checker_counts(offer, agent):
    placed()

    assert off() == []
    Piece.objects.update(released_at=NOW)
    assert len(off()) == 3


def off():
    """What the checker of promises finds."""
    with connection.cursor() as cursor:
        cursor.execute(PROMISES)
        return cursor.fetchall()
