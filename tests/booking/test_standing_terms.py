"""Terms of standing orders: what is refused by name, and what the database keeps whatever Python does."""

import pytest
from django.db import IntegrityError, connection, transaction

from marketplace.booking import standing
from marketplace.booking.models import Reservation, StandingHour, StandingOrder
from marketplace.common.errors import ValidationFailed
from marketplace.ledger.models import Budget
from tests.booking.test_standing import keep, order_of
from tests.market import NOON, at, make_organization
from tests.search.shelf import make_shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    return make_shelf()


@pytest.fixture
def buyer():
    return make_organization()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"accelerator": None}, "/where/accelerator"),
        ({"price__lte": None}, "/where/price__lte"),
        ({"tier": ["interruptible"]}, "/where/tier"),
        ({"hours": 168}, "/ahead_hours"),
        ({"block": 7}, "/block_hours"),
        ({"block": 0}, "/block_hours"),
        ({"ends_at": at(NOON, 0, 59)}, "/ends_at"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_name(buyer, fields, pointer):
    with pytest.raises(ValidationFailed) as refusal:
        order_of(buyer, **fields)

    assert [problem.pointer for problem in refusal.value.problems] == [pointer]
    assert not StandingOrder.objects.exists()
    assert not Budget.objects.exists()


def hour_row(order, reservation, **fields):
    values = {"hour": at(NOON, 9), "units": order.units} | fields
    StandingHour.objects.create(order=order, reservation=reservation, **values)


def refused(name, act):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        act()


def test_the_database_refuses_an_hour_twice_other_units_a_part_of_an_hour_and_an_order_that_has_ended(buyer, shelf):
    order = order_of(buyer)
    keep(order)
    row = Reservation.objects.get()

    refused("standing_hour_once", lambda: hour_row(order, row, hour=at(NOON, 1)))
    refused("whole hour", lambda: hour_row(order, row, units=3))
    refused("whole hour", lambda: hour_row(order, row, hour=at(NOON, 9, 1)))
    standing.pause(order=order, now=NOON)
    refused("is paused", lambda: hour_row(order, row))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE booking_standingorder SET units = 3",
        "UPDATE booking_standingorder SET state = 'new'",
        "UPDATE booking_standingorder SET \"where\" = '{}'",
        "UPDATE booking_standinghour SET units = 1",
        "DELETE FROM booking_standingorder",
    ],
)
def test_terms_and_history_cannot_be_rewritten(buyer, shelf, statement):
    keep(order_of(buyer))

    with pytest.raises(Exception, match=r"(Cannot|Invalid transition|protect)"), transaction.atomic():
        connection.cursor().execute(statement)
