"""Objects of the API as the stand-in answers them."""

import hashlib
from typing import Any

FACTORS = b"60 = 2 * 2 * 3 * 5\n"
JOB_FILE = """\
name: factor
resources: {accelerators: "H100:1"}
run: python factor.py 60 > factors.txt
config:
  joulemart: {time_limit_s: 600, outputs: ["factors.txt"]}
"""


def offer(offer_id: str = "ofr_wuhu_f1", **changes: Any) -> dict[str, Any]:
    return {
        "object": "offer",
        "id": offer_id,
        "title": "H100 PCIe",
        "state": "live",
        "version": 11,
        "sample": True,
        "tier": "firm",
        "term": "on_demand",
        "currency": "USD",
        "units": 16,
        "notice_s": 120,
        "boot_s": 30,
        "network": "egress",
        "reliability_ppm": 998_700,
        "rate_mm": 164_313,
        "provider": {"id": "org_1", "name": "Huaihe Power"},
        "site": {"id": "sit_1", "name": "Huaihe Solar Park", "kind": "datacenter", "country": "CN", "zone": "CN-EAST"},
        "hardware": {"slug": "h100-pcie", "accelerator": "H100 PCIe", "memory_gb": 80, "pf_milli": 756, "max_w": 350},
        "match": match(),
    } | changes


def match(**changes: Any) -> dict[str, Any]:
    return {
        "rank": 1,
        "letter": "F",
        "start": "2026-11-24T02:00:00Z",
        "end": "2026-11-24T08:00:00Z",
        "units": 8,
        "hours": 6,
        "total_minor": 7887,
        "unit_price_mm": 164_313,
        "pflop_hour_mm": 217_345,
        "renewable_share_ppm": 919_999,
        "carbon_mg_per_kwh": 64_001,
        "latency_ms": 7,
        "free": 12,
        "fit": {"total": 77.3, "price": 24.5, "latency": 15.6, "green": 37.2},
        "sentence": "Lowest cost for 91% renewable.",
    } | changes


