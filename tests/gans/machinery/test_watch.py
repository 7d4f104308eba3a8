"""What a training is watched by: figures against plain NumPy, and that nothing of the training changes."""

import sys

import numpy as np
import pytest

import minigrad as mg
from gans import cgan, dcgan, face, mnist, pattern1010
from gans.machinery import log, replay, run, samples, watch
from minigrad import checkpoint, nn, optim


def test_the_answers_of_d_are_told_as_probabilities_and_as_they_are():
    real, fake = np.float32([[0.0], [2.0], [-1.0], [900.0]]), np.float32([[-3.0], [1.0]])
    found = watch.answers("logits", mg.tensor(real, requires_grad=True), mg.tensor(fake))
    sigmoid = lambda x: 1 / (1 + np.exp(-x.astype(float)))
    with np.errstate(over="ignore"):
        expected = sigmoid(real).mean(), sigmoid(fake).mean()
    assert (found["real"], found["fake"]) == pytest.approx(expected)
    assert (found["low"], found["high"], found["right on real"], found["right on fake"]) == (-3, 900, 0.5, 0.5)
    found = watch.answers("probabilities", np.float32([0.9, 0.4]), np.float32([0.2]))
    assert found["real"] == pytest.approx(0.65) and found["right on real"] == 0.5 and found["right on fake"] == 1
    assert watch.answers("scores", real, fake) == {"as": "scores", "low": -3, "high": 900, "real": 225.25,
                                                    "fake": -1}


@pytest.mark.parametrize("shape, order", [((3, 4), (0, 1)), ((3, 4), (1, 0)), ((2, 3, 4, 5), (0, 2, 3, 1)), ((), ())])
def test_norms_and_samples_are_of_any_layout(shape, order):
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    laid = np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order)) if shape else array
    assert watch.norm(laid) == pytest.approx(np.linalg.norm(array.astype(float)), rel=1e-6)
    np.testing.assert_array_equal(watch.sampled(laid), array)
    large = np.zeros((300, 20, 4, 4), np.float32)
    assert 500 < watch.sampled(large).size < 3000 and not np.shares_memory(large, watch.sampled(large))


def test_gradients_and_updates_are_those_of_the_step():
    G, D = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    parts = {"G": G, "D": D, "average": optim.EMA(G), "optimiser_g": optim.SGD(G.parameters(), 0.1),
             "optimiser_d": optim.SGD(D.parameters(), 0.01)}
    watching = watch.Updates(parts)
    assert watching.end() == {"grad": {}, "update": {}}
    watching.begin()
    (D(G(mg.randn(5, 3))) ** 2).sum().backward()
    grads = {name: [p.grad.numpy().copy() for p in net.parameters()] for name, net in (("G", G), ("D", D))}
    weights = {name: [p.detach().numpy().copy() for p in net.parameters()] for name, net in (("G", G), ("D", D))}
    parts["optimiser_d"].step()
    parts["optimiser_g"].step()
    row = watching.end()
    whole = lambda arrays: np.sqrt(sum((x.astype(float) ** 2).sum() for x in arrays))
    for name, rate in (("G", 0.1), ("D", 0.01)):
        assert row["grad"][name] == pytest.approx(whole(grads[name]), rel=1e-5)
        assert row["update"][name] == pytest.approx(rate * whole(grads[name]) / whole(weights[name]), rel=1e-3)
    assert [name for name, *_ in watching.found] == ["optimiser_d", "optimiser_g"]
    parts["optimiser_d"].step()
    assert len(watching.found) == 2, "watched no more"


def test_the_anatomy_tells_which_optimiser_holds_which_networks():
    G, D = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
    both = optim.Adam([*G.parameters(), *D.parameters()], 0.1)
    found = watch.anatomy({"G": G, "D": D, "average": optim.EMA(G), "both": both})
    assert found == {"nets": {"G": {"parameters": 8, "batch norm": False}, "D": {"parameters": 20, "batch norm": True}},
                     "optimisers": {"both": {"kind": "Adam", "nets": ["G", "D"], "lr": 0.1}}, "averaged": ["average"]}


