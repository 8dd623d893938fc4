"""Standing orders: units kept for the hours ahead within their terms, never more than wanted, never for more money."""

from datetime import timedelta

import pytest

from marketplace.booking import services, standing
from marketplace.booking.models import CapacityDay, Quote, Reservation, StandingHour, StandingOrder
from marketplace.booking.standing import Wish, place_order
from marketplace.catalog.models import HOURS_OF_WEEK, Offer
from marketplace.common.clock import HOUR
from marketplace.common.errors import IllegalState
from marketplace.events.models import Event
from marketplace.ledger.budgets import change_limit, set_budget
from marketplace.ledger.errors import BudgetExceeded
from marketplace.ledger.models import Budget, BudgetPeriod
from marketplace.ledger.wallets import wallet_of
from scheduler.standingorders import LOOK_AGAIN, keep_order, keep_orders
from tests.market import MUCH, NOON, at, fund, key_of, make_offer, make_organization, make_site
from tests.search.shelf import make_shelf

pytestmark = pytest.mark.django_db
H100 = {"accelerator": ["H100"], "price__lte": 400}


@pytest.fixture
def shelf():
    """H100s: `grey` at 1.87 is the cheapest, then `green` (90 % renewable) at 2.60, `near` at 3.12."""
    return make_shelf()


@pytest.fixture
def buyer():
    return make_organization()


def order_of(buyer, *, units=2, hours=6, block=3, limit=MUCH, now=NOON, api_key=None, ends_at=None, **where):
    wish = Wish(
        units=units, where=H100 | where, limit_minor=limit, ahead_hours=hours, block_hours=block, ends_at=ends_at
    )
    return place_order(buyer=buyer, wish=wish, now=now, api_key=api_key)


def keep(order, now=NOON):
    """A look, as the task takes it; how many hours were bought."""
    StandingOrder.objects.filter(pk=order.pk).update(look_at=now)
    bought = keep_order(key=order.pk, now=now)
    order.refresh_from_db()
    return bought


def sell_out(offer, *, first, hours, units=None):
    """Somebody else has the hours."""
    other = make_organization()
    held = services.hold_units(
        buyer=other, offer=offer, units=units or offer.units, start=first, end=first + hours * HOUR, now=NOON
    )
    return services.confirm(reservation=held, now=NOON)


def reprice(offer, rate_mm):
    Offer.objects.filter(pk=offer.pk).update(rate_mm=[rate_mm] * HOURS_OF_WEEK)


