"""Submitting: a workdir's files as uploads, the job file's text with its lines in place, outputs verified."""

import asyncio
from pathlib import Path

import joulemart
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joulemart import AsyncClient, Client
from joulemart.workdir import read_job_file

from . import answers
from .answers import FACTORS, JOB_FILE, ended_job, output
from .stand_in import KEY, Answer, StandIn


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / ".git").mkdir()
    (tmp_path / "src" / ".git" / "config").write_text("private")
    (tmp_path / "src" / ".env").write_text("SECRET=1")
    (tmp_path / "src" / "factor.py").write_text("print(60)")
    (tmp_path / "src" / "deep" / "data.txt").write_text("60\n")
    (tmp_path / "job.yaml").write_text(JOB_FILE.replace("run:", "workdir: ./src  # code\nrun:"))
    return tmp_path


def test_a_workdir_is_uploaded_file_by_file_and_named_as_inputs(market: StandIn, client: Client, project: Path) -> None:
    market.on("POST", "/uploads", Answer({"id": "upl_a"}, 201), Answer({"id": "upl_b"}, 201))
    market.on("POST", "/jobs", Answer(answers.job(), 201))
    told: list[tuple[str, int]] = []

    job = client.jobs.create(
        file=project / "job.yaml", quote="qte_1", on_upload=lambda path, size: told.append((path, size))
    )

    body = market.asked("POST", "/jobs")[0].json
    assert job.id == "job_4f21"
    assert body["quote"] == "qte_1"
    assert body["inputs"] == [{"path": "deep/data.txt", "upload": "upl_a"}, {"path": "factor.py", "upload": "upl_b"}]
    assert told == [("deep/data.txt", 3), ("factor.py", 9)]
    sent = b"".join(seen.body for seen in market.asked("POST", "/uploads"))
    assert b'name="file"; filename="factor.py"' in sent
    assert b"SECRET" not in sent
    assert b"private" not in sent


def test_the_sent_text_lacks_workdir_and_keeps_every_line(market: StandIn, client: Client, project: Path) -> None:
    market.on("POST", "/uploads", Answer({"id": "upl_a"}, 201))
    market.on("POST", "/jobs", Answer(answers.job(), 201))

    client.jobs.create(file=project / "job.yaml")

    text = market.asked("POST", "/jobs")[0].json["file"]
    assert "workdir" not in yaml.safe_load(text)
    assert text.split("\n")[3] == "run: python factor.py 60 > factors.txt"


@pytest.mark.parametrize(
    "text",
    [
        "workdir: src\nrun: x\n",
        "run: x\nworkdir: 'src'",
        "{workdir: src, run: x}",
        "{run: x, workdir: src}",
        '{\n "run": "x",\n "workdir":\n   "src"\n}',
        "run: x\nworkdir: >-\n  src\nname: y\n",
    ],
)
def test_workdir_is_taken_out_of_any_style_of_yaml(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.yaml").write_text(text)

    read = read_job_file(tmp_path / "job.yaml")

    assert read.workdir == tmp_path / "src"
    left = {key: value for key, value in yaml.safe_load(text).items() if key != "workdir"}
    assert yaml.safe_load(read.text) == left
    assert read.text.count("\n") == text.count("\n")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.text("abcxyz", min_size=1), st.one_of(st.text("ab ,:{}#'\"\n算"), st.integers(), st.booleans()), max_size=4
    ),
    st.booleans(),
)
def test_taking_workdir_out_changes_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, others: dict[str, object], flow: bool
) -> None:
    tree = {**dict(list(others.items())[:2]), "workdir": "src", **others}
    path = tmp_path_factory.mktemp("job") / "job.yaml"
    path.write_text(yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False, allow_unicode=True))

    read = read_job_file(path)

    assert (yaml.safe_load(read.text) or {}) == {key: value for key, value in tree.items() if key != "workdir"}


