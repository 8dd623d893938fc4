"""The project's own source files, parsed."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("accounts", "marketplace", "scheduler", "frontend", "config", "client", "agent", "benchmarks")


@cache
def tracked() -> tuple[Path, ...]:
    """Every Python file that is, or is about to be, part of the repository; migrations are generated."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return tuple(ROOT / name for name in listed if "/migrations/" not in name and (ROOT / name).exists())


def product_files(*packages: str) -> list[Path]:
    """Files of the named top-level packages (all of the product's by default)."""
    wanted = packages or PRODUCT
    return [path for path in tracked() if path.relative_to(ROOT).parts[0] in wanted]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def where(path: Path, node: ast.AST) -> str:
    """`scheduler/cycle.py:12`, to click on."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def dotted(node: ast.AST) -> str:
    """`timezone.now` for that attribute access, `` for anything that is no dotted name."""
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return node.id if isinstance(node, ast.Name) else ""