def kept(order):
    """{hour of the day: offer} that the order keeps."""
    rows = StandingHour.objects.filter(order=order).select_related("reservation__offer")
    return {(row.hour - at(NOON, -12)) // HOUR: row.reservation.offer for row in rows}


def told(order):
    """The events of the order: [(kind, reason)]."""
    rows = Event.objects.filter(object_id=order.public_id).order_by("object_seq")
    return [(row.type.removeprefix("standing_order."), row.reason) for row in rows]


def wallet(buyer):
    found = wallet_of(organization=buyer, asset="USD", livemode=False)
    return found.available, found.held


def everything():
    return (
        list(CapacityDay.objects.order_by("pk").values_list("units_promised", flat=True)),
        list(Reservation.objects.values_list("public_id", "state", "end", "units")),
        StandingHour.objects.count(), Quote.objects.count(),
    )  # fmt: skip


def test_the_hours_ahead_are_reserved_at_the_cheapest_offer_within_the_terms(buyer, shelf):
    order = order_of(buyer)

    assert keep(order) == 6

    assert kept(order) == dict.fromkeys(range(12, 18), shelf["grey"])
    [row] = Reservation.objects.all()
    assert (row.state, row.units, row.start, row.end) == ("confirmed", 2, at(NOON, 0), at(NOON, 6))
    assert len(row.contracts) == 2, "the second block makes the first reservation longer"
    assert sum(each.total_minor for each in row.contracts) == wallet(buyer)[1] == 2 * 1_123
    assert told(order) == [("active", ""), ("bought", ""), ("bought", "")]
    assert order.short == ""


@pytest.mark.parametrize(
    ("where", "name"),
    [({"renewable_share__gte": 0.8}, "green"), ({"residency": ["DE"]}, "near"), ({"region": ["eu-north"]}, "green")],
)
def test_greenness_and_place_are_kept_to_as_quotes_do(buyer, shelf, where, name):
    order = order_of(buyer, **where)

    keep(order)

    assert set(kept(order).values()) == {shelf[name]}


def test_an_hour_is_bought_once_however_often_the_order_is_looked_at(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    before = everything()

    assert keep(order) == 0

    assert everything() == before


def test_every_order_has_its_turn_and_none_before_it(buyer, shelf):
    orders = [order_of(buyer) for _ in range(2)]

    assert (keep_orders(now=NOON), keep_orders(now=NOON + LOOK_AGAIN / 2)) == (12, 0)

    assert keep_orders(now=at(NOON, 3)) == 6
    assert [len(kept(order)) for order in orders] == [9, 9]


def test_as_time_goes_on_the_reservation_grows_by_whole_blocks(buyer, shelf):
    order = order_of(buyer)
    keep(order)

    assert [keep(order, at(NOON, hour)) for hour in (1, 2, 3)] == [0, 0, 3]

    [row] = Reservation.objects.all()
    assert (row.end, max(kept(order))) == (at(NOON, 9), 20)


def test_the_same_offer_is_kept_even_when_another_is_cheaper_by_now(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    reprice(shelf["near"], 100_000)

    keep(order, at(NOON, 3))

    assert set(kept(order).values()) == {shelf["grey"]}


def test_an_offer_that_leaves_the_terms_is_left_for_the_cheapest_that_keeps_them(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    reprice(shelf["grey"], 500_000)

    keep(order, at(NOON, 3))

    assert [kept(order)[hour] for hour in (17, 18, 20)] == [shelf["grey"], shelf["green"], shelf["green"]]
    assert Reservation.objects.count() == 2


def test_a_block_that_nobody_has_is_bought_in_smaller_parts(buyer, shelf):
    order = order_of(buyer, residency=["PL"])
    sell_out(shelf["grey"], first=at(NOON, 2), hours=1)

    assert keep(order) == 5

    assert sorted(kept(order)) == [12, 13, 15, 16, 17]
    assert (order.short, told(order)[-1]) == ("capacity", ("short", "capacity"))


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"price__lte": 150}, "price"),
        ({"residency": ["PL"], "renewable_share__gte": 0.5}, "greenness"),
        ({"residency": ["JP"]}, "shelf"),
        ({"residency": ["PL"], "accelerator": ["A100"]}, "shelf"),
    ],
)
def test_what_cannot_be_kept_says_why_once(buyer, shelf, where, why):
    order = order_of(buyer, **where)
    before = everything()

    assert (keep(order), keep(order, at(NOON, 1))) == (0, 0)

    assert (everything(), order.short) == (before, why)
    assert told(order) == [("active", ""), ("short", why)]


def test_no_units_anywhere_is_said_to_be_want_of_capacity(buyer, shelf):
    order = order_of(buyer, units=9, residency=["DE", "NO"])

    keep(order)

    assert order.short == "capacity"


def test_want_of_money_stops_nothing_and_is_tried_again(shelf):
    poor = make_organization(funds=1_200)
    order = order_of(poor)

    assert keep(order) == 3
    assert (order.state, order.short, wallet(poor)[0]) == ("active", "money", 1_200 - 1_123)

    fund(poor, 5_000)
    assert keep(order, at(NOON, 0, 5)) == 3
    assert (order.short, told(order)[-1][0]) == ("", "kept")


def test_the_cap_of_a_month_counts_only_this_order_and_can_be_raised(buyer, shelf):
    order, other = order_of(buyer, limit=1_200), order_of(buyer, limit=2_300)

    assert (keep(order), keep(other)) == (3, 6)
    assert order.short == "money"
    period = BudgetPeriod.objects.get(budget=order.budget)
    assert (period.held, period.limit_minor) == (1_123, 1_200)

    change_limit(budget=order.budget, limit_minor=2_300, version=order.budget.version, now=NOON)
    assert keep(order, at(NOON, 0, 5)) == 3


def test_what_comes_back_from_cancelled_hours_counts_in_the_cap_no_more(buyer, shelf):
    order = order_of(buyer, limit=2_300)
    keep(order)

    services.cancel(reservation=Reservation.objects.get(), now=NOON - timedelta(minutes=1))

    assert BudgetPeriod.objects.get(budget=order.budget).held == 0


@pytest.mark.parametrize("whose", ["organization", "key"])
def test_budgets_of_organization_and_key_count_too(buyer, shelf, whose):
    key, _ = key_of(buyer, "reservations:write")
    set_budget(
        organization=buyer, api_key=key if whose == "key" else None, asset="USD", livemode=False, limit_minor=1_200,
        now=NOON,
    )  # fmt: skip
    order = order_of(buyer, api_key=key)

    assert (keep(order), order.short) == (3, "money")


