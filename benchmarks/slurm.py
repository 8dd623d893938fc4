"""How fast Slurm's controller (Debian's `slurm-wlm`) decides on the same counts of jobs and nodes.

Nodes are in state CLOUD with a resume program that does nothing, so the controller allocates them and no machine is
needed: each offer is a node with its units as cores and its accelerator as a feature, each job asks for its units on
one node, its run time and its accelerator. Jobs are submitted while the partition is down; then it comes up, and
`seconds` runs until the controller reports the last allocation it makes. `seconds_scheduler` is what its own statistics
(sdiag) count inside its scheduling cycles. What Slurm does not know is left out: prices, shares, latency, start
windows, later starts. So it answers an easier question, and its plan has no utility here.
"""

import getpass
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scheduler.core.types import Ask, Snapshot

PROGRAMS = ("slurmctld", "sbatch", "squeue", "scontrol", "sdiag", "munged")
PATIENCE_S, SETTLED_S, POLL_S = 60.0, 6.0, 0.05
NEVER_FITS = ("Requested node configuration is not available", "Invalid feature specification")
CONF = """\
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}
SlurmctldPidFile={folder}/slurmctld.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
SwitchType=switch/none
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=defer,{depth}
MaxJobCount=100000
SuspendProgram={true}
ResumeProgram={true}
SuspendTime=36000
ResumeTimeout=36000
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=DOWN
"""
DEPTH = (
    "default_queue_depth=100000,partition_job_depth=100000,max_sched_time=60,"
    "bf_max_job_test=100000,bf_continue,bf_interval=2,bf_max_time=60"
)


def version() -> str | None:
    """The controller's version; None where it is not installed."""
    if any(_program(name) is None for name in PROGRAMS):
        return None
    return subprocess.run((str(_program("slurmctld")), "-V"), capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def measure(snapshot: Snapshot) -> dict[str, Any]:
    """Seconds, jobs allocated, and submissions answered per second; or why nothing was measured."""
    if version() is None:
        return {"left_out": "slurm-wlm is not installed"}
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, _controller(snapshot, Path(folder)):
        begun = time.perf_counter()
        with ThreadPoolExecutor(4) as threads:
            refused = list(threads.map(_submit, snapshot.asks)).count(False)
        answered = time.perf_counter() - begun
        _call("sdiag", "--reset")
        begun = time.perf_counter()
        _call("scontrol", "update", "partitionname=all", "state=UP")
        seconds, placed = _wait_until_settled(begun)
        inside = _inside(_call("sdiag"))
    return {
        "seconds": seconds, "placed": placed, "utility": None, "seconds_scheduler": inside,
        "refused": refused, "submissions_per_second": len(snapshot.asks) / answered,
    }  # fmt: skip


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _call(name: str, *arguments: str) -> str:
    command = (str(_program(name)), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def _submit(ask: Ask) -> bool:
    """Whether the controller accepts it: not when no node could ever hold it."""
    wanted = ask.limits.get("accelerator")
    feature = [f"--constraint={wanted[0]}"] if isinstance(wanted, tuple) else []
    minutes = str(-(-ask.run_s // 60))
    size = ("--nodes=1", f"--ntasks={ask.units}", f"--time={minutes}")
    command = (str(_program("sbatch")), *size, *feature, "--chdir=/tmp", "--output=/dev/null", "--wrap=true")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode and not any(reason in done.stderr for reason in NEVER_FITS):
        raise RuntimeError(done.stderr)
    return done.returncode == 0


@contextmanager
def _controller(snapshot: Snapshot, folder: Path) -> Iterator[None]:
    """A controller that answers, with the offers of `snapshot` as its nodes."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    folder.chmod(0o755)
    conf = folder / "slurm.conf"
    conf.write_text(_conf(snapshot, folder))
    os.environ["SLURM_CONF"] = str(conf)
    munge = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "key-file", "pid-file", "log-file")]
    daemons = (
        (str(_program("munged")), "--foreground", "--force", *munge, f"--seed-file={folder}/munge.seed"),
        (str(_program("slurmctld")), "-D", "-f", str(conf)),
    )
    running = []
    try:
        for daemon in daemons:
            running.append(subprocess.Popen(daemon, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))  # noqa: S603
            time.sleep(1)
        _wait_for_answer()
        yield
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def _conf(snapshot: Snapshot, folder: Path) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = "\n".join(
        f"NodeName={each.id} CPUs={max(each.free)} Sockets=1 CoresPerSocket={max(each.free)} ThreadsPerCore=1"
        f" Feature={each.accelerator} State=CLOUD"
        for each in snapshot.offers
    )
    return CONF.format(
        host=socket.gethostname(), port=port, user=getpass.getuser(), folder=folder, nodes=nodes, depth=DEPTH,
        true=shutil.which("true"),
    )  # fmt: skip


def _wait_for_answer() -> None:
    deadline = time.monotonic() + PATIENCE_S
    while "is UP" not in subprocess.run((str(_program("scontrol")), "ping"), capture_output=True, text=True).stdout:  # noqa: S603, PLW1510
        if time.monotonic() > deadline:
            raise RuntimeError("Slurm's controller did not answer")
        time.sleep(0.2)


def _wait_until_settled(begun: float) -> tuple[float, int]:
    """(seconds since `begun` when the last allocation was seen, jobs allocated by then)."""
    placed, last = 0, begun
    while time.perf_counter() - max(last, begun) < SETTLED_S:
        now = len(_call("squeue", "-h", "-t", "CONFIGURING,RUNNING", "-o", "%i").split())
        if now > placed:
            placed, last = now, time.perf_counter()
        time.sleep(POLL_S)
    return last - begun, placed


def _inside(statistics: str) -> float:
    """Seconds inside the main scheduler's and the backfiller's cycles."""
    totals = re.findall(r"Total cycles:\s+(\d+)\s+Mean cycle:\s+(\d+)", statistics)
    return sum(int(cycles) * int(mean) for cycles, mean in totals) / 10**6
