"""Work in pieces: exactly the hours that trying every set of hours finds, whatever they cost."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core.pieces import NEVER, Hours, Work, cheapest, spans

HOUR = 3600


def hours_of(costs, *, free=None, idle=0, latest_s=None, skipped_s=0):
    """One row of hours."""
    return Hours(
        np.array([costs], dtype=np.int64), np.array([free or [True] * len(costs)]), np.array([idle], dtype=np.int64),
        len(costs) * HOUR if latest_s is None else latest_s, skipped_s,
    )  # fmt: skip


def choose(costs, work, **fields):
    """(pieces in seconds after the first hour began, cost x seconds) of one row."""
    chosen = cheapest(hours_of(costs, **fields), work)
    return spans(chosen.seconds[0], fields.get("skipped_s", 0)), int(chosen.cost[0])


def by_trying_all(costs, work, *, free, idle, latest_s, skipped_s):
    """The same by trying every set of hours: (cost, number of pieces, hours used) of the best."""
    best = None
    for size in range(1, len(costs) + 1):
        for used in combinations(range(len(costs)), size):
            found = tried(used, costs, work, free, idle, latest_s, skipped_s)
            if found and (best is None or found < best):
                best = found
    return best


def tried(used, costs, work, free, idle, latest_s, skipped_s):
    """(cost, pieces, what was not used by hour, seconds of each hour used), or None if these hours do not do."""
    room = [HOUR - skipped_s if hour == 0 else HOUR for hour in used]
    pieces = [[used[0]]]
    for hour in used[1:]:
        pieces[-1].append(hour) if hour == pieces[-1][-1] + 1 else pieces.append([hour])
    rest = work.run_s + (len(pieces) - 1) * work.restart_s - sum(room[:-1])
    if len(pieces) > work.max_pieces or not 0 < rest <= room[-1] or not all(free[hour] for hour in used):
        return None
    seconds = dict(zip(used, [*room[:-1], rest], strict=True))
    if len(pieces) > 1 and any(sum(seconds[hour] for hour in piece) < 2 * HOUR for piece in pieces):
        return None
    if used[-1] * HOUR + (skipped_s if used[-1] == 0 else 0) + rest > latest_s:
        return None
    waited = [idle * (HOUR - skipped_s) // HOUR if h == 0 else idle for h in range(used[-1]) if h not in seconds]
    cost = sum(costs[hour] * spent for hour, spent in seconds.items()) + sum(waited)
    return cost, len(pieces), [hour not in seconds for hour in range(len(costs))], seconds


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_the_choice_is_the_best_of_all_sets_of_hours(data):
    draw = data.draw
    count = draw(st.integers(1, 10))
    costs = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    free = draw(st.lists(st.sampled_from([True, True, True, False]), min_size=count, max_size=count))
    work = Work(
        run_s=draw(st.one_of(st.integers(1, 8).map(lambda h: h * HOUR), st.integers(60, 7 * HOUR))),
        max_pieces=draw(st.integers(1, 4)), restart_s=draw(st.sampled_from([0, 1, 600, HOUR, 5000])),
    )  # fmt: skip
    fields = {
        "idle": draw(st.sampled_from([0, 0, 1, HOUR, 3 * HOUR])),
        "latest_s": draw(st.integers(1, count * HOUR)),
        "skipped_s": draw(st.sampled_from([0, 0, 1, 600, 2400, 3599])),
    }

    pieces, cost = choose(costs, work, free=free, **fields)
    best = by_trying_all(costs, work, free=free, **fields)

    if best is None:
        assert (pieces, cost) == ([], NEVER)
        return
    assert (cost, pieces) == (best[0], spans_of(best[3], fields["skipped_s"]))


def spans_of(seconds, skipped_s):
    """{hour: seconds used} as pieces."""
    pieces = []
    for hour, spent in sorted(seconds.items()):
        begin = hour * HOUR + (skipped_s if hour == 0 else 0)
        if pieces and pieces[-1][1] == begin:
            begin = pieces.pop()[0]
        pieces.append((begin, hour * HOUR + (skipped_s if hour == 0 else 0) + spent))
    return pieces


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_more_pieces_never_cost_more_and_a_restart_never_less(data):
    costs = data.draw(st.lists(st.integers(0, 1000), min_size=8, max_size=30))
    run_s = data.draw(st.integers(1, 8)) * HOUR
    several = [choose(costs, Work(run_s, pieces, 600))[1] for pieces in (1, 2, 3, 4)]

    assert several == sorted(several, reverse=True)
    assert choose(costs, Work(run_s, 4, 0))[1] <= several[-1]


def test_rows_are_chosen_apart():
    costs = np.array([[9, 1, 1, 9, 1, 1], [1, 1, 1, 1, 9, 9], [9, 9, 9, 9, 9, 9]], dtype=np.int64)
    free = np.ones_like(costs, dtype=np.bool_)
    free[2] = False

    chosen = cheapest(Hours(costs, free, np.zeros(3, dtype=np.int64), 6 * HOUR), Work(4 * HOUR, 2))

    assert [spans(row) for row in chosen.seconds] == [
        [(HOUR, 3 * HOUR), (4 * HOUR, 6 * HOUR)], [(0, 4 * HOUR)], [],
    ]  # fmt: skip
    assert chosen.cost.tolist() == [4 * HOUR, 4 * HOUR, NEVER]


def test_a_restart_makes_the_work_longer_and_its_seconds_are_paid():
    costs = [2, 2, 90, 90, 2, 2, 2]

    pieces, cost = choose(costs, Work(4 * HOUR, 2, 600))

    assert pieces == [(0, 2 * HOUR), (4 * HOUR, 6 * HOUR + 600)]
    assert cost == 2 * (4 * HOUR + 600)


def test_a_restart_that_costs_more_than_it_saves_is_not_made():
    costs = [2, 2, 3, 2, 2]

    assert choose(costs, Work(4 * HOUR, 2, 0))[0] == [(0, 2 * HOUR), (3 * HOUR, 5 * HOUR)]
    assert choose(costs, Work(4 * HOUR, 2, 1900), latest_s=6 * HOUR)[0] == [(0, 4 * HOUR)]


def test_of_equal_costs_the_fewest_pieces_and_the_earliest_hours_are_taken():
    assert choose([1] * 9, Work(4 * HOUR, 4))[0] == [(0, 4 * HOUR)]
    assert choose([1, 1, 9, 1, 1, 9, 1, 1], Work(4 * HOUR, 4))[0] == [(0, 2 * HOUR), (3 * HOUR, 5 * HOUR)]


def test_waiting_in_between_costs_as_waiting_before_does():
    costs = [5, 5, 9, 5, 5, 9]

    assert choose(costs, Work(4 * HOUR, 2), idle=3 * HOUR)[0] == [(0, 2 * HOUR), (3 * HOUR, 5 * HOUR)]
    assert choose(costs, Work(4 * HOUR, 2), idle=5 * HOUR)[0] == [(0, 4 * HOUR)]


def test_the_first_piece_may_begin_within_an_hour_and_only_the_last_ends_within_one():
    pieces, cost = choose([1, 1, 1, 9, 1, 1, 1], Work(5 * HOUR, 2, 300), skipped_s=2400)

    assert pieces == [(2400, 3 * HOUR), (4 * HOUR, 4 * HOUR + 2 * HOUR + 2400 + 300)]
    assert cost == 5 * HOUR + 300


def test_nothing_runs_after_the_latest_end():
    assert choose([9, 9, 1, 1], Work(2 * HOUR), latest_s=4 * HOUR)[0] == [(2 * HOUR, 4 * HOUR)]
    assert choose([9, 9, 1, 1], Work(2 * HOUR), latest_s=4 * HOUR - 1)[0] == [(HOUR, 3 * HOUR)]
    assert choose([1], Work(HOUR), latest_s=HOUR - 1) == ([], NEVER)


@pytest.mark.parametrize("fields", [{"run_s": 0}, {"run_s": 1, "max_pieces": 5}, {"run_s": 1, "restart_s": -1}])
def test_work_out_of_range_is_refused(fields):
    with pytest.raises(ValueError, match="1 to 4 pieces"):
        Work(**fields)
