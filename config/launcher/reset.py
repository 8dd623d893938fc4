"""`make reset`: clear the data of one instance. Needs nothing but a bare Python."""

import os
import shutil
import sys

from config.launcher.folders import DataFolder
from config.launcher.locking import only_launcher
from config.launcher.trouble import Trouble

KEPT_BY_US = (
    "agents",
    "beat",
    "files",
    "logs",
    "postgres",
    "postgres.unfinished",
    "processes.json",
    "run",
    "sample.json",
    "secrets",
    "static",
    "valkey",
)


def reset(folder: DataFolder) -> None:
    """Remove what the product wrote, after a yes; anything else in the folder stays. Refused while it runs."""
    if not folder.root.exists():
        sys.stdout.write(f"There is no data in {folder.root}.\n")
        return
    with only_launcher(folder):
        if not agreed(folder):
            sys.stdout.write("Nothing was removed.\n")
            return
        for name in KEPT_BY_US:
            remove(folder, name)
        if folder.runtime.is_dir():
            shutil.rmtree(folder.runtime)
        folder.lock.unlink(missing_ok=True)
    if not any(folder.root.iterdir()):
        folder.root.rmdir()
    sys.stdout.write(f"The data in {folder.root} is cleared.\n")


def agreed(folder: DataFolder) -> bool:
    if os.environ.get("YES") == "1":
        return True
    if not sys.stdin.isatty():
        raise Trouble(
            f"This would remove the databases, files and secrets in {folder.root}, and nobody is here to agree.",
            mend="YES=1 make reset",
            status=2,
        )
    return input(f"Remove the databases, files and secrets in {folder.root}? [y/N] ").strip().lower() in {"y", "yes"}


def remove(folder: DataFolder, name: str) -> None:
    path = folder.root / name
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise Trouble(
            f"{path} cannot be removed: {error.strerror}.", mend="run make reset as the user who ran make run"
        ) from error
