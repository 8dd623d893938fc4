"""How the green energy of one hour is shared among those who used energy at a point in that hour: pure whole numbers.

The rules of the specification (Settling an hour): promises first, from what was set aside for them and then from the
pool, pro rata to what they lack; what is left pro rata to the need that is left. Every split is by largest remainder,
ties to the earlier use, so hand uses in by id; nothing is lost and nothing is invented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from marketplace.common.units import ceil_div, largest_remainder
from marketplace.energy.supply import Piece, cut

PERCENT = 100


class Need(NamedTuple):
    """One use: its Wh at the site, what was promised of it in whole per cent, and the pieces set aside for it."""

    wh: int
    promised_percent: int = 0
    own: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What each use gets: pieces that were set aside for it, pieces of the pool; and what was set aside in vain."""

    own: list[list[Piece]]
    pool: list[list[Piece]]
    released: list[list[Piece]]

    def wh(self, number: int) -> int:
        """All that use `number` gets."""
        return sum(piece.wh for piece in (*self.own[number], *self.pool[number]))


def settle_hour(needs: Sequence[Need], pool: Sequence[Piece]) -> Settled:
    """Share `pool`, in the order in which its sources are to be used, among `needs`.

    What was set aside for a promise and exceeds it joins the pool after the rest of it, for all.
    """
    own, released = zip(*(_of_its_own(need) for need in needs), strict=True) if needs else ((), ())
    whole = [*pool, *(piece for pieces in released for piece in pieces)]
    had = [sum(piece.wh for piece in pieces) for pieces in own]
    allotted = allot(needs, had, sum(piece.wh for piece in whole))
    return Settled(list(own), share_out(allotted, whole), list(released))


def _of_its_own(need: Need) -> tuple[list[Piece], list[Piece]]:
    """(what it uses of the pieces set aside for it, what it does not need of them)."""
    promised = min(ceil_div(need.wh * need.promised_percent, PERCENT), sum(piece.wh for piece in need.own))
    return cut(need.own, promised)


def allot(needs: Sequence[Need], had: Sequence[int], pool_wh: int) -> list[int]:
    """How many Wh of a pool each use gets, beyond those it `had`."""
    short = [
        max(0, ceil_div(need.wh * need.promised_percent, PERCENT) - own)
        for need, own in zip(needs, had, strict=True)
    ]  # fmt: skip
    first = split(min(pool_wh, sum(short)), short)
    open_need = [need.wh - own - got for need, own, got in zip(needs, had, first, strict=True)]
    then = split(min(pool_wh - sum(first), sum(open_need)), open_need)
    return [one + other for one, other in zip(first, then, strict=True)]


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` in proportion to `weights`; no part exceeds its weight while `amount` does not exceed their sum."""
    return largest_remainder(amount, weights) if amount else [0] * len(weights)


def share_out(allotted: Sequence[int], pool: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces of `pool` for each allotment, every piece shared in proportion to what is still due: the same mix for all.

    Raises ValueError where the pool is smaller than all allotments together.
    """
    due, shares = list(allotted), [list[Piece]() for _ in allotted]
    for piece in pool:
        parts = split(min(piece.wh, sum(due)), due)
        lower = piece.lower
        for number, part in enumerate(parts):
            if part:
                shares[number].append(piece._replace(lower=lower, upper=lower + part))
                lower += part
                due[number] -= part
    if any(due):
        raise ValueError(f"the pool lacks {sum(due)} Wh of what was allotted")
    return shares
