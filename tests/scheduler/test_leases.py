"""Leases: one live attempt, one live lease, fenced by epoch, ended by the database's clock alone."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from marketplace.booking.models import CapacityDay, UsageRecord
from marketplace.common.errors import NotFound
from marketplace.events.models import Event
from scheduler.attempts import end_attempt
from scheduler.errors import LeaseFenced
from scheduler.finishing import finish
from scheduler.leases import end_expired_leases, renew, withdraw_unstarted
from scheduler.leaseview import lease_as_json
from scheduler.logs import append_log, read_log
from scheduler.models import Attempt, Job, Lease
from scheduler.services import cancel_job
from tests.market import MONDAY, at, key_of, make_organization
from tests.scheduler.scene import TestAgent, allocated, make_cpu_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    """The database's clock decides over leases, so these tests live in the present."""
    return timezone.now()


@pytest.fixture
def offer(now):
    return make_cpu_offer(now=now)


@pytest.fixture
def agent(offer, now):
    return TestAgent(offer, now=now)


def beat(agent, lease, now, phase="running", **fields):
    usage = {"cpu_ms": 5, "peak_memory_bytes": 6}
    return renew(
        public_id=lease.public_id, key=agent.key, epoch=fields.get("epoch", lease.epoch), phase=phase,
        progress=None, usage=usage, now=now,
    )  # fmt: skip


def lapse(lease):
    """Let the lease be over, as the database sees it."""
    Lease.objects.filter(pk=lease.pk).update(
        granted_at=timezone.now() - timedelta(hours=1), expires_at=timezone.now() - timedelta(seconds=1)
    )


def states(row):
    return list(Event.objects.of_object(row.public_id).order_by("object_seq").values_list("state", flat=True))


def test_an_agent_claims_what_is_due_at_its_own_site_and_nothing_else(offer, agent, now):
    attempt = allocated(offer, now=now)
    elsewhere = TestAgent(make_cpu_offer(now=now), now=now)

    assert elsewhere.claim(now=now) == []
    [lease] = agent.claim(now=now)

    assert lease.attempt == attempt
    assert lease.epoch == 1
    assert agent.claim(now=now, holds=[lease.public_id]) == []
    attempt.job.refresh_from_db()
    assert (attempt.job.state, attempt.job.attempts_made) == ("starting", 1)


def test_a_lease_whose_answer_got_lost_is_told_again_to_its_agent_alone(offer, agent, now):
    allocated(offer, now=now)
    [lost] = agent.claim(now=now)
    later = now + timedelta(seconds=3)

    [again] = agent.claim(now=later)

    assert (again, again.epoch, again.attempt.job.attempts_made) == (lost, 1, 1)
    told = lease_as_json(again, later)
    assert told["lease_s"] == settings.LEASE_SECONDS - 3, "it runs out when it would have"
    assert TestAgent(offer, now=now, name="neighbour").claim(now=later) == []
    assert agent.claim(now=later, holds=[lost.public_id]) == []


def test_a_lease_that_was_heard_of_is_not_told_again(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)

    beat(agent, lease, now, phase="starting")

    assert agent.claim(now=now) == []


def test_an_agent_gets_no_more_than_its_own_units(offer, now):
    allocated(offer, now=now)
    allocated(offer, now=now)
    small = TestAgent(offer, now=now, name="small", units=1)

    [lease] = small.claim(now=now)
    assert small.claim(now=now, holds=[lease.public_id]) == []


def test_the_first_heartbeat_of_a_running_program_starts_the_job(offer, agent, now):
    attempt = allocated(offer, now=now)
    [lease] = agent.claim(now=now)

    beat(agent, lease, now, phase="starting")
    attempt.job.refresh_from_db()
    assert attempt.job.state == "starting"
    beat(agent, lease, now)
    beat(agent, lease, now)

    attempt.refresh_from_db()
    attempt.job.refresh_from_db()
    assert (attempt.state, attempt.job.state, attempt.started_at, attempt.cpu_ms) == ("running", "running", now, 5)
    assert states(attempt.job) == ["allocated", "starting", "running"]


def test_a_finished_attempt_gives_its_units_back_and_ends_the_job(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)
    later = now + timedelta(seconds=30)

    report = agent.report(lease, usage=[agent.usage(lease, 30_000)])
    job = finish(public_id=lease.public_id, key=agent.key, report=report, now=later)

    assert (job.state, job.reason, job.finished_at) == ("succeeded", "succeeded", later)
    today = CapacityDay.objects.get(offer=offer, day=later.date()).units_promised
    assert today[later.hour :] == [0] * (24 - later.hour), "an hour that is over meanwhile keeps its promise"
    assert sum(UsageRecord.objects.values_list("milliseconds", flat=True)) == 30_000
    assert not Lease.objects.live().exists()


