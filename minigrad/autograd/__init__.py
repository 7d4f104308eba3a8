"""Gradients as values, `grad`, and stored, `backward`. And Function and the switches, under PyTorch's roof."""

from minigrad.absent import names_of
from minigrad.autograd.function import Function
from minigrad.backend import array_module, as_array
from minigrad.graph import Handle, Leaf, Op, sweep
from minigrad.modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)

__all__ = ["Function", "backward", "detect_anomaly", "enable_grad", "grad", "inference_mode", "is_grad_enabled",
           "no_grad", "set_detect_anomaly", "set_grad_enabled"]
__getattr__ = names_of(__name__)


def array_of(value):
    """The array of a Tensor; an array as it is."""
    return value.array if isinstance(value, Handle) else value


def cotangent(name, tensor, gradient, create_graph):
    """What a sweep from `tensor` starts with: `gradient`, checked, or 1 for a single element."""
    array = tensor.array
    if tensor.node is None:
        raise RuntimeError(f"{name}: this tensor carries no graph; make its inputs with requires_grad=True, compute it "
                           "outside no_grad(), and change leaves by x.sub_(y): x -= y makes a new tensor")
    if gradient is None:
        if array.size != 1:
            raise RuntimeError(f"{name}: the output has shape {array.shape}, not one element; reduce it (.sum(), "
                               ".mean()) or pass the gradient to start from")
        gradient = array_module(array).empty(array.shape, array.dtype)
        gradient.fill(1)
    elif tuple(gradient.shape) != array.shape:
        raise RuntimeError(f"{name}: the gradient has shape {tuple(gradient.shape)} and the output {array.shape}; give "
                           "one of the output's shape")
    if create_graph:
        return gradient if isinstance(gradient, Handle) else Op.wrap(gradient)
    return array_of(gradient)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of one or several tensors to `.grad` of the leaves, or of `inputs` alone.

    `grad_tensors` weighs the tensors; None where one has a single element. See `Tensor.backward`.
    """
    tensors, seeds = _seeds("backward", tensors, grad_tensors, create_graph)
    inputs = None if inputs is None else _wanting("backward", inputs)
    found = sweep([y.node for y in tensors], seeds, None if inputs is None else {x.node for x in inputs},
                  create_graph if retain_graph is None else retain_graph, create_graph)
    for x in inputs or ():
        g = found.get(x.node)
        if g is not None and isinstance(x.node, Leaf):
            x.node.accumulate(g, False)
        elif g is not None:
            g = g if isinstance(g, Handle) else Op.wrap(g.copy())
            x.grad = g if x.grad is None else x.grad + g


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True,
         allow_unused=False):
    """The gradients of `outputs`, weighed by `grad_outputs`, with respect to `inputs`: a tuple, one an input.

    Nothing is stored in `.grad`, and only the nodes between the two are visited. `create_graph` makes the results
    differentiable. RuntimeError where an input has no part in the outputs, unless `allow_unused`: None then.
    `only_inputs` is there for PyTorch's sake and must stay True.

    >>> import minigrad
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> slope, = grad(x ** 3, x, create_graph=True)
    >>> slope, grad(slope, x)
    (tensor(27., grad_fn=<Mul>), (tensor(18.),))
    """
    inputs = _wanting("grad", inputs)
    outputs, seeds = _seeds("grad", outputs, grad_outputs, create_graph)
    found = sweep([y.node for y in outputs], seeds, {x.node for x in inputs},
                  create_graph if retain_graph is None else retain_graph, create_graph)
    return tuple(_result(position, x, found.get(x.node), allow_unused) for position, x in enumerate(inputs))


def _seeds(name, outputs, weights, create_graph):
    outputs = _several(outputs)
    weights = [None] * len(outputs) if weights is None else _several(weights)
    if len(weights) != len(outputs):
        raise ValueError(f"{name}: {len(weights)} gradients for {len(outputs)} outputs; give one an output")
    return outputs, [cotangent(name, y, weight, create_graph) for y, weight in zip(outputs, weights)]


def _wanting(name, inputs):
    inputs = _several(inputs)
    for position, x in enumerate(inputs):
        if x.node is None:
            raise RuntimeError(f"{name}: input {position} does not require grad; call requires_grad_() on it before it "
                               "is used")
    return inputs


def _several(x):
    return (x,) if isinstance(x, Handle) or x is None else tuple(x)


def _result(position, x, g, allow_unused):
    if g is None:
        if allow_unused:
            return None
        raise RuntimeError(f"grad: input {position}, of shape {x.array.shape}, has no part in the outputs; check the "
                           "computation, or pass allow_unused=True to get None")
    if isinstance(g, Handle):
        return g if g.array.dtype == x.array.dtype else g.to(x.array.dtype)
    g = as_array(g, x.array.dtype)
    return Op.wrap(g if g.base is None else g.copy())
