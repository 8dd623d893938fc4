"""Processes that claim what one plant made in an hour never claim a Wh twice; without the guard they do."""

import random
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import transaction
from django.db.models import F

from marketplace.energy.claiming import SourceHour, claim
from marketplace.energy.models import EnergySource, GenerationHour
from tests.energy.evidence import make_generation, make_source
from tests.energy.test_supply_race import no_constraint
from tests.market import MONDAY
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)
MADE = 2_000
PROCESSES = 6


def guarded(source: int, wh: int) -> int:
    with transaction.atomic():
        return 0 if claim({SourceHour(source, MONDAY): wh}) else wh


def unguarded(source: int, wh: int) -> int:
    """What is free is read, and then claimed whatever happened meanwhile."""
    hour = GenerationHour.objects.get(source=source)
    if hour.claimed_wh + wh > hour.wh:
        return 0
    time.sleep(0.01)  # as a program is that has more to do
    GenerationHour.objects.filter(pk=hour.pk).update(claimed_wh=F("claimed_wh") + wh)
    return wh


def claim_until_nothing_is_left(act: Callable[[int, int], int], source: int, seed: int) -> int:
    dice, claimed = random.Random(seed), 0
    while GenerationHour.objects.filter(source=source, claimed_wh__lt=F("wh")).exists():
        claimed += act(source, dice.randint(1, 60))
    return claimed


def plant() -> EnergySource:
    source = make_source()
    make_generation(source, MONDAY, MADE)
    return source


def test_each_wh_is_claimed_once():
    source = plant()

    claimed = race([partial(claim_until_nothing_is_left, guarded, source.pk, seed) for seed in range(PROCESSES)])

    assert sum(claimed) == GenerationHour.objects.get().claimed_wh == MADE


def test_without_the_guard_more_is_claimed_than_was_made():
    source = plant()

    with no_constraint("energy_generationhour", "generation_claimed_within_output"):
        claimed = race([partial(claim_until_nothing_is_left, unguarded, source.pk, seed) for seed in range(PROCESSES)])
        assert sum(claimed) > MADE