def test_text_that_is_not_yaml_is_left_for_the_marketplace_to_explain(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("workdir: [src\n")

    assert read_job_file(tmp_path / "job.yaml").text == "workdir: [src\n"


def test_a_workdir_of_too_many_files_sends_nothing(market: StandIn, client: Client, project: Path) -> None:
    for number in range(100):
        (project / "src" / f"{number}.txt").touch()

    with pytest.raises(joulemart.WorkdirRefused, match="more than 100 files"):
        client.jobs.create(file=project / "job.yaml")

    assert market.seen == []


def test_a_workdir_of_too_many_bytes_sends_nothing(market: StandIn, client: Client, project: Path) -> None:
    with (project / "src" / "big.bin").open("wb") as file:
        file.truncate(64_000_001)

    with pytest.raises(joulemart.WorkdirRefused, match=r"64\.0 MB, more than 64 MB"):
        client.jobs.create(file=project / "job.yaml")

    assert market.seen == []


def test_a_missing_workdir_is_named(client: Client, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("workdir: gone\n")

    with pytest.raises(joulemart.WorkdirRefused, match="gone is not a folder"):
        client.jobs.create(file=tmp_path / "job.yaml")


def test_a_plan_uploads_nothing(market: StandIn, client: Client, project: Path) -> None:
    market.on("POST", "/jobs", Answer(answers.job() | {"id": None}))

    planned = client.jobs.plan(file=project / "job.yaml")

    assert planned.id == ""
    (asked,) = market.asked("POST", "/jobs")
    assert asked.query == [("dry_run", "true")]
    assert market.asked("POST", "/uploads") == []


def test_an_output_is_kept_when_its_hash_is_right_and_asked_for_without_the_key(
    market: StandIn, client: Client, tmp_path: Path
) -> None:
    market.on("GET", "/jobs/job_4f21", Answer(ended_job(outputs=[output("results/factors.txt")])))
    market.on("GET", "/files/token1", Answer(FACTORS))

    (found,) = client.jobs.get("job_4f21").outputs
    place = found.download(tmp_path)

    assert place == tmp_path / "results" / "factors.txt"
    assert place.read_bytes() == FACTORS
    assert "authorization" not in market.asked("GET", "/files/token1")[0].headers


@pytest.mark.parametrize("content", [FACTORS.replace(b"5", b"7"), FACTORS[:-1], FACTORS + b"!"])
def test_a_changed_output_is_refused_and_leaves_no_file(
    market: StandIn, client: Client, tmp_path: Path, content: bytes
) -> None:
    market.on("GET", "/jobs/job_4f21/artifacts", Answer(answers.page([output()])))
    market.on("GET", "/files/token1", Answer(content))
    folder = tmp_path / "results"

    (found,) = client.jobs.outputs("job_4f21")
    with pytest.raises(joulemart.VerificationFailed, match=r"factors\.txt"):
        found.download(folder)

    assert list(folder.iterdir()) == []


def test_an_output_cannot_leave_its_folder(market: StandIn, client: Client, tmp_path: Path) -> None:
    market.on("GET", "/jobs/job_4f21/artifacts", Answer(answers.page([output("../escape.txt")])))

    (found,) = client.jobs.outputs("job_4f21")
    with pytest.raises(joulemart.VerificationFailed, match="outside"):
        found.download(tmp_path / "results")

    assert not (tmp_path / "escape.txt").exists()


def test_the_async_client_uploads_waits_and_downloads(market: StandIn, project: Path) -> None:
    market.on("POST", "/uploads", Answer({"id": "upl_a"}, 201))
    market.on("POST", "/jobs", Answer(answers.job(), 201))
    market.on("GET", "/jobs/job_4f21", Answer(ended_job()))
    market.on("GET", "/files/token1", Answer(FACTORS))

    async def use() -> bytes:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            job = await client.jobs.create(file=project / "job.yaml")
            ended = await job.wait()
            return (await ended.outputs[0].download(project / "out")).read_bytes()

    assert asyncio.run(use()) == FACTORS
