"""`autograd.Function`: a differentiable function with a backward of one's own, in PyTorch's form, on Tensors.

`graph.Op` is the leaner way, on arrays; a Function may take anything, and return several tensors. An application has a
node `_Call` with the function's backward, and behind it a node `_Output` for each tensor that came out. What flows from
the outputs to the call are their gradients side by side, a `_Bundle`, which the sweep adds up as it does arrays.
"""

import functools
import weakref

from minigrad import anomaly
from minigrad.backend import array_module
from minigrad.graph import Handle, Op, tick
from minigrad.modes import enable_grad, mode, no_grad
from minigrad.ops.broadcast import unbroadcast


class Context:
    """`ctx`: what forward leaves for backward. Attributes of one's own may be set, too.

    `needs_input_grad` tells of each input whether its gradient is wanted.
    """

    def __init__(self, needs_input_grad):
        self.needs_input_grad = needs_input_grad
        self._saved, self._constant, self._filled = (), (), True

    def save_for_backward(self, *tensors):
        """Keep inputs, outputs or other tensors (or None); a change of one in place is then noticed by backward."""
        if not all(x is None or isinstance(x, Handle) for x in tensors):
            raise TypeError("save_for_backward: takes tensors; keep anything else as an attribute of ctx")
        self._saved = tensors

    @property
    def saved_tensors(self):
        """The tensors that forward saved, a tuple."""
        if callable(self._saved):
            return self._saved()
        return self._saved

    def mark_non_differentiable(self, *tensors):
        """Name outputs that carry no gradient."""
        self._constant = tensors

    def mark_dirty(self, *tensors):
        """Refused: a Function may not change its inputs."""
        raise RuntimeError("mark_dirty: an input cannot be changed in place here, for its old values may be needed; "
                           "work on a clone() and return that")

    def set_materialize_grads(self, value):
        """Whether backward is given zeros (True, the default) or None for outputs without a gradient."""
        self._filled = bool(value)


class Function:
    """A function with a backward of its own: subclass it, write both as static methods, call `YourFunction.apply(...)`.

    `forward(ctx, *inputs)` computes, without a graph, and returns a tensor or a tuple of them; or `forward(*inputs)`
    does, and `setup_context(ctx, inputs, output)` keeps what backward needs. `backward(ctx, *gradients)` is given one
    gradient an output and returns one an input, None where there is none. It is itself recorded under `create_graph`,
    so that a function whose backward is made of differentiable operations can be differentiated twice.

    >>> import minigrad
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         x, = ctx.saved_tensors
    ...         return g * 3 * x ** 2
    >>> x = minigrad.tensor(2.0, requires_grad=True)
    >>> slope, = minigrad.autograd.grad(Cube.apply(x), x, create_graph=True)
    >>> slope.item(), minigrad.autograd.grad(slope, x)
    (12.0, (tensor(12.),))
    """

    def __init_subclass__(cls):
        super().__init_subclass__()
        cls._node = type(f"{cls.__name__}Backward", (_Call,), {"__slots__": ()})

    @staticmethod
    def forward(*args):
        """What the function computes; subclasses define it."""
        raise NotImplementedError("a Function needs a static forward(ctx, *inputs)")

    setup_context = None

    @staticmethod
    def backward(ctx, *gradients):
        """The gradients of the inputs; subclasses define it."""
        raise NotImplementedError("a Function needs a static backward(ctx, *gradients) to be differentiated")

    @classmethod
    def apply(cls, *inputs):
        """The function's value; where an input requires grad, the outputs do."""
        nodes = [x.node if isinstance(x, Handle) else None for x in inputs]
        ctx = Context(tuple(node is not None for node in nodes))
        with no_grad():
            if cls.setup_context is None:
                output = cls.forward(ctx, *inputs)
            else:
                output = cls.forward(*inputs)
                cls.setup_context(ctx, inputs, output)
        if not mode.grad or not any(ctx.needs_input_grad):
            return output
        call = cls._node(cls, ctx, nodes, inputs)
        results = call.outputs(output if isinstance(output, tuple) else (output,))
        return results if isinstance(output, tuple) else results[0]


