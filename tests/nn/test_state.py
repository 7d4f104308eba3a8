"""A module's state and options: switched at any time, loaded whole or in part, in PyTorch's order, beside PyTorch."""

import random

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

NORMS = {"BatchNorm1d": (3, 4), "BatchNorm2d": (2, 4, 3, 3), "InstanceNorm1d": (2, 4, 5),
         "InstanceNorm2d": (2, 4, 3, 3)}
SWITCHES = [("training", True), ("training", False), ("track_running_stats", True), ("track_running_stats", False),
            ("momentum", None), ("momentum", 0.3), ("eps", 0.1), ("running_mean and running_var", None),
            ("weight", None), ("bias", None), ("num_batches_tracked", None), ("statistics", "reset")]


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("options", [{}, {"track_running_stats": True}, {"track_running_stats": False, "affine": True}],
                         ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_a_norm_follows_its_options_however_they_are_switched(name, options, seed):
    rng = random.Random(seed)
    mine, theirs = (getattr(library, name)(4, **options).double() for library in (nn, torch.nn))
    for step in range(12):
        option, value = rng.choice(SWITCHES)
        for module, library in ((mine, mg), (theirs, torch)):
            if option == "statistics":
                module.running_mean = library.zeros(4, dtype=library.float64)
                module.running_var = library.ones(4, dtype=library.float64)
            for one in option.split(" and ") if option != "statistics" else ():
                setattr(module, one, value)
        x = np.random.default_rng(step).standard_normal(NORMS[name]) + step
        try:
            expected = theirs(torch.tensor(x)).detach().numpy()
        except (RuntimeError, TypeError, AttributeError):  # PyTorch asks for the statistics of a switched InstanceNorm
            continue
        found = mine(mg.tensor(x)).detach().numpy()
        np.testing.assert_allclose(found, expected, 1e-8, 1e-9, err_msg=f"{option} {value}")
        for part in ("running_mean", "running_var", "num_batches_tracked"):
            a, b = getattr(mine, part), getattr(theirs, part)
            assert (a is None) == (b is None)
            if a is not None and name.startswith("Batch"):
                np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-9, 1e-12)


def test_dropout_and_activations_follow_their_options():
    x = mg.randn(50, 4)
    net = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.1), nn.Dropout(0.5))
    inner = net[0](x)
    for slope, p in ((0.1, 0.0), (0.7, 1.0), (0.0, 0.0), (1.0, 0.0), (1.5, 0.0)):
        net[1].negative_slope, net[2].p = slope, p
        expected = nn.functional.leaky_relu(inner, slope) * (1 - p)
        assert mg.allclose(net(x), expected) and mg.allclose(net[:2](x), nn.functional.leaky_relu(inner, slope))
    net[2].p = 0.5
    assert 0.3 < (net(x) == 0).float().mean().item() < 0.7
    net.eval()
    assert not (net(x) == 0).any()


def network(n):
    return n.Sequential(n.Linear(3, 4), n.BatchNorm1d(4), n.InstanceNorm1d(2, track_running_stats=True))


def test_older_states_lack_num_batches_tracked():
    mine, theirs = network(nn), network(torch.nn)
    state = {k: v for k, v in theirs.state_dict().items() if "num_batches" not in k}
    network(torch.nn).load_state_dict(state)
    mine[1].num_batches_tracked.fill_(7)
    assert mine.load_state_dict({k: v.numpy() for k, v in state.items()}) == ([], [])
    assert mine[1].num_batches_tracked.item() == 7
    assert (mine[0].weight.detach().numpy() == state["0.weight"].numpy()).all()


def test_what_loading_returns_is_pytorchs():
    def run(library):
        net = network(library.nn)
        state = net.state_dict()
        whole = net.load_state_dict(state)
        part = {**{k: v for k, v in state.items() if k not in ("0.bias", "1.running_mean")}, "extra": state["0.bias"]}
        found = net.load_state_dict(part, strict=False)
        missing, unexpected = found
        return repr(whole), repr(found).strip("_"), found.missing_keys, found.unexpected_keys, missing, unexpected

    assert run(mg) == run(torch)


@pytest.mark.parametrize("strict", [True, False])
def test_nothing_is_loaded_where_something_does_not_fit(strict):
    net = network(nn)
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    good = {k: v + 1 for k, v in net.state_dict().items()}
    for bad, words in ({**good, "0.bias": mg.ones(9)}, r"wrong shape: 0.bias: \(9,\) for \(4,\)"), (
            {**good, "0.bias": 3.0}, "no tensor: 0.bias is a float"):
        with pytest.raises(RuntimeError, match=f"Sequential does not fit: {words}; build the same network$"):
            net.load_state_dict(bad, strict=strict)
    for bad in ("w.safetensors", net, [1]):
        with pytest.raises(TypeError, match="load_state_dict: got a (str|Sequential|list); give a dict"):
            net.load_state_dict(bad, strict)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_a_state_that_is_assigned_is_shared_and_gives_its_dtype():
    def run(library):
        net = library.nn.Linear(2, 2)
        state = {"weight": library.ones(2, 2, dtype=library.float64), "bias": library.zeros(2)}
        net.load_state_dict(state, assign=True)
        with library.no_grad():
            state["weight"].mul_(3)
        weight = net.weight
        return weight.tolist(), str(weight.dtype).split(".")[-1], weight.requires_grad, type(weight).__name__

    assert run(mg) == run(torch)
    net = nn.Linear(2, 1)
    net.load_state_dict({"weight": np.ones((1, 2)), "bias": np.zeros(1)}, assign=True)
    optimiser = mg.optim.SGD(net.parameters(), lr=1.0)
    net(mg.ones(2, dtype=mg.float64)).sum().backward()
    optimiser.step()
    assert net.weight.tolist() == [[0.0, 0.0]] and net.weight.dtype == "f8"


def test_a_state_has_pytorchs_order_and_options():
    def run(library):
        class Net(library.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("first", library.ones(1))
                self.inner = library.nn.BatchNorm1d(2)
                self.weight = library.nn.Parameter(library.ones(1))
                self.register_buffer("second", library.ones(1), persistent=False)
                self.tied = self.inner

        net = Net()
        kept = net.state_dict(prefix="net.", keep_vars=True)
        assert kept["net.weight"] is net.weight
        return (list(net.state_dict()), list(kept), [k for k, _ in net.named_parameters(remove_duplicate=False)],
                [k for k, _ in net.named_buffers("x", False)], [k for k, _ in net.named_modules(prefix="m")],
                [k for k, _ in net.named_modules(remove_duplicate=False)], [k for k, _ in net.named_children()],
                [k for k, _ in net.named_modules({net.inner})])

    assert run(mg) == run(torch)
