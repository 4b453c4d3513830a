"""From files to the JSON objects that ingest takes."""

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.load.records import FileType, Item, Source, Sources, UnreadableFileError, files_of, items


def read(
    content: bytes,
    file_type: FileType = FileType.NDJSON,
    *,
    recorded_at: str | None = None,
    name: str = "events.csv",
) -> list[Item]:
    source = Source(io.BufferedReader(io.BytesIO(content)), len(content))
    return list(items(source, file_type, name, recorded_at))


def csv_events(text: str, **options: str) -> list[dict[str, Any]]:
    return [json.loads(item.body) for item in read(text.encode(), FileType.CSV, **options)]


# Nor the beginning of an array over several lines, which is refused as a whole.
NO_SIGNATURE = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))).filter(
    lambda lines: not b"\n".join(lines).lstrip().startswith((b"\xef\xbb\xbf", b"\x1f\x8b", b"["))
)


@given(NO_SIGNATURE, st.booleans())
def test_lines_are_sent_as_they_stand_with_their_numbers(lines: list[bytes], packed: bool) -> None:
    content = b"\n".join(lines)
    found = read(gzip.compress(content) if packed else content)
    assert found == [Item(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]


def test_concatenated_gzip_members_are_one_file() -> None:
    assert [i.body for i in read(gzip.compress(b"{}\n") + gzip.compress(b"[]\n"))] == [b"{}", b"[]"]


def test_a_cut_off_gzip_file_is_said_to_be_one() -> None:
    with pytest.raises(UnreadableFileError, match="ends in the middle"):
        read(gzip.compress(b"{}\n" * 1000)[:-10])


def test_a_byte_order_mark_is_no_part_of_the_first_event() -> None:
    assert read(b"\xef\xbb\xbf{}\n") == [Item(1, b"{}")]


def test_recorded_at_names_a_field_anywhere_and_leaves_every_other_byte() -> None:
    line = b'{"id":"a","data":{"logged":"2020-01-02T03:04:05Z","n":1.00000000000000000001}}'
    (item,) = read(line, recorded_at="data.logged")
    assert json.loads(item.body)["recordedtime"] == "2020-01-02T03:04:05Z"
    assert b"1.00000000000000000001" in item.body


def test_a_line_that_is_no_event_is_left_for_ingest_to_refuse() -> None:
    assert read(b"no json\n[1]\n", recorded_at="data.logged") == [Item(1, b"no json"), Item(2, b"[1]")]


def test_a_csv_row_becomes_an_event() -> None:
    text = "id,source,type,time,subject,data.user,data.score\na1,/crm,survey.responded,2026-01-02T00:00:00Z,acme,12345,9\n"
    assert csv_events(text) == [
        {
            "specversion": "1.0",
            "id": "a1",
            "source": "/crm",
            "type": "survey.responded",
            "time": "2026-01-02T00:00:00Z",
            "subject": "acme",
            "data": {"user": "12345", "score": 9},
        }
    ]


def test_csv_numbers_keep_their_digits_money_stays_text_and_kinds_can_be_named() -> None:
    header = "id,type,time,data.value,data.mrr,data.code:text,data.tags:json,data.flag,data.word,data.none\n"
    (item,) = read(
        (header + 'a,t,2026,10000000000000000.01,19.90,7,"[1,2]",true,01,\n').encode(), FileType.CSV
    )
    assert b'"value":10000000000000000.01' in item.body
    data = json.loads(item.body)["data"]
    assert data | {"value": 0} == {
        "value": 0,
        "mrr": "19.90",
        "code": "7",
        "tags": [1, 2],
        "flag": True,
        "word": "01",
    }


def test_a_dot_in_a_column_leads_into_the_object() -> None:
    header = "id,type,time,data.traits.plan,data.user,data.traits.seats,data.traits.parent,data.traits.region:json\n"
    rows = "a,t,2026,1,ada,5,1001,null\nb,t,2026,,ada,,,\n"
    first, second = csv_events(header + rows)
    assert first["data"] == {
        "traits": {"plan": "1", "seats": 5, "parent": "1001", "region": None},
        "user": "ada",
    }
    assert second["data"] == {"user": "ada"}


def test_a_column_may_hold_all_of_data() -> None:
    text = 'id,type,time,data\na,t,2026,"{""user"": ""ada""}"\nb,t,2026,\n'
    assert [event["data"] for event in csv_events(text)] == [{"user": "ada"}, {}]


_NAMES = st.text("abc", min_size=1, max_size=3)
_TREES = st.recursive(
    st.sampled_from(["", "x", "y z"]), lambda inner: st.dictionaries(_NAMES, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(_NAMES, _TREES, max_size=3), st.randoms())
def test_columns_of_any_order_make_the_object_they_were_made_from(
    tree: dict[str, Any], random: Random
) -> None:
    cells = list(_flat(tree, "data"))
    random.shuffle(cells)
    header = ",".join(["id", "type", "time", *(name for name, _ in cells)])
    (event,) = csv_events(f"{header}\n{','.join(['a', 't', '2026', *(cell for _, cell in cells)])}\n")
    assert event["data"] == _filled(tree)


def _flat(tree: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, inner in tree.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{path}.{name}")
        else:
            yield f"{path}.{name}", inner


def _filled(tree: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty, all the way up."""
    kept = {name: _filled(inner) if isinstance(inner, dict) else inner for name, inner in tree.items()}
    return {name: inner for name, inner in kept.items() if inner}


def test_a_csv_without_source_gets_the_name_of_the_file() -> None:
    assert csv_events("id,type,time\na,t,2026\n", name="crm.csv")[0]["source"] == "/load/crm.csv"


def test_quoted_line_breaks_keep_the_line_numbers() -> None:
    text = 'id,type,time,data.text\na,t,2026,"one\ntwo"\nb,t,2026,x\n'
    assert [item.line for item in read(text.encode(), FileType.CSV)] == [2, 4]


def test_a_row_that_does_not_fit_its_header_never_becomes_half_an_event() -> None:
    text = "id,type,time\na,t,2026,surplus\nb,t,2026\n"
    wrong, right = read(text.encode(), FileType.CSV)
    assert wrong == Item(2, b'["a","t","2026","surplus"]', "the row has 4 cells and the header 3")
    assert (right.line, right.wrong) == (3, None)
    short = "id,type,time,subject\na,t,2026\nb,t,2026,acm"
    assert [item.wrong for item in read(short.encode(), FileType.CSV)] == [None, None]
    _, cut = read(short[:-4].encode(), FileType.CSV)
    assert "the file ends in the middle of it, after 3 of 4 cells" in str(cut.wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,type\n", "no column time"),
        ("", "no column id, type, time"),
        ("id,type,time,data.x:money\n", "after the colon"),
        ("id,type,time,data.x,data.x\n", "has the column data.x twice"),
        ("id,type,time,data.x,data.x:text\n", "has the column data.x twice"),
        ("id,type,time,id\n", "has the column id twice"),
        ("id,type,time,data.a.b,data.a.b:json\n", "has the column data.a.b twice"),
        ("id,type,time,data.a.b,data.a\n", "columns data.a and data.a.b, and the second is a field"),
        ("id,type,time,data.a.b.c,data.ab,data.a:json\n", "columns data.a and data.a.b.c, "),
        ("id,type,time,data,data.a\n", "columns data and data.a, "),
        ("id,type,time,data.\n", "between dots stand the names"),
        ("id,type,time,data.a..b\n", "between dots stand the names"),
        (f"id,type,time,data.{'a.' * 5_000}b\n", "of 1 to 200 levels"),
        (f"id,type,time\na,t,{'x' * 200_000}\n", "Line 2: a cell has more than"),
        ('id,type,time\na,t,"2026"x\nb,t,2026\n', "Line 2: it is no CSV"),
        (
            'id,type,time\na,t,2026\nb,t,"2026\nc,t,2026\n',
            "Line 3: its quotes .* lines 3 to 4 can't be told apart",
        ),
        ('id,type,"time\na,t,2026\n', "Line 1: its quotes .* lines 1 to 2"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(UnreadableFileError, match=said):
        csv_events(text)


@pytest.mark.parametrize("text", [b'[{"id":"a"},\n{"id":"b"}]', b'\xef\xbb\xbf[\n{"id":"a"}\n]'])
def test_an_array_over_several_lines_is_refused_as_such(text: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="one array over several lines"):
        read(text)


def test_columns_without_a_name_may_be_several() -> None:
    assert csv_events("id,type,time,,\na,t,2026,,\n")[0]["id"] == "a"


def test_recorded_at_names_a_csv_column() -> None:
    text = "id,type,time,entered\na,t,2026,2027-01-01T00:00:00Z\n"
    assert csv_events(text, recorded_at="entered")[0]["recordedtime"] == "2027-01-01T00:00:00Z"
    with pytest.raises(UnreadableFileError, match="no column other"):
        csv_events(text, recorded_at="other")


def test_a_segment_export_loses_what_would_shift_its_times_again() -> None:
    call = {
        "type": "track",
        "timestamp": "T",
        "sentAt": "S",
        "receivedAt": "R",
        "originalTimestamp": "O",
        "event": "x",
    }
    (item,) = read(json.dumps(call).encode(), FileType.SEGMENT)
    assert json.loads(item.body) == {"type": "track", "timestamp": "T", "event": "x"}
    (item,) = read(b'{"originalTimestamp":"O"}', FileType.SEGMENT)
    assert json.loads(item.body) == {"timestamp": "O"}


def test_the_share_read_ends_at_one(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 50_000))
    with path.open("rb") as raw:
        source = Source(raw, path.stat().st_size)
        assert source.fraction is not None
        assert source.fraction < 1
        assert sum(1 for _ in items(source, FileType.NDJSON, "x", None)) == 50_000
        assert source.fraction == 1.0


def test_a_directory_of_exports_is_one_stream_in_the_order_of_names(tmp_path: Path) -> None:
    """As Segment leaves them: a folder a day, files in gzip of JSON lines."""
    for day, names in (("1733184000000", ("b.gz", "a.gz")), ("1733097600000", ("c.gz",))):
        (tmp_path / day).mkdir()
        for name in names:
            call = {
                "type": "track",
                "messageId": f"{day}-{name}",
                "timestamp": "2024-12-03T00:00:00.000Z",
                "sentAt": None,
            }
            (tmp_path / day / name).write_bytes(gzip.compress(json.dumps(call).encode()))
    (tmp_path / ".DS_Store").write_bytes(b"junk")
    source = Sources(tmp_path, files_of(tmp_path))
    found = list(items(source, FileType.SEGMENT, "export", None))
    sent = [json.loads(item.body)["messageId"].partition("-")[2] for item in found]
    assert sent == ["c.gz", "a.gz", "b.gz"]
    assert [item.line for item in found] == [1, 2, 3]
    places = [str(source.place(item.line)) for item in found]
    assert places == [
        f"{name} line 1" for name in ("1733097600000/c.gz", "1733184000000/a.gz", "1733184000000/b.gz")
    ]
    assert all("sentAt" not in json.loads(item.body) for item in found)
    assert source.fraction == 1.0
    with pytest.raises(UnreadableFileError, match="no files"):
        files_of(tmp_path / "nothing")


@given(
    st.lists(st.lists(st.sampled_from([b"{}", b"", b"[1]"]), max_size=4), min_size=1, max_size=5),
    st.booleans(),
)
def test_each_record_is_found_in_its_own_file(files: list[list[bytes]], ended: bool) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        for number, lines in enumerate(files):
            (directory / f"{number}.ndjson").write_bytes(
                b"\n".join(lines) + (b"\n" if ended and lines else b"")
            )
        source = Sources(directory, files_of(directory))
        found = list(items(source, FileType.NDJSON, "x", None))
    places = [source.place(item.line) for item in found]
    assert [(place.file, place.line, item.body) for place, item in zip(places, found, strict=True)] == [
        (f"{number}.ndjson", line, body)
        for number, lines in enumerate(files)
        for line, body in enumerate(lines, start=1)
        if body
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_events_come_in_csv_of_any_delimiter(delimiter: str) -> None:
    rows = [["id", "type", "time", "data.note"], ["1", "x.y", "2026-01-01T00:00:00Z", '"a, b; c"']]
    (event,) = csv_events("\n".join(delimiter.join(row) for row in rows))
    assert event["data"] == {"note": "a, b; c"}
