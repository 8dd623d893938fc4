"""The one door for state changes, one row or a set of rows at a time, and the journal behind it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from django.db import connection, models, transaction

from accounts.models import Organization
from marketplace.common.copying import Rows, column_of, numbers, rows_of, write_rows
from marketplace.common.errors import StaleVersion
from marketplace.common.ids import new_ids
from marketplace.common.sending import Answer, ask
from marketplace.common.states import StateTable
from marketplace.events.hints import publish, publish_many
from marketplace.events.models import Event

Ints = npt.NDArray[np.int64]


class Stateful(Protocol):
    """A row with a public id, a state and a version that counts its changes."""

    pk: Any
    public_id: Any
    state: Any
    version: Any
    _meta: ClassVar[Any]


def move(
    row: Stateful,
    to: str,
    *,
    table: StateTable,
    now: datetime,
    reason: str = "",
    buyer: Organization | None = None,
    provider: Organization | None = None,
    facts: dict[str, Any] | None = None,
    fields: dict[str, Any] | None = None,
) -> Event:
    """Move `row` to state `to`, write `fields` beside it and leave the event behind, all in one guarded step.

    Raises IllegalState when the table has no such move, StaleVersion when another writer was first. Nothing is
    written in either case.
    """
    table.check(row.state, to)
    changes = (fields or {}) | {"state": to, "version": row.version + 1}
    manager = row._meta.model._base_manager
    with transaction.atomic():
        if manager.filter(pk=row.pk, state=row.state, version=row.version).update(**changes) != 1:
            raise StaleVersion(f"{row.public_id} was changed meanwhile", id=row.public_id)
        for name, value in changes.items():
            setattr(row, name, value)
        return record(
            f"{table.kind}.{to}", object_id=row.public_id, seq=row.version, now=now,
            state=to, reason=reason, buyer=buyer, provider=provider, facts=facts,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movers:
    """Rows about to move, as columns: their keys, the versions they were seen at, and the keys of whom events are for.

    `public_id` is ASCII; without a buyer or provider the events are for none.
    """

    pk: Ints
    public_id: npt.NDArray[np.bytes_]
    version: Ints
    buyer: Ints | None = None
    provider: Ints | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A move of so many rows that the database was told of."""

    count: int
    answer: Answer

    def check(self) -> None:
        """Wait for the answer. Raises StaleVersion when any row was not as it was seen: let it end the transaction."""
        with self.answer:
            [(moved,)] = self.answer.fetchall()
        if moved != self.count:
            raise StaleVersion(f"{self.count - moved} of {self.count} were changed meanwhile")


def move_many(
    movers: Movers,
    *,
    old: str,
    to: str,
    model: type[models.Model],
    table: StateTable,
    now: datetime,
    fields: Mapping[str, Any] | None = None,
) -> Sent:
    """Move rows of `model`, at least one, from state `old` to `to`, with the same `fields` and an event for each.

    Part of the caller's transaction, which must `check` what is given back before it ends: there StaleVersion is raised
    when any row is not as it was seen. Raises IllegalState when the table has no such move; then nothing is written.
    """
    table.check(old, to)
    quote = connection.ops.quote_name
    beside = {column_of(model, name): value for name, value in (fields or {}).items()}
    changes = "".join(f", {quote(column)} = %s" for column in beside)
    statement = (  # names of this module and of the model, nothing typed by anybody
        f"WITH moved AS (UPDATE {quote(model._meta.db_table)} AS row "  # noqa: S608
        f"SET state = %s, version = row.version + 1{changes} "
        "FROM unnest(%s::bigint[], %s::int[]) AS seen(id, version) "
        "WHERE row.id = seen.id AND row.version = seen.version AND row.state = %s RETURNING 1) "
        "SELECT count(*) FROM moved"
    )
    seen, kind = [numbers(movers.pk.tolist()), numbers(movers.version.tolist())], f"{table.kind}.{to}"
    answer = ask(statement, [to, *beside.values(), *seen, old])
    write_rows(_events_of(kind, movers, state=to, now=now))
    told = [(public_id, kind) for public_id in map(bytes.decode, movers.public_id.tolist())]
    transaction.on_commit(lambda: publish_many([*told, ("journal", kind)]))
    return Sent(movers.pk.size, answer)


def _events_of(kind: str, movers: Movers, *, state: str, now: datetime) -> Rows:
    """The events of rows that move, as `record` would write them one by one."""
    count = movers.pk.size
    columns: dict[str, Any] = {
        "public_id": new_ids("evt", count), "type": kind, "at": now, "object_id": movers.public_id,
        "object_seq": movers.version + 1, "state": state, "reason": "", "facts": "{}",
        "buyer": movers.buyer, "provider": movers.provider,
    }  # fmt: skip
    return rows_of(Event, count, columns)


def record(
    kind: str,
    *,
    object_id: str,
    seq: int,
    now: datetime,
    state: str = "",
    reason: str = "",
    buyer: Organization | None = None,
    provider: Organization | None = None,
    facts: dict[str, Any] | None = None,
) -> Event:
    """Write one event; `seq` numbers the events of an object, so a repeat is refused by the database."""
    event = Event.objects.create(
        type=kind, object_id=object_id, object_seq=seq, at=now,
        state=state, reason=reason, buyer=buyer, provider=provider, facts=facts or {},
    )  # fmt: skip
    transaction.on_commit(partial(_tell, event))
    return event


def record_many(events: Collection[Event]) -> None:
    """Write events, together; one that repeats a step of its object is refused with all others."""
    Event.objects.bulk_create(events)
    hints = [hint for event in events for hint in ((event.object_id, event.type), ("journal", event.type))]
    transaction.on_commit(lambda: publish_many(hints))


def _tell(event: Event) -> None:
    publish(event.object_id, event.type)
    publish("journal", event.type)
