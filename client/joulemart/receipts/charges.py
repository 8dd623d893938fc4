"""The charge of a receipt, recomputed from its frozen contracts and metered spans: floor(T × used / promised)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
TICKS_PER_SECOND = 1_000_000
Record = Mapping[str, Any]


def charge_faults(payload: Record) -> Iterator[str]:
    """Each contract's lines for use come to its price for what was metered; together they are the charge."""
    work = payload["work"]
    contracts = work.get("contracts", [])
    bought = _bought(contracts) if len(contracts) > 1 and work.get("shared") else {}
    total = 0
    for contract in contracts:
        lines = contract["lines"]
        total += sum(line["charge_minor"] for line in lines)
        due = charge_due(contract, _metered(contract, contracts, work), bought)
        charged = sum(line["charge_minor"] for line in lines if not line["idle"])
        if charged > due or (charged < due and not contract["capped"]):
            yield f"{contract['id']}: {charged} was charged for use, the metered time comes to {due}"
        if sum(line["charge_minor"] for line in lines) > contract["untaxed_minor"]:
            yield f"{contract['id']}: more was charged than the contract comes to"
    if work.get("charge_minor", total) != total:
        yield f"the charge is {work['charge_minor']}, its lines come to {total}"


def _metered(contract: Record, contracts: Sequence[Record], work: Record) -> list[Record]:
    """The spans that count for a contract: those metered under the first where several share a promise."""
    source = contracts[0] if work.get("shared") else contract
    ends = {line["attempt"]: line["end"] for line in contract["lines"] if not line["idle"]}
    return [
        {**span, "end": min(span["end"], ends[span["attempt"]], key=_moment)}
        for span in source["metered"]
        if span["attempt"] in ends and _moment(span["start"]) < _moment(ends[span["attempt"]])
    ]


def _bought(contracts: Sequence[Record]) -> dict[datetime, int]:
    """Units of all contracts together, by hour."""
    units: dict[datetime, int] = defaultdict(int)
    for contract in contracts:
        for hour in _hours(contract):
            units[hour] += contract["units"]
    return units


def _hours(contract: Record) -> list[datetime]:
    first = _floor(_moment(contract["start"]))
    return [first + n * HOUR for n in range(len(contract["rate_mm"]))]


def charge_due(contract: Record, spans: Sequence[Record], bought: Mapping[datetime, int]) -> int:
    """What the metered `spans` cost under a contract before tax, in minor units, rounded down."""
    hours, used = _hours(contract), defaultdict[datetime, int](int)
    for span in spans:
        start, end = _moment(span["start"]), _moment(span["end"])
        hour = _floor(start)
        while hour < end:
            counted = hour if bought else min(hour, hours[-1])
            used[counted] += (min(end, hour + HOUR) - max(start, hour)) // TICK * span["units"]
            hour += HOUR
    promised = [seconds * TICKS_PER_SECOND * contract["units"] for seconds in contract["seconds"]]
    mine = [used[hour] * contract["units"] // bought.get(hour, contract["units"]) for hour in hours]
    rates = [rate + contract["electricity_mm"] for rate in contract["rate_mm"]]
    weighted = sum(rate * min(each, most) for rate, each, most in zip(rates, mine, promised, strict=True))
    whole = sum(rate * most for rate, most in zip(rates, promised, strict=True))
    return int(contract["untaxed_minor"] * weighted // whole) if whole else 0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