def test_spread_is_the_mean_distance_of_two():
    values = np.random.default_rng(0).random((7, 30)).astype(np.float32)
    slow = [np.sqrt(((a - b) ** 2).mean()) for i, a in enumerate(values) for j, b in enumerate(values) if i != j]
    assert watch.spread(values) == pytest.approx(np.mean(slow), rel=1e-5)
    assert watch.spread(np.full((5, 30), 0.3, np.float32)) == 0 == watch.spread(values[:1])


@pytest.mark.parametrize("size", [8, 9, 28])
def test_a_checkerboard_is_told_from_noise_by_its_period(size):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, size, size), np.uint8)
    y, x = np.mgrid[:size, :size]
    board = np.broadcast_to(((y + x) % 2 * 100).astype(np.uint8), (20, size, size))
    stripes = np.broadcast_to((x // 2 % 2 * 100).astype(np.uint8)[..., None], (20, size, size, 3))
    for pixels in (2, 4):
        assert watch.period(noise, pixels) == (pytest.approx(1, rel=0.3), pytest.approx(1, rel=0.5))
    if size % 4 == 0:
        lines = 1 - (1 - 1 / size) ** 2, 1 - (1 - 2 / size) ** 2  # of the plane of frequencies, for 2 and for 4 pixels
        assert watch.period(board, 2)[0] == pytest.approx(1 / lines[0]) and watch.period(board, 2)[1] > 1e6
        assert watch.period(stripes, 4)[0] == pytest.approx(1 / lines[1])
        assert watch.period(board, 4)[0] == pytest.approx(0, abs=1e-9) == watch.period(stripes, 2)[0]
    mixed = watch.period(noise // 2 + board // 4, 2)
    assert mixed[0] > watch.period(noise, 2)[0] and mixed[1] > watch.period(noise, 2)[1]
    assert watch.period(np.full((3, size, size), 7, np.uint8), 2) == (0, 1) == watch.period(noise[:, :7, :7], 2)


def test_the_nearest_fellow_is_of_the_same_group():
    values = np.random.default_rng(0).integers(0, 256, (6, 4, 4), np.uint8)
    rows = values.reshape(6, -1) / 255
    near = lambda rows: [min(np.sqrt(((a - b) ** 2).mean()) for j, b in enumerate(rows) if j != i)
                         for i, a in enumerate(rows)]
    assert watch.describe(values)["nearest"] == pytest.approx(np.mean(near(rows)), rel=1e-5)
    grouped = np.mean(near(rows[:3]) + near(rows[3:]))
    assert watch.describe(values, groups=2)["nearest"] == pytest.approx(grouped, rel=1e-5)
    assert watch.describe(np.repeat(values[:1], 6, 0))["nearest"] == 0 == watch.nearest(rows[:1])


def test_labels_that_change_nothing_are_told_by_the_samples():
    rng = np.random.default_rng(0)
    seeds, kinds = rng.integers(0, 100, (1, 5, 8, 8)), rng.integers(0, 100, (3, 1, 8, 8))
    deaf, heard, alone = (np.broadcast_to(x, (3, 5, 8, 8)).reshape(15, 8, 8).astype(np.uint8)
                          for x in (seeds, seeds + kinds, kinds))
    assert watch.by_label(deaf, 3) == pytest.approx(0, abs=1e-6) and 0.5 < watch.by_label(heard, 3) < 1.3
    assert watch.by_label(alone, 3) > 1 and watch.by_label(np.zeros((6, 4, 4), np.uint8), 3) == 0


def test_a_batch_that_networks_with_batch_normalisation_learn_from_is_counted_and_looks_are_not():
    D = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    parts = {"D": D, "plain": nn.Linear(2, 1), "optimiser_d": optim.SGD(D.parameters(), 0.1)}
    watching = watch.Updates(parts)
    watching.begin()
    for n in (4, 6):
        D(mg.randn(n, 2))
        parts["plain"](mg.randn(9, 2))
    with mg.no_grad():
        D(mg.randn(50, 2))
    watch.confidence(D, {"all": (mg.randn(60, 2),)})
    assert watching.end()["batch"] == {"D": 6}
    D(mg.randn(70, 2))
    assert watching.batches == {"D": 6}, "watched no more"


def test_pixels_are_of_the_first_few_and_tell_how_many_there_are():
    images = np.random.default_rng(0).random((20, 3, 4, 4)).astype(np.float32)
    images[watch.FEW:] = 9
    found = watch.pixels(mg.tensor(images))
    first = images[:watch.FEW]
    assert (found["images"], found["values"], found["high"]) == (20, 48, first.max())
    assert found["spread"] == pytest.approx(watch.spread(first.reshape(len(first), -1)))


def test_two_modes_differ_where_running_statistics_do_not_fit_and_leave_no_trace():
    mg.manual_seed(0)
    G = samples.described(nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 16)), (3,))
    z = mg.randn(64, 3)
    before, numbers = {name: value.clone() for name, value in G.state_dict().items()}, str(mg.get_rng_state())
    assert watch.two_modes(G, (z,)) > 0.2
    assert all((value == before[name]).all() for name, value in G.state_dict().items()) and G[1].training
    assert str(mg.get_rng_state()) == numbers
    plain = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8))
    for _ in range(200):
        plain(z)
    assert watch.two_modes(plain, (z,)) < 0.02, "after enough batches like this one"
    assert watch.two_modes(nn.Linear(3, 2), (z,)) is None


