"""Two sets without pairs: the sets, a step by hand, both ways of what was trained, and what is refused."""

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from gans import cyclegan
from gans.machinery import commandline, counterparts, samples, translate
from gans.machinery.pairs import open_sets
from minigrad.errors import DataError, MinigradError

SMALL = ["--size", "16", "--width", "2", "--batch", "4"]


def test_the_sets_are_of_other_faces_and_those_kept_back_have_their_true_counterparts(there):
    sets = open_sets(commandline.argparse.Namespace(data="auto", size=16))
    assert sets.given.shape == sets.wanted.shape == (32, 16, 16, 3) and sets.held_given.shape == (20, 16, 16, 3)
    differ = (sets.held_given != sets.held_wanted).any(3)
    assert differ.any((1, 2)).all() and not differ[:, 11:].any()  # glasses are where eyes are
    away = np.abs(sets.given[:, None].astype(int) - sets.wanted[None])[:, :, 11:]  # of each from each, below the eyes
    assert away.any((2, 3, 4)).all()


def run_of(there):
    """(A run of a step at rate 0, whose losses it keeps; its sets)."""
    args = commandline.argparse.Namespace(data="auto", size=16, width=2, batch=3, lr=0.0, cycle=10.0, identity=5.0,
                                          pool=4, seed=1, steps=1)
    sets, run = open_sets(args).for_run(args), commandline.argparse.Namespace(args=args, seed=1, device="cpu")
    run.steps, run.keep = lambda: [1], lambda **parts: vars(run).update(parts)
    run.log = lambda step, scores, images, **losses: vars(run).update(losses=losses)
    run.batch_order, run.picture_due = lambda *_: np.arange(3), lambda _: False
    run.uniform = lambda step, *shape, name: mg.zeros(*shape)
    return run, sets


def test_a_step_is_what_the_paper_says_with_each_identity_on_its_own_set(there):
    run, sets = run_of(there)
    mg.manual_seed(3)
    G, F = cyclegan.train(run, sets)
    a, b = (translate.values(part[chosen], G) for part, chosen in counterparts.unpaired(run, 1, sets))
    D_a, D_b = run.D_a, run.D_b
    d = sum(((D(real) - 1) ** 2).mean() + (D(fake.detach()) ** 2).mean()
            for D, real, fake in ((D_a, a, F(b)), (D_b, b, G(a)))) / 2
    g = ((D_b(G(a)) - 1) ** 2).mean() + ((D_a(F(b)) - 1) ** 2).mean()
    g = g + 10 * ((F(G(a)) - a).abs().mean() + (G(F(b)) - b).abs().mean())
    g = g + 5 * ((G(b) - b).abs().mean() + (F(a) - a).abs().mean())
    for nets, loss in (((D_a, D_b), d), ((G, F), g)):
        trained = [p for net in nets for p in net.parameters()]
        for p, expected in zip(trained, mg.autograd.grad(loss, trained, retain_graph=True), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), expected.numpy(), 1e-3, 1e-5 * abs(expected.numpy()).max())
    assert run.pool_a.filled == run.pool_b.filled == 3
    np.testing.assert_allclose(run.pool_b.kept[:3].numpy(), G(a).detach().numpy(), 1e-5, 1e-6)


def test_a_generator_adds_to_a_picture():
    mg.manual_seed(0)
    G, x = cyclegan.Generator(3, 2), mg.randn(2, 3, 16, 16)
    with mg.no_grad():
        for p in G.change[-1].parameters():
            p.zero_()
    np.testing.assert_array_equal(G(x).detach().numpy(), x.numpy())


def test_both_ways_of_a_run_are_used(there, capsys):
    assert cyclegan.demo([*SMALL, "--steps", "3", "--check", "--out", "run"]) in (0, 1)
    out = capsys.readouterr().out
    assert "run/cycles.png" in out and "put on: 0." in out and "PASS taken off: share that changed" in out
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save("face.png")
    for name, options in (("there", []), ("back", ["--back"])):
        assert translate.main(["run", "face.png", "--out", name, *options]) == 0
    found = [np.asarray(Image.open(f"{name}/face.png")) for name in ("there", "back")]
    assert found[0].shape == (16, 16, 3) and (found[0] != found[1]).any()
    with pytest.raises(MinigradError, match=r"makes pictures of pictures, not of noise; python -m gans.apply run FILE"):
        samples.main(["run"])


@pytest.fixture
def folders(there):
    """Two folders of 12 and 15 pictures of no equal names."""
    rng = np.random.default_rng(0)
    for name, count in (("A", 12), ("B", 15)):
        (there / "mine" / name).mkdir(parents=True)
        for k in range(count):
            Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(there / "mine" / name / f"{name}{k}.png")
    return there


def test_sets_of_ones_own_may_be_of_different_sizes_and_have_no_truth(folders, capsys):
    assert cyclegan.demo([*SMALL, "--data", "mine", "--steps", "2", "--out", "run"]) == 0
    assert "data: mine, 11 of A and 14 of B; pictures of 16x16" in capsys.readouterr().out
    with pytest.raises(MinigradError, match="--check: has no effect here, only with --data glasses, where the"):
        cyclegan.demo([*SMALL, "--data", "mine", "--check"])
    with pytest.raises(MinigradError, match="mine: there are 11 pictures to learn from, fewer than --batch 12"):
        cyclegan.demo(["--data", "mine", "--batch", "12"])
    for path in (folders / "mine" / "B").glob("B1*.png"):
        path.unlink()
    with pytest.raises(DataError, match="B: gives 9 images, too few to learn from; 10 or more are needed"):
        cyclegan.demo([*SMALL, "--data", "mine"])


@pytest.mark.parametrize("options, says", [
    (["--size", "31"], "--size 31: the networks halve a picture once, so its sides are multiples of 2 from 16"),
    (["--data", "nowhere"], "nowhere: there is no such folder, nor data of that name")])
def test_what_cannot_be_made_is_refused_before_anything_is_written(there, options, says):
    with pytest.raises(MinigradError, match=says):
        cyclegan.demo(options)
    assert not (there / "runs").exists()
