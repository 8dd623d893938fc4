"""The packer again, slow and plain: lists and loops, everything worked out anew for every task."""

from typing import Any

NOWHERE, WHOLE, REFRESH, SCALE, LEAST_USABLE = -1, 1000, 100, 10**9, 8000
Node = dict[str, Any]  # cpu, memory, devices (a list), model
Kind = dict[str, Any]  # cpu, memory, wanted, milli, models, popularity


def pack(nodes: list[Node], kinds: list[Kind], arrivals: list[int]) -> list[tuple[int, int]]:
    """(node, bits of the devices) of each arrival; `nodes` are left with what remains."""
    places, weights = [], []
    for number, arrival in enumerate(arrivals):
        if number % REFRESH == 0:
            left = [sum(usable(node, kind) for node in nodes) for kind in kinds]
            weights = [k["popularity"] * SCALE // max(room, LEAST_USABLE) for k, room in zip(kinds, left, strict=True)]
        worths = [worth(node, kinds, weights) for node in nodes]
        ways = [
            (
                worth(node, kinds, weights) - worth(after(node, kinds[arrival], devices), kinds, weights),
                n,
                order,
                devices,
            )
            for n, (node, before) in enumerate(zip(nodes, worths, strict=True))
            for order, devices in enumerate(choices(node, kinds[arrival]))
        ]
        if not ways:
            places.append((NOWHERE, NOWHERE))
            continue
        _, n, _, devices = min(ways)
        nodes[n] = after(nodes[n], kinds[arrival], devices)
        places.append((n, sum(1 << device for device in devices)))
    return places


def choices(node: Node, kind: Kind) -> list[list[int]]:
    """The sets of devices worth trying, first devices first; none when the node has no room."""
    able = [device for device, free in enumerate(node["devices"]) if free >= kind["milli"]]
    if node["cpu"] < kind["cpu"] or node["memory"] < kind["memory"]:
        return []
    if kind["wanted"] == 0:
        return [[]]
    if len(able) < kind["wanted"] or not node["model"] & kind["models"]:
        return []
    return [able[: kind["wanted"]]] if kind["milli"] == WHOLE else [[device] for device in able]


def after(node: Node, kind: Kind, devices: list[int]) -> Node:
    free = [each - kind["milli"] * (number in devices) for number, each in enumerate(node["devices"])]
    return node | {"cpu": node["cpu"] - kind["cpu"], "memory": node["memory"] - kind["memory"], "devices": free}


def worth(node: Node, kinds: list[Kind], weights: list[int]) -> int:
    return sum(weight * usable(node, kind) for kind, weight in zip(kinds, weights, strict=True))


def usable(node: Node, kind: Kind) -> int:
    if kind["wanted"] == 0 or not choices(node, kind):
        return 0
    free = sum(each for each in node["devices"] if each >= kind["milli"])
    asked = kind["wanted"] * kind["milli"]
    fed = [node[what] * asked // max(1, kind[what]) for what in ("cpu", "memory")]
    return (free + min(free, *fed)) // 2
