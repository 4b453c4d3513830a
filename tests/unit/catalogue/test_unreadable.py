"""Values that a definition can't have: what is said of them, and what to write instead."""

import os
from pathlib import Path

import pytest
from tests.unit.catalogue.test_loading import BASE, metric

from common.catalogue import CatalogueInvalid, load

CASES = [
    ("settings.yaml", "holidays: [NO]", "False is no text", "in quotes, as text: without them YAML reads NO"),
    ("settings.yaml", "holidays: DE", "must be a valid tuple", "Write a list: [a, b]"),
    ("settings.yaml", "currency: eur", "'eur' is not a currency", "such as EUR"),
    ("settings.yaml", "timezon: UTC", "not permitted", "Did you mean timezone? Known fields: "),
    ("settings.yaml", "business_hours: [monday]", "must be", "Write names with values"),
    (
        "settings.yaml",
        "business_hours: {days: {monday: [9-17]}}",
        "'9-17' is not opening hours",
        "such as '09:00-17:00'",
    ),
    ("settings.yaml", "gross_margin: much", "'much' must be a valid decimal", "Write a number, without quotes"),
    ("settings.yaml", "gross_margin: 7", "must be less than or equal to 1", "within that bound"),
    ("metrics/m.yaml", metric(settles_after=7), "7 is no text", "YAML reads a number"),
    ("metrics/m.yaml", metric(settles_after="a week"), "'a week' is not a number of hours or days", "such as 24 hours"),
    ("metrics/m.yaml", metric(unit="mony"), "'mony' must be 'count'", "Did you mean money?"),
    ("metrics/m.yaml", metric(formula={"type": "simpel", "measure": "events"}), "expected tags", "Did you mean type: simple?"),
    ("metrics/m.yaml", metric(formula={"measure": "events"}), "Unable to extract tag", "Add a type"),
    ("metrics/m.yaml", metric(formula={"type": "simple", "measure": "events", "x": 1}), "not permitted", "Correct its name, or remove it"),
    ("metrics/m.yaml", metric(version="one"), "'one' must be a valid integer", "Write a number"),
    ("metrics/m.yaml", metric(descripton="x"), "not permitted", "Did you mean description?"),
    ("metrics/m.yaml", metric(depends_on_teams="product"), "must be a valid tuple", "Write a list"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "why", "advice"), CASES)
def test_what_is_wrong_and_how_to_write_it(
    tmp_path: Path, file: str, text: str, why: str, advice: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueInvalid) as invalid:
        load(BASE, [tmp_path])
    errors = [found for found in invalid.value.findings if found.severity == "error"]
    assert len(errors) == 1, errors
    assert why in errors[0].message
    assert advice in errors[0].advice


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    """A pipe was waited for until somebody wrote, a device read until memory was full, and a link to a directory passed over
    without a word, with all that stood in it."""
    shared, overlay = tmp_path / "shared", tmp_path / "overlay"
    shared.mkdir()
    (shared / "own.yaml").write_text(metric(), encoding="utf-8")
    (overlay / "rules" / "b.yaml").mkdir(parents=True)
    (overlay / "settings.yaml").mkdir()
    (overlay / "goals").write_text("name: own", encoding="utf-8")
    os.mkfifo(overlay / "rules" / "pipe.yaml")
    for at, to in (("device.yaml", "/dev/zero"), ("gone.yaml", "nowhere"), ("round.yaml", "round.yaml")):
        (overlay / "rules" / at).symlink_to(to)
    (overlay / "metrics").symlink_to(shared)
    (overlay / "not-ours").symlink_to(shared)
    with pytest.raises(CatalogueInvalid) as invalid:
        load(BASE, [overlay])
    told = {str(Path(one.file).relative_to(overlay)): one.message for one in invalid.value.findings}
    assert told == {
        "goals": "is no directory, so it isn't read",
        "metrics": "is a link to a directory, so it isn't read",
        "rules/b.yaml": "is a directory, so it isn't read",
        "rules/device.yaml": "is no file of text",
        "rules/gone.yaml": "can't be read: No such file or directory",
        "rules/pipe.yaml": "is no file of text",
        "rules/round.yaml": "can't be read: Too many levels of symbolic links",
        "settings.yaml": "is a directory, so it isn't read",
    }
