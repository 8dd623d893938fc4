"""Which node and devices of a cluster a task takes: fragmentation gradient descent, weighed by scarcity.

Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC
2023: a node is worth what the usual kinds of task could still use of its devices, and a task goes where it destroys
least of that. Two things are changed. What a kind can use lies halfway between what is free where one more task fits
and what CPU and memory would feed if all further tasks were of that kind: eight free devices beside the CPU for two
tasks are worth five, not eight. And a kind counts by its popularity over what the whole cluster still has for it, which
makes the worth the gradient of sum(popularity * log(usable)), proportional fairness (Kelly 1997): those who may go
anywhere leave rare models to those who may not.

CPU in thousandths of a core, memory in MiB, devices in thousandths of one. Integers; the lower node wins a tie.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints

WHOLE = 1000
ANY_MODEL = -1  # every bit
NOWHERE = -1
REFRESH = 100  # tasks between two weighings
SCALE = 10**9
LEAST_USABLE = 8 * WHOLE  # below it a kind's weight grows no more


class Cluster(NamedTuple):
    """What is free on each node; `model` is one bit, 0 where there are no devices."""

    cpu: Ints
    memory: Ints
    devices: Ints  # [nodes, most devices of a node] 0 where there is none
    model: Ints


class Kinds(NamedTuple):
    """The kinds of task: `milli` of each of `wanted` devices whose model is among the bits of `models`."""

    cpu: Ints
    memory: Ints
    wanted: Ints
    milli: Ints
    models: Ints
    popularity: Ints
    size: Ints  # which of `sizes` it is
    sizes: Ints  # every milli once


class Scratch(NamedTuple):
    """Of the node being valued, by size: how many devices have room for it, and the thousandths free on them."""

    able: Ints
    held: Ints


def kinds_of(rows: Sequence[tuple[int, ...]], popularity: Ints) -> Kinds:
    """The kinds of `rows`: cpu, memory, devices wanted, milli, models. ValueError for parts of several devices."""
    cpu, memory, wanted, milli, models = np.array(rows, dtype=np.int64).reshape(len(rows), 5).T.copy()
    if np.any((wanted > 1) & (milli != WHOLE)) or np.any((milli < 0) | (milli > WHOLE) | ((wanted > 0) != (milli > 0))):
        raise ValueError("a task takes a part of one device, or whole devices, or none")
    sizes, size = np.unique(milli, return_inverse=True)
    return Kinds(cpu, memory, wanted, milli, models, popularity.astype(np.int64), size.astype(np.int64), sizes)


class Known(NamedTuple):
    """What was worked out for a kind on a node, and for which version of the node."""

    loss: Ints  # [kinds, nodes]
    device: Ints
    seen: Ints
    version: Ints  # [nodes]


@lean
def fits(cluster: Cluster, node: int, kinds: Kinds, kind: int) -> bool:
    """Whether the node has what a task of the kind takes."""
    if cluster.cpu[node] < kinds.cpu[kind] or cluster.memory[node] < kinds.memory[kind]:
        return False
    wanted = kinds.wanted[kind]
    if wanted and not cluster.model[node] & kinds.models[kind]:
        return False
    for device in range(cluster.devices.shape[1]):
        if wanted == 0:
            break
        wanted -= cluster.devices[node, device] >= kinds.milli[kind]
    return bool(wanted == 0)


@lean
def take(cluster: Cluster, node: int, kinds: Kinds, kind: int, first: int) -> int:
    """Take what a task needs, its devices from `first` on; their bits."""
    wanted, taken = kinds.wanted[kind], 0
    for device in range(first, cluster.devices.shape[1]):
        if wanted and cluster.devices[node, device] >= kinds.milli[kind]:
            cluster.devices[node, device] -= kinds.milli[kind]
            wanted, taken = wanted - 1, taken | 1 << device
    cluster.cpu[node] -= kinds.cpu[kind]
    cluster.memory[node] -= kinds.memory[kind]
    return taken


@lean
def give_back(cluster: Cluster, node: int, kinds: Kinds, kind: int, taken: int) -> None:
    """Undo `take`."""
    for device in range(cluster.devices.shape[1]):
        cluster.devices[node, device] += kinds.milli[kind] * (taken >> device & 1)
    cluster.cpu[node] += kinds.cpu[kind]
    cluster.memory[node] += kinds.memory[kind]


@lean
def measure(cluster: Cluster, node: int, kinds: Kinds, scratch: Scratch) -> None:
    """Fill `scratch` with the node's devices."""
    for size in range(kinds.sizes.size):
        scratch.able[size] = scratch.held[size] = 0
        for device in range(cluster.devices.shape[1]):
            if cluster.devices[node, device] >= kinds.sizes[size]:
                scratch.able[size] += 1
                scratch.held[size] += cluster.devices[node, device]


