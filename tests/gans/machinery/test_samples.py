"""Samples: of any generator that tells what it is, of a run, in Python and at the command line, and refusals."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gans
import minigrad as mg
from gans import cgan, dcgan, face, mnist, pattern1010, xy
from gans.machinery import commandline, samples
from gans.machinery.samples import described, generate
from minigrad import checkpoint, nn
from minigrad.checkpoint import load_safetensors
from minigrad.errors import CheckpointError

RUNS = {"pattern1010": (pattern1010, []), "mnist": (mnist, ["--batch", "8"]),
        "book": (mnist, ["--batch", "8", "--recipe", "book"]),
        "first": (mnist, ["--batch", "8", "--from-the-start"]), "cgan": (cgan, ["--batch", "8"]),
        "face": (face, ["--data", "synthetic-faces", "--size", "20", "--batch", "8"]),
        "dcgan": (dcgan, ["--data", "synthetic", "--size", "32", "--width", "2", "--batch", "8"]),
        "paper": (dcgan, ["--data", "synthetic-faces", "--width", "2", "--batch", "8", "--paper"]),
        "broken": (dcgan, ["--data", "synthetic", "--width", "2", "--batch", "8", "--output", "sigmoid", "--norm",
                           "none"])}
SHAPES = {"pattern1010": (4,), "face": (20, 20, 3), "dcgan": (32, 32), "paper": (64, 64, 3)}


@pytest.fixture
def made(there, monkeypatch, capsys):
    """A function of a name in RUNS: the folder of a run of a few steps."""
    monkeypatch.setattr(face, "COMPARED", 20)

    def make(name):
        chapter, options = RUNS[name]
        few = [] if name == "pattern1010" else ["--samples", "6"]
        chapter.demo([*options, "--steps", "3", "--out", name, "--seed", "5", *few])
        capsys.readouterr()
        return Path(name)

    return make


# A generator


def test_the_first_of_many_samples_are_those_of_few():
    G = described(nn.Linear(3, 8), (3,), image_shape=(4, 2, 1), rows=True, value_range=(-1.0, 1.0))
    np.testing.assert_array_equal(generate(G, 1500)[:13], generate(G, 13))
    assert (generate(G, 13) != generate(G, 13, seed=2)).any() and (generate(G, 9) != generate(G, 9, name="b")).any()


@pytest.mark.parametrize("kind, low, high", [("normal", -9, 9), ("uniform", 0, 1), (0.5, 0.5, 0.5)])
def test_noise_is_of_the_kind_that_the_generator_takes(kind, low, high):
    z = samples.noise(described(nn.Linear(2, 2), (2,), seeds=kind), 1000)
    assert z.shape == (1000, 2) and z.dtype == np.float32 and z.min() >= low and z.max() <= high
    if kind == "normal":
        assert abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.1
    if kind == "uniform":
        assert abs(z.mean() - 0.5) < 0.05


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("rows", [False, True])
def test_images_and_what_a_generator_puts_out_are_each_others_inverse(low, high, rows):
    G = described(nn.Identity(), (1,), image_shape=(5, 4, 3), rows=rows, value_range=(low, high))
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
    values = samples.as_real(images, G)
    assert values.shape == ((7, 60) if rows else (7, 3, 5, 4)) and values.dtype == np.float32
    assert values.min() >= low and values.max() <= high and values.max() - values.min() > 0.9 * (high - low)
    np.testing.assert_array_equal(samples.as_images(values, G), images)


def test_samples_are_made_in_evaluation_mode_and_leave_no_trace():
    G = described(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Sigmoid()), (3,),
                  image_shape=(2, 2, 1), rows=True)
    before, numbers = {name: value.clone() for name, value in G.state_dict().items()}, str(mg.get_rng_state())
    whole = generate(G, 40)
    np.testing.assert_array_equal(whole, generate(G, 40))
    assert G[1].training and all((value == before[name]).all() for name, value in G.state_dict().items())
    assert str(mg.get_rng_state()) == numbers


def test_values_beyond_the_range_are_black_and_white():
    G = described(nn.Identity(), (1,), image_shape=(1, 3, 1), rows=True)
    np.testing.assert_array_equal(samples.as_images(np.float32([[-3, 0.5, 7]]), G), [[[0, 128, 255]]])


def test_a_sheet_of_a_conditional_generator_has_a_class_a_row_and_a_seed_a_column():
    class Told(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(mg.ones(1))

        def forward(self, z, labels):
            return mg.cat([z, (labels * mg.arange(3.0)).sum(1, keepdim=True) / 3], 1) * self.scale

    G = described(Told(), (1,), image_shape=(2, 1, 1), rows=True, classes=3, seeds="uniform")
    picture, images, (z, labels) = samples.sheet(G)
    assert images.shape == (30, 2, 1) and z.shape == (30, 1) and labels.shape == (30, 3)
    grid = images.reshape(3, 10, 2)
    assert (grid[:, :, 0] == grid[:1, :, 0]).all() and (grid[:, :, 1] == grid[:, :1, 1]).all()
    assert grid[:, 0, 1].tolist() == [0, 85, 170] and picture.ndim == 2


# Of a run


def test_a_chapter_that_trains_no_generator_says_so_and_names_its_pictures(there, capsys):
    xy.demo(["--steps", "3"])
    says = "runs/xy: gans.xy trains no generator, so there are no samples of it; look at the pictures in runs/xy"
    with pytest.raises(CheckpointError, match=says):
        gans.load("runs/xy")
    assert Path("runs/xy/training.gif").is_file()


@pytest.mark.parametrize("name", RUNS)
def test_a_finished_run_gives_its_generator_and_the_samples_that_it_wrote_itself(made, name):
    folder = made(name)
    G = gans.load(folder)
    state = checkpoint.load(folder / "checkpoint").state["parts"]
    expected = state["average"]["model"] if "average" in state else state["G"]
    assert all((value == expected[key]).all() for key, value in G.state_dict().items())
    assert not G.training and not any(p.requires_grad for p in G.parameters())
    shape = SHAPES.get(name, (28, 28))
    z = mg.tensor(samples.noise(G, 6, seed=5))
    assert z.shape == (6, *G.seed_shape)
    images = G(*samples.inputs(G, z.numpy()))
    low, high = G.value_range
    assert low <= images.min().item() and images.max().item() <= high
    if name != "pattern1010":
        written = np.load(folder / "samples.npy")
        assert written.shape == (6, *shape)
        np.testing.assert_array_equal(generate(G, 6, seed=5), written)


@pytest.mark.parametrize("name", RUNS)
def test_the_command_writes_samples_in_each_kind_of_file(made, name, capsys):
    folder = made(name)
    shape = SHAPES.get(name, (28, 28))
    assert samples.main([str(folder), "--n", "6"]) == 0
    assert f"wrote {name}/sample.png: 6 samples of {name}, seed 5" in capsys.readouterr().out
    with Image.open(folder / "sample.png") as picture:
        assert picture.mode == ("RGB" if len(shape) == 3 else "L") and min(picture.size) > 40
    samples.main([str(folder), "--n", "6", "--out", "a.npy"])
    samples.main([str(folder), "--n", "6", "--out", "a.safetensors", "--seed", "5"])
    array, found = np.load("a.npy"), load_safetensors("a.safetensors")
    assert array.shape == (6, *shape) and array.dtype == (np.float32 if name == "pattern1010" else np.uint8)
    np.testing.assert_array_equal(found["samples"].numpy(), array)
    assert found["noise"].shape[0] == 6 and ("labels" in found) == (name == "cgan")
    if name != "pattern1010":
        np.testing.assert_array_equal(np.load(folder / "samples.npy"), array)
    samples.main([str(folder), "--n", "6", "--out", "b.safetensors", "--seed", "6"])
    other = load_safetensors("b.safetensors")["noise"].numpy()
    assert (other != found["noise"].numpy()).any() != (name == "pattern1010"), "which is always fed 0.5"


def no_checkpoint(folder):
    shutil.rmtree(folder / "checkpoint")


def no_files(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def damaged(folder):
    for path in (folder / "checkpoint").glob("*.json"):
        path.write_text("{}")


def of_an_older_version(folder):
    """A checkpoint without the shape of the images."""
    state = checkpoint.load(folder / "checkpoint")
    del state.state["config"]["shape"]
    checkpoint.save(folder / "checkpoint", state.state, step=state.step)


def of_another_demo(folder):
    state = checkpoint.load(folder / "checkpoint")
    state.state["config"]["demo"] = "os"
    checkpoint.save(folder / "checkpoint", state.state, step=state.step)


@pytest.mark.parametrize("harm, says", [
    (shutil.rmtree, "dcgan: there is no such folder; check the path of the run"),
    (no_files, "dcgan: is no run of a demo, as it holds no config.json"),
    (no_checkpoint, "dcgan: the run ended before it was saved for the first time"),
    (damaged, "dcgan/checkpoint: no checkpoint is usable"),
    (of_another_demo, "dcgan: is a run of gans.os, which is not here; the demos are pattern1010, xy"),
    (of_an_older_version, "dcgan: an older version made it, which did not note its shape; python -m gans.dcgan "
     "--resume dcgan brings it up to date")], ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_no_run_is_refused_in_one_line_and_nothing_is_written(made, capsys, harm, says):
    folder = made("dcgan")
    harm(folder)
    before = sorted(Path().rglob("*"))
    with pytest.raises(CheckpointError) as caught:
        gans.load("dcgan")
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)
    with pytest.raises(SystemExit) as ended:
        commandline.main(lambda: samples.main(["dcgan"]))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and err.startswith(f"error: {says}") and err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("options, says", [
    (["--out", "a.gif"], "argument --out: 'a.gif': give a file that ends in .png, .npy or .safetensors"),
    (["--out", ""], "argument --out: '': give a file"), (["--n", "0"], "0 is too small; give 1 or more"),
    (["--out", "nowhere/a.png"], "nowhere: there is no such folder; make it, or name another file")])
def test_options_of_the_command_that_cannot_be_are_refused(made, capsys, options, says):
    made("pattern1010")
    with pytest.raises(SystemExit) as ended:
        commandline.main(lambda: samples.main(["pattern1010", *options]))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and says in err and err.count("\n") == 1


def test_resuming_a_run_of_an_older_version_brings_it_up_to_date(made):
    folder = made("dcgan")
    of_an_older_version(folder)
    dcgan.demo(["--resume", "dcgan", "--steps", "4"])
    assert gans.load("dcgan").image_shape == (32, 32, 1)
