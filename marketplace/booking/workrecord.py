"""What was promised, metered and charged of work, as its receipt carries it: enough to recompute the charge."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from marketplace.booking.charging import Span, charge_of, parts_of, use_in
from marketplace.booking.models import ChargeLine, Contract, UsageRecord


def exact(moment: datetime) -> str:
    """RFC 3339 to the microsecond, as charges are computed."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def record_of(contracts: Sequence[Contract], *, shared: bool, rounds: Iterable[str] = ()) -> dict[str, Any]:
    """The work under `contracts`; `shared` where several of them make one promise, metered under the first."""
    listed = [_contract(contract) for contract in contracts]
    if shared and contracts:
        _mark_shared(listed, contracts)
    lines = [line for each in listed for line in each["lines"]]
    return {
        "shared": shared,
        "rounds": sorted(set(rounds)),
        "currency": contracts[0].currency if contracts else "",
        "charge_minor": sum(line["charge_minor"] for line in lines),
        "tax_minor": sum(line["tax_minor"] for line in lines),
        "contracts": listed,
    }


def _contract(contract: Contract) -> dict[str, Any]:
    usage = list(UsageRecord.objects.filter(contract=contract, flagged="").order_by("during", "pk"))
    lines = list(ChargeLine.objects.filter(contract=contract).order_by("seq"))
    return {
        "id": contract.public_id,
        "subject": contract.subject,
        "units": contract.units,
        "start": exact(contract.start),
        "end": exact(contract.end),
        "rate_mm": contract.rate_mm,
        "seconds": contract.seconds,
        "electricity_mm": contract.electricity_mm,
        "untaxed_minor": contract.untaxed_minor,
        "tax_bp": contract.tax_bp,
        "capped": _is_capped(contract, [contract], usage, lines),
        "metered": [_metered(row) for row in usage],
        "lines": [_line(row) for row in lines],
    }


def _mark_shared(listed: list[dict[str, Any]], contracts: Sequence[Contract]) -> None:
    usage = list(UsageRecord.objects.filter(contract=contracts[0], flagged="").order_by("during", "pk"))
    for each, contract in zip(listed, contracts, strict=True):
        lines = list(ChargeLine.objects.filter(contract=contract).order_by("seq"))
        each["capped"] = _is_capped(contract, contracts, usage, lines)


def _is_capped(
    contract: Contract, contracts: Sequence[Contract], usage: Sequence[UsageRecord], lines: Sequence[ChargeLine]
) -> bool:
    """Whether less was charged than the metered time comes to: what was held was used up."""
    ends = {line.attempt: line.during.upper for line in lines if not line.idle}
    spans = [
        Span(row.during.lower, min(row.during.upper, ends[row.attempt]), row.units)
        for row in usage
        if row.attempt in ends and row.during.lower < ends[row.attempt]
    ]
    part = next(each for each in parts_of(contracts) if each.contract.pk == contract.pk)
    due = charge_of(contract, use_in(contract, spans, part.bought))
    return sum(line.charge_minor for line in lines if not line.idle) < due


def _metered(row: UsageRecord) -> dict[str, Any]:
    """A span that a machine stated under its signature, and the hash of that statement."""
    return {
        "attempt": row.attempt,
        "start": exact(row.during.lower),
        "end": exact(row.during.upper),
        "units": row.units,
        "energy_wh": row.energy_wh,
        "line_sha256": hashlib.sha256(row.line.encode()).hexdigest(),
    }


def _line(row: ChargeLine) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "attempt": row.attempt,
        "idle": row.idle,
        "start": exact(row.during.lower),
        "end": exact(row.during.upper),
        "charge_minor": row.charge_minor,
        "tax_minor": row.tax_minor,
    }
