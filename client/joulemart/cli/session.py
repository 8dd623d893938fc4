"""What every command shares: the common options, the client, output, questions, and errors turned into exit codes."""

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from inspect import Parameter
from itertools import islice
from typing import Annotated, Any, TypeVar

import httpx
import typer
from rich.console import Console

from ..client import Client
from ..errors import JoulemartError
from ..objects import Record
from .exits import USAGE, as_problem, describe, exit_code, is_plain
from .filters import filter_parameters, take_filters
from .tables import Column, as_csv, as_json, as_table

R = TypeVar("R", bound=Record)
PAGE_LIMIT = 100
SIGNED = re.compile(r"(/files/)[^/?]+$")  # whoever has a signed link can use it


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Account(StrEnum):
    """The accounts of a sample market."""

    BUYER = "buyer"
    PROVIDER = "provider"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Common:
    """The options of every command."""

    json: bool
    output: Format
    quiet: bool
    yes: bool
    explain: bool
    account: Account | None
    dry_run: bool = False


_PANEL = "Common options"
_COMMON: dict[str, tuple[Any, Any]] = {
    "json": (bool, typer.Option("--json", help="Write JSON.", rich_help_panel=_PANEL)),
    "output": (Format, typer.Option("--output", help="How to write results.", rich_help_panel=_PANEL)),
    "quiet": (bool, typer.Option("--quiet", "-q", help="Write ids only, no progress.", rich_help_panel=_PANEL)),
    "yes": (bool, typer.Option("--yes", "-y", help="Do not ask before a write.", rich_help_panel=_PANEL)),
    "explain": (bool, typer.Option("--explain", help="Print each HTTP call, key masked.", rich_help_panel=_PANEL)),
    "account": (
        Account | None,
        typer.Option("--as", help="Act as this account of the sample market.", rich_help_panel=_PANEL),
    ),
    "dry_run": (bool, typer.Option("--dry-run", help="Check everything, change nothing.", rich_help_panel=_PANEL)),
}
_DEFAULTS: dict[str, Any] = {"output": Format.TABLE, "account": None}


