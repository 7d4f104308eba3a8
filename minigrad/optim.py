"""Optimisers: one pass over one flat buffer for all the parameters of a group.

An optimiser moves its parameters into one buffer that each `Parameter` then views, so that an update is a handful of
array operations whatever the number of layers, in blocks of half a megabyte, or, for Adam, one compiled loop where
numba is installed. Gradients are read where backward left them, but for those of small parameters (biases), which are
put together first. A parameter without a gradient is left alone, its state and its step count too, as in PyTorch.
State dicts have PyTorch's form.
"""

import copy
import math

from minigrad.backend import array_module, backend_of, owner
from minigrad.backend import compiled as loops
from minigrad.backend.numpy import for_pieces
from minigrad.graph import Op
from minigrad.nn.module import forget_grad
from minigrad.tensor import Tensor
from minigrad.writes import span, touch

BLOCK = 1 << 17  # elements: half a megabyte an operand; more loses the cache, less or threads pay more for their calls
SMALL = 1 << 14  # elements: copying fewer costs less than a dozen calls of their own
LOOP_WORK = 3  # simple array operations that take as long as a compiled update


class Flat:
    """Parameters of one dtype and device as views of one buffer, with their state laid out alike."""

    def __init__(self, parameters, slots):
        array, size = parameters[0].array, sum(p.array.size for p in parameters)
        self.xp, dtype = array_module(array), array.dtype
        on_host = self.xp.__name__ == "numpy"
        self.block, self.small = (BLOCK, SMALL) if on_host else (size, size)  # a GPU wants few calls, however long
        # The small ones last, as one stretch; large ones, whose sizes 16 often divides, then begin at cache lines.
        self.parameters = parameters = sorted(parameters, key=lambda p: p.array.size <= self.small)
        self.starts = [0]
        for p in parameters:
            self.starts.append(self.starts[-1] + p.array.size)
        zeros = backend_of(array).aligned_zeros
        self.values = zeros(size, dtype)
        self.memory = owner(self.values)
        self.state = {name: zeros(size, dtype) for name in slots}
        self.steps = [0] * len(parameters)
        self.orders = [sorted(range(p.array.ndim), key=lambda axis: -p.array.strides[axis]) for p in parameters]
        self.cut = {}  # blocks that were cut before
        self.views = [self.view(self.values, i) for i in range(len(parameters))]
        self.plan = self.stretches()
        self.gather_parameters()

    def view(self, buffer, i, first=0):
        """The part that belongs to parameter i, in its shape and memory order, of a buffer from parameter first on."""
        shape, order, start = self.parameters[i].array.shape, self.orders[i], self.starts[first]
        part = buffer[self.starts[i] - start:self.starts[i + 1] - start].reshape([shape[axis] for axis in order])
        return part.transpose([order.index(axis) for axis in range(len(order))])

    def stretches(self):
        """[(first, last + 1, buffer, its views)]: neighbours that are small share a buffer for their gradients."""
        plan, first, count = [], 0, len(self.parameters)
        while first < count:
            last = first
            while last < count and self.starts[last + 1] - self.starts[last] <= self.small:
                last += 1
            if last > first:
                buffer = self.xp.empty(self.starts[last] - self.starts[first], self.values.dtype)
                plan.append((first, last, buffer, [self.view(buffer, i, first) for i in range(first, last)]))
            else:
                last = first + 1
                plan.append((first, last, None, ()))
            first = last
        return plan

    def gather_parameters(self):
        """Take in the values of parameters whose array is not our view of them."""
        for p, view in zip(self.parameters, self.views):
            if p.array is not view:
                view[...] = p.array
                p.array = view

    def fits(self):
        """Whether every parameter still is our view: `.data =` and `.to()` put another array in its place."""
        for p, view in zip(self.parameters, self.views):
            if p.array is not view:
                return False
        return True

    def gradients(self):
        """The stretches of the buffer that have a gradient: [(start, end, step, the gradient, flat)].

        A gradient of its own stretch is not copied if it is in its parameter's memory order.
        """
        found, parameters, steps, starts = [], self.parameters, self.steps, self.starts
        for p in parameters:  # before any step is counted
            if p.grad is not None and p.grad.array.shape != p.array.shape:
                raise ValueError(f"step: a parameter of shape {p.shape} has a gradient of shape {p.grad.shape}; give "
                                 "it one of its own shape")
        for first, last, buffer, views in self.plan:
            together = buffer is not None
            for i in range(first, last):
                if parameters[i].grad is None:
                    together = False
                    continue
                steps[i] += 1
                if together:
                    views[i - first][...] = parameters[i].grad.array
                    together = steps[i] == steps[first]
            if together:
                found.append((starts[first], starts[last], steps[first], buffer))
                continue
            for i in range(first, last):
                if parameters[i].grad is not None:
                    flat = parameters[i].grad.array.transpose(self.orders[i]).reshape(-1)
                    found.append((starts[i], starts[i + 1], steps[i], flat))
        return found

    def scratch(self):
        """Memory for the intermediate results of a block; kept, it would add to the peak of the next backward pass."""
        return self.xp.empty(min(self.block, len(self.values)), self.values.dtype)

    def whole(self, start, end, names):
        """The buffers from start to end: [values, *state], the state in the order of `names`."""
        key = start, end, names
        if key not in self.cut:
            buffers = self.values, *(self.state[name] for name in names)
            self.cut[key] = [buffer[start:end] for buffer in buffers]
        return self.cut[key]

    def span(self, start, end):
        """The bytes of the values from start to end, for `touch`: other parameters of the buffer stay as they are."""
        key = start, end
        if key not in self.cut:
            self.cut[key] = span(self.values[start:end])
        return self.cut[key]

    def blocks(self, start, end):
        """The buffers from start to end, a block at a time: [(values, state, place in the gradient)]."""
        key = start, end, self.block
        if key not in self.cut:
            slices = [slice(i, min(i + self.block, end)) for i in range(start, end, self.block or 1)]
            self.cut[key] = [(self.values[s], {name: buffer[s] for name, buffer in self.state.items()},
                              slice(s.start - start, s.stop - start)) for s in slices]
        return self.cut[key]


