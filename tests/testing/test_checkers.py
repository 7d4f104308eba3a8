"""Each checker of minigrad.testing passes what is right and rejects the wrong rule that it is there for."""

import functools

import numpy as np
import pytest

import minigrad as mg
from minigrad import testing
from minigrad.graph import OUT, Op
from minigrad.testing import GradientMismatch, Nondifferentiable, Violation, gradcheck, properties
from minigrad.testing import contracts as c

X = np.array([[0.3, -1.2, 0.7], [1.5, 0.1, -0.4]])
Y = np.array([0.5, 2.0, -1.0])


class Cube(Op):
    """y = x**3, right."""
    keep = (0,)

    def forward(self, x):
        return x * x * x

    def backward(self, g, x):
        return 3.0 * g * x * x,


def variant(**methods):
    """A function that applies a Cube with other methods or attributes."""
    kind = type("Wrong", (Cube,), methods)

    def wrong(*xs):
        return kind()(*xs)

    return wrong


def test_a_right_rule_passes_everything():
    testing.check_all(lambda x: Cube()(x), X)
    testing.check_all(mg.mul, X, Y)
    check = functools.partial(testing.check_grad, mode="full")
    check(lambda x: Cube()(x), X)
    check(mg.matmul, X, Y)


@pytest.mark.parametrize("mode", ["project", "full"])
@pytest.mark.parametrize("name, f, order", [
    ("a factor", variant(backward=lambda self, g, x: (2.0 * g * x * x,)), 1),
    ("one element", variant(backward=lambda self, g, x: (3.0 * g * x * x * (np.arange(6).reshape(2, 3) != 4),)), 1),
    ("a constant", variant(backward=lambda self, g, x: (3.0 * g * x * getattr(x, "array", x),)), 2),
    ("nan", variant(backward=lambda self, g, x: (g * float("nan"),)), 1),
], ids=lambda value: value if isinstance(value, str) else "")
def test_check_grad_rejects_a_wrong(name, f, order, mode):
    with pytest.raises(GradientMismatch):
        testing.check_grad(f, X, mode=mode, order=order)
    if order == 2:
        testing.check_grad(f, X, mode=mode, order=1)


def test_a_failure_names_input_index_values_seed_and_a_repro_that_fails_again():
    wrong = variant(backward=lambda self, g, x: (3.0 * g * x * x * (np.arange(6).reshape(2, 3) != 4),))
    with pytest.raises(GradientMismatch) as caught:
        testing.check_grad(lambda y, x: wrong(x) + y, Y, X, seed=7)
    message = str(caught.value)
    assert (
        "input 1, index (1, 1), x = 0.1" in message
        and "analytic 0.0" in message
        and "numeric" in message
        and "seed 7" in message
    )
    code = message.split("again:\n")[1]
    assert code.startswith("import numpy\nfrom minigrad.testing import check_grad\n")
    with pytest.raises(GradientMismatch):
        exec(code.replace("f = ...", "pass"), {"f": lambda y, x: wrong(x) + y})


def test_the_second_order_names_the_part_that_is_wrong():
    wrong = variant(backward=lambda self, g, x: (3.0 * g * x * getattr(x, "array", x),))
    with pytest.raises(GradientMismatch, match="the gradient of the gradient is wrong: input 0"):
        testing.check_grad(wrong, X)


def test_a_repro_imports_what_can_be_imported():
    text = gradcheck._repro(mg.maximum, [np.array([[1.0, np.inf]]), np.zeros((0, 2))], 2, "project", 3)
    assert "from minigrad.ops.select import maximum as f" in text and "numpy.inf" in text and ".reshape((0, 2))" in text
    exec(text.replace("numpy.inf", "2.0"), {})


def test_large_and_small_values_are_checked_at_their_own_scale():
    testing.check_grad(lambda x: x * x, X * 1e6)
    testing.check_grad(mg.log, np.abs(X) * 1e-5)
    testing.check_grad(mg.exp, X + 20.0)


