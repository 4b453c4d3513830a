"""The example that people copy works as it stands."""

from pathlib import Path

from alerts.adapters.definitions import definitions_of
from alerts.domain.cases import NoticeType
from alerts.domain.routing import Subject, Target, hearers
from common.catalogue import loading

CATALOGUE = Path(__file__).parents[3] / "catalogue"


def test_the_example_of_receivers_and_routes_is_valid_and_routes_as_it_says(tmp_path: Path) -> None:
    example = (CATALOGUE / "receivers.yaml.example").read_text()
    (tmp_path / "receivers.yaml").write_text(example)
    definitions = definitions_of(1, 1, loading.load(CATALOGUE, [tmp_path]))
    targets = (Target(1, "cs_team", frozenset()), Target(2, "cs_lead", frozenset()))
    for severity, names in (("critical", ["cs_team", "cs_lead"]), ("warning", ["cs_team"])):
        subject = Subject(severity, None, None, frozenset({"usage_fell"}))  # type: ignore[arg-type]
        heard = hearers(targets, definitions.routes, NoticeType.OPENED, subject)
        assert [target.name for target in heard] == names
