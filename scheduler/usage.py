"""What an attempt used: the agent's signed line, checked against its lease, cut into hours, priced and weighed."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from marketplace.booking.hours import touched_hours
from marketplace.booking.models import UsageRecord
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.units import largest_remainder
from marketplace.energy.metering import METHODS, UsePart, record_use
from marketplace.energy.services import share_over
from marketplace.energy.use import carbon_ug, site_wh
from scheduler.models import Attempt, Lease
from scheduler.receipting import subject_of

TOLERANCE_MS = 2000
COUNTERS = ("milliseconds", "cpu_ms", "peak_memory_bytes", "bytes_in", "bytes_out", "energy_wh")


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One signed statement of an agent about one lease."""

    text: str
    signature: str
    facts: dict[str, Any]


def read_line(raw: dict[str, str]) -> UsageLine:
    """Parse what the agent sent; raises ValueError when it is no JSON object with the counters."""
    facts = json.loads(raw["line"])
    if not isinstance(facts, dict) or any(not isinstance(facts.get(name), int) for name in COUNTERS):
        raise ValueError("a usage line needs whole numbers for " + ", ".join(COUNTERS))
    return UsageLine(text=raw["line"], signature=raw["signature"], facts=facts)


def usage_line(raw: dict[str, str], pointer: str) -> UsageLine:
    """The line that an agent sent at `pointer`. Raises ValidationFailed."""
    try:
        return read_line(raw)
    except ValueError as error:
        raise ValidationFailed([FieldProblem(pointer, "bad_value", str(error))]) from error


def doubts(line: UsageLine, lease: Lease, now: datetime) -> str:
    """Why the line is not believed, or nothing. A doubted line is stored and shown, never billed."""
    attempt, facts = lease.attempt, line.facts
    started = attempt.started_at or now
    wall_ms = (now - started) // timedelta(milliseconds=1)
    checks = {
        "signature": _signed(line, lease.agent.public_key),
        "attempt": facts.get("attempt") == attempt.public_id and facts.get("epoch") == lease.epoch,
        "units": facts.get("units") == attempt.allocation.units,
        "wall time": 0 <= facts["milliseconds"] <= wall_ms + TOLERANCE_MS,
        "negative count": min(facts[name] for name in COUNTERS) >= 0,
    }
    return ", ".join(name for name, fine in checks.items() if not fine)


def _signed(line: UsageLine, public_key: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(line.signature), line.text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def usage_due(attempt: Attempt, now: datetime) -> bool:
    """Whether a clock hour has begun since it was last said under a signature what a running attempt has used."""
    since = attempt.metered_at or attempt.started_at
    return attempt.state == "running" and since is not None and since < hour_floor(now)


def record_usage(*, lease: Lease, line: UsageLine, now: datetime) -> list[UsageRecord]:
    """What the line says beyond those before it, one UsageRecord per clock hour: lines are cumulative.

    A doubted line becomes one flagged record without effect.
    """
    attempt = lease.attempt
    start = attempt.started_at or now
    doubt = doubts(line, lease, now)
    if doubt:
        span = DateTimeTZRange(start, max(now, start + timedelta(milliseconds=1)))
        return [_record(lease, line, span, dict.fromkeys(COUNTERS, 0), now, flagged=f"not believed: {doubt}")]
    milliseconds = min(line.facts["milliseconds"], max(1, (now - start) // timedelta(milliseconds=1)))
    begin, said = _said_before(attempt, start)
    end = start + timedelta(milliseconds=max(1, milliseconds))
    if end <= begin:
        return []
    spans = [
        (max(begin, hour), min(end, hour + HOUR)) for hour, _ in touched_hours(begin, end)
    ]  # the clock hours that the rest of the run touches
    weights = [max(1, (until - since) // timedelta(milliseconds=1)) for since, until in spans]
    added = {name: max(0, line.facts[name] - said[name]) for name in COUNTERS if name != "peak_memory_bytes"}
    shares = {name: largest_remainder(more, weights) for name, more in added.items()}
    shares["milliseconds"] = weights
    records = []
    for index, (since, until) in enumerate(spans):
        counts = {name: parts[index] for name, parts in shares.items()}
        counts["peak_memory_bytes"] = line.facts["peak_memory_bytes"]
        records.append(_record(lease, line, DateTimeTZRange(since, until), counts, now))
    _record_energy(attempt, records)
    return records


def _record_energy(attempt: Attempt, records: list[UsageRecord]) -> None:
    """Let the energy of `records` be settled where it was used, for whom it was used."""
    record_use(
        subject=subject_of(attempt), point=attempt.allocation.offer.site.point, method=records[0].energy_method,
        parts=[
            UsePart(hour_floor(row.during.lower), row.energy_wh, row.milliseconds * row.units // 1000)
            for row in records
        ],
    )  # fmt: skip


def _said_before(attempt: Attempt, start: datetime) -> tuple[datetime, dict[str, int]]:
    """(up to where its use is recorded, the counters so far)."""
    rows = UsageRecord.objects.filter(
        contract=attempt.allocation.contract_id, attempt=attempt.public_id, flagged=""
    ).values("during", *COUNTERS)  # fmt: skip
    ends = [row["during"].upper for row in rows]
    return max(ends, default=start), {name: sum(row[name] for row in rows) for name in COUNTERS}


def _record(
    lease: Lease, line: UsageLine, span: DateTimeTZRange, counts: dict[str, int], now: datetime, flagged: str = ""
) -> UsageRecord:
    attempt: Attempt = lease.attempt
    site = attempt.allocation.offer.site
    green = share_over(zone=site.zone, start=span.lower, end=span.upper, now=now)
    at_site = site_wh(counts["energy_wh"], site.pue_ppm)
    return UsageRecord.objects.create(
        attempt=attempt.public_id, contract=attempt.allocation.contract, during=span, units=attempt.allocation.units,
        site_wh=at_site, carbon_ug=carbon_ug(at_site, green.lifecycle_mg), renewable_ppm=green.renewable_ppm,
        signal_quality=green.quality, energy_method=_method(line),
        flagged=flagged, line=line.text, signature=line.signature, created_at=now, **counts,
    )  # fmt: skip


def _method(line: UsageLine) -> str:
    """How the machine knows its energy; what it does not say, or says in words of its own, is the least exact."""
    said = line.facts.get("energy_method")
    return said if said in METHODS else METHODS[-1]
