"""Convolutional networks by the DCGAN paper's guidelines: what each option makes of them, for every size."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from gans import dcgan
from gans.machinery import guidelines
from minigrad import nn

PAPER = {"width": 2, "upsample": "strided", "downsample": "strided", "norm": "batch", "hidden": None,
         "activation": "paper", "output": "tanh", "init": "normal"}
CHOICES = {"upsample": ["strided", "resize"], "downsample": ["strided", "pool"], "output": ["tanh", "sigmoid"],
           "norm": ["batch", "none", "everywhere"], "hidden": [None, 5], "init": ["normal", "default"],
           "activation": ["paper", *guidelines.ACTIVATIONS]}
DOUBLINGS = {16: 2, 28: 3, 32: 3, 56: 4, 64: 4, 112: 5, 128: 5}


def made(size=64, channels=3, **options):
    """(G, D) of a size, by the paper but for these options."""
    return dcgan.networks(SimpleNamespace(**PAPER | options, shape=[size, size, channels]))


def count(network, kind):
    return sum(isinstance(layer, kind) for layer in network)


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("size", guidelines.SIZES)
def test_every_size_grows_from_4_pixels_by_doubling_or_to_7(size):
    sides = guidelines.stages(size)
    assert sides[0] == 4 and sides[-1] == size and len(sides) == DOUBLINGS[size] + 1
    assert all(after == 2 * before or (before, after) == (4, 7) for before, after in zip(sides, sides[1:]))
    G, D = made(size)
    images = G(mg.zeros(2, 100, 1, 1))
    assert images.shape == (2, 3, size, size) and D(images).shape == (2, 1, 1, 1)


@settings(max_examples=25, deadline=None, database=None, derandomize=True)
@given(options=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
       size=st.sampled_from([16, 28, 32, 64]), channels=st.sampled_from([1, 3]))
def test_any_options_together_make_images_of_the_size_and_a_logit_for_each(options, size, channels):
    G, D = made(size, channels, **options)
    images = G(mg.randn(2, 100, 1, 1))
    assert images.shape == (2, channels, size, size)
    low = -1 if options["output"] == "tanh" else 0
    assert low <= images.min().item() and images.max().item() <= 1
    answers = D(images)
    assert answers.shape == (2, 1, 1, 1)
    answers.sum().backward()
    assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for net in (G, D) for p in net.parameters())
    for net in (G, D):  # a bias is where no normalisation takes it away again
        layers = [layer for layer in net if not isinstance(layer, nn.MaxPool2d)]
        for layer, following in zip(layers, layers[1:]):
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                assert (layer.bias is None) == isinstance(following, nn.BatchNorm2d)


@pytest.mark.parametrize("size", [28, 64])
def test_the_papers_networks_are_the_default(size):
    G, D = made(size)
    n = DOUBLINGS[size]
    assert [type(layer).__name__ for layer in G] == (
        ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * n + ["ConvTranspose2d", "Tanh"])
    assert [type(layer).__name__ for layer in D] == (
        ["Conv2d", "LeakyReLU"] + ["Conv2d", "BatchNorm2d", "LeakyReLU"] * (n - 1) + ["Conv2d"])
    assert all(layer.negative_slope == 0.2 for layer in D if isinstance(layer, nn.LeakyReLU))


@pytest.mark.parametrize("size", [28, 64])
def test_each_guideline_can_be_broken(size):
    n = DOUBLINGS[size]
    G, _ = made(size, upsample="resize")
    assert count(G, nn.Upsample) == n and count(G, nn.ConvTranspose2d) == 1 and count(G, nn.Conv2d) == n
    _, D = made(size, downsample="pool")
    assert count(D, nn.MaxPool2d) == n and {layer.stride for layer in D if isinstance(layer, nn.Conv2d)} == {(1, 1)}
    for norm, in_g, in_d in (("batch", n, n - 1), ("none", 0, 0), ("everywhere", n + 1, n)):
        G, D = made(size, norm=norm)
        assert (count(G, nn.BatchNorm2d), count(D, nn.BatchNorm2d)) == (in_g, in_d)
    G, D = made(size, norm="everywhere")
    assert isinstance(G[-2], nn.BatchNorm2d) and isinstance(D[1], nn.BatchNorm2d), "at G's output and D's input"
    G, D = made(size, hidden=5)
    assert [layer.out_features for layer in [*G, *D] if isinstance(layer, nn.Linear)] == [5, 5, 1]
    for name, kind in (("relu", nn.ReLU), ("leaky_relu", nn.LeakyReLU), ("gelu", nn.GELU), ("elu", nn.ELU)):
        G, D = made(size, activation=name)
        assert count(G, kind) == n and count(D, kind) == n
    assert isinstance(made(size, output="sigmoid")[0][-1], nn.Sigmoid)


def test_weights_begin_as_the_paper_says():
    mg.manual_seed(0)
    G, D = made(32, width=32, hidden=200)
    for layer in [*G, *D]:
        if [*layer.parameters()]:
            w, mean = layer.weight.detach().numpy(), isinstance(layer, nn.BatchNorm2d)
            assert abs(w.mean() - mean) < 5 * 0.02 / w.size**0.5 and abs(w.std() - 0.02) < 5 * 0.02 / (2 * w.size)**0.5
            assert not mean or not layer.bias.detach().numpy().any()
    G, D = made(32, width=32, init="default")
    assert all((layer.weight.detach().numpy() == 1).all() for layer in [*G, *D] if isinstance(layer, nn.BatchNorm2d))
    last = D[-1].weight.detach().numpy()
    bound = 1 / last.size**0.5  # PyTorch's: uniform, by the number of inputs
    assert bound * 0.9 < abs(last).max() <= bound


def test_the_networks_are_those_of_pytorchs_example():
    """Its width is 64; it has no biases. With ours at 0 and the same weights, it makes the same images and answers."""
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    wide, layers = 64, []
    for a, b, stride, padding in ((100, 512, 1, 0), (512, 256, 2, 1), (256, 128, 2, 1), (128, 64, 2, 1)):
        layers += [torch.nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), torch.nn.BatchNorm2d(b),
                   torch.nn.ReLU(True)]
    theirs_g = torch.nn.Sequential(*layers, torch.nn.ConvTranspose2d(wide, 3, 4, 2, 1, bias=False), torch.nn.Tanh())
    layers = [torch.nn.Conv2d(3, wide, 4, 2, 1, bias=False), torch.nn.LeakyReLU(0.2, inplace=True)]
    for a, b in ((64, 128), (128, 256), (256, 512)):
        layers += [torch.nn.Conv2d(a, b, 4, 2, 1, bias=False), torch.nn.BatchNorm2d(b),
                   torch.nn.LeakyReLU(0.2, inplace=True)]
    theirs_d = torch.nn.Sequential(*layers, torch.nn.Conv2d(512, 1, 4, 1, 0, bias=False), torch.nn.Sigmoid())

    G, D = made(64, width=wide)
    for ours, theirs, ours_alone in ((G, theirs_g, {"12.bias"}), (D, theirs_d, {"0.bias", "11.bias"})):
        assert {k: v for k, v in shapes(ours).items() if k not in ours_alone} == shapes(theirs)
        assert ours_alone < set(shapes(ours))
        state = ours.state_dict()
        for name in ours_alone:
            state[name].zero_()
        theirs.load_state_dict({k: torch.tensor(state[k].numpy()) for k in theirs.state_dict()})
    seeds = np.random.default_rng(0).standard_normal((2, 100, 1, 1), np.float32)
    with mg.no_grad(), torch.no_grad():
        images, expected = G(mg.tensor(seeds)), theirs_g(torch.tensor(seeds))
        np.testing.assert_allclose(images.numpy(), expected.numpy(), atol=1e-5)
        np.testing.assert_allclose(D(images).sigmoid().numpy(), theirs_d(expected).numpy(), atol=1e-5)


@pytest.mark.parametrize("width, channels", [(2, 3), (8, 1)])
def test_the_chapters_networks_are_those_that_the_guidelines_give(width, channels):
    args = SimpleNamespace(**PAPER | {"width": width})
    mg.manual_seed(4)
    literal = dcgan.paper(width, channels)
    mg.manual_seed(4)
    built = guidelines.generator(args, 64, channels), guidelines.discriminator(args, 64, channels)
    for ours, theirs in zip(literal, built):
        assert repr(ours) == repr(theirs)
        assert all((value == theirs.state_dict()[name]).all() for name, value in ours.state_dict().items())


def test_the_shapes_that_stand_behind_the_layers_are_right():
    """The comment at the end of a line of dcgan.paper is the shape after its last layer."""
    import inspect
    import re

    w, c = 3, 2
    comments = re.findall(r"# \((.*?)\)", inspect.getsource(dcgan.paper))
    written = [eval(re.sub(r"(\d)w", r"\1 * w", f"({text})"), {"w": w, "c": c, "N": 2}) for text in comments]
    found = []
    for net, shape in zip(dcgan.paper(w, c), ((2, 100, 1, 1), (2, c, 64, 64))):
        x = mg.zeros(*shape)
        found.append(tuple(x.shape))
        for layer in net:
            x = layer(x)
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                found.append(tuple(x.shape))
    assert written == found
