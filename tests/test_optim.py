"""Optimisers in use: options changed at any time, states of all kinds, who shares a parameter's memory, copies."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim

SHAPES = (3, 4), (), (5,), (2, 0)
NAMES = ["SGD", "RMSprop", "Adam", "AdamW", "RAdam", "Adamax", "Adagrad", "Adadelta"]
OTHER = {"lr": 0.05, "momentum": 0.7, "dampening": 0.3, "weight_decay": 0.1, "nesterov": True, "maximize": True,
         "alpha": 0.8, "eps": 0.01, "centered": True, "betas": (0.6, 0.8), "amsgrad": True, "rho": 0.7,
         "lr_decay": 0.1, "decoupled_weight_decay": True}
BEGUN = {"momentum": "momentum_buffer", "centered": "grad_avg", "amsgrad": "max_exp_avg_sq"}


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")


def parameters(library, seed=0, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return [library.nn.Parameter(library.tensor(rng.standard_normal(shape))) for shape in shapes]


def give_gradients(rng, *lists, absent=()):
    for i, several in enumerate(zip(*lists)):
        g = rng.standard_normal(tuple(several[0].shape))
        for p in several:
            p.grad = None if i in absent else like(p, g)


def like(p, values):
    """The values as a tensor of p's library."""
    if isinstance(p, mg.Tensor):
        return mg.tensor(values)
    import torch

    return torch.tensor(values)


def same(mine, theirs, what=""):
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-9, 1e-11, err_msg=str(what))


def values(ps):
    return [p.detach().numpy().copy() for p in ps]


def options_of(name):
    return [option for option in getattr(optim, name)(parameters(mg)).defaults if option in OTHER]


@pytest.mark.parametrize("name, option", [(name, option) for name in NAMES for option in options_of(name)])
@pytest.mark.parametrize("skip", [False, True])
def test_an_option_that_is_changed_later_takes_effect_as_in_pytorch(torch, name, option, skip):
    """On after 6 steps, off again after 13; some parameters have no gradient at times."""
    start = {"momentum": 0.5} if option in ("dampening", "nesterov") else {}
    start |= {"weight_decay": 0.2} if option == "decoupled_weight_decay" else {}
    mine, theirs = parameters(mg), parameters(torch)
    optimiser, other = getattr(optim, name)(mine, **start), getattr(torch.optim, name)(theirs, **start)
    unchanged, plain = parameters(mg), None
    plain = getattr(optim, name)(unchanged, **start)
    rng, first = np.random.default_rng(1), other.param_groups[0][option]
    for step in range(20):
        if step in (6, 13):
            for group in (*optimiser.param_groups, *other.param_groups):
                group[option] = OTHER[option] if step == 6 else first
            for p in theirs if name != "SGD" and option in BEGUN else ():  # PyTorch wants it to be there from the start
                if p in other.state:
                    other.state[p].setdefault(BEGUN[option], torch.zeros_like(p))
        give_gradients(rng, mine, theirs, unchanged, absent=[step % 3] if skip else ())
        optimiser.step(), other.step(), plain.step()
        same(mine, theirs, f"step {step}")
    assert any((a != b).any() for a, b in zip(values(mine), values(unchanged)))


@pytest.mark.parametrize("name, option", [(name, option) for name in NAMES for option in options_of(name)])
def test_a_loaded_option_takes_effect(name, option):
    start = {"momentum": 0.5} if option in ("dampening", "nesterov") else {}
    ps, qs = parameters(mg), parameters(mg)
    saved = getattr(optim, name)(ps, **{**start, option: OTHER[option]})
    loaded = getattr(optim, name)(qs)
    for step in range(6):
        if step in (0, 3):
            loaded.load_state_dict(copy.deepcopy(saved.state_dict()))
            assert loaded.param_groups[0][option] == OTHER[option]
        give_gradients(np.random.default_rng(step), ps, qs)
        saved.step(), loaded.step()
        for a, b in zip(values(ps), values(qs)):
            np.testing.assert_array_equal(a, b)


