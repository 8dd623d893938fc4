"""What a provider is told that an hour could be sold for."""

from datetime import timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from marketplace.booking.hours import hours_by_day
from marketplace.booking.pricing import all_in_rate_mm, compute_rate_mm
from marketplace.booking.services import take_hours
from scheduler import keptprices
from scheduler.core.types import Ask
from scheduler.cycle import run_round
from scheduler.models import Job, MatchRound, ShadowPriceDay
from scheduler.pricesignal import price_signal, sentence_of
from scheduler.suggesting import Refused, most_paid, one_more, suggest
from tests.market import NOON
from tests.scheduler.scene import make_cpu_offer, make_job, make_round

SOON = NOON + timedelta(seconds=30)
HOUR = timedelta(hours=1)
money = st.integers(0, 10**9)
able = st.none() | money


@given(asked=money, shadow=money, free=st.integers(0, 9), for_units=able, for_price=able)
def test_a_suggestion_is_never_negative_nor_above_what_the_buyer_who_went_without_could_pay(
    asked, shadow, free, for_units, for_price
):
    found = suggest(asked=asked, shadow=shadow, free=free, refused=Refused(for_units, for_price))

    if found.code == "scarce":
        assert asked < found.price <= min(asked + shadow, for_units)
    elif found.code == "unsold":
        assert free
        assert 0 <= found.price == for_price < asked
    else:
        assert (found.price, found.code) == (None, "enough" if free else "sold")


@given(asked=money, shadow=money, free=st.integers(0, 9), refused=st.builds(Refused, able, able))
def test_the_more_an_hour_is_worth_the_more_is_suggested(asked, shadow, free, refused):
    less = suggest(asked=asked, shadow=shadow // 2, free=free, refused=refused)
    more = suggest(asked=asked, shadow=shadow, free=free, refused=refused)

    assert (more.price or asked) >= (less.price or asked) or more.code == less.code == "unsold"


@given(kept=money, asked=money, free=st.integers(0, 9), refused=st.builds(Refused, able, able))
def test_one_more_unit_is_worth_its_kept_price_or_what_the_next_buyer_would_have_left(kept, asked, free, refused):
    worth = one_more(kept=kept, asked=asked, free=free, refused=refused)

    if kept or free or refused.for_units is None:
        assert worth == kept
    else:
        assert worth == max(0, refused.for_units - asked)


@given(asked=money, shadow=money, free=st.integers(0, 9))
def test_where_nobody_was_refused_the_price_stays(asked, shadow, free):
    assert suggest(asked=asked, shadow=shadow, free=free, refused=Refused()).price is None


@given(
    price=st.integers(0, 10**7),
    electricity=st.integers(0, 10**5),
    fee=st.integers(0, 5000),
    tax=st.integers(0, 5000),
)
def test_the_rate_behind_a_price_is_the_highest_that_stays_within_it(price, electricity, fee, tax):
    rate = compute_rate_mm(price, electricity, fee, tax)

    if rate is None:
        assert all_in_rate_mm(0, electricity, fee, tax) > price
    else:
        assert all_in_rate_mm(rate, electricity, fee, tax) <= price < all_in_rate_mm(rate + 1, electricity, fee, tax)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({}, 2 * 230_000),
        ({"price__lte": 300}, 300_000),
        ({"price_pflop__lte": 250}, 250_000),
        ({"total__lte": 100}, 25_000),
        ({"price__lte": 300, "total__lte": 100}, 25_000),
        ({"price__lte": 10**9}, 2 * 230_000),
    ],
)
def test_a_buyer_can_pay_its_limits_and_without_one_twice_the_usual_price(limits, most):
    ask = Ask(id="a", units=2, run_s=7200, limits=limits)

    assert most_paid(ask, run_s=7200, pf_milli=1000, p_mid=230_000) == most


@pytest.fixture(autouse=True)
def nothing_kept_by_the_process():
    keptprices._kept.clear()


def wish(name, **limits):
    """A job for the whole of the running hour."""
    job = make_job(now=NOON, name=name)
    ask = job.ask | {"run_s": 3600, "when": "now", "limits": job.ask["limits"] | limits}
    Job.objects.filter(pk=job.pk).update(ask=ask, finish_by=NOON + timedelta(minutes=70))


