"""The data folder of one instance: what lies where, and the addresses of the services inside it."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.launcher.trouble import Trouble

CHECKOUT = Path(__file__).resolve().parents[2]
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 90  # the kernel takes 107 bytes; PostgreSQL adds ".lock" to the name
NOBODY = 65534
OWNER, APPLICATION = "joulemart", "jm_app"  # roles of the embedded database: who owns its tables, who serves


@dataclass(frozen=True)
class DataFolder:
    """Everything one instance keeps: databases, sockets, logs, secrets, files."""

    root: Path

    @classmethod
    def from_environment(cls) -> "DataFolder":
        """DATA_DIR, else `var/` of the checkout; always absolute."""
        given = os.environ.get("DATA_DIR", "").strip()
        return cls(Path(given).expanduser().resolve() if given else CHECKOUT / "var")

    @property
    def runtime(self) -> Path:
        """Where the sockets are: inside the data folder, or under /tmp when that path would be too long for one."""
        near = self.root / "run"
        if len(os.fsencode(near / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return near
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path("/tmp") / f"joulemart-{os.getuid()}-{name}"  # noqa: S108 - private: made with mode 700 and checked

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.runtime / "valkey.sock"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def sample(self) -> Path:
        return self.root / "sample.json"

    @property
    def lock(self) -> Path:
        return self.root / "launcher.lock"

    @property
    def status(self) -> Path:
        return self.root / "processes.json"

    def agent_state(self, number: int) -> Path:
        return self.root / "agents" / str(number)

    @property
    def database_url(self) -> str:
        """The embedded database as the application reaches it."""
        return self._address_for(APPLICATION)

    @property
    def owner_url(self) -> str:
        """The embedded database as the owner of its tables reaches it: for migrations, development and tests."""
        return self._address_for(OWNER)

    def _address_for(self, role: str) -> str:
        """libpq's form: the socket folder stands percent-encoded in place of the host."""
        return f"postgresql://{role}@{quote(str(self.runtime), safe='')}/joulemart"

    @property
    def redis_url(self) -> str:
        return f"unix://{quote(str(self.valkey_socket))}"

    def make(self) -> None:
        """Create what is missing. Raises Trouble when the folder cannot be written or the socket folder is not ours."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self.runtime.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise self._unwritable("Permission denied")
        self._refuse_foreign_runtime()

    def _unwritable(self, reason: str) -> Trouble:
        return Trouble(
            f"The data folder {self.root} cannot be written: {reason}.",
            mend="give this user the folder (chown), or choose another: DATA_DIR=/some/folder make run",
        )

    def _refuse_foreign_runtime(self) -> None:
        facts = self.runtime.lstat()
        owners = {os.getuid(), NOBODY} if os.getuid() == 0 else {os.getuid()}
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid in owners and not facts.st_mode & 0o077:
            return
        raise Trouble(
            f"The socket folder {self.runtime} is not private to this user, so others could reach the database.",
            mend=f"remove it (rm -r {self.runtime}) or make it yours: chown $(id -u) and chmod 700",
        )
