"""The units of a reservation hour by hour: what it holds of its offer, and what the work inside takes of that.

Work inside never touches CapacityDay: its hours are promised to the reservation already. Lock order: reservation, jobs,
ReservationDay, CapacityDay.
"""

from collections.abc import Mapping
from datetime import date, datetime

from marketplace.booking.errors import ReservationFull, WorkInside
from marketplace.booking.hours import HOURS_OF_DAY, hours_by_day
from marketplace.booking.models import Reservation, ReservationDay
from marketplace.common.clock import hour_floor
from marketplace.common.errors import IllegalState

HoursByDay = Mapping[date, list[int]]


def lock_reservation(reservation: Reservation) -> None:
    """Read the row again under its lock, so that two deciders wait for each other.

    A weaker one than FOR UPDATE: a job that ends may refer to the reservation while it holds hours that this one wants.
    """
    Reservation.objects.select_for_update(of=("self",), no_key=True).get(pk=reservation.pk)
    reservation.refresh_from_db(fields=["state", "version", "units", "end"])


def hold_more(*, reservation: Reservation, hours: HoursByDay) -> None:
    """The reservation holds these units too; its offer has promised them already."""
    ReservationDay.objects.bulk_create(
        [ReservationDay(reservation=reservation, day=day) for day in hours], ignore_conflicts=True
    )
    for row in ReservationDay.objects.of_days(reservation, hours):
        ReservationDay.objects.filter(pk=row.pk).enlarge(hours[row.day])


def hold_less(*, reservation: Reservation, hours: HoursByDay) -> None:
    """The reservation holds these units no more. Raises WorkInside (the caller's transaction rolls back)."""
    for row in ReservationDay.objects.of_days(reservation, hours):
        if not ReservationDay.objects.filter(pk=row.pk).shrink(hours[row.day]):
            raise WorkInside(reservation=reservation.public_id)


def held_from(*, reservation: Reservation, now: datetime) -> dict[date, list[int]]:
    """{day: units of each hour} that the reservation holds from the running hour on."""
    this_hour = hour_floor(now)
    rows = ReservationDay.objects.filter(reservation=reservation, day__gte=this_hour.date()).order_by("pk")
    return {
        row.day: [
            units if row.day > this_hour.date() or hour >= this_hour.hour else 0
            for hour, units in enumerate(row.units_total)
        ]
        for row in rows
    }


def take_inside(*, reservation: Reservation, start: datetime, end: datetime, units: int) -> None:
    """Promise `units` of the reservation to work in every hour of [start, end).

    Raises ReservationFull when it does not hold as many that are free (the caller's transaction rolls back).
    """
    hours = hours_by_day(start, end, units)
    rows = list(ReservationDay.objects.of_days(reservation, hours))
    taken = (ReservationDay.objects.filter(pk=row.pk).take(hours[row.day]) for row in rows)
    if len(rows) < len(hours) or not all(taken):
        raise ReservationFull(reservation=reservation.public_id, units=units)


def give_inside_back(*, reservation: Reservation, start: datetime, end: datetime, units: int, now: datetime) -> None:
    """Return to the reservation what work inside had of [start, end) from the running hour on."""
    if end <= hour_floor(now):
        return
    hours = hours_by_day(max(start, hour_floor(now)), end, units)
    for row in ReservationDay.objects.of_days(reservation, hours):
        if not ReservationDay.objects.filter(pk=row.pk).give_back(hours[row.day]):
            raise IllegalState(f"more units came back to {reservation.public_id} than work had", day=str(row.day))


def free_inside(*, reservation: Reservation) -> dict[tuple[date, int], int]:
    """{(day, hour): units that no work inside has}."""
    return {
        (row.day, hour): row.units_total[hour] - row.units_promised[hour]
        for row in ReservationDay.objects.filter(reservation=reservation)
        for hour in range(HOURS_OF_DAY)
    }
