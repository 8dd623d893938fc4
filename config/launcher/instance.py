"""An instance in a process of its own, for tests and scripts: start it, ask who runs in it, stop it.

with Instance(data_dir=tmp_path / "data", port=free_port_pair()) as instance:
    os.kill(instance.pid_of("worker"), signal.SIGKILL)
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from config.launcher.folders import CHECKOUT, DataFolder
from config.launcher.product import sample

POLL_S = 0.1
BELOW_EPHEMERAL = range(16_384, 32_766)  # Linux gives out 32768 and up; other systems 49152 and up
SERVICES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")  # what names services beside the embedded ones


class NotInTime(Exception):
    """Something an instance was expected to do did not happen; the text ends with its last lines."""


def free_port_pair() -> int:
    """A port that is free together with the next one.

    Below the range from which the kernel takes ports for whoever asks for any: between the choice and the moment
    the product listens, no outgoing connection can take it.
    """
    while True:
        port = secrets.choice(BELOW_EPHEMERAL)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


class Instance:
    """`command` is `run` (the whole product) or `services` with its options. `prefix` stands before the command.

    It starts its own database and Valkey: the addresses of others count only when `env` names them.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        port: int,
        command: tuple[str, ...] = ("run",),
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.folder = DataFolder(data_dir)
        self.port = port
        self.argv = (*prefix, sys.executable, "-m", "config.launcher", *command)
        inherited = {name: value for name, value in os.environ.items() if name not in SERVICES}
        self.env = {**inherited, **(env or {}), "DATA_DIR": str(data_dir), "PORT": str(port)}
        self.cwd = CHECKOUT
        self.process: subprocess.Popen[bytes] | None = None
        self.output = data_dir.with_name(f"{data_dir.name}.console")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sample(self) -> dict[str, Any]:
        """What sample.json says: accounts with passwords and keys."""
        return sample(self.folder.sample)

    def start(self, *, within_s: float = 180.0) -> Self:
        """Start it and wait until it is ready. Raises NotInTime."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                self.argv, cwd=self.cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            self.wait_for(self.is_ready, "ready", within_s=within_s)
        except NotInTime:
            self.stop()
            raise
        return self

    def is_ready(self) -> bool:
        """Whether this very process said so; a status file may be of one that was killed."""
        status = self.status()
        return bool(self.process and status.get("supervisor") == self.process.pid and status["ready"])

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = 30.0) -> int:
        """Ask for an orderly stop and wait; the exit status. Kills what does not stop and raises NotInTime."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise NotInTime(f"the instance did not stop in {within_s:.0f} s\n{self.last_lines()}") from None

    def wait_for(self, happened: Callable[[], bool], what: str, *, within_s: float = 60.0) -> None:
        """Until `happened()`; raises NotInTime when it does not, or when the instance ends first."""
        deadline = time.monotonic() + within_s
        while not happened():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise NotInTime(f"{what}: not {'before it ended' if ended else 'in time'}\n{self.last_lines()}")
            time.sleep(POLL_S)

    def status(self) -> dict[str, Any]:
        """processes.json; empty while there is none."""
        try:
            found: dict[str, Any] = json.loads(self.folder.status.read_text())
        except FileNotFoundError:
            return {}
        return found

    def pid_of(self, name: str) -> int:
        """The pid of a program that runs now. Raises KeyError when it does not."""
        pid = self.status().get("processes", {}).get(name)
        if not pid:
            raise KeyError(name)
        return int(pid)

    def kill(self, name: str, *, within_s: float = 60.0) -> int:
        """SIGKILL a program and wait until the supervisor has started it again; its new pid."""
        old = self.pid_of(name)
        os.kill(old, signal.SIGKILL)
        self.wait_for(
            lambda: self.status().get("processes", {}).get(name) not in {None, old}, f"{name} again", within_s=within_s
        )
        return self.pid_of(name)

    def last_lines(self, count: int = 30) -> str:
        """The end of what it printed."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-count:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()
