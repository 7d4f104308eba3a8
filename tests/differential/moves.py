"""What a program consists of: calls, indexing, assignments, derivatives, modules, optimisers, hooks, modes.

A move appends one line or several. The numbers are how often each is chosen.
"""

import torch

import minigrad
from tests.differential.calls import listed
from tests.differential.compare import wants
from tests.differential.functions import KNOWN
from tests.differential.kinds import KINDS, Argument, Draw
from tests.differential.modules import MODULES, OPTIMISERS, SCHEDULERS
from tests.differential.writer import variables

MOVES = []
FREE = [call for call in KNOWN if call.place not in ("inplace", "augmented", "init")]
WRITERS = [call for call in KNOWN if call.place in ("inplace", "augmented", "init")]


def move(weight):
    """Register a move."""
    def register(make):
        MOVES.append((weight, make))
        return make

    return register


@move(50)
def call(writer):
    """A function, a method, an operator."""
    one = writer.choice(FREE)
    writer.call(one.write(writer), one.what)


@move(8)
def read(writer):
    """x[index]"""
    draw = Draw(writer)
    x = draw.text(Argument("input", "any"))
    writer.call(f"{x}[{draw.text(Argument('index', 'index'))}]", "x[...]")


@move(4)
def write(writer):
    """x[index] = value, mostly where no graph is."""
    draw = Draw(writer)
    x = KINDS["any"](draw, Argument("input", "any"))
    draw.given["input"] = value = writer.evaluate(x)
    index = draw.text(Argument("index", "index"))
    try:
        part = writer.evaluate(f"{x}[{index}]")
    except Exception:
        part = value
    draw.given["part"] = part
    draw.first = value
    kind = writer.choice(("number", "same", "same", "mixed"))
    what = KINDS[kind](draw, Argument("value", kind, "~part"))
    mode = "with torch.no_grad(): " if wants(value) and writer.chance(0.9) else ""
    writer.add(f"{mode}{x}[{index}] = {what}", None, "x[...] =", "writes")


@move(6)
def write_by_method(writer):
    """A method that writes, mostly where no graph is."""
    one = writer.choice(WRITERS)
    text = one.write(writer)
    if one.place == "augmented" and "[" in text.split(" ")[0]:  # an item of a tuple, which cannot be assigned to
        return
    held = any(wants(writer.names[name]) for name in variables(text)[:1])
    mode = "with torch.no_grad(): " if writer.chance(0.85 if held else 0.1) else ""
    writer.add(mode + text, None, one.what, "writes")


@move(9)
def differentiate(writer):
    """Gradients of a tensor, and gradients of these."""
    y = writer.pick(wants)
    xs = [x for x in {writer.pick(wants), writer.pick(lambda x: wants(x) and x.is_leaf)} if x and x != y]
    if not y or not xs:
        return
    name, seed = writer.name("g"), writer.seed()
    weight = "" if not writer.evaluate(y).dim() and writer.chance(0.5) else f", like({y}, {seed})"
    text = f"{name} = torch.autograd.grad({y}, [{', '.join(sorted(xs))}]{weight}, create_graph=True, allow_unused=True)"
    if writer.add(text, name, "autograd.grad"):
        writer.call(f"second({name}, [{', '.join(sorted(xs))}], {seed})", "second derivative", "h", False)


@move(7)
def backward(writer):
    """Gradients into .grad."""
    y = writer.pick(wants)
    if not y:
        return
    value, options = writer.evaluate(y), "retain_graph=True" if writer.chance(0.9) else ""
    weight = f"like({y}, {writer.seed()})" if value.dim() or writer.chance(0.3) else ""
    text = f"{y}.backward({', '.join(filter(None, (weight, options)))})"
    if value.dim() and writer.chance(0.2):
        text = f"{y}.sum().backward({options})"
    writer.add(text, None, "backward", "grads")


@move(2)
def observe(writer):
    """Hooks and retained gradients."""
    x = writer.pick(wants)
    if not x or "[" in x or any(line.changes == "writes" for line in writer.lines):
        return  # PyTorch crashes at a hook on a view of a leaf that was written under no_grad
    seen = writer.name("k")
    hook = writer.choice(("lambda g: g * 2", "lambda g: None", f"lambda g: {seen}.append(g.sum().item())",
                          "lambda g: torch.zeros_like(g)"))
    if seen in hook:
        writer.add(f"{seen} = []", seen, "")
    way = writer.choice(("hook", "hook", "dropped", "removed", "retain", "retain"))
    name = writer.name("k")
    if way == "retain":
        writer.add(f"{x}.retain_grad()", None, "retain_grad", "grads")
    elif way == "dropped":
        writer.add(f"{x}.register_hook({hook})", None, "register_hook", "grads")
    else:
        writer.add(f"{name} = {x}.register_hook({hook})", None, "register_hook", "grads")
        if way == "removed":
            writer.add(f"{name}.remove()", None, "remove", "grads")
    y = writer.pick(wants)
    if y and writer.chance(0.8):
        writer.add(f"{y}.backward(like({y}, 1), retain_graph=True)", None, "backward", "grads")


