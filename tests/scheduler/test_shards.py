"""Families split by region groups: a job looks in one group after another, and is told what the whole market said."""

from datetime import timedelta

import pytest

from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from marketplace.catalog.models import Offer
from scheduler.attempts import bring_forward
from scheduler.cycle import run_round
from scheduler.instant import place_now
from scheduler.jobfile import parse
from scheduler.models import Allocation, Job, MatchRound
from scheduler.moving import adopt
from scheduler.services import Actor, cancel_job, relax_job, submit_job
from scheduler.shards import Shard, Trip
from scheduler.tasks import sweep
from tests.market import NOON, at, make_cpu, make_offer, make_organization, make_site
from tests.scheduler.scene import TestAgent, make_job, publish_hours

pytestmark = pytest.mark.django_db
EUROPE, AMERICAS, REST = "europe", "americas", "rest"
SOON = timedelta(seconds=16)
FILE = """\
name: hello
run: echo hello
resources: {cpus: 1}
config: {joulemart: {time_limit_s: 120}}
"""


@pytest.fixture(autouse=True)
def split(settings):
    settings.REGION_GROUPS = {EUROPE: ("DE", "FR"), AMERICAS: ("US",), REST: ()}


@pytest.fixture
def hints(monkeypatch):
    """The shards that were woken."""
    woken = []
    for module in ("moving", "attempts", "services", "tasks"):
        monkeypatch.setattr(f"scheduler.{module}.wake", woken.append)
    return woken


def offer_in(country, *, units=2, rate_mm=4_000):
    offer = make_offer(make_site(country=country), hardware=make_cpu(), units=units, rate_mm=rate_mm)
    publish_hours(offer.site.zone, NOON)
    return offer


def waiting_in(*groups, **fields):
    return make_job(now=NOON, region_group=groups[0], trip=Trip(groups).as_json(), **fields)


def limited(**limits):
    return {
        "units": 1, "run_s": 600, "segment": "cpu", "weights": [40, 20, 40], "when": "balanced", "near": None,
        "limits": {"family": ["cpu"], **limits}, "rates": None, "reference_pf_milli": None, "time_limit_by_class": {},
    }  # fmt: skip


def fill(offer):
    """Take all its units for longer than any round looks ahead."""
    hours = hours_by_day(at(NOON, -12), at(NOON, 360), offer.units)
    take_hours(offer=offer, wanted=hours, units=offer.units)


def match(group, now=NOON):
    return run_round(segment=f"cpu.{group}", now=now)


def fresh(job):
    return Job.objects.get(pk=job.pk)


def test_a_round_sees_the_offers_and_the_jobs_of_its_group_alone():
    offer_in("US", rate_mm=1_000)
    german = offer_in("DE")
    here, elsewhere = waiting_in(EUROPE), waiting_in(AMERICAS)

    round_ = match(EUROPE)

    assert (round_.segment, round_.region_group, round_.jobs_seen) == ("cpu", EUROPE, 1)
    assert Allocation.objects.get(job=here).offer == german
    assert fresh(elsewhere).state == "queued"


def test_a_country_that_no_group_names_belongs_to_the_rest():
    offer = offer_in("JP")
    job = waiting_in(REST)

    match(REST)

    assert Allocation.objects.get(job=job).offer == offer


@pytest.mark.parametrize(("german_mm", "american_mm", "first"), [(2_000, 4_000, EUROPE), (4_000, 2_000, AMERICAS)])
def test_a_submitted_job_first_looks_where_it_may_cost_least(german_mm, american_mm, first, hints):
    TestAgent(offer_in("DE", rate_mm=german_mm), now=NOON)
    TestAgent(offer_in("US", rate_mm=american_mm), now=NOON)

    job = submit_job(actor=Actor(organization=make_organization()), file=parse(FILE), now=NOON)

    assert job.region_group == first
    assert Trip.from_json(job.trip).groups[-1] == REST
    assert hints[-1] == f"cpu.{first}"


def test_a_cheap_region_without_a_unit_left_is_still_tried_first_and_the_next_takes_the_job(hints):
    cheap, dear = offer_in("DE", rate_mm=2_000), offer_in("US", rate_mm=4_000)
    for offer in (cheap, dear):
        TestAgent(offer, now=NOON)
    fill(cheap)
    job = submit_job(actor=Actor(organization=make_organization()), file=parse(FILE), now=NOON)
    assert job.region_group == EUROPE

    match(EUROPE)

    assert (fresh(job).region_group, fresh(job).unplaced, fresh(job).next_attempt_at) == (AMERICAS, None, NOON)
    assert hints[-1] == "cpu.americas"
    match(AMERICAS)
    assert Allocation.objects.get(job=job).offer == dear


