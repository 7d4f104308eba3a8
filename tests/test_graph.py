"""The rules of the engine (docs/design.md), each held by a test."""

import gc
import sys
import traceback
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.graph import OUT, Leaf, Op


def leaf(*values):
    return mg.tensor(list(values), dtype=mg.float64, requires_grad=True)


def test_an_op_on_arrays_gives_an_array_and_on_tensors_a_tensor():
    a = np.array([1.0, 2.0])
    assert isinstance(mg.exp(a), np.ndarray)
    assert isinstance(mg.exp(mg.tensor(a)), mg.Tensor)


def test_backward_frees_what_it_used_and_a_second_one_says_so_by_name():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"Sum.*already used and freed.*retain_graph"):
        y.backward()


def test_retain_graph_allows_a_second_backward_that_accumulates():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12.0]


def live(*arrays):
    """How many of the weakly held arrays are still there."""
    return sum(array() is not None for array in arrays)


def test_a_loss_that_is_kept_after_backward_holds_nothing_of_its_graph():
    """Neither kept arrays, nor masks and indices on the ops, nor the parents: only the nodes' own names."""
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        net = mg.nn.Sequential(*[layer for _ in range(5) for layer in (mg.nn.Linear(64, 64), mg.nn.ReLU())])
        x, losses = mg.randn(64, 64), []
        for step in range(6):
            loss = mg.where(net(x) > 0.1, net(x), 0.0)[:, [0, 3]].max(1).values.sum()
            loss.backward()
            net.zero_grad()
            losses.append(loss)
            del loss
            if step == 1:
                before = tracemalloc.get_traced_memory()[0]
        grown = (tracemalloc.get_traced_memory()[0] - before) / 4
        assert grown < 2000, f"{grown:,.0f} bytes a kept loss"
        node = losses[0].node
        assert vars(node) == {"kept": ()} and node.needs is node.parents is None
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.parametrize("through_unused", [False, True])
def test_a_sweep_lets_go_of_each_node_as_it_passes(through_unused):
    """At each step down a chain, what the nodes above had stashed is gone, though the sweep goes on."""
    stashed, seen = [], []

    class Stash(Op):
        def forward(self, x):
            self.mask = np.ones(1000)
            stashed.append(weakref.ref(self.mask))
            return x * 1.0

        def backward(self, g):
            seen.append(live(*stashed))
            return (None,) if through_unused and len(seen) == 3 else (g * 1.0,)

    y = x = leaf(1.0)
    for _ in range(5):
        y = Stash()(y)
    y.sum().backward()
    assert seen == ([5, 4, 3] if through_unused else [5, 4, 3, 2, 1]) and live(*stashed) == 0
    assert x.grad is None if through_unused else x.grad.tolist() == [1.0]


def test_an_op_object_is_applied_once():
    op = mg.ops.elementwise.Mul()
    x, y = leaf(2.0), leaf(3.0)
    z = op(x, y)
    for again in (lambda: op(y, y), lambda: op(np.ones(1), np.ones(1))):
        with pytest.raises(RuntimeError, match="Mul: this op object was applied before"):
            again()
    z.sum().backward()
    assert x.grad.tolist() == [3.0]
    with pytest.raises(RuntimeError, match="Mul: this op object was applied before"):
        op(y, y)  # freed, and still the node of z
    free = mg.ops.elementwise.Mul()
    assert free(np.ones(1), np.ones(1)) == 1.0 == free(np.ones(1), np.ones(1)), "without a graph nothing is held"


def test_kept_arrays_are_freed_during_the_sweep_and_others_never_kept():
    class Watch(Op):
        keep = (OUT,)

        def forward(self, x):
            return x + 1

        def backward(self, g, y):
            return (g,)

    x = leaf(1.0)
    y = Watch()(x)
    node = y.node
    out = weakref.ref(y.array)
    z = y.sum()
    del y
    assert out() is not None, "the output is what backward needs"
    z.backward()
    assert out() is None and node.kept == ()


def test_the_graph_dies_with_its_last_reference_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = (mg.exp(x) * x).sum()
        nodes = [weakref.ref(y.node.hooks or y)]
        array = weakref.ref(y.node.parents[0].kept[0])
        del y
        assert nodes[0]() is None and array() is None
        target = weakref.ref(x)
        del x
        assert target() is None
    finally:
        gc.enable()


