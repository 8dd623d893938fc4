"""A job file becomes a JobFile, or a list of everything that is wrong with it."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from scheduler.core.scoring import PRESETS, whole_weights
from scheduler.core.types import MOST_IN_GANG
from scheduler.jobfile import keys
from scheduler.jobfile.ask import JobAsk, JobFile
from scheduler.jobfile.pieces import pieces_of
from scheduler.jobfile.problems import MOST_PROBLEMS, UNSUPPORTED, JobFileInvalid, Problem, ReportLine, pointer_to
from scheduler.jobfile.reading import PATH, Reader
from scheduler.jobfile.resources import read_resources
from scheduler.jobfile.yaml_source import Source, load_json, load_tree, load_yaml

LEAST_RUN_S, MOST_RUN_S = 60, 604_800
EVIDENCE = ("declared", "documents", "metered", "audited")
WHEN = ("now", "balanced", "cheapest", "greenest")
RATES = ("latency_value", "green_value", "waiting_value", "carbon_price")
MOST_MINOR = 10**12
MOST_GANG_NAME, MOST_ID = 64, 40
NAME = re.compile(r"[^\x00-\x1f]{1,80}\Z")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
COUNTRY = re.compile(r"[A-Z]{2}\Z")
CURRENCY = re.compile(r"[A-Z]{3}\Z")
SECTIONS = ("/resources", "/config", "/config/joulemart", "/config/joulemart/checkpoint")
ADDRESS = re.compile(r"https://[^\s/@]+(?:/\S*)?\Z")
BUCKET = re.compile(r"(?!https?://)[a-z][a-z0-9+.-]*://")
MOST_BYTES = 100_000  # of one command or variable: a Linux process takes 128 KiB in one argument


def parse(text: str) -> JobFile:
    """The job of a YAML (or JSON) text. Raises JobFileInvalid with every problem, its line and column."""
    as_json = load_json(text) if text.lstrip().startswith("{") else None
    return _build(as_json or load_yaml(text))


def parse_tree(tree: Any) -> JobFile:
    """The job of a tree that came as JSON. Raises JobFileInvalid."""
    return _build(load_tree(tree))


def _build(source: Source) -> JobFile:
    problems: list[Problem] = list(source.problems)
    report: list[ReportLine] = []
    top = Reader(source, "", source.tree, problems, report)
    top.allow(keys.TOP, unsupported=keys.TOP_UNSUPPORTED)
    market = top.inside("config").inside("joulemart")
    top.inside("config").allow(("joulemart",))
    market.allow(keys.MARKET, unsupported=keys.MARKET_UNSUPPORTED)
    fields = _run(top) | read_resources(top) | _times(market) | _preferences(market) | _rest(market)
    fields |= _gang(market) | {"reservation": market.text("reservation", MOST_ID)}
    _resolve(market, fields, _limits(market))
    fields |= pieces_of(market, fields)
    name = top.text("name") or "job"
    if not NAME.match(name):
        top.problem("name", "must be 1 to 80 characters without line breaks")
    if problems:
        once = dict.fromkeys(problems)  # an object read twice complains twice
        raise JobFileInvalid(sorted(once, key=lambda each: (each.line or 0, each.column or 0))[:MOST_PROBLEMS])
    told = {line.pointer for line in report}
    kept = [ReportLine(pointer, "kept") for pointer in _fields(source.tree) if pointer not in told]
    return JobFile(name, source.tree, JobAsk(**fields), (*report, *kept), top.text("workdir"))


def _fields(tree: Any, parent: str = "") -> list[str]:
    """The pointers of every field, so that the report accounts for the whole file."""
    found = []
    for key, value in tree.items():
        pointer = pointer_to(parent, key)
        found += _fields(value, pointer) if pointer in SECTIONS and value else [pointer]
    return found


def _resolve(market: Reader, fields: dict[str, Any], limits: dict[str, Any]) -> None:
    """Bring together what resources and market both may say: the lower price, one tier."""
    if "price__lte" in fields["limits"] and "price__lte" in limits:
        limits["price__lte"] = min(limits["price__lte"], fields["limits"]["price__lte"])
    if fields["tier"] and fields["tier"] not in limits.get("tier", [fields["tier"]]):
        market.problem("tier", f"use_spot asks for {fields['tier']} units", fields["tier"])
    fields["limits"] = fields["limits"] | limits


def _run(top: Reader) -> dict[str, Any]:
    run = top.value.get("run")
    if isinstance(run, list) and run and all(isinstance(word, str) for word in run):
        if re.search(r"\s", run[0]):
            said = "a list is one command and its arguments; write several commands as one text"
            top.problem("run", said, f"run: {run[0]}" if len(run) == 1 else "run: |")
        run = " ".join(quoted(word) for word in run)
    elif not isinstance(run, str) or not run.strip():
        top.problem("run", "a job needs a command to run", "run: python3 train.py")
        run = ""
    setup, env = top.text("setup"), _env(top)
    for key, text in (("run", run), ("setup", setup or "")):
        if len(text.encode()) > MOST_BYTES:
            top.problem(key, f"at most {MOST_BYTES} bytes; send longer programs as files of the workdir")
    if top.inside("secrets").value:
        top.problem("secrets", "secrets cannot be sealed to an agent yet; use envs", code=UNSUPPORTED)
    return {"run": run, "setup": setup, "env": env, "file_mounts": _mounts(top)}


def _env(top: Reader) -> dict[str, str]:
    env, reader = top.texts("envs"), top.inside("envs")
    for name, value in env.items():
        if not VARIABLE.match(name):
            reader.problem(name, "a variable's name has letters, digits and _ only", "MODEL_SIZE", of_key=True)
        if len(value.encode()) > MOST_BYTES:
            reader.problem(name, f"at most {MOST_BYTES} bytes")
    return env


def quoted(word: str) -> str:
    """`word` as one word of a shell."""
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "'\"'\"'") + "'"


def _mounts(top: Reader) -> dict[str, str]:
    mounts = top.inside("file_mounts")
    found = {}
    for path, url in mounts.value.items():
        inside = path.removeprefix("~/")
        if isinstance(url, Mapping) or (isinstance(url, str) and BUCKET.match(url)):
            mounts.problem(path, "buckets cannot be mounted; only https addresses can", code=UNSUPPORTED)
        elif not isinstance(url, str) or not ADDRESS.match(url):
            mounts.problem(path, "must be an https address", "https://example.org/data.csv")
        elif not PATH.match(inside):
            mounts.problem(path, "must be a path inside the job's folder", "data/input.csv", of_key=True)
        else:
            found[inside] = url
    return found


def _times(market: Reader) -> dict[str, Any]:
    limit = market.whole("time_limit_s", LEAST_RUN_S, MOST_RUN_S)
    hours = market.value.get("hours")
    if hours is not None:
        limit = _from_hours(market, hours)
    elif "time_limit_s" not in market.value:
        market.problem("time_limit_s", "a job needs a time limit in seconds", "time_limit_s: 600")
    start, finish = market.moment("start_after"), market.moment("finish_by")
    if start and finish and limit and (finish - start).total_seconds() < limit:
        market.problem("finish_by", f"the window is shorter than the run of {limit} s")
    by_class = market.inside("time_limit_by_class")
    limits = {name: by_class.whole(name, LEAST_RUN_S, MOST_RUN_S) for name in by_class.value}
    return {
        "time_limit_s": limit or LEAST_RUN_S,
        "start_after": start,
        "finish_by": finish,
        "time_limit_by_class": {name: value for name, value in limits.items() if value},
        "reference_class": market.text("reference_class"),
    }


def _from_hours(market: Reader, hours: Any) -> int | None:
    if "time_limit_s" in market.value:
        market.problem("hours", "give either hours or time_limit_s")
        return None
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not LEAST_RUN_S <= hours * 3600 <= MOST_RUN_S:
        market.problem("hours", "must be from 0.017 to 168 hours", "6")
        return None
    seconds = -int(-hours * 3600 // 1)
    market.report.append(
        ReportLine(f"{market.pointer}/hours", "renamed", f"{market.pointer}/time_limit_s", str(seconds))
    )
    return seconds


def _preferences(market: Reader) -> dict[str, Any]:
    rates = market.inside("rates")
    rates.allow(RATES)
    found = {name: rates.whole(name, 0, MOST_MINOR) for name in rates.value}
    if rates.value and market.value.get("weights") is not None:
        market.problem("weights", "give either weights or rates")
    for name in ("latency_value", "green_value"):
        if rates.value and name not in rates.value:
            rates.problem(None, f"rates need {name}")
    return {
        "weights": _weights(market),
        "rates": {name: value for name, value in found.items() if value is not None} or None,
        "when": market.choice("when", WHEN) or ("balanced" if market.value.get("finish_by") else "now"),
        "near": market.text("near", 80),
    }


def _weights(market: Reader) -> tuple[int, int, int]:
    value = market.value.get("weights")
    if value is None:
        return PRESETS["default"]
    if isinstance(value, str):
        return PRESETS[market.choice("weights", tuple(PRESETS)) or "default"]
    weights = market.inside("weights")
    weights.allow(("price", "latency", "green"))
    wishes = [value.get(name, 0) for name in ("price", "latency", "green")] if isinstance(value, Mapping) else []
    if not all(isinstance(wish, (int, float)) and not isinstance(wish, bool) for wish in wishes) or not wishes:
        market.problem("weights", "must be numbers for price, latency and green", "{price: 40, latency: 20, green: 40}")
        return PRESETS["default"]
    try:
        return whole_weights(*(Fraction(str(wish)) for wish in wishes))
    except ValueError as error:
        market.problem("weights", str(error), "{price: 40, latency: 20, green: 40}")
        return PRESETS["default"]


def _limits(market: Reader) -> dict[str, Any]:
    """The market's keys under the names of the shelf's filters."""
    found: dict[str, Any] = {
        "latency_ms_max": market.whole("latency_ms_max", 0, 1_000_000),
        "price_max": market.money("price_max", MOST_MINOR),
        "price_pflop_max": market.money("price_pflop_max", MOST_MINOR),
        "renewable_min": market.share("renewable_min"),
        "matched_min": market.share("matched_min"),
        "carbon_g_per_kwh_max": market.whole("carbon_g_per_kwh_max", 0, 10_000),
        "carbon_cap_g": market.whole("carbon_cap_g", 0, MOST_MINOR),
        "evidence": market.choice("evidence", EVIDENCE),
        "kind": market.words("kind", ("datacenter", "edge", "orbital")) or None,
        "region": market.words("region") or None,
        "term": market.words("term", ("on_demand", "reserved")) or None,
        "tier": market.words("tier", ("firm", "interruptible")) or None,
        "residency": [each.upper() for each in market.words("residency")] or None,
    }
    if not all(COUNTRY.match(country) for country in found["residency"] or ()):
        market.problem("residency", "countries are named by two letters (ISO 3166)", "CN")
    if found["latency_ms_max"] is not None and not market.value.get("near"):
        market.problem("latency_ms_max", "a latency limit needs a place to count from", "near: shanghai")
    return {keys.LIMITS[key]: value for key, value in found.items() if value is not None}


def _rest(market: Reader) -> dict[str, Any]:
    stop, budget = market.flag("budget_stop"), market.money("max_total", MOST_MINOR)
    if stop and not budget:
        market.problem("budget_stop", "a job that stops by its budget needs one", "max_total: 9000")
    currency = market.text("currency")
    if currency is not None and not CURRENCY.match(currency):
        market.problem("currency", "a currency is named by three letters (ISO 4217)", "USD")
    for number, path in enumerate(outputs := market.words("outputs")):
        if not PATH.match(path):
            market.problem(
                "outputs", f"{path} (number {number + 1}) must be a path inside the job's folder", "out/*.txt"
            )
    return {
        "outputs": tuple(outputs),
        "network": market.choice("network", ("none", "egress")) or "none",
        "retries": 2 if (retries := market.whole("retries", 0, 10)) is None else retries,
        "max_total_minor": budget,
        "budget_stop": stop,
        "currency": currency,
        "checkpoint": _checkpoint(market),
    }


def _gang(market: Reader) -> dict[str, Any]:
    name, size = market.text("gang_id", MOST_GANG_NAME), market.whole("gang_size", 2, MOST_IN_GANG)
    if name is not None and not NAME.match(name):
        market.problem("gang_id", f"must be 1 to {MOST_GANG_NAME} characters without line breaks")
    if name is not None and market.value.get("gang_size") is None:
        market.problem("gang_id", "a gang needs its number of jobs, which start together", "gang_size: 8")
    if name is None and size is not None:
        market.problem("gang_size", "the jobs of a gang share a name", "gang_id: train-7")
    return {"gang_id": name, "gang_size": size or 1}


def _checkpoint(market: Reader) -> dict[str, Any] | None:
    reader = market.inside("checkpoint")
    reader.allow(("path", "signal", "interval_s", "grace_s", "restart_s"))
    if not reader.value:
        return None
    path, grace_s = reader.text("path"), reader.whole("grace_s", 0, 600)
    if path is None or not PATH.match(path):
        reader.problem("path", "a checkpoint needs a path inside the job's folder", "checkpoint")
    return {
        "path": path,
        "signal": reader.choice("signal", ("TERM", "USR1", "USR2", "INT", "HUP")) or "TERM",
        "interval_s": reader.whole("interval_s", 1, MOST_RUN_S),
        "grace_s": 30 if grace_s is None else grace_s,
    }
