"""From files to a checked catalogue: the base pack, then each overlay, which edits, adds and removes by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from common.catalogue import checks, unreadable
from common.catalogue.alerting import Alerting
from common.catalogue.base import Model
from common.catalogue.engagement import EngagementModel
from common.catalogue.findings import CatalogueInvalid, Finding
from common.catalogue.health import HealthProfile
from common.catalogue.models import Catalogue, EventType, Measure, Metric, Routing, Rule, Settings
from common.catalogue.people import OnCall, Team
from common.catalogue.places import without_removed
from common.catalogue.risk import RiskReason, RiskSettings
from common.catalogue.scorecard import MetricBenchmark, Scorecard
from common.catalogue.segments import Segment
from common.catalogue.signals import Signal
from common.catalogue.source import Document, Entry, Path_, entries, read
from common.catalogue.tree import Driver, Goal, Tree

KINDS: Mapping[str, type[Model]] = {
    "event-types": EventType,
    "measures": Measure,
    "metrics": Metric,
    "rules": Rule,
    "goals": Goal,
    "drivers": Driver,
    "segments": Segment,
    "engagement-models": EngagementModel,
    "benchmarks": MetricBenchmark,
    "health": HealthProfile,
    "signals": Signal,
    "risk": RiskReason,
}
SINGLES: Mapping[str, type[Model]] = {
    "settings.yaml": Settings,
    "receivers.yaml": Routing,
    "alerting.yaml": Alerting,
    "people.yaml": Team,
    "on-call.yaml": OnCall,
    "tree.yaml": Tree,
    "scorecard.yaml": Scorecard,
    "risk.yaml": RiskSettings,
}

M = TypeVar("M", bound=Model)
_PLAIN = (
    "str",
    "int",
    "float",
    "bool",
)  # what pydantic calls the plain things that a value of a list might be


@dataclass
class Gathered:
    """What the files say, by kind and name, with the place each definition came from."""

    models: dict[str, dict[str, Model]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    places: dict[str, dict[str, Entry]] = field(
        default_factory=lambda: {kind: {} for kind in (*KINDS, *SINGLES)}
    )
    singles: dict[str, Model] = field(default_factory=dict)

    def of(self, kind: str, model: type[M]) -> dict[str, M]:
        return {name: made for name, made in sorted(self.models[kind].items()) if isinstance(made, model)}


@dataclass(frozen=True, slots=True)
class Examined:
    """Everything that is to be said about the files, in reading order; the catalogue is whole where nothing is an error."""

    catalogue: Catalogue
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.severity == "warning")


def load(base_dir: Path | str, overlay_dirs: Iterable[Path | str] = ()) -> Catalogue:
    """The catalogue in `base_dir` with the overlays applied in order.

    Raises CatalogueInvalid with every error; nothing is half loaded.
    """
    examined = examine(base_dir, overlay_dirs)
    if examined.errors:
        raise CatalogueInvalid(examined.errors)
    return examined.catalogue


def examine(
    base_dir: Path | str, overlay_dirs: Iterable[Path | str] = (), now: datetime | None = None
) -> Examined:
    """The same with the warnings, and without raising. `now`: also what is wrong for being to come."""
    findings: list[Finding] = []
    gathered = Gathered()
    for layer, directory in enumerate((base_dir, *overlay_dirs)):
        _gather(Path(directory), layer, gathered, findings)
    catalogue = _assemble(gathered)
    findings.extend(checks.check(catalogue, gathered.places, now))
    findings.sort(key=lambda found: (found.file, found.line, found.severity))
    return Examined(without_removed(catalogue), tuple(findings))


def base_pack() -> Path:
    """The catalogue directory of this checkout or of the working directory. Raises CatalogueInvalid when there is none."""
    for start in (Path.cwd(), Path(__file__).resolve()):
        for parent in (start, *start.parents):
            if (parent / "catalogue" / "settings.yaml").is_file():
                return parent / "catalogue"
    advice = "Run the command inside a checkout, or name the base pack's directory with --base"
    raise CatalogueInvalid([Finding("catalogue", 1, "", "there is no base pack here", advice)])


def _gather(directory: Path, layer: int, gathered: Gathered, findings: list[Finding]) -> None:
    if not directory.is_dir():
        findings.append(
            Finding(str(directory), 1, "", "is no directory", "Name a directory that holds a catalogue")
        )
        return
    for file in _files(directory, findings):
        inside = file.relative_to(directory)
        suffix = file.suffix.lower()
        if suffix not in (".yaml", ".yml"):
            if suffix == ".json" and inside.parts[0] in KINDS and not file.name.endswith(".schema.json"):
                advice = "Rename it to end with .yaml: JSON is read there as it is"
                findings.append(Finding(str(file), 1, "", "is no YAML file, so it isn't read", advice))
            if str(inside) in KINDS:
                advice = f"Name it {inside}.yaml, and put it into a directory {inside}"
                findings.append(Finding(str(file), 1, "", "is no directory, so it isn't read", advice))
            continue
        if str(inside) not in SINGLES and (inside.parts[0] not in KINDS or len(inside.parts) < 2):
            advice = f"Put definitions under {', '.join(KINDS)}, or in {' or '.join(SINGLES)}"
            findings.append(Finding(str(file), 1, "", "stands where nothing is read", advice))
            continue
        document = read(file, str(file), layer, findings)
        if document is not None:
            _take(document, str(inside), inside.parts[0], gathered, findings)


def _files(directory: Path, findings: list[Finding]) -> list[Path]:
    """All that is in it, in order. What would be passed over without a word although somebody meant it is told."""

    def unread(error: OSError) -> None:
        advice = "Let whoever runs this read it"
        findings.append(Finding(str(error.filename), 1, "", f"can't be read: {error.strerror}", advice))

    found: list[Path] = []
    for where, folders, files in os.walk(directory, onerror=unread):
        found += (Path(where, name) for name in files)
        for folder in (Path(where, name) for name in folders):
            inside = folder.relative_to(directory)
            if str(inside) in SINGLES or (inside.parts[0] in KINDS and folder.suffix in (".yaml", ".yml")):
                advice = "Put a file in its place"
                findings.append(Finding(str(folder), 1, "", "is a directory, so it isn't read", advice))
            elif folder.is_symlink() and inside.parts[0] in KINDS:
                advice = "Put the directory itself there; an overlay of its own can be named beside this one"
                findings.append(
                    Finding(str(folder), 1, "", "is a link to a directory, so it isn't read", advice)
                )
    return sorted(found)


def _take(document: Document, inside: str, kind: str, gathered: Gathered, findings: list[Finding]) -> None:
    if inside in SINGLES:
        for entry in entries(document, findings):
            _take_single(entry, inside, gathered, findings)
        return
    for entry in entries(document, findings):
        _take_named(entry, kind, gathered, findings)


def _take_single(entry: Entry, inside: str, gathered: Gathered, findings: list[Finding]) -> None:
    known = gathered.singles.get(inside)
    merged = {**(known.model_dump() if known else {}), **entry.value}
    made = _make(SINGLES[inside], entry, merged, findings)
    if made is not None:
        gathered.singles[inside] = made
        gathered.places[inside] |= dict.fromkeys(("", *entry.value), entry)


def _take_named(entry: Entry, kind: str, gathered: Gathered, findings: list[Finding]) -> None:
    name = entry.name
    earlier = gathered.places[kind].get(name)
    if earlier is not None and earlier.document.layer == entry.document.layer:
        place = f"{earlier.document.file}:{earlier.document.line(earlier.path)}"
        findings.append(
            entry.finding(("name",), f"is already defined in {place}", "Rename or delete one of the two")
        )
        return
    if entry.value.get("removed") is True:
        if gathered.models[kind].pop(name, None) is None:
            findings.append(
                entry.finding(("removed",), "isn't defined, so it can't be removed", "Correct the name")
            )
        gathered.places[kind][name] = entry
        return
    made = _make(KINDS[kind], entry, entry.value, findings)
    gathered.places[kind][name] = entry
    if made is not None:
        gathered.models[kind][name] = made


def _make(
    model: type[Model], entry: Entry, value: Mapping[str, Any], findings: list[Finding]
) -> Model | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        told: set[Path_] = set()
        for fault in error.errors():
            path = _path(fault["loc"])
            if path in told:
                continue
            told |= {path[:length] for length in range(len(path) + 1)}
            advice = unreadable.advice(fault, model.model_fields, nested=len(path) > 1)
            found = entry.finding(path, unreadable.reason(fault), advice)
            if found.line not in entry.document.faulty:
                findings.append(found)
        return None


def _path(location: tuple[int | str, ...]) -> Path_:
    """Where a fault stands in the file. One value has several where it might have been several things, or lacks a part
    that is faulty itself: the first of them is told."""
    path = tuple(part for part in location if not _is_tag(part, location))
    in_list = len(path) > 1 and isinstance(path[-2], int)
    return path[:-1] if in_list and path[-1] in _PLAIN else path


def _is_tag(part: str | int, location: tuple[int | str, ...]) -> bool:
    """Pydantic puts a union's tag into the path; the file has no such level."""
    return (
        len(location) > 1
        and location[0] in ("formula", "test")
        and part == location[1]
        and part not in ("type", "measure")
    )


