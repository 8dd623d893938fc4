"""One loop that starts programs, shows their lines, restarts what dies and stops everything in order.

Single-threaded on purpose: a child asks the kernel to end it when this process dies, and the kernel ties that promise
to the thread that forked it.
"""

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType

from config.launcher.children import Child, Running
from config.launcher.console import Console, LogFile
from config.launcher.folders import DataFolder
from config.launcher.programs import Program
from config.launcher.trouble import Trouble

TURN_S = 0.1
TRIES_AT_START = 3  # a program that ends this often before all is ready will not come up by itself


class StopAsked(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


class Supervisor:
    """Runs the programs of one data folder until it is asked to stop."""

    def __init__(self, folder: DataFolder, console: Console) -> None:
        self.folder = folder
        self.console = console
        self.children: list[Child] = []
        self.stops = 0
        self.ready = False
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)
        self.selector.register(self.wake_read, selectors.EVENT_READ)

    def watch_signals(self) -> None:
        """From here on Ctrl-C and SIGTERM ask for an orderly stop, and a child's end wakes the loop."""
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_asked)

    def _stop_asked(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def start(self, programs: Iterable[Program]) -> None:
        """Start all at once; `wait_until_ready` says when they can be used."""
        for program in programs:
            child = Child(program, LogFile(self.folder.logs, program.name))
            self.children.append(child)
            self._spawn(child)

    def wait_until_ready(self, *, within_s: float) -> None:
        """Until every program says it is ready. Raises Trouble naming the log of one that does not."""
        deadline = time.monotonic() + within_s
        waiting = list(self.children)
        while waiting := [child for child in waiting if not child.is_ready()]:
            late = time.monotonic() > deadline
            for child in waiting:
                if late or child.failures >= TRIES_AT_START:
                    what = f"is not ready after {within_s:.0f} seconds" if late else "ends as soon as it starts"
                    raise Trouble(
                        f"The program {child.program.name} {what}.",
                        mend=f"read the end of {child.log.path}, mend what it says and start again",
                    )
            self.turn()

    def run_to_end(self, program: Program) -> None:
        """Run a short program, its lines shown like all others. Raises Trouble when it fails."""
        child = Child(program, LogFile(self.folder.logs, program.name))
        running = child.spawn()
        self._listen(child, running)
        try:
            while not running.ended:
                self.turn()
        finally:
            running.kill()
            self._close(child, running)
            child.log.close()
        if running.process.returncode:
            raise Trouble(
                f"The step {program.name} failed ({running.ending}).",
                mend=f"its lines above, also in {child.log.path}, say why; mend that and start again",
            )

    def watch(self) -> None:
        """Show lines and restart what dies, until a stop is asked for."""
        self.ready = True
        self.write_status()
        while True:
            self.turn()

    def turn(self) -> None:
        """One round of the loop. Raises StopAsked when a stop was asked for."""
        self._look()
        if self.stops:
            raise StopAsked
        for child in self.children:
            if child.running and child.running.ended:
                self._bury(child, child.running)
            elif child.is_due():
                self._spawn(child)

    def _look(self) -> None:
        for key, _events in self.selector.select(TURN_S):
            if key.data:
                self._hear(*key.data)
            else:
                os.read(self.wake_read, 4096)

    def _hear(self, child: Child, running: Running) -> None:
        self._show(child, running.lines())
        if running.silent:
            self.selector.unregister(running.pipe)

    def _show(self, child: Child, lines: Iterable[bytes]) -> None:
        for line in lines:
            child.log.write(line)
            if line.strip() and not any(mark in line for mark in child.program.chatter):
                self.console.line(child.program.name, line.decode(errors="replace").rstrip())

    def _spawn(self, child: Child) -> None:
        self._listen(child, child.spawn())
        self.write_status()

    def _listen(self, child: Child, running: Running) -> None:
        self.selector.register(running.pipe, selectors.EVENT_READ, (child, running))

    def _close(self, child: Child, running: Running) -> None:
        self._show(child, running.last_lines())
        if running.pipe in self.selector.get_map():
            self.selector.unregister(running.pipe)
        running.pipe.close()

    def _bury(self, child: Child, running: Running) -> None:
        running.kill()
        self._close(child, running)
        pause = child.pause()
        self.console.say(f"{child.program.name} ended ({running.ending}); it starts again in {pause:.1f} s")
        self.write_status()

    def stop(self) -> None:
        """Stop all, the last rank first; what does not end in its time is killed. Another Ctrl-C kills at once."""
        self.stops = 0
        for rank in sorted({child.program.rank for child in self.children}, reverse=True):
            self._stop_together([child for child in self.children if child.program.rank == rank])
        for child in self.children:
            child.log.close()
        self.children = []
        self.folder.status.unlink(missing_ok=True)

    def _stop_together(self, children: list[Child]) -> None:
        group = [(child, child.running) for child in children if child.running]
        for _child, running in group:
            running.ask_to_stop()
        asked = time.monotonic()
        while late := [running for _child, running in group if not running.ended]:
            for running in late:
                if self.stops or time.monotonic() - asked > running.program.grace_s:
                    self.console.say(f"{running.program.name} did not stop in time and is killed")
                    running.kill()
            self._look()
        for child, running in group:
            running.kill()
            self._close(child, running)
            child.running = None

    def write_status(self) -> None:
        """DATA_DIR/processes.json: who runs as which pid, and whether all is ready."""
        facts = {
            "supervisor": os.getpid(),
            "ready": self.ready,
            "processes": {child.program.name: child.pid for child in self.children},
        }
        fresh = self.folder.status.with_suffix(".new")
        fresh.write_text(json.dumps(facts, indent=2) + "\n")
        fresh.replace(self.folder.status)


def run_until_stopped(supervisor: Supervisor, work: Callable[[], None]) -> None:
    """Do `work` under the supervisor and stop everything after it, however it ends."""
    supervisor.watch_signals()
    try:
        work()
    except StopAsked:
        supervisor.console.say("stopping; press Ctrl-C again to stop at once")
    finally:
        supervisor.stop()
        supervisor.console.say("stopped")
