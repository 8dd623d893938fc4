"""Processes that cancel parts of the same lot at once never retire a Wh twice; without the guards they do."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import connection, transaction

from marketplace.common.errors import IllegalState
from marketplace.energy.models import CertificateLot, SupplyEntry
from marketplace.energy.supply import Piece, pieces_of, take
from tests.energy.evidence import make_lot
from tests.market import NOON, triggers_off
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)
ISSUED = 10_000
PROCESSES = 8


def guarded(lot: int, wh: int, subject: str) -> int:
    """Reserve and cancel in one transaction, as settling does."""
    try:
        with transaction.atomic():
            take(lots=[lot], wh=wh, old="available", new="reserved", subject=subject, now=NOON)
            take(lots=[lot], wh=wh, old="reserved", new="cancelled", subject=subject, now=NOON)
    except IllegalState:
        return 0
    return wh


def unguarded(lot: int, wh: int, subject: str) -> int:
    """The same reading and writing, without a lock and without a trigger or constraint that looks on."""
    there = pieces_of([lot], "available").get(lot)
    if not there:
        return 0
    [(_, low, high)] = there
    wh = min(wh, high - low)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        SupplyEntry.objects.create(
            lot_id=lot, wh_range=(low, low + wh), from_state="reserved", to_state="cancelled", subject=subject, at=NOON
        )
        cursor.execute(
            "UPDATE energy_certificatespan SET wh_range = int8range(%s, %s), state = %s WHERE lot_id = %s",
            [low + wh, high, "available", lot] if low + wh < high else [low, high, "expired", lot],
        )
    return wh


def cancel_until_none_is_left(retire: Callable[[int, int, str], int], lot: int, seed: int) -> int:
    """Random parts, until the lot seems empty; what this process believes to have retired."""
    dice, retired = random.Random(seed), 0
    while pieces_of([lot], "available").get(lot):
        retired += retire(lot, dice.randint(1, 300), f"job_{seed}")
    return retired


@contextmanager
def no_constraint(table: str, name: str) -> Iterator[None]:
    """The table without that constraint; emptied before it is put back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        [definition] = cursor.fetchone()
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        with triggers_off(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def cancelled_wh(lot: int) -> int:
    rows = SupplyEntry.objects.filter(lot=lot, to_state="cancelled").values_list("wh_range", flat=True)
    return sum(each.upper - each.lower for each in rows)


def test_eight_processes_retire_each_wh_once_and_none_is_lost():
    lot = make_lot(ISSUED).pk

    believed = race([partial(cancel_until_none_is_left, guarded, lot, seed) for seed in range(PROCESSES)])

    assert sum(believed) + sum(piece.wh for piece in pieces_of([lot], "available").get(lot, [])) == ISSUED
    assert cancelled_wh(lot) == sum(believed)
    row = CertificateLot.objects.get(pk=lot)
    assert row.available_wh + row.cancelled_wh == ISSUED
    retired = [
        Piece(lot, each.lower, each.upper)
        for each in SupplyEntry.objects.filter(to_state="cancelled").values_list("wh_range", flat=True)
    ]
    assert len({wh for piece in retired for wh in range(piece.lower, piece.upper)}) == sum(p.wh for p in retired)


def test_without_lock_trigger_and_constraint_some_wh_are_retired_twice():
    lot = make_lot(ISSUED).pk

    with no_constraint("energy_supplyentry", "certificate_wh_cancelled_once"):
        believed = race([partial(cancel_until_none_is_left, unguarded, lot, seed) for seed in range(PROCESSES)])
        assert sum(believed) > ISSUED
        assert cancelled_wh(lot) > ISSUED
