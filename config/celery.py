"""The Celery application; tasks carry ids, rows carry the truth."""

import gc
import os
import sys
import time
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_init, worker_ready
from django.conf import settings
from django.db import close_old_connections, connections

from config.env import one_line_for_a_bad_setting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

TRUSTED_S = 1.0
GARBAGE_AFTER = 50_000  # objects
_last_task = {"ended": float("-inf")}

app = Celery("joulemart")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.update(
    # Celery closes the database's connection before and after each task: a new one costs as much as a small round.
    # Django's own rules apply instead, see `renew_connections`.
    CELERY_DB_REUSE_MAX=sys.maxsize // 2,
    worker_hijack_root_logger=False,
    beat_schedule={
        "sweep": {"task": "sweep", "schedule": float(settings.SWEEP_SECONDS), "options": {"expires": 10}},
        "release-surplus": {"task": "release_surplus", "schedule": 15.0, "options": {"expires": 10}},
        "capture-midnight": {"task": "capture_midnight", "schedule": 300.0, "options": {"expires": 120}},
        "send-gateway-calls": {"task": "send_gateway_calls", "schedule": 5.0, "options": {"expires": 10}},
        "top-up-automatically": {"task": "top_up_automatically", "schedule": 30.0, "options": {"expires": 30}},
        "apply-webhooks": {"task": "apply_webhooks", "schedule": 5.0, "options": {"expires": 10}},
        "fetch-missed-webhooks": {"task": "fetch_missed_webhooks", "schedule": 300.0, "options": {"expires": 120}},
        "run-sandbox": {"task": "run_sandbox", "schedule": 5.0, "options": {"expires": 10}},
        "mature-charges": {"task": "mature_charges", "schedule": 300.0, "options": {"expires": 120}},
        "make-payouts": {"task": "make_payouts", "schedule": 900.0, "options": {"expires": 300}},
        "reconcile-payments": {"task": "reconcile_payments", "schedule": 21_600.0, "options": {"expires": 300}},
        "check-promises": {"task": "check_promises", "schedule": 60.0, "options": {"expires": 50}},
        "match-carefully": {"task": "match_carefully", "schedule": 600.0, "options": {"expires": 300}},
        "keep-standing-orders": {"task": "keep_standing_orders", "schedule": 60.0, "options": {"expires": 50}},
        "serve-waiting": {"task": "serve_waiting", "schedule": 60.0, "options": {"expires": 50}},
        "refresh-grid": {"task": "refresh_grid", "schedule": 600.0, "options": {"expires": 300}},
        "refresh-outlooks": {"task": "refresh_outlooks", "schedule": 600.0, "options": {"expires": 300}},
        "score-forecasts": {"task": "score_forecasts", "schedule": 3600.0, "options": {"expires": 300}},
        "expire-certificates": {"task": "expire_certificates", "schedule": 3600.0, "options": {"expires": 300}},
        "extend-capacity": {"task": "extend_capacity", "schedule": 3600.0, "options": {"expires": 300}},
        "answer-missed-promises": {"task": "answer_missed_promises", "schedule": 300.0, "options": {"expires": 120}},
        "issue-receipts": {"task": "issue_receipts", "schedule": 10.0, "options": {"expires": 10}},
        "settle-energy": {"task": "settle_energy", "schedule": 300.0, "options": {"expires": 120}},
        "issue-invoices": {"task": "issue_invoices", "schedule": 3600.0, "options": {"expires": 300}},
        "prune-idempotency-keys": {
            "task": "accounts.prune_idempotency_keys",
            "schedule": 3600.0,
            "options": {"expires": 300},
        },
    },
)


@worker_init.connect
def look_at_the_role(**_: Any) -> None:
    """As the servers do: in production no worker starts that may change the books."""
    from config.roles import refuse_owner  # noqa: PLC0415 - the apps come first

    with one_line_for_a_bad_setting():
        refuse_owner()


@worker_init.connect
def load_the_matcher(**_: Any) -> None:
    """Before the pool forks, so that all its processes share the compiled code and no round waits for it.

    What is loaded by then stays for good and need not be looked through for dead objects, and a task makes many that
    all live until its end: looking after every 700 of them took a thirtieth of a small round.
    """
    from scheduler.core.warm import warm  # noqa: PLC0415 - the settings come first

    warm()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)


@task_prerun.connect
def renew_connections(**_: Any) -> None:
    """As before a request: a connection that is too old or broken is replaced, any other is asked whether it lives.

    In a stream of tasks one that served without an error a moment ago is trusted.
    """
    failed = any(each.errors_occurred for each in connections.all(initialized_only=True))
    if failed or time.monotonic() - _last_task["ended"] > TRUSTED_S:
        close_old_connections()


@task_postrun.connect
def remember_when_a_task_ended(**_: Any) -> None:
    """So that the next one need not ask."""
    _last_task["ended"] = time.monotonic()


@worker_ready.connect
def say_that_the_worker_is_ready(**_: Any) -> None:
    """One line for whoever waits for it; the launcher does."""
    if sys.__stdout__:  # not the stdout that Celery turns into warnings
        sys.__stdout__.write("the worker takes tasks\n")
        sys.__stdout__.flush()
