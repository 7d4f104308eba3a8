"""Looking into D and G: runs with a D that learns here, with that of a run, and on digits."""

import pytest

from gans import dcgan, inspect
from gans.machinery.commandline import main

SMALL = ["--steps", "4", "--batch", "4", "--known", "60"]
PICTURES = ("first", "layers", "filters", "sanity", "forgetting")


def test_a_run_writes_its_pictures_and_measures_itself(there, capsys):
    assert inspect.demo([*SMALL, "--check"]) in (0, 1)
    out = capsys.readouterr().out
    for name in PICTURES:
        assert (there / f"runs/inspect/{name}.png").stat().st_size > 1000 and f"runs/inspect/{name}.png" in out
    assert out.count("\nPASS") + out.count("\nFAIL") == 6 and "which tells smile" in out and "a random D's best" in out


def test_the_d_of_a_run_is_looked_into_as_it_is_and_can_be_gone_on_with(there, trained, ended, capsys):
    trained(dcgan.demo, ["--data", "synthetic", "--width", "2", "--batch", "8", "--steps", "3", "--out", "small"])
    for options in (["--from", "small", "--known", "60", "--out", "looked"], ["--resume", "looked"]):
        assert inspect.demo(options) == 0
        for name in PICTURES:
            assert (there / f"looked/{name}.png").stat().st_size > 1000
    assert "steps of" not in capsys.readouterr().out.split("small")[-1], "nothing was trained"


def test_a_d_without_convolutions_ends_in_a_line_before_anything_is_made(there, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(lambda: inspect.demo(["--from", "mnist-steady"]))
    err = capsys.readouterr().err
    assert stopped.value.code == 2 and "has no convolutions to look into" in err and err.count("\n") == 1
    assert not (there / "runs").exists()
