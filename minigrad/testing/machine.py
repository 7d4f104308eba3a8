"""Random programs against a naive engine: `GraphMachine`, a hypothesis state machine (hypothesis is imported here).

A program makes leaves, combines them (reuse and diamonds come by themselves), takes views, detaches, works under
no_grad, goes backward with and without retaining, and throws things away. The reference is an engine of single numbers,
short enough to be seen to be right; arrays of it are NumPy object arrays, which broadcast, slice and sum by themselves.
"""

import math

import numpy
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import minigrad
from minigrad import autograd

# The reference.


class Scalar:
    """A number that remembers which numbers it came from, and its slope in each."""

    recording = True
    __slots__ = ("value", "parents", "wants", "grad")

    def __init__(self, value, parents=(), wants=None):
        live = [(p, slope) for p, slope in parents if p.wants] if Scalar.recording else []
        self.value, self.parents, self.grad = value, live, 0.0
        self.wants = bool(live) if wants is None else wants

    def __add__(self, other):
        return Scalar(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __sub__(self, other):
        return Scalar(self.value - other.value, [(self, 1.0), (other, -1.0)])

    def __mul__(self, other):
        return Scalar(self.value * other.value, [(self, other.value), (other, self.value)])

    def __neg__(self):
        return Scalar(-self.value, [(self, -1.0)])

    def sin(self):
        return Scalar(math.sin(self.value), [(self, math.cos(self.value))])

    def tanh(self):
        return Scalar(math.tanh(self.value), [(self, 1 - math.tanh(self.value) ** 2)])


def pull_back(outputs, cotangents):
    """{number: d(sum of cotangent * output) / d(number)}, by visiting each number after all that use it."""
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)

    grads = {}
    for node, g in zip(outputs, cotangents):
        visit(node)
        grads[node] = grads.get(node, 0.0) + g
    for node in reversed(order):
        for parent, slope in node.parents:
            grads[parent] = grads.get(parent, 0.0) + slope * grads.get(node, 0.0)
    return grads


# The machine.