def test_the_same_report_again_changes_nothing(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)
    report = agent.report(lease, usage=[agent.usage(lease, 100)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=now + timedelta(seconds=1))
    events, records = Event.objects.count(), UsageRecord.objects.count()

    job = finish(public_id=lease.public_id, key=agent.key, report=report, now=now + timedelta(seconds=2))

    assert job.state == "succeeded"
    assert (Event.objects.count(), UsageRecord.objects.count()) == (events, records)


def test_a_lapsed_lease_ends_the_attempt_and_queues_the_job_away_from_that_site(offer, agent, now):
    attempt = allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)
    lapse(lease)

    assert end_expired_leases(now=now) == 1
    assert end_expired_leases(now=now) == 0

    attempt.refresh_from_db()
    attempt.job.refresh_from_db()
    assert (attempt.state, attempt.reason) == ("ended", "lease_lost")
    assert (attempt.job.state, attempt.job.excluded_sites) == ("queued", [offer.site.public_id])
    assert attempt.job.next_attempt_at > now
    assert CapacityDay.objects.get(offer=offer, day=now.date()).units_promised == [0] * 24
    assert not UsageRecord.objects.exists()


@pytest.mark.parametrize("call", ["heartbeat", "log", "finish"])
def test_a_zombie_is_fenced_and_writes_nothing(offer, agent, now, call):
    attempt = allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)
    lapse(lease)
    end_expired_leases(now=now)
    events = Event.objects.count()

    with pytest.raises(LeaseFenced):
        if call == "heartbeat":
            beat(agent, lease, now)
        elif call == "log":
            append_log(public_id=lease.public_id, key=agent.key, epoch=1, offset=0, data=b"late\n", now=now)
        else:
            report = agent.report(lease, usage=[agent.usage(lease, 10)])
            finish(public_id=lease.public_id, key=agent.key, report=report, now=now)

    attempt.refresh_from_db()
    assert (attempt.reason, attempt.log_bytes, Event.objects.count()) == ("lease_lost", 0, events)
    assert not UsageRecord.objects.exists()


