"""A market with one of everything, for sessions of the command."""

from typing import Any

from . import answers
from .answers import FACTORS, ended_job, page
from .stand_in import Answer, Exchange, Seen, StandIn, event, problem, stream

RELAX = [
    {"limit": "latency", "to": 27, "offers": 3, "offer": "ofr_b", "sentence": "latency to 27 ms: 3 offers return"},
    {"limit": "renewable", "to": 0.56, "offers": 1, "offer": "ofr_e"},
]
MISSPELT = {
    "pointer": "/resources/accelerator",
    "code": "job_file_invalid",
    "detail": "unknown key accelerator",
    "hint": "accelerators",
    "line": 2,
    "column": 13,
}


FOCUS = "BilledCost,ResourceId,RegionName\n18.27,job_4f21,淮河\n".encode()


def set_up(market: StandIn) -> None:
    """Answers of a quiet day: one offer is best, job_4f21 succeeds, job_lost has no place."""
    _shelf(market)
    _jobs(market)
    _provider(market)
    _costs(market)
    _money(market)
    _standing(market)
    _waits(market)


def _shelf(market: StandIn) -> None:
    edge = answers.offer(
        "ofr_hz_e2",
        site={"id": "sit_2", "name": "杭州边缘"},
        hardware={"slug": "l40s", "accelerator": "L40S"},
        match=answers.match(
            letter="B", total_minor=12_345_678, unit_price_mm=72_500, latency_ms=1200, renewable_share_ppm=0
        ),
    )
    market.on("GET", "/me", Answer(answers.me()))
    market.on("GET", "/offers", _offers(answers.offer(), edge))
    market.on("GET", "/offers/ofr_wuhu_f1", Answer(answers.offer()))
    market.on("POST", "/quotes", _quote)
    market.on("GET", "/quotes/qte_7Hn2", Answer(answers.quote()))
    market.on("GET", "/reservations/rsv_90ab", Answer(answers.reservation()))
    market.on("POST", "/reservations", Answer(answers.reservation(), 201))
    reserved = [answers.reservation(), answers.reservation(id="rsv_1", state="held", units=1, total_minor=-50)]
    market.on("GET", "/reservations", Answer(page(reserved)))
    market.on("POST", "/reservations/rsv_90ab/extend", Answer(answers.extended()))
    market.on("POST", "/reservations/rsv_90ab/resize", Answer(answers.resized()))
    market.on("POST", "/reservations/rsv_90ab/cancel", Answer(answers.reservation(state="cancelled")))


def _costs(market: StandIn) -> None:
    def script(exchange: Exchange, seen: Seen) -> None:
        if ("month", "2026-13") in seen.query:
            exchange.send(problem(400, "invalid_parameter", "a month is a year and a number"))
        else:
            exchange.send(Answer(FOCUS, headers={"Content-Type": "text/csv; charset=utf-8"}))

    market.on("GET", "/usage", script)


def _offers(*rows: dict[str, Any]) -> Any:
    def script(exchange: Exchange, seen: Seen) -> None:
        exchange.send(Answer(page([row for row in rows if ("q", "nothing") not in seen.query])))

    return script


def _quote(exchange: Exchange, seen: Seen) -> None:
    where = seen.json["where"]
    if where.get("latency_ms__lte") == 1:
        facts = {"rejected": {"latency": 3, "renewable": 2}, "relax": RELAX}
        exchange.send(problem(422, "no_offer_fits", "no offer meets every limit", facts=facts))
    elif "offer" in seen.json:
        exchange.send(Answer(answers.quote(), 201))
    else:
        second = answers.option(2, offer={"id": "ofr_hz_e2", "title": "L40S"}, total_minor=9_001)
        exchange.send(Answer(answers.quote(options=[answers.option(), second]), 201))


