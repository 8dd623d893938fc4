"""Interruptible work makes room: told at once, given its notice, queued again, and never in the way after it."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone, translation
from rest_framework.test import APIClient

from accounts.models import Role
from marketplace.booking.services import hold_units
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_ceil, hour_floor
from marketplace.common.errors import IllegalState, StaleVersion, ValidationFailed
from marketplace.events.models import Event
from scheduler.costs import meter_job
from scheduler.finishing import finish
from scheduler.leases import cancel_asked
from scheduler.models import Allocation, Attempt, Job, Lease
from scheduler.preempting import FIRM_WORK, end_overdue, give_notice, lock_open
from scheduler.story import attempt_sentence, job_sentence
from scheduler.withdrawing import change_units
from tests.market import make_member, make_organization
from tests.scheduler.machines import make_pair, units_at
from tests.scheduler.scene import TestAgent, allocated
from tests.scheduler.test_leases import beat

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def now():
    """The first half of an hour of the present: the database's clock decides over leases."""
    return timezone.now()


@pytest.fixture
def pair(now):
    return make_pair(now=now)


@pytest.fixture
def agent(pair, now):
    return TestAgent(pair[0], now=now)


def running(agent, offer, now, **fields):
    """A lease of work that runs on `offer`."""
    attempt = allocated(offer, now=now, **fields)
    lease = next(each for each in agent.claim(now=now) if each.attempt == attempt)
    beat(agent, lease, now)
    return Lease.objects.select_related("attempt__job", "attempt__allocation__offer").get(pk=lease.pk)


def tell(lease, now, cause=FIRM_WORK):
    [attempt] = lock_open([lease.attempt.allocation.public_id]).values()
    give_notice(attempt=attempt, cause=cause, now=now)


def end(agent, lease, now, reason="preempted", milliseconds=1):
    report = agent.report(lease, reason, exit_code=None, usage=[agent.usage(lease, milliseconds)])
    return finish(public_id=lease.public_id, key=agent.key, report=report, now=now)


def events(row):
    return list(Event.objects.of_object(row.public_id).order_by("object_seq").values_list("type", "reason"))


def test_notice_takes_the_promise_back_at_once_and_lets_the_work_run_on(pair, agent, now):
    firm, loose = pair
    lease = running(agent, loose, now, units=3)
    assert units_at(loose, now) == (4, 3)

    tell(lease, now)

    assert units_at(loose, now) == (4, 0)
    lease = Lease.objects.select_related("attempt__job").get(pk=lease.pk)
    assert (lease.ended_at, lease.attempt.state, lease.attempt.job.state) == (None, "running", "running")
    assert cancel_asked(lease, now + timedelta(seconds=20)) == {"reason": "preempted", "grace_s": 100}
    assert cancel_asked(lease, now + timedelta(seconds=500)) == {"reason": "preempted", "grace_s": 0}
    assert events(lease.attempt)[-1] == ("attempt.preempting", FIRM_WORK)
    assert firm.pk


def test_who_made_room_is_queued_again_at_no_cost_of_a_try_and_may_come_back(pair, agent, now):
    lease = running(agent, pair[1], now, units=3, retries=0)
    tell(lease, now)

    job = end(agent, lease, now + timedelta(seconds=5))

    assert (job.state, job.reason, job.retries, job.attempts_made, job.excluded_sites) == ("queued", "", 1, 1, [])
    attempt = Attempt.objects.get(pk=lease.attempt_id)
    assert (attempt.state, attempt.reason) == ("ended", "preempted")
    assert units_at(pair[1], now) == (4, 0), "its hours came back once"
    assert Event.objects.of_object(job.public_id).latest("object_seq").provider == pair[0].site.provider


def test_an_end_that_nobody_asked_for_costs_a_try_as_before(pair, agent, now):
    lease = running(agent, pair[1], now, retries=0)

    assert end(agent, lease, now + timedelta(seconds=5)).state == "failed"


def test_work_that_is_done_within_its_notice_has_succeeded(pair, agent, now):
    lease = running(agent, pair[1], now)
    tell(lease, now)

    assert end(agent, lease, now + timedelta(seconds=5), reason="succeeded").state == "succeeded"


def test_what_has_not_begun_goes_back_to_the_queue_at_once(pair, agent, now):
    attempt = allocated(pair[1], now=now, units=2)
    [found] = lock_open([attempt.allocation.public_id]).values()

    give_notice(attempt=found, cause=FIRM_WORK, now=now)

    job = Job.objects.get(pk=attempt.job_id)
    assert (job.state, job.retries, job.attempts_made, job.excluded_sites) == ("queued", 2, 0, [])
    assert units_at(pair[1], now) == (4, 0)
    assert agent.claim(now=now) == []


def test_firm_work_gets_its_lease_once_the_other_has_ended(pair, agent, now):
    firm, loose = pair
    lease = running(agent, loose, now, units=3)
    tell(lease, now)
    waiting = allocated(firm, now=now, units=2)
    elsewhere = TestAgent(firm, now=now, name="second machine", units=4)

    assert elsewhere.claim(now=now) == [], "three of four units are still in use"
    end(agent, lease, now + timedelta(seconds=5))

    assert [each.attempt for each in elsewhere.claim(now=now + timedelta(seconds=6))] == [waiting]


def test_the_units_that_are_not_in_use_do_not_wait(pair, agent, now):
    firm, loose = pair
    tell(running(agent, loose, now, units=3), now)
    beside = allocated(firm, now=now, units=1)

    assert [each.attempt for each in agent.claim(now=now)][-1:] == [beside]


