"""In-place operators and methods: where they write, where they refuse, where they make a new tensor."""

import operator

import numpy as np
import pytest

import minigrad as mg

OPERATORS = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod,
             operator.ipow]
BITWISE = [operator.iand, operator.ior, operator.ixor]
DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")


@pytest.mark.parametrize("operate", OPERATORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("other", [2.0, 2, "same", "row"])
def test_without_a_graph_an_operator_writes_and_aliases_see_it(torch, operate, other):
    found = []
    for library in (mg, torch):
        x = library.tensor([[1.0, 2.5, -3.0], [4.0, -0.5, 6.0]])
        alias, row, same = x, x[1], x.detach()
        value = {"same": library.full((2, 3), 2.0), "row": library.tensor([1.0, 2.0, 3.0])}.get(other, other)
        x = operate(x, value)
        assert x is alias
        found.append([t.numpy().tolist() for t in (x, row, same)])
    np.testing.assert_allclose(found[0][0], found[1][0], 1e-6)
    assert str(found[0][1:]) == str([found[0][0][1], found[0][0]])


@pytest.mark.parametrize("operate", OPERATORS, ids=lambda f: f.__name__)
def test_under_no_grad_it_writes_into_leaves_and_results_alike(torch, operate):
    found = []
    for library in (mg, torch):
        leaf = library.tensor([1.0, 2.0], requires_grad=True)
        result = leaf * 3.0
        alias = result
        with library.no_grad():
            w = leaf
            w = operate(w, result)
            result = operate(result, 2.0)
        assert w is leaf and result is alias and leaf.requires_grad and leaf.is_leaf and result.requires_grad
        found.append([leaf.detach().numpy(), result.detach().numpy()])
    np.testing.assert_allclose(found[0], found[1], 1e-6)


@pytest.mark.parametrize("operate", OPERATORS, ids=lambda f: f.__name__)
def test_a_leaf_that_requires_grad_is_refused_with_pytorchs_words(torch, operate):
    for library in (mg, torch):
        leaf = library.tensor([1.0, 2.0], requires_grad=True)
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place op"):
            operate(leaf, 2.0)
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place op"):
            leaf.add_(1.0)
        assert leaf.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("operate", OPERATORS[:5], ids=lambda f: f.__name__)
@pytest.mark.parametrize("mine, others", [(True, False), (False, True), (True, True)])
def test_where_a_graph_is_recorded_it_makes_a_new_tensor_with_the_same_value_and_gradient(torch, operate, mine, others):
    found = []
    for library in (mg, torch):
        a = library.tensor([1.0, 2.0], requires_grad=mine)
        b = library.tensor([3.0, 5.0], requires_grad=others)
        x = a * 1.0
        before = x
        x = operate(x, b)
        if library is mg:
            assert x is not before and before.tolist() == [1.0, 2.0]
        if operate is not operator.ifloordiv:  # PyTorch's has no derivative
            (x * x).sum().backward()
        found.append([x.detach().numpy(), *[t.grad.numpy() for t in (a, b) if t.grad is not None]])
    assert len(found[0]) == len(found[1]) == (1 + mine + others if operate is not operator.ifloordiv else 1)
    np.testing.assert_allclose(found[0], found[1], 1e-6)


@pytest.mark.parametrize("operate", OPERATORS[:6] + BITWISE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", DTYPES)
def test_the_dtype_stays_or_the_change_is_refused_as_in_pytorch(torch, operate, dtype, other):
    if operate is operator.isub and other == "bool" != dtype:
        pytest.skip("PyTorch subtracts no truth values; here they count as 0 and 1")
    outcomes = []
    for library in (mg, torch):
        x = library.tensor([1, 1, 0, 1]).to(getattr(library, dtype))
        y = library.tensor([1, 1, 1, 1]).to(getattr(library, other))
        try:
            outcomes.append([str(operate(x, y).dtype).replace("torch.", ""), x.double().tolist()])
        except (RuntimeError, TypeError) as error:
            outcomes.append(type(error).__mro__[-3].__name__)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("operate", [operator.ilshift, operator.irshift, *BITWISE], ids=lambda f: f.__name__)
def test_operators_of_bits_write_in_place_too(torch, operate):
    found = []
    for library in (mg, torch):
        x = library.tensor([1, 6, 12])
        alias, row = x, x[1:]
        assert operate(x, 2) is alias
        found.append([x.tolist(), row.tolist()])
    assert found[0] == found[1] and found[0][1] == found[0][0][1:]


@pytest.mark.parametrize("change", [
    lambda a, b: a.add_(b), lambda a, b: a.sub_(b), lambda a, b: a.mul_(b), lambda a, b: a.div_(b),
    lambda a, b: a.lerp_(b, 0.5), lambda a, b: a.lerp_(a, b), lambda a, b: a.copy_(b), lambda a, b: a.fill_(b[0]),
    lambda a, b: a.masked_fill_(a > 0, b[0]), lambda a, b: a.__setitem__(slice(1), b[:1]),
    lambda a, b: a.scatter_(0, mg.tensor([0]), b[:1])])
def test_a_value_that_carries_a_graph_is_refused_by_every_method_unless_nothing_is_recorded(change):
    a, b = mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0], requires_grad=True) * 1.0
    with pytest.raises(RuntimeError, match="the value carries a graph"):
        change(a, b)
    assert a.tolist() == [1.0, 2.0]
    with mg.no_grad():
        change(a, b)
    assert not a.requires_grad


def test_a_result_that_does_not_fit_is_refused_and_nothing_is_changed():
    x = mg.ones(3)
    with pytest.raises(ValueError, match=r"__iadd__:.*float32\(3,\).*\(2, 3\)"):
        x += mg.ones(2, 3)
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_what_a_pending_backward_needs_is_noticed_when_an_operator_writes_it():
    x, w = mg.ones(2), mg.ones(2, requires_grad=True)
    y = (x * w).sum()
    x += 1.0
    with pytest.raises(RuntimeError, match="Mul: its input 0.*changed in place"):
        y.backward()


def test_gradient_descent_by_hand_on_a_leaf_as_the_first_tutorial_has_it(torch):
    found = []
    for library in (mg, torch):
        x = library.linspace(-3.0, 3.0, 50)
        y = library.sin(x)
        a, b = (library.tensor(v, requires_grad=True) for v in (0.1, -0.3))
        for _ in range(20):
            loss = (a + b * x - y).pow(2).sum()
            loss.backward()
            with library.no_grad():
                a -= 1e-3 * a.grad
                b -= 1e-3 * b.grad
                a.grad.zero_()
                b.grad.zero_()
        found.append([a.item(), b.item(), loss.item()])
    np.testing.assert_allclose(found[0], found[1], 1e-5)
