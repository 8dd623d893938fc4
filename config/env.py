"""Where the settings come from: the environment first, then the embedded services under DATA_DIR."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from environs import Env, EnvError

from config.launcher.folders import DataFolder
from config.regions import BY_FAMILY, Groups, read_groups

env = Env()
NEVER_BY_ITSELF = 2**31  # uses after which psycopg prepares a statement that did not ask for it


class BadSetting(EnvError):
    """A variable of the environment that cannot be used; the text names it and the mend."""


def explain(error: EnvError) -> str:
    """One line for a person: what is wrong with which variable, and what to do."""
    line = " ".join(str(error).split())
    return line if isinstance(error, BadSetting) else f"{line} Mend: set it to a fitting value, or unset it."


@contextmanager
def one_line_for_a_bad_setting() -> Iterator[None]:
    """End the process with one line instead of a traceback when a setting is bad."""
    try:
        yield
    except EnvError as error:
        raise SystemExit(explain(error)) from None


def data_dir() -> Path:
    """DATA_DIR, else `var/` of the checkout."""
    return DataFolder.from_environment().root


def secret_key(data_dir: Path) -> str:
    """SECRET_KEY of the environment, else one made once under `data_dir` with mode 600."""
    given: str = env.str("SECRET_KEY", "")
    return given or kept_secret(data_dir / "secrets" / "secret_key")


def receipt_secret(data_dir: Path) -> str:
    """RECEIPT_SECRET of the environment, else one made once under `data_dir`: the key that receipts are signed with."""
    given: str = env.str("RECEIPT_SECRET", "")
    return given or kept_secret(data_dir / "secrets" / "receipt_secret")


def kept_secret(path: Path) -> str:
    """The secret in `path`, made at the first call with mode 600; two processes at once get the same one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            return kept_secret(path)
        finally:
            fresh.unlink()
    return path.read_text().strip()


def database(data_dir: Path) -> dict[str, Any]:
    """Django's database settings of the application: DATABASE_URL, else the embedded PostgreSQL of `data_dir`.

    Unless the address has `options` of its own, nothing is compiled for a query: that takes longer than any of ours.
    Statements are prepared only where they ask for it (`marketplace.common.sending`).
    """
    return _parsed("DATABASE_URL", env.str("DATABASE_URL", "") or DataFolder(data_dir).database_url)


def database_of_owner(data_dir: Path) -> dict[str, Any]:
    """The same database as the owner of its tables reaches it: DATABASE_OWNER_URL, else as `database` without it."""
    given, application = env.str("DATABASE_OWNER_URL", ""), env.str("DATABASE_URL", "")
    found = _parsed("DATABASE_OWNER_URL", given or application or DataFolder(data_dir).owner_url)
    if given and (not application or found["NAME"] != database(data_dir)["NAME"]):
        raise BadSetting(
            'Environment variable "DATABASE_OWNER_URL" names another database than DATABASE_URL. '
            "Mend: set both, with the same host and name; only the role differs."
        )
    return found


def _parsed(variable: str, url: str) -> dict[str, Any]:
    if urlsplit(url).scheme not in {"postgres", "postgresql"}:
        raise BadSetting(
            f'Environment variable "{variable}" must name a PostgreSQL database. '
            "Mend: postgresql://USER:PASSWORD@HOST:5432/NAME, or unset it for the embedded one."
        )
    parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    options = {"options": "-c jit=off", "prepare_threshold": NEVER_BY_ITSELF, **parsed.get("OPTIONS", {})}
    return parsed | {"ATOMIC_REQUESTS": False, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


def redis_url(data_dir: Path) -> str:
    """REDIS_URL, else the embedded Valkey of `data_dir` (`unix://` names a socket)."""
    url: str = env.str("REDIS_URL", "") or DataFolder(data_dir).redis_url
    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise BadSetting(
            'Environment variable "REDIS_URL" must name a Redis or Valkey server. '
            "Mend: redis://HOST:6379/0, or unset it for the embedded one."
        )
    return url


def region_groups() -> Groups:
    """SHARDS and REGION_GROUPS: which countries make a shard of each hardware family; none unless asked for."""
    try:
        return read_groups(env.str("SHARDS", BY_FAMILY), env.str("REGION_GROUPS", ""))
    except ValueError as error:
        mend = "SHARDS=family,region REGION_GROUPS='europe: DE FR; americas: US CA'"
        raise BadSetting(f"{error}. Mend: {mend}.") from None
