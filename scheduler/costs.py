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
    """Metered use; a running attempt adds its time since its last signed line, and what all its time costs."""
    tries = list(attempts)
    records, lines = defaultdict(list), lines_of(tries)
    for record in UsageRecord.objects.of_attempts(attempt.public_id for attempt in tries):
        records[record.attempt].append(record)
    believed = [record for attempt in tries for record in records[attempt.public_id] if not record.flagged]
    running = [attempt for attempt in tries if attempt.state == "running"]
    signed = signed_until(running)
    since = {each.public_id: _unsigned(each, now) // MS for each in running}
    milliseconds = sum(each.milliseconds for each in believed) + sum(since.values())
    energy = sum(each.site_wh for each in believed)
    return Meter(
        seconds=milliseconds // 1000,
        unit_seconds=(
            sum(each.milliseconds * each.units for each in believed)
            + sum(since[each.public_id] * each.allocation.units for each in running)
        )
        // 1000,
        cpu_ms=sum(_cpu_ms(each, records[each.public_id]) for each in tries),
        peak_memory_bytes=max(
            [each.peak_memory_bytes for each in believed] + [each.peak_memory_bytes for each in tries], default=0
        ),
        energy_wh=energy,
        energy_method=believed[-1].energy_method if believed else "",
        carbon_ug=int(sum(each.carbon_ug for each in believed)),
        renewable_ppm=_share(believed, energy),
        quality=believed[-1].signal_quality if believed else "",
        cost_minor=sum(cost_of(each, lines[each.public_id], now, signed.get(each.public_id)) for each in tries),
    )


def _cpu_ms(attempt: Attempt, records: Iterable[UsageRecord]) -> int:
    """Processor time: what was signed, of one that runs at least what its last heartbeat said."""
    signed = sum(each.cpu_ms for each in records if not each.flagged)
    return max(signed, attempt.cpu_ms) if attempt.state == "running" else signed


def signed_until(attempts: Iterable[Attempt]) -> dict[str, datetime]:
    """{public id: up to where signed lines tell of its use} of those that run, in one query, none where none did."""
    metered = [each.public_id for each in attempts if each.state == "running" and each.metered_at]
    if not metered:
        return {}
    rows = UsageRecord.objects.of_attempts(metered).filter(flagged="").order_by("pk")
    return {attempt: span.upper for attempt, span in rows.values_list("attempt", "during")}  # the last one stays


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


def _unsigned(attempt: Attempt, now: datetime) -> timedelta:
    """The time of a running attempt of which no signed line has told yet."""
    return max(timedelta(), now - (attempt.metered_at or attempt.started_at or now))


def cost_of(attempt: Attempt, lines: Iterable[ChargeLine], now: datetime, signed: datetime | None = None) -> int:
    """What the attempt was charged, tax included; of one that runs what its contract says of its use so far.

    That is what was `signed`, up to when it says, and the time since.
    """
    if attempt.state == "running" and attempt.started_at:
        until = (signed or attempt.started_at) + _unsigned(attempt, now)
        return price_of_use(attempt.allocation, attempt.started_at, until)
    return sum(line.charge_minor + line.tax_minor for line in lines)


def price_of_use(allocation: Allocation, start: datetime, end: datetime) -> int:
    """What its use over [start, end) comes to, tax included; inside a reservation as a part of that one's price."""
    contracts = allocation.reservation.contracts if allocation.reservation else [allocation.contract]
    total, span = 0, Span(start, end, allocation.units)
    for part in parts_of(contracts):
        charge = charge_of(part.contract, use_in(part.contract, [span], part.bought))
        total += charge + tax_of(part.contract, charge)
    return total
