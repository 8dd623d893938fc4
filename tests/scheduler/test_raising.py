"""A job that stops by its budget is given more of it while it waits or runs: held first, then told to its agent."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from marketplace.booking.models import ChargeLine, Settlement
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.budgets import set_budget
from marketplace.ledger.errors import BudgetExceeded, InsufficientFunds
from marketplace.ledger.models import Hold, Journal
from scheduler.attempts import end_attempt
from scheduler.jobfile import parse
from scheduler.jobview import job_as_json
from scheduler.leaseview import lease_as_json
from scheduler.midnight import capture_running
from scheduler.models import Attempt, Job, Lease
from scheduler.raising import raise_budget
from scheduler.services import Actor, cancel_job, submit_job
from scheduler.stopping import stops_after, time_limit
from tests.market import key_of, make_organization
from tests.scheduler.nightly import FILE, SECOND, Run, broken_promises, last_midnight, make_shelf

pytestmark = pytest.mark.django_db
CHECKED = pytest.mark.django_db(transaction=True)  # the checker reads in a transaction of its own
STOP = FILE + "    max_total: 1000\n    budget_stop: true\n"


@pytest.fixture
def midnight():
    return last_midnight()


@pytest.fixture
def offer(settings):
    return make_shelf(settings)


@pytest.fixture
def buyer():
    return make_organization(funds=3_000)


@pytest.fixture
def run(offer, buyer, midnight):
    """Four units at work since 22:00 for 10.00, which pay for 4,522 of 10,800 seconds."""
    return Run(offer, buyer, began=midnight - timedelta(hours=2), text=STOP)


def to(run, budget, second=4_000):
    return raise_budget(job=Job.objects.get(pk=run.job.pk), budget_minor=budget, now=run.at(second))


def limit(run):
    return time_limit(Lease.objects.select_related("attempt__allocation", "attempt__job").get(pk=run.lease.pk))


def state_of(run):
    """All that a refusal must leave alone."""
    job = Job.objects.get(pk=run.job.pk)
    holds = list(Hold.objects.order_by("pk").values_list("amount", "captured", "released"))
    return job.ceiling_minor, run.attempt.budget_s, run.wallet, holds, Journal.objects.count()


def refused(run, error, budget):
    before = state_of(run)
    with pytest.raises(error) as refusal:
        to(run, budget)
    assert state_of(run) == before
    return refusal.value


def test_a_larger_budget_is_held_and_buys_its_seconds(run):
    assert (run.wallet, limit(run)) == ((2_000, 1_000), 4_522)

    job = to(run, 1_800)

    assert (job.ceiling_minor, run.wallet, limit(run)) == (1_800, (1_200, 1_800), 8_140)
    assert run.attempt.budget_s == 8_140


def test_the_work_then_ends_where_the_new_budget_is_used_up(run):
    to(run, 1_800)

    job = run.end(8_140, reason="time_limit")

    assert (job.reason, run.charges, run.wallet) == ("budget_limit", [1_799], (3_000 - 1_799, 0))
    assert Settlement.objects.get().charged_minor == 1_799


def test_a_budget_that_pays_for_all_of_it_holds_no_more_than_the_price(run):
    to(run, 2_900)

    assert (run.wallet, limit(run)) == ((3_000 - 2_388, 2_388), 10_795), "the last hour has room for no more"
    assert stops_after(Job.objects.get(), run.attempt) is None
    job = run.end(10_800, reason="time_limit")
    assert (job.reason, run.charges) == ("time_limit", [2_388])


def test_the_same_budget_again_changes_nothing(run):
    to(run, 1_800)
    before = state_of(run)

    to(run, 1_800, second=4_100)

    assert state_of(run) == before


def test_a_smaller_budget_is_refused(run):
    error = refused(run, ValidationFailed, 999)

    assert [each.pointer for each in error.problems] == ["/max_total"]


def test_more_than_the_wallet_has_is_refused(run, buyer):
    submit_job(actor=Actor(organization=buyer), file=parse(STOP), now=run.began)

    refused(run, InsufficientFunds, 2_100)


def test_more_than_a_spending_cap_allows_is_refused_and_what_was_held_counts_once(run, buyer):
    set_budget(organization=buyer, api_key=None, asset="USD", livemode=False, limit_minor=1_500, now=run.began)

    refused(run, BudgetExceeded, 1_501)

    assert to(run, 1_500).ceiling_minor == 1_500
    refused(run, BudgetExceeded, 1_501)


@pytest.mark.parametrize("text", [FILE, FILE + "    max_total: 2500\n"])
def test_a_job_that_stops_by_no_budget_has_none_to_raise(offer, buyer, midnight, text):
    run = Run(offer, buyer, began=midnight - timedelta(hours=2), text=text)

    refused(run, IllegalState, 2_900)


def test_a_job_that_was_cancelled_or_has_ended_is_refused(run):
    cancel_job(job=run.job, now=run.at(4_000))
    refused(run, IllegalState, 1_800)

    run.end(4_100, reason="cancelled")
    refused(run, IllegalState, 1_800)


def test_a_waiting_job_holds_its_new_budget(offer, buyer, midnight):
    job = submit_job(actor=Actor(organization=buyer), file=parse(STOP), now=midnight)

    raise_budget(job=job, budget_minor=1_800, now=midnight)

    assert [(each.amount, each.rest) for each in Hold.objects.open()] == [(1_800, 1_800)]
    assert "total__lte" not in Job.objects.get().ask["limits"], "the matcher tests no total still"


@CHECKED
def test_what_midnight_has_charged_is_part_of_the_budget(offer, buyer, midnight):
    """An hour of running by then: 7.96 of 10.00."""
    run = Run(offer, buyer, began=midnight - timedelta(hours=1), text=STOP)
    run.tell(3_610)
    assert capture_running(now=midnight + 10 * SECOND) == 1
    assert run.wallet == (2_000, 204)

    to(run, 1_800)

    assert (run.wallet, limit(run)) == ((1_200, 1_004), 8_140)
    job = run.end(8_140, reason="time_limit")
    assert (job.reason, run.charges, run.wallet) == ("budget_limit", [796, 1_003], (1_201, 0))
    assert broken_promises() == []


def test_a_budget_that_was_used_up_by_midnight_is_raised_while_the_work_is_still_there(run, midnight):
    run.tell(4_530, used_s=4_522)
    ended = run.attempt
    assert ended.state == "running"
    capture_running(now=midnight + timedelta(minutes=10))
    assert not Hold.objects.open().exists() or Hold.objects.open().get().rest <= 1

    to(run, 1_800, second=7_300)

    assert limit(run) == 8_140
    assert sum(run.wallet) == 3_000 - sum(run.charges)


def test_a_limit_that_was_raised_too_late_for_the_agent_is_still_an_end_by_budget(run):
    to(run, 2_900, second=4_521)

    job = run.end(4_530, reason="time_limit", used_s=4_522)

    assert (job.reason, sum(run.charges), run.wallet) == ("budget_limit", 999, (3_000 - 999, 0))
    assert Attempt.objects.get().message == "The work was stopped after 4522 s, for which its budget paid."


def test_the_agent_hears_the_limit_with_its_lease_and_with_each_heartbeat(run, client):
    def beat():
        return client.post(
            f"/api/v1/agent/leases/{run.lease.public_id}/heartbeat", {"epoch": 1, "phase": "running"},
            content_type="application/json", headers={"Authorization": f"Bearer {run.agent.secret}"},
        ).json()["time_limit_s"]  # fmt: skip

    limits = lease_as_json(Lease.objects.get(pk=run.lease.pk), run.began)["limits"]
    assert (limits["time_limit_s"], limits["longest_s"]) == (4_522, 10_795)
    assert beat() == 4_522

    to(run, 1_800)

    assert beat() == 8_140


def test_a_lost_machine_leaves_the_raised_budget_for_the_next_try(run):
    stale = Attempt.objects.with_terms().select_related("allocation__reservation").get(pk=run.lease.attempt_id)
    assert stale.job.ceiling_minor == 1_000
    to(run, 1_800)

    end_attempt(attempt=stale, reason="lease_lost", now=run.at(4_100))

    assert Hold.objects.open().get().rest == 1_800, "read again, whatever the end had read before"


@pytest.mark.parametrize("budget_s", [4_521, None])
def test_the_database_lets_no_limit_fall_that_an_agent_was_told(run, budget_s):
    mine = Attempt.objects.filter(pk=run.lease.attempt_id)

    with pytest.raises(DatabaseError, match="attempt_budget_only_rises"), transaction.atomic():
        mine.update(budget_s=budget_s)

    assert run.attempt.budget_s == 4_522


def test_over_http_the_budget_is_raised_in_minor_units(run, buyer, client):
    _, secret = key_of(buyer, "jobs:read", "jobs:write")

    def ask(body, query=""):
        return client.post(
            f"/api/v1/jobs/{run.job.public_id}/raise{query}", body, content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )  # fmt: skip

    tried = ask({"max_total": 1_800}, "?dry_run=true")
    assert (tried.json()["allocation"]["stops_after_s"], run.wallet) == (8_140, (2_000, 1_000)), "nothing is stored"
    assert ask({"max_total": 0}).status_code == 422

    raised = ask({"max_total": 1_800})

    assert (raised.status_code, raised.json()["allocation"]["stops_after_s"]) == (200, 8_140)
    assert (raised.json()["limits"]["total__lte"], raised.json()["cost"]["ceiling_minor"]) == (1_800, 1_800)


def test_nobody_raises_the_budget_of_another(run, client):
    _, secret = key_of(make_organization(), "jobs:read", "jobs:write")
    before = state_of(run)

    answer = client.post(
        f"/api/v1/jobs/{run.job.public_id}/raise", {"max_total": 1_800}, content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )  # fmt: skip

    assert (answer.status_code, state_of(run)) == (404, before)


def test_the_page_of_the_job_tells_the_new_limit(run):
    to(run, 1_800)

    view = job_as_json(Job.objects.with_story().get(pk=run.job.pk), run.at(4_000))

    assert (view["allocation"]["stops_after_s"], view["limits"]["total__lte"]) == (8_140, 1_800)
    assert ChargeLine.objects.count() == 0
