"""JSON to the frozen objects of `objects.py`, guided by their type hints. Unknown fields are kept in `raw` only."""

import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import UnexpectedAnswer

T = TypeVar("T")


def decode(kind: type[T], data: object, *, transport: object = None) -> T:
    """`data` as a `kind`. A bare id stands for an object with only its id.

    `raw` receives the JSON as it came; `transport` goes to every object that has such a field.
    Raises UnexpectedAnswer naming the field that is missing or of another type.
    """
    hints = _hints(cast(Hashable, kind))
    if isinstance(data, str) and "id" in hints:
        data = {"id": data}
    if not isinstance(data, Mapping):
        raise UnexpectedAnswer(f"expected {kind.__name__} as an object, the answer has {type(data).__name__}")
    own = {"raw": data, "transport": transport}
    values: dict[str, Any] = {}
    for spec in fields(cast(Any, kind)):
        if spec.name in own:
            values[spec.name] = own[spec.name]
        elif data.get(spec.name) is not None:
            values[spec.name] = _value(hints[spec.name], data[spec.name], f"{kind.__name__}.{spec.name}", transport)
        elif not _has_default(spec):
            raise UnexpectedAnswer(f"the answer's {kind.__name__} lacks {spec.name}")
    return kind(**values)


def as_moment(text: str) -> datetime:
    """An RFC 3339 time with its offset; raises ValueError without one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_default(spec: Field[Any]) -> bool:
    return spec.default is not MISSING or spec.default_factory is not MISSING


def _value(hint: Any, value: object, where: str, transport: object) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
        return _value(hint, value, where, transport)
    if origin is tuple:
        return _sequence(get_args(hint)[0], value, where, transport)
    if hint is datetime:
        return _moment(value, where)
    if is_dataclass(hint):
        return decode(cast(type, hint), value, transport=transport)
    return value


def _sequence(hint: Any, value: object, where: str, transport: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"{where} should be a list, the answer has {type(value).__name__}")
    return tuple(_value(hint, entry, where, transport) for entry in value)


def _moment(value: object, where: str) -> datetime:
    try:
        return as_moment(str(value))
    except ValueError as error:
        raise UnexpectedAnswer(f"{where} should be a time with offset, the answer has {value!r}") from error
