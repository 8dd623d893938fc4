"""The Philly traces as markets: sizes, run times and arrivals are the trace's, all else comes from the generator.

`../shared/data/traces/README.md` says where the rows come from. A job of the trace keeps its number of processors (1 to
32) as units, its run time (60 s to 168 h) and its arrival; region, weights, accelerator and limits are drawn as in
`benchmarks/market.py`. Jobs arrive over some 95 days, so they come in rounds: whoever arrived since the last round, and
whoever waits, is decided at the next whole hour, and running jobs keep what they hold.
"""

import argparse
import csv
import gzip
import resource
import statistics
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.market import FIRST_S, REFERENCE, draw, snapshot_of
from benchmarks.match import checks, decide, effort_of, versions
from benchmarks.openb import TRACES, TraceMissing
from scheduler.core.batch import Effort
from scheduler.core.market import Ints
from scheduler.core.rounds import placements
from scheduler.core.tables import table_of
from scheduler.core.types import HOUR_S, MAX_RUN_S, MIN_RUN_S, START_MARGIN_S, Ask, OfferFacts, Snapshot

PHILLY = ("philly_vc_b", "philly_vc_c")
AHEAD = 169  # hours that a round looks ahead


def read_philly(name: str, most: int, folder: Path = TRACES) -> dict[str, Ints]:
    """The first `most` jobs of the trace: `arrived_s` since its begin, `units` and `run_s`. Raises TraceMissing."""
    path = folder / f"{name}_jobs.csv.gz"
    if not path.exists():
        raise TraceMissing(f"{path} is not here")
    with gzip.open(path, "rt", newline="") as lines:
        rows = [row for row, _ in zip(csv.DictReader(lines), range(most), strict=False)]
    numbers = {name: np.array([int(row[name]) for row in rows]) for name in ("submit_s", "num_gpu", "duration_s")}
    return {
        "arrived_s": numbers["submit_s"],
        "units": numbers["num_gpu"],
        "run_s": np.clip(numbers["duration_s"], MIN_RUN_S, MAX_RUN_S),
    }


@dataclass
class Replay:
    """A market as time goes by: what each offer has promised, hour by hour since the first round."""

    offers: tuple[OfferFacts, ...]
    asks: tuple[Ask, ...]  # in the order of arrival; each starts no earlier than the round that first sees it
    held: Ints  # [offers, hours]
    rounds: list[float] = field(default_factory=list)  # seconds of each
    placed: int = 0
    utility: int = 0
    examined: int = 0
    checks: Counter[str] = field(default_factory=Counter)