def test_a_chain_of_100000_ops_differentiates():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 0.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0]


def test_creation_order_visits_a_diamond_once_a_node():
    x = leaf(2.0)
    a = x * x
    b = a * 3.0
    c = a * 5.0
    (b * c).sum().backward()  # 15 x^4
    assert x.grad.tolist() == [60.0 * 8]


def test_a_gradient_that_reaches_a_leaf_shares_no_memory_with_another_leaf_or_the_seed():
    x, y, seed = leaf(1.0, 2.0), leaf(3.0, 4.0), mg.ones(2, dtype=mg.float64)
    (x + y).backward(seed)
    assert not np.shares_memory(x.grad.array, y.grad.array)
    assert not np.shares_memory(x.grad.array, seed.array)
    x.grad.zero_()
    assert y.grad.tolist() == [1.0, 1.0] and seed.tolist() == [1.0, 1.0]


def test_the_sweep_hands_over_what_only_it_holds_and_copies_what_an_op_still_holds(monkeypatch):
    seen = []
    accumulate = Leaf.accumulate
    monkeypatch.setattr(Leaf, "accumulate", lambda self, g, owned: (seen.append(owned), accumulate(self, g, owned))[1])

    class Hoarder(Op):
        hoard = np.full(2, 7.0)

        def forward(self, x):
            return x * 7.0

        def backward(self, g):
            return (self.hoard,)

    x = leaf(1.0, 2.0)
    Hoarder()(x).sum().backward()
    assert seen == [False] and not np.shares_memory(x.grad.array, Hoarder.hoard)
    seen.clear()
    y = leaf(1.0, 2.0)
    mg.exp(y).sum().backward()
    assert seen == [True]


def test_zero_dimensional_gradients_accumulate():
    x = mg.tensor(2.0, requires_grad=True)
    (x * x + x * 3.0 + x).backward()
    assert x.grad.item() == 8.0 and isinstance(x.grad.array, np.ndarray)


def test_python_scalars_keep_float32():
    x = mg.ones(3, requires_grad=True)
    y = ((2 * x + 1) / 3 - 0.5) ** 2
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("make", [lambda x: x * np.float64(2), lambda x: x * mg.arange(3), lambda x: np.float64(2) / x])
def test_no_float64_that_nobody_asked_for(make):
    assert make(mg.ones(3)).dtype == np.float32


def test_integers_divide_into_float32():
    assert (mg.arange(3) / 2).dtype == np.float32


def test_a_parent_that_needs_no_gradient_gets_none_computed():
    asked = []

    class Probe(Op):
        keep = (0, 1)

        def forward(self, x, y):
            return x * y

        def backward(self, g, x, y):
            asked.append([bool(parent) for parent in self.needs])
            return g * y, None

    Probe()(leaf(1.0), mg.tensor([2.0])).sum().backward()
    x, y = leaf(1.0), leaf(2.0)
    autograd.grad(Probe()(x, y).sum(), x)
    assert asked == [[True, False], [True, False]]


def test_training_g_through_a_frozen_d_computes_no_weight_gradient_for_d():
    g, d = mg.nn.Linear(2, 3), mg.nn.Linear(3, 1).requires_grad_(False)
    d(g(mg.ones(1, 2))).sum().backward()
    assert d.weight.grad is None and g.weight.grad is not None


@pytest.mark.parametrize("change", [
    lambda x: x.__setitem__(0, 5.0), lambda x: x.fill_(2.0), lambda x: x.zero_(), lambda x: x.mul_(2),
    lambda x: x.add_(1),
    lambda x: x.detach().__setitem__(0, 1.0), lambda x: x[1:].zero_(), lambda x: x.reshape(2, 1).copy_(mg.ones(1)),
    lambda x: x.data.normal_(), lambda x: x.uniform_(), lambda x: x.clamp_(0.0, 0.1),
    lambda x: x.lerp_(mg.ones(2), 0.5)])
