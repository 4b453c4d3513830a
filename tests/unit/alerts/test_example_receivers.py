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


def test_the_examples_of_people_and_on_call_fit_each_other(tmp_path: Path) -> None:
    for name in ("people.yaml", "on-call.yaml"):
        (tmp_path / name).write_text((CATALOGUE / f"{name}.example").read_text())
    made = ", ".join(
        f"{{name: {name}, kind: email, to: {name}@example.com}}" for name in ("cs_team", "cs_dana", "cs_kim")
    )
    routes = "[{owner: true, and_on: true}, {on_call: cs}]"
    (tmp_path / "receivers.yaml").write_text(f"receivers: [{made}]\nroutes: {routes}\n")
    definitions = definitions_of(1, 1, loading.load(CATALOGUE, [tmp_path]))
    assert definitions.rotations["cs"].people == ("dana", "kim")
    assert definitions.own_receivers == {"cs_team", "cs_dana", "cs_kim"}
