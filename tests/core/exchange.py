"""A market over time: jobs arrive, a round is held each hour, promises stay, use is counted and fades by the day."""

from collections import Counter
from dataclasses import dataclass, field

from scheduler.core.fairness import Party, age_mm, overs, patience_s, share_mm
from scheduler.core.matching import match
from scheduler.core.types import Ask, Placement, Snapshot
from tests.core.market import HOUR, NOON, REFERENCE, offer

DAY = 24 * HOUR


def decayed(work, days):
    """What is left of `work` after whole days: the plain twin of the database's function."""
    for _ in range(days):
        work = work * 905_724 // 1_000_000
    return work


@dataclass
class Waiting:
    """A job in the queue."""

    id: str
    organization: str
    submitted: int
    due: int
    fields: dict


@dataclass
class Exchange:
    """One offer of `units`, all of them taken for `busy` hours at first.

    Without `with_due` no job ever falls due, without `with_share` everybody counts alike: the controls of the tests.
    """

    units: int
    busy: int = 0
    hours: int = 337
    weights: dict[str, int] = field(default_factory=dict)
    with_due: bool = True
    with_share: bool = True
    now: int = NOON
    queue: list[Waiting] = field(default_factory=list)
    known: dict[str, Waiting] = field(default_factory=dict)
    placed: dict[str, Placement] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    used: Counter = field(default_factory=Counter)
    promised: Counter = field(default_factory=Counter)

    def __post_init__(self):
        self.promised.update({NOON + HOUR * hour: self.units for hour in range(self.busy)})

    def standings(self):
        """How far everybody with use or queued jobs is over its part."""
        names = {name for name, work in self.used.items() if work} | {each.organization for each in self.queue}
        return overs({name: Party(self.used[name], self.weights.get(name, 1)) for name in sorted(names)})

    def submit(self, name, organization, **fields):
        """Queue a job; when it is due is settled here."""
        patience = patience_s(self.standings().get(organization, 0))
        waiting = Waiting(name, organization, self.now, self.now + patience, fields)
        self.queue.append(waiting)
        self.known[name] = waiting
        return waiting

    def hold_round(self):
        """Decide on the queue, keep the promises, drop what could not end in its window, and let an hour pass."""
        standings = self.standings()
        asks = [self._ask(each, standings) for each in self.queue]
        for placement in match(self._snapshot(asks)).placed:
            self.placed[placement.ask], self.decided[placement.ask] = placement, self.now
            self.promised.update(dict.fromkeys(placement.hours, placement.units))
            work = placement.units * (placement.end_s - placement.start_s)
            self.used[self.known[placement.ask].organization] += work
        self.now += HOUR
        self.queue = [each for each in self.queue if each.id not in self.placed and not self._over(each)]
        if (self.now - NOON) % DAY == 0:
            self.used = Counter({name: decayed(work, 1) for name, work in self.used.items()})

    def _over(self, each):
        last = each.fields.get("finish_by_s")
        return last is not None and last < self.now + each.fields["run_s"]

    def _ask(self, each, standings):
        share = share_mm(p_mid=REFERENCE.p_mid, over=standings[each.organization]) if self.with_share else 0
        age = age_mm(p_mid=REFERENCE.p_mid, waited_s=self.now - each.submitted)
        return Ask(
            id=each.id, submitted_s=each.submitted, due_s=each.due if self.with_due else None,
            **({"units": 1, "age_mm": age, "share_mm": share} | each.fields),
        )  # fmt: skip

    def _snapshot(self, asks):
        free = [self.units - self.promised[self.now + HOUR * hour] for hour in range(self.hours)]
        shelf = offer("o", hours=self.hours, free=free, total=self.units)
        return Snapshot(
            now_s=self.now, first_hour_s=self.now, hours=self.hours, offers=(shelf,), asks=tuple(asks),
            reference=REFERENCE,
        )  # fmt: skip
