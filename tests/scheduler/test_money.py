"""The money of jobs: held at submission, captured at the end, released with the job."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.booking.models import CapacityDay, ChargeLine, ServiceCredit, Settlement
from marketplace.common.errors import IllegalState
from marketplace.ledger.errors import InsufficientFunds
from marketplace.ledger.models import Hold, Journal
from marketplace.ledger.wallets import wallet_of
from scheduler.attempts import end_attempt
from scheduler.cycle import run_round
from scheduler.finishing import finish
from scheduler.jobfile import parse
from scheduler.jobview import job_as_json
from scheduler.models import Attempt, Job, Lease
from scheduler.money import release_surplus
from scheduler.services import Actor, cancel_job, expire_jobs, relax_job, retry_job, submit_job
from scheduler.states import is_paid
from tests.market import make_organization
from tests.scheduler.scene import TestAgent, make_cpu_offer

pytestmark = pytest.mark.django_db
AGO = timedelta(minutes=40)  # so long ago jobs were submitted and placed
FILE = "name: hello\nrun: echo hello\nconfig:\n  joulemart:\n    time_limit_s: 3600\n    retries: 1\n"


@pytest.fixture
def offer():
    """A vCPU for 4.00 an hour, 4 % fee on top: 4.16 all-in, and 4.16 for a job of an hour."""
    offer = make_cpu_offer(now=timezone.now() - AGO)  # also when that was yesterday
    offer.rate_mm = [400_000] * 168
    offer.save(update_fields=["rate_mm"])
    return offer


@pytest.fixture
def buyer():
    return make_organization(funds=1_000)


def submit(buyer, text=FILE):
    return submit_job(actor=Actor(organization=buyer), file=parse(text), now=timezone.now() - AGO)


def wallet(buyer):
    found = wallet_of(organization=buyer, asset="USD", livemode=False)
    return found.available, found.held


def start(offer, job):
    """Place the job and have an agent claim it; (agent, lease)."""
    agent = TestAgent(offer, now=timezone.now())
    run_round(segment="cpu", now=timezone.now() - AGO)
    [lease] = agent.claim(now=timezone.now())
    assert lease.attempt.job_id == job.pk
    Lease.objects.filter(pk=lease.pk).update(granted_at=timezone.now() - AGO)
    return agent, lease


def lose(job):
    """The agent of the job falls silent."""
    attempt = Attempt.objects.select_related("job__buyer", "allocation__offer__site__provider").get(
        job=job, ended_at=None
    )
    end_attempt(attempt=attempt, reason="lease_lost", now=timezone.now())
    job.refresh_from_db()


def end(agent, lease, *, ran_s, reason="succeeded"):
    """The agent's last word, with a signed line over `ran_s` seconds."""
    report = agent.report(lease, reason=reason, usage=[agent.usage(lease, 1000 * ran_s)])
    return finish(public_id=lease.public_id, key=agent.key, report=report, now=timezone.now())


def test_a_submission_holds_the_most_that_the_job_may_cost(offer, buyer):
    job = submit(buyer)

    assert (job.ceiling_minor, wallet(buyer)) == (416, (584, 416))
    assert job.ask["limits"]["total__lte"] == 416, "no offer may cost more than is held"


def test_a_stated_budget_is_what_is_held(offer, buyer):
    job = submit(buyer, FILE + "    max_total: 700\n")

    assert (job.ceiling_minor, wallet(buyer)) == (700, (300, 700))


def test_a_job_that_the_wallet_cannot_pay_is_refused_and_nothing_is_written(offer):
    poor = make_organization(funds=415)

    with pytest.raises(InsufficientFunds) as refusal:
        submit(poor)

    assert refusal.value.facts == {"asset": "USD", "available": 415, "needed": 416}
    assert not Job.objects.exists()
    assert wallet(poor) == (415, 0)


def test_a_run_is_charged_by_the_second_and_the_rest_comes_back_with_the_end(offer, buyer):
    job = submit(buyer)
    agent, lease = start(offer, job)

    end(agent, lease, ran_s=1_800)

    line, row = ChargeLine.objects.get(), Settlement.objects.get()
    assert (line.attempt, line.quantity, line.charge_minor, line.fee_minor) == (lease.attempt.public_id, 1_800, 208, 8)
    assert (row.job, row.charged_minor, row.released_minor) == (job.public_id, 208, 208)
    assert wallet(buyer) == (792, 0)
    assert [each.kind for each in Journal.objects.exclude(kind="topup_offline")] == ["hold", "capture", "release"]


def test_a_second_last_word_charges_nothing_more(offer, buyer):
    agent, lease = start(offer, submit(buyer))
    for _ in range(2):
        end(agent, lease, ran_s=1_800)

    assert (wallet(buyer), ChargeLine.objects.count()) == ((792, 0), 1)


@pytest.mark.parametrize(("ran_s", "paid"), [(3_599, False), (3_600, True)])
def test_interruptible_work_that_made_room_is_paid_from_an_hour_of_running_on(ran_s, paid):
    assert is_paid("preempted", tier="interruptible", ran_s=ran_s) is paid
    assert not is_paid("preempted", tier="firm", ran_s=ran_s)


@pytest.mark.parametrize("reason", ["image_failed", "input_missing"])
def test_what_never_ran_costs_nothing(offer, buyer, reason):
    agent, lease = start(offer, submit(buyer))

    report = agent.report(lease, reason=reason)
    job = finish(public_id=lease.public_id, key=agent.key, report=report, now=timezone.now())

    assert (job.state, wallet(buyer)) == ("failed", (1_000, 0))
    assert not ChargeLine.objects.exists()


