"""`autograd.Function` against PyTorch's: each scenario runs in both libraries."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.autograd.function import once_differentiable


def cube(torch):
    """x**3, twice differentiable because its backward is made of differentiable operations."""
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return 3 * g * x * x

    return Cube.apply


def test_first_and_second_derivatives(same_as_torch):
    def scenario(torch):
        x = torch.tensor([0.5, -2.0], requires_grad=True)
        y = cube(torch)(x * 2)
        slope, = torch.autograd.grad(y.sum(), x, create_graph=True)
        second, = torch.autograd.grad(slope.sum(), x, create_graph=True)
        third, = torch.autograd.grad(second.sum(), x)
        return y, slope, second, third, y.requires_grad, slope.requires_grad

    same_as_torch(scenario)


def test_a_saved_output_is_tied_to_the_graph_for_the_second_derivative(same_as_torch):
    def scenario(torch):
        class Exp(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = x.exp()
                ctx.save_for_backward(y)
                return y

            @staticmethod
            def backward(ctx, g):
                return g * ctx.saved_tensors[0]

        x = torch.tensor([0.3, -1.0], requires_grad=True)
        slope, = torch.autograd.grad(Exp.apply(x * x).sum(), x, create_graph=True)
        return slope, torch.autograd.grad(slope.sum(), x)[0]

    same_as_torch(scenario)


def test_several_outputs_inputs_and_things_that_are_no_tensors(same_as_torch):
    def scenario(torch):
        class Mixed(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, scale, y, flag=None):
                ctx.save_for_backward(x, y)
                ctx.scale = scale
                ctx.wanted = ctx.needs_input_grad
                return x * y * scale, x + y, "text"

            @staticmethod
            def backward(ctx, g, h, *rest):
                x, y = ctx.saved_tensors
                assert ctx.wanted[:3] == (True, False, True)
                return g * y * ctx.scale + h, None, g * x * ctx.scale + h, None

        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = torch.tensor([3.0, -1.0], requires_grad=True)
        a, b, text = Mixed.apply(x, 2.5, y)
        assert text == "text"
        (a * a + b).sum().backward(retain_graph=True)
        first = x.grad.clone(), y.grad.clone()
        b.sum().backward()  # the other output has no gradient: zeros
        return [*first, x.grad, y.grad]

    same_as_torch(scenario)


def test_setup_context_and_none_for_outputs_without_a_gradient(same_as_torch):
    def scenario(torch):
        seen = []

        class Both(torch.autograd.Function):
            @staticmethod
            def forward(x):
                return x * 2, x * 3

            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.set_materialize_grads(False)
                ctx.save_for_backward(*inputs, *output)

            @staticmethod
            def backward(ctx, g, h):
                seen.append([g is None, h is None, len(ctx.saved_tensors)])
                return (0 if g is None else 2 * g) + (0 if h is None else 3 * h)

        x = torch.tensor([1.0], requires_grad=True)
        Both.apply(x)[1].sum().backward()
        return seen, x.grad

    assert same_as_torch(scenario)[0] == [[True, False, 3]]


def test_outputs_marked_as_not_differentiable_carry_no_graph(same_as_torch):
    def scenario(torch):
        class Sorted(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                index = x.argsort()
                ranks = index * 1.0
                ctx.mark_non_differentiable(index, ranks)
                ctx.save_for_backward(index)
                return x[index], index, ranks

            @staticmethod
            def backward(ctx, g, *unused):
                index, = ctx.saved_tensors
                result = torch.zeros_like(g)
                result[index] = g
                return result

        x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
        y, index, ranks = Sorted.apply(x)
        (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
        return y, index, x.grad, y.requires_grad, index.requires_grad, ranks.requires_grad

    same_as_torch(scenario)


def test_gradients_are_summed_to_the_input_where_they_broadcast_and_refused_where_they_do_not(same_as_torch):
    def scenario(shape):
        def run(torch):
            class Wide(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    return x * 1

                @staticmethod
                def backward(ctx, g):
                    return torch.ones(*shape)

            x = torch.ones(2, 1, requires_grad=True)
            Wide.apply(x).sum().backward()
            return x.grad

        return run

    assert same_as_torch(scenario((2, 1))) == [[1.0], [1.0]]
    assert same_as_torch(scenario((2, 3))) == [[3.0], [3.0]]
    assert same_as_torch(scenario((5, 2, 1))) == [[5.0], [5.0]]
    assert same_as_torch(scenario((3, 1))) == "raises RuntimeError"


def test_too_few_gradients_are_refused_and_trailing_nones_are_not(same_as_torch):
    def scenario(results):
        def run(torch):
            class Twice(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x, y):
                    return x * y

                @staticmethod
                def backward(ctx, g):
                    return tuple(g * 2 if r else None for r in results)

            x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
            Twice.apply(x, y).sum().backward()
            return x.grad, [] if y.grad is None else y.grad

        return run

    assert same_as_torch(scenario([1])) == "raises RuntimeError"
    assert scenario([1, 0, 0, 0])(mg)[0].tolist() == [2.0, 2.0]
    assert same_as_torch(scenario([1, 1, 1])) == "raises RuntimeError"


def test_an_input_that_is_returned_is_a_new_tensor_of_the_graph(same_as_torch):
    def scenario(torch):
        class Reverse(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.view_as(x)

            @staticmethod
            def backward(ctx, g):
                return -g

        x = torch.tensor([1.0, 2.0], requires_grad=True)
        (Reverse.apply(x) * 3 + x).sum().backward()
        return x.grad

    same_as_torch(scenario)


def test_without_a_graph_it_only_computes(same_as_torch):
    def scenario(torch):
        x = torch.tensor([2.0], requires_grad=True)
        with torch.no_grad():
            y = cube(torch)(x)
        z = cube(torch)(torch.tensor([2.0]))
        return y.requires_grad, z.requires_grad, y, z

    assert same_as_torch(scenario) == [False, False, [8.0], [8.0]]


def test_forward_runs_without_a_graph_and_backward_with_one_only_when_it_is_asked_for(same_as_torch):
    def scenario(torch):
        modes = []

        class Look(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                modes.append(torch.is_grad_enabled())
                return x * 2

            @staticmethod
            def backward(ctx, g):
                modes.append(torch.is_grad_enabled())
                return g * 2

        x = torch.ones(1, requires_grad=True)
        y = Look.apply(x)
        torch.autograd.grad(y, x, retain_graph=True)
        torch.autograd.grad(y, x, create_graph=True)
        return modes

    assert same_as_torch(scenario) == [False, False, True]


def test_once_differentiable_raises_at_the_second(same_as_torch):
    def scenario(torch):
        class Cut(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(ctx, g):
                return 2 * g * ctx.saved_tensors[0]

        x = torch.tensor([3.0], requires_grad=True)
        first, = torch.autograd.grad(Cut.apply(x), x, create_graph=True)
        assert first.item() == 6.0
        torch.autograd.grad(first, x)

    assert same_as_torch(scenario) == "raises RuntimeError"
    assert once_differentiable


def test_what_was_saved_and_then_changed_in_place_is_noticed(same_as_torch):
    def scenario(torch):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        z = cube(torch)(y).sum()
        with torch.no_grad():
            y.mul_(2)
        z.backward()

    assert same_as_torch(scenario) == "raises RuntimeError"
    with pytest.raises(RuntimeError, match="backward through CubeBackward: its saved_tensors.*clone"):
        scenario(mg)


def test_the_graph_of_a_function_is_freed_by_backward_and_dies_with_its_last_reference():
    gc.collect()
    gc.disable()
    try:
        x = mg.tensor([1.0], requires_grad=True)
        inner = x * 2
        kept = weakref.ref(inner.array)
        y = cube(mg)(inner)
        del inner
        z = y.sum()
        assert kept() is not None
        z.backward()
        assert kept() is None
        with pytest.raises(RuntimeError, match="Sum: this graph was already used"):
            z.backward()
        y = cube(mg)(x)
        node = weakref.ref(y.node)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_a_function_without_a_backward_and_one_that_returns_arrays_say_so():
    class Forward(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    class Arrays(Forward):
        @staticmethod
        def backward(ctx, g):
            return np.ones(1)

    x = mg.ones(1, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"static backward\(ctx"):
        Forward.apply(x).backward()
    with pytest.raises(TypeError, match="Arrays.backward returned a ndarray for input 0; return tensors"):
        Arrays.apply(x).backward()


def test_it_names_itself_as_grad_fn_and_in_anomaly_mode():
    x = mg.ones(1, requires_grad=True)
    assert repr(cube(mg)(x).grad_fn) == "<CubeBackward>"

    class Bad(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g / 0.0

    with autograd.detect_anomaly(), pytest.raises(FloatingPointError, match="made the first inf"):
        Bad.apply(x).backward()


def test_it_works_on_both_devices(device):
    x = mg.tensor([2.0, -1.0], device=device, requires_grad=True)
    slope, = autograd.grad(cube(mg)(x).sum(), x, create_graph=True)
    second, = autograd.grad(slope.sum(), x)
    assert slope.tolist() == [12.0, 3.0] and second.tolist() == [12.0, -6.0] and second.device.type == device
