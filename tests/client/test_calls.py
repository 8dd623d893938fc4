"""Calls: keys kept over tries, pauses, typed errors, paging, objects."""

import asyncio
from datetime import UTC, datetime

import joulemart
import pytest
from joulemart import AsyncClient, Client, RetryPolicy
from joulemart.errors import ApiError

from . import answers
from .answers import page
from .stand_in import CUT, KEY, Answer, Exchange, Seen, StandIn, problem

BUSY = problem(503, "unavailable", "try later")


def keys(market: StandIn, path: str) -> list[str]:
    return [seen.headers["idempotency-key"] for seen in market.asked("POST", path)]


def test_a_post_keeps_its_key_over_every_retry(market: StandIn, client: Client, pauses: list[float]) -> None:
    market.on("POST", "/reservations", BUSY, CUT, problem(429, "rate_limited"), Answer(answers.reservation(), 201))

    made = client.reservations.create(quote="qte_7Hn2")

    assert made.id == "rsv_90ab"
    assert len(keys(market, "/reservations")) == 4
    assert len(set(keys(market, "/reservations"))) == 1
    assert pauses == [0.5, 1.0, 2.0]


def test_two_posts_never_share_a_key(market: StandIn, client: Client) -> None:
    market.on("POST", "/reservations", Answer(answers.reservation(), 201))

    client.reservations.create(quote="qte_1")
    client.reservations.create(quote="qte_2")

    assert len(set(keys(market, "/reservations"))) == 2


def test_a_given_key_is_the_one_sent(market: StandIn, client: Client) -> None:
    market.on("POST", "/reservations", Answer(answers.reservation(), 201))

    client.reservations.create(quote="qte_1", idempotency_key="mine")

    assert keys(market, "/reservations") == ["mine"]


def test_an_outage_ends_after_three_retries_with_the_servers_words(market: StandIn, client: Client) -> None:
    market.on("GET", "/offers/ofr_1", problem(503, "unavailable", "maintenance until noon", request_id="req_1"))

    with pytest.raises(joulemart.Unavailable, match="maintenance until noon") as refusal:
        client.offers.get("ofr_1")

    assert len(market.asked("GET", "/offers/ofr_1")) == 4
    assert refusal.value.request_id == "req_1"


def test_an_address_nobody_listens_at_is_named(market: StandIn, pauses: list[float]) -> None:
    url = market.url
    market.close()

    with (
        Client(url=url, api_key=KEY, sleep=pauses.append) as client,
        pytest.raises(joulemart.ConnectionLost, match=url),
    ):
        client.offers.get("ofr_1")

    assert len(pauses) == 3


def test_retry_after_is_obeyed(market: StandIn, client: Client, pauses: list[float]) -> None:
    market.on(
        "GET", "/offers/ofr_1", problem(429, "rate_limited", headers={"Retry-After": "7"}), Answer(answers.offer())
    )

    client.offers.get("ofr_1")

    assert pauses == [7.0]


def test_a_wait_of_minutes_is_told_instead_of_slept(market: StandIn, client: Client, pauses: list[float]) -> None:
    market.on("GET", "/offers/ofr_1", problem(429, "rate_limited", headers={"Retry-After": "600"}))

    with pytest.raises(joulemart.RateLimited) as refusal:
        client.offers.get("ofr_1")

    assert (refusal.value.retry_after_s, pauses) == (600.0, [])


def test_jitter_is_drawn_from_zero_to_a_doubling_cap() -> None:
    bounds: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    policy = RetryPolicy(base_s=1, cap_s=5, uniform=draw)

    for retry in range(5):
        policy.jitter(retry)

    assert bounds == [(0, 1), (0, 2), (0, 4), (0, 5), (0, 5)]


