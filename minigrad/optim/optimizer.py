"""What all optimisers share: groups, state, and the step that hands each stretch of parameters to the update."""

import copy

from minigrad.backend import array_module, backend_of
from minigrad.backend.numpy import for_pieces
from minigrad.graph import Op
from minigrad.nn.module import forget_grad
from minigrad.optim.flat import Flat
from minigrad.tensor import Tensor
from minigrad.writes import touch

LOOP_WORK = 3  # simple array operations that take as long as a compiled update


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