class _Call(Op):
    """The node of one application. Its cotangent is a _Bundle."""

    watched = ("saved_tensors",)

    def __init__(self, function, ctx, nodes, inputs):
        self.function, self.ctx = function, ctx
        self.parents, self.order, self.hooks, self.kept = nodes, tick(), None, ()
        self.shapes = [x.shape if isinstance(x, Handle) else None for x in inputs]
        if mode.anomaly:
            self.line = anomaly.calling_line()

    def outputs(self, given):
        """The outputs as Tensors of the graph. What was saved is kept by array and node: no reference is circular."""
        found, constant = [], {id(x) for x in self.ctx._constant}
        self.like = [(x.array.shape, x.array.dtype) if isinstance(x, Handle) else None for x in given]
        for place, x in enumerate(given):
            if isinstance(x, Handle) and x.array.dtype.kind == "f" and id(x) not in constant:
                tensor = Op.wrap(x.array)
                tensor.node = _Output(self, place)
                found.append(tensor)
            else:
                found.append(x)
        made = {id(x): weakref.ref(y.node) for x, y in zip(given, found) if x is not y}
        nodes = [made.get(id(x), x.node) if x is not None else None for x in self.ctx._saved]
        self.saved_tensors = tuple(x.array for x in self.ctx._saved if x is not None)
        self.ctx._saved = functools.partial(_restored, [None if x is None else x.array for x in self.ctx._saved], nodes)
        return tuple(found)

    def backward(self, bundle):
        parts = bundle.parts
        recorded = any(isinstance(g, Handle) for g in parts.values())
        gradients = []
        for place, like in enumerate(self.like):
            g = parts.get(place)
            if g is None and like is not None and self.ctx._filled:
                any_of_them = next(iter(parts.values()))
                g = array_module(getattr(any_of_them, "array", any_of_them)).zeros(*like)
            gradients.append(g if g is None or isinstance(g, Handle) else Op.wrap(g))
        with enable_grad() if recorded else no_grad():
            results = self.function.backward(self.ctx, *gradients)
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        while len(results) > len(self.parents) and results[-1] is None:
            results.pop()
        return [self._checked(place, g, recorded) for place, g in enumerate(results)]

    def _checked(self, place, g, recorded):
        shape = self.shapes[place] if place < len(self.shapes) else None
        if g is None or shape is None:
            return g
        if not isinstance(g, Handle):
            raise TypeError(f"{self.function.__name__}.backward returned a {type(g).__name__} for input {place}; "
                            "return tensors or None")
        lead = len(g.shape) - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[lead:])):
            raise RuntimeError(f"{self.function.__name__}.backward returned a gradient of shape {tuple(g.shape)} for "
                               f"input {place} of shape {tuple(shape)}; return one of the input's shape")
        return unbroadcast(g if recorded else g.array, tuple(shape))


class _Output(Op):
    """The node of one output: its gradient takes its place in the call's bundle."""

    def __init__(self, call, place):
        self.parents, self.order, self.hooks, self.kept = [call], tick(), None, ()
        self.place, self.function = place, call.function

    def backward(self, g):
        return _Bundle({self.place: g}),

    def __repr__(self):
        return f"<{self.function.__name__}Backward>"


class _Bundle(Handle):
    """The gradients of some outputs of a call, {place: gradient}."""

    __slots__ = ("parts",)
    dtype = None  # the sweep compares dtypes before it adds in place

    def __init__(self, parts):
        self.parts = parts

    def __add__(self, other):
        both = dict(self.parts)
        for place, g in other.parts.items():
            both[place] = both[place] + g if place in both else g
        return _Bundle(both)


def _restored(arrays, nodes):
    """What was saved, as Tensors that hang where they came from."""
    tensors = []
    for array, node in zip(arrays, nodes):
        tensor = None if array is None else Op.wrap(array)
        if tensor is not None:
            tensor.node = node() if isinstance(node, weakref.ref) else node
        tensors.append(tensor)
    return tuple(tensors)


class _Once(Op):
    """What a backward that may not be differentiated returned; its own backward says so."""

    def __init__(self, name):
        self.name = name

    def forward(self, g, *others):
        return g

    def backward(self, g):
        raise RuntimeError(f"{self.name}: its backward is marked once_differentiable, and its gradient was asked for; "
                           "write the backward with differentiable operations, and take the mark away")


def once_differentiable(backward):
    """Mark the static backward of a Function as one that computes outside the graph: a second derivative raises."""
    @functools.wraps(backward)
    def marked(ctx, *gradients):
        with no_grad():
            results = backward(ctx, *gradients)
        if not mode.grad:
            return results
        several = isinstance(results, tuple)
        name = getattr(backward, "__qualname__", "backward")
        inputs = [g for g in (*gradients, *ctx.saved_tensors) if isinstance(g, Handle) and g.node is not None]
        marked_results = tuple(_Once(name)(g, *inputs) if isinstance(g, Handle) else g
                               for g in (results if several else (results,)))
        return marked_results if several else marked_results[0]

    return marked
