"""f = xy and the Dirac-GAN: steps by hand, slopes of the games by hand, what theory says, and a run that goes on."""

from math import atan2, cos, exp, pi, sin

import numpy as np
import pytest

import minigrad as mg
from gans import xy
from gans.machinery.log import read_table
from minigrad.random import stream


def at(theta, psi):
    return [mg.tensor([[v]], dtype=mg.float64, requires_grad=True) for v in (theta, psi)]


def sigmoid(t):
    return 1 / (1 + exp(-t))


def test_xy_passes_its_check_and_says_what_it_wrote(there, capsys):
    assert xy.demo(["--check"]) == 0
    out = capsys.readouterr().out
    assert out.count("PASS") == 19 and "PASS simultaneous: radius 11.04 11.038" in out
    for name in ("config.json", "log.jsonl", "metrics.csv", "training.gif"):
        assert (there / "runs/xy" / name).stat().st_size > 100 and f"runs/xy/{name}" in out
    assert not (there / "runs/xy/losses.png").exists(), "there are none"


def test_too_few_steps_fail(there, capsys):
    assert xy.demo(["--check", "--steps", "20"]) == 1
    assert "FAIL extragradient: radius" in capsys.readouterr().out


@pytest.mark.parametrize("step, matrix", [
    (xy.simultaneous, lambda lr: [[1, -lr], [lr, 1]]), (xy.alternating, lambda lr: [[1, -lr], [lr, 1 - lr * lr]]),
    (xy.extragradient, lambda lr: [[1 - lr * lr, -lr], [lr, 1 - lr * lr]])])
@pytest.mark.parametrize("lr", [0.1, 0.7])
def test_each_way_to_step_is_its_matrix(step, matrix, lr):
    pair = xy.Pair(0.6, 0.7)
    step(pair, lr)
    np.testing.assert_allclose([pair.x.item(), pair.y.item()], np.array(matrix(lr)) @ [0.6, 0.7], rtol=1e-14)


def test_simultaneous_steps_are_499_powers_of_the_matrix(there):
    """The radius in numbers: 11.038 after 499 steps, and the angle."""
    pair, lr = xy.Pair(*xy.START), 0.1
    for _ in range(499):
        xy.simultaneous(pair, lr)
    end = np.linalg.matrix_power(np.array([[1, -lr], [lr, 1]]), 499) @ xy.START
    np.testing.assert_allclose([pair.x.item(), pair.y.item()], end, rtol=1e-11)
    assert np.hypot(*end) == pytest.approx(11.038, abs=5e-4)


HERE = 0.8, -1.3  # theta, psi
BY_HAND = {  # (-dG/dtheta, -dD/dpsi)
    "minimax": (lambda t, p: p * sigmoid(p * t), lambda t, p: -t * sigmoid(p * t)),
    "WGAN": (lambda t, p: p, lambda t, p: -t),
    "non-saturating": (lambda t, p: p * sigmoid(-p * t), lambda t, p: -t * sigmoid(p * t)),
    "R1": (lambda t, p: p * sigmoid(-p * t), lambda t, p: -t * sigmoid(p * t) - xy.GAMMA * p),
    "WGAN-GP": (lambda t, p: p, lambda t, p: -t - 0.2 * (abs(p) - 1) * np.sign(p))}


@pytest.mark.parametrize("name", BY_HAND)
def test_where_a_dirac_gan_is_pushed_is_what_one_derives_by_hand(name):
    found = xy.push(xy.DIRAC[name][0], *at(*HERE))
    for value, by_hand in zip(found, BY_HAND[name]):
        assert value.item() == pytest.approx(by_hand(*HERE), rel=1e-9)


def test_instance_noise_is_the_mean_over_a_normal_distribution():
    """By a far finer sum over the density: 400 numbers stand for it to two hundredths."""
    t, p = HERE
    n = np.linspace(-8, 8, 20001)
    density = np.exp(-n * n / 2) / np.exp(-n * n / 2).sum()
    s = lambda x: 1 / (1 + np.exp(-x))
    fake, real = t + xy.SIGMA * n, xy.SIGMA * n
    by_hand = ((density * p * s(-p * fake)).sum(), (density * (real * s(-p * real) - fake * s(p * fake))).sum())
    found = xy.push(xy.DIRAC["instance noise"][0], *at(t, p))
    for value, other in zip(found, by_hand):
        assert value.item() == pytest.approx(other, rel=0.02)


@pytest.mark.parametrize("name", [name for name in xy.DIRAC if name != "WGAN-GP"])
def test_the_jacobian_is_that_of_differences(name):
    game, step = xy.DIRAC[name][0], 1e-5
    slopes = [[(a.item() - b.item()) / (2 * step) for a, b in zip(
        xy.push(game, *at(*(step * way))), xy.push(game, *at(*(-step * way))))] for way in np.eye(2)]
    np.testing.assert_allclose(xy.jacobian(game), np.transpose(slopes), atol=1e-6)


def test_which_games_arrive_is_what_the_paper_says():
    signs = {name: np.sign(np.round(np.linalg.eigvals(xy.jacobian(game)).real.max(), 9))
             for name, (game, *_) in xy.DIRAC.items()}
    assert signs == {"minimax": 0, "WGAN": 0, "clipping": 0, "WGAN-GP": 1, "non-saturating": 0, "R1": -1,
                     "instance noise": -1}


def test_the_games_are_trained_by_ds_step_and_then_gs(there):
    """WGAN without a penalty, by hand: psi -= lr theta, then theta += lr psi; the clipped one stays within 0.5."""
    xy.demo(["--steps", "40", "--seed", "7"])
    rows, angle = read_table("runs/xy/metrics.csv"), 2 * pi * stream(7, "start").random()
    theta, psi = cos(angle), sin(angle)
    for row in rows:
        psi -= 0.1 * theta
        theta += 0.1 * psi
        assert row["measure.WGAN x"] == pytest.approx(theta) and row["measure.WGAN y"] == pytest.approx(psi)
        assert abs(row["measure.clipping y"]) <= 0.5
    assert len(rows) == 40
    turned = atan2(rows[-1]["measure.simultaneous y"], rows[-1]["measure.simultaneous x"]) - atan2(0.7, 0.6)
    assert turned % (2 * pi) == pytest.approx(40 * atan2(0.1, 1), abs=1e-9)


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
def test_a_run_that_is_resumed_has_the_same_ways_numbers_and_picture(there, ended):
    xy.demo(["--steps", "60", "--out", "whole"])
    xy.demo(["--steps", "25", "--out", "parts"])
    xy.demo(["--steps", "60", "--resume", "parts"])
    assert ended("whole") == ended("parts")
    last = "samples/step-00000060.png"
    assert (there / "whole" / last).read_bytes() == (there / "parts" / last).read_bytes()


def test_a_step_is_replayed_to_the_bit(there, capsys):
    xy.demo(["--steps", "30", "--out", "r"])
    with pytest.raises(SystemExit) as stopped:
        xy.demo(["--replay-step", "30", "--resume", "r"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0 and "equal to the last bit" in out and "all equal to the last digit" in out
