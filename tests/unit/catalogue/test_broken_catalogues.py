"""Every way to be wrong is refused by itself, with file, line, reason and what to do."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.catalogue import unmeant
from tests.unit.catalogue.broken import ALL, Broken, M, metric

from common.catalogue.loading import examine
from common.catalogue.segment_checks import OF_SEGMENTS, RESERVED_DIMENSIONS
from common.figures.families import TOP_PARENT
from common.figures.named_segments import PREFIX
from common.figures.slices import ACCOUNT

BASE = Path(__file__).parents[3] / "catalogue"


@pytest.mark.parametrize("broken", ALL, ids=lambda broken: broken.name)
def test_what_is_broken_is_refused_with_file_line_and_reason(broken: Broken, tmp_path: Path) -> None:
    write(broken, tmp_path)
    errors = examine(BASE, [tmp_path]).errors
    found = [one for one in errors if one.field == broken.field and broken.says in one.message]
    assert found, "\n".join(map(str, errors))
    assert (found[0].file, found[0].line) == (str(tmp_path / broken.file), broken.line)
    assert found[0].advice
    assert len(errors) == 1, "\n".join(map(str, errors))


@pytest.mark.parametrize("odd", unmeant.ALL, ids=lambda odd: odd.name)
def test_what_nobody_means_is_a_warning_with_file_line_and_reason(odd: Broken, tmp_path: Path) -> None:
    write(odd, tmp_path)
    examined = examine(BASE, [tmp_path])
    assert not examined.errors, "\n".join(map(str, examined.errors))
    warned = [one for one in examined.warnings if "serves no goal" not in one.message]
    (found,) = warned
    assert odd.says in found.message
    assert (found.file, found.line, found.field) == (str(tmp_path / odd.file), odd.line, odd.field)
    assert found.advice


@pytest.mark.parametrize(
    "text",
    [
        "name: own\nagg: sum\nevent_types: [own.done]\nfield: data.seats\n",
        "name: own\nagg: sum\nevent_types: [own.done]\nfield: data.size\nscale: 1\n",
        "name: own\nagg: sum\nevent_types: [own.done]\nfield: data.paid\nscale: 2\n",
        "name: own\nagg: sum\nactivity: true\nfield: data.whatever\n",
        "name: own\nagg: sum\nevent_types: ['*']\nfield: data.whatever\n",
        "name: own\nagg: sum\nevent_types: [own.bare, own.done]\nfield: data.whatever\n",
        "name: own\nagg: distinct\nevent_types: [ticket.opened]\nfield: data.user\n",
        "name: own\nagg: count\nactivity: true\nwhere: event.data.whatever == 3\n",
        "name: own\nagg: count\nevent_types: [own.bare, own.done]\nwhere: event.data.size == 'big'\n",
        "name: own\nagg: count\nevent_types: [own.done]\nwhere: event.data.size > 2.5 && event.data.paid != '3'\n",
        "name: own\nagg: count\nevent_types: [activity.logged]\nwhere: event.data.owner == 'x' || !event.data.two_way\n",
        "name: own\nagg: count\nevent_types: [feature.used]\nwhere: event.data.value == true || size(event.data.feature) > 3\n",
    ],
)
def test_what_is_declared_or_open_is_read_without_a_word(tmp_path: Path, text: str) -> None:
    for file, written in (
        ("measures", text),
        ("event-types", unmeant.OWN_TYPE[0][1]),
        ("event-types/bare", "name: own.bare\n"),
    ):
        place = tmp_path / file / "own.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(written, encoding="utf-8")
    assert examine(BASE, [tmp_path]).findings == ()


def write(broken: Broken, overlay: Path) -> None:
    for file, text in ((broken.file, broken.written), *broken.beside):
        (overlay / file).parent.mkdir(exist_ok=True)
        (overlay / file).write_text(text, encoding="utf-8")


def test_a_metric_that_is_to_come_is_an_error_for_whoever_says_what_day_it_is(tmp_path: Path) -> None:
    write(Broken("", M, metric(effective_from="2027-05-02"), "", ""), tmp_path)
    (settings_file := tmp_path / "settings.yaml").write_text("timezone: Pacific/Auckland\n", encoding="utf-8")
    there = datetime(2027, 5, 1, 13, tzinfo=UTC)
    assert examine(BASE, [tmp_path]).errors == examine(BASE, [tmp_path], there).errors == ()
    (found,) = examine(BASE, [tmp_path], there - timedelta(hours=2)).errors
    line = (tmp_path / M).read_text(encoding="utf-8").splitlines().index("effective_from: 2027-05-02") + 1
    assert (found.file, found.line, found.field) == (str(tmp_path / M), line, "own.effective_from")
    assert "2027-05-02 is to come" in found.message
    settings_file.write_text("timezone: Mars/Base\n", encoding="utf-8")
    assert len(examine(BASE, [tmp_path], there - timedelta(days=9)).errors) == 1


def test_dimensions_that_are_none_of_a_trait_are_those_that_figures_know() -> None:
    assert set(RESERVED_DIMENSIONS) == {ACCOUNT, TOP_PARENT}
    assert OF_SEGMENTS == PREFIX


PACK = [
    (str(file.relative_to(BASE)), made)
    for file in sorted(BASE.rglob("*.yaml"))
    for whole in [yaml.safe_load(file.read_text(encoding="utf-8"))]
    for made in (whole if isinstance(whole, list) else [whole])
]
JUNK: list[Any] = [None, True, -1, 1e308, "", "own", "nps", "traits.", "é" * 70, "a\x00b", [], {}, [[]], [None], ["nps"], {"name": "nps"}]  # fmt: skip


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """(collection, key) of everything within a value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [one for key in keys for one in ((value, key), *places_in(value[key]))]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PACK), st.data())
def test_whatever_is_written_the_answer_is_findings(
    tmp_path: Path, definition: tuple[str, Any], data: st.DataObject
) -> None:
    file, value = definition[0], deepcopy(definition[1])
    for _ in range(data.draw(st.integers(1, 3))):
        inside = places_in(value)
        if inside:
            within, key = data.draw(st.sampled_from(inside))
            within[key] = deepcopy(data.draw(st.sampled_from(JUNK)))
    with TemporaryDirectory(dir=tmp_path) as overlay:
        place = Path(overlay, file)
        place.parent.mkdir(exist_ok=True)
        place.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
        for found in examine(BASE, [overlay]).findings:
            assert found.message
            assert found.advice
            assert found.line >= 1


def test_more_than_a_hundred_ways_are_tried() -> None:
    assert len({broken.name for broken in ALL}) == len(ALL) >= 100
