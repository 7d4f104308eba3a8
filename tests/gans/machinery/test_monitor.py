"""The health monitor: each sign on rows made by hand, a run that has it, faults that are planted in the demos."""

import json
import shutil

import numpy as np
import pytest

from gans import pattern1010
from gans.machinery import log, monitor, watch
from gans.machinery.signs import SIGNS
from tests.gans import planted

NAMES = [sign.name for sign in SIGNS]
REALS = {"spread": 0.33, "nearest": 0.22, "mean": 0.11, "std": 0.29, "low": 0.0, "high": 1.0, "period 2": 0.04,
         "peak 2": 0.9, "period 4": 0.3, "peak 4": 0.7}
ANATOMY = {"nets": {}, "optimisers": {"optimiser_d": {"nets": ["D"]}, "optimiser_g": {"nets": ["G"]}}}


def rows(steps=1000, changes=lambda step: {}, parts=ANATOMY, resumed=None):
    """The log of a run that is well but for `changes`, {(group, name): value} at a step."""
    yield {"step": 0, "event": "started", "steps": steps}
    yield {"step": 0, "event": "parts", **parts}
    yield {"step": 0, "event": "reals", **REALS}
    for step in range(1, steps + 1):
        wobble = 1 + 0.1 * (step % 7 - 3) / 3
        figures = {"loss": {"d_real": 0.6 * wobble, "d_fake": 0.55 * wobble, "g": 0.9 * wobble},
                   "D": {"as": "logits", "low": -1.2, "high": 1.3, "real": 0.58, "fake": 0.42, "right on real": 0.75,
                         "right on fake": 0.8},
                   "grad": {"D": 2.0 * wobble, "G": 0.5 * wobble}, "update": {"D": 1e-3, "G": 1e-3}, "batch": {"D": 64},
                   "real": {"images": 64, "values": 784, "low": 0.0, "high": 1.0, "mean": 0.11, "std": 0.29,
                            "spread": 0.33},
                   "fake": {"images": 64, "values": 784, "low": 0.0, "high": 1.0, "mean": 0.11, "std": 0.27,
                            "spread": 0.3},
                   "look": {"spread": 0.28, "nearest": 0.17, "mean": 0.11, "std": 0.26, "period 2": 0.1, "peak 2": 1.0,
                            "period 4": 0.3, "peak 4": 0.8, "moved": 0.02, "two modes": 0.05, "by label": 0.8,
                            "D on learnt": 0.4, "D on held out": 0.35, "D on mislabelled": 0.1, "D on samples": -0.5}}
        for (group, name), value in changes(step).items():
            figures[group][name] = value
        if step == 1 or step % 10 == 0:
            yield {"step": step, "loss": figures["loss"], "D": figures["D"]}
        if step == 1 or step % 50 == 0:
            yield {"step": step, "real": figures["real"], "fake": figures["fake"]}
            yield {"step": step, **{name: figures[name] for name in ("grad", "update", "batch")}}
        if step == 1 or step % 20 == 0:
            yield {"step": step, "look": figures["look"]}
        if step == resumed:
            yield {"step": step, "event": "resumed", "steps": steps}
            yield {"step": step, "event": "parts", **parts}


def constant(**values):
    """Changes that are the same at all steps; "D__right on real" is that name in that group."""
    changes = {tuple(name.split("__")): value for name, value in values.items()}
    return lambda step: changes