def test_a_first_try_still_in_flight_is_waited_for(market: StandIn, client: Client) -> None:
    in_flight = problem(409, "request_in_flight", "the same key is being worked on")
    market.on("POST", "/reservations", CUT, in_flight, Answer(answers.reservation(), 201))

    assert client.reservations.create(quote="qte_1").state == "confirmed"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "unknown_parameter", joulemart.Invalid),
        (401, "key_revoked", joulemart.Unauthenticated),
        (402, "insufficient_funds", joulemart.MoneyRefused),
        (403, "scope_missing", joulemart.Forbidden),
        (403, "budget_exceeded", joulemart.MoneyRefused),
        (404, "not_found", joulemart.NotFound),
        (409, "capacity_taken", joulemart.Conflict),
        (410, "quote_expired", joulemart.Expired),
        (412, "stale_version", joulemart.Conflict),
        (422, "validation_failed", joulemart.Invalid),
        (422, "idempotency_mismatch", joulemart.Conflict),
        (422, "never_fits", joulemart.NothingFits),
        (428, "precondition_required", joulemart.Conflict),
    ],
)
def test_a_refusal_is_typed_and_asked_once(
    market: StandIn, client: Client, status: int, code: str, kind: type[ApiError]
) -> None:
    market.on("POST", "/quotes", problem(status, code, "no", facts={"a": 1}, hint="0.8"))

    with pytest.raises(ApiError) as refusal:
        client.quotes.create(hours=1)

    assert type(refusal.value) is kind
    assert (refusal.value.code, refusal.value.facts, refusal.value.hint) == (code, {"a": 1}, "0.8")
    assert len(market.asked("POST", "/quotes")) == 1


def test_a_refusal_names_each_wrong_field(market: StandIn, client: Client) -> None:
    wrong = {"pointer": "/resources/accelerator", "code": "unknown", "detail": "unknown key", "hint": "accelerators"}
    market.on("POST", "/jobs", problem(422, "job_file_invalid", errors=[wrong | {"line": 2, "column": 13}]))

    with pytest.raises(joulemart.Invalid) as refusal:
        client.jobs.create(text="name: x")

    (field,) = refusal.value.errors
    assert (field.pointer, field.hint, field.line, field.column) == ("/resources/accelerator", "accelerators", 2, 13)


def test_a_page_that_is_not_the_api_is_called_that(market: StandIn, client: Client) -> None:
    market.on("GET", "/offers/ofr_1", Answer(b"<html>", headers={"Content-Type": "text/html"}))

    with pytest.raises(joulemart.UnexpectedAnswer, match="text/html, not JSON"):
        client.offers.get("ofr_1")


def test_an_answer_without_a_needed_field_names_it(market: StandIn, client: Client) -> None:
    market.on("GET", "/reservations/rsv_1", Answer({"id": "rsv_1", "start": "2026-11-24T02:00:00Z"}))

    with pytest.raises(joulemart.UnexpectedAnswer, match="Reservation lacks end"):
        client.reservations.get("rsv_1")


def test_a_list_reads_all_its_pages_and_no_row_twice(market: StandIn, client: Client) -> None:
    pages = [[answers.offer(f"ofr_{n}") for n in numbers] for numbers in ((1, 2), (3, 4), (5,))]
    market.on("GET", "/offers", *(Answer(page(rows, has_more=rows is not pages[-1])) for rows in pages))

    found = [offer.id for offer in client.offers.list(near="shanghai", accelerator=["H100", "A100"], limit=2)]

    assert found == ["ofr_1", "ofr_2", "ofr_3", "ofr_4", "ofr_5"]
    first, second, third = market.asked("GET", "/offers")
    assert first.query == [("near", "shanghai"), ("accelerator", "H100"), ("accelerator", "A100"), ("limit", "2")]
    assert dict(second.query)["starting_after"] == "ofr_2"
    assert dict(third.query)["starting_after"] == "ofr_4"


def test_a_servers_own_cursor_is_followed(market: StandIn, client: Client) -> None:
    first = page([answers.offer("ofr_1")], has_more=True) | {"next_cursor": "cur_a"}
    market.on("GET", "/offers", Answer(first), Answer(page([answers.offer("ofr_2")])))

    assert len(list(client.offers.list())) == 2
    assert dict(market.asked("GET", "/offers")[1].query) == {"starting_after": "cur_a"}


def test_objects_are_typed_frozen_and_keep_what_they_do_not_know(market: StandIn, client: Client) -> None:
    market.on("GET", "/offers/ofr_1", Answer(answers.offer(later="kept")))

    offer = client.offers.get("ofr_1")

    assert offer.match is not None
    assert offer.match.start == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert (offer.site.name, offer.match.fit.total, offer.raw["later"]) == ("Huaihe Solar Park", 77.3, "kept")
    with pytest.raises(AttributeError):
        offer.title = "other"  # type: ignore[misc]