def test_a_job_is_told_only_when_all_groups_have_looked_and_then_of_the_whole_market():
    for country in ("DE", "FR", "US", "JP"):
        offer_in(country)
    job = waiting_in(AMERICAS, REST, EUROPE, ask=limited(price__lte=1))

    match(AMERICAS)
    match(REST)
    assert (fresh(job).region_group, fresh(job).unplaced) == (EUROPE, None)
    match(EUROPE)

    told = fresh(job)
    assert (told.unplaced["code"], told.unplaced["rejected"]) == ("never_fits", {"price": 4})
    assert told.unplaced["relax"][0]["offers"] == 4
    assert (told.region_group, told.next_attempt_at > NOON) == (AMERICAS, True)


def test_what_a_split_market_says_is_what_the_whole_one_says(settings):
    for number, country in enumerate(("DE", "FR", "US", "JP")):
        offer_in(country, rate_mm=4_000 + 500 * number, units=1 + number)
    ask = limited(price__lte=1)
    whole = make_job(now=NOON, ask=ask)
    parts = settings.REGION_GROUPS
    settings.REGION_GROUPS = {}
    run_round(segment="cpu", now=NOON)
    settings.REGION_GROUPS = parts
    split_up = waiting_in(REST, AMERICAS, EUROPE, ask=ask)

    for group in (REST, AMERICAS, EUROPE):
        match(group)

    assert fresh(split_up).unplaced == fresh(whole).unplaced


def test_a_market_that_is_full_in_one_part_and_unfit_in_the_others_is_full():
    fill(offer_in("US"))
    offer_in("DE", units=1)
    job = waiting_in(EUROPE, AMERICAS, REST, units=2)
    Job.objects.filter(pk=job.pk).update(ask=job.ask | {"units": 2})

    for group in (EUROPE, AMERICAS, REST):
        match(group)

    assert fresh(job).unplaced["code"] == "no_capacity"


def test_a_refusal_that_says_nothing_new_leaves_no_round_and_the_job_goes_on(hints):
    offer_in("DE")
    job = waiting_in(EUROPE, AMERICAS, REST, ask=limited(price__lte=1))
    for group in (EUROPE, AMERICAS, REST):
        match(group)
    before = MatchRound.objects.count()

    for group in (EUROPE, AMERICAS, REST):
        assert fresh(job).region_group == group
        assert match(group, NOON + SOON) is None

    assert MatchRound.objects.count() == before
    assert (fresh(job).region_group, fresh(job).next_attempt_at > NOON + SOON) == (EUROPE, True)


def refused_everywhere(**fields):
    """(offers by group, a job) after all groups had no unit for it."""
    offers = {EUROPE: offer_in("DE"), AMERICAS: offer_in("US")}
    for offer in offers.values():
        fill(offer)
    job = waiting_in(EUROPE, AMERICAS, REST, **fields)
    for group in (EUROPE, AMERICAS, REST):
        match(group)
    assert fresh(job).next_attempt_at > NOON
    return offers, job


def test_units_given_back_call_a_sleeping_job_to_their_group(hints):
    _, job = refused_everywhere()
    Offer.objects.filter(site__country="US").update(units=3)
    spare = offer_in("US")

    bring_forward(Shard("cpu", AMERICAS), NOON)

    assert (fresh(job).region_group, fresh(job).next_attempt_at) == (AMERICAS, NOON)
    match(AMERICAS)
    assert Allocation.objects.get(job=job).offer == spare


def test_a_cancelled_job_gives_its_units_to_one_that_waits_in_another_group(hints):
    offer = offer_in("US", units=1)
    runs = waiting_in(AMERICAS, EUROPE, REST)
    match(AMERICAS)
    job = waiting_in(EUROPE, AMERICAS, REST)
    for group in (EUROPE, AMERICAS, REST):
        match(group)

    cancel_job(job=fresh(runs), now=NOON + timedelta(seconds=1))

    assert hints[-1] == "cpu.americas"
    match(AMERICAS, NOON + timedelta(seconds=1))
    assert Allocation.objects.get(job=job).offer == offer


def test_a_job_on_its_way_comes_by_again_where_units_were_given_back_after_it_looked():
    """Else news from where it has looked would wait for the next trip, and newcomers there would go first."""
    fill(offer_in("DE"))
    fill(offer_in("US"))
    job = waiting_in(EUROPE, AMERICAS, REST, due_at=NOON - timedelta(hours=1))
    match(EUROPE)
    assert fresh(job).region_group == AMERICAS
    freed = offer_in("FR", units=1)

    bring_forward(Shard("cpu", EUROPE), NOON)
    assert fresh(job).region_group == AMERICAS
    newcomer = waiting_in(EUROPE, AMERICAS, REST)
    match(AMERICAS)
    assert fresh(job).region_group == EUROPE
    match(EUROPE)

    assert Allocation.objects.get(offer=freed).job == job
    assert fresh(newcomer).state == "queued"


