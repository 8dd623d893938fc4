"""The channels over which agents and buyers are told to look again."""

import time

from marketplace.events.hints import wait_for
from scheduler.leases import sites_of
from scheduler.models import Agent, Job

LOOK_SECONDS = 1.0  # a lost hint costs this much


def site_channel(agent: Agent) -> list[str]:
    """What `agent` listens to: every site whose work it may pull."""
    return list(sites_of(agent.api_key).values_list("public_id", flat=True))


def wait_while_queued(*, job: str, seconds: float) -> bool:
    """Wait up to `seconds` until the job (its public id) is queued no more; whether it came to that."""
    deadline = time.monotonic() + seconds
    with wait_for([job]) as news:
        while Job.objects.filter(public_id=job, state="queued").exists():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            news.wait(min(left, LOOK_SECONDS))
    return True