class Optimizer:
    """What optimisers share: parameter groups, gathering, state dicts. Subclasses write `update`.

    `parameters` is an iterable of parameters, or of dicts with "params" and options of their own.
    """

    slots = ()  # the names of the state that goes with each element

    def __init__(self, parameters, **defaults):
        groups = list(parameters)
        if not groups:
            raise ValueError(f"{type(self).__name__}: no parameters; pass model.parameters() of a model that has some")
        self.defaults, self.param_groups, self._flats = defaults, [], []
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group):
        """Optimise more parameters: a dict with "params" and the options that differ from the defaults."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor) or not p.is_leaf:
                what = repr(p.grad_fn) if isinstance(p, Tensor) else type(p).__name__
                raise TypeError(f"{type(self).__name__}: parameter {i} is {what}; optimise leaf tensors, "
                                "such as model.parameters()")
            if id(p) in known or any(p is q for q in params[:i]):
                raise ValueError(f"{type(self).__name__}: parameter {i} of shape {p.shape} is there twice; pass one")
        for name in group:
            if name != "params" and name not in self.defaults:
                raise ValueError(f"{type(self).__name__}: unknown option {name!r}; it takes {', '.join(self.defaults)}")
        group = {**self.defaults, **group, "params": params}
        self.check(group)
        self.param_groups.append(group)
        self._flats.append(None)
        self._flat_parts(len(self._flats) - 1)  # now, so that what is computed from here on shares the buffer

    def check(self, group):
        """Raise ValueError for an option out of its range."""
        for name in ("lr", "eps", "weight_decay", "momentum"):
            if not group.get(name, 0) >= 0:
                raise ValueError(f"{type(self).__name__}: {name} is {group[name]}; use 0 or more")
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(f"{type(self).__name__}: betas are {group['betas']}; use values in [0, 1)")

    def _flat_parts(self, i):
        """The group's parameters as Flats, one a dtype and device, made anew when a parameter got another array."""
        flats = self._flats[i]
        if flats is not None and all(flat.fits() for flat in flats):
            return flats
        group = self.param_groups[i]
        kinds = [(p.array.dtype.str, array_module(p.array).__name__) for p in group["params"]]
        self._flats[i] = [Flat([p for p, k in zip(group["params"], kinds) if k == kind], self.used_slots(group))
                          for kind in dict.fromkeys(kinds)]
        if flats is not None:
            _copy_state(flats, self._flats[i])
        return self._flats[i]

    def used_slots(self, group):
        """The names of the state that this group needs."""
        return self.slots

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                forget_grad(p, set_to_none)

    def step(self, closure=None):
        """Update the parameters by their gradients. A `closure`, if given, computes and returns the loss first."""
        loss = closure() if closure else None
        for i, group in enumerate(self.param_groups):
            for flat in self._flat_parts(i):
                stretches = flat.gradients()
                if not stretches:
                    continue
                for start, end, *_ in stretches:
                    touch(flat.memory, flat.span(start, end))
                if not self._update_by_loop(group, flat, stretches):
                    self._update_by_arrays(group, flat, stretches)
        return loss

    def _update_by_arrays(self, group, flat, stretches):
        scratch = flat.scratch()
        for start, end, step, gradient in stretches:
            for values, state, place in flat.blocks(start, end):
                self.update(flat.xp, group, step, values, gradient[place], scratch[:len(values)], **state)

    def _update_by_loop(self, group, flat, stretches):
        """The same by the loop that the update has as an attribute, where it can be compiled; whether it was."""
        function, dtype = getattr(self.update, "loop", None), flat.values.dtype
        loop = backend_of(flat.values).loop(function, flat.values) if function else None
        if loop is None or any(gradient.dtype != dtype for *_, gradient in stretches):
            return False
        names, numbers = function.__code__.co_varnames[2:2 + len(flat.state)], {}
        for start, end, step, gradient in stretches:
            if step not in numbers:
                numbers[step] = [dtype.type(number) for number in self.numbers(group, step)]
            values, *state = flat.whole(start, end, names)
            for_pieces(lambda *arrays, these=numbers[step]: loop(*arrays, *these), LOOP_WORK, values, gradient, *state)
        return True

    def update(self, xp, group, step, p, g, t, **state):
        """Change p and the state, all 1-D arrays of one length, by the gradient g, which stays; t is for scratch.

        It may have an attribute `loop`: the same as a loop over elements, in `backend/compiled.py`, which takes p, g,
        the state by its names, and then `numbers`.
        """
        raise NotImplementedError

    def numbers(self, group, step):
        """The numbers of the update, which its array form and its loop share."""
        raise NotImplementedError

    def state_dict(self):
        """{"state": {index: {"step", name: tensor}}, "param_groups": [...]}, as PyTorch's: its tensors are live."""
        state, groups, index = {}, [], 0
        for i, group in enumerate(self.param_groups):
            places = {id(p): (flat, k) for flat in self._flat_parts(i) for k, p in enumerate(flat.parameters)}
            for offset, p in enumerate(group["params"]):
                flat, k = places[id(p)]
                if flat.steps[k]:
                    state[index + offset] = {"step": flat.steps[k], **{
                        name: Op.wrap(flat.view(buffer, k)) for name, buffer in flat.state.items()}}
            count = len(group["params"])
            options = {k: v for k, v in group.items() if k != "params"}
            groups.append({**options, "params": list(range(index, index + count))})
            index += count
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Go on from a state that `state_dict` gave: everything is checked, then copied."""
        saved, name = state_dict["param_groups"], type(self).__name__
        if [len(g["params"]) for g in saved] != [len(g["params"]) for g in self.param_groups]:
            raise ValueError(f"{name}: the state has groups of {[len(g['params']) for g in saved]} parameters, the "
                             f"optimiser {[len(g['params']) for g in self.param_groups]}; make it over the same model")
        entries = []
        for i, (group, old) in enumerate(zip(self.param_groups, saved)):
            group.update({k: copy.deepcopy(v) for k, v in old.items() if k in self.defaults})
            places = {id(p): (flat, k) for flat in self._flat_parts(i) for k, p in enumerate(flat.parameters)}
            entries += [(*places[id(p)], state_dict["state"].get(key, {}), key)
                        for p, key in zip(group["params"], old["params"])]
        for flat, k, entry, key in entries:
            for slot in flat.state:
                if slot in entry and tuple(entry[slot].shape) != flat.parameters[k].shape:
                    raise ValueError(f"{name}: {slot} of parameter {key} has shape {tuple(entry[slot].shape)}, the "
                                     f"parameter {flat.parameters[k].shape}; make the optimiser over the same model")
        for flat, k, entry, _ in entries:
            flat.steps[k] = int(entry.get("step", bool(entry)))  # PyTorch's SGD counts no steps
            for slot, buffer in flat.state.items():
                value = entry.get(slot, 0.0)
                flat.view(buffer, k)[...] = flat.xp.asarray(getattr(value, "array", value))

    def __repr__(self):
        options = ", ".join(f"{k}={v}" for k, v in self.param_groups[0].items() if k != "params")
        return f"{type(self).__name__}({options})"


def _copy_state(old, new):
    places = {id(p): (flat, k) for flat in new for k, p in enumerate(flat.parameters)}
    for flat in old:
        for k, p in enumerate(flat.parameters):
            target, j = places[id(p)]
            target.steps[j] = flat.steps[k]
            for name, buffer in flat.state.items():
                values = flat.view(buffer, k)
                values = values.get() if hasattr(values, "get") and target.xp.__name__ == "numpy" else values
                target.view(target.state[name], j)[...] = target.xp.asarray(values)


class SGD(Optimizer):
    """p -= lr * g, with momentum (Polyak), Nesterov's variant, and weight decay as an L2 penalty."""

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(f"SGD: nesterov with momentum={momentum}, dampening={dampening}; it needs momentum above "
                             "0 and dampening 0")
        super().__init__(params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                         nesterov=nesterov)

    def used_slots(self, group):
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, xp, group, step, p, g, t, momentum_buffer=None):
        if group["weight_decay"]:
            g = g + xp.multiply(p, group["weight_decay"], out=t)
        if momentum_buffer is not None:
            momentum_buffer *= group["momentum"]
            momentum_buffer += xp.multiply(g, 1.0 if step == 1 else 1.0 - group["dampening"], out=t)
            if group["nesterov"]:
                g = g + xp.multiply(momentum_buffer, group["momentum"], out=t)
            else:
                g = momentum_buffer
        p -= xp.multiply(g, group["lr"], out=t)


