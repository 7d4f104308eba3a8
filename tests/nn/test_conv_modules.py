"""The image layers have PyTorch's signatures, defaults, names and outputs; weights travel both ways by safetensors."""

import copy
import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

from safetensors.numpy import load_file as load_arrays  # noqa: E402
from safetensors.numpy import save_file as save_arrays  # noqa: E402
from safetensors.torch import load_file as load_torch  # noqa: E402
from safetensors.torch import save_file as save_torch  # noqa: E402

LAYERS = {
    "Conv1d": (lambda n: n.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9)),
    "Conv2d": (lambda n: n.Conv2d(4, 6, (3, 4), stride=(2, 1), padding=1, dilation=2, bias=False), (2, 4, 9, 10)),
    "Conv2d same": (lambda n: n.Conv2d(4, 6, 3, padding="same", dilation=2), (2, 4, 9, 10)),
    "Conv2d reflect": (lambda n: n.Conv2d(4, 6, (3, 5), padding=(1, 2), padding_mode="reflect"), (2, 4, 9, 10)),
    "Conv2d same circular": (lambda n: n.Conv2d(4, 6, 3, padding="same", padding_mode="circular"), (2, 4, 9, 10)),
    "Conv1d replicate": (lambda n: n.Conv1d(4, 6, 3, padding=2, padding_mode="replicate"), (2, 4, 9)),
    "ConvTranspose1d": (lambda n: n.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2), (2, 4, 9)),
    "ConvTranspose2d": (lambda n: n.ConvTranspose2d(4, 6, 4, 2, 1, dilation=2, bias=False), (2, 4, 5, 6)),
    "BatchNorm2d": (lambda n: n.BatchNorm2d(4), (2, 4, 5, 6)),
    "InstanceNorm1d": (lambda n: n.InstanceNorm1d(4, affine=True), (2, 4, 6)),
    "InstanceNorm2d": (lambda n: n.InstanceNorm2d(4, track_running_stats=True), (2, 4, 5, 6)),
    "GroupNorm": (lambda n: n.GroupNorm(2, 4), (2, 4, 5, 6)),
    "MaxPool1d": (lambda n: n.MaxPool1d(3), (2, 4, 9)),
    "MaxPool2d": (lambda n: n.MaxPool2d(3, 2, 1), (2, 4, 9, 8)),
    "AvgPool1d": (lambda n: n.AvgPool1d(2), (2, 4, 9)),
    "AvgPool2d": (lambda n: n.AvgPool2d(3, 2, 1, divisor_override=5), (2, 4, 9, 8)),
    "AdaptiveAvgPool1d": (lambda n: n.AdaptiveAvgPool1d(2), (2, 4, 9)),
    "AdaptiveAvgPool2d": (lambda n: n.AdaptiveAvgPool2d((2, 3)), (2, 4, 9, 8)),
    "Upsample": (lambda n: n.Upsample(scale_factor=2, mode="bilinear"), (2, 4, 3, 4)),
    "UpsamplingNearest2d": (lambda n: n.UpsamplingNearest2d(scale_factor=2), (2, 4, 3, 4)),
    "UpsamplingBilinear2d": (lambda n: n.UpsamplingBilinear2d((5, 7)), (2, 4, 3, 4)),
    "PixelShuffle": (lambda n: n.PixelShuffle(2), (2, 4, 3, 4)),
    "PixelUnshuffle": (lambda n: n.PixelUnshuffle(2), (2, 1, 4, 6)),
    "spectral Conv2d": (lambda n: n.utils.spectral_norm(n.Conv2d(4, 6, 3), n_power_iterations=2), (2, 4, 5, 6)),
    "spectral ConvTranspose2d": (lambda n: n.utils.spectral_norm(n.ConvTranspose2d(4, 6, 3)), (2, 4, 5, 6)),
    "spectral Linear": (lambda n: n.utils.spectral_norm(n.Linear(4, 6)), (2, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_with_the_weights_of_pytorchs_gives_its_outputs_and_gradients(name):
    make, shape = LAYERS[name]
    mine, theirs = make(nn).double(), make(torch.nn).double()
    assert list(mine.state_dict()) == list(theirs.state_dict())
    mine.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal(shape)
    for mode in (True, True, False):  # twice in training, so that running statistics and power iterations count
        mine.train(mode), theirs.train(mode)
        X, T = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, t = mine(X), theirs(T)
        np.testing.assert_allclose(y.detach().numpy(), t.detach().numpy(), 1e-10, 1e-10)
        g = np.random.default_rng(1).standard_normal(y.shape)
        mine.zero_grad(), theirs.zero_grad()
        y.backward(mg.tensor(g)), t.backward(torch.tensor(g))
        ours = {"x": X, **dict(mine.named_parameters())}
        for key, value in {"x": T, **dict(theirs.named_parameters())}.items():
            np.testing.assert_allclose(ours[key].grad.numpy(), value.grad.numpy(), 1e-9, 1e-9, err_msg=key)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[key].numpy(), value.numpy(), 1e-10, 1e-12, err_msg=key)


NAMES = sorted({value for value in nn.__all__ if hasattr(torch.nn, value)} & {name.split()[-1] for name in LAYERS})


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_pytorchs(name):
    mine = inspect.signature(getattr(nn, name).__init__).parameters
    theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
    left_out = {"recompute_scale_factor"}
    kept = {k: v.default for k, v in theirs.items() if k not in left_out}
    assert list(mine) == list(kept), "the same names in the same order"
    assert {k: v.default for k, v in mine.items()} == kept


def generator(n):
    return n.Sequential(n.ConvTranspose2d(10, 16, 4, 1, 0, bias=False), n.BatchNorm2d(16), n.ReLU(True),
                        n.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), n.BatchNorm2d(8), n.ReLU(True),
                        n.ConvTranspose2d(8, 3, 4, 2, 1), n.Tanh())


