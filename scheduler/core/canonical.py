"""Snapshots and plans as canonical bytes: equal content, equal bytes, on every machine."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from operator import attrgetter
from typing import Any

import numpy as np

from scheduler.core.asks import GANG, NEVER, OWN, AskColumns, columns_of
from scheduler.core.types import (
    Ask,
    OfferFacts,
    Placement,
    Plan,
    Preemption,
    Rates,
    Reference,
    Relax,
    Snapshot,
    Unplaced,
    Victim,
)

WHOLE = {"max_pieces": 1, "restart_s": 0}  # what most asks say of pieces: it is left out
OF_ASK = tuple(field.name for field in fields(Ask) if field.name not in WHOLE)
values_of = attrgetter(*OF_ASK)
LISTS = ("energy_sources", "price", "share_ppm", "matched_ppm", "ci_mg", "free", "units_total", "carbon_free_ppm")


def sha256(content: bytes) -> str:
    """The hash in hex."""
    return hashlib.sha256(content).hexdigest()


def dump(content: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """Everything the round read."""
    tree = asdict(replace(snapshot, asks=())) | {"asks": tree_of_asks(snapshot.asks)}
    return dump(without_empty(tree, "victims"))


def without_empty(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """`tree` without its member `name` where that is empty: most rounds say nothing of it, and keep their bytes."""
    return {each: value for each, value in tree.items() if value or each != name}


def load_snapshot(content: bytes) -> Snapshot:
    """The snapshot of `dump_snapshot`'s bytes; raises ValueError or TypeError when they are none."""
    return snapshot_from(json.loads(content))


def snapshot_from(tree: dict[str, Any]) -> Snapshot:
    """The snapshot of parsed bytes, which are used up."""
    offers = tuple(
        OfferFacts(**{**each, **{name: tuple(each[name]) for name in LISTS if name in each}})
        for each in tree.pop("offers")
    )
    asks = _columns(tree.pop("asks"))
    warm = _prices(tree.pop("warm", {}))
    held = {ask: _placement(each) for ask, each in tree.pop("held", {}).items()}
    victims = tuple(Victim(**each) for each in tree.pop("victims", []))
    reference = Reference(**tree.pop("reference"))
    return Snapshot(
        offers=offers, asks=asks, reference=reference, warm=warm, held=held, victims=victims, **tree
    )  # fmt: skip


def _prices(tree: dict[str, list[int]]) -> dict[str, tuple[int, ...]]:
    return {offer: tuple(prices) for offer, prices in tree.items()}


def tree_of_asks(asks: Sequence[Ask]) -> dict[str, Any]:
    """Asks as columns of JSON: what many state alike is told once, and of gangs only where there are any."""
    columns = columns_of(asks)
    return {"forms": list(map(form_of, columns.forms)), **columns_of_asks(columns)}


def columns_of_asks(asks: AskColumns) -> dict[str, Any]:
    """The same without the forms."""
    left_out = () if (asks.own["gang"] != NEVER).any() else GANG
    own = {name: column.tolist() for name, column in asks.own.items() if name not in left_out}
    return {"form": asks.form.tolist(), "ids": asks.ids, **own}


def form_of(ask: Ask) -> dict[str, Any]:
    """What `asdict` makes of an ask, but for copies of all that lies in it."""
    pieces = {name: value for name, usual in WHOLE.items() if (value := getattr(ask, name)) != usual}
    return dict(zip(OF_ASK, values_of(ask), strict=True)) | {"rates": asdict(ask.rates) if ask.rates else None} | pieces


def _columns(tree: dict[str, Any]) -> AskColumns:
    form = np.array(tree["form"], dtype=np.int64)
    alone = {"gang": np.full(form.size, NEVER), "gang_size": np.ones(form.size, dtype=np.int64)}
    own = alone | {name: np.array(tree[name], dtype=np.int64) for name in OWN if name in tree}
    return AskColumns(forms=list(map(_ask, tree["forms"])), form=form, ids=tree["ids"], own=own)


def _ask(tree: dict[str, Any]) -> Ask:
    limits = {name: tuple(value) if isinstance(value, list) else value for name, value in tree["limits"].items()}
    rates = Rates(**tree["rates"]) if tree["rates"] else None
    lists = {"weights": tuple(tree["weights"]), "excluded_sites": tuple(tree["excluded_sites"])}
    return Ask(**{**tree, **lists, "limits": limits, "rates": rates})


def dump_plan(plan: Plan) -> bytes:
    """Everything the round decided."""
    return dump(without_empty(without_empty(asdict(plan), "preempting"), "pieces"))


def load_plan(content: bytes) -> Plan:
    """The plan of `dump_plan`'s bytes."""
    tree = json.loads(content)
    placed = tuple(map(_placement, tree.pop("placed")))
    unplaced = tuple(map(_unplaced, tree.pop("unplaced")))
    made = tuple(
        Preemption(_placement(each["placement"]), tuple(each["victims"]), each["lost"])
        for each in tree.pop("preempting", [])
    )
    pieces = {ask: tuple((start, end) for start, end in each) for ask, each in tree.pop("pieces", {}).items()}
    prices = _prices(tree.pop("prices", {}))
    return Plan(placed, unplaced, prices=prices, preempting=made, pieces=pieces, **tree)


def _placement(tree: dict[str, Any]) -> Placement:
    return Placement(**{**tree, "hours": tuple(tree["hours"])})


def _unplaced(tree: dict[str, Any]) -> Unplaced:
    relax = tuple(
        Relax(**{**each, "limits": tuple(each["limits"]), "changes": tuple(_change(*pair) for pair in each["changes"])})
        for each in tree["relax"]
    )
    return Unplaced(tree["ask"], tree["code"], tree["rejected"], relax)


def _change(name: str, value: Any) -> tuple[str, Any]:
    return name, tuple(value) if isinstance(value, list) else value
