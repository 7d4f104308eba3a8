"""What a benchmark found is kept where it was asked for, and nowhere else."""

import json
from argparse import ArgumentParser

import pytest

from bench import keeping


@pytest.fixture
def parser():
    parser = ArgumentParser()
    keeping.options(parser, plot=True)
    return parser


def test_nothing_is_written_or_drawn_unless_asked(parser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keeping.keep(parser.parse_args([]), {"a": 1}, lambda: pytest.fail("drawn"))
    assert not [*tmp_path.iterdir()]


def test_figures_and_picture_go_where_they_are_told_to(parser, tmp_path):
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed").Figure
    paths = tmp_path / "new" / "a.json", tmp_path / "other" / "a.png"
    keeping.keep(parser.parse_args(["--json", str(paths[0]), "--plot", str(paths[1])]), {"a": [1.5]}, figure)
    assert json.loads(paths[0].read_text()) == {"a": [1.5]} and paths[1].read_bytes().startswith(b"\x89PNG")


def test_a_benchmark_that_does_not_draw_has_no_plot():
    parser = ArgumentParser()
    keeping.options(parser)
    assert vars(parser.parse_args([])) == {"json": None}
    keeping.keep(parser.parse_args([]), {})
