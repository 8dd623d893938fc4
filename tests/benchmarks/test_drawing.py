import xml.etree.ElementTree as ET

import pytest

from benchmarks.curves import draw_all, lines_of
from benchmarks.drawing import Axis, Line, draw_lines, scale_of, told


def test_a_power_of_ten_takes_the_same_room_everywhere():
    scale = scale_of([1_000, 100_000], 0, 200)

    assert [place for _, place in scale.ticks()] == [0, 100, 200]


@pytest.mark.parametrize(("value", "text"), [(0.0123, "0.0123 s"), (1.5, "1.5 s"), (100_000, "100,000 s")])
def test_numbers_have_three_digits_and_their_unit(value, text):
    assert told(value, "s") == text


def test_a_drawing_names_its_axes_lines_and_values():
    lines = [Line("greedy", "#000", [(1_000, 0.02), (10_000, 0.09)])]
    drawn = ET.fromstring(draw_lines("Time", Axis("jobs", ""), Axis("seconds", "s"), lines))
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]

    assert {"Time", "jobs", "seconds", "0.02 s", "0.09 s  greedy"} <= set(words)


def test_a_size_that_failed_is_kept_out_of_the_drawing(tmp_path):
    good = {"mode": "greedy", "jobs": 1_000, "seconds_total": 0.02, "peak_mb": 250}
    failed = {"mode": "greedy", "jobs": 10_000, "failed": "MemoryError"}

    draw_all([good, failed], tmp_path)

    assert lines_of([good, failed], "seconds_total")[0].points == [(1_000.0, 0.02)]


def test_nothing_measured_is_not_drawn():
    with pytest.raises(ValueError, match="nothing was measured"):
        draw_lines("Time", Axis("jobs", ""), Axis("seconds", "s"), [])
