"""The programs of `make run` beside the database and Valkey: what each is told and how it shows that it is ready."""

import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.launcher.folders import DataFolder
from config.launcher.programs import Program
from config.launcher.trouble import Trouble
from config.regions import BY_FAMILY, read_groups, shard_names

SAMPLE_MARKET = {
    "LEASE_SECONDS": "10",
    "HEARTBEAT_SECONDS": "2",
    "SWEEP_SECONDS": "2",
    "REQUIRE_OPERATOR_MFA": "false",  # the sample operator has no second factor; a notice says so
}
SAMPLE_AGENT_UNITS = "64"  # these agents stand in for every sample site, whose units are not this machine's
AGENT_KEEPS = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
SERVERS, WORKERS, AGENTS = 1, 2, 3  # ranks: started in this order, stopped in the other


@dataclass(frozen=True)
class Address:
    """Where one instance listens: pages and API on `port`, event streams on the next."""

    host: str
    port: int

    @classmethod
    def from_environment(cls) -> "Address":
        """HOST and PORT, else 127.0.0.1:8000. Raises Trouble for what is no port."""
        given = os.environ.get("PORT", "").strip() or "8000"
        if not (given.isascii() and given.isdigit() and 1 <= int(given) <= 65534):
            raise Trouble(f"PORT is {given!r}, which is no port.", mend="PORT=8010 make run (1 to 65534)", status=2)
        return cls(os.environ.get("HOST", "").strip() or "127.0.0.1", int(given))

    @property
    def local_host(self) -> str:
        """The name this machine itself uses: a wildcard address is no destination."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound

    @property
    def web_url(self) -> str:
        return f"http://{bracketed(self.local_host)}:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"http://{bracketed(self.local_host)}:{self.port + 1}"

    def refuse_taken_ports(self) -> None:
        """Raises Trouble when another program listens on one of the two ports, or the host is not ours."""
        for port in (self.port, self.port + 1):
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host, port))
                except OSError as error:
                    raise Trouble(
                        f"{self.host}:{port} cannot be used: {error.strerror}.",
                        mend=f"stop the program that listens there, or choose another: PORT={self.port + 10} make run",
                    ) from error


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def answers_health(host: str, port: int) -> Callable[[], bool]:
    """A question: does GET /health on this port answer 200?"""

    def ask() -> bool:
        server = http.client.HTTPConnection(host, port, timeout=2)
        try:
            server.request("GET", "/health", headers={"Host": f"{bracketed(host)}:{port}"})
            return server.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            server.close()

    return ask


@dataclass(frozen=True)
class Product:
    """One instance: its data, its address, and the addresses of its services."""

    folder: DataFolder
    address: Address
    database_url: str
    owner_url: str
    redis_url: str

    @classmethod
    def from_environment(cls, folder: DataFolder, address: Address) -> "Product":
        """The services that the environment names, else the embedded ones of `folder`."""
        given = os.environ.get("DATABASE_URL", "")
        return cls(
            folder=folder,
            address=address,
            database_url=given or folder.database_url,
            owner_url=os.environ.get("DATABASE_OWNER_URL") or given or folder.owner_url,
            redis_url=os.environ.get("REDIS_URL") or folder.redis_url,
        )

    @property
    def env(self) -> dict[str, str]:
        """The environment of our own programs; what the person set wins over the sample market's intervals.

        None but the set-up is told how the owner of the tables is reached.
        """
        given = {name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"}
        return {
            "WEB_URL": self.address.web_url,
            "STREAM_URL": self.address.stream_url,
            **SAMPLE_MARKET,
            **given,
            "DATA_DIR": str(self.folder.root),
            "PORT": str(self.address.port),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PYTHONUNBUFFERED": "1",
        }

    def setup(self) -> Program:
        """Migrations, sample market, static files, in one process."""
        env = self.env | {"DATABASE_OWNER_URL": self.owner_url}
        return Program(name="setup", argv=(sys.executable, "manage.py", "prepare"), env=env, rank=SERVERS)

    def servers(self) -> list[Program]:
        """Pages and API; event streams."""
        workers = os.environ.get("WEB_WORKERS", "2")
        web = ("--interface", "wsgi", "--workers", workers, "--blocking-threads", "16", "config.wsgi:application")
        streams = ("--interface", "asginl", "--workers", "1", "config.asgi:application")
        return [
            self._server("web", self.address.port, web),
            self._server("streams", self.address.port + 1, streams),
        ]

    def _server(self, name: str, port: int, options: tuple[str, ...]) -> Program:
        listen = ("--host", self.address.host, "--port", str(port), "--log-level", "warning")
        return Program(
            name=name,
            argv=(sys.executable, "-m", "granian", *listen, "--workers-kill-timeout", "3s", *options),
            env=self.env,
            rank=SERVERS,
            ready=answers_health(self.address.local_host, port),
            chatter=(b"quite high compared to the number of CPU",),  # threads wait for the database, not for a core
        )

    def workers(self) -> list[Program]:
        """The worker, the matchers that place a job as soon as it is submitted, and the schedule that wakes them."""
        celery = (sys.executable, "-m", "celery", "-A", "config", "--quiet")
        quiet = ("--loglevel", "WARNING")
        schedule = self.folder.root / "beat" / "schedule"
        schedule.parent.mkdir(exist_ok=True)
        alone = ("--without-mingle", "--without-gossip")
        # A matcher has its next tasks at hand: while one is acknowledged a stream of small rounds would wait.
        matcher = ("worker", "--concurrency", "1", "--prefetch-multiplier", "4", *alone)
        worker = ("worker", "--concurrency", "2", *alone)
        matchers = {
            name: (*matcher, "--hostname", f"{name}@%h", "--queues", ",".join(queues))
            for name, queues in matcher_queues(self.env).items()
        }
        beat = ("beat", "--schedule", str(schedule), "--pidfile", "")
        env = self.env | {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
        return [
            *(
                Program(
                    name=name,
                    argv=(*celery, *argv, *quiet),
                    env=env,
                    rank=WORKERS,
                    ready_line=b"takes tasks",
                    chatter=(b"Warm shutdown",),
                )
                for name, argv in {"worker": worker, **matchers}.items()
            ),
            Program(name="beat", argv=(*celery, *beat, *quiet), env=self.env, rank=WORKERS),
        ]

    def agents(self) -> list[Program]:
        """The agents of this machine's sample site. They get their own key and no address of database or broker."""
        return [self._agent(number, agent) for number, agent in enumerate(sample(self.folder.sample)["agents"], 1)]

    def _agent(self, number: int, agent: dict[str, str]) -> Program:
        state = self.folder.agent_state(number)
        state.mkdir(parents=True, mode=0o700, exist_ok=True)
        env = {name: value for name, value in os.environ.items() if name in AGENT_KEEPS or "JOULEMART_AGENT_" in name}
        env = {"JOULEMART_AGENT_UNITS": SAMPLE_AGENT_UNITS} | env
        env |= {
            "JOULEMART_URL": self.address.web_url,
            "JOULEMART_AGENT_KEY": agent["key"],
            "JOULEMART_AGENT_NAME": agent["name"],
            "JOULEMART_AGENT_STATE": str(state),
            "PYTHONUNBUFFERED": "1",
        }
        return Program(
            name=f"agent-{number}",
            argv=(sys.executable, "-m", "agent", "run"),
            env=env,
            rank=AGENTS,
            stop_signal=signal.SIGTERM,
            grace_s=8.0,
        )