def stepped(library, name, steps=2, **options):
    ps = parameters(library)
    optimiser = getattr(library.optim, name)(ps, **options)
    for step in range(steps):
        give_gradients(np.random.default_rng(step), ps)
        optimiser.step()
    return ps, optimiser


MOMENTUM = {"momentum": 0.9}


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("kind, options", [(name, {}) for name in NAMES] + [("SGD", MOMENTUM), ("RMSprop", MOMENTUM)])
@pytest.mark.parametrize("library", ["minigrad", "torch"])
def test_a_state_of_another_kind_of_optimiser_is_refused_and_changes_nothing(torch, library, kind, options, steps):
    """But for kinds with the same state and options: Adam and AdamW; before the first step also RAdam and Adamax."""
    alike = [{"Adam", "AdamW"}, {kind}] + [{"RAdam", "Adamax"}] * (steps == 0)
    _, source = stepped({"minigrad": mg, "torch": torch}[library], kind, steps, **options)
    for name in NAMES:
        ps, optimiser = stepped(mg, name, 1)
        before, groups = values(ps), copy.deepcopy(optimiser.state_dict()["param_groups"])
        if any({name, kind} <= group for group in alike):
            optimiser.load_state_dict(source.state_dict())
            continue
        with pytest.raises(ValueError, match=f"{name}: the state is another optimiser's, with .*; load it into the ki"):
            optimiser.load_state_dict(source.state_dict())
        assert optimiser.state_dict()["param_groups"] == groups
        assert all((a == b).all() for a, b in zip(before, values(ps)))


def test_a_state_of_before_amsgrad_and_maximize_can_be_loaded():
    _, source = stepped(mg, "Adam")
    state = source.state_dict()
    for option in ("amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused"):
        del state["param_groups"][0][option]
    _, optimiser = stepped(mg, "Adam", 0)
    optimiser.load_state_dict(state)
    assert optimiser.state_dict()["state"][0]["step"] == 2 and optimiser.param_groups[0]["amsgrad"] is False


def test_a_loaded_option_out_of_its_range_is_refused_before_anything_changes():
    _, optimiser = stepped(mg, "Adam")
    state = copy.deepcopy(optimiser.state_dict())
    state["param_groups"][0].update(lr=5.0, betas=(1.5, 0.9))
    with pytest.raises(ValueError, match="betas are"):
        optimiser.load_state_dict(state)
    assert optimiser.param_groups[0]["lr"] == 1e-3


def test_groups_keep_the_users_own_keys_also_through_a_state():
    ps = parameters(mg)
    groups = [{"params": ps[:1], "name": "first", "initial_lr": 3.0, "lr_mult": 2}, {"params": ps[1:], "alpha": "x"}]
    optimiser = optim.Adam(groups)
    other = optim.Adam([{"params": ps[:1]}, {"params": ps[1:]}])
    other.load_state_dict(optimiser.state_dict())
    optimiser.load_state_dict(optimiser.state_dict())
    for one in (optimiser, other):
        first, second = one.param_groups
        assert (first["name"], first["initial_lr"], first["lr_mult"], second["alpha"]) == ("first", 3.0, 2, "x")
    for typo in ("weigth_decay", "beta", "amsgard"):
        with pytest.raises(ValueError, match=f"unknown option '{typo}'; did you mean"):
            optim.Adam([{"params": ps, typo: 1}])


def test_named_parameters_are_taken_and_their_names_kept():
    net = nn.Linear(2, 3)
    optimiser = optim.SGD(net.named_parameters(), lr=0.1)
    assert optimiser.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimiser.param_groups[0]["params"] == [net.weight, net.bias]
    assert optimiser.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@pytest.mark.parametrize("name", NAMES)
def test_rates_may_be_numbers_of_any_kind(name):
    found = []
    for kind in (float, np.float64, np.float32, mg.tensor, lambda x: mg.tensor([x])[0]):
        p = nn.Parameter(mg.ones(3))
        optimiser = getattr(optim, name)([p], lr=kind(0.5), weight_decay=kind(0.25))
        for _ in range(2):
            p.grad = mg.ones(3)
            optimiser.step()
        assert p.dtype == "f4"
        found.append(p.tolist())
    assert all(one == found[0] for one in found)


