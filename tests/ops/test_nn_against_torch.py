"""Modules, initialisation and optimisers against PyTorch: names, defaults, values, many steps, and state dicts."""

import copy
import inspect
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402
from minigrad import nn, optim  # noqa: E402


def build(torch_first):
    """The same two-layer network in minigrad and in PyTorch, with equal float64 weights."""
    def net(nn):
        return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.LeakyReLU(0.2), nn.Linear(6, 3), nn.LayerNorm(3))

    mine, theirs = net(nn).double(), net(torch.nn).double()
    if torch_first:
        mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    else:
        theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in mine.state_dict().items()})
    return mine, theirs


def same_state(mine, theirs, rtol=1e-12):
    a, b = mine.state_dict(), theirs.state_dict()
    assert list(a) == list(b)
    for name in a:
        assert a[name].shape == tuple(b[name].shape), name
        np.testing.assert_allclose(a[name].numpy(), b[name].numpy(), rtol=rtol, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("torch_first", [True, False])
def test_a_state_dict_is_exchanged_with_pytorch_both_ways_by_name(torch_first):
    mine, theirs = build(torch_first)
    same_state(mine, theirs)
    x = np.random.default_rng(0).standard_normal((5, 4))
    for mode in ("train", "eval"):
        getattr(mine, mode)(), getattr(theirs, mode)()
        np.testing.assert_allclose(
            mine(mg.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-11
        )
    same_state(mine, theirs)


@pytest.mark.parametrize(
    "name",
    sorted(
        set(nn.__all__)
        & set(dir(torch.nn))
        - {"functional", "init", "utils", "Module", "Parameter", "ModuleList", "Sequential", "Identity"}
    ),
)
def test_a_module_has_pytorchs_arguments_in_order_with_its_defaults(name):
    mine = list(inspect.signature(getattr(nn, name).__init__).parameters.values())[1:]
    theirs = list(inspect.signature(getattr(torch.nn, name).__init__).parameters.values())[1:]
    skipped = {
        "size_average",
        "reduce",
        "inplace",
        "args",
        "kwargs",
        "dim",
    }  # `dim` of Softmax: PyTorch's warns and guesses
    expected = {p.name: p.default for p in theirs if p.name not in skipped}
    own = {p.name: p.default for p in mine if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in skipped}
    if any(p.kind == p.VAR_KEYWORD for p in mine):  # a loss that hands its options on
        assert list(own) == list(expected)[:len(own)]
        return
    assert [k for k in expected if k in own] == list(own), f"PyTorch has {list(expected)}"
    assert own == {k: v for k, v in expected.items() if k in own}


@pytest.mark.parametrize("make", [
    lambda nn: nn.Linear(50, 40), lambda nn: nn.Linear(7, 3, bias=False), lambda nn: nn.Embedding(60, 50),
    lambda nn: nn.BatchNorm1d(8), lambda nn: nn.LayerNorm((3, 4)), lambda nn: nn.BatchNorm1d(3, affine=False),
    lambda nn: nn.LayerNorm(3, elementwise_affine=False), lambda nn: nn.LayerNorm(3, bias=False),
    lambda nn: nn.BatchNorm1d(3, track_running_stats=False)])
def test_default_initialisation_has_pytorchs_names_shapes_and_spread(make):
    mg.manual_seed(0)
    torch.manual_seed(0)
    mine, theirs = make(nn).state_dict(), make(torch.nn).state_dict()
    assert list(mine) == list(theirs)
    for name, expected in theirs.items():
        a, b = mine[name].numpy().astype("float64"), expected.numpy().astype("float64")
        assert a.shape == b.shape and mine[name].dtype.name == str(expected.dtype).removeprefix("torch.")
        if a.size < 100:
            continue
        error = 6 / math.sqrt(a.size)
        assert abs(a.mean() - b.mean()) < error * b.std() and abs(a.std() / b.std() - 1) < error
        if name == "weight" and b.max() < 0.5:  # uniform: the ends of the range agree, too
            np.testing.assert_allclose([a.min(), a.max()], [b.min(), b.max()], rtol=0.02)


INITS = [
    ("uniform_", (-0.3, 0.7)),
    ("normal_", (0.5, 0.2)),
    ("constant_", (0.3,)),
    ("zeros_", ()),
    ("ones_", ()),
    ("xavier_uniform_", (1.5,)),
    ("xavier_normal_", ()),
    ("kaiming_uniform_", ()),
    ("kaiming_uniform_", (math.sqrt(5),)),
    ("kaiming_uniform_", (0, "fan_out", "relu")),
    ("kaiming_normal_", (0.2, "fan_out")),
    ("kaiming_normal_", (0, "fan_in", "tanh")),
    ("trunc_normal_", ()),
    ("trunc_normal_", (1.0, 2.0, 0.0, 1.5)),
    ("trunc_normal_", (0.0, 0.02)),
    ("trunc_normal_", (0.3, 1.0, -50.0, 50.0)),
    ("trunc_normal_", (0.0, 1.0, 1.5, 1.5)),
]


@pytest.mark.parametrize("name, arguments", INITS)
@pytest.mark.parametrize("shape", [(120, 80), (16, 8, 3, 5)])
def test_init_functions_have_pytorchs_mean_spread_and_range(name, arguments, shape):
    mg.manual_seed(1)
    torch.manual_seed(1)
    mine = getattr(nn.init, name)(mg.empty(*shape), *arguments).numpy()
    theirs = getattr(torch.nn.init, name)(torch.empty(*shape), *arguments).numpy()
    scale, error = max(theirs.std(), 1e-9), 6 / math.sqrt(theirs.size)
    assert abs(mine.mean() - theirs.mean()) <= error * scale + 1e-6
    assert abs(mine.std() - theirs.std()) <= error * scale
    if name.startswith("trunc"):
        low, high = (*arguments, *(0.0, 1.0, -2.0, 2.0)[len(arguments):])[2:]
        assert low <= mine.min() and mine.max() <= high
    if "normal" not in name:
        np.testing.assert_allclose([mine.min(), mine.max()], [theirs.min(), theirs.max()], atol=0.03 * scale + 1e-9)


@pytest.mark.parametrize("low, high", [(5.0, 6.0), (8.0, 1000.0), (-1000.0, -8.0), (-0.1, 0.1)])
def test_truncated_draws_follow_the_density_also_in_its_tails(low, high):
    """The mean between two bounds, by summing x * density."""
    mg.manual_seed(0)
    found = nn.init.trunc_normal_(mg.empty(40_000), 0.0, 1.0, low, high).numpy()
    x = np.linspace(max(low, -40), min(high, 40), 2_000_001)
    weight = np.exp(-0.5 * (x * x - (x * x).min()))
    mean = (x * weight).sum() / weight.sum()
    spread = np.sqrt(((x - mean) ** 2 * weight).sum() / weight.sum())
    assert low <= found.min() and found.max() <= high
    assert abs(found.mean() - mean) < 5 * spread / 200 and abs(found.std() / spread - 1) < 0.05


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (4, 2, 3, 3), (8, 2, 1)])
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_rows_or_columns_are_orthonormal_and_turn_anywhere(shape, gain):
    mg.manual_seed(0)
    q = nn.init.orthogonal_(mg.empty(*shape, dtype=mg.float64), gain).numpy().reshape(shape[0], -1)
    small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(small, gain ** 2 * np.eye(len(small)), atol=1e-12)
    draws = [nn.init.orthogonal_(mg.empty(*shape)).numpy().ravel()[0] for _ in range(200)]
    assert abs(np.mean(draws)) < 0.2 and min(draws) < 0 < max(draws)


