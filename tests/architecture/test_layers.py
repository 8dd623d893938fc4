"""Imports point down the layers only."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT, product_files, tree, where

PURE = {"numpy", "numba", "scheduler"}


def imported(path: Path) -> list[tuple[ast.AST, str]]:
    found: list[tuple[ast.AST, str]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node, node.module))
    return found


def test_the_import_contracts_hold():
    command = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_core_imports_only_the_standard_library_and_numbers():
    allowed = set(sys.stdlib_module_names) | PURE
    strangers = [
        (where(path, node), name)
        for path in product_files("scheduler")
        if path.is_relative_to(ROOT / "scheduler" / "core")
        for node, name in imported(path)
        if name.split(".")[0] not in allowed or (name.startswith("scheduler") and not name.startswith("scheduler.core"))
    ]
    assert strangers == []


def test_client_and_agent_speak_http_only():
    ours = {"accounts", "marketplace", "scheduler", "frontend", "config", "django", "rest_framework"}
    strangers = [
        (where(path, node), name)
        for path in product_files("client", "agent")
        for node, name in imported(path)
        if name.split(".")[0] in ours
    ]
    assert strangers == []


def test_only_who_decides_loads_the_compiler():
    """It takes over a second and fifty megabytes: not in a web process, nor at an agent or in a command."""
    loads = "import sys, config.wsgi, config.urls, agent.supervisor, joulemart; sys.exit('numba' in sys.modules)"
    web = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=False)

    assert web.returncode == 0, web.stderr


def test_one_file_alone_speaks_with_stripe():
    speakers = {
        str(path.relative_to(ROOT))
        for path in product_files()
        for _, name in imported(path)
        if name.split(".")[0] == "stripe"
    }
    assert speakers == {"marketplace/ledger/gateways/stripe_gateway.py"}


def test_a_web_process_loads_no_library_of_a_processor_that_is_not_asked():
    loads = "import sys, config.wsgi, config.urls; sys.exit('stripe' in sys.modules)"
    web = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=False)

    assert web.returncode == 0, web.stderr
