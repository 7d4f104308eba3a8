"""What becomes of a recording: what goes, what joins, where it lies, and how it looks."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.capture import Refused
from tests.capture import __main__ as command


def planned(step, *args, executor="numpy"):
    """The captured step, after the calls that prepare it."""
    captured = mg.capture(step, executor)
    for _ in range(4):
        captured(*args)
    return captured


def names(plan):
    return [call.name for step in plan.steps for call in step.calls]


def test_a_network_that_only_passes_the_gradient_on_computes_none_of_its_own():
    D, G = nn.Linear(4, 3), nn.Linear(2, 4)
    optimiser = optim.SGD(G.parameters(), 0.1)

    def step(z):
        loss = D(G(z)).sum()
        D.zero_grad(), optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    plan = planned(step, mg.ones(5, 2)).plan
    shapes = [call.outs[0].shape for s in plan.steps for call in s.calls if call.name == "dot"]
    assert shapes.count((3, 4)) == 0 and shapes.count((4, 2)) == 1  # the weights of D and of G


def test_what_is_not_returned_and_changes_nothing_is_not_computed():
    plan = planned(lambda x: (x * 2, (x.exp() + 1).log())[0], mg.ones(3)).plan
    assert names(plan) == ["multiply"]


def test_views_need_no_calls():
    plan = planned(lambda x: x.reshape(2, 6).t()[1:5].unsqueeze(0).expand(3, 4, 2) * 2, mg.ones(3, 4)).plan
    assert names(plan) == ["multiply"]


def test_an_outer_product_and_the_update_by_it_are_one_loop():
    w = nn.Parameter(mg.ones(30, 20))
    optimiser = optim.Adam([w], 0.1)

    def step(x):
        loss = nn.functional.linear(x, w).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    pytest.importorskip("llvmlite")
    plan = planned(step, mg.ones(20), executor="machine").plan
    loop, = [s for s in plan.steps if s.size == 600]
    assert {"multiply", "sqrt", "divide", "subtract"} <= {call.name for call in loop.calls}
    assert len(loop.stores) == 3  # the weight and its two averages: not the gradient


def test_values_that_nobody_reads_later_need_no_memory():
    pytest.importorskip("llvmlite")

    def step(x):
        for _ in range(20):
            x = x * 2 + 1
        return x

    plan = planned(step, mg.ones(1000), executor="machine").plan
    assert len(plan.steps) == 1 and plan.memory.arena.nbytes < 8200  # the result, 4,000 bytes, and its alignment


def test_memory_is_used_again():
    def step(x):
        for _ in range(20):
            x = (x * 2).exp().log1p().tanh()
        return x

    plan = planned(step, mg.ones(1000)).plan
    assert plan.memory.arena.nbytes < 5 * 4096


def test_calls_whose_order_matters_keep_it(executor):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((6, 6)).astype("f4")
    a, b = mg.tensor(start), mg.tensor(start.T.copy())

    def step(x):
        a.mul_(x)
        total = a.sum(0)
        a[1:] += b[:-1]  # another view of what the loop before wrote
        b.copy_(a.t())
        a[:, 0] = total
        b[...] = b.flip(0)
        a.add_(b * x)
        return a.sum() + b[2, 3]

    captured = mg.capture(step, executor)
    found = [captured(mg.full((6, 6), 1 - i / 10)).item() for i in range(8)]
    after = a.tolist(), b.tolist()
    a.copy_(mg.tensor(start)), b.copy_(mg.tensor(start.T.copy()))
    assert found == [step(mg.full((6, 6), 1 - i / 10)).item() for i in range(8)]
    assert after == (a.tolist(), b.tolist())


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_of_views_and_in_place_operations(seed, executor):
    """Programs of random assignments between overlapping views of two arrays."""
    shape = 4, 6
    memory = [mg.zeros(*shape), mg.zeros(*shape)]
    views = [lambda t: t[1:3], lambda t: t[::2], lambda t: t[::-1][:2], lambda t: t[:, :3].reshape(2, 6),
             lambda t: t[2:], lambda t: t.reshape(2, 12)[:, ::2], lambda t: t.permute(1, 0).reshape(4, 6)[:2]]
    functions = [lambda x, y: x + y, lambda x, y: (x * y - y).sin(), lambda x, y: x.maximum(y),
                 lambda x, y: (x - y).tanh(), lambda x, y: (x.sum(0) * y).cos(),
                 lambda x, y: mg.where(x > y, x, y * 0.5)]

    def program(rng):
        lines = [(*rng.integers(0, 2, 3), *rng.integers(0, len(views), 2), rng.integers(0, 2), rng.integers(0, 6),
                  rng.integers(0, 2)) for _ in range(12)]

        def step(x):
            memory[0].add_(x)
            results = []
            for target, one, other, view, second, base, f, place in lines:
                value = functions[f](views[view](memory[one]), views[second](memory[other]))
                to = (views[:3] + views[4:5])[view % 4](memory[target])
                if place and to.shape == value.shape:
                    to.copy_(value)
                elif place:
                    memory[target][base:base + 2].mul_(0.5)
                else:
                    results.append(value)
            return results

        return step

    step = program(np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 100)
    xs, found = [rng.standard_normal(shape).astype("f4") for _ in range(7)], []
    for kind in (None, executor):
        for t in memory:
            t.fill_(0.25)
        run = mg.capture(step, kind) if kind else step
        found.append(([[y.tolist() for y in run(mg.tensor(x))] for x in xs], [t.tolist() for t in memory]))
    assert found[0] == found[1]


def test_the_text_names_lines_modules_and_parameters():
    D = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())
    optimiser = optim.SGD(D.parameters(), 0.1)

    def step(x):
        loss = (D(x) ** 2).sum()  # the line that is shown
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    captured = planned(step, mg.ones(2, 4))
    text = str(captured.plan)
    assert "loss = (D(x) ** 2).sum() # the line that is shown" in text
    assert "np.dot(input_0, D_0_weight" in text and "D.0 LinearThen" in text and "test_plan.py:" in text
    assert "D.0 LinearThen.backward" in text and "np.multiply(optimiser_gradients" in text
    assert "numbers_f[0] = float(optimiser_group0['lr'])" in text
    compile(text, "plan", "exec")


def test_the_plan_on_the_page_is_the_one_of_the_step_above_it(tmp_path):
    text = command.PAGE.read_text().split(command.BEGIN)[1].split(command.END)[0]
    assert text == f"```python\n{command.plan_of_the_page(tmp_path)}```\n", "python -m tests.capture page"


def test_a_profile_by_line_which_changes_nothing(executor):
    w = nn.Parameter(mg.ones(50, 50))
    optimiser = optim.SGD([w], 0.1)

    def step(x):
        loss = (x @ w).tanh().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    captured = planned(step, mg.ones(8, 50), executor=executor)
    before = w.tolist()
    profile = captured.profile(3)
    assert w.tolist() == before
    assert profile.seconds == pytest.approx(sum(row[3] for row in profile.rows)) and profile.seconds > 0
    assert any("loss = (x @ w).tanh().sum()" in row[0] for row in profile.rows)
    assert "100%" in str(profile) and "share" in str(profile)


def test_a_picture_that_is_xml_and_has_a_bar_for_every_step(executor, tmp_path):
    captured = planned(lambda x: (x.exp().sum(0) * 2).tanh(), mg.ones(5, 3), executor=executor)
    path = captured.draw(tmp_path / "plan.svg")
    tree = ElementTree.parse(path).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert len(tree.findall(f"{space}rect")) == 1 + len(captured.plan.steps)
    assert len(tree.findall(f"{space}path")) == len(captured.plan.steps) - 1
    with pytest.raises(Refused, match="needs a plan, which is there after four calls"):
        mg.capture(lambda x: x).draw(tmp_path / "none.svg")


def test_without_llvmlite_numpy_runs_the_plan(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    monkeypatch.delitem(sys.modules, "minigrad.capture.machine", raising=False)
    captured = planned(lambda x: x * 2, mg.ones(3), executor="auto")
    assert captured.plan.machine is None and captured(mg.ones(3)).tolist() == [2, 2, 2]
    with pytest.raises(Refused, match="executor 'machine' needs llvmlite"):
        mg.capture(lambda x: x, "machine")