@pytest.mark.parametrize("name, shape, arguments", [
    ("eye_", (3, 5), ()), ("eye_", (4, 2), ()), ("dirac_", (4, 2, 3), ()), ("dirac_", (4, 6, 2, 3), (2,)),
    ("dirac_", (6, 2, 3, 3, 2), (3,)), ("ones_", (2, 3), ()), ("constant_", (2,), (0.3,))])
def test_what_is_not_drawn_is_pytorchs_to_the_last_bit(name, shape, arguments):
    mine = getattr(nn.init, name)(mg.empty(*shape), *arguments).numpy()
    np.testing.assert_array_equal(mine, getattr(torch.nn.init, name)(torch.empty(*shape), *arguments).numpy())


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 1.0])
def test_each_column_of_sparse_has_pytorchs_number_of_zeros(sparsity):
    mg.manual_seed(0)
    torch.manual_seed(0)
    mine = nn.init.sparse_(mg.empty(30, 40), sparsity, 0.1).numpy()
    theirs = torch.nn.init.sparse_(torch.empty(30, 40), sparsity, 0.1).numpy()
    np.testing.assert_array_equal((mine == 0).sum(0), (theirs == 0).sum(0))
    assert sparsity == 1.0 or abs(mine[mine != 0].std() - 0.1) < 0.02


FORMER = [name for name in dir(torch.nn.init) if hasattr(torch.nn.init, name + "_") and name[0] != "_"]


