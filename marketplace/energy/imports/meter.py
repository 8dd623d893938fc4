"""Files of meters (`meter`): of metering points, or of plants and stores, by the quarter of an hour or by the hour.

Four quarters make an hour; three make none, and nothing is filled in. The hours of a file that lack a part are counted
as `incomplete`; a later file may bring them whole.
"""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from accounts.models import Organization
from marketplace.common.clock import HOUR, hour_floor
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.imports.cells import WrongCell, whole, whole_minute
from marketplace.energy.imports.sheets import Column, Sheet
from marketplace.energy.imports.taking import Sent, Taken
from marketplace.energy.metering import Reading, lock_points, record_readings, settled_uses
from marketplace.energy.models import EnergySource, GenerationHour, MeterPoint, PointHour
from marketplace.energy.models.sources import MEASURED_KINDS

QUARTER = 15
WHOLE = 60
Place = TypeVar("Place", MeterPoint, EnergySource)


class Hour(NamedTuple):
    """One hour of one place (by key) as the file tells it."""

    place: int
    start: datetime


@dataclass(slots=True)
class Sum:
    """What the rows of an hour add up to: the line of the first, minutes that are told, and Wh column by column."""

    line: int
    minutes: int = 0
    wh: list[int] = field(default_factory=lambda: [0, 0])


@dataclass
class MeterSheet(Generic[Place]):
    """The rows of one file, added up to hours."""

    sheet: Sheet
    places: Mapping[int, Place]
    sent: Sent
    key: str  # the column that names the place
    hours: dict[Hour, Sum] = field(default_factory=dict)
    _seen: dict[tuple[int, datetime], int] = field(default_factory=dict)

    def read(self) -> None:
        """Add all rows up; whatever is wrong with one is a fault."""
        for line, (place, start, minutes, *wh) in self.sheet.rows():
            if self._fits(line, place, start, minutes, wh):
                told = self.hours.setdefault(Hour(place, hour_floor(start)), Sum(line))
                told.minutes += minutes
                told.wh = [one + other for one, other in zip(told.wh, [*wh, 0], strict=False)]

    def whole(self) -> Iterator[tuple[Hour, Sum]]:
        """The hours of which every minute is told, place by place in the order of time."""
        for hour in sorted(self.hours):
            if self.hours[hour].minutes == WHOLE:
                yield hour, self.hours[hour]

    @property
    def incomplete(self) -> int:
        return sum(told.minutes < WHOLE for told in self.hours.values())

    def _fits(self, line: int, place: int, start: datetime, minutes: int, wh: list[int]) -> bool:
        fault = self.sheet.fault
        if start.minute % minutes:
            fault(line, "start_utc", "not_on_grid", f"{start:%H:%M} starts no {minutes} minutes", "quarters or hours")
        elif start + timedelta(minutes=minutes) > self.sent.at:
            fault(line, "start_utc", "bad_value", "that time is not over yet", "meters tell what was")
        elif twice := self._line_of(place, start, minutes, line):
            detail = f"line {twice} tells that time of {self.places[place]} already"
            fault(line, "start_utc", "duplicate_hour", detail, "keep one of the two")
        elif self.key == "point" and wh[0] > wh[1]:
            fault(line, "it_wh", "it_exceeds_total", f"{wh[0]} Wh of {wh[1]} in all", "the total includes the machines")
        elif (capacity := self._capacity(place)) is not None and wh[0] * WHOLE > capacity * minutes:
            detail = f"{wh[0]} Wh in {minutes} minutes are more than {capacity} W make"
            fault(line, "wh", "exceeds_capacity", detail, f"at most {capacity * minutes // WHOLE}")
        else:
            return True
        return False

    def _capacity(self, place: int) -> int | None:
        source = self.places[place]
        return source.capacity_w if isinstance(source, EnergySource) else None

    def _line_of(self, place: int, start: datetime, minutes: int, line: int) -> int | None:
        """The line that tells some of these minutes of that place already, else they are this line's."""
        quarters = [start + timedelta(minutes=each) for each in range(0, minutes, QUARTER)]
        for quarter in quarters:
            if (place, quarter) in self._seen:
                return self._seen[place, quarter]
        self._seen.update(dict.fromkeys([(place, quarter) for quarter in quarters], line))
        return None


