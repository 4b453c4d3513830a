"""Every span of time that a definition names is bounded: what is longer is a finding and never an overflow in a figure."""

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from annotated_types import Le
from pydantic.fields import FieldInfo
from tests.unit.catalogue.test_broken_catalogues import BASE

from common.catalogue.base import Model
from common.catalogue.loading import KINDS, SINGLES, load

SPANS = ("days", "months", "hours", "minutes", "seconds", "windows")


def models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_in(part)


def every_model() -> set[type[Model]]:
    seen: set[type[Model]] = set()
    rest = [*KINDS.values(), *SINGLES.values()]
    while rest:
        model = rest.pop()
        if model not in seen:
            seen.add(model)
            rest += [made for field in model.model_fields.values() for made in models_in(field.annotation)]
    return seen


def is_span(name: str, field: FieldInfo) -> bool:
    return name.rpartition("_")[2] in SPANS and field.annotation in (int, int | None)


FIELDS = [
    pytest.param(field, id=f"{model.__name__}.{name}")
    for model in sorted(every_model(), key=lambda made: made.__name__)
    for name, field in model.model_fields.items()
    if is_span(name, field)
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_span_has_a_longest(field: FieldInfo) -> None:
    bounds = [one.le for one in field.metadata if isinstance(one, Le)]
    assert bounds, "give it le=..."
    assert typing.cast("float", bounds[0]) <= 366 * 24 * 3600


def test_the_pack_settles_within_the_bound() -> None:
    assert all(metric.settles.days <= 3660 for metric in load(BASE).metrics.values())