def test_a_bare_id_stands_for_its_object(market: StandIn, client: Client) -> None:
    market.on("GET", "/reservations/rsv_1", Answer(answers.reservation(offer="ofr_9", site="sit_9")))

    found = client.reservations.get("rsv_1")

    assert found.offer is not None
    assert found.offer.id == "ofr_9"


def test_a_quote_sends_limits_and_times_as_the_api_reads_them(market: StandIn, client: Client) -> None:
    market.on("POST", "/quotes", Answer(answers.quote(), 201))

    client.quotes.create(
        units=8, hours=6, where={"near": "shanghai", "region": None}, start=datetime(2026, 11, 24, 2, tzinfo=UTC)
    )

    body = market.asked("POST", "/quotes")[0].json
    assert body == {"units": 8, "hours": 6, "where": {"near": "shanghai"}, "start": "2026-11-24T02:00:00Z"}


def test_publishing_names_the_version_it_read(market: StandIn, client: Client) -> None:
    market.on("GET", "/offers/ofr_1", Answer(answers.offer("ofr_1"), headers={"ETag": '"v11"'}))
    market.on("POST", "/offers/ofr_1/publish", Answer(answers.offer("ofr_1", version=12)))

    assert client.offers.publish("ofr_1").version == 12
    assert market.asked("POST", "/offers/ofr_1/publish")[0].headers["if-match"] == '"v11"'


def test_the_async_client_makes_the_same_calls(market: StandIn) -> None:
    market.on("GET", "/me", Answer(answers.me()))
    market.on("POST", "/reservations", BUSY, Answer(answers.reservation(), 201))
    rows = [answers.offer("ofr_1")], [answers.offer("ofr_2")]
    market.on("GET", "/offers", Answer(page(rows[0], has_more=True)), Answer(page(rows[1])))

    async def use() -> tuple[str, list[str], str]:
        policy = RetryPolicy(uniform=lambda low, high: 0.0)
        async with AsyncClient(url=market.url, api_key=KEY, policy=policy) as client:
            made = await client.reservations.create(quote="qte_1")
            found = [offer.id async for offer in client.offers.list()]
            return made.id, found, (await client.me()).email

    assert asyncio.run(use()) == ("rsv_90ab", ["ofr_1", "ofr_2"], "buyer@example.com")
    assert len(set(keys(market, "/reservations"))) == 1


def test_costs_come_piece_by_piece_and_a_broken_file_is_told(market: StandIn, client: Client) -> None:
    csv = {"Content-Type": "text/csv"}
    market.on("GET", "/usage", BUSY, Answer(b"BilledCost\n1.00\n", headers=csv))

    assert b"".join(client.usage.focus("2026-11")) == b"BilledCost\n1.00\n"
    [_, asked] = market.asked("GET", "/usage")
    assert asked.query == [("format", "focus"), ("month", "2026-11")]
    assert asked.headers["accept"].startswith("text/csv")

    def broken(exchange: Exchange, seen: Seen) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Length", "100")
        exchange.end_headers()
        exchange.wfile.write(b"BilledCost\n")
        exchange.cut()

    market.on("GET", "/usage", broken)
    with pytest.raises(joulemart.ConnectionLost):
        list(client.usage.focus())


def test_the_async_client_reads_costs_as_well(market: StandIn) -> None:
    market.on("GET", "/usage", Answer(b"BilledCost\n"))

    async def read() -> bytes:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            return b"".join([piece async for piece in client.usage.focus("2026-11")])

    assert asyncio.run(read()) == b"BilledCost\n"


