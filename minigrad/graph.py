"""Autograd with no mathematics in it: nodes, the reverse sweep, and the switches around it.

Start here. An `Op` is a rule for arrays: `forward` makes an output, `backward` maps the output's cotangent to the
inputs'. Applied to `Handle`s (the base of `Tensor`), the op object itself becomes the graph's node for that output.
The graph points one way only, Handle -> Node -> parent Nodes, so it is acyclic and dies with its last reference.

Creation order is a topological order: every node carries a tick of one counter, and `sweep` visits what it can reach
from high ticks to low. Backward rules are written with operators and library functions that work on arrays and on
Tensors alike, so the same rule gives first derivatives (arrays flow) and, under `create_graph`, derivatives that can be
differentiated again (Tensors flow). This is reverse-mode differentiation as in Griewank & Walther, *Evaluating
Derivatives*, 2nd ed., ch. 3.
"""

import weakref
from operator import attrgetter
from sys import getrefcount

from minigrad import anomaly
from minigrad.backend import as_array, promoted
from minigrad.backend.numpy import Unwarned, quiet
from minigrad.errors import explain
from minigrad.modes import mode
from minigrad.writes import Writes, check_unwritten, tick, touch

OUT = -1  # in `Op.keep`: the op's own output


class Handle:
    """An array, the node that made it, and its gradient: what a Tensor is before it has any methods.

    `leaf` is there once a gradient was wanted, and stays when none is wanted any more: a tensor has one Leaf for life.
    """

    __slots__ = ("array", "node", "grad", "leaf", "__weakref__")


class Node:
    """A vertex of the graph. `parents` aligns with the op's inputs (None where no gradient goes)."""

    __slots__ = ("parents", "order", "hooks")


class Leaf(Node):
    """Where gradients arrive. Holds its Tensor weakly, so that a graph never keeps a parameter alive."""

    __slots__ = ("tensor",)

    def __init__(self, tensor):
        self.tensor, self.parents, self.order, self.hooks = weakref.ref(tensor), (), 0, None

    def accumulate(self, g, owned):
        """Add g to the tensor's `.grad`, if anybody still holds it and wants its gradient.

        g is stored as it is only where nobody else can hold it (`owned`).
        """
        tensor = self.tensor()
        if tensor is None or tensor.node is not self:
            return
        array = tensor.array
        if g.shape != array.shape:
            raise RuntimeError(f"backward: a gradient of shape {g.shape} reached a tensor of shape {array.shape}; "
                               "the backward rule of an op that uses it returns the wrong shape")
        if tensor.grad is not None:
            have = tensor.grad
            if isinstance(g, Handle) or have.node is not None:
                tensor.grad = have + g
            else:
                touch(have.array)
                have.array += g
        elif isinstance(g, Handle):
            tensor.grad = g if g.array.dtype == array.dtype else g.to(array.dtype)
        else:
            g = g if g.dtype is array.dtype else as_array(g, array.dtype)
            tensor.grad = Op.wrap(g if owned else g.copy())


class Op(Node):
    """A differentiable function of arrays, and, once applied to Tensors, the node that remembers the application.

    Subclasses define `forward(*arrays) -> array` and `backward(g, *kept) -> tuple`, one entry an input, None where
    there is no gradient. `keep` names the input positions (or `OUT`) whose arrays backward receives; nothing else
    stays alive. Stash on `self` only shapes, masks and indices: whatever varies smoothly with an input must come
    through `keep`, or the second derivative is silently wrong. `watched` names those attributes that hold arrays of the
    caller's. `self.needs[i]` tells whether input i wants a gradient. An op object is applied once.

    >>> import minigrad
    >>> class Cube(Op):
    ...     keep = (0,)
    ...     def forward(self, x): return x * x * x
    ...     def backward(self, g, x): return 3 * g * x * x,
    >>> x = minigrad.tensor([2.0], requires_grad=True)
    >>> slope, = minigrad.autograd.grad(Cube()(x), x, minigrad.ones(1), create_graph=True)
    >>> slope, minigrad.autograd.grad(slope, x, minigrad.ones(1))
    (tensor([12.], grad_fn=<Mul>), (tensor([12.]),))
    """

    __slots__ = ("needs", "line", "__dict__")
    keep, watched = (), ()
    kept = None  # the arrays that `keep` names, once it was applied; () when they are gone
    asked_for_dtype = False  # whether the output's dtype is the user's own choice
    fix = "check the inputs' shapes and dtypes"  # the end of this op's error message
    wrap = None  # array -> Tensor; tensor.py sets it, so that nothing here imports upward

    def forward(self, *arrays):
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, g, *kept):
        raise NotImplementedError(f"{type(self).__name__} has no derivative")

    def __call__(self, *inputs):
        if self.kept is not None:
            raise RuntimeError(f"{type(self).__name__}: this op object was applied before, and holds what that "
                               "application's backward needs; make a new one for each application")
        arrays, parents, last, live = [], [], None, False
        for x in inputs:
            if isinstance(x, Handle):
                last, node = x.array, x.node
                if node is not None:
                    live = True
                parents.append(node)
                arrays.append(last)
            else:
                parents.append(None)
                arrays.append(x)
        try:
            out = quiet().run(self.forward, *arrays)
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            explain(self, error, arrays)
        if last is None:
            return out
        if out.dtype is not last.dtype and not self.asked_for_dtype:
            out = quiet().run(promoted, self.forward, out, arrays)
        if mode.anomaly:
            self.line = anomaly.check_forward(self, out, arrays)
        tensor = Op.wrap(out)
        if live and mode.grad:
            self.parents = parents
            self.order = tick()
            self.hooks = None
            if self.keep:
                arrays.append(tensor.array)  # so that keep = (OUT,) finds it at -1
                self.kept = tuple(map(arrays.__getitem__, self.keep))
            else:
                self.kept = ()
            tensor.node = self
        return tensor

    def __repr__(self):
        return f"<{type(self).__name__}>"


