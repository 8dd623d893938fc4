"""Files and functions stay small enough to read in one go."""

from tests.architecture.source import functions, tracked, where

MOST_LINES = 400
MOST_FUNCTION_LINES = 40


def test_no_file_is_longer_than_400_lines():
    long = {str(path): count for path in tracked() if (count := len(path.read_text().splitlines())) > MOST_LINES}
    assert long == {}


def test_no_function_is_longer_than_40_lines():
    long = [
        (where(path, node), node.name, length)
        for path in tracked()
        for node in functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    ]
    assert long == []


def test_modules_are_named_for_what_they_do():
    vague = {"utils", "helpers", "misc", "common_utils", "tools"}
    assert [path for path in tracked() if path.stem in vague] == []