def test_the_wallet_pays_in_waits_sends_back_and_tells_what_moved(
    market: StandIn, client: Client, pauses: list[float]
) -> None:
    market.on("GET", "/wallet", Answer(page([answers.wallet(), answers.wallet(currency="EUR")])))
    market.on("POST", "/wallet/topups", BUSY, Answer(answers.topup(), 201))
    market.on("GET", "/wallet/topups/pay_7K", Answer(answers.topup()), Answer(answers.topup("succeeded")))
    market.on("POST", "/wallet/refunds", Answer(page([answers.refund()]), 201))
    market.on("GET", "/wallet/movements", Answer(page([answers.movement("jrn_1", "topup", available_minor=5_000)])))

    started = client.wallet.topup(5_000, save_method=True)
    paid = client.wallet.wait_for(started.id)

    assert (client.wallet.get().currency, len(client.wallet.all())) == ("USD", 2)
    assert market.asked("POST", "/wallet/topups")[-1].json == {"amount_minor": 5_000, "save_method": True}
    assert len(set(keys(market, "/wallet/topups"))) == 1
    assert (started.url, started.is_decided, paid.is_decided) == ("https://pay.example/cs_7K", False, True)
    assert pauses[-1] == 2.0
    assert [(each.id, each.amount_minor) for each in client.wallet.refund(1_250)] == [("rfd_1", 1_250)]
    assert [(each.kind, each.available_minor) for each in client.wallet.movements()] == [("topup", 5_000)]


def test_a_wait_for_a_topup_ends_in_time(market: StandIn, client: Client) -> None:
    market.on("GET", "/wallet/topups/pay_7K", Answer(answers.topup()))

    with pytest.raises(joulemart.WaitTimedOut, match="pay_7K is open"):
        client.wallet.wait_for("pay_7K", timeout_s=0)


def test_the_async_wallet_makes_the_same_calls(market: StandIn) -> None:
    market.on("GET", "/wallet", Answer(page([answers.wallet()])))
    market.on("POST", "/wallet/topups", Answer(answers.topup(), 201))
    market.on("GET", "/wallet/topups/pay_7K", Answer(answers.topup("succeeded")))
    market.on("POST", "/wallet/refunds", Answer(page([answers.refund()]), 201))
    market.on("GET", "/wallet/movements", Answer(page([answers.movement("jrn_1", "topup")])))

    async def use() -> tuple[int, str, str, list[str]]:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            started = await client.wallet.topup(5_000)
            paid = await client.wallet.wait_for(started.id)
            back = await client.wallet.refund(1_250)
            moved = [each.id async for each in client.wallet.movements()]
            return (await client.wallet.get()).available_minor, paid.state, back[0].id, moved

    assert asyncio.run(use()) == (123_450, "succeeded", "rfd_1", ["jrn_1"])


def test_a_provider_is_shown_what_giving_up_comes_to_and_agrees_to_no_more(market: StandIn, client: Client) -> None:
    path = "/sold_reservations/rsv_90ab/give_up"
    market.on("GET", "/sold_reservations", Answer(page([answers.sold()])))
    market.on("POST", path, Answer(answers.sold()), BUSY, Answer(answers.sold(state="failed", reason="power_lost")))

    [promised] = client.reservations.sold()
    shown = client.reservations.plan_give_up(promised.id, reason="power_lost")
    assert shown.given_up is not None
    ended = client.reservations.give_up(promised.id, reason="power_lost", provider_minor=shown.given_up.provider_minor)

    asked = market.asked("POST", path)
    assert [dict(each.query) for each in asked] == [{"dry_run": "true"}, {}, {}]
    assert asked[-1].json == {"reason": "power_lost", "provider_minor": 760}
    assert len(set(keys(market, path)[1:])) == 1
    assert (ended.state, ended.reason) == ("failed", "power_lost")


def test_the_async_client_gives_up_by_the_same_calls(market: StandIn) -> None:
    path = "/sold_reservations/rsv_90ab/give_up"
    market.on("GET", "/sold_reservations", Answer(page([answers.sold()])))
    market.on("POST", path, Answer(answers.sold()), Answer(answers.sold(state="failed")))

    async def use() -> list[str]:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            [promised] = [each async for each in client.reservations.sold()]
            await client.reservations.plan_give_up(promised.id, reason="withdrawn")
            ended = await client.reservations.give_up(promised.id, reason="withdrawn")
            return [promised.state, ended.state]

    assert asyncio.run(use()) == ["confirmed", "failed"]
    assert market.asked("POST", path)[-1].json == {"reason": "withdrawn"}
