"""Places on the waiting list for hours that are not free."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .objects import Record


@dataclass(frozen=True, kw_only=True)
class Wait(Record):
    """`units` for `hours` of what `where` describes, with `position` and `expected_start` while it is waited for.

    `outcome` is waiting, offered (`reservation` is held until `answer_by`), reserved, passed (offered and not taken),
    given_back, left or over. `in_time` says whether it is expected to start by `start_by`.
    """

    id: str | None = None
    state: str = ""
    version: int | None = None
    outcome: str = ""
    units: int = 1
    hours: int = 1
    where: Mapping[str, Any] = field(default_factory=dict)
    start_after: datetime | None = None
    start_by: datetime | None = None
    reserve: bool = False
    position: int | None = None
    expected_start: datetime | None = None
    in_time: bool | None = None
    reservation: str | None = None
    answer_by: datetime | None = None
    created_at: datetime | None = None
