"""A memory of people that may forget one, and never takes one for another."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.known_people import KnownPeople, hashes

Column = npt.NDArray[np.int64]

# Few names at few accounts, so that the same name stands at several; no name and an empty one among them.
people = st.tuples(
    st.integers(0, 4), st.sampled_from(["", "ann", "bob", "çelik", "ann "]) | st.text(max_size=3)
)
rounds = st.lists(st.lists(people, max_size=12, unique=True), max_size=10)


def columns(drawn: list[tuple[int, str]]) -> tuple[Column, Column]:
    return np.array([account for account, _ in drawn], np.int64), hashes([name for _, name in drawn])


@given(rounds, st.sampled_from([1, 2, 8, 1024]))
def test_it_knows_people_by_the_ids_they_were_given_or_not_at_all(
    told: list[list[tuple[int, str]]], slots: int
) -> None:
    known, model = KnownPeople(slots), dict[tuple[int, str], int]()
    for drawn in told:
        new = [one for one in drawn if one not in model]
        model |= {one: len(model) + at for at, one in enumerate(new, 1)}
        known.put(*columns(new), np.array([model[one] for one in new], np.int64))
        asked = [*model, (5, "ann"), (0, "nobody")]
        found = known.find(*columns(asked)).tolist()
        assert all(id_ in (0, model.get(one, 0)) for one, id_ in zip(asked, found, strict=True))
    known.clear()
    assert not known.find(*columns(list(model))).any()


def test_it_remembers_while_there_is_room() -> None:
    known = KnownPeople(1 << 14)
    accounts, names = np.repeat(np.arange(1, 101), 80), hashes([f"user-{n}" for n in range(8_000)])
    ids = np.arange(1, 8_001)
    known.put(accounts, names, ids)
    found = known.find(accounts, names)
    assert ((found == ids) | (found == 0)).all()
    assert (found == ids).mean() > 0.97
    assert not known.find(accounts + 1_000, names).any()
