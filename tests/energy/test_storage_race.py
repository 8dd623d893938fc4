"""Processes that discharge one store at once never draw the same Wh; without the guards they do."""

import random
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction

from marketplace.energy.errors import StorageExceedsInput
from marketplace.energy.models import StorageDraw
from marketplace.energy.storage import discharge, stored
from marketplace.energy.supply import cut
from tests.energy.evidence import make_issuance
from tests.energy.test_storage import Plant
from tests.energy.test_supply_race import no_constraint
from tests.market import MONDAY, NOON, at
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)
STORED = 2_000
PROCESSES = 6


def guarded(plant: Plant, wh: int) -> int:
    try:
        discharge(store=plant.store, point=plant.point, start=at(MONDAY, 1), wh=wh, now=NOON)
    except StorageExceedsInput:
        return 0
    return wh


def unguarded(plant: Plant, wh: int) -> int:
    """The same reading and writing, without a lock and without a trigger or constraint that looks on."""
    there = stored(store=plant.store, before=at(MONDAY, 1))
    wh = min(wh, sum(piece.wh for piece in there))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        issued = make_issuance(
            at(MONDAY, 1), scheme="METER", release="storage", issuance_id=f"{random.random()}", source=plant.store
        )
        for piece in cut(there, wh)[0]:
            StorageDraw.objects.create(issuance=issued, lot_id=piece.lot, wh_range=(piece.lower, piece.upper))
    return wh


def discharge_until_nothing_is_left(act: Callable[[Plant, int], int], plant: Plant, seed: int) -> int:
    dice, total = random.Random(seed), 0
    while stored(store=plant.store, before=at(MONDAY, 1)):
        total += act(plant, dice.randint(1, 90))
        random.seed(seed * 1000 + total)
    return total


def test_each_stored_wh_comes_out_once():
    plant = Plant(efficiency_ppm=1_000_000)
    plant.charge(0, STORED)

    given = race([partial(discharge_until_nothing_is_left, guarded, plant, seed) for seed in range(PROCESSES)])

    assert sum(given) == STORED
    ranges = sorted((row.wh_range.lower, row.wh_range.upper) for row in StorageDraw.objects.all())
    assert ranges[0][0] == 0
    assert [low for low, _ in ranges[1:]] == [high for _, high in ranges[:-1]]


def test_without_lock_trigger_and_constraint_some_wh_come_out_twice():
    plant = Plant(efficiency_ppm=1_000_000)
    plant.charge(0, STORED)

    with no_constraint("energy_storagedraw", "stored_wh_drawn_once"):
        given = race([partial(discharge_until_nothing_is_left, unguarded, plant, seed) for seed in range(PROCESSES)])
        assert sum(given) > STORED