def test_what_only_says_how_to_run_an_update_is_taken():
    p = nn.Parameter(mg.ones(1))
    optim.Adam([p], foreach=True, fused=False, capturable=True)
    with pytest.raises(ValueError, match="SGD: differentiable=True: no graph is recorded"):
        optim.SGD([p], differentiable=True)
    with pytest.raises(TypeError, match="lrr"):
        optim.Adam([p], lrr=1.0)


# Whose memory it is

def held(library, p, array):
    """Ways to hold on to a parameter's memory, by name."""
    net = library.nn.Module()
    net.p = p
    return {"detach": p.detach, "data": lambda: p.data, "state_dict": lambda: net.state_dict()["p"],
            "part": lambda: p.detach()[1:], "transposed": lambda: p.detach().t(), "flat": lambda: p.detach().view(-1),
            "numpy": lambda: p.detach().numpy(), "array": lambda: array}


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("kind", ["detach", "data", "state_dict", "part", "transposed", "flat", "numpy", "array"])
@pytest.mark.parametrize("shape", [(4, 3), (200, 300)])
@pytest.mark.parametrize("layout", ["rows", "columns", "gaps"])
def test_who_held_a_parameters_memory_before_sees_every_step(torch, name, kind, shape, layout):
    def run(library):
        array = np.random.default_rng(0).standard_normal(shape).astype("f4")
        array = {"rows": array, "columns": np.asfortranarray(array), "gaps": np.repeat(array, 2, 1)[:, ::2]}[layout]
        if kind == "flat" and layout != "rows":
            return None
        p, q = library.nn.Parameter(library.from_numpy(array)), library.nn.Parameter(library.ones(7))
        mine = held(library, p, array if kind == "array" else None)[kind]()
        if kind != "array":
            array = None
        optimiser = getattr(library.optim, name)([p, q], lr=0.1)
        for step in range(3):
            p.grad = like(p, np.full(shape, step + 1.0, "f4"))
            q.grad = like(q, np.ones(7, "f4"))
            optimiser.step()
        mine[...] = mine * 0 + 7  # and writes of theirs are seen
        p.grad = like(p, np.ones(shape, "f4"))
        optimiser.step()
        return [np.asarray(x) for x in (mine, p.detach(), q.detach())]

    ours, theirs = run(mg), run(torch)
    for a, b in zip(ours or (), theirs or ()):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_a_parameter_that_nobody_else_holds_moves_into_the_buffer():
    net = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(2, 3, 3), nn.utils.spectral_norm(nn.Linear(3, 3)), nn.BatchNorm2d(3))
    net.to("cpu").requires_grad_(False).requires_grad_(True)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.load_state_dict(state)
    assert not any(flat.strays for _, flat in optim.Adam(net.parameters())._work())
    again = optim.SGD(net.parameters(), lr=0.1)  # another optimiser over the same parameters takes the buffer over
    assert not any(flat.strays for _, flat in again._work())


@pytest.mark.parametrize("case", ["pattern1010", "mnist_steady", "mnist_conv"])
def test_the_networks_of_the_demos_move_into_buffers(case):
    from bench import steps

    found, made = [], optim.Optimizer.__init__

    def noted(self, *arguments, **options):
        made(self, *arguments, **options)
        found.append(self)

    optim.Optimizer.__init__ = noted
    try:
        getattr(steps, case)(mg, lambda a: mg.tensor(np.asarray(a, "f4")))
    finally:
        optim.Optimizer.__init__ = made
    assert found and not any(flat.strays for optimiser in found for _, flat in optimiser._work())


@pytest.mark.parametrize("name", NAMES)
def test_where_a_parameter_lies_changes_no_bit(name):
    found = []
    for hold in (False, True):
        ps = parameters(mg, shapes=((3, 4), (), (5,), (200, 300)))
        aliases = [p.detach() for p in ps] if hold else None
        optimiser = getattr(optim, name)(ps, weight_decay=0.1)
        assert bool(optimiser._work()[0][1].strays) == hold
        for step in range(4):
            give_gradients(np.random.default_rng(step), ps, absent=[step])
            optimiser.step()
        found.append(values(ps))
        del aliases
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)


