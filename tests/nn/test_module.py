"""A module does what it is now: forwards and layers replaced at any time, hooks, containers, all beside PyTorch's."""

import copy
import pickle
import random
from unittest import mock

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

FUSED = [(nn.Linear, kind) for kind in (nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU)]
FUSED += [(nn.BatchNorm1d, kind) for kind in (nn.ReLU, nn.LeakyReLU)]


def make(layer, activation):
    """A Sequential whose plan is made, and its input."""
    mg.manual_seed(0)
    seq = nn.Sequential(layer(3, 3) if layer is nn.Linear else layer(3), activation(), nn.Linear(3, 3), activation())
    x = mg.randn(4, 3)
    seq(x)
    return seq, x


def one_by_one(seq, x):
    """What a Sequential is to compute: its modules called in turn."""
    for module in seq:
        x = module(x)
    return x


def agree(seq, x):
    mg.manual_seed(1)
    found = seq(x)
    mg.manual_seed(1)
    assert (found == one_by_one(seq, x)).all()
    return found


class Shifted(nn.Linear):
    """A subclass with a forward of its own."""

    def forward(self, x):
        return x + 100


class Halved(nn.Sigmoid):
    def forward(self, x):
        return x / 2


def with_forward(module, by):
    module.forward = lambda x: x + by


CHANGES = {
    "a forward of the layer": lambda seq: with_forward(seq[0], 1),
    "a forward of the activation": lambda seq: with_forward(seq[1], 2),
    "a forward of a later layer": lambda seq: with_forward(seq[2], 3),
    "a forward by vars": lambda seq: vars(seq[0]).update(forward=lambda x: x * 3),
    "the class of the activation": lambda seq: setattr(seq[1], "__class__", Halved),
    "setitem": lambda seq: seq.__setitem__(1, nn.Identity()),
    "setitem from the end": lambda seq: seq.__setitem__(-1, nn.Softplus()),
    "delitem": lambda seq: seq.__delitem__(1),
    "delitem of a slice": lambda seq: seq.__delitem__(slice(1, 3)),
    "delattr": lambda seq: delattr(seq, "1"),
    "setattr": lambda seq: setattr(seq, "1", nn.Softplus()),
    "add_module": lambda seq: seq.add_module("1", nn.Softplus()),
    "register_module": lambda seq: seq.register_module("9", nn.Softplus()),
    "insert": lambda seq: seq.insert(1, nn.Softplus()),
    "append": lambda seq: seq.append(nn.Softplus()),
    "extend": lambda seq: seq.extend([nn.Softplus(), nn.Tanh()]),
    "pop": lambda seq: seq.pop(1),
    "+=": lambda seq: seq.__iadd__(nn.Sequential(nn.Softplus())),
    "a hook of the layer": lambda seq: seq[0].register_forward_hook(lambda m, x, y: y * 5),
    "a hook of the activation": lambda seq: seq[1].register_forward_pre_hook(lambda m, x: x[0] * 5),
    "the options of the activation": lambda seq: vars(seq[1]).update(negative_slope=0.9),
    "another mode": lambda seq: seq.eval(),
    "spectral norm": lambda seq: nn.utils.spectral_norm(seq[2]).eval()}


@pytest.mark.parametrize("pair", FUSED, ids=lambda pair: f"{pair[0].__name__} {pair[1].__name__}")
@pytest.mark.parametrize("change", CHANGES)
def test_a_sequential_sees_every_change_of_itself_and_of_its_modules(pair, change):
    seq, x = make(*pair)
    before = agree(seq, x)
    CHANGES[change](seq)
    found = agree(seq, x)
    unseen = change in ("another mode", "the options of the activation")
    assert unseen or found.shape != before.shape or not (found == before).all()
    agree(copy.deepcopy(seq), x)


@pytest.mark.parametrize("pair", FUSED, ids=lambda pair: f"{pair[0].__name__} {pair[1].__name__}")
@pytest.mark.parametrize("position", [0, 1, 3])
@pytest.mark.parametrize("on", ["instance", "class"])
@pytest.mark.parametrize("planned", [True, False])
def test_a_forward_that_a_test_patches_takes_effect_and_goes_again(pair, position, on, planned):
    seq, x = make(*pair)
    before = seq(x)
    if not planned:
        seq.append(nn.Identity())
    target = seq[position] if on == "instance" else type(seq[position])
    with mock.patch.object(target, "forward", lambda *given: given[-1] * 0 + 7):
        patched = agree(seq, x)
        assert not (patched == before).all()
        assert position != 3 or (patched == 7).all()
    assert (agree(seq, x) == before).all()