def minutes_of(text: str) -> int:
    """15 or 60; raises WrongCell."""
    value = whole(text)
    if value > WHOLE:
        raise WrongCell("interval_too_long", f"{value} minutes are more than an hour", "15 or 60")
    if value not in (QUARTER, WHOLE):
        raise WrongCell("not_on_grid", f"{value} minutes are neither a quarter nor an hour", "15 or 60")
    return value


def place_of(text: str, known: Mapping[str, int], what: str) -> int:
    """The key of one's own point or plant; raises WrongCell for another's as for one that nobody has."""
    if text in known:
        return known[text]
    close = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"make the {what} first"
    raise WrongCell("not_found", f"you have no {what} called {text!r}" if text else "the cell is empty", hint)


def columns(key: str, known: Mapping[str, int]) -> list[Column]:
    """The columns of a file of points (`key` is `point`) or of plants (`device_id`)."""
    what = "metering point" if key == "point" else "metered plant or store"
    reads: dict[str, Callable[[str], Any]] = {
        key: lambda text: place_of(text, known, what), "start_utc": whole_minute, "minutes": minutes_of,
        **(dict.fromkeys(["it_wh", "total_wh"] if key == "point" else ["wh"], whole)),
    }  # fmt: skip
    return [Column(name, (name,), read) for name, read in reads.items()]


def sheet_of_points(text: str, organization: Organization, sent: Sent) -> MeterSheet[MeterPoint]:
    """The file as one of the organization's points."""
    points = {point.pk: point for point in MeterPoint.objects.filter(organization=organization)}
    known = {point.code: key for key, point in points.items()}
    return MeterSheet(Sheet(text, columns("point", known)), points, sent, "point")


def sheet_of_plants(text: str, organization: Organization, sent: Sent) -> MeterSheet[EnergySource]:
    """The file as one of the organization's plants."""
    own = EnergySource.objects.filter(organization=organization, kind__in=MEASURED_KINDS)
    plants = {source.pk: source for source in own.select_related("organization")}
    known = {source.device_id: key for key, source in plants.items()}
    return MeterSheet(Sheet(text, columns("device_id", known)), plants, sent, "device_id")


def write_points(read: MeterSheet[MeterPoint]) -> Taken:
    """The hours of points into the record; one that is there, or was settled as more without a meter, is a fault."""
    by_point: dict[int, list[Reading]] = {}
    for hour, told in read.whole():
        by_point.setdefault(hour.place, []).append(Reading(hour.start, told.wh[0], told.wh[1]))
    lock_points(by_point)
    for key, readings in by_point.items():
        first, end = readings[0].start, readings[-1].start + HOUR
        there = PointHour.objects.filter(point=key).within(first, end)
        _refuse_known(read, key, set(there.values_list("start", flat=True)))
        used = settled_uses(point=read.places[key], start=first, end=end)
        for each in readings:
            if each.start in used and not used[each.start].fits(each):
                detail = f"that hour was settled without a meter, as {used[each.start].site_wh} Wh"
                line = read.hours[Hour(key, each.start)].line
                read.sheet.fault(line, "start_utc", "duplicate_hour", detail, "leave it out: it stays as it is")
    if read.sheet.faults.count:
        return Taken(0)
    rows = [record_readings(point=read.places[key], readings=each) for key, each in by_point.items()]
    return Taken(sum(rows), read.incomplete)


def write_plants(read: MeterSheet[EnergySource]) -> Taken:
    """The hours of plants into the record, and the lots that they become; one that is there is a fault."""
    by_plant: dict[int, list[Made]] = {}
    for hour, told in read.whole():
        by_plant.setdefault(hour.place, []).append(Made(hour.start, told.wh[0]))
    for key, made in by_plant.items():
        there = GenerationHour.objects.filter(source=key).within(made[0].start, made[-1].start + HOUR)
        _refuse_known(read, key, set(there.values_list("start", flat=True)))
    if read.sheet.faults.count:
        return Taken(0)
    for key, made in by_plant.items():
        record_generation(source=read.places[key], made=made, now=read.sent.at, evidence_sha256=read.sent.sha256)
    return Taken(sum(map(len, by_plant.values())), read.incomplete)


def _refuse_known(read: MeterSheet[Place], place: int, there: Collection[datetime]) -> None:
    """A fault for each hour of the file that is on record already."""
    for start in there:
        told = read.hours.get(Hour(place, start))
        if told and told.minutes == WHOLE:
            detail = f"this hour of {read.places[place]} is on record already"
            read.sheet.fault(told.line, "start_utc", "duplicate_hour", detail, "leave it out")
