"""`manage.py benchmark openb`: how full a real cluster of shared devices gets, as one JSON document.

Nodes and pods of Alibaba's openb trace (`../shared/data/traces/README.md`). Pods arrive shuffled, then drawn with
replacement until 130 % of all devices has been asked for; none leaves. A pod that fits nowhere is refused, and none is
refused that fits. The figures are the share of all devices allocated when 100 % and when 130 % has been asked for.
Every policy sees the same arrivals; ours also knows how often each kind of pod occurs in the trace, as FGD does.
"""

import argparse
import csv
import gzip
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from scheduler.core.compiled import compiled
from scheduler.core.market import Ints
from scheduler.core.packing import ANY_MODEL, NOWHERE, WHOLE, Cluster, Kinds, fits, kinds_of, pack, take
from scheduler.core.room import Words
from scheduler.core.search import next_random

TRACES = Path(__file__).resolve().parents[2] / "shared" / "data" / "traces"
VARIANTS = ("default", "gpuspec33", "multigpu50", "gpushare100", "cpu250")
MOST_DEVICES = 8
ASKED_PER_CENT = (100, 130)


class TraceMissing(Exception):
    """The traces are kept outside this repository, and not here."""


@dataclass(frozen=True)
class Trace:
    """An empty cluster, the kinds of its pods, and the kind of each pod."""

    cluster: Cluster
    kinds: Kinds
    pods: Ints

    @property
    def capacity(self) -> int:
        """Thousandths of a device."""
        return int(self.cluster.devices.sum())

    def asks(self, arrivals: Ints) -> Ints:
        """Thousandths of a device that each of `arrivals` asks for."""
        return (self.kinds.wanted * self.kinds.milli)[arrivals]


def read_trace(variant: str, folder: Path = TRACES) -> Trace:
    """The trace of that name. Raises TraceMissing."""
    nodes, pods = folder / "openb_node_list_all_node.csv", folder / f"openb_pod_list_{variant}.csv.gz"
    for path in (nodes, pods):
        if not path.exists():
            raise TraceMissing(f"{path} is not here")
    bits: dict[str, int] = {}
    with nodes.open(newline="") as lines:
        cluster = _cluster(list(csv.DictReader(lines)), bits)
    numbers: dict[tuple[int, ...], int] = {}
    with gzip.open(pods, "rt", newline="") as lines:
        kinds = [numbers.setdefault(_kind(row, bits), len(numbers)) for row in csv.DictReader(lines)]
    return Trace(cluster, kinds_of(list(numbers), np.bincount(kinds)), np.array(kinds))


def _cluster(rows: list[dict[str, str]], bits: dict[str, int]) -> Cluster:
    devices = np.zeros((len(rows), MOST_DEVICES), dtype=np.int64)
    for number, row in enumerate(rows):
        devices[number, : int(row["gpu"])] = WHOLE
    models = [bits.setdefault(row["model"], 1 << len(bits)) if row["model"] else 0 for row in rows]
    return Cluster(
        np.array([int(row["cpu_milli"]) for row in rows]), np.array([int(row["memory_mib"]) for row in rows]),
        devices, np.array(models),
    )  # fmt: skip


def _kind(row: dict[str, str], bits: dict[str, int]) -> tuple[int, int, int, int, int]:
    models = set((row.get("gpu_spec") or "").split("|")) - {""}
    mask = sum(bits.setdefault(model, 1 << len(bits)) for model in sorted(models)) if models else ANY_MODEL
    count = int(row["num_gpu"])
    return int(row["cpu_milli"]), int(row["memory_mib"]), count, int(row["gpu_milli"]) if count else 0, mask


def arrivals_of(trace: Trace, seed: int) -> Ints:
    """The kinds that arrive: all pods shuffled, then pods at random, until 130 % of the devices has been asked for."""
    numbers = np.random.default_rng([seed])
    order, wanted = numbers.permutation(trace.pods), trace.capacity * ASKED_PER_CENT[-1] // 100
    while trace.asks(order).sum() < wanted:
        order = np.concatenate([order, numbers.choice(trace.pods, trace.pods.size)])
    return order[: reached(trace, order, ASKED_PER_CENT[-1])]


def reached(trace: Trace, arrivals: Ints, per_cent: int) -> int:
    """How many of `arrivals` it takes until that much of the devices has been asked for."""
    return 1 + int(np.searchsorted(np.cumsum(trace.asks(arrivals)), trace.capacity * per_cent / 100))


@compiled
def best_fit(cluster: Cluster, kinds: Kinds, arrivals: Ints, _seed: int) -> Ints:
    """[arrivals, 2] as `pack`: the node with least .5 CPU/largest + .5 devices/largest left, the fullest that fits."""
    places = np.full((arrivals.size, 2), NOWHERE)
    held, most_cpu = cluster.devices.sum(axis=1), cluster.cpu.max()
    most_held = held.max()
    for number in range(arrivals.size):
        kind, chosen, least = arrivals[number], NOWHERE, 0
        for node in range(held.size):
            if fits(cluster, node, kinds, kind):
                left = cluster.cpu[node] * most_held + held[node] * most_cpu  # what all nodes lose alike is left out
                if chosen == NOWHERE or left < least:
                    chosen, least = node, left
        if chosen != NOWHERE:
            first = fullest(cluster.devices[chosen], kinds.milli[kind]) if kinds.milli[kind] < WHOLE else 0
            places[number, 0] = chosen
            places[number, 1] = take(cluster, chosen, kinds, kind, first)
            held[chosen] = cluster.devices[chosen].sum()
    return places