@pytest.mark.parametrize("name", FORMER)
def test_former_names_of_initialisers_work_and_say_what_they_are_called_now(name):
    arguments = {"constant": (0.5,), "sparse": (0.5,)}.get(name, ())
    shape = (3, 4, 3) if name == "dirac" else (3, 4)
    mg.manual_seed(0)
    with pytest.warns(FutureWarning, match=f"nn.init.{name} is now called nn.init.{name}_"):
        former = getattr(nn.init, name)(mg.empty(*shape), *arguments)
    mg.manual_seed(0)
    assert former.tolist() == getattr(nn.init, name + "_")(mg.empty(*shape), *arguments).tolist() and len(FORMER) == 11


@pytest.mark.parametrize("name", [name for name in dir(torch.nn.init) if name.endswith("_") and name[0] != "_"])
def test_an_initialiser_has_pytorchs_arguments(name):
    mine, theirs = ([(p.name, p.default) for p in inspect.signature(getattr(n, name)).parameters.values()]
                    for n in (nn.init, torch.nn.init))
    assert mine == theirs


@pytest.mark.parametrize("call", [
    lambda: nn.init.eye_(mg.empty(3)), lambda: nn.init.dirac_(mg.empty(3, 3)),
    lambda: nn.init.sparse_(mg.empty(3), 0.5), lambda: nn.init.dirac_(mg.empty(3, 3, 3), 2),
    lambda: nn.init.orthogonal_(mg.empty(3)),
    lambda: nn.init.trunc_normal_(mg.empty(3), a=2, b=1), lambda: nn.init.trunc_normal_(mg.empty(3), std=0)])
def test_a_tensor_that_cannot_be_initialised_so_is_refused(call):
    with pytest.raises(ValueError, match="_: .*(give|use)"):
        call()


@pytest.mark.parametrize(
    "name, param",
    [
        ("linear", None),
        ("sigmoid", None),
        ("tanh", None),
        ("relu", None),
        ("selu", None),
        ("leaky_relu", None),
        ("leaky_relu", 0.3),
        ("conv2d", None),
    ],
)
def test_gains_are_pytorchs(name, param):
    assert nn.init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_nothing_and_of_everything(p):
    x = np.random.default_rng(0).standard_normal((4, 5))
    a, b = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = nn.Dropout(p)(a), torch.nn.Dropout(p)(b)
    np.testing.assert_array_equal(y.detach().numpy(), z.detach().numpy())
    (y * 2.0).sum().backward()
    (z * 2.0).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
    np.testing.assert_array_equal(nn.Dropout(p).eval()(a).detach().numpy(), x)


def test_dropout_keeps_the_mean_and_scales_what_stays():
    mg.manual_seed(0)
    x = mg.ones(200, 200)
    y = nn.Dropout(0.3)(x).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)} and abs((y == 0).mean() - 0.3) < 0.01