@lean
def usable(cluster: Cluster, node: int, kinds: Kinds, kind: int, scratch: Scratch) -> int:
    """Thousandths of the measured node's devices that are of use to a kind of task; 0 where not even one fits."""
    wanted, size = kinds.wanted[kind], kinds.size[kind]
    if wanted == 0 or scratch.able[size] < wanted or not cluster.model[node] & kinds.models[kind]:
        return 0
    if cluster.cpu[node] < kinds.cpu[kind] or cluster.memory[node] < kinds.memory[kind]:
        return 0
    fed_by_cpu = cluster.cpu[node] * wanted * kinds.milli[kind] // max(1, kinds.cpu[kind])
    fed_by_memory = cluster.memory[node] * wanted * kinds.milli[kind] // max(1, kinds.memory[kind])
    return (scratch.held[size] + min(scratch.held[size], fed_by_cpu, fed_by_memory)) // 2  # see the module's text


@lean
def worth(cluster: Cluster, node: int, kinds: Kinds, weights: Ints, scratch: Scratch) -> int:
    """What the kinds could still use of the node, each by its weight."""
    measure(cluster, node, kinds, scratch)
    total = 0
    for kind in range(weights.size):
        if weights[kind]:
            total += weights[kind] * usable(cluster, node, kinds, kind, scratch)
    return total


@compiled
def weigh(cluster: Cluster, kinds: Kinds) -> Ints:
    """The weight of each kind: popularity over what the cluster has left for it."""
    left = np.zeros(kinds.cpu.size, dtype=np.int64)
    scratch = new_scratch(kinds)
    for node in range(cluster.cpu.size):
        measure(cluster, node, kinds, scratch)
        for kind in range(left.size):
            left[kind] += usable(cluster, node, kinds, kind, scratch)
    return kinds.popularity * SCALE // np.maximum(left, LEAST_USABLE)


@compiled
def new_scratch(kinds: Kinds) -> Scratch:
    """Scratch for one valuation at a time."""
    return Scratch(np.zeros(kinds.sizes.size, dtype=np.int64), np.zeros(kinds.sizes.size, dtype=np.int64))


@compiled
def new_known(kinds: int, nodes: int) -> Known:
    """Nothing worked out yet."""
    known = (np.zeros((kinds, nodes), dtype=np.int64), np.zeros((kinds, nodes), dtype=np.int64))
    return Known(known[0], known[1], np.zeros((kinds, nodes), dtype=np.int64), np.ones(nodes, dtype=np.int64))


@lean
def is_first_of_its_level(cluster: Cluster, node: int, device: int) -> bool:
    """Whether no earlier device of the node has as much free."""
    for earlier in range(device):  # noqa: SIM110 - the compiler knows no generators in all()
        if cluster.devices[node, earlier] == cluster.devices[node, device]:
            return False
    return True


@lean
def least_loss(
    cluster: Cluster, node: int, kinds: Kinds, kind: int, weights: Ints, scratch: Scratch
) -> tuple[int, int]:
    """(worth that a task destroys on a node it fits, the device it begins at). A part tries every level of use."""
    before, least, chosen = worth(cluster, node, kinds, weights, scratch), 0, NOWHERE
    for device in range(cluster.devices.shape[1]):
        if kinds.wanted[kind] and cluster.devices[node, device] < kinds.milli[kind]:
            continue
        if not is_first_of_its_level(cluster, node, device):
            continue
        taken = take(cluster, node, kinds, kind, device)
        loss = before - worth(cluster, node, kinds, weights, scratch)
        give_back(cluster, node, kinds, kind, taken)
        if chosen == NOWHERE or loss < least:
            least, chosen = loss, device
        if kinds.milli[kind] in (0, WHOLE):
            break
    return least, chosen


@lean
def choose(cluster: Cluster, kinds: Kinds, kind: int, weights: Ints, known: Known, scratch: Scratch) -> int:
    """The node on which a task destroys least, NOWHERE when it fits none."""
    least, chosen = 0, NOWHERE
    for node in range(cluster.cpu.size):
        if not fits(cluster, node, kinds, kind):
            continue
        if known.seen[kind, node] != known.version[node]:
            loss, device = least_loss(cluster, node, kinds, kind, weights, scratch)
            known.loss[kind, node], known.device[kind, node] = loss, device
            known.seen[kind, node] = known.version[node]
        if chosen == NOWHERE or known.loss[kind, node] < least:
            least, chosen = known.loss[kind, node], node
    return chosen


@compiled
def pack(cluster: Cluster, kinds: Kinds, arrivals: Ints) -> Ints:
    """[arrivals, 2] the node and the bits of the devices each arriving kind of task takes; NOWHERE where none fits.

    `cluster` is left with what remains. What was worked out for a node holds until it or the weights change.
    """
    places = np.full((arrivals.size, 2), NOWHERE)
    known, scratch, weights = new_known(kinds.cpu.size, cluster.cpu.size), new_scratch(kinds), weigh(cluster, kinds)
    for number in range(arrivals.size):
        if number % REFRESH == 0:
            weights = weigh(cluster, kinds)
            known.version[:] += 1
        kind = arrivals[number]
        node = choose(cluster, kinds, kind, weights, known, scratch)
        if node != NOWHERE:
            places[number, 0] = node
            places[number, 1] = take(cluster, node, kinds, kind, known.device[kind, node])
            known.version[node] += 1
    return places
