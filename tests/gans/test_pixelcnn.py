"""Pixel by pixel: no look ahead, no blind spot, probabilities that sum to 1, drawing that is scoring."""

import itertools

import numpy as np
import pytest

import gans
import minigrad as mg
from gans import pixelcnn
from gans.machinery import pixels, run, samples
from gans.machinery.pixels import Draw, binarised, nats
from gans.pixelcnn import Masked, PixelCNN

EVERY = mg.tensor(np.array(list(itertools.product([0.0, 1.0], repeat=9)), np.float64).reshape(-1, 1, 3, 3))


def net(width=4, **options):
    mg.manual_seed(3)
    made = PixelCNN(width, **options)
    made.place.data.copy_(mg.randn(*made.place.shape))
    return made


def pictures(n, side, seed=0):
    return mg.tensor((np.random.default_rng(seed).random((n, 1, side, side)) < 0.5).astype(np.float32))


def allowed(kernel, mask, dilation):
    """The offsets (down, right) that masks of the two stacks leave, in the order of the kernel's weights."""
    rows, columns = kernel
    late = mask == "A"
    if rows == 1:
        return [(0, -dilation * k - late) for k in reversed(range(columns))]
    return [(-dilation * i - late, dilation * (j - columns // 2)) for i in reversed(range(rows))
            for j in range(columns)]


@pytest.mark.parametrize("kernel, mask, dilation", [((4, 9), "A", 1), ((1, 4), "A", 1), ((2, 3), "B", 1),
                                                    ((2, 3), "B", 4), ((1, 2), "B", 1), ((1, 2), "B", 8)])
def test_a_masked_convolution_is_a_sum_over_what_the_mask_leaves(kernel, mask, dilation):
    mg.manual_seed(0)
    layer, x = Masked(2, 3, kernel, mask, dilation).double(), np.random.default_rng(0).standard_normal((1, 2, 6, 7))
    weight, bias = layer.conv.weight.detach().numpy(), layer.conv.bias.detach().numpy()
    expected = np.empty((3, 6, 7))
    for i, j in np.ndindex(6, 7):
        expected[:, i, j] = bias
        for k, (down, right) in enumerate(allowed(kernel, mask, dilation)):
            if 0 <= i + down < 6 and 0 <= j + right < 7:
                expected[:, i, j] += weight.reshape(3, 2, -1)[..., k] @ x[0, :, i + down, j + right]
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy()[0], expected, 1e-12, 1e-12)


@pytest.mark.parametrize("side", [9, 28])
def test_every_pixel_depends_on_all_earlier_ones_and_on_nothing_else(side):
    assert pixels.dependence(net(1), (side, side)) == (0, 0)


def test_without_the_stack_that_goes_down_there_are_pixels_that_are_never_seen():
    made = net(1)
    made.above = lambda x: [mg.zeros_like(x)] * 6
    assert pixels.dependence(made, (3, 3)) == (0, 3 * 3 + 3 * 6)


def test_a_gradient_up_to_the_own_pixel_is_0_and_not_before():
    made, x, which = net(), pictures(49, 7).requires_grad_(), np.arange(49)
    made(x).flatten(1)[which, which].sum().backward()
    slopes = x.grad.numpy().reshape(49, 49)
    assert (slopes[which >= which[:, None]] == 0).all()
    assert (slopes[which < which[:, None]] != 0).mean() > 0.9, "but where ReLUs are in the way"


def test_a_changed_pixel_changes_no_logit_up_to_its_own():
    made, x = net(), pictures(1, 9)
    which, same = np.arange(81), x.repeat(81, 1, 1, 1)
    changed = same.numpy().reshape(81, 81).copy()
    changed[which, which] = 1 - changed[which, which]
    with mg.no_grad():
        before, after = (made(images).numpy().reshape(81, 81) for images in (
            same, mg.tensor(changed.reshape(81, 1, 9, 9))))
    earlier = which <= which[:, None]
    assert (before[earlier] == after[earlier]).all()
    assert (before != after)[which[:-1, None], which[1:]].diagonal().all(), "the next one knows it"


class Of(mg.nn.Linear):
    """A model that is a function of the picture."""

    def __init__(self, function):
        super().__init__(1, 1)
        self.forward = function


@pytest.mark.parametrize("function, early, missed", [
    (lambda x: x, 4, 6), (lambda x: 0 * x, 0, 6), (lambda x: x + x.sum((1, 2, 3), True), 10, 0),
    (lambda x: x.flip((2, 3)), 2, 4)])
def test_dependence_counts_what_looks_ahead_and_what_is_blind(function, early, missed):
    assert pixels.dependence(Of(function), (2, 2)) == (early, missed)


@pytest.mark.parametrize("make", [lambda: net().double(), lambda: pixels.Linear(9).double()])
def test_the_probabilities_of_all_pictures_sum_to_1(make):
    made = make()
    with mg.no_grad():
        for p in made.parameters():
            p.add_(0.3 * mg.randn(*p.shape).double())
        total = (-nats(made(EVERY), EVERY)).exp().sum()
    assert abs(float(total) - 1) < 1e-12


@pytest.mark.parametrize("known", [0, 4, 9])
def test_what_is_drawn_is_what_the_whole_network_says_of_it(known):
    G, x = Draw(net().double()), pictures(5, 10, 1).double()
    z = mg.tensor(np.random.default_rng(2).random((5, 1, 10, 10)))
    drawn, logits = G.complete(x, z, known)
    with mg.no_grad():
        whole = G.net(drawn)[:, :, known:]
    np.testing.assert_allclose(logits.numpy(), whole.numpy(), 1e-10, 1e-10)
    assert (drawn[:, :, :known] == x[:, :, :known]).all()
    assert (drawn[:, :, known:] == (z[:, :, known:] < whole.sigmoid())).all()
    if known == 0:
        assert (G(z) == drawn).all()


def test_own_pictures_cost_what_they_were_drawn_by():
    G = samples.described(Draw(net()), (1, 12, 12), seeds="uniform", image_shape=(12, 12, 1))
    mean, wrong = pixels.own(G, 20, 1)
    assert wrong < 1e-5 and 0 < mean < 144


def test_white_is_as_probable_as_the_grey_is_bright_and_always_the_same_of_a_key():
    grey = np.repeat(np.array([0, 51, 204, 255], np.uint8), 20_000).reshape(1, 4, 20_000, 1)
    x = binarised(grey, 1, "test")
    assert x.shape == (1, 1, 4, 20_000) and set(np.unique(x)) == {0.0, 1.0}
    np.testing.assert_allclose(x.mean(3)[0, 0], [0, 0.2, 0.8, 1], atol=0.015)
    assert x[0, 0, 0].max() == 0 and x[0, 0, 3].min() == 1
    assert (x == binarised(grey, 1, "test")).all() and (x != binarised(grey, 2, "test")).any()


def test_pixels_by_themselves_cost_the_entropy_of_their_share():
    train = np.array([255, 255, 255, 0], np.uint8).reshape(4, 1, 1, 1)
    found = pixels.by_itself(train, np.array([1, 1, 1, 0], np.float32).reshape(4, 1, 1, 1))
    assert found.mean() == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))


def test_the_generator_of_a_run_draws_the_same_picture_from_the_same_noise(there, trained):
    trained(pixelcnn.demo, ["--data", "synthetic", "--steps", "2", "--batch", "4", "--out", "run"])
    G = gans.load("run")
    found = samples.generate(G, 2, seed=5)
    assert found.shape == (2, 28, 28) and set(np.unique(found)) == {0, 255}
    assert (samples.generate(G, 1, seed=5) == found[:1]).all()


def test_the_check_tells_what_holds_and_what_its_pictures_are(there, capsys, monkeypatch):
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)  # which take a second each
    assert pixelcnn.demo(["--data", "synthetic", "--steps", "3", "--batch", "4", "--check"]) == 1
    out = capsys.readouterr().out
    for line in ("PASS pixels seen too early 0 ==0", "PASS earlier pixels never seen 0 ==0",
                 "PASS nats of own pictures, error", "FAIL nats of test pictures"):
        assert line in out
    for name in ("nats.png", "halves.png"):
        assert (there / "runs/pixelcnn" / name).stat().st_size > 1000