class RMSprop(Optimizer):
    """p -= lr * g / (sqrt(v) + eps), v a running mean of g**2 (Hinton 2012, Neural Networks for ML, lecture 6e)."""

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                         centered=centered)

    def used_slots(self, group):
        return ("square_avg", *["grad_avg"] * bool(group["centered"]), *["momentum_buffer"] * bool(group["momentum"]))

    def update(self, xp, group, step, p, g, t, square_avg, grad_avg=None, momentum_buffer=None):
        alpha = group["alpha"]
        if group["weight_decay"]:
            g = g + xp.multiply(p, group["weight_decay"], out=t)
        square_avg *= alpha
        xp.multiply(g, g, out=t)
        t *= 1 - alpha
        square_avg += t
        if grad_avg is None:
            xp.sqrt(square_avg, out=t)
        else:
            grad_avg *= alpha
            grad_avg += xp.multiply(g, 1 - alpha, out=t)
            xp.multiply(grad_avg, grad_avg, out=t)
            xp.sqrt(xp.subtract(square_avg, t, out=t), out=t)
        t += group["eps"]
        xp.divide(g, t, out=t)
        if momentum_buffer is not None:
            momentum_buffer *= group["momentum"]
            momentum_buffer += t
            t[...] = momentum_buffer
        t *= group["lr"]
        p -= t


