"""The space behind a generator: seeds that are found again, and runs on what there is."""

from types import SimpleNamespace

import numpy as np
import pytest

import minigrad as mg
from gans import latent
from gans.machinery.commandline import main
from gans.machinery.run import Run
from gans.machinery.samples import as_images, described, noise, outputs
from minigrad import nn


class Quiet(SimpleNamespace):
    """A run that writes nothing."""

    def __init__(self, **options):
        super().__init__(args=SimpleNamespace(**options), seed=1, device="cpu", parts={})

    def keep(self, **parts):
        self.parts = parts

    def steps(self):
        return range(1, self.args.steps + 1)

    def log(self, *_, **__):
        pass

    def picture_due(self, step):
        return False


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_a_known_seed_is_found_through_a_linear_generator(loss):
    """More pixels than numbers of a seed: it is the only one, and least squares find it, too."""
    weight = np.float32(np.random.default_rng(0).standard_normal((48, 6)) * 0.1)
    G = nn.Sequential(nn.Linear(6, 48))
    G[0].weight.data.copy_(mg.tensor(weight)), G[0].bias.data.fill_(0.5)
    described(G.requires_grad_(False), (6,), image_shape=(4, 4, 3), rows=True)
    z = noise(G, 4, 5, "own") * 0.5
    values = outputs(G, z)
    run = Quiet(steps=800, lr=0.05, loss=loss)
    before, after = latent.invert(run, G, as_images(values, G), None)
    least = np.linalg.lstsq(weight, np.rint(values * 255).T / 255 - 0.5, rcond=None)[0].T
    np.testing.assert_allclose(run.parts["codes"].z.detach().numpy(), least, atol=0.02)
    start = outputs(G, noise(G, 4, 1, "codes"))
    np.testing.assert_allclose(before[0], abs(start[:2] - np.rint(values[:2] * 255) / 255).mean(), rtol=1e-5)
    assert after[0] < 0.01 and after[1] < 0.01


def test_the_difference_is_a_share_of_the_range_from_black_to_white():
    G = nn.Sequential(nn.Linear(2, 4))
    G[0].weight.data.zero_(), G[0].bias.data.fill_(1.0)
    described(G.requires_grad_(False), (2,), image_shape=(2, 2, 1), rows=True, value_range=(-1.0, 1.0))
    run = Quiet(steps=1, lr=0.1, loss="absolute")
    before, after = latent.invert(run, G, np.array([[[[0]] * 2] * 2, [[[255]] * 2] * 2], np.uint8), None)
    assert before == after == (1.0, 0.0), "white is all of the way from black, and none from white"


SMALL = ["--steps", "6", "--batch", "4", "--known", "150"]


def test_a_run_writes_its_pictures_and_says_what_was_found(there, capsys):
    assert latent.demo([*SMALL, "--check"]) in (0, 1)
    out = capsys.readouterr().out
    for name in ("walk", "arithmetic", "confusion", "directions"):
        assert (there / f"runs/latent/{name}.png").stat().st_size > 1000 and f"runs/latent/{name}.png" in out
    assert out.count("\nPASS") + out.count("\nFAIL") == 7 and "found again" in out and "sums of concepts" in out


def test_it_works_on_digits_and_one_attribute_fewer(there):
    assert latent.demo([*SMALL, "--from", "mnist-dcgan"]) == 0
    assert (there / "runs/latent/confusion.png").stat().st_size > 1000


@pytest.mark.parametrize("source, says", [("nothing", "no generator of that name"), ("no/run", "no such folder")])
def test_a_source_that_is_none_ends_in_a_line_before_anything_is_made(there, capsys, source, says):
    with pytest.raises(SystemExit) as ended:
        main(lambda: latent.demo(["--from", source]))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and says in err and err.count("\n") == 1 and not (there / "runs").exists()


def test_pictures_of_which_nobody_knows_attributes_have_walks_and_inversion_alone(there, monkeypatch, capsys):
    monkeypatch.setattr(latent, "reader_of", lambda *_: None)
    monkeypatch.setattr(Run, "picture_due", lambda *_: False)
    assert latent.demo([*SMALL, "--check"]) in (0, 1)
    out = capsys.readouterr().out
    assert out.count("\nPASS") + out.count("\nFAIL") == 4 and (there / "runs/latent/walk.png").exists()
    assert not (there / "runs/latent/confusion.png").exists()
