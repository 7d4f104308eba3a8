"""Layers with unusual options, beside PyTorch's."""

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")


@pytest.mark.parametrize("padding", [0, 2, -1])
def test_the_padding_row_of_an_embedding_is_zero_and_gets_no_gradient(padding):
    found = []
    for t in (mg, torch):
        layer = t.nn.Embedding(4, 3, padding)
        assert not layer.weight[padding].detach().any()
        with t.no_grad():
            layer.weight.copy_(t.arange(12.0).reshape(4, 3))
        y = layer(t.tensor([[0, 2], [3, 2]]))
        (y * y).sum().backward()
        same = t.nn.functional.embedding(t.tensor([[0, 2], [3, 2]]), layer.weight, padding_idx=padding)
        found.append([y.detach().numpy(), layer.weight.grad.numpy(), same.detach().numpy(), layer.padding_idx,
                      str(layer)])
    assert found[0][3:] == found[1][3:]
    for a, b in zip(found[0][:3], found[1][:3]):
        np.testing.assert_array_equal(a, b)


def test_a_padding_row_that_is_not_there_is_named():
    for make in (lambda: mg.nn.Embedding(4, 2, 4),
                 lambda: mg.nn.functional.embedding(mg.tensor([0]), mg.ones(4, 2), -5)):
        with pytest.raises(IndexError, match="padding_idx is (4|-5); places go from 0 to 3"):
            make()


@pytest.mark.parametrize("name", ["ReflectionPad1d", "ReplicationPad1d", "ZeroPad1d", "CircularPad1d",
                                  "ReflectionPad2d", "ReplicationPad2d", "ZeroPad2d", "CircularPad2d"])
def test_borders_take_numpys_integers_and_a_border_of_nothing_is_a_copy(name):
    x = mg.arange(32.0).reshape(1, 2, 4, 4) if name.endswith("2d") else mg.arange(8.0).reshape(1, 2, 4)
    pad = getattr(mg.nn, name)
    np.testing.assert_array_equal(pad(np.int64(1))(x).numpy(), pad(1)(x).numpy())
    copy = pad(0)(x)
    copy.fill_(7)
    assert x.sum() == np.arange(x.numel()).sum()


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (0, 0)])
def test_a_layer_of_no_features_adds_its_bias(sizes):
    found = []
    for t in (mg, torch):
        layer = t.nn.Linear(*sizes)
        y = layer(t.ones(2, layer.in_features))
        y.sum().backward()
        found.append([tuple(y.shape), [tuple(p.grad.shape) for p in layer.parameters()], layer.bias.tolist()])
    assert found[0][:2] == found[1][:2] and (sizes[0] or found[0][2] == found[1][2])


def test_nothing_that_is_made_drawn_or_clipped_warns():
    p = mg.ones(3, requires_grad=True)
    p.grad = mg.tensor([3.0, float("inf"), float("nan")])
    mg.nn.utils.clip_grad_norm_([p], 1.0)
    made = [mg.tensor([1e40]), mg.full((2,), 1e40), mg.linspace(0, 1e40, 3), mg.arange(0, 1e40, 3e39),
            mg.FloatTensor([1e40]), mg.ones(2).normal_(1e40), mg.ones(2).uniform_(0, 1e40), mg.logspace(0, 100, 3),
            mg.tensor(np.array([1e40]), dtype=mg.float32), mg.full_like(mg.ones(2).half(), 1e9)]
    assert all(x[-1].item() > 1e38 for x in made)