def test_two_optimisers_over_some_of_the_same_parameters_take_turns(torch):
    def run(library):
        ps = parameters(library)
        optimisers = [library.optim.Adam(ps, lr=0.1), library.optim.SGD(ps[:2], lr=0.1, momentum=0.9),
                      library.optim.Adagrad(ps[1:], lr=0.1), library.optim.Adam(ps, lr=0.1)]
        for step in range(12):
            give_gradients(np.random.default_rng(step), ps)
            optimisers[step % 4].step()
        return ps

    same(run(mg), run(torch))


@pytest.mark.parametrize("kind", ["data", "clamped", "loaded by assign", "set to a row"])
def test_a_parameter_that_is_given_other_values_is_trained_on_in_them(torch, kind):
    def run(library):
        ps = parameters(library)
        optimiser = library.optim.Adam(ps, lr=0.1)
        there = library.tensor(np.ones((4, 3, 4)))
        for step in range(6):
            old = ps[0].data
            if kind == "data" and step == 3:
                ps[0].data = there[0]
            elif kind == "clamped":
                for p in ps:
                    p.data = p.data.clamp(-0.2, 0.2)
            elif kind == "loaded by assign" and step == 2:
                ps[0].data = there[1].clone()
            elif kind == "set to a row" and step % 2:
                ps[0].data = there[step // 2]
            before = old + 0
            give_gradients(np.random.default_rng(step), ps)
            optimiser.step()
            if kind == "clamped":
                np.testing.assert_array_equal(np.asarray(old), np.asarray(before))  # what was replaced stays as it was
        return [*ps, there]

    same(run(mg), run(torch))


def test_the_groups_lists_may_change_later(torch):
    def run(library):
        ps = parameters(library)
        optimiser = library.optim.SGD([{"params": ps[:2]}, {"params": ps[2:3], "lr": 0.2}], lr=0.1, momentum=0.9)
        for step in range(10):
            first, second = (*optimiser.param_groups, None)[:2]
            if step == 2:
                first["params"].append(ps[3])
            elif step == 4:  # a parameter moves to another group, with its momentum
                second["params"].append(first["params"].pop(0))
            elif step == 6:
                second["params"] = second["params"][::-1]
            elif step == 8:
                del optimiser.param_groups[0]
            give_gradients(np.random.default_rng(step), ps)
            optimiser.step()
        return ps

    same(run(mg), run(torch))


def test_a_parameter_that_changes_its_shape_is_an_error_and_other_dtypes_are_followed():
    ps = parameters(mg)
    optimiser = optim.Adam(ps)
    give_gradients(np.random.default_rng(0), ps)
    optimiser.step()
    ps[0].data = ps[0].data.float()
    ps[0].grad = mg.ones(3, 4)
    optimiser.step()
    state = optimiser.state_dict()["state"]
    assert state[0]["step"] == 2 and state[0]["exp_avg"].dtype == "f4" and state[2]["exp_avg"].dtype == "f8"
    ps[0].data, ps[0].grad = mg.ones(7), mg.ones(7)
    with pytest.raises(ValueError, match=r"of shape \(3, 4\) was given values of shape \(7,\); make a new optimiser"):
        optimiser.step()


def test_a_gradient_that_is_refused_in_a_later_group_leaves_all_as_it_was():
    ps = parameters(mg)
    for wrong in (mg.ones(6), np.ones(5), "slope"):
        optimiser = optim.Adam([{"params": ps[:2]}, {"params": ps[2:]}])
        give_gradients(np.random.default_rng(0), ps)
        ps[2].grad = wrong
        before = values(ps)
        with pytest.raises((TypeError, ValueError), match=r"step: a parameter of shape \(5,\) has a gradient"):
            optimiser.step()
        assert all((a == b).all() for a, b in zip(before, values(ps))) and not optimiser.state_dict()["state"]


@pytest.mark.parametrize("alias", [False, True])
def test_a_step_of_one_network_leaves_the_pending_backward_of_another_alone(alias):
    A, B = nn.Linear(2, 2), nn.Linear(2, 2)
    aliases = [p.detach() for p in A.parameters()] if alias else None
    optimiser = optim.SGD([*A.parameters(), *B.parameters()], lr=0.1)
    x = mg.ones(1, 2, requires_grad=True)
    a, b = A(x).sum(), B(x).sum()
    a.backward()
    optimiser.step()
    b.backward()
    assert B.weight.grad is not None and aliases != 0
    a, b = A(x).sum(), B(x).sum()
    b.backward()
    A.zero_grad()
    optimiser.step()
    with pytest.raises(RuntimeError, match="was changed in place after the forward pass"):
        b = B(x).sum()
        B(x).sum().backward()
        optimiser.step()
        b.backward()


# Copies

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
@pytest.mark.parametrize("first", ["model", "optimiser"])
def test_a_copy_of_model_and_optimiser_is_tied_and_goes_on_alike(name, twin, first):
    net = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1))
    optimiser, x = getattr(optim, name)(net.parameters(), weight_decay=0.1), mg.rand(5, 3)

    def train(net, optimiser):
        for _ in range(3):
            optimiser.zero_grad()
            net(x).square().mean().backward()
            optimiser.step()
        return values(net.parameters())

    train(net, optimiser)
    both = (net, optimiser) if first == "model" else (optimiser, net)
    copied = twin(both)
    other, again = copied if first == "model" else copied[::-1]
    assert [id(p) for g in again.param_groups for p in g["params"]] == list(map(id, other.parameters()))
    before = values(net.parameters())
    found = train(other, again)
    assert all((a == b).all() for a, b in zip(before, values(net.parameters())))
    for a, b in zip(found, train(net, optimiser)):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_holds_its_optimiser_can_be_copied():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.optimiser = optim.Adam(self.parameters())

    net = copy.deepcopy(Net())
    assert net.optimiser.param_groups[0]["params"] == [net.layer.weight, net.layer.bias]


