"""Whatever arrives in place of a job file, the answer is a job or a list of problems, never an accident."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scheduler.jobfile import JobFileInvalid, parse, parse_tree

TREE: dict[str, Any] = {
    "name": "all",
    "num_nodes": 2,
    "workdir": "./src",
    "envs": {"A": "b", "N": 1.5, "T": True},
    "setup": "pip install x",
    "run": ["python3", "-c", "print(1)"],
    "file_mounts": {"data/x": "https://example.org/x"},
    "resources": {
        "accelerators": {"H100": 8, "A100": 8},
        "cpus": "4+",
        "memory": 64,
        "disk_size": 100,
        "use_spot": True,
        "image_id": "docker:python:3.11",
        "any_of": [{"accelerators": "H200:8", "infra": "aws"}],
        "max_hourly_cost": 10.5,
        "job_recovery": {"strategy": "FAILOVER"},
        "labels": {"team": "a"},
        "zone": "a",
    },
    "config": {
        "joulemart": {
            "hours": 2,
            "reference_class": "h100",
            "time_limit_by_class": {"a100": 9000},
            "start_after": "2026-11-24T18:00:00+08:00",
            "finish_by": "2026-11-25T18:00:00+08:00",
            "when": "balanced",
            "near": "shanghai",
            "latency_ms_max": 10,
            "weights": {"price": 2, "latency": 1, "green": 2},
            "price_max": 200,
            "max_total": 9000,
            "budget_stop": True,
            "currency": "USD",
            "renewable_min": 0.8,
            "evidence": "metered",
            "kind": ["datacenter", "edge"],
            "tier": "interruptible",
            "residency": "CN",
            "checkpoint": {"path": "ckpt", "signal": "TERM", "interval_s": 60, "grace_s": 20},
            "retries": 1,
            "network": "none",
            "outputs": ["out/*.txt"],
        }
    },
}
TEXT = json.dumps(TREE, indent=1).replace('"hours"', "hours", 1)  # no longer JSON: YAML reads it, with positions
ACCIDENTS = [None, True, -1, 10**30, 1e308, "", "\x00", [], {}, [None], {"": ""}, "0001-01-01T00:00:00+14:00"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(ACCIDENTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
quick = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in children for place in places(value, (*path, key)))]


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    tree = copy.deepcopy(tree)
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return tree


def assert_whole_outcome(read: Any, given: Any) -> None:
    """Read it; a refusal must be complete, an accepted file must stay itself when read again."""
    try:
        file = read(given)
    except JobFileInvalid as refusal:
        assert refusal.errors
        for problem in refusal.errors:
            assert problem.detail
            assert problem.pointer == "" or problem.pointer.startswith("/")
            json.dumps(problem.as_dict())
    else:
        json.dumps(file.report_as_json())
        again = parse_tree(file.tree)
        assert (again.tree, again.ask.units, again.ask.limits) == (file.tree, file.ask.units, file.ask.limits)


@quick
@given(place=st.sampled_from(places(TREE)), value=values)
def test_any_value_in_any_place_gives_a_job_or_problems(place, value):
    assert_whole_outcome(parse_tree, changed(TREE, place, value))


@quick
@example(cuts=[(0, 1, "{")])
@given(
    cuts=st.lists(
        st.tuples(
            st.integers(0, len(TEXT)),
            st.integers(0, 20),
            st.text("".join(sorted(set(":{}[],&*!|>'\"%@`#-?\n\t\\ 0ab\x85\u2028\ufeff"))), max_size=6),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_damage_to_the_text_gives_a_job_or_problems(cuts):
    text = TEXT
    for start, length, instead in cuts:
        text = text[:start] + instead + text[start + length :]

    assert_whole_outcome(parse, text)


def test_the_file_that_is_damaged_is_whole_before():
    assert parse(TEXT).ask == parse_tree(TREE).ask