def test_a_budget_of_the_order_is_nobody_elses(buyer, shelf):
    order_of(buyer, limit=0)

    sell = services.hold_units(buyer=buyer, offer=shelf["grey"], units=1, start=at(NOON, 1), end=at(NOON, 2), now=NOON)
    services.confirm(reservation=sell, now=NOON)

    assert sell.state == "confirmed"


@pytest.mark.parametrize("end", ["pause", "cancel_order"])
def test_an_order_that_was_paused_or_cancelled_buys_nothing_more_and_leaves_what_is_reserved(buyer, shelf, end):
    order = order_of(buyer)
    keep(order)
    getattr(standing, end)(order=order, now=NOON)
    before = everything()

    assert keep(order, at(NOON, 4)) == 0

    assert everything() == before
    assert Reservation.objects.get().state == "confirmed"


def test_a_paused_order_goes_on_where_it_is_resumed(buyer, shelf):
    order = order_of(buyer)
    standing.pause(order=order, now=NOON)
    assert keep(order) == 0

    standing.resume(order=order, now=at(NOON, 2))

    assert keep(order, at(NOON, 2)) == 6
    assert min(kept(order)) == 14


def test_a_cancelled_order_is_final_and_its_budget_with_it(buyer, shelf):
    order = order_of(buyer)
    standing.cancel_order(order=order, now=NOON)

    for act in (standing.resume, standing.pause, standing.cancel_order):
        with pytest.raises(IllegalState):
            act(order=order, now=NOON)
    assert not Budget.objects.of([buyer]).exists()


def test_an_order_ends_with_its_last_whole_hour(buyer, shelf):
    order = order_of(buyer, ends_at=at(NOON, 4, 30))

    assert keep(order) == 4, "the end is nothing to wait for: the last block may be short"
    assert max(kept(order)) == 15

    assert (keep(order, at(NOON, 4)), order.state) == (0, "ended")


def test_hours_that_the_provider_failed_are_bought_anew(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    services.fail(reservation=Reservation.objects.with_terms().get(), now=NOON, reason="withdrawn")
    Offer.objects.filter(pk=shelf["grey"].pk).update(state="paused")

    assert keep(order) == 6

    assert set(kept(order).values()) == {shelf["green"]}
    assert [kind for kind, _ in told(order)][3:] == ["lost", "bought", "bought"]


def test_hours_that_the_buyer_gave_back_are_not_bought_again(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    services.cancel(reservation=Reservation.objects.with_terms().get(), now=NOON - timedelta(minutes=1))

    assert keep(order) == 0

    assert keep(order, at(NOON, 3)) == 3, "the hours behind them are"


def test_hours_that_a_frozen_wallet_lost_come_again(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    services.cancel(
        reservation=Reservation.objects.with_terms().get(), now=NOON - timedelta(minutes=1), reason="wallet_frozen"
    )

    assert keep(order) == 6


def test_a_reservation_that_the_buyer_made_smaller_is_left_alone_and_a_new_one_begun(buyer, shelf):
    from marketplace.booking.changing import resize

    order = order_of(buyer)
    keep(order)
    resize(reservation=Reservation.objects.with_terms().get(), units=1, now=NOON)

    keep(order, at(NOON, 3))

    assert sorted(Reservation.objects.values_list("units", flat=True)) == [1, 2]


def test_the_longest_order_reaches_as_far_as_quotes_do(buyer, shelf):
    order = order_of(buyer, hours=167, block=24, now=at(NOON, 0, 1))

    assert keep(order, at(NOON, 0, 1)) == 144
    assert order.short == ""


def test_units_beside_the_order_may_be_bought_without_it(buyer, shelf):
    """What the organization reserves by itself neither counts for an order nor is counted by it."""
    order = order_of(buyer)
    services.hold_units(buyer=buyer, offer=shelf["grey"], units=2, start=at(NOON, 0), end=at(NOON, 6), now=NOON)

    assert keep(order) == 6


def test_a_hold_that_the_cap_refuses_leaves_no_trace(buyer, shelf):
    order = order_of(buyer, limit=1)
    before = everything()

    keep(order)

    assert (everything(), wallet(buyer)) == (before, (MUCH, 0))
    with pytest.raises(BudgetExceeded, match="of the standing order"):
        held = services.hold_units(
            buyer=buyer, offer=shelf["grey"], units=1, start=at(NOON, 1), end=at(NOON, 2), now=NOON
        )
        services.confirm(reservation=held, now=NOON, through=standing.through(order))


def test_an_offer_beyond_the_family_is_never_looked_at(buyer, shelf):
    cheap = make_offer(make_site(), rate_mm=1_000, tier="interruptible")
    order = order_of(buyer)

    keep(order)

    assert cheap not in kept(order).values()
