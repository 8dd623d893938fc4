"""Asks as columns: what many of them state alike is kept once, what each says for itself in arrays.

A round of ten thousand jobs reads its queue into columns and its arrays out of them; an ask by itself is made only for
who looks at it. To every reader it is the sequence of asks that it stands for.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from operator import attrgetter
from typing import Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from scheduler.core.types import Ask

Ints = npt.NDArray[np.int64]
NEVER = -1
MOMENTS = ("due_s", "start_after_s", "finish_by_s")  # unix seconds; NEVER is none
GANG = ("gang", "gang_size")
OWN = ("submitted_s", *MOMENTS, "age_mm", "share_mm", *GANG)
NULLABLE = (*MOMENTS, "gang")
ALONE: dict[str, Any] = {"gang": None, "gang_size": 1}
NOTHING_OWN: dict[str, Any] = {
    "id": "", "submitted_s": 0, **dict.fromkeys(MOMENTS), "age_mm": 0, "share_mm": 0, **ALONE,
}  # fmt: skip
stated = attrgetter(
    "units", "run_s", "start_s", "when", "near", "weights", "rates", "waiting_value", "carbon_price", "excluded_sites",
    "reference_pf_milli", "bid_mm", "max_pieces", "restart_s",
)  # fmt: skip


class AskColumns(Sequence[Ask]):
    """Asks of few forms: `forms[form[n]]` with `ids[n]` and `own[name][n]` for the fields in OWN.

    Raises ValueError for an id that comes twice.
    """

    def __init__(self, *, forms: Sequence[Ask], form: Ints, ids: Sequence[str], own: dict[str, Ints]) -> None:
        self.forms, self.form, self.ids, self.own = tuple(forms), form, tuple(ids), own
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ask ids must be unique")

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: SupportsIndex) -> Ask: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Ask, ...]: ...
    def __getitem__(self, place: SupportsIndex | slice) -> Ask | tuple[Ask, ...]:
        if isinstance(place, slice):
            return tuple(map(self.__getitem__, range(*place.indices(len(self)))))
        number = range(len(self))[place]
        own: dict[str, Any] = {name: int(column[number]) for name, column in self.own.items()}
        own |= {name: None for name in NULLABLE if own[name] == NEVER}
        form: Ask = self.forms[self.form[number]]
        return replace(form, id=self.ids[number], **own)

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each ask stands, by its id."""
        return {name: place for place, name in enumerate(self.ids)}

    def by_id(self) -> "AskColumns":
        """The same asks in the order of their ids."""
        order = np.array(sorted(range(len(self)), key=self.ids.__getitem__), dtype=np.int64)
        return AskColumns(
            forms=self.forms, form=self.form[order], ids=[self.ids[place] for place in order.tolist()],
            own={name: column[order] for name, column in self.own.items()},
        )  # fmt: skip


def columns_of(asks: Sequence[Ask]) -> AskColumns:
    """`asks` as columns. Those that share what they state are told by that, others by its content."""
    if isinstance(asks, AskColumns):
        return asks
    known: dict[Hashable, int] = {}
    numbers: dict[Hashable, int] = {}
    forms: list[Ask] = []
    form = []
    for ask in asks:
        quick = (id(ask.limits), id(ask.time_limit_by_class), *stated(ask))
        if quick not in known:
            content = (*stated(ask), *_items(ask.limits), *sorted(ask.time_limit_by_class.items()))
            known[quick] = numbers.setdefault(content, len(forms))
            if known[quick] == len(forms):
                forms.append(replace(ask, **NOTHING_OWN))
        form.append(known[quick])
    own = {name: _column(getattr(ask, name) for ask in asks) for name in OWN}
    return AskColumns(forms=forms, form=np.array(form, dtype=np.int64), ids=[ask.id for ask in asks], own=own)


def _items(limits: Any) -> Iterable[Hashable]:
    """Limits as something to compare; 1 and True are not the same."""
    return sorted((name, type(value).__name__, value) for name, value in limits.items())


def _column(values: Iterable[int | None]) -> Ints:
    return np.fromiter((NEVER if value is None else value for value in values), dtype=np.int64)