class Session:
    """One run of a command."""

    def __init__(self, options: Common) -> None:
        self.options = options
        self.format = Format.JSON if options.json else options.output
        self.now = datetime.now(UTC)
        self.file: str | None = None
        self.progress = Console(stderr=True, highlight=False, no_color=is_plain(sys.stderr.isatty()) or None)
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The client, made on first use. Raises ConfigError."""
        if self._client is None:
            self._client = Client(
                account=self.options.account,
                on_call=self._show_call if self.options.explain else None,
            )
        return self._client

    def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            self._client.close()

    @property
    def shows_progress(self) -> bool:
        """Whether a person watches: spinners and bars go to the terminal of the error stream only."""
        return not self.options.quiet and not is_plain(sys.stderr.isatty())

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """A spinner while something takes long."""
        if not self.shows_progress:
            yield
            return
        with self.progress.status(text):
            yield

    def say(self, text: str) -> None:
        """A line of the result."""
        typer.echo(text)

    def note(self, text: str) -> None:
        """A remark beside the result; goes to the error stream."""
        if not self.options.quiet:
            typer.echo(text, err=True)

    @property
    def asks(self) -> bool:
        """Whether a person will be asked before a write."""
        return not self.options.yes and sys.stdin.isatty()

    def confirm(self, question: str) -> None:
        """Ask before a write. `--yes` and `--dry-run` answer; without a terminal one of them is needed."""
        if self.options.yes or self.options.dry_run:
            return
        if not sys.stdin.isatty():
            typer.echo(
                "confirmation_needed  there is no terminal to ask on: add --yes to do it, or --dry-run to only check it"
                f"  [exit {USAGE}]",
                err=True,
            )
            raise typer.Exit(USAGE)
        typer.confirm(question, abort=True, err=True)

    def would(self, deed: str, item: Record) -> None:
        """The answer to `--dry-run` where the marketplace has none: the object as it is, and what would be done."""
        self.show_one(item, [f"would {deed}; nothing was changed"], [Column("id", lambda found: found.raw.get("id"))])

    def show_one(self, item: R, lines: Sequence[str], columns: Sequence[Column[R]], *, name: str = "") -> None:
        """One object: its lines, its JSON, its row, or only its id."""
        if self.options.quiet:
            self.say(name or str(item.raw.get("id", "")))
        elif self.format is Format.JSON:
            self.say(as_json(item.raw))
        elif self.format is Format.CSV:
            self.say(as_csv(columns, [item]))
        else:
            self.say("\n".join(lines))

    def show_list(self, pager: Iterable[R], columns: Sequence[Column[R]], *, limit: int, empty: str) -> None:
        """Up to `limit` objects of a list, fetched page by page."""
        with self.working("reading"):
            items = list(islice(pager, limit))
        if self.options.quiet:
            shown = "\n".join(str(item.raw.get("id", "")) for item in items)
        elif self.format is Format.JSON:
            shown = as_json({"object": "list", "data": [item.raw for item in items]})
        elif self.format is Format.CSV:
            shown = as_csv(columns, items)
        else:
            shown = "\n".join(as_table(columns, items))
        if shown:
            self.say(shown)
        elif not items:
            self.note(empty)

    def fail(self, error: JoulemartError) -> int:
        """Write an error and return its exit code."""
        if self.format is Format.JSON:
            typer.echo(as_json(as_problem(error)), err=True)
        else:
            typer.echo("\n".join(describe(error, file=self.file)), err=True)
        return exit_code(error)

    def _show_call(self, request: httpx.Request) -> None:
        typer.echo(as_curl(request), err=True)


def as_curl(request: httpx.Request) -> str:
    """A call as a curl line to read or repeat; the key, and the token of a signed link, are masked."""
    words = ["curl", "-X", request.method, SIGNED.sub(r"\1****", str(request.url))]
    for name, value in request.headers.items():
        if name == "authorization":
            words += ["-H", f"Authorization: {masked(value)}"]
        elif name in ("idempotency-key", "if-match", "prefer"):
            words += ["-H", f"{name.title()}: {value}"]
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        words += ["-H", "Content-Type: application/json", "-d", request.content.decode()]
    elif kind.startswith("multipart/"):
        words += ["-F", "file=@…"]
    return shlex.join(words)


def masked(authorization: str) -> str:
    """`Bearer jm_test_****`: enough to know which key, nothing to use."""
    scheme, _, key = authorization.partition(" ")
    kind = next((prefix for prefix in ("jm_test_", "jm_live_") if key.startswith(prefix)), "")
    return f"{scheme} {kind}****"


Action = Callable[..., None]


def command(app: typer.Typer, name: str, *, writes: bool = False) -> Callable[[Action], Action]:
    """Register a function as a command. Its `session` and, if it has one, `filters` arguments become options."""

    def register(action: Action) -> Action:
        own = inspect.signature(action, eval_str=True).parameters
        has_filters = "filters" in own

        def run(context: typer.Context, **given: Any) -> None:
            taken = {field.name: given.pop(field.name) for field in fields(Common) if field.name in given}
            # `--as` may also stand before the command's name.
            taken["account"] = taken["account"] or context.find_root().obj
            session = Session(Common(**taken))
            if has_filters:
                given["filters"] = take_filters(given)
            try:
                action(session, **given)
            except JoulemartError as error:
                raise typer.Exit(session.fail(error)) from error
            finally:
                session.close()

        _dress(run, action, _parameters(own, has_filters=has_filters, writes=writes))
        app.command(name)(run)
        return action

    return register


def _parameters(own: Any, *, has_filters: bool, writes: bool) -> list[Parameter]:
    kept = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY)
        for name, parameter in own.items()
        if name not in ("session", "filters")
    ]
    common = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=_DEFAULTS.get(name, False),
            annotation=Annotated[kind, option],
        )
        for name, (kind, option) in _COMMON.items()
        if writes or name != "dry_run"
    ]
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return [context] + kept + (filter_parameters() if has_filters else []) + common


def _dress(run: Action, action: Action, parameters: list[Parameter]) -> None:
    """Give `run` the name, help and signature that the command line is built from."""
    run.__name__ = action.__name__
    run.__doc__ = action.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