def test_an_in_place_change_of_what_backward_needs_is_caught_through_any_view(change):
    w = leaf(1.0, 2.0)
    x = mg.tensor([3.0, 4.0])
    y = (w * x).sum()
    change(x)
    with pytest.raises(RuntimeError, match=r"backward through Mul: its input 1.*changed in place.*clone"):
        y.backward()


def test_an_optimiser_step_between_forward_and_backward_is_caught():
    layer, x = mg.nn.Linear(2, 2), mg.ones(1, 2, requires_grad=True)
    optimiser = mg.optim.SGD(layer.parameters(), lr=0.1)
    y, other = layer(x).sum(), layer(x).sum()
    other.backward()
    optimiser.step()
    with pytest.raises(RuntimeError, match="Linear: its input 1"):
        y.backward()


def test_a_change_before_the_forward_pass_is_no_harm():
    x = mg.tensor([3.0, 4.0])
    x[0] = 1.0
    w = leaf(1.0, 2.0)
    (w * x).sum().backward()
    assert w.grad.tolist() == [1.0, 4.0]


@pytest.mark.parametrize("operate", [lambda a, x: a + x, lambda a, x: a - x, lambda a, x: a * x, lambda a, x: a / x,
                                     lambda a, x: a ** x, lambda a, x: a @ x])
def test_an_array_on_the_left_leaves_the_work_to_the_tensor(operate):
    a, x = np.array([2.0, 3.0]), leaf(1.0, 2.0)
    result = operate(a, x)
    assert isinstance(result, mg.Tensor) and result.requires_grad
    np.testing.assert_allclose(result.detach().numpy(), operate(a, x.detach().numpy()))


def test_nodes_are_slotted_and_hold_no_tensor():
    x = leaf(1.0)
    y = x * 2.0
    assert not hasattr(x, "__dict__")
    assert all(not isinstance(v, mg.Tensor) for v in gc.get_referents(y.node))


def test_create_graph_gives_the_same_first_order_gradient_and_a_second_one():
    x = leaf(0.3, 0.7)
    y = (mg.sin(x) * mg.exp(x)).sum()
    plain, = autograd.grad(y, x, retain_graph=True)
    slope, = autograd.grad(y, x, create_graph=True)
    assert plain.tolist() == slope.tolist() and not plain.requires_grad and slope.requires_grad
    second, = autograd.grad(slope.sum(), x)
    np.testing.assert_allclose(second.numpy(), 2 * np.exp(x.detach().numpy()) * np.cos(x.detach().numpy()))


def test_no_grad_is_a_context_and_a_decorator_and_nests():
    x = leaf(1.0)
    with mg.no_grad():
        assert not (x * 2).requires_grad and not mg.is_grad_enabled()
        with mg.enable_grad():
            assert (x * 2).requires_grad
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()

    @mg.no_grad()
    def called():
        return x * 2

    @mg.no_grad
    def bare():
        return x * 2

    assert not called().requires_grad and not bare().requires_grad and called.__name__ == "called"


def test_hooks_see_and_replace_gradients():
    x = leaf(1.0, 2.0)
    y = x * 3.0
    seen = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()) or g * 10.0)
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0, 1.0]] and x.grad.tolist() == [30.0, 30.0] and y.grad.tolist() == [10.0, 10.0]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0] and len(seen) == 1


def test_anomaly_mode_names_the_line_and_the_op_of_the_first_nan():
    x = leaf(-1.0)
    with autograd.detect_anomaly(), pytest.raises(FloatingPointError, match=r"Log made the first NaN \(forward\).*"
                                                                            r"test_graph.py:\d+: y = mg.log\(x\)"):
        with np.errstate(all="ignore"):
            y = mg.log(x)
            y * 2.0


def test_anomaly_mode_names_the_forward_line_of_a_backward_inf():
    x = leaf(0.0)
    with autograd.detect_anomaly(), np.errstate(all="ignore"):
        y = x ** 0.5  # the slope at 0 is infinite
        with pytest.raises(FloatingPointError, match=r"Pow made the first inf \(backward.*y = x \*\* 0.5"):
            y.sum().backward()


def test_errors_are_one_line_and_name_op_shapes_and_fix():
    with pytest.raises(ValueError) as caught:
        mg.ones(2, 3) + mg.ones(4)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("Add:") and "float32(2, 3)" in message and "float32(4,)" in message and "fix:" in message


