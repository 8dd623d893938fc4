"""Stage 0 of every make target: runs on a bare Python, finds a new enough one, and hands over to the environment."""

import os
import shutil
import sys

OLDEST = (3, 11)


def main() -> None:
    """Check the Python, then go on with modules that may use its syntax."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - must run on any Python 3
    if sys.version_info < OLDEST:
        go_on_with_a_newer_one()
    sys.path[0] = os.path.dirname(os.path.dirname(here))  # noqa: PTH120
    sys.dont_write_bytecode = True  # another Python may come next time
    from config.launcher.environment import enter  # noqa: PLC0415 - only after the check

    sys.exit(enter(sys.argv[1:]))


def go_on_with_a_newer_one() -> None:
    """Run this again with a new enough Python of the PATH, or say what to install."""
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)  # noqa: UP031
        if found:
            os.execv(found, [found, os.path.abspath(__file__)] + sys.argv[1:])  # noqa: PTH100, RUF005, S606
    sys.stderr.write(
        "\nJoulemart needs Python 3.11 or newer; this is Python %d.%d (%s).\n"  # noqa: UP031
        "  Mend: install a newer one (Debian, Ubuntu: apt install python3 python3-venv), or name it: "
        "make run PYTHON=/path/to/python3.12\n" % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
    sys.exit(1)


if __name__ == "__main__":
    main()
