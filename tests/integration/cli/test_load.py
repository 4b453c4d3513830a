"""`bellwether load` against a peer that fails as real services do: nothing is lost, nothing needs a person."""

import gzip
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.cli.command import Cli
from tests.integration.cli.peer import Door, Fault

from common.testing import wait_until

EventsFile = Callable[..., Path]


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def finished(out: str) -> dict[str, Any]:
    last = lines(out)[-1]
    assert last["event"] == "finished"
    return last


def test_every_event_arrives_once_and_the_tenant_is_marked_meanwhile(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    done = cli.run("load", str(events_file(2_750)), "--json")
    assert done.returncode == 0, done.stderr
    assert set(door.stored.values()) == {1}
    assert len(door.stored) == 2_750
    assert door.batches == 6
    assert (door.marks[0], door.marks[-1]) == ("loads", "end")
    assert finished(done.stdout) | {"elapsed_seconds": 0} == {
        "event": "finished",
        "accepted": 2_750,
        "refused": 0,
        "line": 2_750,
        "fraction": 1.0,
        "elapsed_seconds": 0,
        "seconds_left": finished(done.stdout)["seconds_left"],
        "refused_in_all": 0,
        "resumed_after_line": 0,
        "refused_file": None,
        "applied": True,
    }


def test_a_key_that_may_only_send_loads_and_is_told_what_it_cannot_see(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    door.may_read = False
    done = cli.run("load", str(events_file(10)), "--json")
    assert (done.returncode, finished(done.stdout)["applied"]) == (0, False)
    assert "BELLWETHER_READ_KEY" in done.stdout + done.stderr


def test_fields_that_are_not_ours_arrive_as_they_stand(cli: Cli, door: Door, tmp_path: Path) -> None:
    line = '{"specversion":"1.0","id":"a","source":"/s","type":"change.authored","time":"2012-09-24T09:01:29-04:00",'
    line += '"recordedtime":"2012-09-24T09:09:10-04:00","subject":"solo","data":{"user":"u","n":1.50}}'
    path = tmp_path / "a.ndjson"
    path.write_text(line)
    assert cli.run("load", str(path)).returncode == 0
    assert door.bodies["a"] == json.loads(line)


def test_busy_servers_and_lost_connections_only_cost_time(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    door.faults = [
        Fault.BUSY,
        Fault.CUT_BEFORE,
        Fault.CUT_AFTER,
        Fault.LIMITED,
        Fault.BUSY,
        Fault.CUT_AFTER,
    ] * 3
    done = cli.run("load", str(events_file(5_000)), "--json")
    assert done.returncode == 0, done.stderr
    assert len(door.stored) == 5_000
    assert finished(done.stdout)["accepted"] == 5_000
    assert door.faults == []


def test_after_a_kill_the_same_command_goes_on_where_it_was_acknowledged(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    path = str(events_file(10_000))
    door.close_after = 10
    killed = cli.start("load", path, "--json")
    wait_until(door.waiting.is_set, 90, "the load to be in its middle")
    wait_until(
        lambda: list((cli.home / ".local/state/bellwether/loads").glob("*.json")), 90, "a noted position"
    )
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=90)
    before = sum(door.stored.values())
    door.close_after = None
    door.open.set()
    done = cli.run("load", path, "--json")
    assert done.returncode == 0, done.stderr
    assert len(door.stored) == 10_000
    resumed_after = finished(done.stdout)["resumed_after_line"]
    assert 0 < resumed_after <= before
    assert finished(done.stdout)["accepted"] == 10_000 - resumed_after
    assert [mark for mark in door.marks if mark != "heartbeat"] == ["loads", "end"], "one mark for both"


def test_a_finished_load_starts_anew_and_so_does_a_file_that_changed(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    path = str(events_file(600))
    assert finished(cli.run("load", path, "--json").stdout)["accepted"] == 600
    assert finished(cli.run("load", path, "--json").stdout)["accepted"] == 600
    assert set(door.stored.values()) == {2}


def test_an_interrupted_load_ends_its_mark_and_says_how_to_go_on(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    door.close_after = 3
    process = cli.start("load", str(events_file(5_000)))
    wait_until(door.waiting.is_set, 90, "the load to be in its middle")
    process.send_signal(signal.SIGINT)
    door.open.set()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert "goes on from here" in err
    assert door.marks[-1] == "end"


def test_refused_events_are_shown_with_their_lines_and_written_down(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    extra = {1: "no json at all", 700: '{"source":"/t"}', **dict.fromkeys(range(800, 830), "{}")}
    done = cli.run("load", str(events_file(1_000, extra)))
    assert done.returncode == 1
    assert "line 1: said in words: json-invalid (json-invalid)" in done.stderr
    assert "line 700: said in words: id-missing (id-missing)" in done.stderr
    assert done.stderr.count("said in words") == 20
    assert len(door.stored) == 1_000
    written = done.stderr.rpartition("with reasons: ")[2].strip()
    refused = lines(Path(written).read_text())
    assert [one["line"] for one in refused] == sorted(extra)
    assert refused[0] == {
        "line": 1,
        "code": "json-invalid",
        "message": "said in words: json-invalid",
        "event": "no json at all",
    }


def test_refused_events_of_a_directory_are_found_in_their_files(cli: Cli, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    (exports / "day").mkdir(parents=True)
    (exports / "a.json.gz").write_bytes(gzip.compress(b'{"id":"a","type":"t"}\n' * 27))
    (exports / "day" / "b.json").write_text('{"id":"b","type":"t"}\nno json\n')
    written = tmp_path / "refused.ndjson"
    done = cli.run("load", str(exports), "--refused", str(written))
    assert done.returncode == 1
    assert "refused day/b.json line 2: said in words: json-invalid" in done.stderr
    assert [(one["file"], one["line"]) for one in lines(written.read_text())] == [("day/b.json", 2)]


def test_a_file_of_nothing_but_refused_events_is_told_too(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_text("{}\n{}\n")
    done = cli.run("load", str(path), "--json", "--refused", str(tmp_path / "refused.ndjson"))
    assert done.returncode == 1
    assert finished(done.stdout)["refused"] == 2
    assert len(lines((tmp_path / "refused.ndjson").read_text())) == 2


def test_it_gives_up_only_when_told_to_and_keeps_its_place(
    cli: Cli, door: Door, events_file: EventsFile
) -> None:
    path = str(events_file(2_000))
    door.faults = [Fault.LIMITED] * 10_000
    done = cli.run("load", path, "--give-up-after", "0.5", "--unmarked")
    assert done.returncode == 1
    assert "goes on from here" in done.stderr
    door.faults = []
    assert finished(cli.run("load", path, "--json").stdout)["accepted"] == 2_000


def test_a_wrong_key_is_one_sentence(cli: Cli, events_file: EventsFile) -> None:
    cli.environment["BELLWETHER_KEY"] = "bw_ingest_wrong_wrong"
    done = cli.run("load", str(events_file(10)))
    assert done.returncode == 1
    assert "no such key (key-invalid)" in done.stderr
    assert "Traceback" not in done.stderr


def test_standard_input_is_a_file_too(cli: Cli, door: Door) -> None:
    text = '{"id":"a","type":"t"}\n{"id":"b","type":"t"}\n'
    done = cli.run("load", "-", given=text)
    assert done.returncode == 0, done.stderr
    assert set(door.stored) == {"a", "b"}


def test_a_csv_goes_as_events(cli: Cli, door: Door, tmp_path: Path) -> None:
    path = tmp_path / "crm.csv"
    path.write_text(
        "id,source,type,time,subject,data.user\na,/crm,user.logged_in,2026-01-01T00:00:00Z,acme,ada\n"
    )
    assert cli.run("load", str(path)).returncode == 0
    assert door.bodies["a"]["data"] == {"user": "ada"}


def test_a_csv_row_that_does_not_fit_its_header_is_refused_with_the_reason(
    cli: Cli, door: Door, tmp_path: Path
) -> None:
    path = tmp_path / "crm.csv"
    row = "2026-01-01T00:00:00Z"
    path.write_text(f"id,type,time\na,t,{row}\nb,t,{row},surplus\n,t,{row}\n")
    written = tmp_path / "refused.ndjson"
    done = cli.run("load", str(path), "--refused", str(written))
    assert (done.returncode, set(door.stored)) == (1, {"a"})
    assert "line 3: the row has 4 cells and the header 3 (row-unreadable)" in done.stderr
    assert [(one["line"], one["code"]) for one in lines(written.read_text())] == [
        (3, "row-unreadable"),
        (4, "id-missing"),
    ]


def test_a_segment_export_goes_to_segments_door(cli: Cli, door: Door, tmp_path: Path) -> None:
    path = tmp_path / "export.gz"
    calls = [
        {"type": "track", "messageId": f"m{n}", "event": "x", "userId": "u", "sentAt": "S"}
        for n in range(700)
    ]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, calls)).encode()))
    done = cli.run("load", str(path), "--type", "segment")
    assert done.returncode == 0, done.stderr
    assert len(door.stored) == 700
    assert "sentAt" not in door.bodies["m0"]


def test_a_broken_line_of_a_segment_export_is_refused_alone(cli: Cli, door: Door, tmp_path: Path) -> None:
    """`two` and `half` would be elements of their own, or take their neighbours along, inside the array of a batch."""
    one, two, half = '{"type":"track","messageId":"m%d"}', "{},{}", '{"type":"track","properties":{"a":[1'
    path = tmp_path / "export.ndjson"
    path.write_text("\n".join([one % 1, two, one % 2, half, one % 3, "{}"]))
    done = cli.run("load", str(path), "--type", "segment")
    assert done.returncode == 1, done.stderr
    assert "line 2: this is not JSON" in done.stderr
    assert "line 4: this is not JSON" in done.stderr
    assert "line 6: said in words: id-missing" in done.stderr
    assert set(door.bodies) == {"m1", "m2", "m3"}


def test_what_cannot_be_done_is_said_before_anything_is_sent(cli: Cli, door: Door, tmp_path: Path) -> None:
    path = tmp_path / "export.ndjson"
    path.write_text("{}\n")
    refused = cli.run("load", str(path), "--type", "segment", "--recorded-at", "x")
    assert refused.returncode == 2
    assert "no such field" in refused.stderr
    assert cli.run("load", str(tmp_path / "missing")).returncode == 2
    assert door.batches == 0


def test_lines_for_a_log_have_no_colours(cli: Cli, events_file: EventsFile) -> None:
    done = cli.run("load", str(events_file(600)))
    assert "\x1b" not in done.stderr
    assert "600 events accepted" in done.stderr