@pytest.mark.parametrize(
    "f, x",
    [
        (mg.abs, [0.0, 1.0]),
        (mg.relu, [0.0, 0.0]),
        (lambda x: x.clamp(0.0, 1.0), [1.0, 0.5]),
        (mg.norm, [0.0, 0.0]),
        (lambda x: mg.maximum(x, 1.0), [1.0, 2.0]),
    ],
)
def test_kinks_raise_nondifferentiable_and_are_not_taken_for_errors(f, x):
    with pytest.raises(Nondifferentiable):
        testing.check_differentiable(f, np.array(x))
    with pytest.raises(Nondifferentiable):
        testing.check_grad(lambda x: f(x) * 1.7 if f is not mg.abs else mg.where(x > 0, x, -x), np.array(x), seed=3) \
            or testing.check_differentiable(f, np.array(x))


def test_smooth_points_are_not_taken_for_kinks():
    for f in (mg.exp, mg.abs, mg.relu, mg.sqrt):
        testing.check_differentiable(f, np.abs(X) + 0.1)


def test_a_wrong_slope_beside_a_kink_is_an_error_and_no_kink():
    wrong = variant(forward=lambda self, x: abs(x), backward=lambda self, g, x: (g,))
    with pytest.raises(GradientMismatch):
        testing.check_grad(wrong, np.array([-0.5, 0.5]))


def test_complex_steps_find_an_error_that_differences_cannot_see():
    nearly = variant(backward=lambda self, g, x: (3.0000001 * g * x * x,))
    testing.check_grad(nearly, X)
    with pytest.raises(GradientMismatch, match="complex step"):
        testing.check_grad_complex_step(nearly, X)
    testing.check_grad_complex_step(lambda x: Cube()(x), X)


HOARD = []
leaky = variant(backward=lambda self, g, x: (HOARD.append(3.0 * g * x * x) or HOARD[-1],))


class InPlaceInput(Cube):
    def forward(self, x):
        x *= 1.0 + 1e-9
        return x * x * x


class InPlaceCotangent(Cube):
    def backward(self, g, x):
        if not isinstance(g, mg.Tensor):
            g *= 2.0
        return 1.5 * g * x * x,


class Shared(Op):
    """y = x + z, handing out its cotangent without telling."""

    def forward(self, x, z):
        return x + z

    def backward(self, g):
        return g, g


class Mutable(Cube):
    """Keeps its own reference to the input, behind the engine's back."""
    keep = ()

    def forward(self, x):
        self.x = x
        return x * x * x

    def backward(self, g):
        return 3.0 * g * self.x * self.x,


class Cyclic(Cube):
    def forward(self, x):
        y = x * x * x
        self.me, self.out = self, y
        return y


class Contiguous(Cube):
    """Reads the memory in its own order."""

    def forward(self, x):
        base = x if x.flags.c_contiguous else np.frombuffer(x.tobytes("A"), x.dtype).reshape(x.shape)
        return base * base * base


class HalfFloat(Cube):
    def forward(self, x):
        return (x * x * x).astype("float16").astype(x.dtype) if x.dtype == "float32" else x * x * x


class Doubling(Cube):
    def forward(self, x):
        return (x * x * x).astype("float64") if x.dtype == "float32" else x * x * x

    asked_for_dtype = True


class Nonlinear(Cube):
    def backward(self, g, x):
        return 3.0 * g * g * g * x * x,


class NotTransposed(Cube):
    """First order right; the derivative in the cotangent is not its transpose."""
    keep = (0,)

    def backward(self, g, x):
        return (
            (
                3.0 * g * x * x
                if not isinstance(g, mg.Tensor)
                else 3.0 * g.detach() * x * x + 2.9 * (g - g.detach()) * x * x
            ),
        )


class Asymmetric(Op):
    """y = x0 * x1 per row, whose second derivative forgets one half."""
    keep = (0,)

    def forward(self, x):
        return x[..., 0] * x[..., 1]

    def backward(self, g, x):
        if isinstance(x, mg.Tensor):
            return mg.stack([g * x[..., 1], g * x.detach()[..., 0]] + [g * 0.0] * (x.shape[-1] - 2), -1),
        out = np.zeros_like(x)
        out[..., 0], out[..., 1] = g * x[..., 1], g * x[..., 0]
        return out,