def _reachable(roots, targets):
    """The ops that a sweep visits, latest first: all below `roots`, or only those on a way to `targets`."""
    seen = {node for node in roots if node.parents != ()}
    stack = list(seen)
    while stack:
        node = stack.pop()
        if node.parents is None:
            raise RuntimeError(f"backward through {type(node).__name__}: this graph was already used and freed; pass "
                               "retain_graph=True to the first backward, or run the forward pass again")
        for parent in node.parents:
            if parent is not None and parent.parents != () and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    order = sorted(seen, key=attrgetter("order"), reverse=True)
    if targets is None:
        return order, seen
    wanted = set(targets)
    for node in reversed(order):
        if not wanted.isdisjoint(node.parents):
            wanted.add(node)
    return [node for node in order if node in wanted], wanted


def sweep(roots, cotangents, targets=None, retain_graph=False, create_graph=False):
    """The reverse sweep: carry `cotangents` from the nodes `roots` down to the leaves, or to the nodes `targets`.

    Without targets the leaves' tensors accumulate into `.grad`; with them, a dict node -> cotangent comes back. What a
    node held for its backward is let go as soon as it was visited, unless `retain_graph`.
    """
    with Unwarned():
        return _sweep(roots, cotangents, targets, retain_graph, create_graph)


def _sweep(roots, cotangents, targets, retain_graph, create_graph):
    order, wanted = _reachable(roots, targets)
    grads, sums, found, latest, watched = {}, set(), {}, Writes.latest, mode.anomaly
    for node, g in zip(roots, cotangents):
        grads[node] = grads[node] + g if node in grads else g
    for node in order:
        g = grads.pop(node, None)
        if g is None:
            if not retain_graph:
                _free(node)
            continue
        if node.hooks:
            g = _run_hooks(node, g)
        parents = node.parents
        if targets is not None:
            if node in targets:
                found[node] = g
            parents = [parent if parent in wanted else None for parent in parents]
            if not any(parents):
                continue
        if node.order < latest:
            check_unwritten(node)
        node.needs = parents  # a parent that gets a gradient is true, None is not
        kept = [_tie(node, slot, array) for slot, array in zip(node.keep, node.kept)] if create_graph else node.kept
        results = node.backward(g, *kept)
        if watched:
            anomaly.check_backward(node, g, results)
        if len(results) != len(parents):
            raise RuntimeError(f"{type(node).__name__}.backward returned {len(results)} gradients for "
                               f"{len(parents)} inputs; return one an input, None where there is none")
        if not retain_graph:
            node.__dict__.clear()
            node.parents, node.needs, node.kept = None, None, ()
        for parent, result in zip(parents, results):
            if parent is None or result is None:
                continue
            if create_graph and not isinstance(result, Handle):  # a constant to the next derivative
                result = Op.wrap(result)
            have = grads.get(parent)
            if have is None:
                grads[parent] = result
            elif parent in sums and have.dtype == result.dtype:
                grads[parent] += result  # an array that the sweep made; not `have += result`: 0-d results are immutable
            else:
                grads[parent] = have + result
                if not create_graph:
                    sums.add(parent)
    g = have = result = results = None  # let go of them, for the count below
    for leaf, g in grads.items():  # what remains has arrived
        if leaf.hooks:
            g = _run_hooks(leaf, g)
        # An array that no one else holds, and that is no view, is handed over; any other is copied.
        owned = not create_graph and g.base is None and getrefcount(g) <= _ALONE
        if targets is None:
            leaf.accumulate(g, owned)
        elif leaf in targets:
            found[leaf] = g
    return found


def _free(node):
    """Let go of all that a node held for its backward, also when somebody holds the node itself."""
    node.__dict__.clear()
    node.parents = node.needs = None
    node.kept = ()


def _alone():
    """What `getrefcount` says, in a loop like the last of `sweep`, of an array that only the dict holds."""
    grads = {None: object()}
    for _, g in grads.items():
        return getrefcount(g)


_ALONE = _alone()


def _tie(node, slot, array):
    """A kept array as a Tensor that hangs on the graph where it came from, for a sweep that is itself recorded."""
    parent = node if slot == OUT else node.parents[slot]
    if parent is None:
        return array
    tensor = Op.wrap(array)
    tensor.node = parent
    return tensor


RETAIN = "retain_grad"  # the key of the hook that sees what the others have made of a gradient


def _run_hooks(node, g):
    """The gradient that the hooks of a node make of g: each is given what the one before it left."""
    for key in sorted(node.hooks, key=lambda key: key == RETAIN):  # which keeps the order of the others
        hook = node.hooks.get(key)
        if hook is None:  # one before it took it off
            continue
        result = hook(g if isinstance(g, Handle) else Op.wrap(g))
        if result is None:
            continue
        if result.shape != g.shape:
            raise RuntimeError(f"backward: a hook returned a gradient of shape {tuple(result.shape)} for one of "
                               f"{tuple(g.shape)}; return one of the same shape, or None")
        g = result if isinstance(g, Handle) or not isinstance(result, Handle) else result.array
    return g
