"""Which marketplace and which key: the environment, then the file `joulemart login` writes, then a local sample market.

A key is sent only to the address it was saved for.
"""

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ConfigError

DEFAULT_URL = "http://127.0.0.1:8000"
ACCOUNTS = ("buyer", "provider", "operator")


@dataclass(frozen=True)
class Settings:
    """An address and, unless anonymous, a key; `source` says where the key came from."""

    url: str
    api_key: str | None = field(repr=False)
    source: str


def login_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The login file under the XDG configuration folder."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".config")
    return Path(base) / "joulemart" / "config.toml"


def sample_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a market started from this checkout leaves its address and sample accounts."""
    if environ.get("DATA_DIR"):
        return Path(environ["DATA_DIR"]) / "sample.json"
    return Path(sys.prefix).parent / "var" / "sample.json"


def resolve(*, account: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. `account` (buyer, provider, operator) asks for that sample account whatever else is set.

    Raises ConfigError naming the file and what is wrong with it.
    """
    if account is not None:
        return _sample_account(account, environ)
    url, key = _clean(environ.get("JOULEMART_URL")), environ.get("JOULEMART_API_KEY")
    saved = [found for found in (_login(environ), _sample(environ, "buyer")) if found is not None]
    if key:
        return Settings(url or (saved[0].url if saved else DEFAULT_URL), key, "JOULEMART_API_KEY")
    for found in saved:
        if url is None or found.url == url:
            return found
    return Settings(url or DEFAULT_URL, None, "no key")


def given_or_resolved(*, url: str | None, api_key: str | None, account: str | None) -> Settings:
    """What the caller gives, completed by `resolve`; a key found elsewhere is never sent to a given `url`."""
    if url is None and api_key is None:
        return resolve(account=account)
    if api_key is None:
        return resolve(environ={**os.environ, "JOULEMART_URL": url or "", "JOULEMART_API_KEY": ""})
    return Settings(_clean(url) or resolve(account=account).url, api_key, "given")


def save_login(*, url: str, api_key: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Write the login file, readable by its owner alone, and return its path."""
    path = login_path(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    # JSON strings of printable text are TOML basic strings.
    text = f"url = {json.dumps(url)}\napi_key = {json.dumps(api_key)}\n"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return temporary.replace(path)


def _clean(url: str | None) -> str | None:
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"the address {url!r} must start with http:// or https://")
    return url.rstrip("/")


def _login(environ: Mapping[str, str]) -> Settings | None:
    path = login_path(environ)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): run `joulemart login` again") from error
    url, key = data.get("url"), data.get("api_key")
    if not isinstance(url, str) or not isinstance(key, str):
        raise ConfigError(f"{path} needs url and api_key: run `joulemart login` again")
    return Settings(_clean(url) or DEFAULT_URL, key, str(path))


def _sample(environ: Mapping[str, str], account: str) -> Settings | None:
    path = sample_path(environ)
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return Settings(_clean(data["url"]) or DEFAULT_URL, data["accounts"][account]["api_key"], str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return None  # another user's market is not ours to sign in to
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__}: {error}): run `make reset`") from error


def _sample_account(account: str, environ: Mapping[str, str]) -> Settings:
    if account not in ACCOUNTS:
        raise ConfigError(f"no sample account {account!r}: use {', '.join(ACCOUNTS)}")
    found = _sample(environ, account)
    if found is None:
        raise ConfigError(f"--as {account} needs a running sample market: {sample_path(environ)} is missing")
    return found
