"""Where a load stands survives any kind of end."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bellwether.load.position import Position, PositionFile, digest_of, position_name, state_directory


@given(line=st.integers(0, 2**60), accepted=st.integers(0, 2**60), refused=st.integers(0, 2**60))
def test_what_was_written_is_read_again(
    line: int, accepted: int, refused: int, tmp_path_factory: object
) -> None:
    path = Path(tmp_path_factory.mktemp("state")) / "deep" / "p.json"  # type: ignore[attr-defined]
    position = Position("digest", line, accepted, refused)
    PositionFile(path).write(position)
    assert PositionFile(path).read("digest") == position


def test_another_content_starts_anew_and_so_does_a_damaged_file(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "p.json")
    assert file.read("a") is None
    file.write(Position("a", 5, 5, 0))
    assert file.read("b") is None
    file.path.write_bytes(b"{")
    assert file.read("a") is None
    file.clear()
    file.clear()


def test_nothing_but_the_position_is_left_behind(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "p.json")
    file.write(Position("a", 5, 5, 0))
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_a_load_is_one_file_to_one_door_with_one_key(tmp_path: Path) -> None:
    names = {
        position_name(tmp_path / file, url, key, kind)
        for file in ("a", "b")
        for url in ("http://x", "http://y")
        for key in ("k", "l")
        for kind in ("ndjson", "csv")
    }
    assert len(names) == 16


def test_the_digest_leaves_the_file_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    with path.open("rb") as raw:
        assert digest_of(raw) == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
        assert raw.read() == b"content"


def test_state_is_kept_per_user_by_the_xdg_rule() -> None:
    assert state_directory({"XDG_STATE_HOME": "/s"}, Path("/home/a")) == Path("/s/bellwether/loads")
    assert state_directory({}, Path("/home/a")) == Path("/home/a/.local/state/bellwether/loads")
