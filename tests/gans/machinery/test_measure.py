"""The table of a run: which measures apply, that good samples are at the floor and bad ones are not, refusals."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from gans import cgan, dcgan, face, mnist, pattern1010
from gans.machinery import commandline, folder, imagesets, judge, measure
from gans.machinery.imagesets import Pictures
from gans.machinery.metrics import MeasureError
from minigrad import checkpoint
from minigrad.data.digits import synthetic_digits
from minigrad.data.faces import synthetic_faces
from minigrad.errors import MinigradError

RUNS = {"mnist": (mnist, ["--batch", "8"]), "cgan": (cgan, ["--batch", "8"]),
        "framed": (dcgan, ["--data", "synthetic", "--size", "32", "--width", "2", "--batch", "8", "--norm", "none",
                           "--init", "default"]),
        "face": (face, ["--data", "synthetic-faces", "--size", "36", "--batch", "8"]),
        "dcgan": (dcgan, ["--data", "synthetic-faces", "--size", "16", "--width", "2", "--batch", "8"])}
JUDGED = ["Fréchet distance", "inception score", "classes that come", "classes with a fair share",
          "KL of the classes' shares"]
ALWAYS = ["kernel distance (KID)", "precision", "recall", "density", "coverage", "1-NN test, accuracy",
          "  on real images", "  on samples", "distance to training images, ratio", "  closer than 95 % of real",
          "sliced Wasserstein distance"]


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    """Few samples whose pixels are compared, which takes the longest."""
    monkeypatch.setattr(measure, "MOST_PIXELS", 200)


@pytest.fixture
def made(there, monkeypatch, capsys):
    """A function of a name in RUNS: the folder of a run of a few steps."""
    monkeypatch.setattr(face, "COMPARED", 20)

    def make(name):
        chapter, options = RUNS[name]
        chapter.demo([*options, "--steps", "3", "--out", name, "--seed", "5"])
        capsys.readouterr()
        return name

    return make


def files():
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name, n, names", [
    ("mnist", 320, JUDGED + ALWAYS), ("framed", 320, JUDGED + ALWAYS + ["  at 32x32", "  at 16x16"]),
    ("cgan", 320, [*JUDGED, "read as the class asked for", *ALWAYS]),
    ("face", 10, ALWAYS + ["  at 36x36", "  at 18x18"]), ("dcgan", 10, ALWAYS)])
def test_the_table_of_a_run_has_all_measures_that_apply_and_writes_nothing(made, capsys, name, n, names):
    run = made(name)
    before = files()
    assert measure.main([run]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{n} samples of {run}, seed 5, are measured beside images that were kept back")
    head, *table = said[-len(names) - 1:]
    assert head.split() == ["samples", "real", "n", "wanted"]
    assert [line[:len(name)] for line, name in zip(table, names)] == names
    for line, label in zip(table, names):
        value, floor, count, wanted = line[len(label):].split()
        assert float(value.rstrip("%")) >= -1 and np.isfinite(float(floor.rstrip("%"))) and int(count) in (n, 200)
    assert files() == before
    measure.main([run])
    assert capsys.readouterr().out.splitlines()[-len(names):] == table, "a function of the run and the seed"
    measure.main([run, "--seed", "6", "--n", str(n - 1)])
    assert capsys.readouterr().out.splitlines()[-len(names):] != table


@pytest.fixture(scope="module")
def digits():
    """(Pictures, a judge of theirs)."""
    images, labels = synthetic_digits(2000, 0)
    kept_back, their_labels = synthetic_digits(1000, 1)
    pictures = Pictures("synthetic", "drawn", images[..., None], kept_back[..., None], labels, their_labels)
    return pictures, judge.train_judge(images, labels)


def figures(samples, digits, **options):
    """{name: Row} of samples of digits."""
    return {row.name.strip(): row for row in measure.measured(samples, digits[0], judge=digits[1], **options)}


def test_samples_as_good_as_real_ones_are_at_the_floor(digits):
    found = figures(synthetic_digits(600, 2)[0], digits, classes=10)
    assert {row.n for row in found.values()} == {500, 200}, "half of what was kept back; of pixels, fewer"
    for name, row in found.items():
        if name not in ("read as the class asked for", "kernel distance (KID)", "KL of the classes' shares"):
            noise = 2.5 if name == "sliced Wasserstein distance" else 1.5
            assert row.floor / noise - 0.07 < row.value < row.floor * noise + 0.07, name
    assert found["read as the class asked for"].value < 0.3 < found["read as the class asked for"].floor
    assert found["classes with a fair share"].value == 10


def test_each_fault_shows_where_it_should(digits):
    images, labels = synthetic_digits(4000, 3)
    good = figures(images[:500], digits)
    ones = figures(images[labels == 1][:300].repeat(2, 0)[:500], digits)
    noisy = figures(images[:500] // 2 + np.random.default_rng(0).integers(0, 128, (500, 28, 28), np.uint8), digits)
    copies = figures(digits[0].train[:500], digits)
    assert ones["classes with a fair share"].value <= 2 < ones["classes that come"].value
    assert ones["inception score"].value < 2 < good["inception score"].value
    assert ones["precision"].value > 0.7 and ones["recall"].value < 0.5 and ones["coverage"].value < 0.4
    assert ones["on samples"].value > 0.95, "each is next to its twin"
    for bad in (ones, noisy):
        for name in ("Fréchet distance", "kernel distance (KID)", "sliced Wasserstein distance"):
            assert bad[name].value > 2 * max(good[name].value, good[name].floor), name
        assert bad["1-NN test, accuracy"].value > 0.8
    assert noisy["precision"].value > 0.8, "it sees what its features see, and these are of what a digit is"
    assert copies["distance to training images, ratio"].value == 0 and copies["closer than 95 % of real"].value == 1
    assert copies["precision"].value > 0.7, "which says nothing of copying"


def test_pictures_without_a_judge_are_measured_at_their_coarsest():
    pictures = Pictures("mine", "drawn", synthetic_faces(200, 0, 40)[0], synthetic_faces(60, 1, 40)[0])
    small = measure.coarse(pictures.held_out)
    assert small.shape == (60, 20 * 20 * 3) and small.max() <= 1
    np.testing.assert_allclose(small.mean(), pictures.held_out.mean() / 255, rtol=0.02)
    blurred = pictures.held_out[:30] // 4
    found = {row.name: row for row in measure.measured(blurred, pictures)}
    kid = found["kernel distance (KID)"]
    assert 20 * abs(kid.floor) < kid.value < 8, "the kernel of pixels in 0..1 is between 1 and 8"
    assert found["1-NN test, accuracy"].value > 0.9 and found["precision"].value == 0
    assert found["sliced Wasserstein distance"].n == 30


def refused(options, capsys):
    """What a user sees: one line, exit status 2, nothing written and no table."""
    before = files()
    with pytest.raises(SystemExit) as ended:
        commandline.main(lambda: measure.main(options))
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.err.count("\n") == 1 and "wanted" not in said.out
    assert files() == before
    return said.err


def test_what_cannot_be_measured_is_refused_in_one_line(made, capsys):
    run = made("mnist")
    assert "there is no such folder" in refused(["nowhere"], capsys)
    assert ("--n 321: of synthetic, 640 images were kept back; half of them stand in the samples' place, so give "
            "--n 320 or less") in refused([run, "--n", "321"], capsys)
    assert "0 is too small; give 1 or more" in refused([run, "--n", "0"], capsys)
    assert ("frechet_distance: 128 samples are too few, as the covariance of 128 features needs more rows than "
            "features; give 129 or more") in refused([run, "--n", "128"], capsys)
    pattern1010.demo(["--steps", "3", "--out", "1010"])
    capsys.readouterr()
    assert "1010: gans.pattern1010 makes no images" in refused(["1010"], capsys)


def test_a_run_on_too_few_pictures_says_how_many_it_takes(made, capsys, monkeypatch):
    run = made("face")
    monkeypatch.setitem(imagesets.DRAWN, "test", (1, 19))
    assert (f"{run}: of synthetic-faces, 19 images were kept back, a tenth; too few to measure anything beside them: "
            "train on 200 or more") in refused([run], capsys)


@pytest.mark.parametrize("value, says", [
    (float("nan"), "mnist: NaN or infinity in 320 of 320 samples"),
    (-1e9, "all 320 samples are plain: each is of one colour, and there is nothing to measure")])
def test_a_generator_that_makes_nothing_is_refused(made, capsys, value, says):
    run = made("mnist")
    found = checkpoint.load(Path(run, "checkpoint"))
    for name, array in found.state["parts"]["average"]["model"].items():
        array[...] = value if name.endswith("bias") else 0
    checkpoint.save(Path(run, "checkpoint"), found.state, step=found.step + 1)
    assert says in refused([run], capsys)


def test_plain_samples_are_refused_in_python_too(digits):
    with pytest.raises(MeasureError, match="all 200 samples are plain"):
        measure.measured(np.full((200, 28, 28), 7, np.uint8), digits[0], judge=digits[1])
    assert issubclass(MeasureError, MinigradError) and issubclass(MeasureError, ValueError)


def test_a_run_has_learnt_from_the_pictures_that_are_opened_for_it(made):
    for name in RUNS:
        options = Namespace(**folder.read(made(name)))
        assert imagesets.learnt_from(options).shape == tuple(options.shape)