def _assemble(gathered: Gathered) -> Catalogue:
    settings = gathered.singles.get("settings.yaml")
    routing = gathered.singles.get("receivers.yaml")
    alerting, team = gathered.singles.get("alerting.yaml"), gathered.singles.get("people.yaml")
    on_call = gathered.singles.get("on-call.yaml")
    tree, scorecard = gathered.singles.get("tree.yaml"), gathered.singles.get("scorecard.yaml")
    risk = gathered.singles.get("risk.yaml")
    return Catalogue(
        settings=settings if isinstance(settings, Settings) else Settings(),
        event_types=gathered.of("event-types", EventType),
        measures=gathered.of("measures", Measure),
        metrics=gathered.of("metrics", Metric),
        rules=gathered.of("rules", Rule),
        routing=routing if isinstance(routing, Routing) else Routing(),
        alerting=alerting if isinstance(alerting, Alerting) else Alerting(),
        team=team if isinstance(team, Team) else Team(),
        on_call=on_call if isinstance(on_call, OnCall) else OnCall(),
        tree=tree if isinstance(tree, Tree) else None,
        goals=gathered.of("goals", Goal),
        drivers=gathered.of("drivers", Driver),
        segments=gathered.of("segments", Segment),
        engagement_models=gathered.of("engagement-models", EngagementModel),
        scorecard=scorecard if isinstance(scorecard, Scorecard) else None,
        benchmarks=gathered.of("benchmarks", MetricBenchmark),
        health=gathered.of("health", HealthProfile),
        signals=gathered.of("signals", Signal),
        risk=gathered.of("risk", RiskReason),
        risk_settings=risk if isinstance(risk, RiskSettings) else RiskSettings(),
    )
