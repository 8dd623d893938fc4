"""What this machine has, for the marketplace to compare with what its provider offers."""

import os
from pathlib import Path
from typing import Any

_NVIDIA = Path("/proc/driver/nvidia/gpus")


def devices() -> list[dict[str, Any]]:
    """Processors and accelerators: `{kind, model, count, memory_mb}`; memory of the machine stands with its CPU."""
    return [_processor(), *_accelerators()]


def _processor() -> dict[str, Any]:
    return {
        "kind": "cpu",
        "model": _value(Path("/proc/cpuinfo"), "model name") or "unknown",
        "count": os.cpu_count() or 1,
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024),
    }


def _accelerators() -> list[dict[str, Any]]:
    """NVIDIA devices by the driver's own list, which tells the model and not the memory."""
    if not _NVIDIA.is_dir():
        return []
    models = [_value(card / "information", "Model") or "NVIDIA" for card in sorted(_NVIDIA.iterdir())]
    return [
        {"kind": "gpu", "model": model, "count": models.count(model), "memory_mb": 0} for model in dict.fromkeys(models)
    ]


def _value(file: Path, field: str) -> str:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() == field), "")
