"""Job files: what each key becomes, what is dropped and reported, what is refused and where."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scheduler.jobfile import JobFile, JobFileInvalid, Problem, parse, parse_tree

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MINIMAL = "run: python train.py\nconfig: {joulemart: {time_limit_s: 600}}\n"


def tree(**market: Any) -> dict[str, Any]:
    """A minimal job; keyword arguments are keys of config.joulemart."""
    return {"run": "true", "config": {"joulemart": {"time_limit_s": 600, **market}}}


def with_resources(**resources: Any) -> dict[str, Any]:
    return tree() | {"resources": resources}


def problems_of(given: Any) -> list[Problem]:
    with pytest.raises(JobFileInvalid) as refusal:
        parse(given) if isinstance(given, str) else parse_tree(given)
    return list(refusal.value.errors)


def only_problem_of(given: Any) -> Problem:
    (problem,) = problems_of(given)
    return problem


def actions(file: JobFile) -> dict[str, str]:
    return {line.pointer: line.action for line in file.report}


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_that_ship_parse_cleanly(path):
    file = parse(path.read_text())

    assert file.ask.run
    assert set(actions(file).values()) == {"kept"}


def test_the_documented_file_asks_for_eight_interruptible_units_until_its_deadline():
    file = parse("""name: finetune
resources: {accelerators: "H100:8", use_spot: true}
run: python train.py
config:
  joulemart: {time_limit_s: 21600, finish_by: "2026-11-24T18:00:00+08:00", near: shanghai, max_total: 9000}
""")

    assert file.name == "finetune"
    assert (file.ask.units, file.ask.limits["accelerator"], file.ask.tier) == (8, ["H100"], "interruptible")
    assert file.ask.finish_by == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert (file.ask.near, file.ask.max_total_minor, file.ask.time_limit_s) == ("shanghai", 9000, 21600)


def test_a_misspelt_key_is_named_with_its_place_and_the_nearest_key():
    problem = only_problem_of('name: x\nresources: {accelerator: "H100:8"}\n' + MINIMAL)

    assert (problem.pointer, problem.line, problem.column) == ("/resources/accelerator", 2, 13)
    assert (problem.detail, problem.hint) == ("did you mean accelerators?", "accelerators")
    assert problem.code == "job_file_invalid"


def test_every_problem_is_told_at_once_in_the_order_of_the_file():
    found = problems_of("""nam: x
resources: {cpus: many}
config:
  joulemart: {renewable_min: 80, retries: -1}
