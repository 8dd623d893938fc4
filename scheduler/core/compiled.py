"""Compilation of the hot loops: plain Python functions over arrays, compiled once and kept on disk."""

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")
HERE = Path(__file__).parent
THREADS, ALONE = 2, 500  # fewer things than that are not worth a second thread


def cache_folder() -> Path | None:
    """Where machine code is kept, named after the source of the whole core; None where nothing can be written.

    Numba looks at the file of a function alone, not at those it calls: a change there would leave stale code behind.
    """
    source = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))).hexdigest()[:16]
    for place in (HERE / "__pycache__", Path.home() / ".cache" / "joulemart"):
        folder = place / f"compiled-{source}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            for stale in set(place.glob("compiled-*")) - {folder}:
                shutil.rmtree(stale, ignore_errors=True)
            return folder
    return None


KEPT_AT = cache_folder()
if KEPT_AT is not None:
    vars(numba.config)["CACHE_DIR"] = str(KEPT_AT)


def compiled(function: F) -> F:
    """`function` as machine code; `.py_func` keeps the Python. Integers there are 64 bits wide and wrap silently."""
    return _jit(function)


def lean(function: F) -> F:
    """The same for what allocates nothing. References to arrays are not counted then, which took half of the time."""
    return _jit(function, _nrt=False)


def inlined(function: F) -> F:
    """The same for what becomes part of its callers' code. A call hands over five hundred numbers where the tuples hold
    sixty arrays, which took a quarter of a scan.
    """
    return _jit(function, _nrt=False, forceinline=True)


def _jit(function: F, **more: bool) -> F:
    options: dict[str, Any] = {"cache": KEPT_AT is not None, "nogil": True, "error_model": "numpy", **more}
    return numba.njit(**options)(function)  # type: ignore[no-any-return]


def settled(function: Callable[..., T], *like: object) -> Callable[..., T]:
    """The machine code of `function` for arguments of the types of `like`; no call looks them up again.

    That takes four times as long as the rest of a call where the tuples hold sixty arrays.
    """
    of_types: Callable[..., Callable[..., T]] = getattr(function, "compile")  # noqa: B009
    return of_types(tuple(map(numba.typeof, like)))


class Aside:
    """A second thread for many short pieces of work. An executor takes longer to hand one over than to do it."""

    def __init__(self) -> None:
        self._given: SimpleQueue[Callable[[], int] | None] = SimpleQueue()
        self._found: SimpleQueue[int | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._given.put(None)
        self._thread.join()

    def begin(self, work: Callable[[], int]) -> None:
        """Let the thread do `work`."""
        self._given.put(work)

    def end(self) -> int:
        """What the work found. Raises RuntimeError where it failed."""
        found = self._found.get()
        if found is None:
            raise RuntimeError("the work of the second thread failed")
        return found

    def _work(self) -> None:
        while work := self._given.get():
            found = None
            try:
                found = work()
            finally:
                self._found.put(found)


def side_by_side(work: Callable[[int, int], T], count: int, worth: int = ALONE) -> list[T]:
    """`work(first, beyond)` on every part of `count` things, on THREADS threads; the answers in the order of the parts.

    Fewer than are `worth` a second thread are one part.
    Compiled code lets go of Python's lock. What is worked out for one thing must not depend on another: then nothing
    depends on who comes first.
    """
    if count < worth:
        return [work(0, count)]
    ends = [count * part // THREADS for part in range(THREADS + 1)]
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, ends[:-1], ends[1:]))


def together(work: Callable[[int], T]) -> list[T]:
    """`work(number)` for THREADS numbers, each on a thread of its own; the answers in the order of the numbers."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, range(THREADS)))
