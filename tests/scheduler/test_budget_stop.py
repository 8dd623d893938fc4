"""Jobs that stop when their budget is used up: placed as if nothing were too dear, ended by what the money pays for."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from marketplace.booking.models import CapacityDay, ChargeLine, Settlement
from marketplace.common.errors import ValidationFailed
from marketplace.ledger.models import Hold
from marketplace.ledger.wallets import wallet_of
from scheduler.attempts import end_attempt
from scheduler.core.types import BATCH, GREEDY, QUALITY
from scheduler.cycle import replay, run_round
from scheduler.errors import LeaseFenced, NeverFits
from scheduler.finishing import finish
from scheduler.instant import place_now
from scheduler.jobfile import JobFileInvalid, parse
from scheduler.jobview import job_as_json
from scheduler.leaseview import lease_as_json
from scheduler.models import Attempt, Job, Lease
from scheduler.money import release_surplus
from scheduler.services import Actor, plan_job, relax_job, submit_job
from scheduler.stopping import seconds_for
from scheduler.story import job_sentence
from scheduler.whyview import why_of
from tests.market import make_organization
from tests.scheduler.scene import TestAgent, make_cpu_offer

pytestmark = pytest.mark.django_db
AGO = timedelta(hours=2)
FILE = "run: echo hello\nresources: {cpus: 4}\nconfig:\n  joulemart:\n    time_limit_s: 10800\n    max_total: 1000\n"
STOP = FILE + "    budget_stop: true\n"


@pytest.fixture
def offer(settings):
    """Four vCPUs for 1.99 an hour each, the fee inside: 23.88 for the three hours of a job."""
    settings.FEE_MODE, settings.ADDED_FEE_BP, settings.FEE_BP = "inside", 0, 1_200
    offer = make_cpu_offer(units=4, now=timezone.now() - AGO)
    offer.rate_mm = [199_000] * 168
    offer.save(update_fields=["rate_mm"])
    return offer


@pytest.fixture
def agent(offer):
    return TestAgent(offer, now=timezone.now())


@pytest.fixture
def buyer():
    return make_organization(funds=1_500)


def actor(buyer):
    return Actor(organization=buyer)


def submit(buyer, text=STOP):
    return submit_job(actor=actor(buyer), file=parse(text), now=timezone.now() - AGO)


def wallet(buyer):
    found = wallet_of(organization=buyer, asset="USD", livemode=False)
    return found.available, found.held


def place(job, mode=GREEDY):
    round_ = run_round(segment="cpu", now=timezone.now() - AGO, mode=mode)
    job.refresh_from_db()
    return round_


def start(agent, job):
    """Place the job and have its agent claim it, so long ago that it may have run."""
    place(job)
    [lease] = claim(agent)
    return lease


def claim(agent):
    """The leases of what was placed, as if they had been granted then."""
    leases = agent.claim(now=timezone.now())
    for lease in leases:
        Lease.objects.filter(pk=lease.pk).update(granted_at=timezone.now() - AGO)
        lease.refresh_from_db()
    return leases


def end(agent, lease, *, ran_s, reason="time_limit"):
    """The agent's last word, with a signed line over `ran_s` seconds."""
    report = agent.report(lease, reason=reason, exit_code=137, usage=[agent.usage(lease, 1000 * ran_s)])
    return finish(public_id=lease.public_id, key=agent.key, report=report, now=timezone.now())


def told(job):
    return job_as_json(Job.objects.with_story().get(pk=job.pk), timezone.now())


def test_money_buys_seconds_in_proportion_rounded_down():
    assert seconds_for(1_000, total=2_388, promised_s=10_800) == 4_522
    assert seconds_for(2_387, total=2_388, promised_s=10_800) == 10_795
    assert seconds_for(2_388, total=2_388, promised_s=10_800) is None, "it pays for all of it"
    assert seconds_for(None, total=2_388, promised_s=10_800) is None
    assert seconds_for(0, total=0, promised_s=10_800) is None


def test_a_budget_that_no_offer_keeps_to_is_refused_unless_the_job_stops_by_it(offer, agent, buyer):
    with pytest.raises(NeverFits) as refusal:
        submit(buyer, FILE)
    assert refusal.value.facts["rejected"]["total"] == 1
    assert (Job.objects.count(), wallet(buyer)) == (0, (1_500, 0))

    job = submit(buyer)

    assert (job.budget_stop, job.budget_stated, job.ceiling_minor, wallet(buyer)) == (True, True, 1_000, (500, 1_000))
    assert "total__lte" not in job.ask["limits"], "the matcher tests no total"
    assert told(job)["limits"]["total__lte"] == 1_000, "its buyer reads what was said"


@pytest.mark.parametrize("mode", [GREEDY, BATCH, QUALITY])
def test_every_kind_of_round_places_it_and_replays_alike(offer, agent, buyer, mode):
    job = submit(buyer)

    round_ = place(job, mode)

    assert (job.state, round_.placed) == ("allocated", 1)
    assert replay(round_)
    assert wallet(buyer) == (500, 1_000), "a round does not touch the books"