class Forked(Cube):
    def backward(self, g, x):
        return (3.0 if not isinstance(g, mg.Tensor) else 3.0001) * g * x * x,


class Greedy(Op):
    """z = x * y that gets it wrong where y wants nothing."""
    keep = (0, 1)

    def forward(self, x, y):
        return x * y

    def backward(self, g, x, y):
        gx = g * y * (1.0 if self.needs[1] else 2.0)
        return mg.ops.broadcast.unbroadcast(gx, x.shape), mg.ops.broadcast.unbroadcast(g * x, y.shape)


def called(kind):
    return lambda *xs: kind()(*xs)


@pytest.mark.parametrize("check, f, arrays", [
    (properties.check_linear, called(Nonlinear), [X]),
    (properties.check_adjoint, called(NotTransposed), [X]),
    (properties.check_hessian, called(Asymmetric), [X]),
    (properties.check_same_with_graph, called(Forked), [X]),
    (properties.check_needs, called(Greedy), [X, Y]),
    (c.check_types, called(Doubling), [X]),
    (c.check_unmutated, called(InPlaceInput), [X]),
    (c.check_unmutated, called(InPlaceCotangent), [X]),
    (c.check_layouts, called(Contiguous), [X]),
    (c.check_float32, called(HalfFloat), [X]),
    (c.check_no_grad, lambda x: with_grad(x), [X]),
    (c.check_released, called(Cyclic), [X]),
    (c.check_released, leaky, [X]),
    (c.check_stale, called(Mutable), [X]),
    (c.check_zero_size, variant(backward=lambda self, g, x: (np.zeros(1),)), [X]),
    (c.check_zero_dim, variant(backward=lambda self, g, x: (np.zeros((1,)),)), [X]),
], ids=lambda value: getattr(value, "__name__", "").removeprefix("check_") if callable(value) else "")
def test_a_check_rejects_the_rule_that_it_is_there_for(check, f, arrays):
    with pytest.raises((Violation, RuntimeError)):
        check(f, *arrays)
    check(lambda x, *rest: Cube()(x) if not rest else x * rest[0], *arrays)


def with_grad(x):
    with mg.enable_grad():
        return x * x * x


def test_shared_memory_is_noticed_where_the_engine_does_not_copy(monkeypatch):
    from minigrad.testing import faults

    c.check_unaliased(called(Shared), X, X)
    fault, = (f for f in faults.FAULTS if f.name == "leaf-aliases")
    with fault.planted(), pytest.raises(Violation, match="shares memory"):
        c.check_unaliased(called(Shared), X, X)


def test_what_cannot_be_checked_here_is_skipped_with_its_reason():
    if mg.backend.device.cuda_is_available():
        pytest.skip("there is a GPU")
    assert "no GPU" in testing.check_contracts(mg.exp, X)["CuPy like NumPy"]


@pytest.mark.parametrize("call, match", [
    (lambda: testing.check_grad(mg.exp, X, mode="fast"), "mode is 'fast'; use 'project' or 'full'"),
    (lambda: testing.check_grad(mg.exp, np.array([1])), "none of the 1 inputs is floating"),
])
def test_misuse_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_a_function_that_leaves_the_graph_is_told_so():
    with pytest.raises(TypeError, match="returned ndarray for tensors"):
        testing.check_grad(lambda x: x.detach().numpy(), X)


def test_third_derivatives_can_be_checked_too():
    testing.check_grad(lambda x: Cube()(x), X, order=3)


def test_several_outputs_and_integer_inputs_are_fine():
    testing.check_grad(lambda x, i: (x[i], x * x), X, np.array([1, 0, 1]))


def test_an_op_that_keeps_its_output_is_checked():
    class Doubled(Op):
        keep = (OUT,)

        def forward(self, x):
            return np.exp(x)

        def backward(self, g, y):
            return 2.0 * g * y,

    with pytest.raises(GradientMismatch):
        testing.check_grad(lambda x: Doubled()(x), X)
