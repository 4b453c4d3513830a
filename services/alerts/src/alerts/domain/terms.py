"""How a tenant's cases live: what `alerting.yaml` and the business hours say, ready to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from alerts.domain.severity import Severity
from alerts.domain.workdays import Calendar, MuteTime


@dataclass(frozen=True, slots=True)
class Flapping:
    turns: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class StormCap:
    cases: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Heartbeat:
    receiver: str
    every: timedelta


@dataclass(frozen=True, slots=True)
class PageLimit:
    """Money at risk a year in the tenant's currency, and how near the notice deadline."""

    above: Decimal
    within: timedelta


@dataclass(frozen=True, slots=True)
class PlaybookStep:
    label: str
    owner_role: str
    due_days: int


@dataclass(frozen=True, slots=True)
class Playbook:
    """`source` is `rule` or `engagement-model`."""

    source: str
    name: str
    steps: tuple[PlaybookStep, ...]


@dataclass(frozen=True)
class Terms:
    """Without anything said: every case is told at once, closes when it recovers, and nothing ages.

    `playbooks` of engagement models by what the trait `engagement_model` says; None: of accounts where it says nothing known.
    """

    page: PageLimit | None = None
    assumed: Mapping[Severity, Decimal] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=lambda: Calendar(ZoneInfo("UTC")))
    acknowledged_for: timedelta | None = None
    closes_after_healthy_days: int = 0
    not_real_for: timedelta = timedelta(0)
    flapping: Flapping | None = None
    storm: StormCap | None = None
    mute_times: tuple[MuteTime, ...] = ()
    heartbeat: Heartbeat | None = None
    digest_at: time | None = None
    playbooks: Mapping[str | None, Playbook] = field(default_factory=dict)