def matcher_queues(env: Mapping[str, str]) -> dict[str, list[str]]:
    """{matcher: its queues}: the shards dealt out to as many as MATCHERS says, so that one process keeps each shelf.

    Raises Trouble when SHARDS or REGION_GROUPS cannot be read, or there are more matchers than shards.
    """
    try:
        shards = shard_names(read_groups(env.get("SHARDS", BY_FAMILY), env.get("REGION_GROUPS", "")))
    except ValueError as error:
        raise Trouble(f"{error}.", mend="SHARDS=family make run", status=2) from error
    given = env.get("MATCHERS", "").strip() or "1"
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= len(shards)):
        detail = f"MATCHERS is {given!r}: this market has {len(shards)} shards, so 1 to {len(shards)} matchers."
        raise Trouble(detail, mend="MATCHERS=2 make run", status=2)
    count = int(given)
    names = ["matcher", *(f"matcher-{number}" for number in range(2, count + 1))]
    return {name: [f"match.{shard}" for shard in shards[number::count]] for number, name in enumerate(names)}


def sample(path: Path) -> dict[str, Any]:
    """sample.json: addresses, accounts and agents. Raises Trouble when it is not there."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise Trouble(
            f"The sample accounts cannot be read from {path}: {error}.",
            mend="make reset clears the data; make run makes the sample market again",
        ) from error
    return facts


def ready_block(product: Product, show: Callable[[str, int], str]) -> str:
    """What a person needs next: the address, the sample accounts, the first commands. `show` paints text."""
    accounts = sample(product.folder.sample)["accounts"]
    bold, green = 1, 32
    width = max(len(who["email"]) for who in accounts.values())
    rows = [f"    {role:<9} {who['email']:<{width}}  {who['password']}" for role, who in accounts.items()]
    prefix = f"DATA_DIR={product.folder.root} " if os.environ.get("DATA_DIR") else ""
    command = f"{prefix}{Path(sys.prefix) / 'bin' / 'joulemart'}"
    return "\n".join(
        [
            "",
            show(f"  Joulemart is ready:  {product.address.web_url}", green),
            "",
            show("  Sample accounts", bold) + f" (with their API keys in {product.folder.sample})",
            *rows,
            "",
            show("  Try next", bold),
            f"    {command} search",
            f"    {command} submit -f docs/examples/factorize.yaml --yes --wait",
            f"    {product.address.web_url}/api/docs/",
            "",
            f"  Ctrl-C stops everything. The data stays in {product.folder.root}; make reset clears it.",
            "",
            "",
        ]
    )
