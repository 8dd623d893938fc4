"""Text to tree: YAML 1.2 core (and JSON) with a position for every value, and limits no file can get around.

PyYAML's scanner and parser give the events; the tree is built here, because YAML 1.1 would read `no` as false and
`010` as eight, keep the last of two equal keys in silence and unfold aliases without end.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from scheduler.jobfile.problems import INVALID, MOST_PROBLEMS, JobFileInvalid, Problem, pointer_to

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_ALIASES = 50
MAX_VALUES = 20_000  # keys and values after aliases are unfolded; a file of 256 kB can hold far more than a job needs
MAX_UNFOLDED = 2 * MAX_BYTES  # characters after aliases are unfolded
INT_LIMIT = 2**63  # the database's bigint

Position = tuple[int, int]

# Plain scalars of the YAML 1.2 core schema (section 10.3.2); whatever matches none of them is text.
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL's jsonb takes neither NUL nor half a surrogate pair


@dataclass(frozen=True)
class Source:
    """A tree of plain JSON values, the positions and spelling of its values, and what was wrong but readable."""

    tree: Any
    keys: dict[str, Position] = field(default_factory=dict)
    values: dict[str, Position] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def position(self, pointer: str, *, of_key: bool = False) -> tuple[int | None, int | None]:
        """Line and column of a value (or of its key), else of the nearest enclosing value that has one."""
        if of_key and pointer in self.keys:
            return self.keys[pointer]
        while True:
            if pointer in self.values:
                return self.values[pointer]
            if not pointer:
                return None, None
            pointer = pointer.rpartition("/")[0]


@dataclass
class _Node:
    """One value before aliases are unfolded; `count`, `size` and `height` are those after unfolding."""

    position: Position
    content: Any  # a scalar, a list of nodes, or a list of (key, key position, node)
    kind: str
    spelling: str | None = None
    count: int = 1
    size: int = 1
    height: int = 0


class _Fatal(Exception):
    """Nothing after this can be read."""

    def __init__(self, detail: str, position: Position | None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = position


def load_yaml(text: str) -> Source:
    """The tree of one YAML document; raises JobFileInvalid where it cannot be read to the end."""
    builder = _Builder(text)
    try:
        _check_size(text)
        root = builder.document()
    except _Fatal as fatal:
        line, column = fatal.position or (None, None)
        last = Problem("", INVALID, fatal.detail, None, line, column)
        raise JobFileInvalid([*builder.problems, last]) from fatal
    return _unfold(root, tuple(builder.problems))


def load_json(text: str) -> Source | None:
    """The tree of a JSON text, without positions; None when the text is not JSON (YAML may still read it)."""
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                duplicates.append(key)
            found.setdefault(key, value)
        return found

    if len(text) > MAX_BYTES:
        return None
    try:
        tree = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return None
    twice = [Problem("", INVALID, f"the key {_short(key)} stands twice in one object") for key in duplicates]
    return load_tree(tree, tuple(twice))


def load_tree(tree: Any, problems: tuple[Problem, ...] = ()) -> Source:
    """A checked copy of a tree that came as JSON; raises JobFileInvalid for what JSON or the limits do not allow."""
    copier = _Copier()
    try:
        copy = copier.copy(tree, "", 0)
    except _Fatal as fatal:
        raise JobFileInvalid([*problems, *copier.problems, Problem("", INVALID, fatal.detail)]) from fatal
    return Source(tree=copy, problems=(*problems, *copier.problems))


def _check_size(text: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _Fatal(f"the file is larger than {MAX_BYTES // 1024} kB", None)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "…")


class _Builder:
    """Builds nodes from PyYAML's events; recursion is bounded by MAX_DEPTH."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._anchors: dict[str, _Node | None] = {}
        self._aliases = 0
        self._count = 0
        self._events: Iterator[Any] = iter(())

    def document(self) -> _Node:
        self._events = _events(self._text)
        next(self._events)  # stream start
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise _Fatal("the file is empty", (1, 1))
        root = self._node(next(self._events), "")
        next(self._events)  # document end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Fatal("the file holds more than one document; a job is one document", _position(after))
        return root

    def _node(self, event: Any, pointer: str) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, pointer)
        self._count += 1
        if self._count > MAX_VALUES:  # at once, not after reading all the rest
            raise _Fatal(f"the file holds more than {MAX_VALUES} values", _position(event))
        if event.tag is not None:
            said = "tags such as !!str are not accepted; quote the value to make it text"
            self._flag(pointer, said, _position(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._scalar(event, pointer) if isinstance(event, yaml.ScalarEvent) else self._collection(event, pointer)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, pointer: str) -> _Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _Fatal(f"the file has more than {MAX_ALIASES} aliases", _position(event))
        if event.anchor not in self._anchors:
            raise _Fatal(f"*{event.anchor} names no anchor above it", _position(event))
        node = self._anchors[event.anchor]
        if node is None:
            raise _Fatal(f"*{event.anchor} stands inside its own anchor", _position(event))
        if pointer.count("/") + node.height > MAX_DEPTH:
            raise _Fatal(f"the file is nested deeper than {MAX_DEPTH}", _position(event))
        return node

    def _scalar(self, event: Any, pointer: str) -> _Node:
        position = _position(event)
        text: str = event.value
        if _UNSTORABLE.search(text):
            self._flag(pointer, "text must not hold NUL or half a surrogate pair", position)
            text = _UNSTORABLE.sub("", text)
        if not event.implicit[0]:
            return _Node(position, text, "scalar", size=1 + len(text))
        value, fault = _resolve(text)
        if fault:
            self._flag(pointer, fault, position)
        spelling = None if isinstance(value, str) else text
        return _Node(position, value, "scalar", spelling, size=1 + len(text))

    def _collection(self, event: Any, pointer: str) -> _Node:
        position = _position(event)
        if pointer.count("/") >= MAX_DEPTH:
            raise _Fatal(f"the file is nested deeper than {MAX_DEPTH}", position)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        content, children = self._items(pointer) if is_list else self._entries(pointer)
        node = _Node(position, content, "list" if is_list else "map")
        node.count += sum(child.count for child in children)
        node.size += sum(child.size for child in children)
        if not is_list:
            node.size += sum(len(key) for key, _, _ in content)
        node.height = 1 + max((child.height for child in children), default=0)
        if node.count > MAX_VALUES:
            raise _Fatal(f"the file holds more than {MAX_VALUES} values", position)
        if node.size > MAX_UNFOLDED:
            raise _Fatal(f"the file unfolds to more than {MAX_UNFOLDED // 1024} kB", position)
        return node

    def _items(self, pointer: str) -> tuple[Any, list[_Node]]:
        items: list[_Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, pointer_to(pointer, len(items))))
        return items, items

    def _entries(self, pointer: str) -> tuple[Any, list[_Node]]:
        entries: dict[str, tuple[str, Position, _Node]] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, position = self._key(event, pointer), _position(event)
            node = self._node(next(self._events), pointer_to(pointer, key))
            if key in entries:
                said = f"the key {_short(key)} stands twice; the first is at line {entries[key][1][0]}"
                self._flag(pointer_to(pointer, key), said, position)
            else:
                entries[key] = (key, position, node)
        return list(entries.values()), [node for _, _, node in entries.values()]

    def _key(self, event: Any, pointer: str) -> str:
        """The key as text: JSON knows no other, so `4090: 1` has the key "4090"."""
        node = self._node(event, pointer_to(pointer, ""))
        if node.kind != "scalar":
            raise _Fatal("a key must be text, not a list or a mapping", _position(event))
        return node.content if isinstance(node.content, str) else node.spelling or ""

    def _flag(self, pointer: str, detail: str, position: Position) -> None:
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Fatal(f"the file has more than {MOST_PROBLEMS} problems", position)
        self.problems.append(Problem(pointer, INVALID, detail, None, *position))