def test_a_layers_class_can_be_another():
    seq, x = make(nn.Linear, nn.Sigmoid)
    seq[0].__class__ = Shifted
    assert (agree(seq[:1], x) == x + 100).all()
    agree(seq, x)


class Plain(nn.Module):
    def forward(self, x):
        return x + 1


class Static(nn.Module):
    @staticmethod
    def forward(x):
        return x + 1


class OfTheClass(nn.Module):
    @classmethod
    def forward(cls, x):
        return x + 1


class Mixin:
    def forward(self, x):
        return x + 1


class Mixed(Mixin, nn.Module):
    pass


@pytest.mark.parametrize("kind", [Plain, Static, OfTheClass, Mixed, nn.Identity, nn.Sequential])
def test_calling_a_module_is_calling_its_forward_as_it_is_now(kind):
    class Own(kind):
        pass

    net, x = Own(), mg.ones(2)
    added = kind not in (nn.Identity, nn.Sequential)
    assert (net(x) == x + added).all() and (nn.Sequential(net)(x) == x + added).all()
    Own.forward = lambda self, x: x + 2
    assert (net(x) == x + 2).all()
    with mock.patch.object(Own, "forward", return_value=5):
        assert net(x) == 5
    net.forward = lambda x: x + 3
    assert (net(x) == x + 3).all()
    del net.forward
    assert (net(x) == x + 2).all()
    del Own.forward
    assert (net(x) == x + added).all()
    Own.__call__ = lambda self, x: x + 4
    assert (net(x) == x + 4).all() and (nn.Sequential(net)(x) == x + 4).all()


def test_a_call_hands_on_whatever_it_is_given():
    class Net(nn.Module):
        def forward(self, *inputs, x=None, **options):
            return inputs, x, options

    net = Net()
    assert net() == ((), None, {}) and net(1) == ((1,), None, {}) and net(None, 2) == ((None, 2), None, {})
    assert net(x=1) == ((), 1, {}) and net(3, x=1, y=2) == ((3,), 1, {"y": 2})
    with pytest.raises(NotImplementedError, match="Module defines no forward"):
        nn.Module()(1)


def test_what_is_no_module_or_no_name_is_refused():
    net = nn.Sequential()
    with pytest.raises(TypeError, match="is not a Module; wrap functions"):
        net.append(abs)
    with pytest.raises(TypeError, match="parameter 'w' is to be a Tensor, which would not be trained"):
        net.register_parameter("w", mg.ones(2))
    with pytest.raises(TypeError, match="buffer 'w' is to be a int"):
        net.register_buffer("w", 3)
    net.label = 3
    for name in ("", "a.b", "forward", "training", "label", 3):
        with pytest.raises(KeyError, match="cannot name a module"):
            net.add_module(name, nn.Identity())
    net.add_module("a", None)
    net.add_module("a", nn.Identity())
    assert len(net) == 1


def test_a_deleted_buffer_is_one_no_longer():
    net = nn.Module()
    net.register_buffer("a", mg.ones(1))
    net.register_buffer("b", mg.ones(1), persistent=False)
    del net.a, net.b
    net.a = net.b = mg.ones(1)
    assert not list(net.buffers())
    net.register_buffer("b", mg.ones(1))
    assert list(net.state_dict()) == ["b"]


def test_parts_are_found_by_their_names():
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1)))
    assert net.get_submodule("0.1") is net[0][1] and net.get_submodule("") is net
    assert net.get_parameter("0.0.weight") is net[0][0].weight
    assert net.get_buffer("0.1.running_mean") is net[0][1].running_mean
    for get, name in ((net.get_submodule, "0.7"), (net.get_submodule, "0.0.weight"), (net.get_parameter, "0.0.w"),
                      (net.get_parameter, "0.1.running_mean"), (net.get_buffer, "0.1.weight"), (net.get_buffer, "")):
        with pytest.raises(AttributeError, match="on this level there are"):
            get(name)


# Beside PyTorch

def described(container):
    return [(name, type(module).__name__, getattr(module, "out_features", 0)) for name, module in
            container.named_children()]


