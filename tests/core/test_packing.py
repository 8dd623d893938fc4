import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core.packing import (
    ANY_MODEL,
    NOWHERE,
    Cluster,
    Kinds,
    fits,
    give_back,
    kinds_of,
    measure,
    new_scratch,
    pack,
    take,
    usable,
)
from tests.core import reference_packing

T4, A10 = 1, 2


def cluster_of(*nodes: tuple[int, int, list[int], int]) -> Cluster:
    """Nodes of (cpu, memory, devices, model)."""
    width = max(1, *(len(devices) for _, _, devices, _ in nodes))
    rows = [devices + [0] * (width - len(devices)) for _, _, devices, _ in nodes]
    cpu, memory, model = (np.array([node[place] for node in nodes], dtype=np.int64) for place in (0, 1, 3))
    return Cluster(cpu, memory, np.array(rows, dtype=np.int64), model)


def kinds(*rows: tuple[int, int, int, int, int]) -> Kinds:
    """Equally popular kinds of (cpu, memory, devices wanted, milli, models)."""
    return kinds_of(rows, np.ones(len(rows), dtype=np.int64))


def packed(cluster: Cluster, of: Kinds, *arrivals: int) -> list[tuple[int, int]]:
    return [(int(node), int(devices)) for node, devices in pack(cluster, of, np.array(arrivals, dtype=np.int64))]


def test_what_a_kind_can_use_lies_halfway_between_the_free_devices_and_those_that_cpu_feeds():
    cluster, of = cluster_of((8_000, 100, [1000] * 8, T4)), kinds((4_000, 1, 1, 1000, ANY_MODEL))
    scratch = new_scratch(of)
    measure(cluster, 0, of, scratch)

    assert usable(cluster, 0, of, 0, scratch) == 5_000  # (eight free + two fed) / 2


def test_a_part_goes_where_a_part_is_used_and_leaves_the_whole_device():
    cluster = cluster_of((8_000, 100, [1000, 500], T4))

    assert packed(cluster, kinds((1, 1, 1, 500, ANY_MODEL), (1, 1, 1, 1000, ANY_MODEL)), 0) == [(0, 0b10)]


def test_who_may_go_anywhere_leaves_the_rare_model_to_those_who_may_not():
    cluster = cluster_of((8_000, 100, [1000], T4), (8_000, 100, [1000], A10))
    of = kinds((1, 1, 1, 1000, ANY_MODEL), (1, 1, 1, 1000, T4))

    assert packed(cluster, of, 0, 1) == [(1, 1), (0, 1)]


def test_a_task_without_a_device_keeps_off_the_cpu_that_feeds_devices():
    cluster = cluster_of((8_000, 100, [1000, 1000], T4), (8_000, 100, [], 0))
    of = kinds((4_000, 1, 0, 0, ANY_MODEL), (4_000, 1, 1, 1000, ANY_MODEL))

    assert packed(cluster, of, 0, 1, 1) == [(1, 0), (0, 0b01), (0, 0b10)]


def test_what_fits_nowhere_is_refused_and_takes_nothing():
    cluster = cluster_of((8_000, 100, [900, 1000], T4))
    of = kinds(
        (9_000, 1, 0, 0, ANY_MODEL), (1, 101, 0, 0, ANY_MODEL), (1, 1, 2, 1000, ANY_MODEL), (1, 1, 1, 100, A10)
    )  # fmt: skip

    assert packed(cluster, of, 0, 1, 2, 3) == [(NOWHERE, NOWHERE)] * 4
    assert cluster.cpu.tolist() == [8_000]
    assert cluster.devices.tolist() == [[900, 1000]]


def test_what_is_given_back_is_free_again():
    cluster, of = cluster_of((8_000, 100, [1000, 400, 1000], T4)), kinds((3_000, 7, 2, 1000, ANY_MODEL))

    taken = take(cluster, 0, of, 0, 0)

    assert taken == 0b101
    assert (cluster.cpu[0], cluster.memory[0], cluster.devices[0].tolist()) == (5_000, 93, [0, 400, 0])
    assert not fits(cluster, 0, of, 0)
    give_back(cluster, 0, of, 0, taken)
    assert (cluster.cpu[0], cluster.memory[0], cluster.devices[0].tolist()) == (8_000, 100, [1000, 400, 1000])


@pytest.mark.parametrize(
    "row", [(1, 1, 2, 500, ANY_MODEL), (1, 1, 1, 1001, ANY_MODEL), (1, 1, 1, 0, ANY_MODEL), (1, 1, 0, 500, ANY_MODEL)]
)
def test_only_a_part_of_one_device_or_whole_devices_can_be_asked_for(row):
    with pytest.raises(ValueError, match="a part of one device, or whole devices, or none"):
        kinds(row)


DEVICES = st.lists(st.sampled_from([0, 300, 500, 700, 1000]), min_size=1, max_size=4)
NODES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), DEVICES, st.sampled_from([T4, A10])), min_size=1, max_size=5
)
NEEDS = st.sampled_from([(0, 0), (1, 300), (1, 500), (1, 1000), (2, 1000)])
KINDS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), NEEDS, st.sampled_from([ANY_MODEL, T4]), st.integers(0, 9)),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(nodes=NODES, of=KINDS, draws=st.lists(st.integers(0, 10**6), max_size=130))
def test_the_compiled_packer_and_a_plain_one_take_the_same_places(nodes, of, draws):
    rows = [(cpu, memory, *needs, models) for cpu, memory, needs, models, _ in of]
    popularity = np.array([each[-1] for each in of], dtype=np.int64)
    arrivals = [draw % len(of) for draw in draws]
    cluster = cluster_of(*nodes)
    width = cluster.devices.shape[1]
    plain = [
        {"cpu": cpu, "memory": memory, "devices": devices + [0] * (width - len(devices)), "model": model}
        for cpu, memory, devices, model in nodes
    ]
    names = ("cpu", "memory", "wanted", "milli", "models", "popularity")
    asked = [dict(zip(names, (*row, part), strict=True)) for row, part in zip(rows, popularity.tolist(), strict=True)]

    places = packed(cluster, kinds_of(rows, popularity), *arrivals)

    assert places == reference_packing.pack(plain, asked, arrivals)
    assert cluster.devices.tolist() == [node["devices"] for node in plain]
    assert cluster.cpu.tolist() == [node["cpu"] for node in plain]
    assert min(map(min, cluster.devices.tolist())) >= 0
