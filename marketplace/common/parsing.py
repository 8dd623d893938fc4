"""Bodies in: JSON within bounds, then a serializer that takes only the fields it names."""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.parsers import BaseParser

from marketplace.common.errors import FieldProblem, MalformedBody, TooLarge, ValidationFailed

MAX_DEPTH = 20
MAX_BODY_BYTES = 4 * 1024 * 1024
Path = tuple[str, ...]


def parse(
    serializer: type[serializers.BaseSerializer[Any]], data: Any, *, partial: bool = False, **context: Any
) -> dict[str, Any]:
    """The validated fields of `data`; raises ValidationFailed with a JSON pointer for each wrong or unknown field."""
    if not isinstance(data, Mapping):
        raise ValidationFailed([FieldProblem("", "not_an_object", "the body must be a JSON object {…}")])
    form = serializer(data=data, partial=partial, context=context)
    problems = list(_unknown(form, data, ()))
    if not form.is_valid():
        problems += problems_of(form.errors)
    if problems:
        raise ValidationFailed(problems)
    return dict(form.validated_data)


def problems_of(detail: Any, at: Path = ()) -> list[FieldProblem]:
    """REST framework's nested error detail as a flat list with JSON pointers."""
    if isinstance(detail, Mapping):
        return [each for name, inner in detail.items() for each in problems_of(inner, _step(at, str(name)))]
    if not isinstance(detail, list | tuple):
        return [FieldProblem(_pointer(at), _code(detail), str(detail))]
    found: list[FieldProblem] = []
    for index, inner in enumerate(detail):
        deeper = at if isinstance(inner, str) else (*at, str(index))
        found += problems_of(inner, deeper)
    return found


def nearest(name: str, known: Iterator[str] | list[str]) -> str:
    """`did you mean units?` for a misspelt name, else the empty text."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _unknown(form: Any, data: Any, at: Path) -> Iterator[FieldProblem]:
    """A problem for each name in `data` that the serializer `form`, or one nested in it, does not take."""
    if isinstance(form, serializers.ListSerializer) and isinstance(data, list):
        for index, item in enumerate(data):
            yield from _unknown(form.child, item, (*at, str(index)))
    if not isinstance(form, serializers.Serializer) or not isinstance(data, Mapping):
        return
    writable = {name: field for name, field in form.fields.items() if not field.read_only}
    for name, value in data.items():
        if name in writable:
            yield from _unknown(writable[name], value, (*at, str(name)))
        else:
            where = _pointer((*at, str(name)))
            yield FieldProblem(where, "unknown_field", "there is no such field", nearest(str(name), list(writable)))


def _step(at: Path, name: str) -> Path:
    return at if name == "non_field_errors" else (*at, name)


def _pointer(at: Path) -> str:
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in at)


def _code(detail: Any) -> str:
    return str(detail.code) if isinstance(detail, ErrorDetail) else "invalid"


class BoundedJSONParser(BaseParser):
    """JSON of at most 4 MiB, 20 levels deep, without NaN or repeated names."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """The decoded body; raises MalformedBody or TooLarge."""
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge(f"the body exceeds {MAX_BODY_BYTES} bytes", max_bytes=MAX_BODY_BYTES)
        return read_json(raw)


def read_json(raw: bytes) -> Any:
    """Strict, bounded JSON; raises MalformedBody naming line and column."""
    try:
        tree = json.loads(raw.decode(), parse_constant=_no_constant, object_pairs_hook=_once_each)
    except json.JSONDecodeError as error:
        raise MalformedBody(f"the body is no JSON: {error.msg}", line=error.lineno, column=error.colno) from error
    except UnicodeDecodeError as error:
        raise MalformedBody("the body is not UTF-8") from error
    except RecursionError as error:
        raise MalformedBody(f"the body nests more than {MAX_DEPTH} levels") from error
    if _is_deeper(tree, MAX_DEPTH):
        raise MalformedBody(f"the body nests more than {MAX_DEPTH} levels")
    return tree


def _no_constant(name: str) -> Any:
    raise MalformedBody(f"{name} is no JSON number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedBody(f"the name {twice} occurs twice in one object")
    return tree


def _is_deeper(tree: Any, levels: int) -> bool:
    """Whether `tree` nests more than `levels` objects and lists."""
    level = [tree]
    for _ in range(levels + 1):
        level = [inner for each in level for inner in _children(each)]
        if not level:
            return False
    return True


def _children(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return list(tree.values())
    return tree if isinstance(tree, list) else []