@compiled
def fullest(devices: Ints, milli: int) -> int:
    """The device with least free that has `milli`; 0 where none has."""
    chosen = 0
    for device in range(devices.size):
        better = devices[chosen] < milli or devices[device] < devices[chosen]
        if devices[device] >= milli and better:
            chosen = device
    return chosen


@compiled
def at_random(cluster: Cluster, kinds: Kinds, arrivals: Ints, seed: int) -> Ints:
    """[arrivals, 2] as `pack`: any node it fits, any device that fits."""
    places, random = np.full((arrivals.size, 2), NOWHERE), np.array([seed], dtype=np.uint64)
    for number in range(arrivals.size):
        kind, chosen, found = arrivals[number], NOWHERE, 0
        for node in range(cluster.cpu.size):
            if fits(cluster, node, kinds, kind):
                found += 1
                if next_random(random) % found == 0:
                    chosen = node
        if chosen != NOWHERE:
            first = any_device(cluster.devices[chosen], kinds.milli[kind], random) if kinds.milli[kind] < WHOLE else 0
            places[number, 0] = chosen
            places[number, 1] = take(cluster, chosen, kinds, kind, first)
    return places


@compiled
def any_device(devices: Ints, milli: int, random: Words) -> int:
    """A device that has `milli`; 0 where none has."""
    chosen, found = 0, 0
    for device in range(devices.size):
        if devices[device] >= milli:
            found += 1
            if next_random(random) % found == 0:
                chosen = device
    return chosen


def ours(cluster: Cluster, kinds: Kinds, arrivals: Ints, _seed: int) -> Ints:
    """The product's packer."""
    return pack(cluster, kinds, arrivals)


POLICIES: dict[str, Callable[[Cluster, Kinds, Ints, int], Ints]] = {
    "ours": ours, "best_fit": best_fit, "random": at_random,
}  # fmt: skip


def faults(trace: Trace, arrivals: Ints, places: Ints) -> dict[str, int]:
    """What an independent look finds wrong: nodes or devices given twice, pods on what they must not have."""
    cpu, memory, devices = (part.tolist() for part in trace.cluster[:3])
    rows = list(zip(*(part.tolist() for part in trace.kinds[:5]), strict=True))
    oversold = broken = 0
    for kind, (node, taken) in zip(arrivals.tolist(), places.tolist(), strict=True):
        if node == NOWHERE:
            continue
        wants_cpu, wants_memory, count, milli, models = rows[kind]
        chosen = [device for device in range(MOST_DEVICES) if taken >> device & 1]
        cpu[node] -= wants_cpu
        memory[node] -= wants_memory
        for device in chosen:
            devices[node][device] -= milli
        oversold += min(cpu[node], memory[node], *devices[node]) < 0
        broken += len(chosen) != count or (count > 0 and not models & int(trace.cluster.model[node]))
    return {"oversold": oversold, "limits_broken": broken}


def allocated(trace: Trace, arrivals: Ints, places: Ints) -> list[float]:
    """Per cent of all devices allocated when 100 % and 130 % has been asked for."""
    given = trace.asks(arrivals) * (places[:, 0] != NOWHERE)
    return [100 * float(given[: reached(trace, arrivals, asked)].sum()) / trace.capacity for asked in ASKED_PER_CENT]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the specification's contract."""
    parser.add_argument("--trace", choices=VARIANTS, default="default")
    parser.add_argument("--seeds", type=int, default=10)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Every policy on the arrivals of every seed; means, and each seed's figures."""
    trace = read_trace(options.trace)
    checks = {"oversold": 0, "limits_broken": 0}
    runs: dict[str, list[list[float]]] = {name: [] for name in POLICIES}
    seconds = dict.fromkeys(POLICIES, 0.0)
    for seed in range(options.seeds):
        arrivals = arrivals_of(trace, seed)
        for name, policy in POLICIES.items():
            cluster = Cluster(*(part.copy() for part in trace.cluster))
            begun = time.process_time()
            places = policy(cluster, trace.kinds, arrivals, seed)
            seconds[name] += time.process_time() - begun
            runs[name].append(allocated(trace, arrivals, places))
            for check, count in faults(trace, arrivals, places).items():
                checks[check] += count
    return {
        "trace": options.trace, "seeds": options.seeds, "nodes": int(trace.cluster.cpu.size),
        "devices": trace.capacity // WHOLE, "pods": int(trace.pods.size), "kinds": int(trace.kinds.cpu.size),
        "policies": {name: _told(runs[name], seconds[name] / options.seeds) for name in POLICIES}, "checks": checks,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__},
    }  # fmt: skip


def _told(runs: list[list[float]], seconds: float) -> dict[str, Any]:
    means = np.mean(runs, axis=0)
    return {
        "at_100": round(float(means[0]), 2), "at_130": round(float(means[1]), 2),
        "runs": [[round(each, 2) for each in run] for run in runs], "cpu_seconds_per_run": round(seconds, 2),
    }  # fmt: skip
