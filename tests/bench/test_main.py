"""python -m bench: the tables in the documents are those of the figures, and --all runs what there is."""

import subprocess

import pytest

from bench import __main__ as command
from bench import tables


@pytest.fixture
def documents(tmp_path, monkeypatch):
    """Copies of the documents and figures; their folder."""
    for name in (*tables.FILES, *(f"bench/results/{name}" for name in tables.COLUMNS.values())):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((tables.ROOT / name).read_text())
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    return tmp_path


def test_the_tables_of_the_documents_are_those_of_the_figures():
    assert command.main(["--check-readme"]) == 0


def test_a_figure_that_changes_makes_the_tables_stale_until_they_are_written(documents, capsys):
    path = documents / "bench/results/peers.json"
    ratio = tables.figures()[0]["1010"]["ratio"]
    path.write_text(path.read_text().replace(str(ratio), "77.77"))
    assert command.main(["--check-readme"]) == 1
    assert "README.md, docs/performance.md: the tables are not what" in capsys.readouterr().out
    assert command.main(["--readme"]) == 0 and command.main(["--check-readme"]) == 0
    assert "| 1010, one sample | 77.77 |" in (documents / "README.md").read_text()
    assert "| 1010, one sample | 77.77 (" in (documents / "docs/performance.md").read_text()


def test_what_stands_around_a_table_stays(documents):
    text = (documents / "README.md").read_text()
    (documents / "README.md").write_text(text.replace("| 1010, one sample", "| something"))
    tables.write()
    assert (documents / "README.md").read_text() == text


@pytest.mark.parametrize("text, message", [("<!-- bench: nobody -->\nx\n<!-- end of bench: nobody -->", "no table"),
                                           ("<!-- bench: peers -->\nx", "has no end")])
def test_a_table_that_is_not_known_or_does_not_end_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        tables.renewed(text)


def test_all_runs_each_benchmark_that_can_and_says_which_failed(monkeypatch, tmp_path, capsys):
    ran = []

    def run(arguments, cwd):
        ran.append(arguments[2:])
        return subprocess.CompletedProcess(arguments, int(arguments[2] == "bench.ops"))

    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert command.main(["--all", "--out", str(tmp_path / "new")]) == 1
    names = [name.removeprefix("bench.") for name, *_ in ran]
    assert names == [name for name in command.benchmarks() if name not in command.NEEDS]
    folder = (tmp_path / "new").resolve()
    assert ["bench.scaling", "--json", str(folder / "scaling.json"), "--plot", str(folder / "scaling.png")] in ran
    assert ["bench.busy", "--json", str(folder / "busy.json")] in ran
    out = capsys.readouterr().out
    assert "bench.peers: skipped, torch is not installed" in out and out.endswith("failed: ops\n")


def test_all_without_a_folder_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--all"])
    assert stopped.value.code == 2 and "--all and --out FOLDER go together" in capsys.readouterr().err
