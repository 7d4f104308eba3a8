"""The log: rows as they happen, cut back exactly, readable after a kill at any byte, metrics.csv made from it."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gans.machinery import log
from minigrad.errors import CheckpointError

ROWS = [dict(step=0, event="started", device="cpu"), dict(step=1, loss={"d": 0.5, "g": 1.0}),
        dict(step=1, grad={"D": 2.0}, machine={"ms": 3.0}), dict(step=2, event="phase", name="wide"),
        dict(step=4, loss={"d": 0.25, "penalty": 7.0}), dict(step=5, measure={"fid": math.nan, "kid": 3}),
        dict(step=5, loss={"g": 0.1 + 0.2})]


def written(path, rows=ROWS):
    this = log.Log(path)
    for row in rows:
        row = dict(row)
        this.write(row.pop("step"), **row)
    this.close()
    return this


def test_a_row_is_in_the_file_as_soon_as_it_is_written(tmp_path):
    this = log.Log(tmp_path / "log.jsonl")
    for k in range(3):
        this.write(k, loss={"g": k / 10})
        assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1]) == {"step": k, "loss": {"g": k / 10}}
    this.close()


def test_what_is_written_is_read_and_no_number_becomes_null(tmp_path):
    written(tmp_path / "log.jsonl")
    found = log.read(tmp_path / "log.jsonl")
    assert found[5] == {"step": 5, "measure": {"fid": None, "kid": 3}}
    assert found[:5] == ROWS[:5] and found[6] == ROWS[6]


def test_the_table_has_a_line_a_step_and_a_column_a_name(tmp_path):
    this = written(tmp_path / "log.jsonl")
    this.write_table(tmp_path / "metrics.csv")
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    assert list(rows[0]) == ["step", "d", "g", "grad.D", "penalty", "measure.kid"], "neither events nor the machine's"
    assert [list(row.values()) for row in rows] == [
        ["1", "0.5", "1.0", "2.0", "", ""], ["4", "0.25", "", "", "7.0", ""],
        ["5", "", "0.30000000000000004", "", "", "3"]]
    assert log.read_table(tmp_path / "metrics.csv") == this.table()
    assert this.columns() == {"d": ((1, 4), (0.5, 0.25)), "g": ((1, 5), (1.0, 0.1 + 0.2)), "penalty": ((4,), (7.0,))}
    assert this.phases() == ["wide"]


@pytest.mark.parametrize("step", range(7))
def test_going_on_drops_what_came_after_the_step_and_nothing_else(tmp_path, step):
    path = tmp_path / "log.jsonl"
    written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    this = log.Log(path)
    this.go_on(step)
    kept = [line for line, row in zip(lines, ROWS) if row["step"] <= step]
    assert path.read_bytes() == b"".join(kept) and [path.name] == [p.name for p in tmp_path.iterdir()]
    again = written(tmp_path / "other.jsonl", [row for row in ROWS if row["step"] <= step])
    assert (this.table(), this.columns(), this.phases()) == (again.table(), again.columns(), again.phases())
    this.write(step + 1, loss={"d": 1.0})
    this.close()
    assert log.read(path)[-1] == {"step": step + 1, "loss": {"d": 1.0}}


def test_a_log_cut_at_any_byte_is_readable_and_goes_on(tmp_path):
    path = tmp_path / "log.jsonl"
    written(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n")
        assert len(log.read(path)) == complete
        this = log.Log(path)
        this.go_on(4)
        this.write(5, loss={"g": 1.0})
        this.close()
        found = log.read(path)
        assert len(found) == min(complete, 5) + 1 and found[-1] == {"step": 5, "loss": {"g": 1.0}}


def test_nothing_is_rewritten_where_nothing_is_to_be_cut(tmp_path):
    path = tmp_path / "log.jsonl"
    written(path)
    inode = path.stat().st_ino
    log.Log(path).go_on(9)
    assert path.stat().st_ino == inode, "so that tail -f goes on"


KILLED = """
import sys
from gans.machinery.log import Log
this = Log(sys.argv[1])
for k in range(10**9):
    this.write(k, loss={"g": k / 7})
    if k == 200:
        print("go", flush=True)
"""


def test_a_killed_process_leaves_whole_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.kill()
    found = log.read(path)
    assert len(found) > 200 and found == [{"step": k, "loss": {"g": k / 7}} for k in range(len(found))]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_by_name(tmp_path):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device.*log.jsonl"):
        log.Log(tmp_path / "log.jsonl").write(1, loss={"g": 1.0})


def test_a_write_that_is_cut_short_is_completed(tmp_path, monkeypatch):
    real = log.os.write
    monkeypatch.setattr(log.os, "write", lambda handle, content: real(handle, content[:3]))
    written(tmp_path / "log.jsonl")
    assert len(log.read(tmp_path / "log.jsonl")) == len(ROWS)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_is_in_a_log_reading_gives_rows_or_one_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    try:
        assert all(type(row["step"]) is int for row in log.read(path))
    except CheckpointError as error:
        assert str(path) in str(error) and "\n" not in str(error) and "delete the file" in str(error)


@pytest.mark.parametrize("line", ['{"step": 1, "loss": 3}', '{"step": 1, "event": "phase"}', '{"step": -1}',
                                  '{"step": 1, "D": {"x": [1]}}', '{"step": 1, "D": {"x": "y", "z": null}, "E": 0}'])
def test_rows_of_others_are_read_for_what_they_are(tmp_path, line):
    (tmp_path / "log.jsonl").write_text(line + "\n")
    this = log.Log(tmp_path / "log.jsonl")
    this.go_on(5)
    this.write_table(tmp_path / "metrics.csv")
    assert this.columns() == {} and not (tmp_path / "metrics.csv").exists()


def test_the_log_of_a_time_before_there_was_one_is_its_metrics(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,d,g\n1,0.5,0.25\n10,0.75,\n20,1.0,2.0\n")
    this = log.Log(tmp_path / "log.jsonl")
    this.go_on(10)
    this.close()
    assert log.read(tmp_path / "log.jsonl") == [{"step": 1, "loss": {"d": 0.5, "g": 0.25}},
                                                {"step": 10, "loss": {"d": 0.75}}]
