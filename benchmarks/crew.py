"""Real Celery workers on shards of their own market, for measurements and for attacks.

`python -m benchmarks.crew QUEUES` is such a worker: one process of the pool under its parent, as `make run` starts a
matcher; with `--attack` one of benchmarks/contended.py. The market has four groups of regions, named after the process
that measures, so that no worker of a running product takes their tasks.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

COUNTRIES = ("DE FR ES", "IT PL SE", "NO FI IE", "NL PT CZ")  # of benchmarks.rows.REGIONS
FAMILY = "accelerator"
READY_WITHIN_S = 90


def prefix() -> str:
    """What the names of this run's groups begin with."""
    return os.environ.setdefault("BENCHMARK_PREFIX", f"bench{os.getpid()}")


def groups() -> list[str]:
    """The groups of regions that have offers."""
    return [f"{prefix()}-{number}" for number in range(1, len(COUNTRIES) + 1)]


def shard(group: str) -> str:
    """The name of a group's shard."""
    return f"{FAMILY}.{group}"


def queue(group: str) -> str:
    """The Celery queue of a group's shard."""
    return f"match.{shard(group)}"


def split_the_market() -> None:
    """Let the settings split families into these groups; before they are read."""
    mapping = "; ".join(f"{group}: {countries}" for group, countries in zip(groups(), COUNTRIES, strict=True))
    os.environ |= {"SHARDS": "family,region", "REGION_GROUPS": mapping}


class Worker:
    """A worker of some queues, in a process group of its own."""

    def __init__(self, queues: Sequence[str], options: Sequence[str] = ()) -> None:
        self.queues, self.options = list(queues), options
        self.start()

    def start(self) -> None:
        """Start the process; `ready` is set once it takes tasks."""
        self.ready = threading.Event()
        argv = (sys.executable, "-m", "benchmarks.crew", ",".join(self.queues), *self.options)
        self.process = subprocess.Popen(  # noqa: S603
            argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        threading.Thread(target=self._listen, args=[self.process, self.ready], daemon=True).start()

    @staticmethod
    def _listen(process: "subprocess.Popen[bytes]", ready: threading.Event) -> None:
        for line in process.stdout or ():
            if b"takes tasks" in line:
                ready.set()

    def wait_until_ready(self) -> None:
        """Raises RuntimeError when it takes no tasks in time."""
        until = time.monotonic() + READY_WITHIN_S
        while not self.ready.wait(0.1):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"a worker of {self.queues} took no tasks (exit status {self.process.poll()})")

    def kill_the_pool(self) -> bool:
        """SIGKILL to the process that works; its parent lives and makes another. False: there is none just now."""
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except FileNotFoundError:
            return False
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        return bool(children)

    def kill(self) -> None:
        """SIGKILL to parent and pool at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cpu_seconds(self) -> float:
        """What parent and pool have used so far."""
        pids = [str(self.process.pid)]
        pids += Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text().split()
        ticks = 0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> int:
        """The most memory that a process of it has held."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        peaks = [
            int(line.split()[1])
            for pid in pids
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM:")
        ]
        return max(peaks, default=0) // 1024


class Crew:
    """Some workers that take tasks, until the end of the block; then nothing of them is left, in the broker neither."""

    def __init__(self, queues: Sequence[Sequence[str]], options: Sequence[str] = ()) -> None:
        self.queues, self.options = queues, options
        self.workers: list[Worker] = []

    def __enter__(self) -> "Crew":
        self.workers = [Worker(each, self.options) for each in self.queues]
        try:
            for worker in self.workers:
                worker.wait_until_ready()
        except RuntimeError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        from django.conf import settings  # noqa: PLC0415

        broker: Any = redis.Redis.from_url(settings.REDIS_URL)
        broker.delete(rest_queue(), *(name for each in self.queues for name in each))


def rest_queue() -> str:
    """The queue of all other tasks (reasons of big rounds), which nobody takes here."""
    return f"{prefix()}.rest"


def work(queues: str, *, attack: bool) -> None:
    """Be a worker of `queues`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django  # noqa: PLC0415

    django.setup()
    from config.celery import app  # noqa: PLC0415

    if attack:
        from benchmarks import contended  # noqa: PLC0415

        contended.prepare(app)
    app.conf.task_default_queue = rest_queue()
    name = f"{prefix()}-{os.getpid()}-{random.getrandbits(16)}@%h"  # a name, not a secret
    app.worker_main(
        ["worker", "--concurrency=1", "--queues", queues, "--hostname", name, "--without-gossip", "--without-mingle"]
    )


if __name__ == "__main__":
    work(sys.argv[1], attack="--attack" in sys.argv)