SURE = {"D__right on real": 1.0, "D__right on fake": 1.0, "D__fake": 1e-4}
CASES = {
    "D wins": (constant(**SURE), 500),
    "the loss saturates": (lambda step: {("loss", "g"): -1e-4, ("grad", "G"): 0.5 if step == 1 else 1e-3,
                                         **constant(**SURE)(step)}, 50),
    "total collapse": (constant(fake__spread=0.003, fake__std=0.2), 100),
    "partial collapse": (constant(look__nearest=0.01), 200),
    "oscillation": (constant(look__moved=0.2), 300),
    "D is fooled": (constant(**{**SURE, "D__fake": 0.9, "D__right on fake": 0.0}), 100),
    "not a number": (lambda step: {("grad", "G"): None} if step == 300 else {}, 300),
    "checkerboard": (constant(**{"look__period 2": 2.5}), 200),
    "the two modes differ": (constant(**{"look__two modes": 0.6}), 200),
    "one batch for real and generated": (constant(batch__D=128), 1),
    "ranges differ": (constant(real__low=-1.0, fake__low=0.004), 200),
    "sigmoid twice": (constant(D__low=0.05, D__high=0.98, D__fake=0.6, loss__d_fake=0.9), 100),
    "D overfits": (constant(**{"look__D on held out": -0.1}), 200),
    "labels are ignored": (constant(**{"look__by label": 0.07, "look__D on mislabelled": 0.39}), 400),
    "the critic is unbounded": (lambda step: {("D", "as"): "scores", ("D", "real"): step / 10,
                                              ("D", "fake"): -step / 10, ("loss", "d_real"): -step / 10,
                                              ("loss", "d_fake"): -step / 10}, None),
}


def test_a_run_that_is_well_has_no_sign():
    assert monitor.read(rows(resumed=500)).verdicts == []
    assert monitor.read(rows()).summary() == "monitor: none of the fifteen failures that it knows"


@pytest.mark.parametrize("name", CASES)
def test_a_sign_is_named_once_when_it_has_lasted_with_its_figures_and_what_to_try(name):
    changes, step = CASES[name]
    found = monitor.read(rows(changes=changes)).verdicts
    others = ["D wins"] if name == "the loss saturates" else []  # which it does, too
    assert [verdict["name"] for verdict in found] == [name, *others]
    assert step in (None, found[0]["step"]) and found[0]["remedy"]
    assert any(c.isdigit() for c in found[0]["words"]) or name == "not a number"
    assert found[0]["number"] == next(sign.number for sign in SIGNS if sign.name == name)
    line = monitor.line(found[0])
    assert line.startswith(f"monitor: step {found[0]['step']:,}: {name}: ") and ". Try: " in line and "\n" not in line


@pytest.mark.parametrize("name", [name for name in CASES if not next(s for s in SIGNS if s.name == name).lasting])
def test_what_lasted_for_a_hundred_steps_is_no_sign_or_over_again(name):
    if name in ("total collapse", "the loss saturates", "D is fooled", "the critic is unbounded"):
        pytest.skip("is one after as many")
    changes = CASES[name][0]
    assert monitor.read(rows(changes=lambda step: changes(step) if 300 < step <= 400 else {})).verdicts == []


def test_a_sign_that_is_gone_is_over_and_may_come_again():
    changes = CASES["oscillation"][0]
    watched = monitor.read(rows(2000, lambda step: changes(step) if step % 1000 < 500 else {}))
    assert [("over" in verdict, verdict["name"]) for verdict in watched.verdicts] == [
        (False, "oscillation"), (True, "oscillation"), (False, "oscillation"), (True, "oscillation")]
    (_, first), (second, _) = watched.periods()
    assert 500 <= first < 800 and 1000 < second["step"] <= 1200
    assert watched.summary() == (f"monitor: oscillation (step 300 to {first:,}), oscillation (step {second['step']:,} "
                                 f"to {watched.periods()[1][1]:,})") and not watched.open


def test_optimisers_that_hold_both_networks_are_named_before_the_first_step():
    both = {"nets": {}, "optimisers": {"optimiser_g": {"nets": ["G", "D"]}, "optimiser_d": {"nets": ["D"]}}}
    verdict, = monitor.read(rows(100, parts=both)).verdicts
    assert verdict["name"] == "D is fooled" and verdict["step"] == 0 and "optimiser_g" in verdict["words"]


@pytest.mark.parametrize("changes", [lambda step: {("loss", "g"): 2.5} if step > 500 else {},
                                     lambda step: {("look", "moved"): 0.2} if 500 < step <= 520 else {}])
def test_a_jump_where_the_run_was_resumed_is_named_and_the_same_without_a_stop_is_none(changes):
    verdict, = monitor.read(rows(changes=changes, resumed=500)).verdicts
    assert verdict["name"] == "worse since it was resumed" and 500 < verdict["step"] <= 530
    assert monitor.read(rows(changes=changes)).verdicts == []


