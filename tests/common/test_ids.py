"""Public ids name their kind, ascend with time, and cannot be guessed."""

import re
import time

from marketplace.common.ids import new_id, new_ids

SHAPE = re.compile(r"job_[0-9A-Za-z]{22}\Z")


def test_an_id_is_a_prefix_and_twenty_two_base62_digits():
    assert SHAPE.match(new_id("job"))
    assert all(SHAPE.match(each.decode()) for each in new_ids("job", 50).tolist())


def test_ids_ascend_with_the_millisecond_they_were_made_in(monkeypatch):
    moments = iter([10**15, 10**15 + 61 * 10**6, 10**15 + 62 * 10**6, 10**18, 2 * 10**18])
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))

    made = [new_id("job").encode() for _ in range(3)] + new_ids("job", 3).tolist() + [new_id("job").encode()]

    assert made == sorted(made)


def test_ids_of_one_millisecond_differ_in_eighty_bits(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)

    ids = [each.decode() for each in new_ids("job", 5_000).tolist()]

    assert len({each[:12] for each in ids}) == 1
    assert len(set(ids)) == 5_000
    assert all(len({each[place] for each in ids}) == 62 for place in range(12, 26))
