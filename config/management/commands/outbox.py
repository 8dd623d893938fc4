"""`manage.py outbox start|stop|status`: whether the processor is asked anything. Exit 0 it runs, 1 it stands still."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from marketplace.common.clock import rfc3339, utc_now
from marketplace.events.outbox import OPEN
from marketplace.ledger import outbox
from marketplace.ledger.gateways import NAMES
from marketplace.ledger.models import GatewayCall, GatewayStop

RUNS, STANDS_STILL = 0, 1


class Command(BaseCommand):
    """For operators: after a restore, while something does not add up, and to see what waits."""

    help = "Let the outbox of a payment processor run or stand still. Exit of status: 0 it runs, 1 it stands still."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("do", choices=("start", "stop", "status"))
        parser.add_argument("--gateway", choices=NAMES, default=settings.PAYMENT_GATEWAY, help="whose; the one in use")
        parser.add_argument("--reason", default="", help="why it is to stand still; whoever finds it so reads this")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        gateway = options["gateway"]
        if options["do"] == "stop":
            if not options["reason"].strip():
                raise CommandError("say why: --reason 'restored from the backup of Monday'", returncode=2)
            outbox.stop(gateway=gateway, reason=options["reason"], now=utc_now())
        if options["do"] == "start":
            outbox.start(gateway=gateway)
        stopped = self._tell(gateway, options["json"])
        if options["do"] == "status" and stopped:
            sys.exit(STANDS_STILL)

    def _tell(self, gateway: str, as_json: bool) -> bool:
        stop = GatewayStop.objects.filter(gateway=gateway).first()
        found = GatewayCall.objects.filter(gateway=gateway).values_list("state").annotate(calls=Count("pk")).order_by()
        calls = dict(found)
        waiting, failed = sum(calls.get(state, 0) for state in OPEN), calls.get("failed", 0)
        if as_json:
            about = {"reason": stop.reason, "since": rfc3339(stop.since)} if stop else None
            told = {"gateway": gateway, "stopped": about, "waiting": waiting, "failed": failed}
            self.stdout.write(json.dumps(told, ensure_ascii=False, indent=2))
        else:
            how = f"stands still since {rfc3339(stop.since)}: {stop.reason}" if stop else "runs"
            self.stdout.write(f"{gateway} {how}; {waiting} calls wait, {failed} failed")
        return stop is not None
