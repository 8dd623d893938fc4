"""The instant path: what has just been submitted to a quiet segment is placed at once, without waiting for a batch."""

from datetime import datetime

from scheduler.asks import seconds
from scheduler.core.types import INSTANT
from scheduler.cycle import batch_round, held, nothing_collected, read_waiting, settle
from scheduler.models import MatchRound

MOST = 32  # more than these are better placed together
PATIENCE_S = 5  # a round that runs already ends before


def place_now(*, segment: str, now: datetime) -> list[MatchRound]:
    """Place the jobs of `segment` whose turn has come; the rounds that did, none when another worker keeps it.

    Up to 32 of which none is due take their best columns at once. What they leave, and more than 32, or jobs that are
    due, are one batch round's: it decides them together with all others, and says why a job waits.
    """
    with nothing_collected(), held(segment, wait_s=PATIENCE_S) as ours:
        if not ours:
            return []
        waiting = read_waiting(segment=segment, turn=now, now=now, most=MOST + 1)
        queued = waiting.queue
        if not len(queued):
            return []
        rounds: list[MatchRound | None] = []
        if len(queued) <= MOST and (queued.due_s > seconds(now)).all():
            rounds.append(settle(segment=segment, waiting=waiting, mode=INSTANT, now=now))
        if sum(each.placed for each in rounds if each) < len(queued):
            rounds.append(batch_round(segment, now))
        return [each for each in rounds if each]