def _jobs(market: StandIn) -> None:
    lost = answers.job(
        id="job_lost",
        queue={
            "position": 3,
            "waiting_s": 125,
            "expected_start": {"p50": "2026-11-24T03:00:00Z", "p90": "2026-11-24T05:00:00Z"},
        },
        unplaced={
            "code": "no_offer_fits",
            "rejected": {"latency": 5},
            "relax": RELAX[:1],
            "sentence": "No offer is within 1 ms of shanghai.",
        },
    )
    market.on("POST", "/jobs", _submitted)
    ran = ended_job(started_at="2026-11-23T18:00:00Z", finished_at="2026-11-23T23:42:00Z")
    market.on("GET", "/jobs", Answer(page([ran, lost])))
    market.on("GET", "/jobs/job_lost", Answer(lost))
    market.on("GET", "/jobs/job_in", Answer(answers.job("allocated", id="job_in", reservation="rsv_90ab")))
    market.on("POST", "/jobs/job_lost/relax", Answer(lost))
    market.on("GET", "/jobs/job_lost/why", Answer(answers.why(**_unplaced_why())))
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("allocated")), Answer(ended_job()))
    market.on("GET", "/jobs/job_4f21/why", Answer(answers.why()))
    market.on("POST", "/jobs/job_4f21/cancel", problem(409, "illegal_state", "job_4f21 has ended: it is succeeded"))
    market.on("POST", "/jobs/job_4f21/retry", Answer(answers.job(id="job_5a22"), 201))
    market.on("GET", "/jobs/job_4f21/artifacts", Answer(page([answers.output()])))
    market.on("GET", "/files/token1", Answer(FACTORS))
    market.on("GET", "/jobs/job_4f21/logs", _log)


def _unplaced_why() -> dict[str, Any]:
    return {
        "job": "job_lost",
        "sentence": "No offer is within 1 ms of shanghai.",
        "chosen": None,
        "runner_up": None,
        "others": [],
        "break_even": [],
        "rejected": {"latency": 5},
        "relax": RELAX[:1],
        "round": None,
    }


def _submitted(exchange: Exchange, seen: Seen) -> None:
    if "accelerator:" in seen.json["file"]:
        exchange.send(problem(422, "job_file_invalid", "the job file is wrong", errors=[MISSPELT]))
    elif ("dry_run", "true") in seen.query:
        report = [
            {"pointer": "/name", "action": "kept", "to": None, "detail": ""},
            {
                "pointer": "/resources/region",
                "action": "dropped",
                "to": None,
                "detail": "the matcher chooses the region",
            },
        ]
        stops = answers.allocation() | ({"stops_after_s": 4_522} if "budget_stop" in seen.json["file"] else {})
        exchange.send(Answer(answers.job("allocated") | {"id": None, "allocation": stops, "report": report}))
    else:
        exchange.send(Answer(answers.job(), 201))


def _log(exchange: Exchange, seen: Seen) -> None:
    line = {"attempt": "att_1", "number": 1, "offset": 0, "next_offset": 19, "text": FACTORS.decode().strip()}
    query = dict(seen.query)
    if "follow" not in query:
        exchange.send(Answer(Answer(line).bytes() + b"\n" if query["offset"] == "0" else b""))
        return
    states = ["queued", "allocated", "starting", "running", "succeeded"]
    given = {"allocation": answers.allocation()}
    changes = [
        event("state", {"state": state, "version": place} | (given if place > 1 else {}))
        for place, state in enumerate(states, 1)
    ]
    stream(*changes[:4], event("log", line, "1-19"), changes[4], event("end", {}))(exchange, seen)


def _provider(market: StandIn) -> None:
    agent = {
        "id": "agt_1",
        "name": "rack-1",
        "silent": False,
        "engine": "process",
        "version": "0.1.0",
        "units": 4,
        "site": {"id": "sit_1", "name": "Huaihe Solar Park"},
        "last_seen_at": "2026-11-24T00:59:58Z",
    }
    market.on("GET", "/agents", Answer(page([agent])))
    market.on("GET", "/sold_reservations", Answer(page([answers.sold()])))
    market.on("POST", "/sold_reservations/rsv_90ab/give_up", _given_up)
    market.on("POST", "/offers/ofr_wuhu_f1/pause", Answer(answers.offer(state="paused", version=12)))
    market.on("POST", "/offers/ofr_wuhu_f1/publish", problem(412, "stale_version", "the offer is version 13 by now"))


