"""What use under a contract costs, and the line, the capture and the shares that it becomes (money.md, 1 and 3).

A charge is cumulative: line n of a contract is the floor of all use so far less the lines before it, so how use was cut
into records never changes a bill. Locks: the hold first, under which all lines of a contract are written.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
class Returned:
    """Units given back for a span, for which `idle_bp` of the rate is due instead of what the terms say."""

    span: Span
    idle_bp: int


@dataclass(frozen=True, slots=True)
class Use:
    """Use under a contract: the sum over hours of rate x unit-ticks, and of unit-ticks alone."""

    weighted: int
    unit_ticks: int


@dataclass(frozen=True, slots=True)
class Part:
    """One contract of what was bought together: in each hour a unit counts alike, whichever contract bought it.

    Use is recorded under `metered`, the first of them; `bought` are the units of all by hour, none where there is one.
    """

    contract: Contract
    metered: Contract
    bought: Mapping[datetime, int] = field(default_factory=dict)


def parts_of(contracts: Sequence[Contract]) -> list[Part]:
    """The contracts of one promise, the first one first."""
    if len(contracts) == 1:
        return [Part(contracts[0], contracts[0])]
    bought = Counter[datetime]()
    for contract in contracts:
        bought.update(dict.fromkeys(hours_of(contract), contract.units))
    return [Part(contract, contracts[0], bought) for contract in contracts]


def hours_of(contract: Contract) -> list[datetime]:
    """The whole hours that the contract touches."""
    first = hour_floor(contract.start)
    return [first + n * HOUR for n in range(len(contract.rate_mm))]


def promised_use(contract: Contract) -> Use:
    """All that the contract promises."""
    return _weighed(contract, [seconds * TICKS * contract.units for seconds in contract.seconds])


def use_in(contract: Contract, spans: Iterable[Span], bought: Mapping[datetime, int] | None = None) -> Use:
    """Use in `spans`, hour by hour as far as it was promised; what runs late counts to the last hour.

    Where several contracts `bought` units of an hour, only this one's part of the use.
    """
    used: dict[datetime, int] = defaultdict(int)
    hours = hours_of(contract)
    for span in spans:
        for hour, _ in touched_hours(span.start, span.end):
            counted = hour if bought else min(hour, hours[-1])
            used[counted] += (min(span.end, hour + HOUR) - max(span.start, hour)) // TICK * span.units
    promised = [seconds * TICKS * contract.units for seconds in contract.seconds]
    mine = [used[hour] * contract.units // (bought or {}).get(hour, contract.units) for hour in hours]
    return _weighed(contract, [min(each, most) for each, most in zip(mine, promised, strict=True)])


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
    *, part: Part, hold: Hold, attempt: str, until: datetime, now: datetime
) -> tuple[ChargeLine, list[Fact]]:
    """The next line of a contract: what `attempt` used until then and no line before it has; captured from `hold`.

    Never more than the hold has left: the rest is the provider's risk. The facts are for the caller to post.
    """
    Hold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    lines = _lines(part.contract)
    use, start = _use_so_far(part, lines, attempt, until)
    return _write(
        part.contract, hold, lines, use, now,
        attempt=attempt, during=DateTimeTZRange(start, max(until, start + TICK)),
    )  # fmt: skip


def due_for_use(*, part: Part, hold: Hold, attempt: str, until: datetime) -> int:
    """What `charge_use` would capture now, tax included; nothing is written."""
    lines = _lines(part.contract)
    return sum(_due(part.contract, hold, lines, _use_so_far(part, lines, attempt, until)[0]))


def _use_so_far(part: Part, lines: Sequence[ChargeLine], attempt: str, until: datetime) -> tuple[Use, datetime]:
    """(all use under the contract with that of `attempt` until then, where the part that no line has begins)."""
    counted = {line.attempt: line.during.upper for line in lines if not line.idle}
    began = counted.get(attempt)
    spans = _spans(part.metered, counted | {attempt: until})
    use = use_in(part.contract, [each for mine in spans.values() for each in mine], part.bought)
    return use, began or min((span.start for span in spans[attempt]), default=until)


def charge_idle(
    *, part: Part, hold: Hold, now: datetime, returned: Sequence[Returned] = ()
) -> tuple[ChargeLine | None, list[Fact]]:
    """The last line of a reservation's contract: the part of the price that unused time costs; None for nothing.

    Use that comes after it would not be counted: what ran inside must have ended.
    """
    Hold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    contract, lines = part.contract, _lines(part.contract)
    if not contract.terms.get("idle_bp", 0) or any(line.idle for line in lines):
        return None, []
    spans = _spans(part.metered, {line.attempt: line.during.upper for line in lines})
    use = unused_after(part, [each for mine in spans.values() for each in mine], returned)
    during = DateTimeTZRange(contract.start, contract.end)
    return _write(contract, hold, lines, use, now, attempt="", during=during)


def unused_after(part: Part, spans: Iterable[Span], returned: Sequence[Returned] = ()) -> Use:
    """Use in `spans`, and of all that was promised and left unused the part that the terms count as used.

    What was returned counts as little as was agreed when it was.
    """
    contract, idle_bp = part.contract, part.contract.terms.get("idle_bp", 0)
    used, promised = use_in(contract, spans, part.bought), promised_use(contract)
    less = [(use_in(contract, [each.span], part.bought), idle_bp - each.idle_bp) for each in returned]
    weighted = (promised.weighted - used.weighted) * idle_bp - sum(use.weighted * bp for use, bp in less)
    ticks = (promised.unit_ticks - used.unit_ticks) * idle_bp - sum(use.unit_ticks * bp for use, bp in less)
    return Use(used.weighted + max(0, weighted) // BASIS, used.unit_ticks + max(0, ticks) // BASIS)


def _lines(contract: Contract) -> list[ChargeLine]:
    return list(ChargeLine.objects.filter(contract=contract, meter=UNIT_SECOND).order_by("seq"))


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
