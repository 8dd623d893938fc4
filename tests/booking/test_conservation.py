"""Whatever is reserved, changed, worked in and cancelled: what is promised is exactly what is open, hour by hour."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.booking.changing import extend, resize
from marketplace.booking.hours import touched_hours
from marketplace.booking.models import CapacityDay, Reservation, ReservationDay
from marketplace.booking.reserved import give_inside_back, take_inside
from marketplace.booking.services import advance_reservations, cancel, confirm, hold_units
from marketplace.booking.states import RESERVATION
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.errors import DomainError
from tests.booking.test_changing import everything
from tests.market import NOON, make_offer, make_organization

pytestmark = pytest.mark.django_db
UNITS, RUN = 4, timedelta(minutes=70)
Span = tuple[datetime, datetime, int]

WHICH, NUMBER = st.integers(0, 3), st.integers(1, 4)
RESERVE = st.tuples(st.just("reserve"), st.integers(1, 2), st.integers(0, 3))
STEPS = st.lists(
    st.one_of(
        RESERVE,
        st.tuples(st.just("extend"), WHICH, st.integers(1, 3)),
        st.tuples(st.just("resize"), WHICH, NUMBER),
        st.tuples(st.just("work"), WHICH, NUMBER),
        st.tuples(st.just("rest"), WHICH, st.just(0)),
        st.tuples(st.just("cancel"), WHICH, st.just(0)),
        st.tuples(st.just("wait"), st.integers(10, 70), st.just(0)),
    ),
    min_size=2,
    max_size=12,
)


class Nothing(DomainError):
    """There is no such thing to do something with."""


class Exchange:
    """One offer of four units. A step that is refused leaves everything as it was."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(minutes=20)
        self.offer, self.buyer = make_offer(units=UNITS, days=2), make_organization()
        self.made: list[Reservation] = []
        self.at_work: list[tuple[Reservation, Span]] = []

    def step(self, what: str, first: int, second: int) -> None:
        before = everything()
        try:
            with transaction.atomic():
                getattr(self, what)(first, second)
        except DomainError:
            assert everything() == before
        for each in self.made:
            each.refresh_from_db()

    def chosen(self, number: int) -> Reservation:
        if not self.made:
            raise Nothing("there is no reservation")
        return self.made[number % len(self.made)]

    def reserve(self, units: int, later: int) -> None:
        start = self.now + later * HOUR
        held = hold_units(
            buyer=self.buyer, offer=self.offer, units=units, start=start, end=start + 2 * HOUR, now=self.now
        )
        self.made.append(confirm(reservation=held, now=self.now))

    def extend(self, number: int, hours: int) -> None:
        extend(reservation=self.chosen(number), hours=hours, now=self.now)

    def resize(self, number: int, units: int) -> None:
        resize(reservation=self.chosen(number), units=units, now=self.now)

    def work(self, number: int, units: int) -> None:
        held = self.chosen(number)
        span = (start := max(self.now, held.start), start + RUN, units)
        take_inside(reservation=held, start=span[0], end=span[1], units=units)
        self.at_work.append((held, span))

    def rest(self, number: int, _: int) -> None:
        if not self.at_work:
            raise Nothing("nothing works")
        held, (start, end, units) = self.at_work[number % len(self.at_work)]
        give_inside_back(reservation=held, start=start, end=end, units=units, now=self.now)
        self.at_work.remove((held, (start, end, units)))

    def cancel(self, number: int, _: int) -> None:
        cancel(reservation=self.chosen(number), now=self.now)

    def wait(self, minutes: int, _: int) -> None:
        self.now += timedelta(minutes=minutes)
        advance_reservations(now=self.now)

    def check(self) -> None:
        """From the running hour on every counter is the sum of what is open."""
        everything_held: Counter[datetime] = Counter()
        for each in self.made:
            held = self.hourly(self.bought(each)) if each.state in RESERVATION.open else Counter()
            given = self.hourly(span for of, span in self.at_work if of.pk == each.pk)
            days = ReservationDay.objects.filter(reservation=each)
            assert self.counted(days, "units_total") == held
            assert {held[hour] for hour in held if hour > self.now} <= {each.units}
            assert self.counted(days, "units_promised") == given
            everything_held += held
        assert self.counted(CapacityDay.objects.filter(offer=self.offer), "units_promised") == everything_held
        assert all(units <= UNITS for units in everything_held.values())

    @staticmethod
    def bought(each: Reservation) -> Iterable[Span]:
        first = each.contract
        yield first.start, first.end, first.units
        for change in each.changes.all():
            yield change.start, change.end, change.units

    def hourly(self, spans: Iterable[Span]) -> Counter[datetime]:
        """{hour from the running one on: units}; hours without any are left out."""
        hours: Counter[datetime] = Counter()
        for start, end, units in spans:
            hours.update({hour: units for hour, _ in touched_hours(start, end) if hour >= hour_floor(self.now)})
        return Counter({hour: units for hour, units in hours.items() if units})

    def counted(self, days: Iterable[CapacityDay | ReservationDay], field: str) -> Counter[datetime]:
        midnight = hour_floor(NOON).replace(hour=0)
        found = {
            midnight + (day.day - NOON.date()) + hour * HOUR: units
            for day in days
            for hour, units in enumerate(getattr(day, field))
        }
        return Counter({hour: units for hour, units in found.items() if units and hour >= hour_floor(self.now)})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=RESERVE, steps=STEPS)
def test_what_is_promised_is_what_is_open(first, steps):
    with transaction.atomic():
        exchange = Exchange()
        for step in (first, *steps):
            exchange.step(*step)
            exchange.check()
        transaction.set_rollback(True)
