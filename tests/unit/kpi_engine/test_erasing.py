"""An erased name stands nowhere in an event, and all else stays as it is, to the digit."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.erasing import erased_event

NAME, TOKEN = "ann@example.com", "erased-1"
texts = st.sampled_from([NAME, "bob", "annual", ""])
values = st.recursive(
    texts | st.booleans() | st.none() | st.integers(-(10**15), 10**15),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def token_of(name: str) -> str | None:
    return TOKEN if name == NAME else None


def names_in(value: Any) -> bool:
    if isinstance(value, dict):
        return any(names_in(item) for pair in value.items() for item in pair)
    return any(map(names_in, value)) if isinstance(value, list) else bool(value == NAME)


@given(data=st.dictionaries(texts, values, max_size=4), user=texts)
def test_the_name_is_gone_and_whoever_is_not_named_is_untouched(data: dict[str, Any], user: str) -> None:
    event = {
        "id": NAME,
        "source": "app",
        "type": "t",
        "time": "x",
        "subject": f"user:{user}",
        "data": {**data, "user": user},
    }
    body = json.dumps(event).encode()
    erased = erased_event(body, token_of)
    found = json.loads(erased)
    assert found["id"] == NAME, "identity stays"
    assert not names_in({**found, "id": ""})
    assert NAME not in found["subject"]
    if not names_in({**event, "id": ""}) and user != NAME:
        assert erased is body


def test_numbers_keep_their_digits_and_own_words_go() -> None:
    body = (
        b'{"id":"1","data":{"user":"ann@example.com","amount":1.10,"big":12345678901234567890.123456789,'
        b'"comment":"call me on 555","traits":{"role":"admin","email":"a@b","champion":true,"seats":3}}}'
    )
    erased = erased_event(body, token_of)
    assert b'"amount":1.10' in erased
    assert b"12345678901234567890.123456789" in erased
    data = json.loads(erased)["data"]
    assert (data["user"], data["comment"]) == (TOKEN, TOKEN)
    assert data["traits"] == {"role": "admin", "email": TOKEN, "champion": True, "seats": 3}


def test_what_a_person_said_of_an_account_stays_but_for_the_name() -> None:
    traits = {"segment": "smb", "champion": NAME}
    event = {"id": "1", "type": "account.updated", "data": {"user": NAME, "traits": traits}}
    erased = json.loads(erased_event(json.dumps(event).encode(), token_of))
    assert erased["data"] == {"user": TOKEN, "traits": {"segment": "smb", "champion": TOKEN}}


def test_what_is_no_event_stays_as_it_is() -> None:
    for body in (b"", b"not json", b"[1]", b'"ann@example.com"', b"\xff"):
        assert erased_event(body, token_of) is body
