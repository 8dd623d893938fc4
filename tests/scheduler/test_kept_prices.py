"""What hours were worth in one round is where the next begins, and part of its record."""

import zlib
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from scheduler import keptprices, recording
from scheduler.core import canonical
from scheduler.cycle import replay, run_round
from scheduler.instant import place_now
from scheduler.keptprices import forget_past_prices, kept_prices
from scheduler.models import MatchRound, ShadowPriceDay
from tests.market import MONDAY, NOON
from tests.scheduler.scene import make_cpu_offer, make_job, make_round

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SOON = NOON + timedelta(seconds=30)


@pytest.fixture(autouse=True)
def nothing_kept_by_the_process():
    keptprices._kept.clear()


def crowd(count, now=NOON, **fields):
    """So many jobs that each want the whole of one hour."""
    for number in range(count):
        job = make_job(now=now, name=f"job {number}", **fields)
        job.ask = job.ask | {"run_s": 3600, "when": "now"}
        job.finish_by = now + timedelta(minutes=70)
        job.save()


def match(now=NOON, **how):
    return MatchRound.objects.get(pk=run_round(segment="cpu", now=now, **how).pk)


def prices_of(offer, now=NOON):
    return kept_prices(segment="cpu", offers=[offer], now=now, hours=169).get(offer.public_id, ())


def price_hours(offer, prices):
    """Prices of MONDAY as if a round had just found them."""
    MatchRound.objects.filter(pk=make_round(NOON).pk).update(utility=0, bound=0)
    ShadowPriceDay.objects.update_or_create(
        offer=offer, day=MONDAY.date(), defaults={"prices": prices, "round": MatchRound.objects.first(), "at": NOON}
    )


def test_a_round_with_too_few_units_writes_what_one_more_would_have_been_worth():
    offer = make_cpu_offer(units=2)
    crowd(5)

    round_ = match()

    row = ShadowPriceDay.objects.get()
    assert (row.offer, row.day, row.round, row.at) == (offer, MONDAY.date(), round_, NOON)
    assert [hour for hour, price in enumerate(row.prices) if price] == [12]
    assert prices_of(offer) == (row.prices[12],)


def test_where_there_is_enough_nothing_is_written():
    make_cpu_offer(units=200)
    crowd(2)

    assert match().placed == 2
    assert not ShadowPriceDay.objects.exists()


def test_the_next_round_begins_at_the_prices_and_its_replay_does_too():
    offer = make_cpu_offer(units=2)
    crowd(5)
    first = match()
    kept = prices_of(offer)
    crowd(3, now=SOON)

    second = match(SOON)

    seen = recording.snapshot_of(second)
    assert (first.price_steps > second.price_steps, second.price_steps) == (True, 20)
    assert recording.snapshot_of(first).warm == {}
    assert seen.warm == {offer.public_id: kept}
    assert replay(second)
    assert canonical.load_plan(zlib.decompress(second.result)).prices.keys() <= {offer.public_id}


@pytest.mark.django_db(transaction=True)
def test_a_record_stored_against_another_round_has_its_prices_too():
    offer, *_others = (make_cpu_offer(units=2) for _ in range(4))
    price_hours(offer, [0] * 12 + [50] * 12)
    make_job(now=NOON)
    first = match()
    price_hours(offer, [0] * 12 + [60] * 12)
    make_job(now=SOON)

    second = match(SOON)

    assert (second.base, second.mode) == (first, "batch")
    assert recording.snapshot_of(second).warm == {offer.public_id: (60,) * 12}
    assert replay(second)


def test_a_changed_price_is_another_round():
    make_cpu_offer(units=2)
    crowd(5)
    match()
    crowd(3, now=SOON)
    second = match(SOON)

    tree = zlib.decompress(second.snapshot)
    plan = canonical.load_plan(zlib.decompress(second.result))
    MatchRound.objects.filter(pk=second.pk).update(
        result=zlib.compress(canonical.dump_plan(type(plan)(plan.placed, plan.unplaced, bound=plan.bound)))
    )

    assert b'"warm":{"ofr_' in tree
    assert not replay(MatchRound.objects.get(pk=second.pk))


