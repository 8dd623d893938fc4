"""A second thread for many short pieces of work: what it finds comes back in turn, and its failure is told."""

import pytest

from scheduler.core.compiled import Aside


def test_what_is_found_comes_back_piece_by_piece():
    with Aside() as aside:
        found = []
        for number in range(5):
            aside.begin(lambda number=number: number * number)
            found.append(aside.end())

    assert found == [0, 1, 4, 9, 16]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_fails_is_an_error_of_whoever_waits_for_it():
    with pytest.raises(RuntimeError, match="second thread failed"), Aside() as aside:
        aside.begin(lambda: 1 // 0)
        aside.end()
