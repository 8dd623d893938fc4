"""What a round saw and decided, as bytes: the canonical ones, or of the snapshot only what differs from a base.

The market is large and changes little, so every ten minutes a round of each segment stores the whole snapshot and the
others name that round and store their own asks and the facts of offers that are not as they were there. `canonical`
copies every number into a tree first; here the encoder reads the facts where they are.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from itertools import compress
from json.encoder import encode_basestring
from operator import attrgetter, is_not
from typing import Any

from django.db import connection

from scheduler.core import canonical
from scheduler.core.asks import columns_of
from scheduler.core.types import Ask, OfferFacts, Placement, Plan, Snapshot
from scheduler.models import MatchRound

BASE_FOR = timedelta(minutes=10)
NESTED = {"reference", "offers", "asks", "held", "victims"}
PROOF = ("bound", "price_steps", "moves", "prices")
MOST_KNOWN = 10_000  # forms of asks
QUICKLY = 1  # zlib's level: a tenth larger than the best, four times as fast
ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class SnapshotGone(LookupError):
    """Only the figures of the round were kept, or of the round that it was stored against."""


@dataclass(frozen=True, slots=True)
class Base:
    """A committed round whose whole snapshot is stored."""

    pk: int
    sha256: str
    offers: tuple[OfferFacts, ...]
    now: datetime
    told: dict[str, tuple[OfferFacts, str]] = field(default_factory=dict)  # the last facts of an offer, and its changes

    def change(self, old: OfferFacts, new: OfferFacts) -> str:
        """In what `new` differs from the `old` facts of the base, as JSON."""
        seen, told = self.told.get(new.id, (old, "{}"))
        if seen is not new:
            before = _facts(old)
            changes = _facts(new).items()
            told = ENCODE({key: value for key, value in changes if value is not before[key] and value != before[key]})
            self.told[new.id] = new, told
        return told


@dataclass(frozen=True, slots=True)
class Record:
    """Snapshot and plan as they are stored, and the hashes of these bytes before compression."""

    base: int | None
    snapshot: bytes
    snapshot_sha256: str
    result: bytes
    result_sha256: str


def _reader(kind: type) -> Callable[[Any], dict[str, Any]]:
    """Reads the fields of a dataclass without copying what they hold."""
    names = [field.name for field in fields(kind)]
    values = attrgetter(*names)
    return lambda row: dict(zip(names, values(row), strict=True))


_snapshot, _facts = map(_reader, (Snapshot, OfferFacts))
_bases: dict[tuple[str, str], Base] = {}
_forms: dict[int, tuple[Ask, str]] = {}


def record(snapshot: Snapshot, plan: Plan, base: Base | None) -> Record:
    """What a round keeps of what it saw and made; touches no database, so that it may run beside one."""
    seen = dump_snapshot(snapshot) if base is None else _dump_against(snapshot, base)
    made = dump_plan(plan)
    return Record(
        base.pk if base else None, zlib.compress(seen, QUICKLY), hashlib.sha256(seen).hexdigest(),
        zlib.compress(made, QUICKLY), hashlib.sha256(made).hexdigest(),
    )  # fmt: skip


def base_for(snapshot: Snapshot, *, segment: str, now: datetime) -> Base | None:
    """The base of this process against which the snapshot is small; None when it is to be stored whole."""
    base = _bases.get(_key(segment))
    if base is None or not timedelta(0) <= now - base.now < BASE_FOR or len(base.offers) != len(snapshot.offers):
        return None
    changed = list(map(is_not, base.offers, snapshot.offers))
    pairs = zip(compress(base.offers, changed), compress(snapshot.offers, changed), strict=True)
    if any(old.id != new.id for old, new in pairs):
        return None
    return base if 2 * sum(changed) < len(changed) else None


def keep_base(segment: str, round_: MatchRound, offers: tuple[OfferFacts, ...]) -> None:
    """Store later rounds of the segment against this one, whose whole snapshot is committed."""
    _bases[_key(segment)] = Base(round_.pk, round_.snapshot_sha256, offers, round_.now)


def _key(segment: str) -> tuple[str, str]:
    return str(connection.settings_dict["NAME"]), segment


def snapshot_of(round_: MatchRound) -> Snapshot:
    """The snapshot that a round decided on. Raises SnapshotGone, ValueError when its base is not the one it names."""
    tree = json.loads(_content(round_))
    if round_.base is not None:
        whole = _content(round_.base)
        if tree.pop("base") != hashlib.sha256(whole).hexdigest():
            raise ValueError(f"{round_.public_id} was stored against other bytes than {round_.base.public_id} has")
        changes = tree.pop("changes")
        tree["offers"] = [facts | changes.get(facts["id"], {}) for facts in json.loads(whole)["offers"]]
    return canonical.snapshot_from(tree)


def _content(round_: MatchRound) -> bytes:
    if round_.snapshot is None:
        raise SnapshotGone(f"the snapshot of {round_.public_id} is gone: only its figures were kept")
    return zlib.decompress(round_.snapshot)


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """The bytes of `canonical.dump_snapshot`."""
    return _object(_parts(snapshot) | {"offers": _list(map(_facts, snapshot.offers))})


def _dump_against(snapshot: Snapshot, base: Base) -> bytes:
    """The snapshot with `base`, the hash of that round's snapshot, and `changes` in place of the offers."""
    changed = list(map(is_not, base.offers, snapshot.offers))
    pairs = zip(compress(base.offers, changed), compress(snapshot.offers, changed), strict=True)
    changes = {new.id: base.change(old, new) for old, new in pairs}
    told = ",".join(f"{encode_basestring(offer)}:{changes[offer]}" for offer in sorted(changes))
    return _object(_parts(snapshot) | {"base": ENCODE(base.sha256), "changes": f"{{{told}}}"})