class Adam(Optimizer):
    """p -= lr * m / (sqrt(v) + eps): bias-corrected running means of g and g**2 (Kingma & Ba 2015, algorithm 1)."""

    slots = ("exp_avg", "exp_avg_sq")
    decoupled = False  # whether weight decay acts on the parameters themselves

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay)

    def numbers(self, group, step):
        """(shrink, decay, beta1, 1 - beta1, beta2, 1 - beta2, eps, rate): the last two take in both corrections.

        lr * (m / c1) / (sqrt(v / c2) + eps) is m / (sqrt(v) + eps * sqrt(c2)) * (lr * sqrt(c2) / c1).
        """
        (beta1, beta2), lr, decay = map(float, group["betas"]), float(group["lr"]), float(group["weight_decay"])
        correction = math.sqrt(1 - beta2 ** step)
        return (1 - lr * decay if self.decoupled else 1.0, 0.0 if self.decoupled else decay, beta1, 1 - beta1,
                beta2, 1 - beta2, float(group["eps"]) * correction, lr * correction / (1 - beta1 ** step))

    def update(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq):
        shrink, decay, beta1, rest1, beta2, rest2, eps, rate = self.numbers(group, step)
        if shrink != 1:
            p *= shrink
        if decay:
            g = g + xp.multiply(p, decay, out=t)
        xp.multiply(g, g, out=t)
        t *= rest2
        exp_avg_sq *= beta2
        exp_avg_sq += t
        if beta1:
            exp_avg *= beta1
            exp_avg += xp.multiply(g, rest1, out=t)
        else:
            exp_avg[...] = g
        xp.sqrt(exp_avg_sq, out=t)
        t += eps
        xp.divide(exp_avg, t, out=t)
        t *= rate
        p -= t

    update.loop = loops.adam


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly (Loshchilov & Hutter 2019)."""

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)


class EMA:
    """A copy of a model whose parameters and floating buffers are running averages: a += (1 - decay) * (now - a).

    `ema.model` is the averaged model, in eval mode. Early on the decay is (1 + n) / (10 + n) where that is less, so
    that the beginning is forgotten.
    """

    def __init__(self, model, decay=0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: decay is {decay}; use a value in [0, 1)")
        self.source, self.decay, self.updates = model, decay, 0
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    def update(self):
        """Take in the model as it is now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        pairs = zip(self.model.state_dict().values(), self.source.state_dict().values())
        for mean, now in {id(mean.array): (mean, now) for mean, now in pairs}.values():  # a weight of two names once
            if mean.dtype.kind != "f":
                mean.copy_(now)
                continue
            touch(mean.array)
            for part in _parts(mean.array):
                step = now.array[part] - mean.array[part]
                step *= 1 - decay
                mean.array[part] += step

    def state_dict(self):
        """The averaged model's state and the number of updates."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state_dict):
        """Go on from a state that `state_dict` gave."""
        self.model.load_state_dict(state_dict["model"])
        self.updates = int(state_dict["updates"])


def _parts(array):
    """Indices of an array's parts, of about a block each: what is computed of one is soon free again."""
    if array.size <= BLOCK:
        return [...]
    rows = max(1, BLOCK * len(array) // array.size)
    return [slice(start, start + rows) for start in range(0, len(array), rows)]