def replay_of(options: argparse.Namespace) -> Replay:
    """The offers and jobs of the generator, with sizes, run times and arrivals of the trace.

    Units are drawn so that the demand is the generator's, but each offer can hold the largest job.
    """
    philly, offers, seed = read_philly(options.trace, options.jobs), options.offers, options.seed
    count, units = philly["units"].size, philly["units"]
    market = draw(jobs=count, offers=offers, seed=seed)
    snapshot = snapshot_of(market)
    came = -(-philly["arrived_s"] // HOUR_S) * HOUR_S
    hours = int(came.max()) // HOUR_S + 1
    wanted = float((units * philly["run_s"]).sum()) / HOUR_S / market.demand / (offers * hours)
    sizes = np.random.default_rng([seed, offers]).integers(1, max(2, int(2 * wanted)) + 1, offers)
    sizes = np.maximum(sizes, units.max())
    slack = market.jobs["finish_s"] - market.jobs["release_s"] - market.jobs["run_s"]
    asks = tuple(
        replace(
            ask, units=int(units[n]), run_s=int(philly["run_s"][n]), submitted_s=FIRST_S + int(came[n]),
            start_after_s=FIRST_S + int(came[n]), finish_by_s=FIRST_S + int(came[n] + philly["run_s"][n] + slack[n]),
        )
        for n, ask in enumerate(snapshot.asks)
    )  # fmt: skip
    shelf = tuple(
        replace(each, free=(int(size),) * snapshot.hours, units_total=(int(size),) * snapshot.hours)
        for each, size in zip(snapshot.offers, sizes, strict=True)
    )
    return Replay(shelf, asks, np.zeros((offers, hours + 2 * AHEAD), dtype=np.int64))


def seen_at(replay: Replay, hour: int, asks: tuple[Ask, ...]) -> Snapshot:
    """The market at the begin of an hour; prices and shares repeat."""
    now_s = FIRST_S + hour * HOUR_S

    def rolled(values: tuple[int, ...]) -> tuple[int, ...]:
        turn = hour % len(values)
        return ((values[turn:] + values[:turn]) * (1 + AHEAD // len(values)))[:AHEAD]

    offers = tuple(
        replace(
            each, price=rolled(each.price), share_ppm=rolled(each.share_ppm), matched_ppm=rolled(each.matched_ppm),
            ci_mg=rolled(each.ci_mg), units_total=rolled(each.units_total),
            free=tuple((each.units_total[0] - replay.held[number, hour : hour + AHEAD]).tolist()),
        )
        for number, each in enumerate(replay.offers)
    )  # fmt: skip
    return Snapshot(now_s, now_s, AHEAD, offers, asks, REFERENCE)


def play(replay: Replay, effort: Effort | None, seed: int) -> Replay:
    """Decide hour by hour who came and who waits; a job whose last start has gone by is given up."""
    waiting: list[Ask] = []
    later = deque(replay.asks)
    hour = 0
    while waiting or later:
        now_s = FIRST_S + hour * HOUR_S
        while later and later[0].submitted_s <= now_s:
            waiting.append(later.popleft())
        waiting = [ask for ask in waiting if now_s + ask.run_s + START_MARGIN_S <= (ask.finish_by_s or now_s)]
        if waiting:
            taken = play_round(replay, seen_at(replay, hour, tuple(waiting)), hour, effort, seed)
            waiting = [ask for ask in waiting if ask.id not in taken]
        hour += 1
    return replay


def play_round(replay: Replay, snapshot: Snapshot, hour: int, effort: Effort | None, seed: int) -> set[str]:
    """The asks that one round places, noted in `replay`. Its seconds run from arrays to decision."""
    table = table_of(snapshot)
    begun = time.perf_counter()
    decided, _ = decide(table, effort, seed)
    replay.rounds.append(time.perf_counter() - begun)
    replay.checks.update(checks(snapshot, table, decided))
    numbers = {offer.id: number for number, offer in enumerate(replay.offers)}
    placed = placements(table, decided)
    for each in placed:
        first = hour + (each.hours[0] - snapshot.first_hour_s) // HOUR_S
        replay.held[numbers[each.offer], first : first + len(each.hours)] += each.units
    replay.placed += len(placed)
    replay.utility += int(decided.utility.sum())
    replay.examined += decided.examined
    return {each.ask for each in placed}


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The whole trace `options.repeat` times; medians."""
    effort = effort_of(options)
    plays = [
        play(replay_of(options), effort, options.seed)
        for _ in range(options.repeat + 1)  # the first one loads machine code
    ][1:]
    last, totals = plays[-1], [sum(each.rounds) for each in plays]
    seconds, rounds = statistics.median(totals), np.sort(np.array(last.rounds))
    units = np.array([offer.units_total[0] for offer in last.offers])
    asked = sum(ask.units * ask.run_s for ask in last.asks) / HOUR_S
    found = Counter({"oversold": int((last.held > units[:, None]).sum())}) + last.checks
    return {
        "jobs": len(last.asks), "offers": options.offers, "hours": AHEAD, "mode": options.mode, "placed": last.placed,
        "rounds": rounds.size, "seconds_total": round(seconds, 4),
        "seconds_of_runs": [round(each, 4) for each in totals],
        "round_ms": {f"p{part}": round(1000 * float(np.percentile(rounds, part)), 2) for part in (50, 95, 100)},
        "jobs_per_second": round(last.placed / seconds), "utility": last.utility,
        "certified_bound": None, "certified_ratio": None, "lp_bound": None, "lp_ratio": None,
        "demand": round(asked / float(units.sum() * (last.held.shape[1] - 2 * AHEAD)), 3),
        "offers_examined_per_job": round(last.examined / len(last.asks), 2), "unplaced": len(last.asks) - last.placed,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "seed": options.seed,
        "checks": {name: found[name] for name in ("oversold", "double", "limits_broken")},
        "trace": options.trace, "repeat": options.repeat, "versions": versions(),
    }  # fmt: skip
