"""What the core decided, as it is stored and as people read it: codes and numbers inside, words at the edge."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from scheduler.core import explain, ranking
from scheduler.core.makeroom import ranking_of
from scheduler.core.ranking import Ranked, Ranking
from scheduler.core.survey import Round
from scheduler.core.types import Ask, Placement, Plan, Preemption, Snapshot, Unplaced
from scheduler.limits import to_api
from scheduler.models import Allocation, MatchRound

OWN_LIMITS = frozenset({"served", "family", "currency"})
TIMES = {"finish_by", "start_after"}
PENDING = "pending"  # all that an allocation says of its reasons until they are written


class Explainer:
    """Explains the placements of a plan in the order they were decided, each on the capacity it was decided on."""

    def __init__(self, *, snapshot: Snapshot, plan: Plan, round_: MatchRound) -> None:
        self.asks = {ask.id: ask for ask in snapshot.asks}
        self.held = snapshot.held
        self.pieces = plan.pieces
        self.snapshot = snapshot
        self.state = Round(snapshot)
        self.order = deque(placement.ask for placement in plan.placed)
        self.round = round_

    def __call__(self, placement: Placement | Preemption) -> dict[str, Any]:
        """Why `placement`; raises ValueError when it is not the next of the plan. Preemptions have no order."""
        if isinstance(placement, Preemption):
            return self._made_room(placement)
        self._next(placement)
        if placement.ask in self.held:  # what it holds is its own to move into
            held = self.held[placement.ask]
            self.state.take_hours(replace(held, units=-held.units))
        pieces = self.pieces.get(placement.ask, ())
        find = self._in_pieces if pieces else self._ranked
        answer, chosen = find(self.asks[placement.ask], placement)
        told = explain.why(answer, chosen)
        self.state.take_hours(placement)
        return told | source_of(self.round) | (explain.in_pieces(told, pieces, placement.z) if pieces else {})

    def _ranked(self, ask: Ask, placement: Placement) -> tuple[Ranking, Ranked]:
        """The offers for `ask` and the placement among them: at its start, where it likes another better by itself.

        A gang takes one start, and a batch may give a better one to somebody who needs it more.
        """
        answer = ranking.rank_in(self.state, ask, with_relax=False)
        chosen = next(each for each in answer.ranked if each.offer.id == placement.offer)
        if chosen.start_s == placement.start_s:
            return answer, chosen
        return self._ranked(replace(ask, start_s=placement.start_s, gang=None), placement)

    def _in_pieces(self, ask: Ask, placement: Placement) -> tuple[Ranking, Ranked]:
        """The offers for a contiguous run, and the one that has the pieces; a run there fits as the market was."""
        for answer in (ranking.rank_in(self.state, ask, with_relax=False), ranking.rank(self.snapshot, ask)):
            for each in answer.ranked:
                if each.offer.id == placement.offer:
                    return answer, each
        raise ValueError(f"{placement.ask} is in pieces where it does not fit")

    def _made_room(self, made: Preemption) -> dict[str, Any]:
        """Why other work ends for it: the twin is looked at as if that had ended."""
        answer = ranking_of(self.snapshot, made)
        told = explain.why(answer, answer.ranked[0])
        sentence = f"{answer.ranked[0].offer.title} takes it: interruptible work there makes room, and it begins after."
        return told | source_of(self.round) | {"sentence": sentence}

    def skip(self, placement: Placement) -> None:
        """Take the hours of `placement`, explained before; raises ValueError when it is not the next of the plan."""
        self._next(placement)
        self.state.take_hours(placement)

    def _next(self, placement: Placement) -> None:
        if not self.order or self.order.popleft() != placement.ask:
            raise ValueError("placements are explained in the order of the plan")


def source_of(round_: MatchRound) -> dict[str, Any]:
    """What every explanation of a round names: the round and the scale of its day."""
    reference = round_.reference
    return {
        "round": round_.public_id,
        "reference": {"p_lo": reference.p_lo, "p_mid": reference.p_mid, "p_hi": reference.p_hi},
    }


def sentence_of(allocation: Allocation) -> str:
    """Why the allocation, in one sentence."""
    if PENDING not in allocation.why:
        return str(allocation.why["sentence"])
    return f"{allocation.offer.title} takes it; the round's full reasons are being written."


def refusal_as_json(refusal: Unplaced) -> dict[str, Any]:
    """A refusal as it is stored with the job."""
    return {
        "code": refusal.code,
        "rejected": dict(refusal.rejected),
        "relax": [explain.relax_as_json(each) for each in refusal.relax],
    }


def refusal_as_told(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored refusal in the API's units, each way out with its sentence."""
    return dict(stored) | {"relax": ways_out(stored["relax"])}


def ways_out(stored: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ways out that a buyer can take; limits that the market sets by itself are not the buyer's to drop."""
    return [relax_as_told(each) for each in stored if not OWN_LIMITS & {name for name, _ in each["changes"]}]


def relax_as_told(stored: Mapping[str, Any]) -> dict[str, Any]:
    """One way out: the limits to change with their new values in the API's units, and a sentence."""
    changes = {name: _api_value(name, value) for name, value in stored["changes"]}
    name, value = next(iter(changes.items()))
    return {
        "limit": name,
        "to": value,
        "changes": changes,
        "offers": stored["offers"],
        "offer": stored["offer"],
        "sentence": relax_sentence(changes, stored["offers"]),
    }


def _api_value(name: str, value: Any) -> Any:
    if name in TIMES and value is not None:
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
    return to_api(name, value)


def relax_sentence(changes: Mapping[str, Any], offers: int) -> str:
    """`Set latency_ms__lte to 27: at least one offer fits, 3 without this limit.`"""
    steps = [
        _("drop %(name)s") % {"name": name}
        if value is None
        else _("set %(name)s to %(value)s") % {"name": name, "value": shown(value)}
        for name, value in changes.items()
    ]
    text = _(" and ").join(steps)
    fits = _("one offer fits")
    if offers > 1:
        fits = _("at least one offer fits, %(count)d without this limit") % {"count": offers}
    return f"{text[:1].upper()}{text[1:]}: {fits}."


def shown(value: Any) -> str:
    """A limit's value as it is written in a job file."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
