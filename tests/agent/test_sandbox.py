"""What work tries against its host, and fails at: each probe runs in both sandboxes."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.conftest import AgentProcess
from tests.agent.standin import Marketplace


@pytest.fixture
def host_port() -> Iterator[int]:
    """A service on the host's own loopback that answers whoever reaches it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    guest, _ = server.accept()
                except OSError:
                    return
                with guest:
                    guest.sendall(b"reached\n")

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


CONNECT = "python3 -c \"import socket; print(socket.create_connection(('127.0.0.1', {port}), 2).recv(20).decode())\""


def test_the_loopback_of_the_host_is_out_of_reach(hall: Marketplace, host_port: int) -> None:
    work = hall.offer(CONNECT.format(port=host_port))

    assert hall.until_ended(work)["reason"] == "exit_nonzero"

    assert "ConnectionRefusedError" in work.text
    assert "reached" not in work.text


def test_work_that_may_use_the_network_reaches_it(hall: Marketplace, host_port: int) -> None:
    work = hall.offer(CONNECT.format(port=host_port), network="egress")

    hall.until_ended(work)

    assert "reached" in work.text


def test_an_environment_cannot_smuggle_options_into_the_sandbox(hall: Marketplace) -> None:
    work = hall.offer("ls /host && echo broke out", env={"A": "x\0--bind\0/\0/host"})

    end = hall.until_ended(work)

    assert end["reason"] == "agent_error"
    assert work.usage["milliseconds"] == 0
    assert "broke out" not in work.text


def test_without_a_sandbox_the_probe_of_the_loopback_does_reach_it(
    start_agent: Callable[..., AgentProcess], make_market: Callable[..., Marketplace], host_port: int
) -> None:
    """The control of these probes: a declared trusted agent has no sandbox, yet its work is not root either."""
    market = make_market()
    start_agent(market, JOULEMART_AGENT_RUNTIME="none", JOULEMART_AGENT_TRUSTED="true")
    work = market.offer("id -u; " + CONNECT.format(port=host_port), outputs=["*"])

    assert market.until_ended(work)["reason"] == "succeeded"

    assert "reached" in work.text
    assert work.text.splitlines()[0] != "0"


def test_two_hundred_forks_are_blocked(hall: Marketplace) -> None:
    work = hall.offer(
        "python3 - <<'END'\n"
        "import os, time\n"
        "born = 0\n"
        "try:\n"
        "    for _ in range(200):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(30)\n"
        "        born += 1\n"
        "except BlockingIOError:\n"
        "    print('blocked', born < 64)\n"
        "os._exit(4)\n"
        "END\n"
    )

    assert hall.until_ended(work)["exit_code"] == 4

    assert work.text == "blocked True\n"


def test_six_hundred_megabytes_under_a_limit_of_512_are_out_of_memory(hall: Marketplace) -> None:
    work = hall.offer(
        "python3 -c \"kept = [bytearray(1 << 20) for _ in range(600)]; print('had it all')\"", memory_mb=512
    )

    end = hall.until_ended(work)

    assert end["reason"] == "out_of_memory"
    assert "512 MB of memory" in end["message"]
    assert "had it all" not in work.text.splitlines()


def test_nothing_outside_the_own_folder_can_be_written(hall: Marketplace) -> None:
    places = ["/evil", "/usr/evil", "/etc/evil", "/dev/evil", "/run/joulemart/run", "/proc/sys/kernel/hostname"]
    work = hall.offer("\n".join(f"(echo x > {place}) 2>/dev/null && echo wrote {place}" for place in places) + "\ntrue")

    assert hall.until_ended(work)["reason"] == "succeeded"

    assert work.text == ""
    assert not any(Path(place).exists() for place in ("/evil", "/usr/evil", "/etc/evil", "/dev/evil"))


def test_files_and_processes_of_the_host_cannot_be_seen(hall: Marketplace) -> None:
    work = hall.offer("ls /root/.ssh /home /var/log /mnt 2>/dev/null || ls -d /proc/[0-9]* | wc -l; cat /etc/passwd")

    hall.until_ended(work)

    seen, *passwd = work.text.splitlines()
    assert int(seen) < 12
    assert [line.split(":")[0] for line in passwd] == ["job", "nobody"]


@pytest.mark.parametrize(
    "attack", ["mount -t tmpfs none /tmp", "unshare --user true", "unshare --mount true", "chroot / true"]
)
def test_a_way_to_more_rights_is_closed(hall: Marketplace, attack: str) -> None:
    work = hall.offer(f"{attack} && echo broke out; exit 7")

    assert hall.until_ended(work)["exit_code"] == 7

    assert "broke out" not in work.text


def test_a_file_over_the_disk_limit_is_cut(hall: Marketplace) -> None:
    work = hall.offer("head -c 64M /dev/zero > big; wc -c < big", disk_mb=32)

    hall.until_ended(work)

    assert str(64 << 20) not in work.text


def test_many_files_over_the_disk_limit_end_the_work(hall: Marketplace) -> None:
    work = hall.offer("for i in 1 2 3 4 5 6; do head -c 10M /dev/zero > f$i; done; sleep 60", disk_mb=32)

    end = hall.until_ended(work)

    assert (end["reason"], "32 MB of disk" in end["message"]) == ("output_failed", True)


def test_memory_disks_are_bounded(hall: Marketplace) -> None:
    work = hall.offer(
        "for place in /tmp /dev/shm; do for i in $(seq 40); do head -c 16M /dev/zero > $place/$i || break; done; "
        "[ $(du -sm $place | cut -f1) -lt 300 ] && echo bounded; rm -f $place/*; done",
        memory_mb=2048,
    )

    assert hall.until_ended(work)["reason"] == "succeeded"

    assert work.text.count("bounded") == 2


def test_a_flooded_log_is_cut_at_its_limit_and_the_work_goes_on(hall: Marketplace) -> None:
    work = hall.offer("head -c 5000000 /dev/zero | tr '\\0' x; echo done > proof", log_bytes=10_000, outputs=["proof"])

    assert hall.until_ended(work)["reason"] == "succeeded"

    assert len(work.log) == 10_000
    assert "the log is full" in work.text
    assert work.files == {"proof": b"done\n"}


def test_nothing_is_left_running_when_work_has_ended(hall: Marketplace) -> None:
    work = hall.offer("setsid sleep 98765 & echo started")

    hall.until_ended(work)

    lines = [Path(f"/proc/{entry.name}/cmdline") for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    assert not any(b"98765" in line.read_bytes() for line in lines if line.exists())
