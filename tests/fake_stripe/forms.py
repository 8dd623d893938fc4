"""Bodies and queries in bracket notation: `a[b][0][c]=1` is {"a": {"b": [{"c": "1"}]}}."""

import re
from typing import Any
from urllib.parse import parse_qsl


def read_form(text: str) -> dict[str, Any]:
    """The nested values, all of them texts. Raises ValueError for what is no such form."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        head = re.match(r"[^\[\]]+", name)
        if head is None or not re.fullmatch(r"(\[[^\[\]]*\])*", name[head.end() :]):
            raise ValueError(f"{name!r} is no name")
        path = [head[0], *re.findall(r"\[([^\[\]]*)\]", name)]
        _put(tree, path, value)
    return {name: _with_lists(value) for name, value in tree.items()}


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            raise ValueError(f"{'.'.join(path)} is both a value and a group")
    last = path[-1] or str(len(tree))
    if last in tree:
        raise ValueError(f"{'.'.join(path)} is there twice")
    tree[last] = value


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(each) for name, each in value.items()}
    if list(inner) == [str(index) for index in range(len(inner))]:
        return list(inner.values())
    return inner