OPTIMISERS = [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "weight_decay": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}), ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.2}),
    ("RMSprop", {}), ("RMSprop", {"momentum": 0.9, "alpha": 0.9}), ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "eps": 1e-3}),
    ("Adam", {}), ("Adam", {"betas": (0.5, 0.999), "lr": 2e-4}), ("Adam", {"weight_decay": 0.1, "eps": 1e-3}),
    ("AdamW", {}), ("AdamW", {"weight_decay": 0.3, "lr": 0.05, "betas": (0.0, 0.9)}),
    ("Adam", {"amsgrad": True, "betas": (0.5, 0.6), "maximize": True}), ("AdamW", {"amsgrad": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True, "weight_decay": 0.1}), ("RMSprop", {"maximize": True}),
    ("RAdam", {}), ("RAdam", {"betas": (0.6, 0.8), "lr": 0.05, "weight_decay": 0.1}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}), ("Adamax", {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adagrad", {}), ("Adagrad", {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}), ("Adadelta", {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1, "lr": 0.5})]


def parameters(seed=0):
    """Three parameters with equal values on both sides."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in ((3, 4), (), (5,))]
    return [nn.Parameter(mg.tensor(a)) for a in arrays], [torch.nn.Parameter(torch.tensor(a)) for a in arrays]


def steps(mine, theirs, optimiser, other, count, seed, skip=True):
    """`count` steps on random gradients; at times a parameter has none."""
    rng = np.random.default_rng(seed)
    for step in range(count):
        for i, (a, b) in enumerate(zip(mine, theirs)):
            g = rng.standard_normal(a.shape)
            absent = skip and (step + i) % 3 == 1
            a.grad, b.grad = (None, None) if absent else (mg.tensor(g), torch.tensor(g))
        optimiser.step()
        other.step()
        for a, b in zip(mine, theirs):
            np.testing.assert_allclose(
                a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=f"step {step}"
            )


@pytest.mark.parametrize("name, options", OPTIMISERS)
@pytest.mark.parametrize("skip", [False, True])
def test_an_optimiser_takes_pytorchs_steps(name, options, skip):
    mine, theirs = parameters()
    steps(
        mine, theirs, getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options), 20, 1, skip
    )


@pytest.mark.parametrize("name, options", OPTIMISERS)
def test_an_optimisers_state_goes_to_pytorch_and_back_in_mid_training(name, options):
    mine, theirs = parameters()
    optimiser, other = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    steps(mine, theirs, optimiser, other, 4, 2)

    there = getattr(torch.optim, name)(theirs, **options)
    there.load_state_dict(to_torch(optimiser.state_dict(), there.state_dict()))
    back = getattr(optim, name)(mine, **options)
    back.load_state_dict(copy.deepcopy(other.state_dict()))
    steps(mine, theirs, back, there, 5, 3)

    again = getattr(optim, name)(mine, **options)
    again.load_state_dict(back.state_dict())
    steps(mine, theirs, again, there, 3, 4)


def to_torch(state, template):
    """Our state dict with PyTorch tensors in it; options that only PyTorch has come from its own groups."""
    entries = {i: {k: torch.tensor(float(v)) if k == "step" else torch.tensor(v.numpy()) for k, v in entry.items()}
               for i, entry in state["state"].items()}
    groups = [{**theirs, **ours} for ours, theirs in zip(state["param_groups"], template["param_groups"])]
    return {"state": entries, "param_groups": groups}


KINDS = list(dict.fromkeys(name for name, _ in OPTIMISERS))


@pytest.mark.parametrize("name", KINDS)
def test_parameter_groups_have_their_own_options_and_take_a_new_learning_rate(name):
    mine, theirs = parameters()
    made = []
    for library, ps in ((optim, mine), (torch.optim, theirs)):
        optimiser = getattr(library, name)(
            [{"params": ps[:1], "lr": 0.05}, {"params": ps[1:2], "weight_decay": 0.1}], lr=0.01
        )
        optimiser.add_param_group({"params": ps[2:]})
        made.append(optimiser)
    steps(mine, theirs, *made, 4, 5)
    for optimiser in made:
        optimiser.param_groups[0]["lr"] = 0.2
    steps(mine, theirs, *made, 4, 6)


@pytest.mark.parametrize("name", KINDS)
def test_an_optimiser_has_pytorchs_arguments_in_order_with_its_defaults(name):
    mine = {k: p.default for k, p in inspect.signature(getattr(optim, name)).parameters.items()}
    theirs = {k: p.default for k, p in inspect.signature(getattr(torch.optim, name)).parameters.items()}
    if name == "Adam":
        del theirs["decoupled_weight_decay"]  # that is AdamW
    assert mine == theirs and list(mine) == list(theirs)


def test_training_a_network_follows_pytorch_for_twenty_steps():
    mine, theirs = build(True)
    optimiser, other = optim.Adam(mine.parameters(), 1e-2), torch.optim.Adam(theirs.parameters(), 1e-2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, t = rng.standard_normal((8, 4)), rng.integers(0, 3, 8)
        optimiser.zero_grad()
        other.zero_grad()
        loss = nn.CrossEntropyLoss()(mine(mg.tensor(x)), mg.tensor(t))
        reference = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(t))
        loss.backward()
        reference.backward()
        optimiser.step()
        other.step()
        assert loss.item() == pytest.approx(reference.item(), rel=1e-8)
    same_state(mine, theirs, 1e-6)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
def test_clipping_by_norm_and_by_value_is_pytorchs(norm_type):
    mine, theirs = parameters()
    rng = np.random.default_rng(0)
    for a, b in zip(mine, theirs):
        g = rng.standard_normal(a.shape) * 3
        a.grad, b.grad = mg.tensor(g), torch.tensor(g)
    total = nn.utils.clip_grad_norm_(mine, 1.5, norm_type)
    reference = torch.nn.utils.clip_grad_norm_(theirs, 1.5, norm_type)
    assert total.item() == pytest.approx(reference.item())
    nn.utils.clip_grad_value_(mine, 0.2)
    torch.nn.utils.clip_grad_value_(theirs, 0.2)
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12)
