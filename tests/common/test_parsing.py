"""Bodies in: bounded JSON, then only the fields that a serializer names."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from marketplace.common.errors import MalformedBody, TooLarge, ValidationFailed
from marketplace.common.parsing import MAX_BODY_BYTES, BoundedJSONParser, parse, read_json


class LineInput(serializers.Serializer):
    units = serializers.IntegerField(min_value=1)


class OrderInput(serializers.Serializer):
    name = serializers.CharField()
    lines = LineInput(many=True)
    where = LineInput(required=False)


def problems(data):
    with pytest.raises(ValidationFailed) as refusal:
        parse(OrderInput, data)
    return [(problem.pointer, problem.code, problem.hint) for problem in refusal.value.problems]


def test_good_data_comes_back_typed():
    assert parse(OrderInput, {"name": "a", "lines": [{"units": "3"}]}) == {"name": "a", "lines": [{"units": 3}]}


def test_every_wrong_field_is_pointed_at():
    assert problems({"lines": [{"units": 1}, {"units": 0}], "where": {}}) == [
        ("/name", "required", ""),
        ("/lines/1/units", "min_value", ""),
        ("/where/units", "required", ""),
    ]


def test_an_unknown_field_is_refused_at_any_depth_with_the_nearest_name():
    found = problems({"name": "a", "lines": [{"units": 1, "unit": 2}], "a/b": 1, "nmae": "b"})

    assert found == [
        ("/lines/0/unit", "unknown_field", "did you mean units?"),
        ("/a~1b", "unknown_field", ""),
        ("/nmae", "unknown_field", "did you mean name?"),
    ]


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_body_that_is_no_object_is_refused(data):
    assert problems(data) == [("", "not_an_object", "")]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"a": 1', "no JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 2}', "occurs twice"),
        (b"\xff", "UTF-8"),
        (b"[" * 22 + b"]" * 22, "20 levels"),
        (b"[" * 100_000, "20 levels"),
    ],
)
def test_what_is_no_honest_json_is_refused(raw, words):
    with pytest.raises(MalformedBody, match=words):
        read_json(raw)


def test_a_syntax_error_names_line_and_column():
    with pytest.raises(MalformedBody) as refusal:
        read_json(b'{"a": 1,\n  b: 2}')

    assert refusal.value.facts == {"line": 2, "column": 3}


def test_twenty_levels_are_read():
    assert read_json(b"[" * 20 + b"]" * 20)


def test_a_body_over_the_bound_is_refused_without_being_read_to_its_end():
    stream = io.BytesIO(b'"' + b"a" * (MAX_BODY_BYTES + 1000) + b'"')

    with pytest.raises(TooLarge):
        BoundedJSONParser().parse(stream)

    assert stream.tell() == MAX_BODY_BYTES + 1


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_plain_json_is_read_as_it_is(tree):
    assert read_json(json.dumps(tree).encode()) == tree
