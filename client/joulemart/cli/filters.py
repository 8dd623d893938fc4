"""Filter flags: the query names of the API without their comparison, money in major units."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from inspect import Parameter
from typing import Annotated, Any

import typer

from ..calls import rfc3339
from .figures import minor_units


class Filters(dict[str, Any]):
    """Filters of one search by their query names. As a command's argument it stands for all filter flags."""


def moment(text: str) -> str:
    """A time as RFC 3339 UTC; without an offset it is local. Raises ValueError."""
    try:
        return rfc3339(datetime.fromisoformat(text).astimezone())
    except ValueError:
        raise ValueError(f"{text!r} is not a time like 2026-11-24T10:00+08:00") from None


def _money(text: str, currency: str) -> int:
    return minor_units(text, currency)


def _moment(text: str, currency: str) -> str:
    return moment(text)


@dataclass(frozen=True)
class Flag:
    """One filter flag. `read` turns its text into the query's value where the type alone does not."""

    query: str
    help: str
    kind: type = str
    many: bool = False
    read: Callable[[str, str], object] | None = None

    @property
    def name(self) -> str:
        """The flag's name in Python."""
        return self.query.removesuffix("__gte").removesuffix("__lte")

    def parameter(self) -> Parameter:
        """The command's parameter."""
        option = typer.Option(f"--{self.name.replace('_', '-')}", help=self.help, rich_help_panel="Filters")
        kind: Any = list[self.kind] if self.many else self.kind | None  # type: ignore[name-defined]
        return Parameter(self.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


FLAGS = (
    Flag("q", "words to look for"),
    Flag("accelerator", "accelerator model, e.g. H100; repeat for any of several", many=True),
    Flag("units", "units needed in every hour", int),
    Flag("hours", "hours needed, 1-168", float),
    Flag("memory_gb__gte", "memory of a unit, at least GB", float),
    Flag("interconnect", "e.g. nvlink", many=True),
    Flag("start__gte", "not before, e.g. 2026-11-24T10:00+08:00", read=_moment),
    Flag("finish__lte", "not after", read=_moment),
    Flag("near", "a place's slug or lat,lon"),
    Flag("latency_ms__lte", "at most, ms from --near", float),
    Flag("turnaround_s__lte", "orbital: at most, seconds", int),
    Flag("residency", "country, e.g. CN", many=True),
    Flag("region", "region", many=True),
    Flag("kind", "datacenter, edge or orbital", many=True),
    Flag("site", "site id", many=True),
    Flag("provider", "provider id", many=True),
    Flag("currency", "e.g. USD"),
    Flag("price__lte", "all-in per unit-hour, at most, e.g. 1.64", read=_money),
    Flag("price_pflop__lte", "all-in per PFLOP-hour, at most", read=_money),
    Flag("total__lte", "all-in total, at most", read=_money),
    Flag("renewable_share__gte", "renewable share, at least, 0-1", float),
    Flag("matched_share__gte", "share that can be promised, at least, 0-1", float),
    Flag("carbon_free_share__gte", "carbon-free share, at least, 0-1", float),
    Flag("carbon_g_per_kwh__lte", "carbon intensity, at most, g/kWh", float),
    Flag("energy_source", "e.g. solar", many=True),
    Flag("temporal_resolution", "hour, day, month or year: at least as fine"),
    Flag("evidence", "declared, documents, metered or audited: at least"),
    Flag("term", "on_demand, reserved or bank", many=True),
    Flag("tier", "firm or interruptible", many=True),
    Flag("notice_s__gte", "notice before an end, at least, seconds", int),
    Flag("boot_s__lte", "start-up, at most, seconds", int),
    Flag("reliability__gte", "at least, 0-1", float),
    Flag("free__gte", "free units, at least", int),
    Flag("rating", "attribute:value; repeat: all must hold", many=True),
    Flag("assurance", "of ratings, at least"),
    Flag("w_price", "weight of price", int),
    Flag("w_latency", "weight of latency", int),
    Flag("w_green", "weight of renewable share", int),
)
BY_NAME = {flag.name: flag for flag in FLAGS}


def filter_parameters() -> list[Parameter]:
    """The parameters of all filter flags."""
    return [flag.parameter() for flag in FLAGS]


def take_filters(given: dict[str, Any]) -> Filters:
    """Move the filter flags out of a command's arguments. Raises typer.BadParameter naming the flag."""
    texts = {flag: given.pop(flag.name) for flag in FLAGS}
    currency = texts[BY_NAME["currency"]] or "USD"
    return Filters(
        {flag.query: _read(flag, value, currency) for flag, value in texts.items() if value not in (None, [])}
    )


def _read(flag: Flag, value: Any, currency: str) -> object:
    if flag.read is None:
        return int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        return flag.read(value, currency)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"--{flag.name.replace('_', '-')}") from error


def limits_of(pairs: list[str], currency: str) -> Mapping[str, Any]:
    """`price=1.64 latency-ms=40 region=none` as limits by query name; `none` drops one. Raises typer.BadParameter.

    A flag's name takes what the flag takes; any other name goes to the marketplace with its value as it is.
    """
    limits: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{pair!r} is not LIMIT=VALUE, e.g. latency-ms=40", param_hint="LIMIT=VALUE")
        flag = BY_NAME.get(name.removeprefix("--").replace("-", "_"))
        limits[flag.query if flag else name] = None if text in ("", "none") else _limit_value(flag, text, currency)
    return limits


def _limit_value(flag: Flag | None, text: str, currency: str) -> object:
    if flag is not None and flag.read is not None:
        return _read(flag, text, currency)
    if flag is not None and flag.kind is str:
        return text.split(",") if flag.many else text
    return _number(text)


def _number(text: str) -> object:
    """`text` as a whole number or a fraction where it is one."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
