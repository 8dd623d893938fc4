"""The `resources` of a job file: which hardware, how much of it.

`accelerators: H100:8` asks for eight units of H100 per node. Without accelerators a job asks for processors: one unit
is one hardware thread, `cpus: 4+` asks for four.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from scheduler.jobfile import keys
from scheduler.jobfile.problems import ReportLine, pointer_to
from scheduler.jobfile.reading import DROPPED_PLACE, Reader

ACCELERATOR = re.compile(r"([A-Za-z][\w .-]*?)(?::([1-9][0-9]{0,5}))?\Z")
AT_LEAST = re.compile(r"([0-9]{1,6})\+?\Z")
MOST_UNITS = 100_000
MOST_COST = 10**9


def read_resources(top: Reader) -> dict[str, Any]:
    """Units, limits on hardware and tier, and what each unit must have."""
    reader = top.inside("resources")
    reader.allow(keys.RESOURCES, unsupported=keys.RESOURCES_UNSUPPORTED, dropped=keys.RESOURCES_DROPPED)
    nodes = top.whole("num_nodes", 1, 1000) or 1
    wanted = _accelerators(reader)
    cpus, memory = _at_least(reader, "cpus"), _at_least(reader, "memory")
    limits: dict[str, Any] = {"accelerator": sorted({name for name, _ in wanted})} if wanted else {}
    units = wanted[0][1] if wanted else cpus or 1
    if len({count for _, count in wanted}) > 1:
        reader.problem("accelerators", "alternatives must ask for the same number of units")
    if units * nodes > MOST_UNITS:
        top.problem("num_nodes", f"{nodes} nodes of {units} units are more than {MOST_UNITS} units")
    cost = reader.value.get("max_hourly_cost")
    if cost is not None:
        limits |= _hourly(reader, cost, units)
    if "job_recovery" in reader.value:
        detail = "how often a job is tried again is config.joulemart.retries"
        reader.report.append(ReportLine(f"{reader.pointer}/job_recovery", "dropped", None, detail))
    return {
        "units": units * nodes,
        "limits": limits,
        "tier": "interruptible" if reader.flag("use_spot") else None,
        "image": _image(reader),
        "cpus_min": cpus,
        "memory_gb_min": memory,
        "disk_gb": reader.whole("disk_size", 1, 100_000),
        "labels": reader.texts("labels"),
    }


def _accelerators(reader: Reader) -> list[tuple[str, int]]:
    """What any of the alternatives accepts; alternatives replace the accelerators named beside them."""
    named = _parsed(reader, reader.value.get("accelerators"))
    if "any_of" in reader.value and "ordered" in reader.value:
        reader.problem("ordered", "give either any_of or ordered", of_key=True)
    found = _alternatives(reader, "any_of") + _alternatives(reader, "ordered")
    return found or named


def _alternatives(reader: Reader, key: str) -> list[tuple[str, int]]:
    options = reader.value.get(key, [])
    if not isinstance(options, list):
        reader.problem(key, "must be a list of alternatives")
        return []
    found = []
    for index, option in enumerate(options):
        given = option if isinstance(option, Mapping) else {}
        if set(given) - keys.RESOURCES_DROPPED != {"accelerators"}:
            reader.problem(key, "each alternative names accelerators and nothing else", "- accelerators: H100:8")
            continue
        for dropped in sorted(set(given) - {"accelerators"}):
            pointer = pointer_to(reader.pointer, key, index, dropped)
            reader.report.append(ReportLine(pointer, "dropped", None, DROPPED_PLACE))
        found += _parsed(reader, given["accelerators"], key)
    return found


def _parsed(reader: Reader, value: Any, key: str = "accelerators") -> list[tuple[str, int]]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        listed = [f"{name}:{count}" for name, count in value.items()]
    else:
        listed = value if isinstance(value, list) else [value]
    found = []
    for each in listed:
        match = ACCELERATOR.match(each) if isinstance(each, str) else None
        if match is None:
            reader.problem(key, f"{each!r} is not an accelerator and a count", "H100:8")
        else:
            found.append((match[1], int(match[2] or 1)))
    return found


def _at_least(reader: Reader, key: str) -> int | None:
    """`4`, `"4"` or `4+`: at least so many."""
    value = reader.value.get(key)
    if value is None:
        return None
    match = AT_LEAST.match(str(value)) if not isinstance(value, bool) else None
    if match is None or int(match[1]) < 1:
        reader.problem(key, "must be a whole number, with + for at least", "4+")
        return None
    return int(match[1])


def _hourly(reader: Reader, cost: Any, units: int) -> dict[str, int]:
    """A cap on the hourly cost of one node, in whole money, becomes the price limit of a unit in minor units."""
    if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 <= cost <= MOST_COST:
        reader.problem("max_hourly_cost", "must be an amount of money per hour", "2.5")
        return {}
    return {"price__lte": Fraction(str(cost)) * 100 // units}


def _image(reader: Reader) -> str | None:
    image = reader.text("image_id", 300)
    if image is not None and not image.startswith("docker:"):
        reader.problem("image_id", "must name a container image", f"docker:{image}")
    return image.removeprefix("docker:") if image else None
