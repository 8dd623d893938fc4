"""The schedule: whoever is in the middle of the next thing to be hit is killed, and another takes its place."""

import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.killed_money import hands, verdict
from benchmarks.killed_money.outside import be_outside
from benchmarks.killed_money.stage import OP, Phase, Stage

FORK = multiprocessing.get_context("fork")
LONGEST_MS, WATCHED_S, REST_WITHIN_S = 25, 5.0, 180.0
MOST_FALLS = 20  # of processes that ended by themselves and were begun anew
LONGEST_PAUSE_S = 1.0  # between two kills: what is killed all the time gets nowhere


class Team:
    """The hands, each in a process of its own, and the processor in another."""

    def __init__(self, stage: Stage, *, buyers: int, tills: int, same_key: bool) -> None:
        self.stage, self.doing = stage, FORK.RawArray("i", buyers + tills + 2)
        self.phase = FORK.RawValue("i", Phase.BUSY)  # no lock, which a process that is killed would keep
        self.work: list[Callable[[hands.Hand], None]] = [
            *[lambda hand: hands.buy(stage, hand, same_key=same_key)] * buyers,
            *[lambda hand: hands.mind_the_till(stage, hand)] * tills,
            lambda hand: hands.serve(stage, hand), lambda hand: hands.provide(stage, hand),
        ]  # fmt: skip
        self.buyers, self.fell = buyers, 0
        self.outside = FORK.Process(target=be_outside, args=(stage, self.phase), daemon=True)
        self.processes = [self._start(number) for number in range(len(self.work))]
        self.outside.start()

    def _start(self, number: int) -> Any:
        from django.db import connections  # noqa: PLC0415

        connections.close_all()
        self.doing[number] = 0
        hand = hands.Hand(number, self.doing, self.phase, Phase.BUSY if number < self.buyers else Phase.NO_MORE_ACTS)
        process = FORK.Process(target=self.work[number], args=(hand,), daemon=True)
        process.start()
        return process

    def kill_within(self, op: str, delay_s: float, dice: random.Random) -> bool:
        """SIGKILL to a process that is doing `op` since a moment; False when nobody was, long enough."""
        until = time.monotonic() + WATCHED_S
        while time.monotonic() < until:
            busy = [number for number, what in enumerate(self.doing) if what == OP.index(op)]
            if not busy:
                time.sleep(0.0005)
                continue
            chosen = dice.choice(busy)
            time.sleep(delay_s)
            if self.doing[chosen] == OP.index(op):
                self._kill(chosen)
                return True
            delay_s /= 2
        return False

    def _kill(self, number: int) -> None:
        os.kill(self.processes[number].pid, signal.SIGKILL)
        self.processes[number].join()
        self.processes[number] = self._start(number)

    def look_after(self) -> None:
        """Whoever ended by itself, with an error, is counted and begun anew."""
        for number, process in enumerate(self.processes):
            if process.exitcode in {None, 0} or self.fell >= MOST_FALLS:
                continue
            self.fell += 1
            self.processes[number] = self._start(number)

    def come_to_rest(self) -> dict[str, int]:
        """No more requests; then wait until nothing is under way. What still is, when it takes too long."""
        self.phase.value = Phase.NO_MORE_ACTS
        for process in self.processes[: self.buyers]:
            process.join(60)
        until = time.monotonic() + REST_WITHIN_S
        while any((left := verdict.restless()).values()) and time.monotonic() < until:
            self.look_after()
            time.sleep(0.3)
        self.phase.value = Phase.OVER
        for process in self.processes:
            process.join(10)
        return verdict.off(left)

    def end(self) -> None:
        """Nothing of it is left."""
        self.phase.value = Phase.NOBODY
        for process in (*self.processes, self.outside):
            process.join(5)
            process.kill()


def kill_many(team: Team, kills: int, seed: int) -> Counter[str]:
    """So many kills, each operation in turn; how many hit what."""
    dice, done = random.Random(seed), Counter[str]()  # noqa: S311
    for number in range(kills):
        time.sleep(dice.uniform(0, LONGEST_PAUSE_S))
        for op in _from(OP[1:], number):
            team.look_after()
            if team.kill_within(op, dice.uniform(0, LONGEST_MS) / 1000, dice):
                done[op] += 1
                break
        else:
            raise RuntimeError("nobody does anything")
        if team.fell >= MOST_FALLS:
            break
        if number % 20 == 19:
            sys.stderr.write(f"{number + 1} of {kills} kills\n")
    return done


def _from(names: Sequence[str], number: int) -> Sequence[str]:
    """The names, each beginning in its turn."""
    turn = number % len(names)
    return [*names[turn:], *names[:turn]]
