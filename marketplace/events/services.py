"""The one door for state changes, and the journal behind it."""

from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Protocol

from django.db import transaction

from accounts.models import Organization
from marketplace.common.errors import StaleVersion
from marketplace.common.states import StateTable
from marketplace.events.hints import publish
from marketplace.events.models import Event


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


def _tell(event: Event) -> None:
    publish(event.object_id, event.type)
    publish("journal", event.type)