""")

    assert [(problem.pointer, problem.line) for problem in found if problem.pointer != "/run"] == [
        ("/nam", 1),
        ("/resources/cpus", 2),
        ("/config/joulemart/time_limit_s", 4),
        ("/config/joulemart/renewable_min", 4),
        ("/config/joulemart/retries", 4),
    ]
    assert any(problem.pointer == "/run" for problem in found)


@pytest.mark.parametrize("key", ["infra", "cloud", "region", "zone", "autostop"])
def test_where_and_when_a_cloud_would_run_it_is_dropped_and_reported(key):
    assert actions(parse_tree(with_resources(**{key: "x"})))[f"/resources/{key}"] == "dropped"


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (with_resources(ports=8080), "/resources/ports"),
        (tree() | {"service": {"replicas": 2}}, "/service"),
        (tree() | {"volumes": {"/data": "v"}}, "/volumes"),
        (tree() | {"file_mounts": {"data": "s3://bucket/x"}}, "/file_mounts/data"),
        (tree() | {"file_mounts": {"data": {"source": "s3://bucket", "mode": "MOUNT"}}}, "/file_mounts/data"),
        (tree() | {"secrets": {"TOKEN": "x"}}, "/secrets"),
    ],
)
def test_what_this_market_does_not_do_is_refused_as_unsupported(given, pointer):
    with pytest.raises(JobFileInvalid) as refusal:
        parse_tree(given)

    assert [problem.pointer for problem in refusal.value.errors] == [pointer]
    assert refusal.value.code == "job_field_unsupported"


@pytest.mark.parametrize(
    ("market", "hint"),
    [
        ({"renewable_min": 80}, "0.8"),
        ({"matched_min": 45}, "0.45"),
        ({"price_max": 2.00}, "200"),
        ({"max_total": 90.5}, "9050"),
        ({"budget_stop": 1}, "true"),
        ({"budget_stop": True}, "max_total: 9000"),
        ({"time_limit_s": 59}, "60"),
        ({"time_limit_s": 604_801}, "604800"),
        ({"when": "cheap"}, "cheapest"),
        ({"kind": "datacentre"}, None),
        ({"currency": "usd"}, "USD"),
        ({"residency": ["China"]}, "CN"),
        ({"outputs": ["../x"]}, "out/*.txt"),
        ({"outputs": ["/etc/passwd"]}, "out/*.txt"),
        ({"weights": {"price": 0, "latency": 0, "green": 0}}, "{price: 40, latency: 20, green: 40}"),
        ({"weights": {"price": 50, "latency": -1, "green": 50}}, "{price: 40, latency: 20, green: 40}"),
        ({"latency_ms_max": 5}, "near: shanghai"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_one_that_was_meant(market, hint):
    problem = only_problem_of(tree(**market))

    assert problem.pointer == f"/config/joulemart/{next(iter(market))}"
    assert problem.hint == hint


def test_weights_become_whole_per_cents_with_a_price_of_at_least_five():
    thirds = parse_tree(tree(weights={"price": 1, "latency": 1, "green": 1})).ask.weights
    no_price = parse_tree(tree(weights={"green": 1})).ask.weights

    assert thirds == (34, 33, 33)
    assert no_price == (5, 0, 95)


def test_weights_together_with_rates_are_refused():
    rates = {"latency_value": 1250, "green_value": 250_000}

    problem = only_problem_of(tree(rates=rates, weights={"price": 1}))

    assert problem.pointer == "/config/joulemart/weights"
    assert parse_tree(tree(rates=rates)).ask.rates == rates


def test_a_window_shorter_than_the_run_is_refused_and_an_exact_one_accepted():
    window = {"start_after": "2026-11-24T10:00:00Z", "finish_by": "2026-11-24T18:09:59+08:00"}

    problem = only_problem_of(tree(**window))
    exact = parse_tree(tree(**window | {"finish_by": "2026-11-24T18:10:00+08:00"}))

    assert problem.pointer == "/config/joulemart/finish_by"
    assert exact.ask.finish_by == datetime(2026, 11, 24, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-24T18:00:00",
        "2026-11-24",
        "20261124T180000Z",
        "2026-02-30T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        1764000000,
    ],
)
def test_a_time_that_is_not_rfc_3339_with_an_offset_is_refused(moment):
    assert only_problem_of(tree(finish_by=moment)).pointer == "/config/joulemart/finish_by"


def test_hours_become_a_time_limit_in_whole_seconds():
    file = parse_tree({"run": "true", "config": {"joulemart": {"hours": 0.5}}})

    assert file.ask.time_limit_s == 1800
    line = next(line for line in file.report if line.action == "renamed")
    assert (line.pointer, line.to) == ("/config/joulemart/hours", "/config/joulemart/time_limit_s")


def test_hours_beside_a_time_limit_are_refused():
    assert only_problem_of(tree(hours=1)).pointer == "/config/joulemart/hours"


def test_without_accelerators_processors_are_the_units():
    ask = parse_tree(with_resources(cpus="4+", memory="16+", disk_size=20) | {"num_nodes": 3}).ask

    assert (ask.units, ask.cpus_min, ask.memory_gb_min, ask.disk_gb) == (12, 4, 16, 20)
    assert "accelerator" not in ask.limits
    assert parse_tree(tree()).ask.units == 1


@pytest.mark.parametrize(
    "accelerators",
    [{"H100": 8, "A100": 8}, ["H100:8", "A100:8"]],
)
def test_alternatives_of_one_size_are_accepted_together(accelerators):
    ask = parse_tree(with_resources(accelerators=accelerators)).ask

    assert (ask.units, ask.limits["accelerator"]) == (8, ["A100", "H100"])


def test_any_of_replaces_the_accelerators_beside_it_and_drops_clouds():
    options = [{"infra": "aws", "accelerators": "H100:8"}, {"accelerators": "A100:8"}]

    file = parse_tree(with_resources(accelerators="V100:4", any_of=options))

    assert (file.ask.units, file.ask.limits["accelerator"]) == (8, ["A100", "H100"])
    assert actions(file)["/resources/any_of/0/infra"] == "dropped"


@pytest.mark.parametrize(
    "resources",
    [
        {"accelerators": ["H100:8", "A100:4"]},
        {"accelerators": "H100:0.5"},
        {"any_of": [{"accelerators": "H100:8"}, {"cpus": 4}]},
        {"any_of": [{"accelerators": "H100"}], "ordered": [{"accelerators": "A100"}]},
        {"image_id": "ami-0868a20f5a3bf9702"},
        {"max_hourly_cost": 1e308},
        {"memory": "4x"},
    ],
)
def test_resources_that_name_no_single_need_are_refused(resources):
    assert only_problem_of(with_resources(**resources)).pointer.startswith("/resources/")


def test_more_units_than_a_job_may_have_are_refused_rather_than_cut():
    problem = only_problem_of(with_resources(accelerators="H100:200000"))

    assert problem.pointer == "/num_nodes"


def test_the_lower_of_two_price_caps_counts():
    resources = {"accelerators": "H100:8", "max_hourly_cost": 10.5}

    dear = parse_tree(tree(price_max=200) | {"resources": resources})
    cheap = parse_tree(tree(price_max=100) | {"resources": resources})

    assert dear.ask.limits["price__lte"] == 131
    assert cheap.ask.limits["price__lte"] == 100


def test_spot_units_of_the_firm_tier_contradict_each_other():
    problem = only_problem_of(tree(tier="firm") | {"resources": {"use_spot": True}})

    assert (problem.pointer, problem.hint) == ("/config/joulemart/tier", "interruptible")


def test_variables_are_the_text_they_were_written_as():
    file = parse(MINIMAL + "envs: {PORT: 8080, VERSION: 1.10, DEBUG: true, COUNTRY: no}\n")

    assert file.ask.env == {"PORT": "8080", "VERSION": "1.10", "DEBUG": "true", "COUNTRY": "no"}
    assert parse_tree(tree() | {"envs": {"DEBUG": True, "N": 1}}).ask.env == {"DEBUG": "true", "N": "1"}


@pytest.mark.parametrize("envs", [{"A=B": "x"}, {"": "x"}, {"A": None}, {"A": "x" * 100_001}, {"A": []}])
def test_variables_no_process_could_take_are_refused(envs):
    assert {problem.pointer for problem in problems_of(tree() | {"envs": envs})} == {f"/envs/{next(iter(envs))}"}


def test_a_list_is_one_command_quoted_for_the_shell():
    file = parse_tree(tree() | {"run": ["python3", "-c", "print('a b')"]})

    assert file.ask.run == """python3 -c 'print('"'"'a b'"'"')'"""


def test_a_list_of_whole_commands_is_refused_rather_than_run_as_one():
    assert only_problem_of(tree() | {"run": ["pip install x", "python train.py"]}).pointer == "/run"


@pytest.mark.parametrize("path", ["/data/x", "../x", "a/../../x", ""])
def test_a_mount_outside_the_jobs_folder_is_refused(path):
    problems = problems_of(tree() | {"file_mounts": {path: "https://example.org/x"}})

    assert {problem.pointer for problem in problems} == {"/file_mounts/" + path.replace("/", "~1")}


@pytest.mark.parametrize("url", ["http://example.org/x", "./local", "https://user:key@example.org/x", "https://", 5])
def test_only_https_addresses_without_credentials_are_mounted(url):
    assert only_problem_of(tree() | {"file_mounts": {"data/x": url}}).pointer == "/file_mounts/data~1x"


def test_a_home_folder_mount_lands_in_the_jobs_folder():
    file = parse_tree(tree() | {"file_mounts": {"~/data/x": "https://example.org/x"}})

    assert file.ask.file_mounts == {"data/x": "https://example.org/x"}


def test_a_checkpoint_keeps_the_grace_it_states_and_needs_a_path():
    stated = parse_tree(tree(checkpoint={"path": "ckpt", "grace_s": 0})).ask.checkpoint

    assert stated == {"path": "ckpt", "signal": "TERM", "interval_s": None, "grace_s": 0}
    assert only_problem_of(tree(checkpoint={"grace_s": 5})).pointer == "/config/joulemart/checkpoint/path"


IN_PIECES = {
    "time_limit_s": 14_400, "when": "greenest", "max_pieces": 3, "checkpoint": {"path": "ckpt", "restart_s": 300},
}  # fmt: skip


def test_work_in_pieces_says_how_many_and_what_a_restart_takes():
    file = parse_tree(tree(**IN_PIECES))

    assert (file.ask.max_pieces, file.ask.restart_s) == (3, 300)
    assert "restart_s" not in file.ask.checkpoint
    assert set(actions(file).values()) == {"kept"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"checkpoint": None}, "it needs one"),
        ({"tier": ["firm"]}, "must accept interruptible units"),
        ({"when": "now"}, "no later hours"),
        ({"when": None}, "no later hours"),
        ({"time_limit_s": 14_099}, "more than its run"),
        ({"gang_id": "g", "gang_size": 2}, "run as one"),
        ({"reservation": "rsv_1"}, "chosen already"),
        ({"budget_stop": True, "max_total": 9}, "cannot be promised"),
        ({"time_limit_by_class": {"h100": 14_400}}, "one length on all hardware"),
    ],
)
def test_work_in_pieces_needs_what_lets_it_stop_and_go_on(changed, said):
    given = {name: value for name, value in (IN_PIECES | changed).items() if value is not None}

    problem = only_problem_of(tree(**given))

    assert problem.pointer == "/config/joulemart/max_pieces"
    assert said in problem.detail
    assert problem.hint


@pytest.mark.parametrize("tier", [["interruptible"], ["firm", "interruptible"]])
def test_who_accepts_interruptible_units_may_run_in_pieces(tier):
    assert parse_tree(tree(**IN_PIECES, tier=tier)).ask.max_pieces == 3
    assert parse_tree(tree(**IN_PIECES) | {"resources": {"use_spot": True}}).ask.max_pieces == 3


@pytest.mark.parametrize("pieces", [0, 5, "2", 2.5])
def test_pieces_are_two_to_four(pieces):
    assert only_problem_of(tree(**IN_PIECES | {"max_pieces": pieces})).pointer == "/config/joulemart/max_pieces"


def test_a_restart_of_a_run_that_is_one_piece_is_left_out_and_said():
    file = parse_tree(tree(checkpoint={"path": "ckpt", "restart_s": 300}))

    assert (file.ask.max_pieces, file.ask.restart_s) == (1, 0)
    assert actions(file)["/config/joulemart/checkpoint/restart_s"] == "dropped"


def test_a_workdir_is_kept_for_the_command_to_upload():
    assert parse_tree(tree() | {"workdir": "./src"}).workdir == "./src"


def test_the_report_accounts_for_every_field():
    text = MINIMAL + "name: x\nresources: {cpus: 2, infra: aws, labels: {team: a}}\nenvs: {A: b}\n"

    assert actions(parse(text)) == {
        "/resources/infra": "dropped",
        "/run": "kept",
        "/config/joulemart/time_limit_s": "kept",
        "/name": "kept",
        "/resources/cpus": "kept",
        "/resources/labels": "kept",
        "/envs": "kept",
    }


def test_the_tree_of_a_file_is_a_file_again():
    for path in EXAMPLES.rglob("*.yaml"):
        file = parse(path.read_text())

        again = parse_tree(file.tree)

        assert (again.name, again.tree, again.ask) == (file.name, file.tree, file.ask)
