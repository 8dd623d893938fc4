"""Plans are sound, deterministic, replayable, and say what would help."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings

from benchmarks.market import draw, snapshot_of
from scheduler.core import canonical, checker, explain, ranking
from scheduler.core.alone import decide_alone
from scheduler.core.feasibility import FILTERS
from scheduler.core.matching import match
from scheduler.core.survey import Round
from tests.core import reference
from tests.core.market import HOUR, NOON, ask, markets, offer, snapshot


@settings(max_examples=300, deadline=None)
@given(markets())
def test_every_plan_is_sound(market):
    assert checker.faults(market, match(market)) == []


@settings(max_examples=300, deadline=None)
@given(markets())
def test_the_plan_is_that_of_the_plain_twin(market):
    decided = [(each.ask, each.offer, each.start_s, each.z) for each in match(market).placed]

    assert decided == reference.decide(market)


@settings(max_examples=100, deadline=None)
@given(markets())
def test_equal_bytes_in_give_equal_bytes_out(market):
    content = canonical.dump_snapshot(market)
    again = canonical.load_snapshot(content)

    assert canonical.dump_snapshot(again) == content
    plan = canonical.dump_plan(match(market))
    assert canonical.dump_plan(match(again)) == plan
    assert canonical.dump_plan(canonical.load_plan(plan)) == plan


@settings(max_examples=100, deadline=None)
@given(markets())
def test_the_order_of_offers_changes_nothing(market):
    turned = replace(market, offers=tuple(reversed(market.offers)))

    assert match(turned) == match(market)


@settings(max_examples=200, deadline=None)
@given(markets())
def test_a_relaxed_limit_surely_admits(market):
    """Applying the changes of a refusal lets the ask fit when it is alone and nothing is promised."""
    empty = replace(market, offers=tuple(replace(each, free=each.units_total) for each in market.offers))
    for wish in market.asks:
        [refused] = match(replace(empty, asks=(wish,))).unplaced or [None]
        if refused is None or refused.code != "never_fits":
            continue
        for way in refused.relax:
            relaxed = apply(wish, way.changes)
            assert ranking.rank(replace(empty, asks=(relaxed,)), relaxed).ranked, way


def apply(wish, changes):
    limits, fields = dict(wish.limits), {}
    for name, value in changes:
        if name in FILTERS:
            limits.pop(name, None)
            if value is not None:
                limits[name] = value
        elif name == "excluded_sites":
            fields["excluded_sites"] = ()
        else:
            fields[{"units": "units", "finish_by": "finish_by_s", "start_after": "start_after_s"}[name]] = value
    return replace(wish, limits=limits, **fields)


@settings(max_examples=200, deadline=None)
@given(markets())
def test_an_ask_alone_is_told_what_a_round_would_decide(market):
    """The compiled rounds and the survey of every column share one cost, one set of limits, one refusal."""
    for wish in market.asks:
        by_itself = replace(market, asks=(wish,))
        plan, told = match(by_itself), decide_alone(by_itself, wish)
        placed = [(told.chosen.offer.id, told.chosen.start_s, told.chosen.z)] if told.chosen else []
        assert placed == [(each.offer, each.start_s, each.z) for each in plan.placed]
        assert ([told.refused] if told.refused else []) == list(plan.unplaced)


def test_a_job_waits_for_units_now_rather_than_take_a_later_hour():
    busy = offer("X", hours=4, free=[0, 4, 4, 4], total=4)
    wish = ask(run_s=60)

    plan = match(snapshot([busy], wish))

    assert plan.placed == ()
    assert plan.unplaced[0].code in {"no_capacity", "outbid"}


def test_a_job_that_prefers_a_later_hour_is_promised_it():
    cheap_later = offer("X", hours=4, price=[200_000, 200_000, 100_000, 200_000], free=4)
    wish = ask(run_s=HOUR, when="cheapest")

    [placed] = match(snapshot([cheap_later], wish)).placed

    assert placed.start_s == NOON + 2 * HOUR


def test_a_due_job_takes_the_later_hour():
    busy = offer("X", hours=4, free=[0, 4, 4, 4], total=4)

    [placed] = match(snapshot([busy], ask(run_s=60, due_s=NOON - 1))).placed

    assert placed.start_s == NOON + HOUR


def test_the_denser_ask_goes_first_and_the_other_learns_it_was_outbid():
    one = offer("X", hours=2, free=[1, 0], total=1)
    rich = ask("rich", run_s=60, bid_mm=400_000)
    poor = ask("poor", run_s=60, bid_mm=1)

    plan = match(snapshot([one], poor, rich))

    assert [each.ask for each in plan.placed] == ["rich"]
    assert [(each.ask, each.code) for each in plan.unplaced] == [("poor", "outbid")]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"accelerator": ("H200",)}, "hardware"),
        ({"memory_gb__gte": 81}, "memory_gb"),
        ({"tier": ("interruptible",)}, "tier"),
        ({"term": ("reserved",)}, "term"),
        ({"currency": ("EUR",)}, "currency"),
        ({"residency": ("DE",)}, "residency"),
        ({"region": ("west",)}, "region"),
        ({"offer": ("Y",)}, "offer"),
        ({"provider": ("p",)}, "provider"),
        ({"kind": ("edge",)}, "kind"),
        ({"latency_ms__lte": 9}, "latency"),
        ({"price__lte": 199}, "price"),
        ({"price_pflop__lte": 202}, "price"),
        ({"total__lte": 199}, "total"),
        ({"renewable_share__gte": 500_001}, "renewable"),
        ({"matched_share__gte": 1}, "matched"),
        ({"carbon_free_share__gte": 1}, "carbon_free"),
        ({"carbon_g_per_kwh__lte": 399_999}, "carbon"),
        ({"carbon_cap_g": 399}, "carbon_cap"),
        ({"notice_s__gte": 121}, "notice_s"),
        ({"boot_s__lte": 59}, "boot_s"),
        ({"reliability__gte": 999_001}, "reliability"),
        ({"energy_source": ("wind", "hydro")}, "energy_source"),
        ({"temporal_resolution": "day"}, "temporal_resolution"),
        ({"evidence": "audited"}, "evidence"),
        ({"free__gte": 9}, "free"),
        ({"egress": True}, "network"),
        ({"interconnect": ("PCIe",)}, "interconnect"),
        ({"served": True}, "served"),
    ],
)
def test_each_limit_refuses_under_its_own_code(limits, code):
    x = offer("X", served="served" not in limits, energy_sources=("onsite", "solar"), temporal_resolution="month")
    wish = ask(limits=limits, start_s=NOON)

    answer = ranking.rank(snapshot([x], wish), wish)

    assert answer.rejected == {code: 1}
    assert answer.refused[0][1] == (code,)


@pytest.mark.parametrize(
    "limits",
    [
        {"accelerator": ("H100", "H200")},
        {"memory_gb__gte": 80},
        {"latency_ms__lte": 10},
        {"price__lte": 200},
        {"price_pflop__lte": 203},
        {"total__lte": 200},
        {"renewable_share__gte": 500_000},
        {"carbon_g_per_kwh__lte": 400_000},
        {"carbon_cap_g": 400},
        {"notice_s__gte": 120},
        {"boot_s__lte": 60},
        {"reliability__gte": 999_000},
        {"energy_source": ("wind", "solar")},
        {"temporal_resolution": "day"},
        {"evidence": "documents"},
        {"free__gte": 8},
        {"egress": False},
    ],
)
def test_each_limit_passes_at_its_very_edge(limits):
    x = offer("X", energy_sources=("onsite", "solar"), temporal_resolution="day")
    wish = ask(limits=limits, start_s=NOON)

    assert ranking.rank(snapshot([x], wish), wish).ranked


def test_an_unknown_value_fails():
    x = offer("X", latency_ms={}, reliability_ppm=None)
    for limits in ({"latency_ms__lte": 10_000}, {"reliability__gte": 0}):
        wish = ask(limits=limits)
        assert not ranking.rank(snapshot([x], wish), wish).ranked


def test_the_window_counts_the_time_to_start():
    x = offer("X", hours=3)
    assert match(snapshot([x], ask(run_s=3000, finish_by_s=NOON + 3120))).placed
    [refused] = match(snapshot([x], ask(run_s=3000, finish_by_s=NOON + 3119))).unplaced
    assert refused.rejected == {"window": 1}


def test_a_job_whose_window_opens_beyond_the_known_hours_waits_instead_of_being_refused():
    x = offer("X", hours=3)
    later = NOON + 10 * HOUR
    codes = {
        wish.id: match(snapshot([x], wish)).unplaced[0].code
        for wish in (
            ask("later", start_after_s=later),
            ask("later-and-too-dear", start_after_s=later, limits={"price__lte": 1}),
            ask("too-late", finish_by_s=NOON + 60),
        )
    }

    assert codes == {"later": "no_offer_fits", "later-and-too-dear": "never_fits", "too-late": "never_fits"}


def test_offers_that_fit_already_are_not_said_to_return():
    dear_later = offer("X", price=[200_000, 900_000])
    grey = offer("Y", share=100_000)
    wish = ask(limits={"price__lte": 300, "renewable_share__gte": 400_000})

    answer = ranking.rank(snapshot([dear_later, grey], wish), wish)

    assert [(way.limits, way.offers, way.offer, way.to) for way in answer.relax] == [(("renewable",), 1, "Y", 100_000)]


def test_the_explanation_adds_up_and_names_every_offer():
    wish = ask(units=2, limits={"renewable_share__gte": 400_000})
    market = snapshot(
        [offer("A"), offer("B", price=210_000), offer("C", price=220_000), offer("D", share=300_000)], wish
    )
    answer = ranking.rank(market, wish)

    told = explain.why(answer, answer.ranked[0])

    assert told["chosen"]["offer"] == "A"
    assert sum(told["chosen"]["terms"].values()) == told["chosen"]["z"]
    fit = told["chosen"]["fit"]
    assert round(fit["price"] + fit["latency"] + fit["green"], 1) == fit["total"]
    assert told["runner_up"]["offer"] == "B"
    assert told["runner_up"]["difference"]["price"] == told["runner_up"]["z"] - told["chosen"]["z"]
    assert [each["offer"] for each in told["others"]] == ["C"]
    assert told["refused"] == [
        {"offer": "D", "title": "D", "site": "D", "limits": ["renewable"], "sentence": "It is not renewable enough."}
    ]
    assert told["considered"] == 4


def test_a_thousand_jobs_on_two_hundred_offers_are_placed_soundly():
    offers = [
        offer(f"o{n:03}", hours=169, price=[150_000 + 500 * ((n * 7 + h) % 97) for h in range(169)], free=3 + n % 9,
              share=[10_000 * ((n + h) % 90) for h in range(169)])
        for n in range(200)
    ]  # fmt: skip
    asks = [ask(f"j{n:04}", units=1 + n % 3, run_s=HOUR * (1 + n % 5)) for n in range(1000)]
    market = snapshot(offers, *asks)

    plan = match(market)

    assert checker.faults(market, plan) == []
    assert len(plan.placed) > 500


@pytest.mark.parametrize("seed", range(3))
def test_every_placement_among_more_offers_of_a_group_than_a_word_has_bits_is_the_best_that_was_left(seed):
    assert_best_of_what_was_left(wide_market(seed))


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("hours", [72, 169])
def test_every_placement_of_a_long_market_is_the_best_that_was_left(seed, hours):
    """Beyond the sizes kept apart, with a week to start in and some hours of every offer taken."""
    assert_best_of_what_was_left(long_market(seed, hours))


def assert_best_of_what_was_left(market):
    """Every placement against every column that the placements before it left."""
    asks, left = {each.id: each for each in market.asks}, Round(market)

    plan = match(market)

    assert len(plan.placed) > 20
    for placement in plan.placed:
        best = ranking.rank_in(left, asks[placement.ask], with_relax=False).ranked[0]
        assert (best.offer.id, best.start_s, best.z) == (placement.offer, placement.start_s, placement.z)
        left.take_hours(placement)
    for refusal in plan.unplaced:
        assert ranking.rank_in(left, asks[refusal.ask], with_relax=False).ranked == ()


def wide_market(seed):
    """The offers of a long market, each fifteen times at its own price and mostly taken, in two groups."""
    market, dice = long_market(seed, 72), random.Random(seed)
    offers = tuple(
        replace(
            each, id=f"{each.id}{copy}",
            price=tuple(price + 5000 * copy + dice.randrange(9000) for price in each.price),
            free=tuple(dice.choice((0, 3)) if dice.random() < 0.4 else 3 for _ in each.free),
            zone="z", hardware=("h", "g")[number % 2], pf_milli=989, share_ppm=market.offers[0].share_ppm,
            ci_mg=market.offers[0].ci_mg,
        )
        for number, each in enumerate(market.offers)
        for copy in range(15)
    )  # fmt: skip
    asks = [replace(each, units=min(each.units, 3), limits={}) for each in market.asks]
    return replace(market, offers=offers, asks=tuple(asks))


def long_market(seed, hours):
    """Up to 12 units, some asks with a week to start in, others alike, hours of every offer taken here and there."""
    drawn = snapshot_of(draw(jobs=90, offers=12, hours=hours, seed=seed))
    dice = random.Random(seed)
    offers = tuple(replace(each, free=tuple(dice.choice((0, 3, 9, 14)) for _ in each.free)) for each in drawn.offers)
    offers = tuple(replace(each, units_total=(14,) * hours) for each in offers)
    asks = [
        replace(
            each, units=each.units + dice.choice((0, 0, 4)), run_s=min(each.run_s, dice.choice((3000, 9000, 20_000)))
        )
        for each in drawn.asks
    ]
    asks = [replace(each, finish_by_s=None) if number % 3 == 0 else each for number, each in enumerate(asks)]
    twins = [replace(each, id=f"{each.id}t") for each in asks[::4]]
    twins += [replace(each, id=f"{each.id}u", units=1) for each in asks[1::4]]
    return replace(drawn, now_s=drawn.now_s + 1500, offers=offers, asks=(*asks, *twins))