@pytest.mark.parametrize("provoke, match", [
    (lambda: mg.ones(2, requires_grad=True).backward(), r"backward: the output has shape \(2,\).*sum"),
    (lambda: mg.ones(1).backward(), "carries no graph.*requires_grad=True"),
    (lambda: (mg.ones(2, requires_grad=True) * 2).backward(mg.ones(3)), r"gradient has shape \(3,\).*output \(2,\)"),
    (lambda: autograd.grad(mg.ones((), requires_grad=True) * 2, mg.ones(1)), "input 0 does not require grad"),
    (lambda: autograd.grad(mg.ones((), requires_grad=True) * 2, mg.ones(1, requires_grad=True)), "has no part"),
    (lambda: (mg.ones(2, requires_grad=True) * 2).numpy(), r"detach\(\).numpy\(\)"),
    (lambda: (mg.ones(2, requires_grad=True) * 2).__setitem__(0, 1.0), "carries a graph.*clone"),
    (lambda: mg.zeros(2).__setitem__(0, mg.ones((), requires_grad=True) * 2), "value carries a graph"),
])
def test_misuse_raises_runtime_errors_that_say_what_to_do(provoke, match):
    with pytest.raises(RuntimeError, match=match):
        provoke()


def test_integers_cannot_require_grad():
    with pytest.raises(TypeError, match="int64 has no gradients"):
        mg.tensor([1, 2], requires_grad=True)


def test_item_assignment_works_without_a_graph_and_under_no_grad_on_a_parameter():
    target = mg.zeros(10)
    target[3] = 1.0
    assert target.tolist()[3] == 1.0
    p = mg.nn.Parameter(mg.zeros(2))
    with mg.no_grad():
        p[0] = 2.0
    assert p.tolist() == [2.0, 0.0]


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="unknown device 'gpu'; use 'cpu' or 'cuda'"):
        mg.ones(1).to("gpu")


def test_no_reference_from_a_result_keeps_its_inputs_alive_without_need():
    x = mg.ones(1000, requires_grad=True)
    y = x + 1.0
    inner = weakref.ref(y)
    z = y + 1.0  # Add keeps nothing
    del y
    assert inner() is None and sys.getrefcount(z.node) < 10


def test_infinities_and_nans_come_without_numpys_warnings_from_ops_their_backward_and_their_threads():
    big, zero = leaf(1e308, -1.0, 0.0), leaf(0.0, 0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = (big * 10.0 - big * 10.0) + mg.log(big) + big / zero + mg.exp(big) + big ** zero + mg.sigmoid(-big)
        slope, = autograd.grad(y.sum(), big, create_graph=True)
        slope.sum().backward()
        np.multiply(np.full(3, 2.0), 1.0)
        x = mg.full((64, 8, 32, 32), 1e38, requires_grad=True)
        (mg.nn.BatchNorm2d(8)(x) * 1e38).sum().backward()
        mg.nn.Conv2d(8, 8, 3, padding=1)(x).sum().backward()
        mg.leaky_relu(x * 10.0).sum().backward()
    with pytest.warns(RuntimeWarning, match="overflow"):
        np.float64(1e308) * 10.0  # the user's own arithmetic is left as it was
    assert np.geterr()["over"] == "warn"


def test_a_custom_ops_failing_line_is_in_the_traceback():
    class Wrong(Op):
        def forward(self, x):
            return np.ones((2, 3)) @ np.ones((2, 3))  # the line to be seen

    with pytest.raises(ValueError, match="Wrong:.*fix:") as caught:
        Wrong()(leaf(1.0))
    shown = "".join(traceback.format_exception(caught.value))
    assert "the line to be seen" in shown and "in forward" in shown


@pytest.mark.parametrize("base", [-2.0, 0.0, 2.0])
def test_a_number_to_the_power_of_a_tensor_has_the_slope_that_it_has_in_pytorch(base):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")
    found = []
    for library in (mg, torch):
        t = library.tensor([3.0, 0.5, 0.0], requires_grad=True)
        y = base ** t
        y.sum().backward()
        found.append([y.detach().numpy(), t.grad.numpy()])
    np.testing.assert_allclose(found[0], found[1], 1e-6)
