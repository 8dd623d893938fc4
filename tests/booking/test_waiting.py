"""The waiting list: in the order of joining, told a place and an expected start, served once when hours come free."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.booking import services, waiting
from marketplace.booking.changing import resize
from marketplace.booking.models import CapacityDay, Quote, Reservation, Wait
from marketplace.booking.waiting import MOST_WAITS, Wanted
from marketplace.booking.waitview import outcome_of, wait_as_json
from marketplace.common.clock import HOUR
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.events.models import Event
from marketplace.ledger.budgets import set_budget
from scheduler.errors import NoOfferFits
from scheduler.waitinglist import join_list, serve_waiting
from tests.market import NOON, at, key_of, make_organization
from tests.search.shelf import make_shelf

pytestmark = pytest.mark.django_db
DAY = 24


@pytest.fixture
def offer():
    """Eight H100s in Germany, the only ones that are asked for here."""
    return make_shelf()["near"]


@pytest.fixture
def buyer():
    return make_organization()


def sell(offer, *, first=0, hours=DAY, units=None):
    """Somebody has the hours from `first` after noon on."""
    held = services.hold_units(
        buyer=make_organization(), offer=offer, units=units or offer.units, start=at(NOON, first),
        end=at(NOON, first + hours), now=NOON,
    )  # fmt: skip
    return services.confirm(reservation=held, now=NOON)


def join(buyer, *, units=2, hours=3, after=None, by=None, reserve=False, api_key=None, **where):
    wanted = Wanted(
        units=units, hours=hours, where={"accelerator": ["H100"], "residency": ["DE"]} | where,
        start_after=after, start_by=by, reserve=reserve,
    )  # fmt: skip
    return join_list(buyer=buyer, wanted=wanted, now=NOON, api_key=api_key)


def today(buyer, **fields):
    """A wait for hours that begin within ten hours of noon."""
    return join(buyer, by=at(NOON, 10), **fields)


def give_back(reservation):
    services.cancel(reservation=Reservation.objects.with_terms().get(pk=reservation.pk), now=NOON)


def fail(reservation):
    services.fail(reservation=Reservation.objects.with_terms().get(pk=reservation.pk), now=NOON, reason="withdrawn")


def place(wait):
    wait.refresh_from_db()
    return wait.ahead + 1, wait.expected_start


def told(wait):
    return [row.type.removeprefix("wait.") for row in Event.objects.filter(object_id=wait.public_id).order_by("pk")]


def everything():
    return (
        list(CapacityDay.objects.order_by("pk").values_list("units_promised", flat=True)),
        list(Reservation.objects.values_list("public_id", "state")),
        list(Wait.objects.values_list("public_id", "state", "version")), Quote.objects.count(),
    )  # fmt: skip


def test_a_place_says_who_is_ahead_and_starts_when_promised_capacity_ends(buyer, offer):
    sell(offer)

    first, second, third = (today(buyer, units=units) for units in (6, 2, 2))

    assert [place(each) for each in (first, second, third)] == [(1, at(NOON, 24)), (2, at(NOON, 24)), (3, at(NOON, 24))]
    assert not wait_as_json(first, NOON)["in_time"], "as things stand, nobody starts by the evening"


def test_those_ahead_are_planned_first(buyer, offer):
    """The whole week is sold: who has no latest start waits for what comes after it, one behind the other."""
    sell(offer, hours=8 * DAY)

    waits = [join(buyer, units=6, hours=4) for _ in range(3)]

    assert [place(each) for each in waits] == [(number + 1, at(NOON, 8 * DAY + 4 * number)) for number in range(3)]
    assert all(wait_as_json(each, NOON)["in_time"] for each in waits)


def test_who_waits_for_another_offer_is_not_ahead(buyer, offer):
    sell(offer)
    today(buyer, residency=["DE"])
    other = Wait.objects.get()
    green = today_elsewhere(buyer)

    assert (place(other)[0], place(green)[0]) == (1, 1)


def today_elsewhere(buyer):
    from marketplace.catalog.models import Offer

    sell(Offer.objects.get(site__country="NO"))
    return today(buyer, residency=["NO"])


def test_hours_that_are_free_are_not_waited_for(buyer, offer):
    before = everything()

    with pytest.raises(IllegalState, match="these hours are free"):
        today(buyer)

    assert everything() == before


def test_what_nobody_could_ever_give_is_not_waited_for(buyer, offer):
    before = everything()

    for where in ({"units": 9}, {"price__lte": 5}, {"residency": ["JP"]}, {"offer": ["ofr_none"]}):
        with pytest.raises(NoOfferFits):
            today(buyer, **where)

    assert everything() == before


def test_the_first_who_fits_is_offered_what_comes_free_for_an_hour(buyer, offer):
    sold = sell(offer, first=2, hours=22, units=4)
    sell(offer, units=4)
    sell(offer, hours=2, units=4)
    large, small = today(buyer, units=6), today(buyer, units=3)
    late = join(buyer, units=3, by=at(NOON, 2))

    give_back(sold)
    assert serve_waiting(now=NOON) == 1

    small.refresh_from_db()
    held = small.reservation
    assert (held.state, held.units, held.start, held.end) == ("held", 3, at(NOON, 2), at(NOON, 5))
    assert held.expires_at == at(NOON, 1)
    assert outcome_of(small, NOON) == "offered"
    assert [told(each) for each in (large, small, late)] == [["waiting"], ["waiting", "served"], ["waiting"]]
    assert [place(large)[0], place(late)[0]] == [1, 2]


def test_what_is_not_taken_in_time_passes_to_the_next(offer):
    sold = sell(offer)
    first, second = (today(make_organization(), units=6, hours=12) for _ in range(2))
    fail(sold)
    serve_waiting(now=NOON)

    services.advance_reservations(now=at(NOON, 1))
    assert serve_waiting(now=at(NOON, 1)) == 1

    for wait in (first, second):
        wait.refresh_from_db()
    assert (outcome_of(first, at(NOON, 1)), outcome_of(second, at(NOON, 1))) == ("passed", "offered")
    assert (first.state, first.reservation.state, second.reservation.start) == ("served", "expired", at(NOON, 1))


def test_an_offer_that_is_confirmed_is_an_ordinary_reservation(buyer, offer):
    fail_all(offer, wait := today(buyer))
    serve_waiting(now=NOON)
    wait.refresh_from_db()

    services.confirm(reservation=wait.reservation, now=at(NOON, 0, 9))

    wait.refresh_from_db()
    assert (outcome_of(wait, NOON), wait.reservation.contract.total_minor > 0) == ("reserved", True)


def fail_all(offer, wait):
    """What was sold before `wait` joined comes back."""
    for row in Reservation.objects.filter(offer=offer, state="confirmed"):
        fail(row)
    return wait


@pytest.fixture(autouse=True)
def sold_out(request, offer):
    """Where a test says nothing else, the offer is sold for a day."""
    if request.function.__name__ in SOLD_OUT:
        sell(offer)


SOLD_OUT = {
    "test_an_offer_that_is_confirmed_is_an_ordinary_reservation",
    "test_hours_that_begin_soon_are_held_until_they_begin_but_ten_minutes_at_least",
    "test_who_asked_for_it_gets_the_hours_reserved_within_the_ceiling",
    "test_where_money_lacks_what_was_to_be_reserved_is_offered",
    "test_the_budget_of_the_key_counts",
    "test_who_left_is_served_no_more",
    "test_a_wait_is_over_with_its_last_start",
    "test_an_exact_hour_is_waited_for_where_it_is",
    "test_room_at_a_price_above_the_ceiling_is_not_offered",
    "test_an_organization_waits_for_a_limited_number_of_things",
    "test_a_wish_that_cannot_be_is_refused_by_name",
    "test_the_database_keeps_terms_places_and_what_served_them",
    "test_units_that_a_smaller_reservation_gives_back_are_offered",
    "test_nobody_who_came_later_delays_one_ahead",
}


def test_hours_that_begin_soon_are_held_until_they_begin_but_ten_minutes_at_least(buyer, offer):
    fail_all(offer, wait := today(buyer))

    serve_waiting(now=at(NOON, 3, 55))

    wait.refresh_from_db()
    assert (wait.reservation.start, wait.reservation.expires_at) == (at(NOON, 4), at(NOON, 4, 5))


def test_who_asked_for_it_gets_the_hours_reserved_within_the_ceiling(buyer, offer):
    fail_all(offer, wait := today(buyer, reserve=True, price__lte=400))

    serve_waiting(now=NOON)

    wait.refresh_from_db()
    assert (outcome_of(wait, NOON), wait.reservation.state) == ("reserved", "confirmed")
    facts = Event.objects.get(type="wait.served").facts
    assert (facts["confirmed"], facts["answer_by"]) == (True, None)


def test_where_money_lacks_what_was_to_be_reserved_is_offered(offer):
    poor = make_organization(funds=5)
    fail_all(offer, wait := today(poor, reserve=True, price__lte=400))

    serve_waiting(now=NOON)

    wait.refresh_from_db()
    assert (outcome_of(wait, NOON), Event.objects.get(type="wait.served").facts["confirmed"]) == ("offered", False)


def test_the_budget_of_the_key_counts(buyer, offer):
    key, _ = key_of(buyer, "reservations:write")
    set_budget(organization=buyer, api_key=key, asset="USD", livemode=False, limit_minor=1, now=NOON)
    fail_all(offer, wait := today(buyer, reserve=True, price__lte=400, api_key=key))

    serve_waiting(now=NOON)

    wait.refresh_from_db()
    assert outcome_of(wait, NOON) == "offered"


def test_room_at_a_price_above_the_ceiling_is_not_offered(buyer, offer):
    from marketplace.catalog.models import HOURS_OF_WEEK, Offer

    fail_all(offer, wait := today(buyer, price__lte=400))
    Offer.objects.filter(pk=offer.pk).update(rate_mm=[900_000] * HOURS_OF_WEEK)

    assert serve_waiting(now=NOON) == 0
    assert place(wait) == (1, None)


def test_units_that_a_smaller_reservation_gives_back_are_offered(buyer, offer):
    wait = today(buyer, units=3)
    row = Reservation.objects.with_terms().get()
    resize(reservation=row, units=5, now=NOON)

    assert serve_waiting(now=NOON) == 1
    wait.refresh_from_db()
    assert wait.reservation.units == 3


def test_nobody_who_came_later_delays_one_ahead(buyer, offer):
    """The first needs six hours that are whole only from next Monday noon on; the second would break into them."""
    sell(offer, first=DAY, hours=6 * DAY + 22)
    first = join(buyer, units=8, hours=6)
    second = join(make_organization(), units=8, hours=1, after=at(NOON, 7 * DAY))
    assert [place(first)[1], place(second)[1]] == [at(NOON, 8 * DAY - 2), at(NOON, 8 * DAY + 4)]

    now = at(NOON, DAY)  # the second's hour could be quoted by now, the first's six could not
    assert serve_waiting(now=now) == 0

    assert serve_waiting(now=at(NOON, DAY + 4)) == 1
    first.refresh_from_db()
    assert first.reservation.start == at(NOON, 8 * DAY - 2)


def test_who_left_is_served_no_more(buyer, offer):
    wait, behind = today(buyer, units=8), today(buyer, units=8)
    waiting.leave(wait=wait, now=NOON)
    fail_all(offer, wait)

    assert serve_waiting(now=NOON) == 1

    for each in (wait, behind):
        each.refresh_from_db()
    assert (wait.state, wait.reservation, behind.state) == ("left", None, "served")
    with pytest.raises(IllegalState):
        waiting.leave(wait=behind, now=NOON)


def test_a_wait_is_over_with_its_last_start(buyer, offer):
    wait = today(buyer)
    serve_waiting(now=at(NOON, 10))
    assert wait.state == "waiting"

    serve_waiting(now=at(NOON, 10, 1))

    wait.refresh_from_db()
    assert (wait.state, told(wait)) == ("over", ["waiting", "over"])


def test_an_exact_hour_is_waited_for_where_it_is(buyer, offer):
    wait = join(buyer, after=at(NOON, 5), by=at(NOON, 5))
    fail_all(offer, wait)

    serve_waiting(now=NOON)

    wait.refresh_from_db()
    assert wait.reservation.start == at(NOON, 5)


def test_an_organization_waits_for_a_limited_number_of_things(buyer, offer):
    for _ in range(MOST_WAITS):
        wait = today(buyer)

    with pytest.raises(IllegalState, match="at most 20"):
        today(buyer)

    today(make_organization())
    waiting.leave(wait=wait, now=NOON)
    today(buyer)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"accelerator": None}, "/where/accelerator"),
        ({"by": at(NOON, 0) - timedelta(minutes=1)}, "/start_by"),
        ({"after": at(NOON, 5), "by": at(NOON, 4)}, "/start_by"),
        ({"by": at(NOON, 3), "reserve": True}, "/where/price__lte"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_name(buyer, offer, fields, pointer):
    with pytest.raises(ValidationFailed) as refusal:
        join(buyer, **fields)

    assert [each.pointer for each in refusal.value.problems] == [pointer]
    assert not Wait.objects.exists()


def test_a_shelf_that_changed_since_the_look_serves_nobody(buyer, offer, monkeypatch):
    from scheduler import waitinglist

    sold = sell(offer)
    wait = today(buyer)
    fail(sold)
    make_quote = waitinglist.make_quote

    def late(**ask):
        quote = make_quote(**ask)
        sell(offer)
        return quote

    monkeypatch.setattr(waitinglist, "make_quote", late)
    quotes = Quote.objects.count()

    assert serve_waiting(now=NOON) == 0
    wait.refresh_from_db()
    assert (wait.state, wait.reservation, Quote.objects.count()) == ("waiting", None, quotes)


def test_the_database_keeps_terms_places_and_what_served_them(buyer, offer):
    wait = today(buyer)
    fail_all(offer, wait)
    serve_waiting(now=NOON)
    other = services.hold_units(buyer=buyer, offer=offer, units=2, start=at(NOON, 9), end=at(NOON, 12), now=NOON)

    for statement, error in (
        ("UPDATE booking_wait SET units = 3", DatabaseError),
        (f"UPDATE booking_wait SET reservation_id = {other.pk}", DatabaseError),
        ("UPDATE booking_wait SET state = 'waiting'", DatabaseError),
        ("DELETE FROM booking_wait", DatabaseError),
        ("UPDATE booking_wait SET reservation_id = NULL", DatabaseError),
    ):
        with pytest.raises(error), transaction.atomic():
            connection.cursor().execute(statement)
    with pytest.raises(IntegrityError, match="wait_served_by_a_reservation"), transaction.atomic():
        Wait.objects.create(
            buyer=buyer, family="accelerator", units=1, hours=1, where={}, state="served", created_at=NOON
        )
    assert Wait.objects.get().reservation_id != other.pk
    row = Wait.objects.get().reservation
    assert row.end - row.start == 3 * HOUR
