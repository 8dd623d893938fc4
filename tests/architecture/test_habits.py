"""Habits that keep the promises: one door for states, integers for money, the clock at the edges, no signals."""

import ast
import re
from pathlib import Path

from tests.architecture.source import ROOT, dotted, functions, product_files, tracked, tree, where

DOMAIN = ("accounts", "marketplace", "scheduler")
EDGES = {"api.py", "tasks.py", "admin.py", "middleware.py", "clock.py", "streams.py", "adapter.py", "authentication.py"}
CLOCKS = {
    "timezone.now",
    "datetime.now",
    "datetime.datetime.now",
    "datetime.utcnow",
    "date.today",
    "time.time",
    "utc_now",
}
MONEY = ("_minor", "_mm", "price", "total", "cost", "charge", "fee", "tax")
DOORS = {Path("marketplace/events/services.py"), Path("marketplace/events/outbox.py")}  # of objects; of calls
CHECKER = ("config", "invariants")  # breaks a row on purpose, in a transaction that is rolled back


def is_edge(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    return (
        path.name in EDGES
        or any(part in {"admin", "api", "management", "views"} for part in relative.parts)
        or (relative.parts[0] == "frontend")
    )


def test_domain_code_never_reads_the_clock():
    readers = [
        where(path, node)
        for path in product_files(*DOMAIN)
        if not is_edge(path)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) in CLOCKS
    ]
    assert readers == []


def test_a_state_is_written_through_the_move_function_alone():
    """No assignment to `.state`, no `update(state=…)`, no SQL that sets it, outside the two doors."""
    writers = []
    for path in product_files(*DOMAIN, "frontend", "config"):
        if path.relative_to(ROOT) in DOORS:
            continue
        for node in ast.walk(tree(path)):
            if _sets_state_in_sql(node) and path.relative_to(ROOT).parts[:2] != CHECKER:
                writers.append(where(path, node))
            if isinstance(node, ast.Assign) and any(_names_state(target) for target in node.targets):
                writers.append(where(path, node))
            if isinstance(node, ast.Call) and dotted(node.func).endswith((".update", ".bulk_update")):
                writers += [where(path, node) for word in node.keywords if word.arg == "state"]
    assert writers == []


def _sets_state_in_sql(node: ast.AST) -> bool:
    """A text, or a part of one, that reads like UPDATE … SET … state =."""
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return (
        re.search(r"\bUPDATE\b.*\bSET\b[^;]*?\bstate\s*=(?!=)", re.split(r"\bWHERE\b", text)[0], re.DOTALL) is not None
    )


def _names_state(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return any(_names_state(each) for each in target.elts)
    return isinstance(target, ast.Attribute) and target.attr == "state" and dotted(target) != "self.state"


def test_money_is_never_a_float():
    """No float field, annotation or literal under a name of money in the apps that handle it."""
    floats = []
    for path in product_files("marketplace", "scheduler"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.AnnAssign) and dotted(node.annotation) == "float":
                name = dotted(node.target)
                floats += [where(path, node)] if name.endswith(MONEY) else []
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                field = dotted(node.value.func).rsplit(".", 1)[-1]
                names = [dotted(target) for target in node.targets]
                floats += [where(path, node) for name in names if field == "FloatField" and name.endswith(MONEY)]
    for path in product_files("marketplace"):
        if path.is_relative_to(ROOT / "marketplace" / "booking"):
            floats += [
                where(path, node)
                for node in ast.walk(tree(path))
                if isinstance(node, ast.Constant) and isinstance(node.value, float)
            ]
    assert floats == []


def test_there_are_no_signals():
    users = [
        where(path, node)
        for path in product_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("django.db.models.signals", "django.dispatch"))
    ]
    assert users == []


def test_no_error_is_swallowed():
    swallowed = [
        where(path, node)
        for path in tracked()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or dotted(node.type) in {"Exception", "BaseException"})
        and all(isinstance(step, (ast.Pass, ast.Continue)) for step in node.body)
    ]
    assert swallowed == []


def test_services_take_their_arguments_by_name():
    positional = [
        (where(path, node), node.name)
        for path in product_files(*DOMAIN)
        if path.name == "services.py"
        for node in functions(path)
        if node in tree(path).body and not node.name.startswith("_") and len(node.args.args) > 1
    ]
    assert [name for _, name in positional if name != "move"] == []


def test_a_row_lock_names_the_table_it_locks():
    """With a join and no `of`, PostgreSQL locks the joined rows too, and every writer that refers to them waits."""
    broad = [
        where(path, node)
        for path in product_files(*DOMAIN, "frontend", "config")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "select_for_update"
        and "of" not in {word.arg for word in node.keywords}
    ]
    assert broad == []
