"""Why asks stay unplaced, on the market as a round left it."""

from collections.abc import Hashable

from scheduler.core import relaxing
from scheduler.core.feasibility import BIT, WINDOW
from scheduler.core.market import Ints
from scheduler.core.survey import Round
from scheduler.core.types import Ask, Relax, Unplaced

DETAILED = 100  # refusals of one round that are looked into; equal ones count once


class Refusals:
    """Looks into the refusals of one round, once for asks that are alike."""

    def __init__(self, round_: Round) -> None:
        self.round = round_
        self._known: dict[Hashable, tuple[str, dict[str, int], tuple[Relax, ...]]] = {}

    def of(self, ask: Ask, *, fitted_alone: bool, inside: bool = False, lacks: bool = False) -> Unplaced:
        """The refusal of `ask`; after DETAILED different ones only the code, by what the round knows anyway.

        `inside` a gang, what fits alone waits for the others; where one `lacks`, nothing else matters.
        """
        if lacks:
            return Unplaced(ask.id, "gang_incomplete", {}, ())
        code = "no_capacity" if not fitted_alone else "gang_incomplete" if inside else "outbid"
        key = self.round.likeness(ask), code
        if key not in self._known:
            if len(self._known) >= DETAILED:
                return Unplaced(ask.id, code, {}, ())
            self._known[key] = self._look(ask, code)
        return Unplaced(ask.id, *self._known[key])

    def _look(self, ask: Ask, code: str) -> tuple[str, dict[str, int], tuple[Relax, ...]]:
        if self.round.survey(ask).fits_empty:
            refusal = self.round.refusal(ask)
        else:
            refusal = self.round.refusal_when_empty(ask)
            code = "no_offer_fits" if self._opens_later(ask, refusal.failed) else "never_fits"
        return code, relaxing.rejected(refusal.failed), relaxing.relax(refusal)

    def _opens_later(self, ask: Ask, failed: Ints) -> bool:
        """Whether its window lies beyond the hours known yet, and nothing else speaks against some offer."""
        end = self.round.market.horizon_end(ask)
        beyond = ask.start_after_s is not None and ask.start_after_s + ask.run_s > end
        return beyond and bool((failed == BIT[WINDOW]).any())
