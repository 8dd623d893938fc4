"""Which keys a job file may have, and what becomes of each (interface.md, section 6)."""

from typing import Final

TOP: Final = frozenset({
    "name", "num_nodes", "envs", "secrets", "setup", "run", "file_mounts", "workdir", "resources", "config",
})  # fmt: skip
TOP_UNSUPPORTED: Final = frozenset({"service", "volumes"})
RESOURCES: Final = frozenset({
    "accelerators", "cpus", "memory", "disk_size", "use_spot", "image_id", "any_of", "ordered", "max_hourly_cost",
    "job_recovery", "labels",
})  # fmt: skip
RESOURCES_DROPPED: Final = frozenset({"infra", "cloud", "region", "zone", "autostop"})
RESOURCES_UNSUPPORTED: Final = frozenset({"ports"})
MARKET: Final = frozenset({
    "time_limit_s", "hours", "reference_class", "time_limit_by_class", "start_after", "finish_by", "when", "near",
    "latency_ms_max", "weights", "rates", "price_max", "price_pflop_max", "max_total", "budget_stop", "currency",
    "renewable_min", "matched_min", "carbon_g_per_kwh_max", "carbon_cap_g", "evidence", "kind", "region", "term",
    "tier", "residency", "checkpoint", "max_pieces", "retries", "network", "outputs", "gang_id", "gang_size",
    "reservation",
})  # fmt: skip
# Named by the job file's definition; this market does not honour them yet and says so.
MARKET_UNSUPPORTED: Final = frozenset({
    "ratings", "assurance", "data_at", "data_in_gb", "data_out_gb", "pay_with",
})  # fmt: skip
LIMITS: Final = {
    "latency_ms_max": "latency_ms__lte",
    "price_max": "price__lte",
    "price_pflop_max": "price_pflop__lte",
    "renewable_min": "renewable_share__gte",
    "matched_min": "matched_share__gte",
    "carbon_g_per_kwh_max": "carbon_g_per_kwh__lte",
    "carbon_cap_g": "carbon_cap_g",
    "evidence": "evidence",
    "kind": "kind",
    "region": "region",
    "term": "term",
    "tier": "tier",
    "residency": "residency",
}
