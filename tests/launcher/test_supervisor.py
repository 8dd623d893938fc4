"""How programs are watched: restarted with a growing pause, stopped in order, killed when they will not stop."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.launcher.folders import CHECKOUT
from config.launcher.instance import Instance

DRIVER = """
import json, os, signal, sys
from pathlib import Path
from config.launcher.console import Console
from config.launcher.folders import DataFolder
from config.launcher.programs import Program
from config.launcher.supervisor import Supervisor, run_until_stopped

folder = DataFolder(Path(os.environ["DATA_DIR"]))
folder.make()
programs = [
    Program(name=name, argv=("sh", "-c", script), env=dict(os.environ), rank=rank, grace_s=grace)
    for name, script, rank, grace in json.loads(os.environ["PROGRAMS"])
]
supervisor = Supervisor(folder, Console([program.name for program in programs]))

def work():
    supervisor.start(programs)
    supervisor.watch()

run_until_stopped(supervisor, work)
"""
FOREVER = "while :; do sleep 0.05; done"


def supervise(place: Path, *programs: tuple[str, str, int, float], **env: str) -> Instance:
    """A supervisor of shell scripts: (name, script, rank, grace)."""
    instance = Instance(data_dir=place / "data", port=1, env={"PROGRAMS": json.dumps(programs), **env})
    instance.argv = (sys.executable, "-c", DRIVER)
    return instance


def said(instance: Instance) -> list[str]:
    return instance.output.read_text().splitlines()


def test_a_killed_program_is_started_again_and_said_in_one_line(place: Path) -> None:
    with supervise(place, ("steady", FOREVER, 0, 5), ("other", FOREVER, 0, 5)) as instance:
        untouched = instance.pid_of("other")

        instance.kill("steady")

        assert instance.pid_of("other") == untouched
        told = [line for line in said(instance) if "steady ended" in line]
        assert [line.split("| ")[1] for line in told] == ["steady ended (SIGKILL); it starts again in 0.3 s"]


def test_a_program_that_keeps_dying_is_started_after_longer_and_longer_pauses(place: Path) -> None:
    with supervise(place, ("frail", "exit 3", 0, 5)) as instance:
        instance.wait_for(lambda: len(pauses(instance)) >= 4, "four ends")

        assert pauses(instance)[:4] == ["0.3 s", "0.6 s", "1.2 s", "2.4 s"]


def pauses(instance: Instance) -> list[str]:
    return [line.split(" again in ")[1] for line in said(instance) if "ended (exit 3)" in line]


def test_what_a_killed_program_leaves_behind_is_ended_before_the_next_start(place: Path) -> None:
    note = place / "child"
    before = f'grep -qs "^State:.[^Z]" /proc/$(cat {note} 2>/dev/null)/status && echo "left alive"; '
    script = before + f"( {FOREVER} ) & echo $! > {note}; echo child=$!; wait"
    with supervise(place, ("parent", script, 0, 5)) as instance:
        instance.wait_for(lambda: "child=" in instance.output.read_text(), "the child is named")
        child = int(note.read_text())

        instance.kill("parent")
        instance.wait_for(lambda: instance.output.read_text().count("child=") == 2, "the next one is named")

        assert not is_alive(child)
        assert "left alive" not in instance.output.read_text()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_stop_ends_the_highest_rank_first(place: Path) -> None:
    polite = "trap 'sleep 0.2; echo bye; exit 0' TERM; echo up; " + FOREVER
    programs = [("database", polite, 0, 5), ("web", polite, 1, 5), ("agent", polite, 2, 5)]
    with supervise(place, *programs) as instance:
        instance.wait_for(lambda: instance.output.read_text().count("| up") == 3, "all are up")

        assert instance.stop() == 0

    goodbyes = [line.split()[0] for line in said(instance) if line.endswith("| bye")]
    assert goodbyes == ["agent", "web", "database"]
    assert not instance.folder.status.exists()


def test_a_program_that_ignores_the_stop_is_killed_after_its_grace(place: Path) -> None:
    with supervise(place, ("stubborn", f"trap '' TERM; echo up; {FOREVER}", 0, 0.5)) as instance:
        instance.wait_for(lambda: "| up" in instance.output.read_text(), "it is up")
        pid = instance.pid_of("stubborn")

        assert instance.stop() == 0

    assert "stubborn did not stop in time and is killed" in instance.output.read_text()
    assert not is_alive(pid)


def test_a_second_interrupt_kills_at_once(place: Path) -> None:
    with supervise(place, ("stubborn", f"trap '' TERM; echo up; {FOREVER}", 0, 600)) as instance:
        instance.wait_for(lambda: "| up" in instance.output.read_text(), "it is up")
        assert instance.process
        instance.process.send_signal(signal.SIGINT)
        instance.wait_for(lambda: "stopping; press Ctrl-C again" in instance.output.read_text(), "the first is heard")

        assert instance.stop(signal.SIGINT) == 0

    assert "stubborn did not stop in time and is killed" in instance.output.read_text()


def test_lines_go_to_a_log_per_program_and_the_run_before_is_kept(place: Path) -> None:
    for word in ("first", "second"):
        with supervise(place, ("talker", f"echo {word}; printf unfinished; {FOREVER}", 0, 5)) as instance:
            instance.wait_for(lambda word=word: word in instance.output.read_text(), "it spoke")  # type: ignore[misc]

    logs = instance.folder.logs
    assert (logs / "talker.log").read_text() == "second\nunfinished\n"
    assert (logs / "talker.log.1").read_text() == "first\nunfinished\n"


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(place: Path, env: dict[str, str], coloured: bool) -> None:
    instance = supervise(place, ("talker", f"echo hello; {FOREVER}", 0, 5), **env)
    environment = {name: value for name, value in instance.env.items() if name != "NO_COLOR"} | env
    terminal = subprocess.Popen(
        ["script", "-qefc", f"{sys.executable} -c '{DRIVER}'", str(place / "typescript")],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    shown = place / "typescript"
    instance.wait_for(lambda: shown.exists() and b"hello" in shown.read_bytes(), "it spoke")
    instance.wait_for(lambda: bool(instance.status().get("supervisor")), "its pid is known")
    subprocess.run(["kill", str(instance.status()["supervisor"])], check=True)
    terminal.wait(timeout=20)

    assert (b"\x1b[" in shown.read_bytes()) is coloured