SHAPES = ((), (2,), (1, 2), (2, 1), (2, 2))  # each broadcasts against each
BINARY = {"add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y}
UNARY = {"neg": lambda x: -x, "sin": lambda x: numpy.sin(x) if isinstance(x, numpy.ndarray) else minigrad.sin(x),
         "tanh": lambda x: numpy.tanh(x) if isinstance(x, numpy.ndarray) else minigrad.tanh(x)}
VIEWS = {
    "first": lambda x: x[..., :1] if len(x.shape) else x.reshape(1),
    "row": lambda x: x[0] if len(x.shape) > 1 else x.reshape(1, -1),
    "turned": lambda x: x.swapaxes(-1, -2) if len(x.shape) > 1 else x.reshape(-1),
    "doubled": lambda x: x[..., [0, 0]] if len(x.shape) and x.shape[-1] == 1 else x.reshape(x.shape),
    "sum": lambda x: x.sum() if len(x.shape) else x.reshape(()),
    "rows summed": lambda x: x.sum(0) if len(x.shape) else x.reshape(()),
}


class Variable:
    """A tensor, the same in Scalars, and the numbers of the ops that its graph holds."""

    def __init__(self, tensor, scalars, ops=frozenset()):
        self.tensor, self.scalars, self.ops = tensor, scalars, ops


class GraphMachine(RuleBasedStateMachine):
    """Builds a random program step by step; after each step all values and gradients agree with the reference."""

    def __init__(self):
        super().__init__()
        self.variables, self.leaves, self.freed, self.count = [], [], set(), 0

    def pick(self, number):
        return self.variables[number % len(self.variables)]

    def record(self, f, *inputs):
        """Apply f to the tensors and to the Scalars of the inputs."""
        tensor = f(*[v.tensor for v in inputs])
        scalars = f(*[v.scalars for v in inputs])
        scalars = scalars if isinstance(scalars, numpy.ndarray) else numpy.array(scalars, dtype=object)
        self.count += 1
        ops = frozenset({self.count}).union(*(v.ops for v in inputs)) if tensor.requires_grad else frozenset()
        wants = any(s.wants for s in scalars.flat)
        assert tensor.requires_grad == wants, f"requires_grad is {tensor.requires_grad}, in the reference {wants}"
        if max((abs(s.value) for s in scalars.flat), default=0.0) < 1e4:  # no overflow after many products
            self.variables.append(Variable(tensor, scalars, ops))

    @rule(shape=st.sampled_from(SHAPES), wants=st.booleans(), seed=st.integers(0, 2**32 - 1))
    def make_leaf(self, shape, wants, seed):
        """A new tensor, with requires_grad or without."""
        values = numpy.asarray(numpy.random.default_rng(seed).uniform(-1.5, 1.5, shape))
        scalars = numpy.empty(shape, object)
        for i in numpy.ndindex(shape):
            scalars[i] = Scalar(float(values[i]), wants=wants)
        variable = Variable(minigrad.tensor(values, requires_grad=wants), scalars)
        self.variables.append(variable)
        if wants:
            self.leaves.append(variable)

    @precondition(lambda self: self.variables)
    @rule(name=st.sampled_from(sorted(BINARY)), a=st.integers(0, 99), b=st.integers(0, 99))
    def combine(self, name, a, b):
        """x op y, the same one at times."""
        self.record(BINARY[name], self.pick(a), self.pick(b))

    @precondition(lambda self: self.variables)
    @rule(name=st.sampled_from(sorted(UNARY)), a=st.integers(0, 99))
    def transform(self, name, a):
        """f(x)."""
        self.record(UNARY[name], self.pick(a))

    @precondition(lambda self: self.variables)
    @rule(name=st.sampled_from(sorted(VIEWS)), a=st.integers(0, 99))
    def take_view(self, name, a):
        """A view, a part or a sum."""
        self.record(VIEWS[name], self.pick(a))

    @precondition(lambda self: self.variables)
    @rule(name=st.sampled_from(sorted(BINARY)), a=st.integers(0, 99), b=st.integers(0, 99))
    def combine_under_no_grad(self, name, a, b):
        """x op y without a graph."""
        Scalar.recording = False
        try:
            with minigrad.no_grad():
                self.record(BINARY[name], self.pick(a), self.pick(b))
        finally:
            Scalar.recording = True

    @precondition(lambda self: self.variables)
    @rule(a=st.integers(0, 99))
    def detach(self, a):
        """The values without their past."""
        v = self.pick(a)
        scalars = numpy.empty(v.scalars.shape, object)
        for i in numpy.ndindex(scalars.shape):
            scalars[i] = Scalar(v.scalars[i].value)
        self.variables.append(Variable(v.tensor.detach(), scalars))

    @precondition(lambda self: any(v.tensor.requires_grad for v in self.variables))
    @rule(a=st.integers(0, 99), retain=st.booleans(), seed=st.integers(0, 2**32 - 1))
    def go_backward(self, a, retain, seed):
        """backward; through a graph that was freed it raises, and changes nothing."""
        live = [v for v in self.variables if v.tensor.requires_grad]
        v = live[a % len(live)]
        g = numpy.asarray(numpy.random.default_rng(seed).standard_normal(v.tensor.shape))
        if v.ops & self.freed:
            try:
                v.tensor.backward(minigrad.tensor(g), retain_graph=retain)
            except RuntimeError as error:
                assert "already used and freed" in str(error), error
                return
            raise AssertionError("a backward through a freed graph passed")
        v.tensor.backward(minigrad.tensor(g), retain_graph=retain)
        for node, total in pull_back(v.scalars.flat, g.flat).items():
            node.grad += total
        if not retain:
            self.freed |= v.ops

    @precondition(lambda self: self.leaves and any(v.tensor.requires_grad for v in self.variables))
    @rule(a=st.integers(0, 99), b=st.integers(0, 99), recorded=st.booleans(), seed=st.integers(0, 2**32 - 1))
    def ask_for_a_gradient(self, a, b, recorded, seed):
        """autograd.grad, which leaves `.grad` alone; the graph is kept."""
        live = [v for v in self.variables if v.tensor.requires_grad and not v.ops & self.freed]
        if live:
            v, leaf = live[a % len(live)], self.leaves[b % len(self.leaves)]
            g = numpy.asarray(numpy.random.default_rng(seed).standard_normal(v.tensor.shape))
            found, = autograd.grad(v.tensor, leaf.tensor, minigrad.tensor(g), True, recorded, allow_unused=True)
            totals = pull_back(v.scalars.flat, g.flat)
            expected = numpy.array([totals.get(s, 0.0) for s in leaf.scalars.flat]).reshape(leaf.scalars.shape)
            close(numpy.zeros(expected.shape) if found is None else found.array, expected, "grad()")

    @precondition(lambda self: self.leaves)
    @rule(a=st.integers(0, 99))
    def forget_a_gradient(self, a):
        """x.grad = None."""
        leaf = self.leaves[a % len(self.leaves)]
        leaf.tensor.grad = None
        for s in leaf.scalars.flat:
            s.grad = 0.0

    @precondition(lambda self: len(self.variables) > 3)
    @rule(a=st.integers(0, 99))
    def drop(self, a):
        """Let go of a result; what others need of its graph stays."""
        v = self.pick(a)
        if v not in self.leaves:
            self.variables.remove(v)

    @invariant()
    def gradients_agree(self):
        """Every leaf's `.grad` is the reference's."""
        for leaf in self.leaves:
            expected = numpy.array([s.grad for s in leaf.scalars.flat]).reshape(leaf.scalars.shape)
            found = leaf.tensor.grad
            close(numpy.zeros(expected.shape) if found is None else found.array, expected, ".grad")

    @invariant()
    def values_agree(self):
        """The newest value is the reference's."""
        for v in self.variables[-1:]:
            expected = numpy.array([s.value for s in v.scalars.flat]).reshape(v.scalars.shape)
            close(v.tensor.array, expected, "the value")


def close(found, expected, what):
    """AssertionError unless two arrays agree to nearly all digits."""
    assert found.shape == expected.shape, f"{what} has shape {found.shape}, in the reference {expected.shape}"
    scale = max(1.0, float(numpy.abs(expected).max(initial=0.0)))
    assert numpy.allclose(found, expected, 1e-9, 1e-9 * scale), f"{what} is {found}, in the reference {expected}"
