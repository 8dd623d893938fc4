"""Processes of the supervisor: one that runs, and the child that is started again when it ends."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress

from config.launcher.console import LogFile
from config.launcher.programs import Program

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
FIRST_PAUSE_S, LONGEST_PAUSE_S, SOUND_AFTER_S = 0.3, 15.0, 30.0


class Running:
    """One process and the pipe its lines come through."""

    def __init__(self, program: Program) -> None:
        if program.before:
            program.before()
        self.program = program
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self.pipe = os.fdopen(reading, "rb", buffering=0)
        self.rest = b""
        self.silent = False  # it closed its output
        self.said_ready = program.ready_line is None
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own fixed commands
                program.argv,
                env=dict(program.env),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only the supervisor, which stops all in order
                preexec_fn=self._end_with_the_supervisor,  # noqa: PLW1509 - the supervisor has one thread
            )
        finally:
            os.close(writing)

    def _end_with_the_supervisor(self) -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, int(self.program.stop_signal))

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def ending(self) -> str:
        """`exit 3` or `SIGKILL`, once ended."""
        code = self.process.returncode
        return f"exit {code}" if code >= 0 else signal.Signals(-code).name

    def lines(self) -> Iterable[bytes]:
        """The complete lines written since the last call."""
        while chunk := self._read():
            *whole, self.rest = (self.rest + chunk).split(b"\n")
            for line in whole:
                if self.program.ready_line and self.program.ready_line in line:
                    self.said_ready = True
                yield line

    def last_lines(self) -> Iterable[bytes]:
        """What is left to read of an ended process, an unfinished line too."""
        yield from self.lines()
        if self.rest:
            yield self.rest
            self.rest = b""

    def _read(self) -> bytes | None:
        chunk = self.pipe.read(65536)
        self.silent = chunk == b""
        return chunk

    def ask_to_stop(self) -> None:
        if not self.ended:
            self.process.send_signal(self.program.stop_signal)

    def kill(self) -> None:
        """End it and what is left of its own children: they share its process group."""
        with suppress(ProcessLookupError):  # nothing is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Child:
    """A program, its log, and its process or the pause before the next one."""

    def __init__(self, program: Program, log: LogFile) -> None:
        self.program = program
        self.log = log
        self.running: Running | None = None
        self.failures = 0
        self.started = 0.0
        self.start_at = 0.0

    @property
    def pid(self) -> int | None:
        return self.running.process.pid if self.running else None

    def spawn(self) -> Running:
        self.started = time.monotonic()
        self.running = Running(self.program)
        return self.running

    def is_ready(self) -> bool:
        up = self.running is not None and not self.running.ended and self.running.said_ready
        return up and (self.program.ready is None or self.program.ready())

    def is_due(self) -> bool:
        return self.running is None and time.monotonic() >= self.start_at

    def pause(self) -> float:
        """Wait before the next start, twice as long after each quick end, up to a bound; the seconds to wait."""
        now = time.monotonic()
        self.failures = 1 if now - self.started > SOUND_AFTER_S else self.failures + 1
        seconds = float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self.failures - 1)))
        self.running, self.start_at = None, now + seconds
        return seconds