@move(2)
def forget(writer):
    """x.grad = None, or zeros."""
    x = writer.pick(lambda x: x.is_leaf and wants(x) and x.grad is not None)
    if x:
        text = writer.choice((f"{x}.grad = None", f"{x}.grad.zero_()", f"{x}.grad.detach_()"))
        writer.add(text, None, ".grad", "writes")


@move(1)
def switch(writer):
    """requires_grad off and on again."""
    x = writer.pick(lambda x: x.is_leaf)
    if x:
        for flag in writer.choice((("False",), ("True",), ("False", "True"))):
            writer.add(f"{x}.requires_grad_({flag})", None, "requires_grad_", "grads")


@move(6)
def use_module(writer):
    """A module with weights, called once or twice, in training or not."""
    name, options, inputs = writer.choice(MODULES)
    if not hasattr(minigrad.nn, name):
        return
    draw, m = Draw(writer), writer.name("m")
    texts = [None if a.optional and writer.chance(0.5) else draw.text(a) for a in options]
    made = f"nn.{name}({listed(writer, texts, options)})"
    given = [draw.text(a) for a in inputs]
    dtype = str(writer.evaluate(given[0]).dtype).removeprefix("torch.")
    made += {"float64": ".double()", "float16": ".half()"}.get(dtype, "")
    if not writer.add(f"{m} = filled({made}, {writer.seed()})", m, f"nn.{name}"):
        return
    if writer.chance(0.3):
        writer.add(f"{m}.eval()", None, "eval")
    y = writer.call(f"{m}({', '.join(given)})", f"nn.{name}")
    if y and writer.chance(0.5) and isinstance(writer.names[y], torch.Tensor) and wants(writer.names[y]):
        writer.add(f"{y}.backward(like({y}, {writer.seed()}), retain_graph=True)", None, f"nn.{name} backward", "grads")
        writer.call(f"[p.grad for p in {m}.parameters()]", f"nn.{name} gradients", quiet=False)
    if writer.chance(0.3):
        writer.call(f"state_of({m})", f"nn.{name} state", quiet=False)


@move(3)
def optimise(writer):
    """A few steps of an optimiser over leaves, with a scheduler at times."""
    name, options = writer.choice(OPTIMISERS)
    if not hasattr(minigrad.optim, name):
        return
    draw = Draw(writer)
    leaves = [writer.leaf(dtype=writer.choice(("float32", "float64")), values="normal", wants=True)
              for _ in range(writer.integer(1, 3))]
    if any(".expand" in line.text for line in writer.lines[-len(leaves):]):
        return
    texts = [None if a.optional and writer.chance(0.5) else draw.text(a) for a in options]
    o, held = writer.name("o"), f"[{', '.join(leaves)}]"
    if len(leaves) > 1 and writer.chance(0.2):
        held = f"[{{'params': {leaves[:1][0]}}}, {{'params': [{', '.join(leaves[1:])}], 'lr': 0.05}}]"
    if not writer.add(f"{o} = torch.optim.{name}({', '.join(filter(None, (held, listed(writer, texts, options, 0))))})",
                      o, f"optim.{name}"):
        return
    s = schedule(writer, o) if writer.chance(0.3) else None
    for step in range(writer.integer(1, 4)):
        used = [x for x in leaves if writer.chance(0.8)] or leaves[:1]
        loss = " + ".join(f"({x} * like({x}, {step})).sum()" if writer.chance(0.5) else f"({x} ** 2).sum()"
                          for x in used)
        writer.add(f"{o}.zero_grad({writer.choice(('', '', 'set_to_none=False'))})", None, "zero_grad", "writes")
        writer.add(f"({loss}).backward()", None, "backward", "grads")
        if writer.chance(0.1):
            clip = writer.choice((f"clip_grad_norm_({held}, 0.5)", f"clip_grad_value_({held}, 0.3)"))
            writer.add(f"nn.utils.{clip}", None, clip.split("(")[0], "writes")
        writer.add(f"{o}.step()", None, f"optim.{name} step", "writes")
        if s:
            metric = f"{writer.random.random():.2f}" if "Plateau" in type(writer.names[s]).__name__ else ""
            writer.add(f"{s}.step({metric})", None, type(writer.names[s]).__name__, "writes")
            writer.call(f"rates({o})", "the rates", quiet=False)
        change(writer, o)


def schedule(writer, o):
    """A scheduler of an optimiser."""
    name, options = writer.choice(SCHEDULERS)
    draw, s = Draw(writer), writer.name("s")
    texts = [None if a.optional and writer.chance(0.5) else draw.text(a) for a in options]
    made = writer.add(f"{s} = torch.optim.lr_scheduler.{name}({o}, {listed(writer, texts, options, 0)})", s, name)
    return s if made else None


def change(writer, o):
    """What scripts do to an optimiser between steps."""
    if writer.chance(0.15):
        option = writer.choice(list(writer.names[o].defaults))
        value = {"lr": "0.03", "momentum": "0.5", "weight_decay": "0.2"}.get(option)
        if value:
            writer.add(f"{o}.param_groups[0]['{option}'] = {value}", None, "param_groups", "writes")
    if writer.chance(0.1):
        writer.add(f"{o}.load_state_dict({o}.state_dict())", None, "load_state_dict", "writes")
