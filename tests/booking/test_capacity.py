"""Units read again are those that a first reading would find, whoever changed them and whenever they commit."""

import time
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import InternalError, ProgrammingError

from marketplace.booking.capacity import Hours
from marketplace.booking.models import CapacityDay
from tests.market import NOON, make_offer

pytestmark = pytest.mark.django_db(transaction=True)
SPAN = {"first": NOON, "hours": 60}


@pytest.fixture
def offers():
    return [make_offer(units=4), make_offer(units=5), make_offer(units=6)]


def reading(offers):
    return Hours(offers=sorted(offer.pk for offer in offers), **SPAN)


def units(hours):
    return hours.total.tolist(), hours.promised.tolist()


def promise(offer, cursor=None):
    statement = (
        f"UPDATE booking_capacityday SET units_promised = array_fill(2, ARRAY[24]) "
        f"WHERE offer_id = {offer.pk} AND day = '{NOON.date() + timedelta(days=1)}'"
    )
    if cursor is None:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    else:
        cursor.execute(statement)


def elsewhere():
    """Another session."""
    parameters = connection.get_connection_params()
    return psycopg.connect(**{name: parameters[name] for name in ("dbname", "user", "password", "host", "port")
                              if name in parameters})  # fmt: skip


def until_quiet(hours):
    """Transactions of other databases count as writers under way, so a first reading may be repeated once they end."""
    deadline = time.monotonic() + 60
    while hours.read_again():
        assert time.monotonic() < deadline, "the rows of the beginning are read again and again"
        time.sleep(0.05)


def test_only_offers_with_new_rows_are_touched(offers):
    hours = reading(offers)
    until_quiet(hours)
    promise(offers[1])

    assert hours.read_again() == [1]
    assert units(hours) == units(reading(offers))
    assert hours.promised[1, 12:36].tolist() == [2] * 24


def test_a_writer_that_was_under_way_at_the_reading_is_seen_once_it_commits(offers):
    with elsewhere() as other:
        promise(offers[0], other.cursor())
        with transaction.atomic():
            promise(offers[2])  # a later number that is over before
        hours = reading(offers)
        before = units(hours)
        hours.read_again()
        assert units(hours) == before

        other.commit()

        assert 0 in hours.read_again()
        assert units(hours) == units(reading(offers)) != before


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM booking_capacityday",
        "UPDATE booking_capacityday SET day = day + 30",
        "UPDATE booking_capacityday SET id = id + 1000",
        "UPDATE booking_capacityday SET offer_id = (SELECT max(id) FROM catalog_offer)",
    ],
)
def test_a_day_stays_where_it_is_or_a_reading_would_miss_that_it_went(offers, statement):
    with connection.cursor() as cursor, pytest.raises((InternalError, ProgrammingError)), transaction.atomic():
        cursor.execute(statement)


def test_nobody_can_hide_that_a_day_was_written(offers):
    hours = reading(offers)
    until_quiet(hours)
    CapacityDay.objects.filter(offer=offers[1], day=NOON.date()).update(units_total=[9] * 24, written=0)

    assert hours.read_again() == [1]
    assert units(hours) == units(reading(offers))


def test_a_day_added_later_is_seen(offers):
    last = CapacityDay.objects.filter(offer=offers[0]).order_by("-day")[0].day
    hours = Hours(offers=[offers[0].pk], first=NOON, hours=24 * 60)
    until_quiet(hours)
    CapacityDay.objects.create(offer=offers[0], day=last + timedelta(days=1), units_total=[9] * 24)

    hours.read_again()

    place = 24 * ((last - NOON.date()).days + 1)
    assert hours.total[0, place - 13 : place + 13].tolist() == [4, *[9] * 24, 0]


def test_what_a_transaction_wrote_and_took_back_is_forgotten(offers):
    hours = reading(offers)
    before = units(hours)
    with transaction.atomic():
        promise(offers[0])
        hours.read_again()
        assert units(hours) != before
        transaction.set_rollback(True)

    hours.read_again()

    assert units(hours) == before


def test_what_a_reading_inside_a_transaction_saw_of_itself_is_forgotten_too(offers):
    before = units(reading(offers))
    with transaction.atomic():
        promise(offers[0])
        hours = reading(offers)
        transaction.set_rollback(True)

    hours.read_again()

    assert units(hours) == before