def test_steady_news_from_one_group_does_not_keep_a_job_from_looking_in_the_others(hints):
    _, job = refused_everywhere()
    spare = offer_in("DE")
    bring_forward(Shard("cpu", AMERICAS), NOON)
    bring_forward(Shard("cpu", EUROPE), NOON)

    for moment in range(3):
        now = NOON + timedelta(seconds=moment)
        bring_forward(Shard("cpu", AMERICAS), now)
        match(fresh(job).region_group, now)
        if fresh(job).state == "allocated":
            break

    assert Allocation.objects.get(job=job).offer == spare


def test_units_given_back_while_a_round_decides_are_not_overlooked(monkeypatch):
    from scheduler import cycle

    fill(offer_in("DE"))
    job = waiting_in(EUROPE, AMERICAS, REST)
    Job.objects.filter(pk=job.pk).update(unplaced={"code": "no_capacity", "rejected": {}, "relax": []})
    decide = cycle.matching.match

    def decided_then_freed(snapshot):
        plan = decide(snapshot)
        bring_forward(Shard("cpu", EUROPE), NOON + timedelta(seconds=1))
        return plan

    monkeypatch.setattr(cycle.matching, "match", decided_then_freed)
    match(EUROPE)

    assert fresh(job).region_group == EUROPE
    assert fresh(job).next_attempt_at == NOON + timedelta(seconds=1)


def test_a_site_that_failed_is_allowed_again_only_when_no_group_has_another():
    failed = offer_in("DE")
    full = offer_in("US")
    fill(full)
    job = waiting_in(EUROPE, AMERICAS, REST, excluded_sites=[failed.site.public_id])
    for group in (EUROPE, AMERICAS, REST):
        match(group)
    assert fresh(job).excluded_sites == [failed.site.public_id]

    Offer.objects.filter(pk=full.pk).update(state="paused")
    for group in (EUROPE, AMERICAS, REST):
        match(group, NOON + SOON)
    assert (fresh(job).excluded_sites, fresh(job).region_group) == ([], EUROPE)

    match(EUROPE, NOON + SOON)
    assert Allocation.objects.get(job=job).offer == failed


def test_a_job_that_is_queued_again_begins_anew(hints):
    offer = offer_in("US")
    job = waiting_in(EUROPE, AMERICAS, REST)
    match(EUROPE)
    match(AMERICAS)
    attempt = fresh(job).attempts.get()
    assert attempt.allocation.offer == offer

    from scheduler.attempts import end_attempt

    end_attempt(attempt=attempt, reason="node_failed", now=NOON)

    again = fresh(job)
    assert (again.state, again.region_group, Trip.from_json(again.trip).looked) == ("queued", EUROPE, ())


def test_a_relaxed_job_begins_where_it_costs_least_now(hints):
    TestAgent(offer_in("DE", rate_mm=9_000), now=NOON)
    TestAgent(offer_in("US", rate_mm=2_000), now=NOON)
    job = waiting_in(EUROPE, AMERICAS, REST, ask=limited(country=["DE"], price__lte=1))

    relax_job(job=job, limits={"country": None, "price__lte": None}, now=NOON)

    assert fresh(job).region_group == AMERICAS
    assert hints[-1] == "cpu.americas"


def test_a_submission_is_placed_at_once_and_what_is_left_goes_on_in_the_same_task(hints):
    fill(offer_in("DE"))
    job = waiting_in(EUROPE, AMERICAS, REST)

    rounds = place_now(segment="cpu.europe", now=NOON)

    assert [each.mode for each in rounds] == ["batch"]
    assert fresh(job).region_group == AMERICAS
    assert hints == ["cpu.americas"]


def test_a_market_that_is_joined_or_split_again_takes_its_waiting_jobs_along(settings):
    offer_in("US")
    job = make_job(now=NOON)
    adopt(now=NOON)
    assert fresh(job).region_group == EUROPE

    settings.REGION_GROUPS = {}
    adopt(now=NOON)

    assert fresh(job).region_group == ""
    run_round(segment="cpu", now=NOON)
    assert fresh(job).state == "allocated"


def test_a_trip_of_groups_that_are_gone_goes_on_through_those_there_are():
    trip = Trip.from_json({"groups": ["asia", EUROPE], "looked": ["asia"], "heard": {"asia": {}}})

    assert (trip.groups, trip.next, trip.heard) == ((EUROPE, AMERICAS, REST), EUROPE, {})


def test_the_sweep_finds_the_jobs_of_every_shard(monkeypatch):
    seen = []
    monkeypatch.setattr("scheduler.tasks.run_round", lambda segment, now: seen.append(segment))
    waiting_in(REST)
    make_job(now=NOON)

    sweep()

    assert sorted(seen) == ["cpu.europe", "cpu.rest"]
