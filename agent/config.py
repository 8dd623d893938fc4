"""Settings of the agent: a TOML file, then the environment, then the command line; the later one wins."""

import os
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Runtime = Literal["auto", "bwrap", "unshare", "none"]
OnStop = Literal["end", "keep"]

ENVIRONMENT = {
    "url": "JOULEMART_URL",
    "key": "JOULEMART_AGENT_KEY",
    "name": "JOULEMART_AGENT_NAME",
    "state": "JOULEMART_AGENT_STATE",
    "units": "JOULEMART_AGENT_UNITS",
    "engine": "JOULEMART_AGENT_ENGINE",
    "runtime": "JOULEMART_AGENT_RUNTIME",
    "trusted": "JOULEMART_AGENT_TRUSTED",
    "work_uid_base": "JOULEMART_AGENT_WORK_UID_BASE",
    "on_stop": "JOULEMART_AGENT_ON_STOP",
    "allow_http": "JOULEMART_AGENT_ALLOW_HTTP",
}
PLACES = (Path("~/.config/joulemart/agent.toml"), Path("/etc/joulemart/agent.toml"))
MOST_AT_ONCE = 256  # attempts of one agent, and so uids of its own


class ConfigInvalid(Exception):
    """A setting is missing or wrong; the message names it and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How this agent runs.

    `state` is its own folder (keys, SQLite, work folders). `units` is how much of the site's capacity this machine
    carries. Work of an agent started by root gets the uid `work_uid_base` + slot. `on_stop` says what a polite stop
    does with running work: `end` hands it back to the marketplace, `keep` leaves it to the next start of the agent
    (systemd must then stop the agent alone: KillMode=process).
    """

    url: str
    key: str
    name: str
    state: Path
    units: int
    engine: str = "process"
    runtime: Runtime = "auto"
    trusted: bool = False
    work_uid_base: int = 20_000
    on_stop: OnStop = "end"
    allow_http: bool = False


def load(
    *, file: Path | None = None, given: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """Read the settings; `given` are those of the command line. Raises ConfigInvalid."""
    env = os.environ if environ is None else environ
    raw = _from_file(file)
    raw |= {key: env[name] for key, name in ENVIRONMENT.items() if env.get(name)}
    raw |= {key: value for key, value in (given or {}).items() if value is not None}
    return _checked(raw)


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is not None and not file.is_file():
        raise ConfigInvalid(f"config: {file} is not there; give the path of a TOML file")
    found = file or next((place.expanduser() for place in PLACES if place.expanduser().is_file()), None)
    if found is None:
        return {}
    try:
        table = tomllib.loads(found.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"config: {found} is not valid TOML: {error}") from error
    unknown = sorted(set(table) - set(ENVIRONMENT))
    if unknown:
        raise ConfigInvalid(f"{unknown[0]}: unknown setting in {found}; known are {', '.join(sorted(ENVIRONMENT))}")
    return table


def _checked(raw: dict[str, Any]) -> Config:
    state = Path(str(raw.get("state") or "~/.local/state/joulemart-agent")).expanduser().absolute()
    runtime: Runtime = _choice(raw, "runtime", "auto", ("auto", "bwrap", "unshare", "none"))
    on_stop: OnStop = _choice(raw, "on_stop", "end", ("end", "keep"))
    trusted = _flag(raw, "trusted")
    if runtime == "none" and not trusted:
        raise ConfigInvalid(
            "runtime: none runs work without a sandbox; set trusted = true as well if you trust every buyer, "
            "else choose auto"
        )
    return Config(
        url=_url(raw, allow_http=_flag(raw, "allow_http")),
        key=_text(raw, "key", "make an agent key on the site's page"),
        name=_text(raw, "name", 'call this machine something, such as name = "rack-1"'),
        state=state,
        units=_number(raw, "units", default=os.cpu_count() or 1, least=1, most=100_000),
        engine=_choice(raw, "engine", "process", ("process",)),
        runtime=runtime,
        trusted=trusted,
        work_uid_base=_number(raw, "work_uid_base", default=_uid_base_of(state), least=1_000, most=4_000_000_000),
        on_stop=on_stop,
        allow_http=_flag(raw, "allow_http"),
    )


def _uid_base_of(state: Path) -> int:
    """A block of uids of this state folder alone, so that two agents on one machine share none (20000 to 58399)."""
    return 20_000 + MOST_AT_ONCE * (zlib.crc32(str(state).encode()) % 150)


def _text(raw: dict[str, Any], key: str, mend: str) -> str:
    value = str(raw.get(key) or "").strip()
    if not value:
        raise ConfigInvalid(f"{key}: missing; {mend}, then set {key} in the file or {ENVIRONMENT[key]}")
    return value


def _url(raw: dict[str, Any], *, allow_http: bool) -> str:
    url = _text(raw, "url", "it is the address of the marketplace").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigInvalid(f"url: {url!r} is no web address; write it as https://market.example")
    if parts.scheme == "http" and not (allow_http or parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise ConfigInvalid(
            "url: plain http would show the key to the network; use https, or set allow_http = true on a private one"
        )
    return url


def _number(raw: dict[str, Any], key: str, *, default: int, least: int, most: int) -> int:
    value = raw.get(key, default)
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise ConfigInvalid(f"{key}: {value!r} is not a whole number") from error
    if not least <= number <= most:
        raise ConfigInvalid(f"{key}: {number} is outside {least} to {most}")
    return number


def _choice(raw: dict[str, Any], key: str, default: str, choices: tuple[str, ...]) -> Any:
    value = raw.get(key, default)
    if value not in choices:
        raise ConfigInvalid(f"{key}: {value!r} is not known; choose {' or '.join(choices)}")
    return value


def _flag(raw: dict[str, Any], key: str) -> bool:
    value = raw.get(key, False)
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"1", "true", "yes", "on"}:
        return True
    if str(value).lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ConfigInvalid(f"{key}: {value!r} is neither true nor false")