def discriminator(n):
    return n.Sequential(n.utils.spectral_norm(n.Conv2d(3, 8, 4, 2, 1)), n.LeakyReLU(0.2),
                        n.Conv2d(8, 16, 4, 2, 1), n.GroupNorm(4, 16), n.LeakyReLU(0.2, inplace=True),
                        n.Conv2d(16, 1, 4))


def agree(mine, theirs, x):
    y, t = mine(mg.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y, t, 1e-4, 1e-5)


@pytest.mark.parametrize(("build", "shape"), ((generator, (4, 10, 1, 1)), (discriminator, (4, 3, 16, 16))))
def test_weights_travel_both_ways_through_safetensors(tmp_path, build, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("f")
    mine, theirs = build(nn).eval(), build(torch.nn).eval()
    save_torch(theirs.state_dict(), tmp_path / "torch.safetensors")
    mine.load_state_dict(load_arrays(tmp_path / "torch.safetensors"))
    agree(mine, theirs, x)
    mine = build(nn).eval()
    save_arrays({key: np.ascontiguousarray(value.numpy()) for key, value in mine.state_dict().items()},
                tmp_path / "minigrad.safetensors")
    theirs.load_state_dict(load_torch(tmp_path / "minigrad.safetensors"))
    agree(mine, theirs, x)


@pytest.mark.parametrize("name", ("Conv2d", "ConvTranspose2d"))
def test_initial_weights_and_biases_fill_pytorchs_bounds(name):
    for library in (nn, torch.nn):
        layer = getattr(library, name)(16, 512, 4)
        bound = (layer.weight.shape[1] * 16) ** -0.5
        for values in (layer.weight.detach().numpy(), layer.bias.detach().numpy()):
            assert 0.95 * bound < abs(values).max() <= bound
            assert values.std() == pytest.approx(bound / 3 ** 0.5, rel=0.15)


def test_weights_lie_channels_last_before_and_after_an_optimiser_took_them():
    layer = nn.Conv2d(3, 5, 4)
    assert layer.weight.array.transpose(0, 2, 3, 1).flags.c_contiguous
    optimiser = mg.optim.Adam(layer.parameters())
    layer(mg.ones(2, 3, 8, 8)).sum().backward()
    assert layer.weight.grad.array.transpose(0, 2, 3, 1).flags.c_contiguous
    optimiser.step()
    assert layer.weight.array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_output_size_chooses_the_output_padding_and_names_what_can_be_reached():
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    x = mg.ones(1, 2, 5, 5)
    assert layer(x).shape == (1, 3, 9, 9) and layer(x, output_size=(10, 9)).shape == (1, 3, 10, 9)
    with pytest.raises(ValueError, match=r"ConvTranspose2d: output_size \(11, 9\).*between \(9, 9\) and \(10, 10\)"):
        layer(x, output_size=(11, 9))


@pytest.mark.parametrize(("make", "message"), (
    (lambda: nn.Conv2d(3, 8, 3, groups=2), "Conv2d: 3 channels to 8 in 2 groups; groups must divide both"),
    (lambda: nn.Conv2d(3, 8, 3, padding_mode="mirror"), "padding_mode is 'mirror'; use one of zeros, reflect"),
    (lambda: nn.ConvTranspose2d(3, 8, 3, padding_mode="reflect"), "only 'zeros' has a meaning"),
    (lambda: nn.GroupNorm(3, 8), "GroupNorm: 8 channels in 3 groups"),
    (lambda: nn.BatchNorm2d(8)(mg.ones(2, 8, 3)), r"BatchNorm2d: the input has shape \(2, 8, 3\)"),
    (lambda: nn.InstanceNorm2d(8)(mg.ones(2, 7, 3, 3)), r"InstanceNorm2d: the input has shape \(2, 7, 3, 3\)"),
    (lambda: nn.utils.spectral_norm(nn.ReLU()), "spectral_norm: ReLU has no parameter 'weight'"),
))
def test_a_wrong_layer_says_what_to_change(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_spectral_norm_reaches_the_largest_singular_value_and_can_be_copied_and_removed():
    layer = nn.utils.spectral_norm(nn.Linear(6, 4, bias=False), n_power_iterations=50)
    layer(mg.ones(1, 6)).sum().backward()
    weight = layer.weight.numpy()
    assert np.linalg.norm(weight, 2) == pytest.approx(1.0, rel=1e-4)
    assert [name for name, _ in layer.named_parameters()] == ["weight_orig"]
    twin = copy.deepcopy(layer)
    assert twin.weight_orig.array is not layer.weight_orig.array
    nn.utils.remove_spectral_norm(layer)
    assert list(layer.state_dict()) == ["weight"] and type(layer) is nn.Linear
    np.testing.assert_allclose(layer.weight.detach().numpy(), weight, 1e-3, 1e-5)


def test_a_penalty_on_the_gradient_through_spectral_norm_has_a_second_derivative():
    layer = nn.utils.spectral_norm(nn.Conv2d(2, 3, 3)).double().eval()
    x = mg.tensor(np.random.default_rng(0).standard_normal((2, 2, 5, 5)), requires_grad=True)
    slope, = autograd.grad((layer(x) ** 2).sum(), x, create_graph=True)
    (slope ** 2).sum().backward()
    assert np.isfinite(layer.weight_orig.grad.numpy()).all() and layer.weight_orig.grad.numpy().any()