def _money(market: StandIn) -> None:
    moved = [
        answers.movement("jrn_3", "release", available_minor=561, held_minor=-561, reference="hld_1:1"),
        answers.movement("jrn_2", "hold", available_minor=-2388, held_minor=2388),
        answers.movement("jrn_1", "topup", available_minor=10_000, reference="pi_1"),
    ]
    market.on("GET", "/wallet", Answer(page([answers.wallet()])))
    market.on("GET", "/wallet/movements", Answer(page(moved)))
    market.on("POST", "/wallet/topups", _topup)
    market.on("GET", "/wallet/topups/pay_7K", Answer(answers.topup("processing")), Answer(answers.topup("succeeded")))
    refunds = [answers.refund(), answers.refund("rfd_2", topup="pay_6B", amount_minor=750)]
    market.on("POST", "/wallet/refunds", _refund(Answer(page(refunds), 201)))


def _standing(market: StandIn) -> None:
    order = answers.standing_order()
    why = "6 hours are not reserved: whatever else fits costs more than the order allows."
    decisions = [
        answers.decision("short", why, reason="price"),
        answers.decision("active", "Hours are bought from now on."),
    ]

    def place(exchange: Exchange, seen: Seen) -> None:
        tried = ("dry_run", "true") in seen.query
        fresh = answers.standing_order(standing=None, short_of=None, hours_kept=0, left_minor=50_000)
        exchange.send(Answer(fresh, 200 if tried else 201))

    market.on("POST", "/standing_orders", place)
    market.on("GET", "/standing_orders", Answer(page([order])))
    market.on("GET", "/standing_orders/sto_5Kq", Answer(order | {"decisions": decisions}))
    for verb, state in (("pause", "paused"), ("resume", "active"), ("cancel", "cancelled")):
        market.on(
            "POST",
            f"/standing_orders/sto_5Kq/{verb}",
            Answer(answers.standing_order(state=state, standing=None, short_of=None)),
        )


def _waits(market: StandIn) -> None:
    wait = answers.wait()
    offered = answers.wait(
        id="wai_3Fq", state="served", outcome="offered", position=None, expected_start=None, in_time=None,
        reservation="rsv_90ab", answer_by="2026-11-24T02:00:00Z",
    )  # fmt: skip

    def join(exchange: Exchange, seen: Seen) -> None:
        exchange.send(Answer(wait, 200 if ("dry_run", "true") in seen.query else 201))

    market.on("POST", "/waits", join)
    market.on("GET", "/waits", Answer(page([offered, wait])))
    market.on("GET", "/waits/wai_3Fp", Answer(wait))
    market.on("GET", "/waits/wai_3Fq", Answer(offered))
    gone = answers.wait(state="left", outcome="left", position=None, expected_start=None, in_time=None)
    market.on("POST", "/waits/wai_3Fp/leave", Answer(gone))


def _topup(exchange: Exchange, seen: Seen) -> None:
    amount = seen.json["amount_minor"]
    if amount < 500:
        facts = {"least": 500, "most": 1_000_000, "amount": amount}
        detail = "a top-up is from 5.00 to 10000.00 USD (500 to 1000000 minor units)"
        exchange.send(problem(422, "amount_out_of_range", detail, hint="500", facts=facts))
    else:
        exchange.send(Answer(answers.topup(amount_minor=amount), 201))


def _refund(made: Answer) -> Any:
    def script(exchange: Exchange, seen: Seen) -> None:
        if seen.json["amount_minor"] > 2_000:
            detail = "20.00 USD (2000 minor units) was paid by card and has not gone back"
            exchange.send(problem(422, "refund_exceeds_payment", detail, hint="2000"))
        else:
            exchange.send(made)

    return script


def _given_up(exchange: Exchange, seen: Seen) -> None:
    """Shown with dry_run; refused where more than what was shown would be owed."""
    if ("dry_run", "true") in seen.query:
        exchange.send(Answer(answers.sold()))
    else:
        exchange.send(Answer(answers.sold(state="failed", reason=(seen.json or {})["reason"])))
