"""What all optimisers share: groups, state, and the step that hands each stretch of parameters to the update."""

import copy
from difflib import get_close_matches

from minigrad.autograd import array_of
from minigrad.backend import array_module, backend_of
from minigrad.backend.threads import share
from minigrad.graph import Op
from minigrad.modes import enable_grad
from minigrad.nn.module import forget_grad
from minigrad.optim.flat import Flat
from minigrad.tensor import Tensor

LOOP_WORK = 3  # simple array operations that take as long as a compiled update
TELLING = {"momentum", "nesterov", "centered", "betas", "amsgrad", "rho", "lr_decay"}  # options that tell kinds apart


class Optimizer:
    """What optimisers share: parameter groups, gathering, state dicts. Subclasses write `update`.

    `parameters` is an iterable of parameters, of (name, parameter), or of dicts with "params" and options of their own.
    A group's options may be changed at any time, in `param_groups`; keys that are no option are the user's.
    """

    slots = ()  # the names of the state that goes with each element
    optional = {}  # {option: the name of the state that there is, too, where the option is set}

    def __init__(self, parameters, **defaults):
        groups = list(parameters)
        if not groups:
            raise ValueError(f"{type(self).__name__}: no parameters; pass model.parameters() of a model that has some")
        if defaults.get("differentiable"):
            raise ValueError(f"{type(self).__name__}: differentiable=True: no graph is recorded of an update; write it "
                             "with tensors for that")
        self.defaults, self.param_groups, self._layouts = defaults, [], {}
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group):
        """Optimise more parameters: a dict with "params" and the options that differ from the defaults."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if params and all(isinstance(p, tuple) and len(p) == 2 for p in params):
            names, params = map(list, zip(*params))
            group = {**group, "param_names": names}
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor) or not p.is_leaf:
                what = repr(p.grad_fn) if isinstance(p, Tensor) else type(p).__name__
                raise TypeError(f"{type(self).__name__}: parameter {i} is {what}; optimise leaf tensors, "
                                "such as model.parameters()")
            if id(p) in known or any(p is q for q in params[:i]):
                raise ValueError(f"{type(self).__name__}: parameter {i} of shape {p.shape} is there twice; pass one")
        for name in group:
            near = name not in self.defaults and get_close_matches(str(name), self.defaults, 1, 0.8)
            if near and abs(len(near[0]) - len(name)) < 2:
                raise ValueError(f"{type(self).__name__}: unknown option {name!r}; did you mean {near[0]!r}?")
        group = {**self.defaults, **group, "params": params}
        self.check(group)
        self.param_groups.append(group)
        self._work()  # now, so that what is computed from here on shares the buffer

    def check(self, group):
        """Raise ValueError for an option out of its range."""
        for name in ("lr", "eps", "weight_decay", "momentum", "rho", "lr_decay", "initial_accumulator_value"):
            if not group.get(name, 0) >= 0:
                raise ValueError(f"{type(self).__name__}: {name} is {group[name]}; use 0 or more")
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(f"{type(self).__name__}: betas are {group['betas']}; use values in [0, 1)")

    def used_slots(self, group):
        """The names of the state that this group needs by its options."""
        slots = self.slots
        for option in self.optional:
            if group[option]:
                slots += self.optional[option],
        return slots

    def initial(self, group):
        """{name: the value that state begins with}, where it is not 0."""
        return {}

    def _work(self):
        """[(group, Flat)] as the groups and their options are now."""
        layouts, work = self._layouts, []
        for group in self.param_groups:
            layout = layouts.get(id(group))
            if layout is None or not layout.fits():
                self._lay_out()
                return self._work()
            slots = self.used_slots(group)
            for flat in layout.flats:
                if flat.names != slots:
                    flat.use(slots, self.initial(group), bool(slots) or not self.optional)
                work.append((group, flat))
        return work

    def _lay_out(self):
        """Make layouts for groups that have none that fits; parameters go on from the state that they had in any."""
        old = self._layouts
        sources = {id(p): (flat, j) for layout in old.values() for flat in layout.flats
                   for j, p in enumerate(flat.parameters)}
        self._layouts = {id(group): old[id(group)] for group in self.param_groups
                         if id(group) in old and old[id(group)].fits()}
        for key, layout in old.items():
            if key not in self._layouts:
                layout.arrays = []
                for flat in layout.flats:
                    flat.let_go()
        for group in self.param_groups:
            if id(group) not in self._layouts:
                layout = self._layouts[id(group)] = _Layout(group)
                for flat in layout.flats:
                    for i, p in enumerate(flat.parameters):
                        if id(p) in sources:
                            flat.go_on_from(*sources[id(p)], i)

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                forget_grad(p, set_to_none)

    def step(self, closure=None):
        """Update the parameters by their gradients. A `closure`, if given, computes and returns the loss first.

        All gradients are checked before any parameter is changed.
        """
        loss = None
        if closure:
            with enable_grad():
                loss = closure()
        work, function = self._work(), getattr(self.update, "loop", None)
        for _, flat in work:
            flat.check_gradients()
        for group, flat in work:
            stretches = flat.gradients()
            if not stretches:
                continue
            if group.get("maximize"):
                stretches = [(start, end, step, -gradient) for start, end, step, gradient in stretches]
            for stretch in stretches:
                flat.touch(*stretch[:2])
            if function is None or not self._update_by_loop(function, group, flat, stretches):
                self._update_by_arrays(group, flat, stretches)
        return loss

    def _update_by_arrays(self, group, flat, stretches):
        scratch, names = flat.scratch(), flat.names
        for start, end, step, gradient in stretches:
            own, back = flat.stray(start, end) if flat.strays else (None, None)
            for values, state, place in flat.blocks(start, end, names):
                values = values if own is None else own[place]
                self.update(flat.xp, group, step, values, gradient[place], scratch[:len(values)], **state)
            if back is not None:
                back[...] = own.reshape(back.shape)

    def _update_by_loop(self, function, group, flat, stretches):
        """The same by the loop that the update has as an attribute, where it can be compiled; whether it was."""
        loop, dtype = backend_of(flat.values).shared_loop(function, flat.values), flat.dtype
        if loop is None or any(gradient.dtype != dtype for *_, gradient in stretches):
            return False
        names, numbers = function.__code__.co_varnames[4:4 + len(flat.names)], {}
        if set(names) != set(flat.names):  # the loop knows nothing of state that an option brings
            return False
        for start, end, step, gradient in stretches:
            if step not in numbers:
                numbers[step] = [dtype.type(number) for number in self.numbers(group, step)]
            values, *state = flat.whole(start, end, names)
            own, back = flat.stray(start, end) if flat.strays else (None, None)
            values = values if own is None else own
            loop(len(values), share(len(values), LOOP_WORK), values, gradient, *state, *numbers[step])
            if back is not None:
                back[...] = own.reshape(back.shape)
        return True

    def update(self, xp, group, step, p, g, t, **state):
        """Change p and the state, all 1-D arrays of one length, by the gradient g, which stays; t is for scratch.

        It may have an attribute `loop`: the same as a loop over elements, in `backend/compiled.py`, which takes where
        to start and stop, p, g, the state by its names, and then `numbers`.
        """
        raise NotImplementedError

    def numbers(self, group, step):
        """The numbers of the update, which its array form and its loop share."""
        raise NotImplementedError

    def state_dict(self):
        """{"state": {index: {"step", name: tensor}}, "param_groups": [...]}, as PyTorch's: its tensors are live."""
        state, groups, index, places = {}, [], 0, self._places()
        for group in self.param_groups:
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

    def _places(self):
        """{id of a parameter: (its Flat, its number there)}"""
        return {id(p): (flat, k) for _, flat in self._work() for k, p in enumerate(flat.parameters)}

    def load_state_dict(self, state_dict):
        """Go on from a state that `state_dict` gave, options included: everything is checked, then copied."""
        saved, name = state_dict["param_groups"], type(self).__name__
        if [len(g["params"]) for g in saved] != [len(g["params"]) for g in self.param_groups]:
            raise ValueError(f"{name}: the state has groups of {[len(g['params']) for g in saved]} parameters, the "
                             f"optimiser {[len(g['params']) for g in self.param_groups]}; make it over the same model")
        for group, old in zip(self.param_groups, saved):
            self._check_kind(group, old)
            self.check({**group, **old})
        entries = [(p, state_dict["state"].get(key, {}), key) for group, old in zip(self.param_groups, saved)
                   for p, key in zip(group["params"], old["params"])]
        known = self._known_slots()
        for p, entry, key in entries:
            self._check_entry(p, entry, key, known)
        for group, old in zip(self.param_groups, saved):
            group.update({k: copy.deepcopy(v) for k, v in old.items() if k != "params"})
        self._restore(entries)

    def _restore(self, entries):
        """Write [(parameter, its entry in a state dict, ...)] into the state."""
        places, known = self._places(), self._known_slots()
        initial = {id(p): self.initial(group) for group in self.param_groups for p in group["params"]}
        for p, entry, *_ in entries:
            flat, k = places[id(p)]
            there = {slot for slot in known if entry.get(slot) is not None}
            flat.steps[k] = int(entry.get("step", 1)) if there or entry and not known else 0
            for slot in there | flat.state.keys():
                value = array_of(entry[slot]) if slot in there else initial[id(p)].get(slot, 0)
                value = value.get() if hasattr(value, "get") else value
                flat.view(flat.buffer(slot), k)[...] = flat.xp.asarray(value)

    def _known_slots(self):
        """The names of all state that there can be."""
        return {*self.slots, *self.optional.values(), *(slot for group in self.param_groups
                                                        for slot in self.used_slots(group))}

    def _check_kind(self, group, old):
        """Raise for the options of another kind of optimiser; keys that are the user's own do not count."""
        own = TELLING & self.defaults.keys()
        told = TELLING & old.keys() - (group.keys() - self.defaults.keys())
        if told != own and ("maximize" in old or told | {"amsgrad"} != own):  # earlier states have neither of the two
            raise ValueError(f"{type(self).__name__}: the state is another optimiser's, with {_list(told)} among its "
                             f"options, not {_list(own)}; load it into the kind that it was saved from")

    def _check_entry(self, p, entry, key, known):
        name = type(self).__name__
        tensors = {slot for slot, value in entry.items() if getattr(value, "shape", ()) or slot in known} - {"step"}
        if tensors - known or entry and not known >= tensors >= set(self.slots):
            raise ValueError(f"{name}: the state is another optimiser's, with {_list(tensors)} for parameter {key}, "
                             f"not {_list(self.slots)}; load it into the kind that it was saved from")
        for slot in tensors:
            if entry[slot] is not None and tuple(entry[slot].shape) != p.shape:
                raise ValueError(f"{name}: {slot} of parameter {key} has shape {tuple(entry[slot].shape)}, the "
                                 f"parameter {p.shape}; make the optimiser over the same model")

    def __getstate__(self):
        """What copies and pickles carry: the parameters, so that a copy is tied to their copies, and a state dict's."""
        return {**vars(self), "_layouts": {}}, self.state_dict()["state"]

    def __setstate__(self, state):
        attributes, entries = state
        vars(self).update(attributes)
        parameters = [p for group in self.param_groups for p in group["params"]]
        self._restore([(p, entries.get(i, {})) for i, p in enumerate(parameters)])

    def __repr__(self):
        options = ", ".join(f"{k}={v}" for k, v in self.param_groups[0].items() if k != "params" and v is not None)
        return f"{type(self).__name__}({options})"


class _Layout:
    """The Flats of one group, one a dtype and device, and what they were made for."""

    def __init__(self, group):
        self.group, self.parameters = group, list(group["params"])  # the group itself: its id then is no other's
        kinds = [(p.array.dtype.str, array_module(p.array).__name__) for p in self.parameters]
        self.flats = [Flat([p for p, k in zip(self.parameters, kinds) if k == kind]) for kind in dict.fromkeys(kinds)]
        self.arrays = [p.array for p in self.parameters]

    def fits(self):
        """Whether the group still has these parameters, and they their dtypes and devices."""
        parameters = self.group["params"]
        if len(parameters) == len(self.parameters):
            for p, known, array in zip(parameters, self.parameters, self.arrays):
                if p is not known or p.array is not array:
                    break
            else:
                return True
        same = list(map(id, parameters)) == list(map(id, self.parameters)) and all(flat.settle() for flat in self.flats)
        if same:
            self.arrays = [p.array for p in self.parameters]
        return same


def _list(names):
    return ", ".join(sorted(names)) or "none of its own"
