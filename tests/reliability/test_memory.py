"""Memory that changes behind an op's back: written between forward and backward, or never written before it is read."""

import numpy as np
import pytest

from minigrad import autograd, create
from minigrad.graph import OUT, Op
from minigrad.modes import no_grad
from minigrad.testing import registry
from minigrad.testing.source import Seeded

CASES = registry.load()
WRITES = {
    "mul_": lambda t: t.mul_(1.5), "zero_": lambda t: t.zero_(),
    "setitem": lambda t: t.__setitem__(..., t.detach() + 1.0),
    "through a view": lambda t: t.detach().reshape(t.shape).add_(1.0), "copy_": lambda t: t.copy_(t.detach() + 1.0),
}


def called(case, seed, inner=False):
    """(inputs, outputs, the tensors that a user can hold, [(op, slot, array it keeps)]) of a recorded call.

    With `inner`, the inputs are results of other ops.
    """
    arrays, options = case.draw(Seeded(seed))
    leaves = [create.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    xs = [x * 1.0 if inner and x.requires_grad else x for x in leaves]
    y = case.bind(options)(*xs)
    ys = [p for p in (y if isinstance(y, (tuple, list)) else [y]) if p.requires_grad]
    kept, seen, stack = [], {x.node for x in xs}, [p.node for p in ys]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += node.parents
            kept += [(node, slot, array) for slot, array in zip(getattr(node, "keep", ()), getattr(node, "kept", ()))
                     if isinstance(array, np.ndarray)]
    return leaves, ys, [*xs, *ys], kept


def gradients(leaves, ys):
    rng = np.random.default_rng(0)
    vs = [create.tensor(rng.standard_normal(y.shape), dtype=y.dtype) for y in ys]
    wanted = [x for x in leaves if x.requires_grad]
    return [None if g is None else g.numpy() for g in autograd.grad(ys, wanted, vs, allow_unused=True)]


def verdicts(case, seed, inner):
    """For each tensor that a user can hold and each way to write: (way, tensor, raised, names of the ops that saved it,
    gradients changed)."""
    leaves, ys, held, _ = called(case, seed, inner)
    if not ys:
        return
    plain = gradients(leaves, ys)
    for k, original in enumerate(held):
        if original.dtype.kind != "f" or not original.array.size:
            continue
        for way, write in WRITES.items():
            leaves, ys, held, kept = called(case, seed, inner)
            saved = [type(op).__name__ for op, slot, array in kept
                     if np.shares_memory(array, held[k].array) and (slot != OUT or held[k].array.flags.writeable)]
            try:
                with no_grad():
                    write(held[k].detach())
            except (RuntimeError, ValueError):  # refused at once
                yield way, k, True, saved, False
                continue
            try:
                found = gradients(leaves, ys)
            except RuntimeError as error:
                assert "was changed in place after the forward pass; clone() it" in str(error)
                yield way, k, True, saved, False
                continue
            changed = any((a is None) != (b is None) or a is not None and a.tobytes() != b.tobytes()
                          for a, b in zip(plain, found))
            yield way, k, False, saved, changed


def test_every_saved_tensor_that_is_written_before_backward_is_caught(record_property):
    tried = silent = 0
    ops, problems = set(), []
    for case in CASES:
        for seed in range(2):
            for inner in (False, True):
                for way, k, raised, saved, changed in verdicts(case, seed, inner):
                    tried += bool(saved)
                    ops.update(saved)
                    if (saved or changed) and not raised:
                        silent += 1
                        problems.append(f"{case.name}: {way} on tensor {k}")
    record_property("figure", f"row 3: {tried:,} writes to tensors that {len(ops)} ops of {len(CASES)} cases "
                              f"had saved: {tried - silent:,} raised, {silent} silent")
    assert not problems and tried > 1000


def others_of(case, seed):
    """(leaves, outputs, {name: tensor}) of a call whose masks, indices and other constants are the user's tensors."""
    arrays, options = case.draw(Seeded(seed))
    xs = [create.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    constants = {name: create.tensor(value) for name, value in options.items() if isinstance(value, np.ndarray)}
    y = case.f(*xs, **{**options, **constants})
    held = {**constants, **{f"input {i}": x for i, x in enumerate(xs) if x.dtype.kind != "f"}}
    return xs, [p for p in (y if isinstance(y, (tuple, list)) else [y]) if p.requires_grad], held


def overwrite(t):
    """Other values of the same kind, which the op would have taken as well: a mask the other way round, indices 0."""
    with no_grad():
        t.copy_(~t.array if t.dtype.kind == "b" else t.array * 0)


def test_masks_indices_and_weights_that_are_written_before_backward_are_caught(record_property):
    tried, names = 0, set()
    for case in CASES:
        for seed in range(4):
            xs, ys, held = others_of(case, seed)
            if not held or not ys:
                continue
            plain = gradients(xs, ys)
            for name in held:
                xs, ys, held = others_of(case, seed)
                overwrite(held[name])
                try:
                    found = gradients(xs, ys)
                except RuntimeError as error:
                    assert "was changed in place after the forward pass; clone() it" in str(error)
                    tried += 1
                    names.add(case.name)
                    continue
                same = all((a is None) == (b is None) and (a is None or a.tobytes() == b.tobytes())
                           for a, b in zip(plain, found))
                assert same, f"{case.name}, seed {seed}: {name} was written, and the gradient is another one"
    record_property("figure", f"row 3: {tried} writes to masks, indices and the like of {len(names)} cases: {tried} "
                              "raised, 0 silent")
    assert tried > 20


def test_an_error_names_the_op_the_tensor_and_the_fix():
    x = create.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    with no_grad():
        x.add_(1.0)
    with pytest.raises(RuntimeError, match=r"backward through Mul: its input 0, a tensor of shape \(2,\), was changed "
                                           r"in place after the forward pass; clone\(\) it before"):
        y.sum().backward()


def outcome(case, seed):
    leaves, ys, _, _ = called(case, seed)
    found = gradients(leaves, ys)
    return [y.detach().numpy().tobytes() for y in ys] + [None if g is None else g.tobytes() for g in found]


def test_uninitialised_memory_makes_no_difference_to_any_op(poisoned, record_property):
    for case in CASES:
        for seed in range(3):
            plain = outcome(case, seed)
            with poisoned():
                assert outcome(case, seed) == plain, f"{case.name}, seed {seed}"
    record_property("figure", f"row 4, quick form: {3 * len(CASES)} calls of {len(CASES)} cases, forward and "
                    "backward: no difference")


def test_poison_is_noticed(poisoned):
    class Careless(Op):
        def forward(self, x):
            return np.empty_like(x)

    with poisoned():
        assert np.isnan(Careless()(create.ones(3)).numpy()).all() and np.empty(2, "i4").tolist() == [2**31 - 1] * 2
        assert np.zeros(2).tolist() == [0.0, 0.0]