def test_a_lapsed_lease_is_fenced_even_before_the_sweep_finds_it(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    lapse(lease)

    with pytest.raises(LeaseFenced):
        beat(agent, lease, now)


def test_another_epoch_and_another_key_are_fenced(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    stranger = TestAgent(make_cpu_offer(now=now), now=now)

    with pytest.raises(LeaseFenced):
        beat(agent, lease, now, epoch=2)
    with pytest.raises(LeaseFenced):
        beat(stranger, lease, now)


def test_a_wrong_application_clock_ends_no_lease(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)

    with time_machine.travel(now + timedelta(hours=5), tick=False):
        assert end_expired_leases(now=now + timedelta(hours=5)) == 0

    lease.refresh_from_db()
    assert lease.ended_at is None


def test_after_the_last_retry_the_job_fails_and_holds_nothing(offer, agent, now):
    attempt = allocated(offer, now=now, retries=0)
    [lease] = agent.claim(now=now)
    lapse(lease)

    end_expired_leases(now=now)

    attempt.job.refresh_from_db()
    assert (attempt.job.state, attempt.job.reason) == ("failed", "lease_lost")
    assert CapacityDay.objects.get(offer=offer, day=now.date()).units_promised == [0] * 24


def test_a_program_that_fails_is_not_tried_again(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)

    report = agent.report(lease, "exit_nonzero", exit_code=3)
    job = finish(public_id=lease.public_id, key=agent.key, report=report, now=now)

    assert (job.state, job.reason) == ("failed", "exit_nonzero")
    assert Attempt.objects.get().exit_code == 3


def test_a_promise_no_agent_comes_for_is_withdrawn_without_costing_a_try(offer, now):
    attempt = allocated(offer, now=now)
    late = now + timedelta(minutes=30)

    assert withdraw_unstarted(now=now) == 0
    assert withdraw_unstarted(now=late) == 1

    job = Job.objects.get()
    assert (job.state, job.attempts_made, job.excluded_sites) == ("queued", 0, [offer.site.public_id])
    attempt.refresh_from_db()
    assert attempt.reason == "node_failed"


def test_cancelling_before_the_start_ends_everything_at_once(offer, now):
    attempt = allocated(offer, now=now)

    cancel_job(job=attempt.job, now=now)

    attempt.job.refresh_from_db()
    attempt.refresh_from_db()
    assert (attempt.job.state, attempt.reason) == ("cancelled", "cancelled")
    assert CapacityDay.objects.get(offer=offer, day=now.date()).units_promised == [0] * 24


def test_a_cancelled_job_whose_agent_fell_silent_is_not_queued_again(offer, agent, now):
    attempt = allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    cancel_job(job=attempt.job, now=now)
    lapse(lease)

    end_expired_leases(now=now)

    attempt.job.refresh_from_db()
    assert attempt.job.state == "cancelled"


def test_a_log_joins_by_offset_whatever_is_sent_twice_or_too_early(offer, agent, now):
    attempt = allocated(offer, now=now)
    [lease] = agent.claim(now=now)

    def send(offset, data):
        return append_log(public_id=lease.public_id, key=agent.key, epoch=1, offset=offset, data=data, now=now)

    text = "eins zwölf 三\n".encode()
    assert send(0, text[:7]) == (7, False)
    assert send(12, b"too early") == (7, False)
    assert send(0, text[:7]) == (7, False)
    assert send(3, text[3:9]) == (9, False)
    assert send(9, text[9:]) == (len(text), False)

    parts = list(read_log(attempt.job))
    assert "".join(part.text for part in parts) == text.decode()
    assert parts[-1].next_offset == len(text)
    rest = list(read_log(attempt.job, number=1, offset=parts[0].next_offset))
    assert "".join(part.text for part in rest) == text.decode()[len(parts[0].text) :]


def test_a_flood_stops_at_the_quota(offer, agent, now, settings):
    settings.LOG_QUOTA_BYTES = 10
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)

    answer = append_log(public_id=lease.public_id, key=agent.key, epoch=1, offset=0, data=b"x" * 25, now=now)

    assert answer == (10, True)
    assert Attempt.objects.get().log_bytes == 10


@pytest.mark.parametrize(
    "forgery", [{"units": 99}, {"milliseconds": 10**9}, {"cpu_ms": -1}, {"attempt": "att_other"}, {"epoch": 7}]
)
def test_a_usage_line_that_cannot_be_is_stored_flagged_and_counts_nothing(offer, agent, now, forgery):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)

    report = agent.report(lease, usage=[agent.usage(lease, 1000, **forgery)])
    finish(public_id=lease.public_id, key=agent.key, report=report, now=now + timedelta(seconds=2))

    record = UsageRecord.objects.get()
    assert record.flagged.startswith("not believed")
    assert (record.milliseconds, record.energy_wh, record.carbon_ug) == (0, 0, 0)


def test_a_forged_signature_is_not_believed(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    beat(agent, lease, now)
    line = agent.usage(lease, 1000) | {"signature": agent.usage(lease, 999)["signature"]}

    finish(public_id=lease.public_id, key=agent.key, report=agent.report(lease, usage=[line]), now=now)

    assert "signature" in UsageRecord.objects.get().flagged


def test_the_database_refuses_a_second_live_lease_and_an_epoch_that_does_not_rise(offer, agent, now):
    allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    again = {
        "attempt": lease.attempt, "agent": agent.row, "granted_at": now, "expires_at": now + timedelta(minutes=1),
    }  # fmt: skip

    with pytest.raises(IntegrityError, match="lease_live_once_per_attempt"), transaction.atomic():
        Lease.objects.create(epoch=2, **again)
    Lease.objects.filter(pk=lease.pk).update(ended_at=now)
    with pytest.raises(IntegrityError, match="epoch must rise"), transaction.atomic():
        Lease.objects.create(epoch=1, **again)


def test_an_ended_lease_cannot_be_revived(offer, agent, now):
    attempt = allocated(offer, now=now)
    [lease] = agent.claim(now=now)
    attempt.refresh_from_db()
    attempt.job.refresh_from_db()
    end_attempt(attempt=attempt, reason="lease_lost", now=now)

    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        Lease.objects.filter(pk=lease.pk).update(ended_at=None)


def test_a_key_without_a_site_registers_nothing():
    key, _ = key_of(make_organization(), "agent", site="sit_nowhere", now=at(MONDAY, 1))
    from scheduler.leases import register_agent

    with pytest.raises(NotFound):
        register_agent(key=key, facts={"name": "x", "clock": 0.0}, now=MONDAY)