def test_a_judge_that_reads_few_classes_is_believed_once_the_run_is_long_enough():
    said = {"step": 1000, "measure": {"smallest_share": 0.001, "largest_share": 0.47}}
    verdict, = monitor.read([*rows(), said]).verdicts
    assert verdict["name"] == "partial collapse" and "47%" in verdict["words"]
    assert monitor.read([*rows(500), said | {"step": 500}]).verdicts == []
    assert monitor.read([*rows(), {"step": 1000, "measure": {"smallest_share": 0.08, "largest_share": 0.12}}]
                        ).verdicts == []


def test_a_log_that_lacks_any_of_the_figures_is_read_as_far_as_it_goes():
    """As logs of older versions do, and those of demos that note less. With all failures at once, nothing raises."""
    wrong = [*rows(1500, lambda step: {key: value for changes, _ in CASES.values() for key, value in
                                       changes(step).items() if value is not None}, resumed=1000)]
    names = sorted({(group, name) for row in wrong for group, values in row.items() if isinstance(values, dict)
                    for name in values} | {("reals", name) for name in REALS})
    rng = np.random.default_rng(0)
    for lacking in [[name] for name in names] + [[names[k] for k in rng.permutation(len(names))[:n]]
                                                 for n in rng.integers(2, len(names), 20)]:
        for changed in (wrong, rows(600)):
            found = monitor.read(
                {group: ({name: value for name, value in values.items() if (group, name) not in lacking}
                         if isinstance(values, dict) else values) for group, values in row.items()
                 if (row.get("event"), group) not in lacking} for row in changed)
            assert changed is wrong or found.verdicts == []
            assert found.summary().startswith("monitor: ") and monitor.state(found.seen)


def test_what_is_no_gan_is_told_what_was_looked_for():
    bare = [{name: group for name, group in row.items() if name in ("step", "event", "loss")} for row in rows()]
    watched = monitor.read(row for row in bare if row.get("event") != "parts")
    assert watched.verdicts == [] and watched.summary() == (
        "monitor: nothing is NaN; its other signs are those of a GAN, and no answers of a D were noted")


def test_a_run_too_short_to_tell_is_not_called_well():
    assert monitor.read(rows(60)).summary() == ("monitor: none of the fifteen failures that it knows; most take more "
                                                "than 60 steps to be seen")


# What healthy runs do, as far from a sign as their logs were


def near_nothing(step):
    """D answers nearly the same to all, as when G is perfect."""
    return {("D", "low"): 0.001, ("D", "high"): 0.004, ("D", "fake"): 0.5005, ("D", "real"): 0.5005,
            ("loss", "d_fake"): 0.694, ("loss", "d_real"): 0.693}


@pytest.mark.parametrize("changes", [
    near_nothing,
    lambda step: {("look", "D on learnt"): 0.07, ("look", "D on held out"): 0.03, ("look", "D on samples"): -0.11},
    lambda step: {("look", "nearest"): 0.03 + 1e-5 * step},
    lambda step: {("look", "period 2"): max(0.1, 9 - step / 20), ("look", "peak 2"): max(1, 9 - step / 20)},
    lambda step: {("fake", "low"): -1.9, ("real", "low"): -0.5}],
    ids=["D that cannot tell", "two means that differ by chance", "a young G with few kinds", "patterns that fade",
         "a G without a last sigmoid"])
def test_what_healthy_runs_do_is_no_sign(changes):
    assert monitor.read(rows(changes=changes)).verdicts == []


def test_a_g_that_reaches_below_what_images_have_is_named():
    verdict, = monitor.read(rows(changes=constant(fake__low=-0.9))).verdicts
    assert verdict["name"] == "ranges differ" and "go as far as -0.9" in verdict["words"]


# In a run


def fooled(kind, *_):
    """What is noted of D's answers, all of which are "real"."""
    return {"as": kind, "low": 0.6, "high": 0.99, "real": 0.9, "fake": 0.9, "right on real": 1.0, "right on fake": 0.0}


