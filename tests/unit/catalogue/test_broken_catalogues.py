"""Every way to be wrong is refused by itself, with file, line, reason and what to do."""

from pathlib import Path

import pytest
from tests.unit.catalogue.broken import ALL, Broken

from common.catalogue.loading import examine

BASE = Path(__file__).parents[3] / "catalogue"


@pytest.mark.parametrize("broken", ALL, ids=lambda broken: broken.name)
def test_what_is_broken_is_refused_with_file_line_and_reason(broken: Broken, tmp_path: Path) -> None:
    for file, text in ((broken.file, broken.written), *broken.beside):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    errors = examine(BASE, [tmp_path]).errors
    found = [one for one in errors if one.field == broken.field and broken.says in one.message]
    assert found, "\n".join(map(str, errors))
    assert (found[0].file, found[0].line) == (str(tmp_path / broken.file), broken.line)
    assert found[0].advice
    assert len(errors) == 1, "\n".join(map(str, errors))


def test_at_least_sixty_ways_are_tried() -> None:
    assert len({broken.name for broken in ALL}) == len(ALL) >= 60