def test_confidence_is_in_evaluation_mode_and_leaves_no_trace():
    D = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    x = mg.randn(6, 2)
    before = {name: value.clone() for name, value in D.state_dict().items()}
    found = watch.confidence(D, {"a": (x,), "b": (x * 2,)})
    assert D.training and all((value == before[name]).all() for name, value in D.state_dict().items())
    assert found["a"] == pytest.approx(D.eval()(x).mean().item()) and found["a"] != found["b"]


SMALL = {pattern1010: [], mnist: ["--batch", "8"], cgan: ["--batch", "8"],
         face: ["--data", "synthetic-faces", "--size", "16", "--batch", "8"],
         dcgan: ["--data", "synthetic-faces", "--size", "16", "--width", "2", "--batch", "8"]}


@pytest.mark.parametrize("chapter", SMALL, ids=lambda chapter: chapter.__name__)
def test_watching_changes_no_bit_of_the_training_and_finds_what_a_verdict_needs(there, monkeypatch, chapter):
    monkeypatch.setattr(face, "COMPARED", 20)
    monkeypatch.setattr(run, "WATCH_EVERY", 2)
    monkeypatch.setattr(run, "LOG_EVERY", 1)
    monkeypatch.setitem(run.Run.__init__.__kwdefaults__, "pictures", 4)
    options = [*SMALL[chapter], "--steps", "12"]
    chapter.demo([*options, "--out", "watched"])
    nothing = lambda *_, **__: None
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        for name in ("log", "show", "_watched", "picture_due"):
            patch.setattr(run.Run, name, nothing)
        patch.setattr(run.Run, "finish", lambda *_: sys.exit())
        chapter.demo([*options, "--out", "alone"])
    digests = {replay.digest(checkpoint.load(f"{name}/checkpoint").state["parts"]) for name in ("watched", "alone")}
    assert len(digests) == 1
    rows = log.read("watched/log.jsonl")
    names = {(group, name) for row in rows for group, values in row.items() if isinstance(values, dict)
             for name in values}
    assert {("D", "real"), ("D", "fake"), ("D", "right on real"), ("D", "low"), ("grad", "G"), ("grad", "D"),
            ("update", "G"), ("update", "D"), ("machine", "ms"), ("machine", "host MiB")} <= names
    events = {row["event"]: row for row in rows if "event" in row}
    assert {"G", "D"} == set(events["parts"]["nets"])
    if chapter is not pattern1010:
        assert {("real", "low"), ("fake", "high"), ("fake", "std"), ("look", "spread"), ("look", "moved"),
                ("look", "period 2"), ("look", "D on held out"), ("look", "D on learnt"), ("look", "D on samples"),
                ("look", "two modes"), ("look", "nearest"), ("look", "peak 2"), ("fake", "spread"),
                ("real", "images")} <= names
        assert events["reals"]["spread"] > 0
