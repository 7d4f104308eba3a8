"""Products and loops on several threads: their values, their bits, and what they do on a busy machine."""

import threading

import numpy as np
import pytest

from minigrad.backend import threads
from minigrad.backend.threads import _threads, dot, for_blocks, one_blas_thread, sum_blocks

needs_openblas = pytest.mark.skipif(_threads.blas is None, reason="NumPy uses another BLAS than OpenBLAS here")


@pytest.fixture
def three(monkeypatch):
    """Three threads, none of them found late so far, and long products from 1,000 multiply-adds on."""
    monkeypatch.setattr(_threads, "count", 3)
    monkeypatch.setattr(threads, "LONG", 1000)
    monkeypatch.setattr(threads, "MEDIUM", 1000)
    for name, value in (("late", 0), ("alone_until", 0.0), ("rest", threads.REST[0])):
        monkeypatch.setattr(_threads, name, value)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", ">f4"])
@pytest.mark.parametrize("m, k, n", [(1, 300, 200), (65, 90, 300), (300, 70, 64), (40, 9000, 2), (257, 129, 130)])
@pytest.mark.parametrize("form", ["plain", "transposed", "strided"])
def test_a_product_is_numpys(three, dtype, m, k, n, form):
    rng = np.random.default_rng(m)
    shapes = {"plain": ((m, k), (k, n)), "transposed": ((k, m), (n, k)), "strided": ((2 * m, k), (k, 2 * n))}[form]
    x, y = (rng.integers(-5, 5, shape).astype(dtype) for shape in shapes)
    if form == "transposed":
        x, y = x.T, y.T
    elif form == "strided":
        x, y = x[::2], y[:, 1::2]
    for a, b in ((x, y), (x[0], y), (x, y[:, 0]), (x[0], y[:, 0])):
        found = dot(a, b)
        assert found.dtype == np.dtype(dtype).newbyteorder("=") and np.shape(found) == np.shape(a.dot(b))
        np.testing.assert_array_equal(found, a.dot(b))  # small integers: no rounding


def test_products_of_two_dtypes_and_of_nothing_are_numpys(three):
    x, y = np.ones((300, 400), "f4"), np.ones((400, 300))
    assert dot(x, y).dtype == "f8" and (dot(x, y) == 400).all()
    for shape, other in (((0, 400), (400, 3)), ((3, 0), (0, 4)), ((4, 400), (400, 0))):
        assert dot(np.ones(shape), np.ones(other)).tolist() == np.ones(shape).dot(np.ones(other)).tolist()


@needs_openblas
def test_the_bits_do_not_depend_on_who_does_the_work(three, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((400, 700), np.float32), rng.standard_normal((700, 300), np.float32)
    together = dot(x, y), sum_blocks(lambda i: x[i].sum(0), len(x), 1, 700, 1 << 16)
    monkeypatch.setattr(_threads, "alone_until", float("inf"))
    alone = dot(x, y), sum_blocks(lambda i: x[i].sum(0), len(x), 1, 700, 1 << 16)
    for a, b in zip(together, alone):
        assert a.tobytes() == b.tobytes()


@needs_openblas
def test_numpys_blas_has_one_thread_inside_and_as_many_as_before_after():
    get, put = _threads.blas
    before = get()
    put(2)
    try:
        with one_blas_thread:
            assert get() == 1
            with one_blas_thread:
                assert get() == 1
            assert get() == 1
        assert get() == 2
        with pytest.raises(ValueError), one_blas_thread:
            raise ValueError
        assert get() == 2
    finally:
        put(before)


def test_who_waits_again_and_again_works_alone_for_a_while_and_longer_each_time(three, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(threads.time, "perf_counter", lambda: clock[0])
    for rest in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0):
        while _threads.alone_until <= clock[0]:
            _threads.note(0.001, 0.01)
        assert _threads.alone_until == pytest.approx(clock[0] + rest)
        clock[0] = _threads.alone_until
    _threads.note(0.001, 0.001)  # a loop that went well: all is as at the beginning
    assert _threads.rest == threads.REST[0]
    for _ in range(2):
        _threads.note(0.001, 0.01)
        _threads.note(0.001, 0.0)
    assert _threads.alone_until <= clock[0], "waiting now and then is no reason"


def test_alone_no_other_thread_is_asked(three, monkeypatch):
    monkeypatch.setattr(_threads, "alone_until", float("inf"))
    seen = set()
    for_blocks(lambda i: seen.add(threading.get_ident()), 64, 1, threads.CACHED, threads.SMALL)
    assert seen == {threading.get_ident()}
