"""The channels over which agents and pages are told to look again."""

from collections.abc import Iterable

from marketplace.events.hints import publish
from scheduler.leases import sites_of
from scheduler.models import Agent, Allocation


def site_channel(agent: Agent) -> list[str]:
    """What `agent` listens to: every site whose work it may pull."""
    return list(sites_of(agent.api_key).values_list("public_id", flat=True))


def tell_agents(allocations: Iterable[Allocation]) -> None:
    """Work for these sites is ready to be claimed."""
    for site in {allocation.offer.site.public_id for allocation in allocations}:
        publish(site, "work")
