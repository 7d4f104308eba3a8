"""The bell curve in closed forms: densities, distances, divergences, and numbers that are spread evenly."""

from math import erf, log

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import bells
from minigrad.random import stream

X = np.linspace(-30.0, 40.0, 3501)


def test_a_density_has_the_mean_and_the_deviation_that_it_is_asked_for():
    p = bells.density(X, 4.0, 1.25)
    mean = bells.integral(p * X, X)
    assert bells.integral(p, X) == pytest.approx(1, abs=1e-12) and mean == pytest.approx(4, abs=1e-12)
    assert bells.integral(p * (X - mean) ** 2, X) == pytest.approx(1.25 ** 2, abs=1e-12)
    np.testing.assert_allclose(np.log(bells.density(X[1500:2000], 1, 2)), bells.log_density(X[1500:2000], 1, 2))
    np.testing.assert_allclose(np.exp(bells.mixture(X, ((1.0, 2.0), (3.0, 0.5)))),
                               (bells.density(X, 1, 2) + bells.density(X, 3, 0.5)) / 2, atol=1e-15)


def test_the_jensen_shannon_divergence_is_0_for_equal_ln_2_for_far_and_symmetric():
    p, q, far = (bells.log_density(X, *bell) for bell in ((4.0, 1.25), (2.5, 2.0), (-20.0, 0.5)))
    assert bells.jensen_shannon(p, p, X) == pytest.approx(0, abs=1e-12)
    assert bells.jensen_shannon(p, far, X) == pytest.approx(log(2), abs=1e-12)
    assert bells.jensen_shannon(p, q, X) == pytest.approx(bells.jensen_shannon(q, p, X), rel=1e-12)
    rng = np.random.default_rng(0)  # E_p ln(p / m) / 2 + E_q ln(q / m) / 2 by a million samples
    draws = [mean + std * rng.standard_normal(10 ** 6) for mean, std in ((4.0, 1.25), (2.5, 2.0))]
    by_draws = np.mean([np.mean(bells.log_density(x, *bell) - bells.mixture(x, ((4.0, 1.25), (2.5, 2.0))))
                        for x, bell in zip(draws, ((4.0, 1.25), (2.5, 2.0)))])
    assert bells.jensen_shannon(p, q, X) == pytest.approx(by_draws, abs=2e-3)


def test_kolmogorov_smirnov_by_its_definition_and_by_a_known_shift():
    x = np.random.default_rng(1).standard_normal(400)
    true = lambda v: 0.5 + 0.5 * erf(v / 2 ** 0.5)
    by_hand = max(max(abs((x <= v).mean() - true(v)), abs((x < v).mean() - true(v))) for v in x)
    assert bells.kolmogorov_smirnov(x, 0.0, 1.0) == pytest.approx(by_hand, rel=1e-12)
    many = np.random.default_rng(2).standard_normal(40_000)
    assert bells.kolmogorov_smirnov(4 + 1.25 * many, 4.0, 1.25) < 1.63 / 200  # one in a hundred is beyond it
    assert bells.kolmogorov_smirnov(many + 1, 0.0, 1.0) == pytest.approx(2 * true(0.5) - 1, abs=0.01)


def test_stratified_numbers_are_one_from_each_part():
    x = bells.stratified(stream(0, "a"), 256)
    assert x.shape == (256, 1) and x.dtype == np.float32
    parts = [int(256 * (0.5 + 0.5 * erf(v / 2 ** 0.5))) for v in x[:, 0].tolist()]
    assert parts == list(range(256))
    means = [bells.stratified(stream(k, "a"), 256).mean() for k in range(50)]
    assert np.std(means) < 0.1 / 256 ** 0.5, "a tenth of what draws by themselves would do"
    many = np.concatenate([bells.stratified(stream(k, "b"), 256) for k in range(200)])
    assert abs(many.mean()) < 1e-3 and abs(many.std() - 1) < 5e-3


def test_bells_are_densities_and_the_best_one_is_picked():
    fitted = bells.Bells((1.0, -2.0), (0.5, 3.0))
    found = fitted(mg.tensor(X)).detach().numpy()
    for row, bell in zip(found, ((1.0, 0.5), (-2.0, 3.0))):
        np.testing.assert_allclose(row, bells.log_density(X, *bell), rtol=1e-12)
    assert fitted.best(mg.tensor([2.0, 1.0])) == pytest.approx((-2.0, 3.0))