def page(rows: list[dict[str, Any]], *, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": has_more, "meta": {"count": len(rows)}}


def option(rank: int = 1, **changes: Any) -> dict[str, Any]:
    short = {"id": "ofr_wuhu_f1", "title": "H100 PCIe"}
    return (
        {"rank": rank, "offer": short, "why": {"sentence": ""}}
        | {k: v for k, v in match().items() if k != "rank"}
        | changes
    )


def quote(**changes: Any) -> dict[str, Any]:
    return {
        "object": "quote",
        "id": "qte_7Hn2",
        "expires_at": "2026-11-24T01:10:00Z",
        "as_of": "2026-11-24T01:00:00Z",
        "signature": "c2ln",
        "currency": "USD",
        "options": [option()],
        "rejected": {"latency": 3},
        "considered": 5,
    } | changes


def sold(**changes: Any) -> dict[str, Any]:
    return {
        "object": "sold_reservation",
        "id": "rsv_90ab",
        "state": "confirmed",
        "reason": None,
        "offer": {"id": "ofr_wuhu_f1", "title": "H100 PCIe"},
        "units": 8,
        "start": "2026-11-24T02:00:00Z",
        "end": "2026-11-24T08:00:00Z",
        "currency": "USD",
        "given_up": {"refund_minor": 7887, "credit_minor": 788, "provider_minor": 760, "jobs": 2},
    } | changes


def reservation(**changes: Any) -> dict[str, Any]:
    return {
        "object": "reservation",
        "id": "rsv_90ab",
        "state": "confirmed",
        "offer": {"id": "ofr_wuhu_f1", "title": "H100 PCIe"},
        "site": {"id": "sit_1", "name": "Huaihe Solar Park"},
        "units": 8,
        "start": "2026-11-24T02:00:00Z",
        "end": "2026-11-24T08:00:00Z",
        "currency": "USD",
        "total_minor": 7887,
        "version": 2,
    } | changes


def extended() -> dict[str, Any]:
    """Two hours longer."""
    change = {
        "id": "rch_1", "units": 8, "start": "2026-11-24T08:00:00Z", "end": "2026-11-24T10:00:00Z",
        "contract": "ctr_2", "total_minor": 2629, "price_lines": [{"code": "compute", "amount_minor": 2629}],
    }  # fmt: skip
    return reservation(end="2026-11-24T10:00:00Z", total_minor=10516, change=change)


def resized() -> dict[str, Any]:
    """Two units fewer."""
    change = {
        "id": "rch_2", "units": -2, "start": "2026-11-24T03:00:00Z", "end": "2026-11-24T08:00:00Z", "contract": None,
        "total_minor": 0, "price_lines": [],
    }  # fmt: skip
    return reservation(units=6, change=change)


def job(state: str = "queued", **changes: Any) -> dict[str, Any]:
    versions = {"queued": 1, "allocated": 2, "starting": 3, "running": 4}
    return {
        "object": "job",
        "id": "job_4f21",
        "name": "factor",
        "state": state,
        "version": versions.get(state, 5),
        "sentence": "",
        "reason": None,
        "units": 8,
        "time_limit_s": 21_600,
        "retries": 2,
        "currency": "USD",
        "created_at": "2026-11-24T01:00:00Z",
        "limits": {"latency_ms__lte": 40},
        "queue": None,
        "unplaced": None,
        "allocation": None if state == "queued" else allocation(),
        "attempts": [],
        "usage": {"seconds": 0, "energy_wh": 0, "carbon_ug": 0, "carbon_g": 0},
        "cost": {"to_date_minor": 0, "ceiling_minor": 9000},
        "outputs": [],
    } | changes


def allocation() -> dict[str, Any]:
    return {
        "id": "alc_1",
        "offer": {"id": "ofr_wuhu_f1", "title": "H100 PCIe"},
        "site": {"id": "sit_1", "name": "Huaihe Solar Park", "zone": "CN-EAST", "sample": True},
        "start": "2026-11-24T02:00:00Z",
        "end": "2026-11-24T08:00:00Z",
        "units": 8,
        "total_minor": 7887,
        "sentence": "Huaihe Solar Park costs least for what you weigh.",
    }


def ended_job(state: str = "succeeded", **changes: Any) -> dict[str, Any]:
    return (
        job(
            state,
            usage={
                "seconds": 20_520,
                "energy_wh": 32_900,
                "carbon_ug": 2_138_200_000,
                "carbon_g": 2139,
                "renewable_share_ppm": 919_999,
                "quality": "modelled",
            },
            cost={"to_date_minor": 7492, "ceiling_minor": 9000},
            attempts=[
                {
                    "id": "att_1",
                    "number": 1,
                    "state": "ended",
                    "reason": state if state == "succeeded" else "exit_nonzero",
                    "exit_code": 0 if state == "succeeded" else 3,
                    "site": {"id": "sit_1", "name": "Huaihe Solar Park"},
                    "seconds": 20_520,
                }
            ],
            outputs=[output()],
        )
        | changes
    )


def output(path: str = "factors.txt", **changes: Any) -> dict[str, Any]:
    return {
        "id": "art_1",
        "path": path,
        "size": len(FACTORS),
        "sha256": hashlib.sha256(FACTORS).hexdigest(),
        "url": "/files/token1",
    } | changes


def me(stream_url: str = "") -> dict[str, Any]:
    return {
        "object": "me",
        "email": "buyer@example.com",
        "organization": {"id": "org_9", "name": "Example Lab"},
        "roles": ["buyer"],
        "key": {"id": "key_1", "scopes": ["offers:read", "jobs:write"]},
        "stream_url": stream_url,
    }


def contender(offer_id: str, title: str, site: str, z: int, terms: dict[str, int], fit: list[float]) -> dict[str, Any]:
    return {
        "offer": offer_id,
        "title": title,
        "site": {"id": f"sit_{site}", "name": site},
        "z": z,
        "terms": {"price": 0, "latency": 0, "green": 0, "carbon": 0, "waiting": 0, "move": 0} | terms,
        "fit": dict(zip(("total", "price", "latency", "green"), fit, strict=True)),
        "start": "2026-11-24T02:00:00Z",
        "total_minor": 7887,
    }


def why(**changes: Any) -> dict[str, Any]:
    b = contender(
        "ofr_b", "H100 SXM", "Huaihe", 291_707, {"price": 246_713, "latency": 27_300, "green": 17_694},
        [77.3, 24.5, 15.6, 37.2],
    )  # fmt: skip
    c = contender(
        "ofr_c",
        "A100",
        "杭州边缘",
        320_000,
        {"price": 225_000, "latency": 30_000, "green": 65_000},
        [72.8, 28, 15.2, 29.6],
    )
    c["difference"] = {"price": -21_713, "latency": 2_700, "green": 47_306}
    a = contender(
        "ofr_a", "H100 SXM", "Wuhu", 345_895, {"price": 218_402, "latency": 32_491, "green": 95_002, "waiting": 2_274},
        [68.7, 29.1, 14.8, 24.8],
    )  # fmt: skip
    return {
        "object": "why",
        "job": "job_4f21",
        "sentence": "Huaihe costs least for what you weigh: 93% renewable at $2.44 an hour.",
        "chosen": b,
        "runner_up": c,
        "others": [c, a],
        "refused": [
            {
                "offer": "ofr_d",
                "title": "H200",
                "site": "sit_d",
                "limits": ["renewable"],
                "sentence": "33% renewable, you ask for 80%.",
            }
        ],
        "rejected": {"renewable": 1},
        "relax": [],
        "break_even": [{"axis": "price", "direction": "up", "weight_ppm": 605_500, "offer": "ofr_c"}],
        "considered": 5,
        "round": "rnd_1",
    } | changes


def wallet(**changes: Any) -> dict[str, Any]:
    return {
        "object": "wallet",
        "currency": "USD",
        "livemode": False,
        "available_minor": 123_450,
        "held_minor": 7_887,
        "frozen_minor": 0,
    } | changes


def topup(state: str = "open", **changes: Any) -> dict[str, Any]:
    return {
        "object": "topup",
        "id": "pay_7K",
        "state": state,
        "reason": None,
        "currency": "USD",
        "livemode": False,
        "amount_minor": 5_000,
        "captured_minor": 5_000 if state == "succeeded" else 0,
        "refunded_minor": 0,
        "automatic": False,
        "url": "https://pay.example/cs_7K" if state == "open" else None,
        "created_at": "2026-11-24T00:59:58Z",
    } | changes


def refund(refund_id: str = "rfd_1", **changes: Any) -> dict[str, Any]:
    return {
        "object": "refund",
        "id": refund_id,
        "topup": "pay_7K",
        "state": "new",
        "reason": None,
        "currency": "USD",
        "livemode": False,
        "amount_minor": 1_250,
        "created_at": "2026-11-24T01:00:00Z",
    } | changes


def movement(movement_id: str, kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "movement",
        "id": movement_id,
        "kind": kind,
        "reference": "hld_1",
        "currency": "USD",
        "livemode": False,
        "available_minor": 0,
        "held_minor": 0,
        "frozen_minor": 0,
        "posted_at": "2026-11-24T00:30:00Z",
    } | changes


def standing_order(**changes: Any) -> dict[str, Any]:
    return {
        "object": "standing_order",
        "id": "sto_5Kq",
        "state": "active",
        "version": 3,
        "units": 2,
        "where": {"accelerator": ["H100"], "price__lte": 250, "renewable_share__gte": 0.8, "tier": ["firm"]},
        "ahead_hours": 24,
        "block_hours": 6,
        "ends_at": None,
        "standing": "partly_kept",
        "short_of": "price",
        "hours_wanted": 24,
        "hours_kept": 18,
        "kept_until": "2026-11-24T20:00:00Z",
        "budget": "bud_1",
        "currency": "USD",
        "limit_minor": 50_000,
        "held_minor": 8_000,
        "spent_minor": 0,
        "left_minor": 42_000,
        "looked_at": "2026-11-24T01:00:00Z",
        "created_at": "2026-11-24T00:30:00Z",
    } | changes


def wait(**changes: Any) -> dict[str, Any]:
    return {
        "object": "wait",
        "id": "wai_3Fp",
        "state": "waiting",
        "version": 1,
        "outcome": "waiting",
        "units": 4,
        "hours": 6,
        "where": {"accelerator": ["H100"], "price__lte": 250},
        "start_after": None,
        "start_by": "2026-11-24T18:00:00Z",
        "reserve": False,
        "position": 3,
        "expected_start": "2026-11-24T20:00:00Z",
        "in_time": False,
        "reservation": None,
        "answer_by": None,
        "looked_at": "2026-11-24T01:00:00Z",
        "created_at": "2026-11-24T00:30:00Z",
    } | changes


def decision(decision: str, sentence: str, **changes: Any) -> dict[str, Any]:
    return {
        "at": "2026-11-24T00:31:00Z", "decision": decision, "reason": None, "sentence": sentence, "facts": {},
    } | changes  # fmt: skip