def test_a_run_says_what_it_sees_as_it_happens_and_its_log_and_its_end_hold_it(there, monkeypatch, capsys):
    monkeypatch.setattr(watch, "answers", fooled)
    pattern1010.demo(["--steps", "240", "--out", "r"])
    out = capsys.readouterr().out.splitlines()
    said = [k for k, line in enumerate(out) if line.startswith("monitor: step ")]
    assert len(said) == 1 and ": D is fooled: " in out[said[0]]
    assert said[0] < next(k for k, line in enumerate(out) if line.startswith("240 steps"))
    assert any(line.startswith("monitor: D is fooled (step ") for line in out[said[0] + 1:])
    verdict, = (row for row in log.read("r/log.jsonl") if row.get("event") == "verdict")
    assert verdict["number"] == 6 and verdict["words"] in out[said[0]]
    assert monitor.read(log.read("r/log.jsonl")).verdicts == [verdict]
    assert monitor.main(["r"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "step 240 of 240" and told[-1] == out[said[0]]


def test_a_verdict_stands_in_the_log_once_however_often_the_run_is_stopped(there, monkeypatch, capsys):
    monkeypatch.setattr(watch, "answers", fooled)
    for options in (["--steps", "120", "--out", "r"], ["--steps", "240", "--resume", "r"],
                    ["--steps", "300", "--resume", "r"]):
        pattern1010.demo(options)
    found = [row["name"] for row in log.read("r/log.jsonl") if row.get("event") == "verdict"]
    assert found == ["D is fooled"] and capsys.readouterr().out.count("monitor: step ") == 1


def test_the_monitor_reads_a_run_that_is_well_or_has_no_checkpoint_yet(there, capsys):
    pattern1010.demo(["--steps", "120", "--out", "r"])
    shutil.rmtree("r/checkpoint")
    capsys.readouterr()
    assert monitor.main(["r"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("step 120 of 120\nlosses: d_real ") and "‖∇G‖" in out and "a step takes" in out
    assert out.splitlines()[-1].startswith("monitor: none of the fifteen failures that it knows; most take more")


@pytest.mark.parametrize("make, says", [
    (lambda p: None, "there is no such folder"), (lambda p: p.mkdir(), "is no run of a demo"),
    (lambda p: (p.mkdir(), (p / "config.json").write_text(json.dumps({"demo": "mnist", "seed": 1}))),
     "has no log.jsonl to read"),
    (lambda p: (p.mkdir(), (p / "config.json").write_text(json.dumps({"demo": "mnist", "seed": 1})),
                (p / "log.jsonl").write_text("{}\n")), "log.jsonl: line 1 is damaged")])
def test_what_is_no_run_is_refused_in_one_line(tmp_path, capsys, make, says):
    from gans.machinery import commandline, report

    make(tmp_path / "r")
    before = sorted(tmp_path.rglob("*"))
    for command in (monitor.main, report.main):
        with pytest.raises(SystemExit) as ended:
            commandline.main(lambda command=command: command([str(tmp_path / "r")]))
        err = capsys.readouterr().err
        assert ended.value.code == 2 and err.startswith("error: ") and err.count("\n") == 1
        assert says in err.replace("report of", "read")
    assert sorted(tmp_path.rglob("*")) == before


# Faults that are planted in the demos: the short ones; all of them by python -m tests.gans.planted

QUICK = [fault for fault in planted.FAULTS if fault.steps <= 200]


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
def test_a_planted_fault_is_named_in_time(fault, tmp_path):
    found = planted.named(fault, 1, tmp_path)
    assert found.get(fault.name, fault.steps + 1) <= fault.steps, found


@pytest.mark.parametrize("fault", planted.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted_in_the_chapter_as_it_is_written_now(fault):
    for edits in (fault.edits, fault.again):
        assert callable(planted.edited(fault.chapter, edits).demo)


def test_every_sign_has_a_planted_fault_and_every_demo_a_healthy_run():
    from gans.__main__ import CHAPTERS

    assert [fault.name for fault in planted.FAULTS] == NAMES
    assert set(CHAPTERS) <= set(planted.HEALTHY), "add a small run of it"


def test_a_healthy_run_has_no_sign(tmp_path, monkeypatch):
    monkeypatch.setitem(planted.HEALTHY, "mnist", (*planted.SMALL_DIGITS, "--steps", "250"))
    assert planted.healthy("mnist", 1, tmp_path) == {}