def test_leaves_are_copied_and_pickled_as_pytorchs_are(torch):
    def run(library):
        found = []
        p = library.nn.Parameter(library.ones(2, 3))
        q = library.ones(3, requires_grad=True)
        p.grad = q.grad = None
        q.grad = library.ones(3)
        for x in (p, q, library.ones(2), (q * 2)):
            for twin in (copy.copy, lambda x: pickle.loads(pickle.dumps(x))):
                y = twin(x)
                with library.no_grad():
                    y.fill_(5)
                found.append((type(y).__name__, y.requires_grad, y.is_leaf, y.grad, tuple(y.shape),
                              x.detach().reshape(-1)[0].item()))
        y = copy.deepcopy(q)
        return [*found, (y.grad.tolist(), y.requires_grad)]

    assert run(mg) == run(torch)


def test_a_pickle_keeps_the_memory_order():
    p = nn.Conv2d(3, 4, 3).weight
    q = pickle.loads(pickle.dumps(p))
    assert q.array.strides == p.array.strides and (q == p).all() and type(q) is nn.Parameter


def test_a_closure_runs_with_gradients_also_under_no_grad():
    p = nn.Parameter(mg.ones(2))
    optimiser = optim.SGD([p], lr=0.5)

    def closure():
        optimiser.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mg.no_grad():
        assert optimiser.step(closure).item() == 2.0
    assert p.tolist() == [0.0, 0.0]


def test_centred_rmsprop_of_a_constant_gradient_stays_finite():
    """PyTorch's takes the root of a negative rounding error: NaN."""
    p = nn.Parameter(mg.zeros(3))
    optimiser = optim.RMSprop([p], centered=True, alpha=0.5)
    for _ in range(80):
        p.grad = mg.tensor([0.1, 1.7, 3.3])
        optimiser.step()
    assert np.isfinite(p.detach().numpy()).all()