def _events(text: str) -> Iterator[Any]:
    """PyYAML's events; whatever its reader, scanner or parser objects to ends them with a position."""
    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            yield loader.get_event()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = (before.count("\n") + 1, error.position - before.rfind("\n"))
        raise _Fatal("the file holds a character that YAML does not allow", position) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise _Fatal(f"YAML syntax: {said}", (mark.line + 1, mark.column + 1) if mark else None) from error
    except (ValueError, OverflowError) as error:  # an escape beyond Unicode, a version of 5,000 digits
        mark = loader.get_mark()
        raise _Fatal("YAML syntax: found a number out of range", (mark.line + 1, mark.column + 1)) from error


def _position(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _resolve(text: str) -> tuple[Any, str | None]:
    """The value of a plain scalar under the core schema, and what is wrong with it."""
    if _NOT_FINITE.match(text):
        return None, "numbers must be finite"
    for pattern, convert in _CORE:
        if pattern.match(text):
            return convert(text)
    return text, None


def _whole(base: int) -> Callable[[str], tuple[Any, str | None]]:
    def convert(text: str) -> tuple[Any, str | None]:
        if len(text) > 64 or abs(value := int(text, base)) >= INT_LIMIT:
            return None, "the whole number is too large"
        return value, None

    return convert


def _decimal(text: str) -> tuple[Any, str | None]:
    value = float(text)
    return (None, "the number is too large") if value in (float("inf"), float("-inf")) else (value, None)


_CORE: tuple[tuple[re.Pattern[str], Callable[[str], tuple[Any, str | None]]], ...] = (
    (_NULL, lambda text: (None, None)),
    (_TRUE, lambda text: (True, None)),
    (_FALSE, lambda text: (False, None)),
    (_INT, _whole(10)),
    (_OCTAL, _whole(0)),
    (_HEX, _whole(0)),
    (_FLOAT, _decimal),
)


def _unfold(root: _Node, problems: tuple[Problem, ...]) -> Source:
    source = Source(tree=None, problems=problems)

    def plain(node: _Node, pointer: str) -> Any:
        source.values[pointer] = node.position
        if node.spelling is not None:
            source.spelling[pointer] = node.spelling
        if node.kind == "list":
            return [plain(item, pointer_to(pointer, index)) for index, item in enumerate(node.content)]
        if node.kind == "map":
            return {key: entry(key, position, item, pointer) for key, position, item in node.content}
        return node.content

    def entry(key: str, position: Position, node: _Node, parent: str) -> Any:
        pointer = pointer_to(parent, key)
        source.keys[pointer] = position
        return plain(node, pointer)

    tree = plain(root, "")
    return Source(tree, source.keys, source.values, source.spelling, problems)


class _Copier:
    """Copies a JSON tree under the same limits as a YAML file."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._count = 0
        self._size = 0

    def copy(self, value: Any, pointer: str, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _Fatal(f"the file holds more than {MAX_VALUES} values", None)
        if isinstance(value, (dict, list)):
            if depth >= MAX_DEPTH:
                raise _Fatal(f"the file is nested deeper than {MAX_DEPTH}", None)
            return self._collection(value, pointer, depth + 1)
        return self._text(value, pointer) if isinstance(value, str) else self._scalar(value, pointer)

    def _collection(self, value: Any, pointer: str, depth: int) -> Any:
        if isinstance(value, list):
            return [self.copy(item, pointer_to(pointer, index), depth) for index, item in enumerate(value)]
        copied = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise _Fatal("keys must be text", None)
            name = self._text(key, pointer)
            copied[name] = self.copy(item, pointer_to(pointer, name), depth)
        return copied

    def _text(self, text: str, pointer: str) -> str:
        self._size += len(text)
        if self._size > MAX_BYTES:
            raise _Fatal(f"the file is larger than {MAX_BYTES // 1024} kB", None)
        if _UNSTORABLE.search(text):
            self.problems.append(Problem(pointer, INVALID, "text must not hold NUL or half a surrogate pair"))
            return _UNSTORABLE.sub("", text)
        return text

    def _scalar(self, value: Any, pointer: str) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and abs(value) < INT_LIMIT:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        known = isinstance(value, (int, float))
        detail = "the number is too large or not finite" if known else "must be a JSON value"
        self.problems.append(Problem(pointer, INVALID, detail))
        return None