def tried(change, container, library):
    """The container after a change, or the kind of error."""
    try:
        result = change(container, library.nn)
        return container if result is None or not isinstance(result, library.nn.Module) else result
    except (IndexError, KeyError, TypeError) as error:
        return type(error)


def random_change(rng, kind):
    """A function (container, nn) that changes or cuts a container."""
    i, n, j = rng.randint(-6, 6), rng.randint(1, 99), rng.choice([None, *range(-4, 5)])
    least = 0 if kind == "ModuleList" else -99  # PyTorch's ModuleList.insert takes no others, and leaves gaps
    changes = [lambda c, nn: c.append(nn.Linear(1, n)),
               lambda c, nn: c.insert(max(least, -len(c), min(i, len(c))), nn.Linear(1, n)),
               lambda c, nn: c.__setitem__(i, nn.Linear(1, n)), lambda c, nn: c.__delitem__(i),
               lambda c, nn: c.__delitem__(slice(i, j)), lambda c, nn: c[i] and None, lambda c, nn: c[i:j],
               lambda c, nn: c.extend([nn.Linear(1, n), nn.Tanh()]), lambda c, nn: c.pop(i) and None,
               lambda c, nn: c.__iadd__(getattr(nn, kind)(nn.Tanh()) if kind == "Sequential" else [nn.Tanh()]),
               lambda c, nn: c + c,
               lambda c, nn: setattr(c, str(i % (len(c) + 1)), nn.Linear(1, n)),
               lambda c, nn: delattr(c, str(i % len(c))) if len(c) else None]
    if kind == "Sequential":
        changes.append(lambda c, nn: c * 2 if len(c) < 9 else None)
    return rng.choice(changes)


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@pytest.mark.parametrize("seed", range(60))
def test_a_container_holds_what_pytorchs_holds_after_any_changes(kind, seed):
    torch, rng = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])"), random.Random(seed)
    mine, theirs = getattr(nn, kind)(), getattr(torch.nn, kind)()
    for step in range(12):
        change = random_change(rng, kind)
        a, b = tried(change, mine, mg), tried(change, theirs, torch)
        if isinstance(b, type):
            assert a is b, step
            continue
        mine, theirs = a, b
        assert described(mine) == described(theirs), step
        assert [type(m).__name__ for m in mine] == [type(m).__name__ for m in theirs]
        if [name for name, *_ in described(mine)] != list(map(str, range(len(mine)))):
            return  # delattr left a gap, at which PyTorch's insert and del raise KeyError


def events(library, kind, options):
    """What hooks of one kind are given, in what order, and what comes of it."""
    nn, seen = library.nn, []

    class Net(nn.Module):
        def forward(self, x, y, scale=1.0):
            return x * y * scale, x + y

    def shape(value):
        if isinstance(value, tuple):
            return tuple(map(shape, value))
        return value if not hasattr(value, "shape") else tuple(value.shape)

    def hook(name, change):
        def called(module, *given):
            seen.append((name, type(module).__name__, [{k: shape(v) for k, v in g.items()} if isinstance(g, dict)
                                                       else shape(g) for g in given]))
            return change(*given) if change else None

        return called

    changes = {"register_forward_pre_hook": lambda x, *o: ((x[0] * 2, x[1]), *o) if o else (x[0] * 2, x[1]),
               "register_forward_hook": lambda *given: (given[-1][0] * 3, given[-1][1]),
               "register_full_backward_pre_hook": lambda g: (g[0] * 2, g[1]),
               "register_full_backward_hook": lambda gi, go: (gi[0] * 5, gi[1])}
    net = Net()
    handles = [getattr(net, kind)(hook(i, changes[kind] if i == 1 else None), **options) for i in range(3)]
    del handles[1]
    x, y = (library.tensor(np.arange(3.0) + i, requires_grad=True) for i in range(2))
    numbers = []
    for _ in range(2):
        a, b = net(x, y, scale=2.0)
        (a * a + b).sum().backward()
        numbers += [a.tolist(), b.tolist(), x.grad.tolist(), y.grad.tolist()]
        handles[0].remove()
    return seen, numbers


