"""The command line: `joulemart-agent run | doctor | version`."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from agent import __version__
from agent.config import Config, ConfigInvalid, load
from agent.doctor import examine, report
from agent.engines.choose import choose_engine
from agent.protocol import Market
from agent.supervisor import AgentFailed, Supervisor

OK, FAILED, BAD_CONFIG = 0, 1, 2

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 failed, 2 wrong settings."""
    options = _parser().parse_args(argv)
    if options.command == "version":
        sys.stdout.write(f"joulemart-agent {__version__}\n")
        return OK
    try:
        given = {name: getattr(options, name) for name in ("url", "name", "state", "units", "runtime", "on_stop")}
        config = load(file=options.config, given=given)
    except ConfigInvalid as error:
        sys.stderr.write(f"{error}\n")
        return BAD_CONFIG
    return doctor(config) if options.command == "doctor" else run(config)


def doctor(config: Config) -> int:
    """Print every check; 0 where the agent can work."""
    checks = examine(config)
    sys.stdout.write(report(checks) + "\n")
    return OK if all(check.ok for check in checks if check.needed) else FAILED


def run(config: Config) -> int:
    """Work until SIGTERM or SIGINT; a second one leaves at once."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    engine, checks = choose_engine(config)
    if engine is None:
        sys.stderr.write(report(checks) + "\n")
        return FAILED
    log.info(
        "Joulemart agent %s: %s engine, sandbox %s, units %d", __version__, engine.name, engine.runtime, config.units
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop_or_leave(stop))
    market = Market(url=config.url, key=config.key)
    try:
        Supervisor(config=config, market=market, engine=engine, stop=stop).run()
    except AgentFailed as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        market.close()
    log.info("Stopped")
    return OK


def _stop_or_leave(stop: threading.Event) -> None:
    if stop.is_set():
        raise SystemExit(FAILED)
    stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="joulemart-agent", description="Runs a marketplace's work on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|doctor|version")
    for name, text in (
        ("run", "work until told to stop"),
        ("doctor", "check everything and say how to mend it"),
        ("version", "print the version"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        if name != "version":
            _add_settings(command)
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    """Settings on the command line win over those of the environment and of the file; the key is in neither help."""
    command.add_argument("--config", type=Path, metavar="FILE", help="TOML file with the settings")
    command.add_argument("--url", help="address of the marketplace (JOULEMART_URL)")
    command.add_argument("--name", help="name of this machine (JOULEMART_AGENT_NAME)")
    command.add_argument("--state", metavar="FOLDER", help="folder for keys, state and work (JOULEMART_AGENT_STATE)")
    command.add_argument("--units", type=int, help="units of work at once (JOULEMART_AGENT_UNITS)")
    command.add_argument(
        "--runtime", choices=("auto", "bwrap", "unshare", "none"), help="sandbox of the process engine"
    )
    command.add_argument("--on-stop", choices=("end", "keep"), help="what a stop does with running work")
