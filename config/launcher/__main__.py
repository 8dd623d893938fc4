"""`python -m config.launcher run|services|test`, inside the environment."""

import argparse
import os
import sys
from collections.abc import Sequence

from config.launcher.console import Console
from config.launcher.folders import CHECKOUT, DataFolder
from config.launcher.locking import only_launcher
from config.launcher.postgres import Postgres
from config.launcher.product import Address, Product, matcher_queues, ready_block
from config.launcher.programs import Program
from config.launcher.supervisor import Supervisor, run_until_stopped
from config.launcher.trouble import Trouble
from config.launcher.valkey import Valkey

NAMES = ["joulemart", "postgres", "valkey", "setup", "web", "streams", "worker", "beat", "agent-1", "agent-2"]
SERVICES_WITHIN_S, PRODUCT_WITHIN_S = 60.0, 90.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Trouble is printed with its mend, never as a traceback."""
    options = parser().parse_args(argv)
    os.chdir(CHECKOUT)
    try:
        return int(options.work(options) or 0)
    except Trouble as trouble:
        sys.stdout.flush()
        sys.stderr.write(f"\n{trouble}\n")
        return trouble.status


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="config.launcher", description="Start Joulemart, its services or its tests.")
    commands = found.add_subparsers(required=True, metavar="run|services|test")
    commands.add_parser("run", help="the whole product, until Ctrl-C").set_defaults(work=run)
    services = commands.add_parser("services", help="PostgreSQL and Valkey alone, until Ctrl-C")
    services.add_argument("--throwaway", action="store_true", help="not durable: for tests")
    services.set_defaults(work=run_services)
    test = commands.add_parser("test", help="all checks, or pytest with ARGS")
    test.add_argument("arguments", nargs=argparse.REMAINDER)
    test.set_defaults(work=run_tests)
    return found


def data_folder() -> DataFolder:
    return DataFolder.from_environment()


def run_tests(options: argparse.Namespace) -> int:
    from config.launcher.testing import test  # noqa: PLC0415 - nothing else needs it

    status: int = test(options.arguments)
    return status


def embedded_services(folder: DataFolder, *, durable: bool) -> list[Program]:
    """The services that DATABASE_URL and REDIS_URL do not name elsewhere."""
    found = []
    if not os.environ.get("DATABASE_URL"):
        postgres = Postgres(folder, durable=durable)
        postgres.make_cluster()
        found.append(postgres.program())
    if not os.environ.get("REDIS_URL"):
        found.append(Valkey(folder, durable=durable).program())
    return found


def run(_options: argparse.Namespace) -> None:
    """Everything: services, set-up, servers, worker, beat, agents; restarts what dies; stops all on Ctrl-C."""
    folder, address = data_folder(), Address.from_environment()
    matcher_queues(os.environ)  # a bad MATCHERS or SHARDS stops the start before anything is made
    folder.make()
    with only_launcher(folder):
        address.refuse_taken_ports()
        product = Product.from_environment(folder, address)
        supervisor = Supervisor(folder, Console(NAMES))
        run_until_stopped(supervisor, lambda: open_the_market(supervisor, product))


def open_the_market(supervisor: Supervisor, product: Product) -> None:
    console = supervisor.console
    console.say(f"starting; the data is in {product.folder.root}")
    supervisor.start(embedded_services(product.folder, durable=True))
    supervisor.wait_until_ready(within_s=SERVICES_WITHIN_S)
    supervisor.run_to_end(product.setup())
    supervisor.start([*product.servers(), *product.workers()])
    supervisor.wait_until_ready(within_s=PRODUCT_WITHIN_S)
    supervisor.start(product.agents())
    console.write(ready_block(product, console.paint))
    supervisor.watch()


def run_services(options: argparse.Namespace) -> None:
    """PostgreSQL and Valkey alone, for development and tests."""
    folder = data_folder()
    folder.make()
    with only_launcher(folder):
        supervisor = Supervisor(folder, Console(NAMES))
        run_until_stopped(supervisor, lambda: keep_services(supervisor, durable=not options.throwaway))


def keep_services(supervisor: Supervisor, *, durable: bool) -> None:
    supervisor.start(embedded_services(supervisor.folder, durable=durable))
    supervisor.wait_until_ready(within_s=SERVICES_WITHIN_S)
    supervisor.console.say(f"DATABASE_URL={supervisor.folder.owner_url}")
    supervisor.console.say(f"REDIS_URL={supervisor.folder.redis_url}")
    supervisor.watch()


if __name__ == "__main__":
    sys.exit(main())
