"""State tables: the legal moves of one kind of object, used by Python, the trigger and the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass

import pgtrigger
from django.db import models
from django.db.models import Q

from marketplace.common.errors import IllegalState


@dataclass(frozen=True)
class StateTable:
    """Legal moves of `kind`: {state: states it may move to}; a state without moves is final."""

    kind: str
    moves: Mapping[str, tuple[str, ...]]

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(self.moves)

    @property
    def final(self) -> tuple[str, ...]:
        return tuple(state for state, onward in self.moves.items() if not onward)

    @property
    def open(self) -> tuple[str, ...]:
        return tuple(state for state, onward in self.moves.items() if onward)

    def check(self, old: str, new: str) -> None:
        """Raise IllegalState unless old → new is legal."""
        if new not in self.moves.get(old, ()):
            raise IllegalState(f"a {self.kind} that is {old} cannot become {new}", state=old, wanted=new)

    def constraint(self) -> models.CheckConstraint:
        """Only states of this table fit the column."""
        return models.CheckConstraint(condition=Q(state__in=self.states), name=f"{self.kind}_state_known")

    def trigger(self) -> pgtrigger.Trigger:
        """The database refuses every move that is not in the table.

        The condition of the trigger decides, so that a legal move calls no function: one call costs as much as all
        the other work on the row, and a plan moves thousands.
        """
        legal = ",".join(f"{old}:{new}" for old, onward in self.moves.items() for new in onward)
        return pgtrigger.Trigger(
            name=f"{self.kind}_moves_legally",
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            condition=pgtrigger.Condition(
                "OLD.state IS DISTINCT FROM NEW.state "
                f"AND NOT coalesce(OLD.state || ':' || NEW.state = ANY('{{{legal}}}'::text[]), false)"
            ),
            func="""
                RAISE EXCEPTION 'Invalid transition of field "state" from "%" to "%" on table %',
                    OLD.state, NEW.state, TG_TABLE_NAME;
            """,
        )
