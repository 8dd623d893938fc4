"""Followed logs and waits: over cut connections, repeats, gaps, silence."""

import asyncio
import json
import random
from typing import Any

import joulemart
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joulemart import AsyncClient, Client, RetryPolicy
from joulemart.sse import ServerSentEvent, SseParser

from . import answers
from .stand_in import CUT, KEY, Answer, Exchange, Seen, StandIn, event, problem, stream

LOG = "/jobs/job_4f21/logs"


def log_line(text: str, offset: int, number: int = 1) -> dict[str, Any]:
    return {
        "attempt": f"att_{number}",
        "number": number,
        "offset": offset,
        "next_offset": offset + len(text.encode()) + 1,
        "text": text,
        "at": "2026-11-24T02:00:00Z",
    }


def whole_log(lines: int = 300) -> list[dict[str, Any]]:
    """Two attempts; the second starts again at offset 0."""
    rows: list[dict[str, Any]] = []
    for number in (1, 2):
        offset = 0
        for place in range(lines // 2):
            rows.append(log_line(f"attempt {number}: 步骤 {place} " + "x" * (place % 7), offset, number))
            offset = rows[-1]["next_offset"]
    return rows


def as_event(row: dict[str, Any]) -> bytes:
    return event("log", row, f"{row['number']}-{row['next_offset']}")


class CuttingServer:
    """Serves a log from Last-Event-ID on, and drops the first `cuts` connections in the middle of an event."""

    def __init__(self, rows: list[dict[str, Any]], cuts: int) -> None:
        self.rows = rows
        self.cuts = cuts
        self.resumed_at: list[str] = []
        self._random = random.Random(7)

    def __call__(self, exchange: Exchange, seen: Seen) -> None:
        resume = seen.headers.get("last-event-id", "")
        self.resumed_at.append(resume)
        ids = [f"{row['number']}-{row['next_offset']}" for row in self.rows]
        left = self.rows[ids.index(resume) + 1 if resume else 0 :]
        data = b": hello\n\n" + b"".join(map(as_event, left)) + event("end", {})
        exchange.begin_stream()
        if self.cuts > 0:
            self.cuts -= 1
            sent = data[: self._random.randrange(20, min(len(data) - 30, 4000))]
            exchange.wfile.write(sent)
            exchange.wfile.flush()
            exchange.cut()
        else:
            exchange.wfile.write(data)


def test_a_log_cut_twenty_times_comes_out_whole_and_once(market: StandIn, client: Client) -> None:
    rows, server = whole_log(), CuttingServer(whole_log(), cuts=20)
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    market.on("GET", LOG, server)

    lines = list(client.jobs.get("job_4f21").logs(follow=True))

    assert [line.text for line in lines] == [row["text"] for row in rows]
    assert server.cuts == 0
    assert len(server.resumed_at) == 21
    assert len(set(server.resumed_at)) > 10


def test_the_async_client_follows_over_the_same_cuts(market: StandIn) -> None:
    rows = whole_log()
    market.on("GET", "/me", Answer(answers.me()))
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    market.on("GET", LOG, CuttingServer(rows, cuts=20))

    async def use() -> list[str]:
        policy = RetryPolicy(uniform=lambda low, high: 0.0)
        async with AsyncClient(url=market.url, api_key=KEY, policy=policy) as client:
            job = await client.jobs.get("job_4f21")
            return [line.text async for line in job.logs(follow=True)]

    assert asyncio.run(use()) == [row["text"] for row in rows]


def test_lines_the_server_repeats_are_not_repeated(market: StandIn, client: Client) -> None:
    rows = whole_log(20)
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    market.on("GET", LOG, stream(*map(as_event, rows[:8])), stream(*map(as_event, rows), event("end", {})))

    lines = list(client.jobs.get("job_4f21").logs(follow=True))

    assert [line.text for line in lines] == [row["text"] for row in rows]


def test_a_gap_is_asked_for_again(market: StandIn, client: Client) -> None:
    rows = whole_log(8)
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    lossy = [as_event(row) for row in rows[:2] + rows[3:]]
    market.on("GET", LOG, stream(*lossy), stream(*map(as_event, rows[2:]), event("end", {})))

    lines = list(client.jobs.get("job_4f21").logs(follow=True))

    assert [line.text for line in lines] == [row["text"] for row in rows]
    assert market.asked("GET", LOG)[1].headers["last-event-id"] == f"1-{rows[1]['next_offset']}"


def test_a_stream_that_never_brings_anything_is_given_up(market: StandIn, client: Client) -> None:
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    market.on("GET", LOG, CUT)

    with pytest.raises(joulemart.ConnectionLost, match="broke too often"):
        list(client.jobs.get("job_4f21").logs(follow=True))


def test_the_stream_is_read_where_the_marketplace_says(market: StandIn, client: Client) -> None:
    other = StandIn()
    try:
        market.on("GET", "/me", Answer(answers.me(stream_url=other.url)))
        market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
        other.on("GET", LOG, stream(as_event(log_line("hello", 0)), event("end", {})))

        lines = list(client.jobs.get("job_4f21").logs(follow=True))

        assert [line.text for line in lines] == ["hello"]
        assert other.asked("GET", LOG)[0].headers["authorization"] == f"Bearer {KEY}"
    finally:
        other.close()


def test_the_key_never_goes_to_a_stream_on_another_host(market: StandIn, client: Client) -> None:
    market.on("GET", "/me", Answer(answers.me(stream_url="http://stream.invalid")))
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))

    with pytest.raises(joulemart.UnexpectedAnswer, match="another host"):
        list(client.jobs.get("job_4f21").logs(follow=True))

    assert market.asked("GET", LOG) == []