def first_hour(offer, now=NOON):
    return price_signal(offer=offer, now=now).hours[0]


@pytest.mark.django_db
def test_before_any_round_there_is_no_signal():
    signal = price_signal(offer=make_cpu_offer(), now=NOON)

    assert (signal.as_of, signal.hours) == (None, ())


@pytest.mark.django_db
def test_an_offer_that_is_not_on_the_shelf_has_no_hours():
    make_cpu_offer(units=200)
    wish("job")
    run_round(segment="cpu", now=NOON)

    assert price_signal(offer=make_cpu_offer(state="paused"), now=NOON).hours == ()


@pytest.mark.django_db
def test_a_scarce_hour_could_ask_what_the_next_buyer_would_have_paid_and_no_more():
    offer = make_cpu_offer(units=1)
    asked = 4_000 * 10_400 // 10_000
    for number in range(3):
        wish(f"job {number}", price__lte=5)
    run_round(segment="cpu", now=NOON)
    ShadowPriceDay.objects.all().delete()
    keptprices._kept.clear()
    unpriced = first_hour(offer)
    ShadowPriceDay.objects.create(
        offer=offer, day=NOON.date(), prices=[0] * 12 + [700] + [0] * 11, round=MatchRound.objects.get(), at=NOON
    )
    keptprices._kept.clear()
    scarce = first_hour(offer)
    ShadowPriceDay.objects.update(prices=[0] * 12 + [10**9] + [0] * 11)
    keptprices._kept.clear()
    dear = first_hour(offer)

    assert (unpriced.code, unpriced.suggested_mm, unpriced.free, unpriced.asked_mm) == ("scarce", 5_000, 0, asked)
    assert unpriced.shadow_mm == 5_000 - asked
    assert (scarce.code, scarce.suggested_mm, scarce.shadow_mm) == ("scarce", asked + 700, 700)
    assert (dear.code, dear.suggested_mm) == ("scarce", 5_000)
    assert all_in_rate_mm(dear.suggested_rate_mm, 0, 400, 0) <= 5_000
    assert price_signal(offer=offer, now=NOON).as_of == NOON


@pytest.mark.django_db
def test_an_unsold_hour_could_ask_what_the_best_refused_buyer_could_pay():
    offer = make_cpu_offer(units=2)
    for price in (1, 3, 2):
        wish(f"job {price}", price__lte=price)
    run_round(segment="cpu", now=NOON)

    hours = price_signal(offer=offer, now=NOON).hours

    assert (hours[0].code, hours[0].suggested_mm, hours[0].free) == ("unsold", 3_000, 2)
    assert (hours[0].suggested_rate_mm, hours[0].rate_mm) == (2_885, 4_000)
    assert {hour.code for hour in hours[2:]} == {"enough"}
    assert len(hours) == 168


@pytest.mark.django_db
def test_lowering_the_price_as_suggested_sells_the_hour():
    offer = make_cpu_offer(units=2)
    wish("job", price__lte=3)
    assert run_round(segment="cpu", now=NOON).placed == 0
    offer.rate_mm = [first_hour(offer).suggested_rate_mm] * 168
    offer.save()

    assert run_round(segment="cpu", now=SOON).placed == 1


@pytest.mark.django_db
def test_a_buyer_who_fails_another_limit_too_does_not_count():
    offer = make_cpu_offer(units=2)
    wish("job", price__lte=3, residency=["FR"])
    run_round(segment="cpu", now=NOON)

    assert first_hour(offer).code == "enough"


@pytest.mark.django_db
def test_an_hour_that_is_sold_and_that_nobody_waits_for_keeps_its_price():
    offer = make_cpu_offer(units=1)
    take_hours(offer=offer, wanted=hours_by_day(NOON, NOON + HOUR, 1), units=1)
    MatchRound.objects.filter(pk=make_round(NOON).pk).update(utility=0, bound=0)

    assert first_hour(offer).code == "sold"


def test_every_reason_is_told_in_both_languages():
    codes = ("scarce", "unsold", "enough", "sold")
    with translation.override("en"):
        english = {sentence_of(code) for code in codes}
    with translation.override("zh-hans"):
        chinese = {sentence_of(code) for code in codes}

    assert len(english) == len(chinese) == 4
    assert not english & chinese