def _parts(snapshot: Snapshot) -> dict[str, str]:
    """The members of the snapshot but for its offers, as JSON."""
    parts = {name: ENCODE(value) for name, value in _snapshot(snapshot).items() if name not in NESTED}
    parts["reference"] = ENCODE(asdict(snapshot.reference))
    parts["held"] = ENCODE({ask: asdict(each) for ask, each in snapshot.held.items()})
    if snapshot.victims:
        parts["victims"] = _list(map(asdict, snapshot.victims))
    return parts | {"asks": _asks(snapshot.asks)}


def _asks(asks: Sequence[Ask]) -> str:
    """What `canonical.tree_of_asks` makes of them, as JSON."""
    columns = columns_of(asks)
    parts = {name: ENCODE(value) for name, value in canonical.columns_of_asks(columns).items()}
    return _join(parts | {"forms": f"[{','.join(map(_form, columns.forms))}]"})


def _form(ask: Ask) -> str:
    """A form as JSON. Those of the queue are the same objects in every round."""
    known = _forms.get(id(ask))  # it keeps the ask, so that its number is not given to another
    if known is None:
        if len(_forms) >= MOST_KNOWN:
            _forms.clear()
        known = _forms[id(ask)] = ask, ENCODE(canonical.form_of(ask))
    return known[1]


def dump_plan(plan: Plan) -> bytes:
    """The bytes of `canonical.dump_plan`."""
    placed = ",".join(_placements(plan.placed))
    proof = {name: ENCODE(getattr(plan, name)) for name in PROOF}
    if plan.preempting:
        proof["preempting"] = _list(map(asdict, plan.preempting))
    if plan.pieces:
        proof["pieces"] = ENCODE(plan.pieces)
    return _object(proof | {"placed": f"[{placed}]", "unplaced": _list(map(asdict, plan.unplaced))})


def _placements(placed: Iterable[Placement]) -> Iterator[str]:
    """Each placement as JSON, its members by name."""
    spans: dict[tuple[int, ...], str] = {}
    for each in placed:
        hours = spans.get(each.hours)
        if hours is None:
            hours = spans[each.hours] = ",".join(map(str, each.hours))
        yield (
            f'{{"ask":{encode_basestring(each.ask)},"end_s":{each.end_s},"hours":[{hours}],'
            f'"offer":{encode_basestring(each.offer)},"run_cost":{each.run_cost},"start_s":{each.start_s},'
            f'"u":{each.u},"units":{each.units},"z":{each.z}}}'
        )


def _object(parts: Mapping[str, str]) -> bytes:
    """A JSON object of members that are JSON already."""
    return _join(parts).encode()


def _join(parts: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{parts[name]}' for name in sorted(parts)) + "}"


def _list(rows: Iterable[Any]) -> str:
    """A JSON list, row by row: one call for all would keep every other thread of the process waiting."""
    return "[" + ",".join(map(ENCODE, rows)) + "]"