@pytest.mark.parametrize("kind, options", [
    ("register_forward_pre_hook", {}), ("register_forward_pre_hook", {"with_kwargs": True}),
    ("register_forward_pre_hook", {"prepend": True}), ("register_forward_hook", {}),
    ("register_forward_hook", {"with_kwargs": True}), ("register_forward_hook", {"prepend": True, "always_call": True}),
    ("register_full_backward_pre_hook", {}), ("register_full_backward_pre_hook", {"prepend": True}),
    ("register_full_backward_hook", {}), ("register_full_backward_hook", {"prepend": True})], ids=str)
def test_hooks_are_given_what_pytorchs_are_given(kind, options):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    mine, theirs = events(mg, kind, options), events(torch, kind, options)
    assert mine[0] == theirs[0] and mine[0]
    np.testing.assert_allclose(mine[1], theirs[1])


@pytest.mark.filterwarnings("ignore")  # PyTorch warns that no input wants a gradient
@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True), (False, False)])
def test_a_backward_hook_knows_which_inputs_want_a_gradient(wanted):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")

    def run(library):
        seen, net = [], library.nn.Linear(2, 2)
        outer = library.nn.Module()
        outer.net, outer.forward = net, lambda x, y: net(x) * net(y)
        net.load_state_dict({"weight": library.ones(2, 2), "bias": library.ones(2)})
        outer.register_full_backward_hook(lambda m, gi, go: seen.append(
            ([None if g is None else g.tolist() for g in gi], [g.tolist() for g in go])))
        x, y = (library.ones(3, 2, requires_grad=flag) for flag in wanted)
        outer(x, y).sum().backward()
        return seen, net.weight.grad.tolist()

    assert run(mg) == run(torch)


def test_hooks_of_gradients_can_be_differentiated_again():
    net = nn.Identity()
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] * 3,))
    x = mg.tensor([2.0], requires_grad=True)
    slope, = mg.autograd.grad((net(x) ** 3).sum(), x, create_graph=True)
    assert slope.tolist() == [36.0]
    assert mg.autograd.grad(slope.sum(), x)[0].tolist() == [108.0]  # the way back leads through the gate once more


def test_a_hook_that_always_runs_runs_after_an_error_and_the_error_stays():
    seen, net = [], nn.Linear(2, 2)
    net.register_forward_hook(lambda m, x, y: seen.append(y), always_call=True)
    net.register_forward_hook(lambda m, x, y: seen.append("not reached"))
    with pytest.raises(ValueError, match="Linear"):
        net(mg.ones(3))
    assert seen == [None]


def test_misused_hooks_say_what_to_return():
    net = nn.Identity()
    net.register_forward_pre_hook(lambda m, x, options: x, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"return \(inputs, options\), or None"):
        net(mg.ones(1))
    net = nn.Identity()
    net.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="returned 2 gradients for 1"):
        net(mg.ones(1, requires_grad=True)).sum().backward()
    net.forward = lambda x: [x]
    with pytest.warns(UserWarning, match="forward returned list"):
        net(mg.ones(1, requires_grad=True))


def doubling(module, inputs, output):
    return output * 2


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_keep_their_hooks_apart(twin):
    net, x = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()), mg.ones(1, 2)
    handle = net[1].register_forward_hook(doubling)
    other = twin(net)
    assert (other(x) == net(x)).all()
    other[1].register_forward_hook(doubling)
    assert (other(x) == net(x) * 2).all()
    handle.remove()
    assert (other(x) == net(x) * 4).all()


def test_spectral_norm_serves_a_forward_that_was_replaced():
    layer, x = nn.utils.spectral_norm(nn.Linear(3, 2)).eval(), mg.ones(1, 3)
    before = layer(x)
    layer.forward = lambda x: mg.ops.linear(x, layer.weight) * 2
    assert mg.allclose(layer(x), (before - layer.bias) * 2)
    layer(x).sum().backward()
    assert layer.weight_orig.grad is not None
    del layer.forward
    copied = pickle.loads(pickle.dumps(layer))
    assert type(copied) is nn.Linear and (copied(x) == layer(x)).all() and copied._hooks is not layer._hooks
    nn.utils.remove_spectral_norm(copied)
    assert mg.allclose(copied(x), layer(x)) and [name for name, _ in copied.named_parameters()] == ["bias", "weight"]
    with pytest.raises(ValueError, match="Linear has no spectral norm of 'weight'"):
        nn.utils.remove_spectral_norm(copied)
