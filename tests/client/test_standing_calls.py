"""Standing orders and the waiting list, as both clients ask for them."""

import asyncio
from datetime import UTC, datetime

from joulemart import AsyncClient, Client

from . import answers
from .answers import page
from .stand_in import KEY, Answer, StandIn
from .test_calls import BUSY, keys


def test_a_standing_order_is_placed_read_and_moved(market: StandIn, client: Client) -> None:
    order = answers.standing_order()
    why = [answers.decision("short", "6 hours are not reserved.", reason="price")]
    market.on("POST", "/standing_orders", BUSY, Answer(order, 201))
    market.on("GET", "/standing_orders", Answer(page([order])))
    market.on("GET", "/standing_orders/sto_5Kq", Answer(order | {"decisions": why}))
    market.on("POST", "/standing_orders/sto_5Kq/pause", Answer(order | {"state": "paused"}))
    where = {"accelerator": "H100", "price__lte": 250}
    until = datetime(2026, 12, 1, tzinfo=UTC)

    made = client.standing_orders.place(units=2, where=where, limit_minor=50_000, block_hours=6, ends_at=until)

    assert (made.id, made.standing, made.hours_kept) == ("sto_5Kq", "partly_kept", 18)
    assert market.asked("POST", "/standing_orders")[-1].json == {
        "units": 2, "where": where, "limit_minor": 50_000, "block_hours": 6, "ends_at": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    assert len(set(keys(market, "/standing_orders"))) == 1
    assert [each.id for each in client.standing_orders.list()] == ["sto_5Kq"]
    assert [each.reason for each in client.standing_orders.get("sto_5Kq").decisions] == ["price"]
    assert client.standing_orders.pause("sto_5Kq").state == "paused"


def test_async_standing_orders_make_the_same_calls(market: StandIn) -> None:
    order = answers.standing_order()
    market.on("POST", "/standing_orders", Answer(order, 201))
    market.on("GET", "/standing_orders", Answer(page([order])))
    market.on("GET", "/standing_orders/sto_5Kq", Answer(order))
    for verb, state in (("pause", "paused"), ("resume", "active"), ("cancel", "cancelled")):
        market.on("POST", f"/standing_orders/sto_5Kq/{verb}", Answer(order | {"state": state}))

    async def use() -> list[str]:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            orders = client.standing_orders
            made = await orders.place(units=1, where={"accelerator": "H100", "price__lte": 250}, limit_minor=1)
            listed = [each.id or "" async for each in orders.list()]
            found = await orders.get(made.id or "")
            moved = [await act("sto_5Kq") for act in (orders.pause, orders.resume, orders.cancel)]
            return [*listed, found.state, *(each.state for each in moved)]

    assert asyncio.run(use()) == ["sto_5Kq", "active", "paused", "active", "cancelled"]


def test_the_waiting_list_is_joined_read_and_left(market: StandIn, client: Client) -> None:
    wait = answers.wait()
    market.on("POST", "/waits", BUSY, Answer(wait, 201))
    market.on("GET", "/waits", Answer(page([wait])))
    market.on("GET", "/waits/wai_3Fp", Answer(answers.wait(outcome="offered", reservation="rsv_1")))
    market.on("POST", "/waits/wai_3Fp/leave", Answer(answers.wait(state="left", outcome="left")))
    by = datetime(2026, 11, 24, 18, tzinfo=UTC)

    made = client.waits.join(units=4, hours=6, where={"accelerator": "H100"}, start_by=by)

    assert (made.position, made.expected_start, made.in_time) == (3, datetime(2026, 11, 24, 20, tzinfo=UTC), False)
    assert market.asked("POST", "/waits")[-1].json == {
        "units": 4, "hours": 6, "where": {"accelerator": "H100"}, "start_by": "2026-11-24T18:00:00Z", "reserve": False,
    }  # fmt: skip
    assert len(set(keys(market, "/waits"))) == 1
    assert [each.id for each in client.waits.list()] == ["wai_3Fp"]
    assert client.waits.get("wai_3Fp").reservation == "rsv_1"
    assert client.waits.leave("wai_3Fp").outcome == "left"


def test_the_async_waiting_list_makes_the_same_calls(market: StandIn) -> None:
    wait = answers.wait()
    market.on("POST", "/waits", Answer(wait, 201))
    market.on("GET", "/waits", Answer(page([wait])))
    market.on("GET", "/waits/wai_3Fp", Answer(wait))
    market.on("POST", "/waits/wai_3Fp/leave", Answer(answers.wait(state="left", outcome="left")))

    async def use() -> list[str | None]:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            made = await client.waits.join(units=1, hours=1, offer="ofr_1", reserve=True)
            listed = [each.id async for each in client.waits.list()]
            found, left = await client.waits.get("wai_3Fp"), await client.waits.leave("wai_3Fp")
            return [made.id, *listed, found.outcome, left.outcome]

    assert asyncio.run(use()) == ["wai_3Fp", "wai_3Fp", "waiting", "left"]
    assert market.asked("POST", "/waits")[-1].json["offer"] == "ofr_1"
