"""What a job cost so far, from its metered use and the frozen contract of each attempt."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from marketplace.booking.hours import touched_hours
from marketplace.booking.models import Contract, UsageRecord
from marketplace.booking.pricing import charge_to_date
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from scheduler.models import Allocation, Attempt
from scheduler.states import is_paid

MS, SECOND = timedelta(milliseconds=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Meter:
    """Sums over a job's attempts; `energy_wh` and `carbon_ug` at the site's meter."""

    seconds: int
    unit_seconds: int
    cpu_ms: int
    peak_memory_bytes: int
    energy_wh: int
    energy_method: str
    carbon_ug: int
    renewable_ppm: int | None
    quality: str
    cost_minor: int


def meter_job(attempts: Iterable[Attempt], now: datetime) -> Meter:
    """Metered use of ended attempts; a running one adds its time and its promised cost so far."""
    tries = list(attempts)
    records = defaultdict(list)
    for record in UsageRecord.objects.of_attempts(attempt.public_id for attempt in tries):
        records[record.attempt].append(record)
    believed = [record for attempt in tries for record in records[attempt.public_id] if not record.flagged]
    running = [attempt for attempt in tries if attempt.state == "running"]
    milliseconds = sum(each.milliseconds for each in believed) + sum(_so_far(each, now) for each in running)
    energy = sum(each.site_wh for each in believed)
    return Meter(
        seconds=milliseconds // 1000,
        unit_seconds=(
            sum(each.milliseconds * each.units for each in believed)
            + sum(_so_far(each, now) * each.allocation.units for each in running)
        )
        // 1000,
        cpu_ms=sum(each.cpu_ms for each in believed) + sum(each.cpu_ms for each in running),
        peak_memory_bytes=max(
            [each.peak_memory_bytes for each in believed] + [each.peak_memory_bytes for each in tries], default=0
        ),
        energy_wh=energy,
        energy_method=believed[-1].energy_method if believed else "",
        carbon_ug=int(sum(each.carbon_ug for each in believed)),
        renewable_ppm=_share(believed, energy),
        quality=believed[-1].signal_quality if believed else "",
        cost_minor=sum(cost_of(attempt, records[attempt.public_id], now) for attempt in tries),
    )


def _share(records: list[UsageRecord], energy: int) -> int | None:
    """Energy-weighted renewable share, rounded down; by time where the energy rounds to nothing."""
    if not records:
        return None
    weights = [each.site_wh if energy else max(1, each.milliseconds) for each in records]
    return min(PPM, sum(w * each.renewable_ppm for w, each in zip(weights, records, strict=True)) // sum(weights))


def _so_far(attempt: Attempt, now: datetime) -> int:
    return max(0, (now - (attempt.started_at or now)) // MS)


def cost_of(attempt: Attempt, records: list[UsageRecord], now: datetime) -> int:
    """floor(total × used / promised) of the attempt's contract; nothing for ends that are not the buyer's to pay."""
    spans = [(each.during.lower, each.during.upper) for each in records if not each.flagged]
    if not paid(attempt, spans):
        return 0
    if attempt.state == "running" and attempt.started_at:
        spans = [(attempt.started_at, max(now, attempt.started_at))]
    return price_of_use(attempt.allocation, spans)


def price_of_use(allocation: Allocation, spans: Iterable[tuple[datetime, datetime]]) -> int:
    """What use in `spans` comes to: by the allocation's own contract, inside a reservation as a part of its price."""
    if allocation.reservation is None:
        return charge(allocation.contract, spans)
    return part_of(allocation.reservation.contracts, allocation.units, spans)


def paid(attempt: Attempt, spans: Iterable[tuple[datetime, datetime]]) -> bool:
    """Whether use in `spans` is the buyer's to pay."""
    ran = sum((end - start for start, end in spans), start=timedelta())
    return is_paid(attempt.reason, tier=attempt.allocation.offer.tier, ran_s=ran // SECOND)


def charge(contract: Contract, spans: Iterable[tuple[datetime, datetime]]) -> int:
    """The charge for use in `spans`, in minor units; use is counted hour by hour at the contract's rates."""
    used, hours = _by_hour(spans), _hours(contract)
    late = sum(milliseconds for hour, milliseconds in used.items() if hour not in hours)
    mine = [used[hour] // 1000 for hour in hours]
    mine[-1] += late // 1000
    return charge_to_date(contract.total_minor, _weights(contract), mine, contract.seconds)


def part_of(contracts: Sequence[Contract], units: int, spans: Iterable[tuple[datetime, datetime]]) -> int:
    """The part of what `contracts` cost that `units` used in `spans` are, in minor units, rounded down.

    In each hour every unit that was bought counts alike, whichever contract bought it.
    """
    used, bought = _by_hour(spans), Counter[datetime]()
    for contract in contracts:
        bought.update(dict.fromkeys(_hours(contract), contract.units))
    parts = Fraction(0)
    for contract in contracts:
        hourly = zip(_hours(contract), _weights(contract), contract.seconds, strict=True)
        rows = [(weight, min(used[hour] // 1000, length), length, bought[hour]) for hour, weight, length in hourly]
        whole = sum(weight * length for weight, _, length, _ in rows)
        mine = sum((Fraction(weight * ran * min(units, there), there) for weight, ran, _, there in rows), Fraction(0))
        parts += Fraction(contract.total_minor, whole or 1) * mine
    return int(parts)


def _by_hour(spans: Iterable[tuple[datetime, datetime]]) -> dict[datetime, int]:
    """{hour: milliseconds used of it}."""
    used: dict[datetime, int] = defaultdict(int)
    for start, end in spans:
        for hour, _ in touched_hours(start, end):
            used[hour] += (min(end, hour + HOUR) - max(start, hour)) // MS
    return used


def _hours(contract: Contract) -> list[datetime]:
    first = hour_floor(contract.start)
    return [first + n * HOUR for n in range(len(contract.rate_mm))]


def _weights(contract: Contract) -> list[int]:
    return [rate + contract.electricity_mm for rate in contract.rate_mm]
