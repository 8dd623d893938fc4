"""`make test`: its own throwaway services, then every check; with arguments, pytest alone with those."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.launcher.instance import Instance, free_port_pair

PACKAGES = {  # what some tests need of Debian, and the command or file that shows it is there
    "bubblewrap": "bwrap",
    "chromium": "chromium",
    "gettext": "msgfmt",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
}
BIN = Path(sys.prefix) / "bin"
CHECKS = (
    ("ruff check", (str(BIN / "ruff"), "check", ".")),
    ("ruff format", (str(BIN / "ruff"), "format", "--check", ".")),
    ("mypy", (str(BIN / "mypy"),)),
    ("layers", (str(BIN / "lint-imports"),)),
    ("migrations", (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run")),
)
# Once, beside the checks, and not in every process of the tests.
COMPILE = (sys.executable, "-m", "scheduler.core.warm")


def test(arguments: Sequence[str]) -> int:
    """Run the checks and pytest; 0 when all passed. Every check runs, so that one look shows all that is wrong."""
    install_packages()
    with throwaway_services() as env:
        compiling = subprocess.Popen(COMPILE, env=env)  # noqa: S603 - our own fixed command
        failed = [] if arguments else [name for name, argv in CHECKS if not passes(name, argv, env)]
        if compiling.wait():
            failed.append("compiling the matcher")
        pytest = (sys.executable, "-m", "pytest", *(arguments or ("-n", "2", "--dist", "loadgroup")))
        if not passes("pytest", pytest, env):
            failed.append("pytest")
    say("all checks passed" if not failed else f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def say(text: str) -> None:
    sys.stdout.write(f"joulemart | {text}\n")
    sys.stdout.flush()


def passes(name: str, argv: Sequence[str], env: dict[str, str]) -> bool:
    say(name)
    return subprocess.run(argv, env=env, check=False).returncode == 0  # noqa: S603 - our own fixed commands


@contextmanager
def throwaway_services() -> Iterator[dict[str, str]]:
    """The environment of the tests: a temporary data folder whose services forget everything afterwards.

    DATABASE_URL and REDIS_URL that are set stay in force, and nothing is started in their place. The tests own their
    databases, whatever role the product would have.
    """
    given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
    with tempfile.TemporaryDirectory(prefix="joulemart-test-") as place:
        command = ("services", "--throwaway")
        services = Instance(data_dir=Path(place) / "data", port=free_port_pair(), command=command, env=given)
        services.start(within_s=60)
        folder = services.folder
        try:
            yield {
                **{name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"},
                "DATABASE_URL": folder.owner_url,
                "REDIS_URL": folder.redis_url,
                **given,
                "DATA_DIR": str(folder.root),
            }
        finally:
            services.stop()


def install_packages() -> None:
    """Install the Debian packages that tests use, where this user may; else say what will be skipped."""
    missing = [name for name, sign in PACKAGES.items() if not (shutil.which(sign) or Path(sign).exists())]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"not installed, so tests that need them are skipped: {', '.join(missing)} (apt install them)")
        return
    say(f"installing for the tests: {', '.join(missing)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *step], env=env, stdout=subprocess.DEVNULL, check=False)  # noqa: S603, S607
        if done.returncode:
            say(f"apt-get {step[0]} failed; its lines above say why")
