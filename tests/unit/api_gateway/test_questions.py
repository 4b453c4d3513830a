import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain.accounts import AccountsQuery, check
from api_gateway.http.figures import from_parameters
from common.errors import Rejected


def test_parameters_say_the_same_as_a_body() -> None:
    asked = from_parameters(
        [("metrics", "events,mrr"), ("metrics", "nps"), ("from", "2026-01-01"), ("to", "2026-02-01"), ("group_by", "segment"), ("filter.plan", "pro"),
         ("filter.plan", "free"), ("accounts", "a,b"), ("accounts", '["c","d"]'), ("limit", "10"), ("cursor", ""), ("compare", "")]
    )  # fmt: skip
    assert asked == {
        "metrics": ["events", "mrr", "nps"], "from": "2026-01-01", "to": "2026-02-01", "group_by": ["segment"], "filter": {"plan": ["pro", "free"]},
        "accounts": ["a,b", "c", "d"], "limit": 10, "cursor": None, "compare": None,
    }  # fmt: skip


def test_a_trait_in_an_address_is_the_text_or_what_it_is_written_like() -> None:
    said = ("3", "-1.50", "true", "007", "1e3", "pro", "")
    asked = from_parameters([("filter.plan", value) for value in said])
    assert asked["filter"] == {
        "plan": ["3", 3, "-1.50", -1.5, "true", True, "007", "1e3", "pro", ""]
    }  # fmt: skip
    assert from_parameters([("filter.segment:trial", "false")])["filter"] == {"segment:trial": [False]}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["metrics", "filter", "filter.x", "limit", "accounts", "grain", "odd"]),
            st.text(max_size=30),
        )
    )
)
def test_any_parameters_are_either_read_or_refused(items: list[tuple[str, str]]) -> None:
    with contextlib.suppress(Rejected):
        assert isinstance(from_parameters(items), dict)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (AccountsQuery(sort="odd"), "sort-unknown"),
        (AccountsQuery(order="up"), "order-unknown"),
        (AccountsQuery(case="maybe"), "case-unknown"),
        (AccountsQuery(limit=0), "limit-invalid"),
        (AccountsQuery(limit=1001), "limit-invalid"),
        (AccountsQuery(search="\0"), "text-invalid"),
        (AccountsQuery(traits={"a": ("\ud800",)}), "text-invalid"),
        (AccountsQuery(traits={"a" * 600: ("x",)}), "text-invalid"),
        (AccountsQuery(traits={str(n): ("x",) for n in range(11)}), "filter-too-large"),
    ],
)
def test_a_list_that_can_not_be_answered_is_refused_with_a_code(query: AccountsQuery, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        check(query)
    assert refused.value.code == code