def test_a_program_that_failed_by_itself_is_paid_for(offer, buyer):
    agent, lease = start(offer, submit(buyer))

    end(agent, lease, ran_s=900, reason="exit_nonzero")

    assert wallet(buyer) == (896, 0)


def test_a_lost_lease_costs_nothing_earns_a_credit_and_the_next_try_is_held_for(offer, buyer):
    job = submit(buyer)
    start(offer, job)

    lose(job)

    credit = ServiceCredit.objects.get()
    assert (job.state, credit.kind, credit.amount_minor) == ("queued", "interruption", 41)
    assert wallet(buyer) == (1_000 - 416 + 41, 416)


def test_a_job_that_fails_for_good_gives_all_back_with_its_credits(offer, buyer):
    job = submit(buyer)
    for _ in range(2):
        Job.objects.update(excluded_sites=[], next_attempt_at=timezone.now() - AGO)
        start(offer, job)
        lose(job)

    assert job.state == "failed"
    assert wallet(buyer) == (1_000 + 2 * 41, 0)
    assert not Hold.objects.open().exists()


def test_cancelling_a_waiting_job_gives_all_back(offer, buyer):
    cancel_job(job=submit(buyer), now=timezone.now())

    assert wallet(buyer) == (1_000, 0)
    assert Settlement.objects.get().released_minor == 416


def test_a_job_whose_window_passed_gives_all_back(offer, buyer):
    submit(buyer, FILE + f'    finish_by: "{(timezone.now() + timedelta(hours=2)).isoformat()}"\n')

    assert expire_jobs(now=timezone.now() + timedelta(hours=3)) == 1

    assert wallet(buyer) == (1_000, 0)


def test_relaxing_a_limit_holds_for_what_fits_now(offer, buyer):
    dear = make_cpu_offer(now=timezone.now())
    dear.rate_mm = [800_000] * 168
    dear.save(update_fields=["rate_mm"])
    job = submit(buyer, FILE + "    price_max: 500\n")
    assert wallet(buyer) == (584, 416)

    relax_job(job=job, limits={"price__lte": None}, now=timezone.now())

    assert wallet(buyer) == (168, 832)


def test_a_budget_that_the_wallet_cannot_pay_leaves_the_job_as_it_was(offer, buyer):
    job = submit(buyer)

    with pytest.raises(InsufficientFunds):
        relax_job(job=job, limits={"total__lte": 1_001}, now=timezone.now())

    job.refresh_from_db()
    assert (job.version, job.ceiling_minor, wallet(buyer)) == (1, 416, (584, 416))


def test_only_a_stated_budget_is_shown_as_a_limit(offer, buyer):
    held, stated = submit(buyer), submit(buyer, FILE + "    max_total: 500\n")

    assert "total__lte" not in job_as_json(held, timezone.now())["limits"]
    assert job_as_json(stated, timezone.now())["limits"]["total__lte"] == 500
    relaxed = relax_job(job=held, limits={"total__lte": 450}, now=timezone.now())
    assert job_as_json(relaxed, timezone.now())["limits"]["total__lte"] == 450


def test_a_smaller_budget_gives_money_back_at_once(offer, buyer):
    relax_job(job=submit(buyer, FILE + "    max_total: 700\n"), limits={"total__lte": 500}, now=timezone.now())

    assert wallet(buyer) == (500, 500)


def test_a_retry_is_paid_for_like_any_other_job(offer):
    buyer = make_organization(funds=416)
    job = submit(buyer)
    with pytest.raises(IllegalState):
        retry_job(job=job, actor=Actor(organization=buyer), now=timezone.now())
    cancel_job(job=job, now=timezone.now())
    job.refresh_from_db()

    retry_job(job=job, actor=Actor(organization=buyer), now=timezone.now())

    assert wallet(buyer) == (0, 416)


def test_what_the_contract_does_not_need_goes_back_soon_after_the_allocation(offer, buyer):
    job = submit(buyer, FILE + "    max_total: 700\n")
    start(offer, job)

    assert [release_surplus(now=timezone.now() - AGO) for _ in range(2)] == [1, 0]

    assert wallet(buyer) == (584, 416)


def test_surplus_of_many_jobs_goes_back_in_sets_and_each_is_charged_as_before(offer, buyer, monkeypatch):
    monkeypatch.setattr("scheduler.money.AT_ONCE", 2)
    rich = make_organization(funds=100_000)
    offer.units = 5
    offer.save(update_fields=["units"])
    CapacityDay.objects.filter(offer=offer).update(units_total=[5] * 24)
    for each in (buyer, rich, rich, rich, rich):
        submit(each, FILE + "    max_total: 700\n")
    TestAgent(offer, now=timezone.now())
    run_round(segment="cpu", now=timezone.now() - AGO)

    assert release_surplus(now=timezone.now() - AGO) == 5

    assert (wallet(buyer), wallet(rich)) == ((584, 416), (100_000 - 4 * 416, 4 * 416))


def test_a_job_that_waits_again_holds_its_budget_again(offer, buyer):
    job = submit(buyer, FILE + "    max_total: 700\n")
    start(offer, job)
    release_surplus(now=timezone.now() - AGO)

    lose(job)

    assert (job.state, job.ask["limits"]["total__lte"]) == ("queued", 700)
    assert wallet(buyer) == (1_000 - 700 + 41, 700)


def test_a_job_that_waits_again_may_cost_what_is_left_when_the_wallet_is_empty(offer, buyer):
    job = submit(buyer, FILE + "    max_total: 700\n")
    start(offer, job)
    release_surplus(now=timezone.now() - AGO)
    submit(buyer, FILE + "    max_total: 584\n")

    lose(job)

    assert (job.state, job.ask["limits"]["total__lte"], job.ceiling_minor) == ("queued", 416, 700)
    assert wallet(buyer) == (41, 416 + 584)
