"""One launcher per data folder: a file lock that the kernel frees when its holder ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from config.launcher.folders import DataFolder
from config.launcher.trouble import Trouble


@contextmanager
def only_launcher(folder: DataFolder) -> Iterator[None]:
    """Hold the folder while the block runs. Raises Trouble naming the launcher that holds it already."""
    with folder.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Trouble(
                f"Joulemart already runs with the data of {folder.root} (pid {holder}).",
                mend="stop it with Ctrl-C in its terminal, or run a second one beside it: "
                "PORT=8010 DATA_DIR=var2 make run",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