def test_a_stored_log_is_read_page_by_page(market: StandIn, client: Client) -> None:
    rows = whole_log(200)

    def ndjson(exchange: Exchange, seen: Seen) -> None:
        query = dict(seen.query)
        after = int(query["number"]), int(query["offset"])
        left = [row for row in rows if (row["number"], row["next_offset"]) > after][:30]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in left)
        exchange.send(Answer(text.encode(), headers={"Content-Type": "application/x-ndjson"}))

    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    market.on("GET", LOG, ndjson)

    lines = list(client.jobs.get("job_4f21").logs())

    assert [line.text for line in lines] == [row["text"] for row in rows]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_parts_cut_anywhere_come_out_as_lines(market: StandIn, client: Client, size: int) -> None:
    text = "one\n\nzwei 算力超市\r\nno ending"
    parts = [text[place : place + size] for place in range(0, len(text), size)]
    events, offset = [], 0
    for part in parts:
        end = offset + len(part.encode())
        row = {"attempt": "att_1", "number": 1, "offset": offset, "next_offset": end, "text": part}
        events.append(as_event(row))
        offset = end
    second = {"attempt": "att_2", "number": 2, "offset": 0, "next_offset": 6, "text": "again\n"}
    market.on("GET", "/jobs/job_4f21", Answer(answers.job("running")))
    market.on("GET", LOG, stream(*events, as_event(second), event("end", {})))

    lines = list(client.jobs.get("job_4f21").logs(follow=True))

    assert [line.text for line in lines] == ["one", "", "zwei 算力超市", "no ending", "again"]
    assert [(line.offset, line.next_offset) for line in lines] == [(0, 4), (4, 5), (5, 24), (24, 33), (0, 6)]


def test_waiting_hears_each_state_once_and_returns_the_ended_job(market: StandIn, client: Client) -> None:
    states = ["queued", "allocated", "starting", "running", "succeeded"]
    changes = [event("state", {"state": state, "version": place}) for place, state in enumerate(states, 1)]
    market.on("GET", "/jobs/job_4f21", Answer(answers.job()), Answer(answers.ended_job()))
    market.on("GET", LOG, stream(*changes[:3]), stream(*changes[2:], event("end", {})))
    heard: list[str] = []

    ended = client.jobs.get("job_4f21").wait(on_state=lambda change: heard.append(change.state))

    assert heard == ["allocated", "starting", "running", "succeeded"]
    assert (ended.state, ended.usage.seconds, ended.cost.to_date_minor) == ("succeeded", 20_520, 7492)


def test_waiting_goes_on_by_reading_the_job_where_there_is_no_stream(market: StandIn, client: Client) -> None:
    market.on("GET", LOG, problem(404, "not_found"))
    market.on(
        "GET",
        "/jobs/job_4f21",
        Answer(answers.job()),
        Answer(answers.job("running")),
        Answer(answers.ended_job("failed")),
    )
    heard: list[str] = []

    ended = client.jobs.get("job_4f21").wait(on_state=lambda change: heard.append(change.state))

    assert ended.state == "failed"
    assert heard == ["running", "failed"]


def test_waiting_ends_when_its_time_is_up(market: StandIn, client: Client) -> None:
    market.on("GET", "/jobs/job_4f21", Answer(answers.job()))
    market.on("GET", LOG, problem(404, "not_found"))

    with pytest.raises(joulemart.WaitTimedOut, match="job_4f21 is queued after 0 s; it goes on"):
        client.jobs.get("job_4f21").wait(timeout_s=0)


EXPECTED = [
    ServerSentEvent("log", "one\ntwo", "1-5"),
    ServerSentEvent("message", "算力", "1-5"),
    ServerSentEvent("end", "", "1-9"),
]
TEXT = (
    "\ufeff: hi\n\nevent: log\nid: 1-5\ndata: one\ndata:two\nretry: 10\n\ndata: 算力\n\n"
    "event: end\nid: 1-9\ndata\n\ndata: cut off"
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_events_are_the_same_however_the_bytes_are_cut(ending: str, sizes: list[int]) -> None:
    data, parser, events = TEXT.replace("\n", ending).encode(), SseParser(), []
    place = 0
    while data:
        size = sizes[place % len(sizes)]
        events += parser.feed(data[:size])
        data, place = data[size:], place + 1

    assert events == EXPECTED
