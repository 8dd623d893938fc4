"""The channels over which agents are told to look again."""

from scheduler.leases import sites_of
from scheduler.models import Agent


def site_channel(agent: Agent) -> list[str]:
    """What `agent` listens to: every site whose work it may pull."""
    return list(sites_of(agent.api_key).values_list("public_id", flat=True))