@pytest.mark.parametrize("units", [0, 1])
def test_hours_that_nobody_wants_lose_their_price_and_the_bound_is_none_the_worse(units):
    offer = make_cpu_offer(units=2)
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + HOUR, 2 - units), units=2 - units)
    price_hours(offer, [0] * 20 + [700] * 4)
    crowd(1)

    round_ = match()

    assert recording.snapshot_of(round_).warm[offer.public_id][-4:] == (700,) * 4
    assert ShadowPriceDay.objects.get().prices[20:] == [0] * 4
    assert (round_.placed, round_.bound, round_.ratio_bp) == ((1, round_.utility, 10_000) if units else (0, 0, None))


def test_another_process_reads_what_this_one_wrote_and_this_one_reads_no_row_again(django_assert_num_queries):
    offer = make_cpu_offer(units=2)
    crowd(5)
    match()

    with django_assert_num_queries(1):
        ours = prices_of(offer)
    keptprices._kept.clear()

    assert prices_of(offer) == ours != ()


def test_an_hour_later_the_prices_begin_an_hour_later():
    offer = make_cpu_offer(units=2)
    price_hours(offer, list(range(24)))

    assert prices_of(offer, NOON + HOUR) == tuple(range(13, 24))
    assert prices_of(offer, NOON + 12 * HOUR) == ()


def test_prices_that_cannot_be_written_cost_no_round(monkeypatch, caplog):
    make_cpu_offer(units=2)
    crowd(5)

    def refuse(*_):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(keptprices, "_write", refuse)
    round_ = match()

    assert round_.placed == 2
    assert "were not kept: the disk is full" in caplog.text
    assert not ShadowPriceDay.objects.exists()


def test_at_once_is_placed_only_what_pays_for_its_hours():
    offer = make_cpu_offer(units=4)
    price_hours(offer, [0] * 12 + [1] + [0] * 11)
    make_job(now=NOON)
    [quick] = place_now(segment="cpu", now=NOON)
    price_hours(offer, [0] * 12 + [10**9] + [0] * 11)
    make_job(now=NOON)

    [careful] = place_now(segment="cpu", now=NOON)

    assert [(each.mode, each.placed) for each in (quick, careful)] == [("instant", 1), ("batch", 1)]
    assert recording.snapshot_of(quick).warm == {offer.public_id: (1,)}
    assert replay(MatchRound.objects.get(pk=quick.pk))


def test_a_job_that_does_not_pay_for_its_hours_waits_for_a_batch_that_prices_them_anew():
    offer = make_cpu_offer(units=4)
    price_hours(offer, [0] * 12 + [10**9] + [0] * 11)
    make_job(now=NOON)

    place_now(segment="cpu", now=NOON)

    assert ShadowPriceDay.objects.get().prices[12] < 10**9


def test_days_that_are_over_are_forgotten():
    make_cpu_offer(units=2)
    crowd(5)
    match()

    assert forget_past_prices(now=NOON) == 0
    assert forget_past_prices(now=NOON + 12 * HOUR) == 1
    assert not ShadowPriceDay.objects.exists()


@pytest.mark.parametrize("prices", [[0] * 23, [0] * 23 + [-1]])
def test_the_database_keeps_only_whole_days_of_prices_that_are_not_negative(prices):
    make_cpu_offer(units=2)
    crowd(5)
    match()

    with pytest.raises(IntegrityError, match="shadow_price_of_every_hour"), transaction.atomic():
        ShadowPriceDay.objects.update(prices=prices)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_before_it_keeps_its_prices_leaves_a_whole_round(monkeypatch):
    make_cpu_offer(units=2)
    crowd(5)

    def die(**_):
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("scheduler.cycle.keep_prices", die)
        match()

    assert MatchRound.objects.get().placed == 2
    assert not ShadowPriceDay.objects.exists()
    assert connection.connection is not None
    crowd(1, now=SOON)
    assert replay(match(SOON))
