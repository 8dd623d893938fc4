"""Snapshots and plans as canonical bytes: equal content, equal bytes, on every machine."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from scheduler.core.types import Ask, OfferFacts, Placement, Plan, Rates, Reference, Relax, Snapshot, Unplaced

HOURLY = ("price", "share_ppm", "matched_ppm", "ci_mg", "free", "units_total", "carbon_free_ppm")


def sha256(content: bytes) -> str:
    """The hash in hex."""
    return hashlib.sha256(content).hexdigest()


def dump(content: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """Everything the round read."""
    return dump(asdict(snapshot))


def load_snapshot(content: bytes) -> Snapshot:
    """The snapshot of `dump_snapshot`'s bytes; raises ValueError or TypeError when they are none."""
    tree = json.loads(content)
    offers = tuple(
        OfferFacts(**{**each, **{name: tuple(each[name]) for name in HOURLY}}) for each in tree.pop("offers")
    )
    asks = tuple(_ask(each) for each in tree.pop("asks"))
    return Snapshot(offers=offers, asks=asks, reference=Reference(**tree.pop("reference")), **tree)


def _ask(tree: dict[str, Any]) -> Ask:
    limits = {name: tuple(value) if isinstance(value, list) else value for name, value in tree["limits"].items()}
    rates = Rates(**tree["rates"]) if tree["rates"] else None
    lists = {"weights": tuple(tree["weights"]), "excluded_sites": tuple(tree["excluded_sites"])}
    return Ask(**{**tree, **lists, "limits": limits, "rates": rates})


def dump_plan(plan: Plan) -> bytes:
    """Everything the round decided."""
    return dump(asdict(plan))


def load_plan(content: bytes) -> Plan:
    """The plan of `dump_plan`'s bytes."""
    tree = json.loads(content)
    placed = tuple(Placement(**{**each, "hours": tuple(each["hours"])}) for each in tree["placed"])
    return Plan(placed, tuple(_unplaced(each) for each in tree["unplaced"]))


def _unplaced(tree: dict[str, Any]) -> Unplaced:
    relax = tuple(
        Relax(**{**each, "limits": tuple(each["limits"]), "changes": tuple(_change(*pair) for pair in each["changes"])})
        for each in tree["relax"]
    )
    return Unplaced(tree["ask"], tree["code"], tree["rejected"], relax)


def _change(name: str, value: Any) -> tuple[str, Any]:
    return name, tuple(value) if isinstance(value, list) else value
