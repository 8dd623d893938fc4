"""What a round would decide of an ask that is alone: for plans and submissions, where nothing may be compiled."""

from dataclasses import dataclass

from scheduler.core.ranking import Ranked, Ranking, rank_in
from scheduler.core.refusals import Refusals
from scheduler.core.survey import Round, Survey
from scheduler.core.types import HOUR_S, Ask, Snapshot, Unplaced


@dataclass(frozen=True, slots=True)
class Alone:
    """The ranking of the offers for one ask, its columns, and the one of `chosen` and `refused` that holds."""

    ranking: Ranking
    survey: Survey
    chosen: Ranked | None
    refused: Unplaced | None


def decide_alone(snapshot: Snapshot, ask: Ask) -> Alone:
    """Decide `ask` on `snapshot`, whose own asks are not looked at."""
    round_ = Round(snapshot)
    ranking, survey = rank_in(round_, ask, with_relax=False), round_.survey(ask)
    chosen = ranking.ranked[0] if ranking.ranked else None
    if chosen is not None and not _would_wait(round_, ask, chosen):
        return Alone(ranking, survey, chosen, None)
    return Alone(ranking, survey, None, Refusals(round_).of(ask, fitted_alone=chosen is not None))


def _would_wait(round_: Round, ask: Ask, chosen: Ranked) -> bool:
    """Whether only the lack of units now pushes a short run into a later hour (docs/decisions/0002)."""
    now_s = round_.market.snapshot.now_s
    if chosen.start_s <= now_s or ask.is_due(now_s):
        return False
    touched = -(-chosen.end_s // HOUR_S) - chosen.start_s // HOUR_S
    if 2 * chosen.run_s > HOUR_S * touched:
        return False
    return round_.survey(ask).start_when_empty <= now_s
