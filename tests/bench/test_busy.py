"""bench.busy runs as its help says: it times a case quiet and beside others, and keeps the figures."""

import json
import subprocess
import sys

from bench import busy


def test_a_case_is_timed_quiet_and_busy_and_the_figures_are_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(busy, "LIBRARIES", ("minigrad",))
    monkeypatch.setitem(busy.CASES, "1010", busy.CASES["1010"]._replace(steps=3))
    busy.main(["--cases", "1010", "--rounds", "2", "--beside", "1", "--json", str(tmp_path / "deep" / "busy.json")])
    row, = json.loads((tmp_path / "deep" / "busy.json").read_text())["cases"]
    assert row["minigrad"]["quiet"] > 0 and row["minigrad"]["lowest"] <= row["minigrad"]["highest"]
    out = capsys.readouterr().out
    assert "minigrad: quiet ms" in out and "1010" in out


def test_the_others_run_inside_and_end_with_the_block():
    with busy.busy(2) as others:
        assert [other.poll() for other in others] == [None, None]
    assert None not in [other.poll() for other in others]


def test_a_number_below_one_is_refused():
    done = subprocess.run([sys.executable, "-m", "bench.busy", "--beside", "0"], capture_output=True, text=True)
    assert done.returncode == 2 and "are 1 or more" in done.stderr