def test_who_does_not_end_within_the_notice_is_ended(pair, agent, now):
    lease = running(agent, pair[1], now)
    tell(lease, now)
    late = now + timedelta(seconds=120 + settings.LEASE_SECONDS)

    assert end_overdue(now=late - timedelta(seconds=1)) == 0
    assert end_overdue(now=late) == 1

    lease.refresh_from_db()
    attempt = Attempt.objects.select_related("job").get(pk=lease.attempt_id)
    assert (attempt.reason, attempt.job.state) == ("preempted", "queued")
    assert lease.ended_at is not None


def test_work_that_was_told_or_has_ended_cannot_be_told_again(pair, agent, now):
    told, ended = running(agent, pair[1], now), running(agent, pair[1], now)
    tell(told, now)
    end(agent, ended, now + timedelta(seconds=1), reason="succeeded")

    assert lock_open(each.attempt.allocation.public_id for each in (told, ended)) == {}


@pytest.mark.parametrize(("ran_s", "paid"), [(3590, False), (3610, True)])
def test_from_an_hour_of_running_on_the_seconds_used_are_paid(pair, agent, now, ran_s, paid):
    pair[1].rate_mm = [4_000_000] * 168  # so that even a few seconds cost something
    pair[1].save(update_fields=["rate_mm"])
    lease = running(agent, pair[1], now, run_s=7200, units=4)
    began = now - timedelta(seconds=ran_s)
    Attempt.objects.filter(pk=lease.attempt_id).update(started_at=began)
    Lease.objects.filter(pk=lease.pk).update(granted_at=began)
    tell(Lease.objects.select_related("attempt__allocation").get(pk=lease.pk), now)
    end(agent, lease, now, milliseconds=1000 * ran_s)

    meter = meter_job(Attempt.objects.filter(pk=lease.attempt_id), now)

    assert meter.seconds in {ran_s - 1, ran_s}
    assert (meter.cost_minor > 0) is paid


def test_a_provider_takes_units_back_from_those_whose_end_loses_least(pair, agent, now):
    firm, loose = pair
    old, young, waiting = (running(agent, loose, now, run_s=40_000), running(agent, loose, now, run_s=40_000), None)
    Attempt.objects.filter(pk=old.attempt_id).update(started_at=now - HOUR)
    waiting = allocated(loose, now=now, run_s=40_000)

    changed = change_units(offer=firm, units=1, version=1, now=now)

    first = hour_ceil(now + timedelta(seconds=120))
    assert (changed.units, Offer.objects.get(pk=loose.pk).units, changed.version) == (1, 1, 2)
    assert (units_at(firm, first), units_at(loose, first)) == ((1, 0), (1, 1))
    assert units_at(firm, first - HOUR)[0] == 4, "until then the machines are there"
    told = set(Attempt.objects.filter(preempt_cause="provider").values_list("pk", flat=True))
    assert told == {young.attempt_id, waiting.pk}
    assert Allocation.objects.get(pk=old.attempt.allocation_id).live
    assert Job.objects.get(pk=waiting.job_id).state == "queued"


def test_more_units_are_there_from_the_next_hour_on(pair, now):
    change_units(offer=pair[0], units=9, version=1, now=now)

    first = hour_ceil(now + timedelta(seconds=120))
    assert (units_at(pair[0], first), units_at(pair[1], first + 20 * HOUR)) == ((9, 0), (9, 0))


def test_what_firm_work_or_a_reservation_was_promised_stays_and_nothing_changes(pair, agent, now):
    firm, loose = pair
    later = hour_floor(now) + 5 * HOUR
    lease = running(agent, loose, now, run_s=40_000)
    for offer in pair:
        hold_units(buyer=make_organization(), offer=offer, units=1, start=later, end=later + HOUR, now=now)

    with pytest.raises(IllegalState):
        change_units(offer=firm, units=1, version=1, now=now)

    firm.refresh_from_db()
    assert (firm.units, firm.version, units_at(firm, later)) == (4, 1, (4, 1))
    assert Attempt.objects.get(pk=lease.attempt_id).preempt_by is None
    with pytest.raises(ValidationFailed, match="twin"):
        change_units(offer=loose, units=1, version=1, now=now)
    with pytest.raises(StaleVersion):
        change_units(offer=firm, units=3, version=7, now=now)


def test_over_http_units_change_like_every_other_term(pair, agent, now):
    firm, loose = pair
    lease = running(agent, loose, now, units=4, run_s=40_000)
    client = APIClient()
    client.force_login(make_member(firm.site.provider, Role.PROVIDER))

    answer = client.patch(
        f"/api/v1/offers/{firm.public_id}", {"units": 2, "title": "Less"}, format="json", headers={"if-match": '"1"'}
    )

    assert (answer.status_code, answer.json()["units"], answer.json()["title"]) == (200, 2, "Less")
    assert Attempt.objects.get(pk=lease.attempt_id).preempt_cause == "provider"


@pytest.mark.parametrize(
    ("cause", "language", "underway", "queued"),
    [
        ("firm_work", "en", "Makes room for firm work at", "It made room for firm work. It is queued again"),
        ("provider", "en", "The provider takes the machines at", "The provider took the machines back. It is queued"),
        ("firm_work", "zh-hans", "正在为固定容量的任务让出", "已为固定容量的任务让位。已重新排队"),
        ("provider", "zh-hans", "供应商正在收回", "供应商收回了机器。已重新排队"),
    ],
)
def test_the_job_says_for_whom_it_makes_room(pair, agent, now, cause, language, underway, queued):
    lease = running(agent, pair[1], now)
    tell(lease, now, cause)
    attempt = Attempt.objects.select_related("allocation__offer__site__zone").get(pk=lease.attempt_id)

    with translation.override(language):
        assert underway in attempt_sentence(attempt)
        job = end(agent, lease, now + timedelta(seconds=1))
        attempt.refresh_from_db()
        assert queued in job_sentence(job, [attempt])
