"""One attempt in the hands of the agent: inputs, work, log, outputs, and an end that is told until it is heard."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

from agent import metering, transfer
from agent.clock import boot_seconds
from agent.engines.base import Engine, EngineFailed
from agent.heart import PART_OF_LEASE, Heart
from agent.logship import LogShip
from agent.outcome import Outcome, cancelled, not_started, of_stand
from agent.protocol import Backoff, Fenced, KeyRefused, Market, Refused, Unreachable
from agent.state import Held, State, StateFailed
from agent.wire import Cancel, Kept, Reason, Usage

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

_LOOK_EVERY_S = 0.1
_TRIES = 8
_SHUTDOWN_GRACE_S = 2.0
_SHUTDOWN_PATIENCE_S = 4.0
_MESSAGE_LENGTH = 400


class _LeftToNextStart(Exception):
    """The agent ends now; the attempt stays in its state, and the next start goes on with it."""


class Attempt:
    """Carries one lease to its end. `on_over` is called with it when the agent is done with the lease."""

    def __init__(
        self, *, held: Held, market: Market, engine: Engine, state: State, on_over: Callable[["Attempt"], None]
    ) -> None:
        self.held = held
        self.lease = held.lease
        fresh = engine.poll(held.lease.id).phase == "absent"
        until = boot_seconds() + held.lease.lease_s * PART_OF_LEASE if fresh else None
        self.heart = Heart(market=market, engine=engine, lease=held.lease, until=until, sign=self._signed)
        self._market = market
        self._engine = engine
        self._state = state
        self._on_over = on_over
        self._ship = LogShip(market=market, engine=engine, lease=held.lease)
        self._closing: Literal["end", "keep"] | None = None
        self._give_up_at: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"attempt {held.lease.id}", daemon=True)

    def start(self) -> None:
        """Carry the attempt to its end, in a thread of its own."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def close(self, how: Literal["end", "keep"]) -> None:
        """The agent shuts down: hand the work back (`end`) or leave it running for the next start (`keep`)."""
        self._give_up_at = boot_seconds() + _SHUTDOWN_PATIENCE_S
        self._closing = how
        self.heart.changed.set()

    def _run(self) -> None:
        self.heart.start()
        try:
            try:
                self._carry()
            except OSError as error:
                self._fail(error)
        except Fenced as error:
            self._abandon(error)
        except _LeftToNextStart:
            log.info("%s stays with this machine until the agent starts again", self.lease.name)
        finally:
            self.heart.stop()
            self._on_over(self)

    def _carry(self) -> None:
        finish = self.held.finish
        if finish is None:
            finish = self._finish_of(self._start() or self._watch())
            self._keep(finish)
        self._tell(finish)
        self._forget()

    def _start(self) -> Outcome | None:
        """Start the work unless it runs already; an outcome where it could not be started."""
        if self._engine.poll(self.lease.id).phase != "absent":
            log.info("Took up %s again (%s), attempt %d", self.lease.name, self.lease.attempt, self.lease.number)
            return None
        if self.lease.image is not None:
            message = f"This provider runs work on its own base system and cannot start the image {self.lease.image}."
            return Outcome(reason="image_failed", message=message)
        try:
            self._put_in_place()
        except _CancelledEarly as early:
            return cancelled(early.cancel)
        except (transfer.InputWrong, Refused, Unreachable, EngineFailed, OSError) as error:
            return not_started(error)
        log.info("Started %s (%s), attempt %d", self.lease.name, self.lease.attempt, self.lease.number)
        return None

    def _put_in_place(self) -> None:
        """Folder, inputs, work."""
        folder = self._engine.prepare(self.lease, slot=self.held.slot)
        for item in self.lease.inputs:
            self._check_wishes()
            self._fetch(partial(transfer.fetch, self._market, item, folder))
        self._check_wishes()
        self._engine.submit(self.lease, slot=self.held.slot, until=self.heart.until or 0.0)

    def _watch(self) -> Outcome:
        """Follow the work to its end, sending its log as it grows."""
        stopped = False
        while (stand := self._engine.poll(self.lease.id)).phase != "ended":
            self.heart.enter("running" if stand.phase == "running" else "starting")
            if self.heart.fenced:
                raise Fenced(self.heart.fenced)
            if not stopped and (self.heart.cancel or self._closing):
                stopped = self._stop()
            if not self._ship.send_some():
                time.sleep(_LOOK_EVERY_S) if stopped else self.heart.changed.wait(_LOOK_EVERY_S)
        self.heart.enter("finishing")
        while self._insist(lambda: self._ship.send(last=True)):
            pass
        return of_stand(stand, self.lease, time_limit_s=self.heart.time_limit_s, cancel=self.heart.cancel)

    def _stop(self) -> bool:
        """Pass the wish to end on to the engine."""
        cancel, checkpoint = self.heart.cancel, self.lease.checkpoint
        if cancel is None and self._closing == "keep":
            raise _LeftToNextStart
        grace_s = cancel.grace_s if cancel else _SHUTDOWN_GRACE_S
        self._engine.stop(self.lease.id, grace_s=grace_s, signal=checkpoint.signal if checkpoint else "TERM")
        return True

    def _check_wishes(self) -> None:
        if self.heart.fenced:
            raise Fenced(self.heart.fenced)
        if self._closing:
            raise _LeftToNextStart
        if self.heart.cancel:
            raise _CancelledEarly(self.heart.cancel)

    def _finish_of(self, outcome: Outcome) -> dict[str, Any]:
        """The body of `finish`: outputs handed over first, usage signed last."""
        self.heart.enter("finishing")
        outputs, outcome = self._hand_over_outputs(outcome)
        line = self._line(self._engine.usage(self.lease.id), handed_over=sum(kept.size for kept in outputs))
        return self._body(outcome, line, outputs)

    def _line(self, usage: Usage, *, handed_over: int) -> dict[str, Any]:
        """All that the attempt has used."""
        return metering.usage_line(
            lease=self.lease,
            usage=usage,
            bytes_in=sum(item.size for item in self.lease.inputs),
            bytes_out=handed_over + self._ship.offset,
        )

    def _signed(self, usage: Usage) -> dict[str, str]:
        """The signed line while the work runs."""
        return metering.sign(self._line(usage, handed_over=0), self._state.signing_key)

    def _body(self, outcome: Outcome, line: dict[str, Any], outputs: list[Kept]) -> dict[str, Any]:
        return {
            "epoch": self.lease.epoch,
            "reason": outcome.reason,
            "exit_code": outcome.exit_code,
            "signal": outcome.signal,
            "message": outcome.message[:_MESSAGE_LENGTH],
            "usage": [metering.sign(line, self._state.signing_key)],
            "outputs": [
                {"path": kept.path, "artifact": kept.artifact, "size": kept.size, "sha256": kept.sha256}
                for kept in outputs
            ],
        }

    def _hand_over_outputs(self, outcome: Outcome) -> tuple[list[Kept], Outcome]:
        """Outputs of failed attempts are kept too; a failure here only counts where the work itself ended well."""
        handed: list[Kept] = []
        problem = ""
        folder = self._engine.folder(self.lease.id)
        try:
            found, missing = transfer.find(folder, self.lease.patterns, most_bytes=self.lease.limits.output_bytes)
            for one in found:
                handed.append(self._hand_over(one))
        except transfer.OutputWrong as error:
            problem = str(error)
        except (Refused, Unreachable, OSError) as error:
            problem = f"An output could not be handed over: {error}."
        else:
            if missing and outcome.reason == "succeeded":
                outcome = replace(
                    outcome, message=f"{outcome.message} Nothing matched the outputs {', '.join(missing)}."
                )
        if problem:
            reason: Reason = "output_failed" if outcome.reason == "succeeded" else outcome.reason
            outcome = replace(outcome, reason=reason, message=f"{outcome.message} {problem}")
        return handed, outcome

    def _hand_over(self, found: transfer.Found) -> Kept:
        file = self._engine.folder(self.lease.id) / found.path
        sha256 = transfer.digest_of(file)
        declare = partial(self._market.declare_output, self.lease, path=found.path, size=found.size, sha256=sha256)
        backoff = Backoff()
        for left in range(_TRIES - 1, -1, -1):
            # This waits out a marketplace that is away; what is counted are tries at a storage that alone is away.
            artifact, url = self._insist(declare)
            try:
                self._market.upload(url, size=found.size, content=transfer.pieces_of(file))
                break
            except Unreachable as error:
                if left == 0:
                    raise
                time.sleep(backoff.next_s(error))
        return Kept(path=found.path, artifact=artifact, size=found.size, sha256=sha256)

    def _tell(self, finish: dict[str, Any]) -> None:
        try:
            self._insist(lambda: self._market.finish(self.lease, finish))
        except Refused as error:
            log.error("The marketplace refused the end of %s: %s", self.lease.name, error)
        else:
            log.info("Ended %s (%s), %s: %s", self.lease.name, self.lease.attempt, finish["reason"], finish["message"])

    def _fetch(self, call: Callable[[], None]) -> None:
        """A few tries: storage that stays away is the end of the attempt, not of the agent."""
        backoff = Backoff()
        for left in range(_TRIES - 1, -1, -1):
            try:
                call()
            except Unreachable as error:
                if left == 0:
                    raise
                self._check_wishes()
                self.heart.changed.wait(backoff.next_s(error))
            else:
                return

    def _insist(self, call: Callable[[], Answer]) -> Answer:
        """Repeat a call until the marketplace answers it. Raises Fenced and Refused as they come."""
        backoff = Backoff()
        while True:
            if self.heart.fenced:
                raise Fenced(self.heart.fenced)
            try:
                return call()
            except (Unreachable, KeyRefused) as error:
                if self._give_up_at is not None and boot_seconds() > self._give_up_at:
                    raise _LeftToNextStart from error
                time.sleep(backoff.next_s(error if isinstance(error, Unreachable) else None))

    def _abandon(self, error: Fenced) -> None:
        """The lease belongs to somebody else now: end the work at once and tell nobody."""
        log.warning("Dropped %s (%s): the lease is over. %s", self.lease.name, self.lease.attempt, error)
        self._kill()
        self._forget()

    def _fail(self, error: OSError) -> None:
        """The machine does not do what it must, its disk above all: end the work and say so."""
        log.error("%s cannot go on: %s", self.lease.name, error)
        self._kill()
        message = f"The provider's machine failed under the work: {error.strerror or error}."
        line = metering.usage_line(
            lease=self.lease, usage=self._engine.usage(self.lease.id), bytes_in=0, bytes_out=self._ship.offset
        )
        self._tell(self._body(Outcome(reason="node_failed", message=message), line, []))
        self._forget()

    def _kill(self) -> None:
        """End the work now. Where not even the wish can be written (a full disk), its lease runs out and ends it."""
        told = False
        while self._engine.poll(self.lease.id).phase in {"starting", "running"}:
            if not told:
                with contextlib.suppress(OSError):
                    self._engine.stop(self.lease.id, grace_s=0)
                    told = True
            time.sleep(_LOOK_EVERY_S)

    def _keep(self, finish: dict[str, Any]) -> None:
        try:
            self._state.keep_finish(self.lease.id, finish)
        except StateFailed as error:
            log.error("The end of %s is told, but would not survive a restart now: %s", self.lease.name, error)

    def _forget(self) -> None:
        """The files go first: a lease whose end is kept is never started again."""
        self._engine.forget(self.lease.id)
        self._state.drop(self.lease.id)


class _CancelledEarly(Exception):
    """The marketplace took the job back before it began."""

    def __init__(self, cancel: Cancel) -> None:
        super().__init__(cancel.reason)
        self.cancel = cancel