def test_a_quiet_segment_places_it_at_once(offer, agent, buyer):
    job = submit(buyer)

    list(place_now(segment="cpu", now=timezone.now() - AGO))

    assert Attempt.objects.get().job == job


def test_the_jobs_of_a_gang_stop_each_by_its_own_budget(offer, agent, buyer):
    pair = STOP.replace("cpus: 4", "cpus: 2").replace("1000", "{}") + "    gang_id: pair\n    gang_size: 2\n"
    jobs = [submit(buyer, pair.replace("{}", budget)) for budget in ("500", "597")]

    place(jobs[0])

    leases = {lease.attempt.job_id: lease for lease in claim(agent)}
    limits = [lease_as_json(leases[job.pk], timezone.now())["limits"]["time_limit_s"] for job in jobs]
    assert limits == [500 * 10_800 // 1_194, 5_400]


def test_what_the_money_pays_for_is_the_limit_of_the_lease(offer, agent, buyer):
    lease = start(agent, submit(buyer))

    assert lease_as_json(lease, timezone.now())["limits"]["time_limit_s"] == 4_522
    assert Attempt.objects.get().budget_s == 4_522


def test_a_run_that_its_budget_ends_says_so_and_pays_the_seconds_used(offer, agent, buyer):
    job = submit(buyer)
    lease = start(agent, job)

    ended = end(agent, lease, ran_s=4_522)

    attempt, line = Attempt.objects.get(), ChargeLine.objects.get()
    assert (ended.state, ended.reason, attempt.reason) == ("failed", "budget_limit", "budget_limit")
    assert attempt.message == "The work was stopped after 4522 s, for which its budget paid."
    assert (line.quantity, line.charge_minor) == (4 * 4_522, 999)
    assert (Settlement.objects.get().released_minor, wallet(buyer)) == (1, (501, 0))


def test_the_same_last_word_again_changes_nothing_and_another_is_fenced(offer, agent, buyer):
    lease = start(agent, submit(buyer))
    for _ in range(2):
        end(agent, lease, ran_s=4_522)

    assert (ChargeLine.objects.count(), wallet(buyer)) == (1, (501, 0))
    with pytest.raises(LeaseFenced):
        end(agent, lease, ran_s=4_522, reason="succeeded")


def test_use_beyond_the_budget_is_the_providers_risk(offer, agent, buyer):
    lease = start(agent, submit(buyer))

    end(agent, lease, ran_s=4_600)

    assert (ChargeLine.objects.get().charge_minor, wallet(buyer)) == (1_000, (500, 0))


def test_a_budget_that_pays_for_all_changes_nothing(offer, agent):
    rich = make_organization(funds=5_000)
    job = submit(rich, STOP.replace("1000", "2388"))
    lease = start(agent, job)

    assert lease.attempt.budget_s is None
    assert lease_as_json(lease, timezone.now())["limits"]["time_limit_s"] == 10_800
    assert end(agent, lease, ran_s=7_000).reason == "time_limit", "it was the time that ended it"


def test_the_surplus_of_a_budget_that_is_too_large_goes_back_and_still_pays_for_all(offer, agent):
    rich = make_organization(funds=5_000)
    job = submit(rich, STOP.replace("1000", "3000"))
    place(job)

    assert release_surplus(now=timezone.now() - AGO) == 1

    [lease] = claim(agent)
    assert (wallet(rich), lease.attempt.budget_s) == ((2_612, 2_388), None)


def test_a_job_and_its_reasons_say_when_the_budget_stops_it(offer, agent, buyer):
    job = submit(buyer)
    place(job)
    waiting = told(job)
    start(agent, job)
    running = told(job)

    for view in (waiting, running):
        assert view["budget_stop"] is True
        assert view["allocation"]["stops_after_s"] == 4_522
        assert view["allocation"]["sentence"].endswith("Its budget ends it before its time limit.")
        assert (view["allocation"]["total_minor"], view["cost"]["ceiling_minor"]) == (2_388, 1_000)
    why = why_of(Job.objects.with_story().get(pk=job.pk))
    assert why["stops_after_s"] == 4_522
    assert why["sentence"].endswith("Its budget ends it before its time limit.")


def test_a_plan_says_when_the_budget_would_stop_it_and_writes_nothing(offer, agent, buyer):
    plan = plan_job(actor=actor(buyer), file=parse(STOP), now=timezone.now() - AGO)

    assert (plan["allocation"]["stops_after_s"], plan["cost"]["ceiling_minor"]) == (4_522, 1_000)
    assert (plan["limits"]["total__lte"], plan["budget_stop"]) == (1_000, True)
    assert (Job.objects.count(), wallet(buyer)) == (0, (1_500, 0))
    plain = plan_job(actor=actor(buyer), file=parse(FILE), now=timezone.now() - AGO)
    assert plain["unplaced"]["code"] == "never_fits"


def test_a_dearer_offer_than_the_budget_says_nothing_of_its_total(offer, agent, buyer):
    """Where nothing else fits, what is told to relax is never the total."""
    with pytest.raises(NeverFits) as refusal:
        submit(buyer, STOP + "    price_max: 100\n")

    assert set(refusal.value.facts["rejected"]) == {"price"}


def test_a_lost_run_costs_nothing_and_the_whole_budget_is_held_again(offer, agent, buyer):
    job = submit(buyer)
    start(agent, job)

    lose(job, "lease_lost")

    assert (job.state, Hold.objects.open().get().rest) == ("queued", 1_000)
    assert "total__lte" not in job.ask["limits"]


def test_a_run_that_made_room_leaves_the_rest_of_the_budget_for_the_next(offer, agent, buyer):
    offer.tier = "interruptible"
    offer.save(update_fields=["tier"])
    job = submit(buyer)
    lease = start(agent, job)

    end(agent, lease, ran_s=3_600, reason="preempted")

    job.refresh_from_db()
    assert (job.state, job.ceiling_minor, wallet(buyer)) == ("queued", 1_000, (500, 204)), "796 of 1000 are spent"
    Job.objects.update(next_attempt_at=timezone.now() - AGO)
    again = start(agent, job)
    assert again.attempt.budget_s == 204 * 10_800 // 2_388


def test_a_run_that_made_room_with_nothing_left_is_the_last(offer, agent, buyer):
    offer.tier = "interruptible"
    offer.save(update_fields=["tier"])
    job = submit(buyer)
    lease = start(agent, job)

    end(agent, lease, ran_s=4_530, reason="preempted")

    job = Job.objects.with_story().get(pk=job.pk)
    assert (job.state, job.reason, wallet(buyer)) == ("failed", "budget_limit", (500, 0))
    assert not Hold.objects.open().exists()
    assert job_sentence(job, list(job.attempts.all())) == "It spent its budget and was stopped."


def lose(job, reason):
    attempt = Attempt.objects.select_related("job__buyer", "allocation__offer__site__provider").get(
        job=job, ended_at=None
    )
    end_attempt(attempt=attempt, reason=reason, now=timezone.now())
    job.refresh_from_db()


def test_another_budget_is_held_instead_and_the_job_still_stops_by_it(offer, agent, buyer):
    job = relax_job(job=submit(buyer), limits={"total__lte": 1_200}, now=timezone.now() - AGO)

    assert (job.budget_stop, job.ceiling_minor, wallet(buyer)) == (True, 1_200, (300, 1_200))
    assert start(agent, job).attempt.budget_s == 1_200 * 10_800 // 2_388


def test_another_limit_leaves_the_budget_as_it_is(offer, agent, buyer):
    job = relax_job(job=submit(buyer), limits={"price__lte": 5_000}, now=timezone.now())

    assert (job.budget_stop, job.ceiling_minor, wallet(buyer)) == (True, 1_000, (500, 1_000))
    assert "total__lte" not in job.ask["limits"]


def test_without_a_budget_it_does_not_stop_and_its_dearest_offer_is_held(offer, agent):
    rich = make_organization(funds=5_000)

    job = relax_job(job=submit(rich), limits={"total__lte": None}, now=timezone.now())

    assert (job.budget_stop, job.budget_stated, job.ceiling_minor) == (False, False, 2_388)
    assert (job.ask["limits"]["total__lte"], wallet(rich)) == (2_388, (2_612, 2_388))


def test_a_budget_of_nothing_is_refused_by_name_and_changes_nothing(offer, agent, buyer):
    job = submit(buyer)

    with pytest.raises(ValidationFailed) as refusal:
        relax_job(job=job, limits={"total__lte": 0}, now=timezone.now())

    assert [each.pointer for each in refusal.value.problems] == ["/limits/total__lte"]
    job.refresh_from_db()
    assert (job.ceiling_minor, job.version, wallet(buyer)) == (1_000, 1, (500, 1_000))


@pytest.mark.parametrize("budget", ["", "    max_total: 0\n"])
def test_a_file_that_stops_by_no_budget_is_refused(budget):
    text = STOP.replace("    max_total: 1000\n", budget)

    with pytest.raises(JobFileInvalid) as refusal:
        parse(text)

    [problem] = refusal.value.errors
    assert (problem.pointer, problem.hint) == ("/config/joulemart/budget_stop", "max_total: 9000")


def test_the_database_refuses_a_stop_without_a_budget(offer, agent, buyer):
    job = submit(buyer)

    with pytest.raises(IntegrityError, match="job_stops_by_a_stated_budget"), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(budget_stated=False)


def test_hours_are_promised_whole_and_come_back_with_the_early_end(offer, agent, buyer):
    job = submit(buyer)
    lease = start(agent, job)
    before = sum(sum(row.units_promised) for row in CapacityDay.objects.filter(offer=offer))

    end(agent, lease, ran_s=4_522)

    assert sum(sum(row.units_promised) for row in CapacityDay.objects.filter(offer=offer)) < before
