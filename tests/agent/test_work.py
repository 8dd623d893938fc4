"""What happens to ordinary work: it runs, is watched, measured, and ends with the right reason."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.agent.standin import Marketplace


def test_work_gets_its_inputs_and_its_outputs_come_back_with_their_hashes(hall: Marketplace) -> None:
    data = bytes(range(256)) * 300
    work = hall.offer(
        'echo "$GREETING"; mkdir results; sort -r in/names > results/names; cp in/data copy.bin',
        setup="test -f in/names",
        env={"GREETING": "grüß dich"},
        inputs={"in/names": b"a\nb\n", "in/data": data},
        outputs=["results/*", "copy.bin"],
    )

    end = hall.until_ended(work)

    assert (end["reason"], end["exit_code"], end["signal"]) == ("succeeded", 0, None)
    assert work.text == "grüß dich\n"
    assert work.files == {"results/names": b"b\na\n", "copy.bin": data}
    assert [row["path"] for row in end["outputs"]] == ["copy.bin", "results/names"]
    assert work.usage["bytes_in"] == len(data) + 4


def test_python3_runs_in_the_sandbox_as_nobody_we_know(hall: Marketplace) -> None:
    work = hall.offer("python3 -c 'import os, ssl, sqlite3; print(os.getuid(), os.getcwd())'; cat /proc/self/status")

    assert hall.until_ended(work)["reason"] == "succeeded"

    assert work.text.startswith("1000 /workspace\n")
    assert "CapEff:\t0000000000000000" in work.text
    assert "NoNewPrivs:\t1" in work.text


def test_the_usage_line_is_canonical_and_signed_by_the_key_the_agent_registered(hall: Marketplace) -> None:
    work = hall.offer("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.3")

    end = hall.until_ended(work)

    row = end["usage"][0]
    line = json.loads(row["line"])
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(hall.registrations[-1]["public_key"]))
    key.verify(base64.b64decode(row["signature"]), row["line"].encode())
    assert row["line"] == json.dumps(line, sort_keys=True, separators=(",", ":"))
    assert (line["attempt"], line["lease"], line["epoch"]) == (work.body["attempt"], work.id, 1)
    assert line["milliseconds"] >= 300
    assert line["cpu_ms"] > 0
    assert line["peak_memory_bytes"] > 0
    assert line["energy_method"] in {"modelled_utilisation", "metered_node"}
    assert line["energy_wh"] >= 1


def test_while_work_runs_a_signed_line_of_its_use_is_sent_where_one_is_asked_for(hall: Marketplace) -> None:
    work = hall.offer("echo begun; while [ ! -f enough ]; do sleep 0.1; done", inputs={"in": b"1234"})
    hall.until(lambda: len(work.beats) > 2 and work.text == "begun\n", "it runs")
    assert work.told == [], "nobody asked"

    with hall.changed:
        work.usage_due = True
    hall.until(lambda: len(work.told) > 1, "it has told twice")
    with hall.changed:
        work.usage_due, work.cancel = False, {"reason": "cancelled", "grace_s": 0}
    hall.until_ended(work)

    first, second = work.told[:2]
    assert (first["attempt"], first["lease"], first["epoch"]) == (work.body["attempt"], work.id, 1)
    assert 0 < first["milliseconds"] < second["milliseconds"] <= work.usage["milliseconds"]
    assert (first["bytes_in"], second["bytes_out"]) == (4, len(work.text))


def test_an_exit_code_is_told_and_outputs_of_failed_work_are_kept(hall: Marketplace) -> None:
    work = hall.offer("echo half > part; exit 3", outputs=["part"])

    end = hall.until_ended(work)

    assert (end["reason"], end["exit_code"]) == ("exit_nonzero", 3)
    assert end["message"] == "The work ended with exit code 3."
    assert work.files == {"part": b"half\n"}


def test_setup_that_fails_ends_the_work_before_it_runs(hall: Marketplace) -> None:
    work = hall.offer("echo never", setup="echo first; false; echo not this")

    assert hall.until_ended(work)["reason"] == "exit_nonzero"

    assert work.text == "first\n"


def test_a_crash_names_its_signal(hall: Marketplace) -> None:
    end = hall.until_ended(hall.offer("kill -SEGV $$"))

    assert (end["reason"], end["signal"]) == ("exit_nonzero", 11)
    assert "SIGSEGV" in end["message"]


def test_log_lines_arrive_while_the_work_still_runs(hall: Marketplace) -> None:
    work = hall.offer("echo one; sleep 60")

    hall.until(lambda: work.text == "one\n", "the line arrives")

    assert work.finish is None
    work.cancel = {"reason": "cancelled", "grace_s": 0}
    assert hall.until_ended(work)["reason"] == "cancelled"


def test_cancelled_work_gets_its_signal_and_its_grace(hall: Marketplace) -> None:
    work = hall.offer("trap 'echo saved > state; exit 0' TERM; echo up; while :; do sleep 0.1; done", outputs=["state"])
    hall.until(lambda: work.text == "up\n", "the work is up")

    work.cancel = {"reason": "preempted", "grace_s": 10}
    end = hall.until_ended(work)

    assert end["reason"] == "preempted"
    assert work.files == {"state": b"saved\n"}


def test_work_that_ignores_the_signal_is_ended_by_force(hall: Marketplace) -> None:
    work = hall.offer("trap '' TERM; echo up; while :; do sleep 0.1; done")
    hall.until(lambda: work.text == "up\n", "the work is up")

    work.cancel = {"reason": "budget_limit", "grace_s": 0.3}
    end = hall.until_ended(work)

    assert (end["reason"], end["exit_code"]) == ("budget_limit", 137)


def test_the_time_limit_ends_work_and_no_more_than_the_limit_is_usage(hall: Marketplace) -> None:
    work = hall.offer("trap '' TERM; while :; do sleep 0.1; done", time_limit_s=1)

    end = hall.until_ended(work)

    assert (end["reason"], end["message"]) == ("time_limit", "The work was stopped at its time limit of 1 s.")
    assert work.usage["milliseconds"] == 1000


def test_a_time_limit_that_grows_while_it_runs_is_the_one_that_ends_it(hall: Marketplace) -> None:
    work = hall.offer("sleep 60", time_limit_s=4, longest_s=30)
    hall.until(lambda: work.beats and work.beats[-1]["phase"] == "running", "it runs")

    with hall.changed:
        work.time_limit_s = 6
    end = hall.until_ended(work)

    assert (end["reason"], work.usage["milliseconds"]) == ("time_limit", 6_000)
    assert "its time limit of 6 s" in end["message"]


def test_a_time_limit_does_not_fall_while_it_runs(hall: Marketplace) -> None:
    work = hall.offer("sleep 60", time_limit_s=3)

    with hall.changed:
        work.time_limit_s = 1
    end = hall.until_ended(work)

    assert (end["reason"], work.usage["milliseconds"]) == ("time_limit", 3_000)


def test_an_input_with_the_wrong_hash_never_runs(hall: Marketplace) -> None:
    work = hall.offer("echo ran", inputs={"data": b"right"})
    hall.inputs[work.body["inputs"][0]["url"]] = b"wrong"

    end = hall.until_ended(work)

    assert end["reason"] == "input_missing"
    assert "data does not have the announced SHA-256" in end["message"]
    assert work.text == ""
    assert work.usage["milliseconds"] == 0


def test_an_input_that_is_gone_is_named(hall: Marketplace) -> None:
    work = hall.offer("echo ran", inputs={"data": b"right"})
    del hall.inputs[work.body["inputs"][0]["url"]]

    assert hall.until_ended(work)["reason"] == "input_missing"
    assert work.text == ""


def test_an_input_path_that_leaves_the_folder_is_refused(hall: Marketplace) -> None:
    work = hall.offer("echo ran", inputs={"../../evil": b"x"})

    end = hall.until_ended(work)

    assert end["reason"] == "input_missing"
    assert "leaves the work folder" in end["message"]


def test_outputs_follow_no_link_and_leave_no_folder(hall: Marketplace) -> None:
    work = hall.offer("ln -s /etc/passwd stolen; mkfifo pipe; ln -s / root; echo own > own", outputs=["**"])

    assert hall.until_ended(work)["reason"] == "succeeded"

    assert work.files == {"own": b"own\n"}


def test_outputs_over_their_limit_fail_work_that_ended_well(hall: Marketplace) -> None:
    work = hall.offer("head -c 3000 /dev/zero > big", outputs=["big"], output_bytes=2000)

    end = hall.until_ended(work)

    assert end["reason"] == "output_failed"
    assert "3000 bytes; the limit is 2000" in end["message"]
    assert work.files == {}


def test_an_image_is_refused_by_an_agent_that_has_none(hall: Marketplace) -> None:
    assert hall.until_ended(hall.offer("echo ran", image="python:3.12"))["reason"] == "image_failed"


def test_a_finish_that_is_not_heard_is_told_again(hall: Marketplace) -> None:
    work = hall.offer("true", unheard=2)

    assert hall.until_ended(work)["reason"] == "succeeded"

    assert work.finishes == 3


def test_no_byte_of_many_logs_is_lost(hall: Marketplace) -> None:
    works = [hall.offer(f"seq -f 'line {name} %g' 5000") for name in "abcd"]

    for name, work in zip("abcd", works, strict=True):
        hall.until_ended(work)
        assert work.text == "".join(f"line {name} {number}\n" for number in range(1, 5001))
