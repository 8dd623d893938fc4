"""`python -m scheduler.core.warm`: compile what rounds run, so that no round waits for it."""

from scheduler.core.matching import match
from scheduler.core.types import BATCH, GREEDY, Ask, OfferFacts, Reference, Snapshot


def warm() -> None:
    """Decide a market of one offer and one ask in each way; afterwards all machine code is loaded and kept on disk."""
    offer = OfferFacts(
        id="o", title="o", site="s", site_title="s", provider="p", kind="datacenter", country="CN", region="r",
        zone="z", family="cpu", hardware="h", accelerator="", memory_gb=1, interconnect="", pf_milli=1, watts=1,
        tier="firm", term="on_demand", currency="USD", notice_s=0, boot_s=0, reliability_ppm=None, egress=False,
        evidence="declared", sample=True, price=(1,), share_ppm=(1,), matched_ppm=(1,), ci_mg=(1,), free=(1,),
        units_total=(1,),
    )  # fmt: skip
    reference = Reference(p_lo=10, p_mid=20, p_hi=30)
    for mode in (GREEDY, BATCH):
        match(Snapshot(0, 0, 1, (offer,), (Ask(id="a", units=1, run_s=3600),), reference, mode=mode))


if __name__ == "__main__":
    warm()
