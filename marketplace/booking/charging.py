"""What use under a contract costs, and the line, the capture and the shares that it becomes (money.md, 1 and 3).

A charge is cumulative: line n of a contract is the floor of all use so far less the lines before it, so how use was cut
into records never changes a bill. Locks: the hold first, under which all lines of a contract are written.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from marketplace.booking.hours import touched_hours
from marketplace.booking.models import ChargeLine, Contract, UsageRecord
from marketplace.booking.models.charges import UNIT_SECOND
from marketplace.booking.models.promises import ON_TOP
from marketplace.booking.pricing import BASIS, part_of, shares_of
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.ids import new_id
from marketplace.ledger.holds import Split, capture
from marketplace.ledger.lines import Fact
from marketplace.ledger.models import Hold

TICK = timedelta(microseconds=1)  # as fine as moments are stored, so that use cut at an hour loses nothing
TICKS = timedelta(seconds=1) // TICK


@dataclass(frozen=True, slots=True)
class Span:
    """Units in use over [start, end)."""

    start: datetime
    end: datetime
    units: int


@dataclass(frozen=True, slots=True)
class Use:
    """Use under a contract: the sum over hours of rate x unit-ticks, and of unit-ticks alone."""

    weighted: int
    unit_ticks: int


def promised_use(contract: Contract) -> Use:
    """All that the contract promises."""
    return _weighed(contract, [seconds * TICKS * contract.units for seconds in contract.seconds])


def use_in(contract: Contract, spans: Iterable[Span]) -> Use:
    """Use in `spans`, hour by hour as far as it was promised; what runs late counts to the last hour."""
    used: dict[datetime, int] = defaultdict(int)
    last = hour_floor(contract.start) + (len(contract.rate_mm) - 1) * HOUR
    for span in spans:
        for hour, _ in touched_hours(span.start, span.end):
            used[min(hour, last)] += (min(span.end, hour + HOUR) - max(span.start, hour)) // TICK * span.units
    hours = (hour_floor(contract.start) + n * HOUR for n in range(len(contract.rate_mm)))
    promised = (seconds * TICKS * contract.units for seconds in contract.seconds)
    return _weighed(contract, [min(used[hour], most) for hour, most in zip(hours, promised, strict=True)])


def _weighed(contract: Contract, unit_ticks: Sequence[int]) -> Use:
    rates = (rate + contract.electricity_mm for rate in contract.rate_mm)
    return Use(sum(rate * mine for rate, mine in zip(rates, unit_ticks, strict=True)), sum(unit_ticks))


def charge_of(contract: Contract, use: Use) -> int:
    """floor(T x used / promised) in minor units before tax; full use costs exactly T."""
    return part_of(contract.untaxed_minor, use.weighted, promised_use(contract).weighted)


def tax_of(contract: Contract, charge: int) -> int:
    """The tax on a charge, cumulative like it."""
    return charge * contract.tax_bp // BASIS


def charge_use(
    *, contract: Contract, hold: Hold, attempt: str, until: datetime, now: datetime
) -> tuple[ChargeLine, list[Fact]]:
    """The next line of `contract`: what `attempt` used until then and no line before it has; captured from `hold`.

    Never more than the hold has left: the rest is the provider's risk. The facts are for the caller to post.
    """
    Hold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    lines = list(ChargeLine.objects.filter(contract=contract, meter=UNIT_SECOND).order_by("seq"))
    counted = {line.attempt: line.during.upper for line in lines if not line.idle}
    began = counted.get(attempt)
    spans = _spans(contract, counted | {attempt: until})
    use = use_in(contract, spans[attempt] + [each for name in spans if name != attempt for each in spans[name]])
    start = began or min((span.start for span in spans[attempt]), default=until)
    return _write(
        contract, hold, lines, use, now,
        attempt=attempt, during=DateTimeTZRange(start, max(until, start + TICK)),
    )  # fmt: skip


def charge_idle(*, contract: Contract, hold: Hold, now: datetime) -> tuple[ChargeLine | None, list[Fact]]:
    """The last line of a reservation's contract: `idle_bp` of the promised time that was left unused; None for nothing.

    Use that comes after it would not be counted: what ran inside must have ended.
    """
    Hold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    lines = list(ChargeLine.objects.filter(contract=contract, meter=UNIT_SECOND).order_by("seq"))
    if not contract.terms.get("idle_bp", 0) or any(line.idle for line in lines):
        return None, []
    spans = _spans(contract, {line.attempt: line.during.upper for line in lines})
    use = unused_after(contract, [each for mine in spans.values() for each in mine])
    during = DateTimeTZRange(contract.start, contract.end)
    return _write(contract, hold, lines, use, now, attempt="", during=during)


def unused_after(contract: Contract, spans: Iterable[Span]) -> Use:
    """Use in `spans`, and of all that was promised and left unused the part that the terms count as used."""
    used, promised, idle_bp = use_in(contract, spans), promised_use(contract), contract.terms.get("idle_bp", 0)
    return Use(
        used.weighted + (promised.weighted - used.weighted) * idle_bp // BASIS,
        used.unit_ticks + (promised.unit_ticks - used.unit_ticks) * idle_bp // BASIS,
    )


def _spans(contract: Contract, until: dict[str, datetime]) -> dict[str, list[Span]]:
    """What each attempt is believed to have used under the contract, up to its own moment."""
    spans: dict[str, list[Span]] = {attempt: [] for attempt in until}
    rows = UsageRecord.objects.filter(contract=contract, attempt__in=until, flagged="").order_by("pk")
    for row in rows:
        end = min(row.during.upper, until[row.attempt])
        if end > row.during.lower:
            spans[row.attempt].append(Span(row.during.lower, end, row.units))
    return spans


def _write(
    contract: Contract, hold: Hold, lines: Sequence[ChargeLine], use: Use, now: datetime, *, attempt: str,
    during: DateTimeTZRange,
) -> tuple[ChargeLine, list[Fact]]:  # fmt: skip
    charge, tax = _due(contract, hold, lines, use)
    on_top = contract.terms.get("fee_mode", ON_TOP) == ON_TOP
    fee, provider = shares_of(charge, contract.fee_bp, fee_on_top=on_top)
    line = ChargeLine.objects.create(
        public_id=new_id("chl"), contract=contract, seq=len(lines) + 1, attempt=attempt, idle=not attempt,
        during=during, quantity=max(0, use.unit_ticks // TICKS - sum(each.quantity for each in lines)),
        charge_minor=charge, fee_minor=fee, provider_minor=provider, tax_minor=tax, livemode=hold.livemode,
        pending_left=provider, created_at=now, matures_at=now + timedelta(days=contract.terms.get("maturity_days", 0)),
    )  # fmt: skip
    ref = f"{contract.public_id}:{line.meter}:{line.seq}"
    return line, capture(hold=hold, ref=ref, provider=contract.provider, split=Split(provider, fee, tax))


def _due(contract: Contract, hold: Hold, lines: Sequence[ChargeLine], use: Use) -> tuple[int, int]:
    """(charge, tax) that no line has taken yet, both at most what the hold has left."""
    charged, taxed = sum(line.charge_minor for line in lines), sum(line.tax_minor for line in lines)
    charge = max(charged, charge_of(contract, use))
    left = Hold.objects.get(pk=hold.pk).rest
    while charge > charged and charge - charged + tax_of(contract, charge) - taxed > left:
        over = charge - charged + tax_of(contract, charge) - taxed - left
        charge -= max(1, over * BASIS // (BASIS + contract.tax_bp))
    charge = max(charged, charge)
    return charge - charged, max(0, tax_of(contract, charge) - taxed)
