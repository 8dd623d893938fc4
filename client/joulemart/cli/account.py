"""Commands of the account: login, me, completion."""

import os
import sys
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer re-exports it unmarked

from .. import config
from ..client import Client
from ..objects import Me
from .exits import SIGN_IN, USAGE
from .session import Session, command
from .tables import Column, aligned

app = typer.Typer()

SHELLS = ("bash", "zsh", "fish", "powershell")


@command(app, "login", writes=True)
def login(
    session: Session,
    url: Annotated[str | None, typer.Option(help="Address of the marketplace.")] = None,
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read the API key from standard input.")] = False,
) -> None:
    """Check an API key and remember it with its address, in a file only you can read."""
    address = url or os.environ.get("JOULEMART_URL") or _ask_address(session)
    key = _key(key_stdin)
    with Client(url=address, api_key=key) as client:
        who = client.me()
    where = config.login_path()
    session.confirm(f"Remember this key in {where}?")
    if not session.options.dry_run:
        where = config.save_login(url=client.settings.url, api_key=key)
    session.show_one(who, [*me_lines(who), f"saved in {where}"], _columns(), name=who.email)


@command(app, "me")
def me(session: Session) -> None:
    """Show whose key is in use, its roles and scopes."""
    who = session.client.me()
    source = f"{session.client.settings.url}, key from {session.client.settings.source}"
    session.show_one(who, [*me_lines(who), source], _columns(), name=who.email)


@command(app, "completion")
def completion(
    session: Session,
    shell: Annotated[str, typer.Argument(help="bash, zsh, fish or powershell.")],
) -> None:
    """Print the completion script of a shell, e.g. `joulemart completion bash >> ~/.bashrc`."""
    if shell not in SHELLS:
        raise typer.BadParameter(f"{shell!r} is none of {', '.join(SHELLS)}", param_hint="SHELL")
    script = get_completion_script(prog_name="joulemart", complete_var="_JOULEMART_COMPLETE", shell=shell)
    session.say(script)


def me_lines(who: Me) -> list[str]:
    """Who a key belongs to, for people."""
    facts = [
        ("account", who.email),
        ("organization", who.organization.name or who.organization.id if who.organization else ""),
        ("roles", ", ".join(who.roles)),
        ("scopes", ", ".join(who.key.scopes) if who.key else ""),
    ]
    return aligned([row for row in facts if row[1]], [False, False])


def _columns() -> list[Column[Me]]:
    return [
        Column("email", lambda m: m.email),
        Column("organization", lambda m: m.organization.id if m.organization else None),
        Column("roles", lambda m: " ".join(m.roles)),
        Column("scopes", lambda m: " ".join(m.key.scopes) if m.key else None),
    ]


def _ask_address(session: Session) -> str:
    if not sys.stdin.isatty():
        return config.DEFAULT_URL
    return str(typer.prompt("Address", default=config.DEFAULT_URL, err=True))


def _key(from_stdin: bool) -> str:
    """The key from standard input, the environment, or asked for without echo; ends the command without one."""
    if from_stdin:
        key = sys.stdin.readline().strip()
    elif os.environ.get("JOULEMART_API_KEY"):
        key = os.environ["JOULEMART_API_KEY"]
    elif sys.stdin.isatty():
        key = str(typer.prompt("API key", hide_input=True, err=True)).strip()
    else:
        typer.echo(f"key_missing  pipe the key in with --key-stdin, or set JOULEMART_API_KEY  [exit {USAGE}]", err=True)
        raise typer.Exit(USAGE)
    if not key.isascii() or not key.startswith("jm_"):
        typer.echo(f"key_malformed  an API key starts with jm_test_ or jm_live_  [exit {SIGN_IN}]", err=True)
        raise typer.Exit(SIGN_IN)
    return key
