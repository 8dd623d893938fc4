"""Reads typed values out of a tree and collects every problem, each with its place in the file."""

import difflib
import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from scheduler.jobfile.problems import INVALID, MOST_PROBLEMS, UNSUPPORTED, Problem, ReportLine, pointer_to
from scheduler.jobfile.yaml_source import Source

DROPPED_PLACE = "places are chosen by the matcher; use config.joulemart.region or near"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)?\Z", re.ASCII)
PATH = re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|\Z)).+\Z")


class Reader:
    """One object of the tree at `pointer`; problems and report lines go to the lists shared by all readers."""

    def __init__(
        self, source: Source, pointer: str, value: Any, problems: list[Problem], report: list[ReportLine]
    ) -> None:
        self.source = source
        self.pointer = pointer
        self.problems = problems
        self.report = report
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict) and value is not None:
            self.problem(None, "must be a mapping of keys to values")

    def inside(self, key: str) -> "Reader":
        """The object under `key`; an empty one when it is absent."""
        return Reader(self.source, pointer_to(self.pointer, key), self.value.get(key), self.problems, self.report)

    def problem(
        self, key: str | None, detail: str, hint: str | None = None, *, code: str = INVALID, of_key: bool = False
    ) -> None:
        """Note that the value of `key` (or the key itself; None: this object) cannot be used."""
        pointer = self.pointer if key is None else pointer_to(self.pointer, key)
        line, column = self.source.position(pointer, of_key=of_key)
        self.problems.append(Problem(pointer, code, detail, hint, line, column))

    def allow(
        self, known: Collection[str], *, unsupported: Collection[str] = (), dropped: Collection[str] = ()
    ) -> None:
        """Refuse other keys with the nearest one, refuse the unsupported, report the dropped."""
        for key in self.value:
            if len(self.problems) > MOST_PROBLEMS:
                return
            if key in unsupported:
                self.problem(key, f"{key} is not something this market does", code=UNSUPPORTED, of_key=True)
            elif key in dropped:
                detail = "a run ends by itself" if key == "autostop" else DROPPED_PLACE
                self.report.append(ReportLine(pointer_to(self.pointer, key), "dropped", None, detail))
            elif key not in known:
                near = difflib.get_close_matches(key, known, 1)
                detail = f"did you mean {near[0]}?" if near else f"there is no key {key} here"
                self.problem(key, detail, near[0] if near else None, of_key=True)

    def text(self, key: str, longest: int = 100_000) -> str | None:
        """Text, or None when absent."""
        value = self.value.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            pointer = pointer_to(self.pointer, key)
            self.problem(key, "must be text", f'"{self.source.spelling.get(pointer, value)}"')
            return None
        if len(value) > longest:
            self.problem(key, f"at most {longest} characters")
            return None
        return value

    def money(self, key: str, most: int) -> int | None:
        """An amount in whole minor units, or None when absent; `2.00` gets the 200 that was meant."""
        value = self.value.get(key)
        if isinstance(value, float):
            hint = str(min(max(round(Fraction(str(value)) * 100), 0), most))
            self.problem(key, "must be in whole minor units (cents)", hint)
            return None
        return self.whole(key, 0, most)

    def whole(self, key: str, least: int, most: int) -> int | None:
        """A whole number in [least, most], or None when absent."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            hint = str(min(max(round(value), least), most)) if isinstance(value, float) else str(least)
            self.problem(key, "must be a whole number", hint)
            return None
        if not least <= value <= most:
            self.problem(key, f"must be from {least} to {most}", str(min(max(value, least), most)))
            return None
        return value

    def share(self, key: str) -> float | None:
        """A share in 0..1; a per cent gets the share that was meant."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.problem(key, "must be a share from 0 to 1", "0.8")
            return None
        if not 0 <= value <= 1:
            self.problem(key, "must be a share from 0 to 1", f"{value / 100:g}" if 1 < value <= 100 else "0.8")
            return None
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false; absent is false."""
        value = self.value.get(key, False)
        if not isinstance(value, bool):
            self.problem(key, "must be true or false", "true")
            return False
        return value

    def choice(self, key: str, known: Collection[str]) -> str | None:
        """One of `known`, or None when absent."""
        value = self.value.get(key)
        if value is None:
            return None
        if value not in known:
            near = difflib.get_close_matches(str(value), known, 1)
            self.problem(key, "must be one of " + ", ".join(known), near[0] if near else None)
            return None
        return str(value)

    def words(self, key: str, known: Collection[str] = ()) -> list[str]:
        """A text or a list of texts (each of `known`, if given) as a list."""
        value = self.value.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            self.problem(key, "must be a text or a list of texts")
            return []
        strange = [each for each in listed if known and each not in known]
        if strange:
            self.problem(key, f"{strange[0]} is not one of " + ", ".join(known))
            return []
        return list(listed)

    def texts(self, key: str) -> dict[str, str]:
        """A mapping of names to texts; numbers and booleans become the text they were written as."""
        inner = self.inside(key)
        found = {}
        for name, value in inner.value.items():
            if isinstance(value, (dict, list)) or value is None:
                inner.problem(name, "must be text")
            else:
                pointer = pointer_to(inner.pointer, name)
                found[name] = value if isinstance(value, str) else self.source.spelling.get(pointer, json.dumps(value))
        return found

    def moment(self, key: str) -> datetime | None:
        """An RFC 3339 time with its offset, as aware UTC."""
        value = self.value.get(key)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value.upper()) if RFC_3339.match(value) else None
            if moment is not None and moment.tzinfo is None:
                self.problem(key, "needs an offset from UTC", f"{value}Z")
                return None
            utc = moment.astimezone(UTC) if moment is not None else None
        except (TypeError, ValueError, OverflowError):  # not a text, the 30th of February, before the year 1
            utc = None
        if utc is None:
            self.problem(key, "must be a time such as 2026-11-24T18:00:00+08:00", "2026-11-24T18:00:00Z")
        return utc
