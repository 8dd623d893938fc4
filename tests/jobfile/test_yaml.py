"""YAML 1.2 core: what plain words mean, where mistakes stand, and files built to overwhelm a reader."""

import pytest

from scheduler.jobfile import JobFileInvalid, parse
from scheduler.jobfile.problems import MOST_PROBLEMS
from scheduler.jobfile.yaml_source import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, load_tree, load_yaml


def refusal_of(text):
    with pytest.raises(JobFileInvalid) as refusal:
        parse(text)
    return refusal.value.errors


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("nil", "nil"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-11-24", "2026-11-24"),
        ("1e3", 1000.0),
        ("1.10", 1.1),
        (".5", 0.5),
        ("=", "="),
        ('"no"', "no"),
        ("'1'", "1"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text, value):
    read = load_yaml(f"a: {text}\n").tree["a"]

    assert read == value
    assert type(read) is type(value)


def test_merge_keys_are_plain_keys():
    assert load_yaml("{<<: {a: 1}}").tree == {"<<": {"a": 1}}


def test_positions_count_from_one_for_keys_and_values():
    source = load_yaml("a:\n  - b: 1\n    c/d: [x, y]\n")

    assert source.position("/a/0/c~1d", of_key=True) == (3, 5)
    assert source.position("/a/0/c~1d/1") == (3, 14)
    assert source.position("/a/0/c~1d/7") == (3, 10)  # what is missing stands where its list stands


@pytest.mark.parametrize(
    ("text", "pointer", "line", "column"),
    [
        ("run: a\nrun: b\n", "/run", 2, 1),
        ("run: !!str a\n", "/run", 1, 6),
        ("run: !!python/object/apply:os.system [x]\n", "/run", 1, 6),
        ("num_nodes: .inf\n", "/num_nodes", 1, 12),
        ("num_nodes: 99999999999999999999\n", "/num_nodes", 1, 12),
        ("num_nodes: 0x" + "f" * 5000 + "\n", "/num_nodes", 1, 12),
        ("num_nodes: 1e999\n", "/num_nodes", 1, 12),
        ('run: "a\\0b"\n', "/run", 1, 6),
        ('run: "\\ud800"\n', "/run", 1, 6),
    ],
)
def test_what_can_be_read_but_not_meant_is_refused_in_place(text, pointer, line, column):
    assert (pointer, line, column) in [(each.pointer, each.line, each.column) for each in refusal_of(text)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nrun: [a\n", 3),
        ("name: x\n\trun: a\n", 2),
        ("name: x\nrun: 'a\n", 3),
        ("a: b: c\n", 1),
        ('run: "\\U0FFFFFFF"\n', 1),
        ("%YAML " + "9" * 5000 + ".1\n--- a\n", 1),
        ("name: x\nrun: \x07\n", 2),
        ("a: *nowhere\n", 1),
        ("a: &a [*a]\n", 1),
        ("? [a]\n: b\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("", 1),
    ],
)
def test_a_file_that_cannot_be_read_says_on_which_line(text, line):
    (problem,) = refusal_of(text)

    assert problem.line == line


@pytest.mark.parametrize("text", ["a", "[]", "3", "- a\n- b\n"])
def test_a_job_is_a_mapping(text):
    assert any("mapping" in problem.detail for problem in refusal_of(text))


def test_a_billion_laughs_are_refused_before_they_unfold():
    levels = ["a0: &a0 [x, x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 16)]

    assert any("more than" in problem.detail for problem in refusal_of("\n".join(levels)))


def test_one_alias_too_many_is_refused_and_as_many_as_allowed_are_read():
    allowed = "a: &a 1\nb: [" + ", ".join(["*a"] * MAX_ALIASES) + "]\n"

    assert load_yaml(allowed).tree["b"] == [1] * MAX_ALIASES
    with pytest.raises(JobFileInvalid, match=f"more than {MAX_ALIASES} aliases"):
        load_yaml(allowed.replace("]", ", *a]"))


def test_one_level_too_deep_is_refused_and_as_deep_as_allowed_is_read():
    assert load_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH).tree
    for depth in (MAX_DEPTH + 1, MAX_BYTES):
        with pytest.raises(JobFileInvalid, match=f"deeper than {MAX_DEPTH}"):
            load_yaml("[" * depth)


def test_aliases_do_not_hide_depth():
    half = MAX_DEPTH // 2
    folded = "a: &a " + "[" * half + "]" * half + "\nb: " + "[" * half + "*a" + "]" * half

    with pytest.raises(JobFileInvalid, match=f"deeper than {MAX_DEPTH}"):
        load_yaml(folded)


def test_one_byte_too_many_is_refused():
    text = "run: a #"

    load_yaml(text.ljust(MAX_BYTES, "x"))
    with pytest.raises(JobFileInvalid, match="larger than 256 kB"):
        load_yaml(text.ljust(MAX_BYTES + 1, "x"))


def test_json_text_means_what_json_says():
    file = parse('{"name": "\\ud83d\\ude00",\t"run": "true", "config": {"joulemart": {"time_limit_s": 60}}}')

    assert file.name == "\U0001f600"


def test_json_with_one_key_twice_is_refused():
    text = '{"run": "a", "run": "b", "config": {"joulemart": {"time_limit_s": 60}}}'

    assert any("twice" in problem.detail for problem in refusal_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "{" + "a," * 100_000 + "}",
        "[" + "1," * 100_000 + "]",
        "\n".join(f"key{n}: 1" for n in range(9_000)),
        "envs: {" + ", ".join(f"'{n}': 1" for n in range(9_000)) + "}",
    ],
)
def test_a_file_of_mistakes_gets_a_short_answer(text):
    assert 1 <= len(refusal_of(text)) <= MOST_PROBLEMS + 1


def deep(levels):
    tree = []
    for _ in range(levels - 1):
        tree = [tree]
    return tree


def test_a_tree_of_json_has_the_same_limits():
    assert load_tree(deep(MAX_DEPTH)).tree == deep(MAX_DEPTH)
    for tree in (deep(MAX_DEPTH + 1), ["x" * (MAX_BYTES + 1)], [0] * 20_001, {1: "x"}):
        with pytest.raises(JobFileInvalid):
            load_tree(tree)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, "a\x00b", "\ud800", object()])
def test_values_no_database_could_keep_are_named(value):
    (problem,) = load_tree({"a": [value]}).problems

    assert problem.pointer == "/a/0"
