"""nn.utils beside PyTorch's: clipping, parameters as a vector, weights that are computed."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

SHAPES = (3, 4), (), (5,)


def parameters(library, scale=1.0, dtype="f8"):
    rng, found = np.random.default_rng(0), []
    for shape in SHAPES:
        p = library.nn.Parameter(library.tensor(rng.standard_normal(shape).astype(dtype)))
        p.grad = library.tensor((rng.standard_normal(shape) * scale).astype(dtype))
        found.append(p)
    found.append(library.nn.Parameter(library.ones(2)))  # without a gradient
    return found


@pytest.mark.parametrize("norm_type", [2, 2.0, 1.0, 3.5, float("inf"), "inf"])
@pytest.mark.parametrize("max_norm", [0.5, 1e3, 0.0])
@pytest.mark.parametrize("options", [{}, {"error_if_nonfinite": True, "foreach": False}], ids=["", "options"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_clipping_by_norm_is_pytorchs(norm_type, max_norm, options, dtype):
    mine, theirs = parameters(mg, 3.0, dtype), parameters(torch, 3.0, dtype)
    given = (iter(mine), iter(theirs)) if norm_type == 2 else (mine, theirs)
    total = nn.utils.clip_grad_norm_(given[0], max_norm, norm_type, **options)
    expected = torch.nn.utils.clip_grad_norm_(given[1], max_norm, norm_type, **options)
    assert total.item() == pytest.approx(expected.item(), rel=1e-5) and total.shape == ()
    for a, b in zip(mine[:-1], theirs):
        assert a.grad.dtype == dtype
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-5, 1e-12)


def test_clipping_one_tensor_and_nothing():
    p, = parameters(mg)[:1]
    assert nn.utils.clip_grad_norm_(p, 1e-3).item() > 1 and p.grad.norm().item() == pytest.approx(1e-3, rel=1e-3)
    nn.utils.clip_grad_value_(p, 1e-4)
    assert p.grad.abs().max().item() == pytest.approx(1e-4)
    assert nn.utils.clip_grad_norm_([], 1.0).item() == nn.utils.clip_grad_norm_(parameters(mg)[-1:], 1.0).item() == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_are_refused_where_asked_and_then_stay(bad):
    ps = parameters(mg)
    ps[0].grad[0, 0] = bad
    before = [p.grad.numpy().copy() for p in ps[:-1]]
    with pytest.raises(RuntimeError, match=r"get_total_norm: the norm of order 2.0 is (nan|inf); look for"):
        nn.utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    for p, old in zip(ps, before):
        np.testing.assert_array_equal(p.grad.numpy(), old)


@pytest.mark.filterwarnings("ignore:Using backward")  # PyTorch warns of a cycle
@pytest.mark.parametrize("clip", ["norm", "value"])
def test_recorded_gradients_are_clipped_as_pytorch_clips_them_and_stay_recorded(clip):
    def run(library):
        p = library.nn.Parameter(library.tensor([1.0, -2.0, 3.0]))
        (p ** 3).sum().backward(create_graph=True)
        if clip == "norm":
            library.nn.utils.clip_grad_norm_([p], 1.5)
        else:
            library.nn.utils.clip_grad_value_([p], 4.0)
        values = p.grad.tolist()
        p.grad.sum().backward() if library is mg else None
        return values, p.grad.requires_grad

    (ours, recorded), (theirs, _) = run(mg), run(torch)
    assert ours == pytest.approx(theirs) and recorded


def test_parameters_as_one_vector_and_back():
    def run(library):
        ps = parameters(library)[:3]
        vector = library.nn.utils.parameters_to_vector(ps)
        (vector ** 2).sum().backward()
        found = [vector.tolist(), ps[0].grad.tolist()]
        new = library.tensor(np.arange(18.0))
        library.nn.utils.vector_to_parameters(new, ps)
        with library.no_grad():
            new.add_(1)
            ps[2].mul_(2)
        return [*found, *[p.tolist() for p in ps], new.tolist()]

    assert run(mg) == run(torch)
    with pytest.raises(ValueError, match=r"a vector of shape \(4,\) for 18 values"):
        nn.utils.vector_to_parameters(mg.ones(4), parameters(mg)[:3])


COMPUTED = {
    "weight_norm": lambda n, layer: n.utils.weight_norm(layer),
    "weight_norm of all": lambda n, layer: n.utils.weight_norm(layer, dim=None),
    "weight_norm of columns": lambda n, layer: n.utils.weight_norm(layer, "weight", 1),
    "weight_norm of the last": lambda n, layer: n.utils.weight_norm(layer, "weight", -1),
    "new weight_norm": lambda n, layer: n.utils.parametrizations.weight_norm(layer),
    "spectral_norm": lambda n, layer: n.utils.spectral_norm(layer, n_power_iterations=2),
    "new spectral_norm": lambda n, layer: n.utils.parametrizations.spectral_norm(layer, n_power_iterations=2),
    "both": lambda n, layer: n.utils.weight_norm(n.utils.parametrizations.spectral_norm(layer), "bias", None)}
LAYERS = {"Linear": (lambda n: n.Linear(3, 4), (5, 3)), "Conv2d": (lambda n: n.Conv2d(2, 3, 3), (2, 2, 5, 5)),
          "ConvTranspose2d": (lambda n: n.ConvTranspose2d(2, 3, 2), (2, 2, 3, 3))}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")  # PyTorch's old name
@pytest.mark.parametrize("kind", COMPUTED)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_computed_weight_trains_as_pytorchs_and_its_state_goes_both_ways(kind, layer):
    make, shape = LAYERS[layer]
    mine, theirs = (COMPUTED[kind](n, make(n)).double() for n in (nn, torch.nn))
    state = theirs.state_dict()
    assert {k: v.shape for k, v in mine.state_dict().items()} == {k: tuple(v.shape) for k, v in state.items()}
    assert kind == "both" or list(mine.state_dict()) == list(state)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in mine.state_dict().items()})
    rng = np.random.default_rng(0)
    made = [(mine, mg, mg.optim.SGD(mine.parameters(), lr=0.1)), (theirs, torch, torch.optim.SGD(theirs.parameters(),
                                                                                                lr=0.1))]
    for step in range(4):
        x, losses = rng.standard_normal(shape), []
        for net, library, optimiser in made:
            net.train(step != 2)
            optimiser.zero_grad()
            loss = (net(library.tensor(x)) ** 2).sum()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[name].numpy(), value.numpy(), 1e-8, 1e-12, err_msg=name)
    for twin in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert mg.allclose(twin.eval()(mg.tensor(x)), mine.eval()(mg.tensor(x)))


@pytest.mark.parametrize("kind", COMPUTED)
def test_a_computed_weight_can_be_removed(kind):
    layer, x = COMPUTED[kind](nn, nn.Linear(3, 4)).eval(), mg.ones(2, 3)
    y = layer(x)
    if kind == "both":
        nn.utils.remove_weight_norm(layer, "bias")
    remove = nn.utils.remove_weight_norm if kind.split()[-1] == "weight_norm" or "weight" in kind \
        else nn.utils.remove_spectral_norm
    remove(layer)
    assert mg.allclose(layer(x), y, rtol=1e-5) and {name for name, _ in layer.named_parameters()} == {"weight", "bias"}
    assert not list(layer.children()) and not list(layer.buffers())
    with pytest.raises(ValueError, match="Linear has no (weight|spectral) norm of 'weight'"):
        remove(layer)
    with pytest.raises(ValueError, match="has no parameter 'w'; name one of"):
        nn.utils.weight_norm(layer, "w")
    with pytest.raises(ValueError, match=r"'bias' has shape \(4,\), no matrix"):
        nn.utils.spectral_norm(layer, "bias")
