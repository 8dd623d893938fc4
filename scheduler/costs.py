"""What a job used and cost so far, from its metered use, what it was charged, and the contract of what runs."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.booking.charging import Span, charge_of, parts_of, tax_of, use_in
from marketplace.booking.models import ChargeLine, UsageRecord
from marketplace.common.units import PPM
from scheduler.models import Allocation, Attempt

MS = timedelta(milliseconds=1)


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
    records, lines = defaultdict(list), lines_of(tries)
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
        cost_minor=sum(cost_of(attempt, lines[attempt.public_id], now) for attempt in tries),
    )


def lines_of(attempts: Iterable[Attempt]) -> dict[str, list[ChargeLine]]:
    """{attempt's public id: what it was charged}, in one query."""
    lines = defaultdict(list)
    for line in ChargeLine.objects.of_attempts(attempt.public_id for attempt in attempts):
        lines[line.attempt].append(line)
    return lines


def _share(records: list[UsageRecord], energy: int) -> int | None:
    """Energy-weighted renewable share, rounded down; by time where the energy rounds to nothing."""
    if not records:
        return None
    weights = [each.site_wh if energy else max(1, each.milliseconds) for each in records]
    return min(PPM, sum(w * each.renewable_ppm for w, each in zip(weights, records, strict=True)) // sum(weights))


def _so_far(attempt: Attempt, now: datetime) -> int:
    return max(0, (now - (attempt.started_at or now)) // MS)


def cost_of(attempt: Attempt, lines: Iterable[ChargeLine], now: datetime) -> int:
    """What the attempt was charged, tax included; of one that runs what its contract says of the time so far."""
    if attempt.state == "running" and attempt.started_at:
        return price_of_use(attempt.allocation, attempt.started_at, max(now, attempt.started_at))
    return sum(line.charge_minor + line.tax_minor for line in lines)


def price_of_use(allocation: Allocation, start: datetime, end: datetime) -> int:
    """What its use over [start, end) comes to, tax included; inside a reservation as a part of that one's price."""
    contracts = allocation.reservation.contracts if allocation.reservation else [allocation.contract]
    total, span = 0, Span(start, end, allocation.units)
    for part in parts_of(contracts):
        charge = charge_of(part.contract, use_in(part.contract, [span], part.bought))
        total += charge + tax_of(part.contract, charge)
    return total
