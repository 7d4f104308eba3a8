"""How much memory a training takes: the peak, the sizes of what there is."""

import gc
import mmap
import tracemalloc

import numpy as np
import pytest

import minigrad as mg
from gans import face
from gans.machinery.memory import MIB, Peak, layer_outputs, resident, size_of
from minigrad import cuda, nn, optim


def test_the_peak_counts_what_was_there_at_once():
    peak = Peak()
    assert peak.host() < 0.1
    a, b = np.ones(MIB), np.ones(MIB // 2)  # 8 and 4 MiB
    assert 12 <= peak.host() < 12.1
    del a
    c = np.ones(MIB // 4)
    assert 12 <= peak.host() < 12.1, "freed and taken again: no more than before"
    d = np.ones(MIB)
    assert 14 <= peak.host() < 14.1
    later = Peak()
    assert later.host() < 0.1, "what was there before does not count"
    del b, c, d, later
    assert Peak().device() is None or cuda.is_available()


def test_counting_ends_with_the_peak_unless_someone_else_counts():
    gc.collect()  # a run that ended in an exception may still be there, with its own
    assert not tracemalloc.is_tracing()
    peak = Peak()
    assert tracemalloc.is_tracing()
    del peak
    gc.collect()
    assert not tracemalloc.is_tracing(), "it slows down what comes next"
    tracemalloc.start()
    try:
        Peak().host()
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_the_size_of_parts_is_that_of_their_arrays():
    net = nn.Sequential(nn.Linear(255, 1024), nn.BatchNorm1d(1024))  # with its bias 1 MiB, and 4 of 4 KiB, and 8 bytes
    optimiser = optim.Adam(net.parameters())
    assert size_of(net) == 1 + 4 / 256 + 8 / MIB
    assert size_of(optimiser) == 0 and size_of(optim.EMA(net)) == size_of(net)
    net(mg.randn(4, 255)).sum().backward()
    optimiser.step()
    assert 2 * (1 + 2 / 256) <= size_of(optimiser) < 2 * (1 + 2 / 256) + 0.001, "two moments of each parameter"
    assert size_of(net, optimiser, np.ones(MIB), mg.ones(MIB // 4)) == size_of(net) + size_of(optimiser) + 8 + 1
    assert size_of() == 0 and size_of({"a": {"b": np.ones(MIB)}, "c": 5}) == 8


def test_activations_are_what_the_layers_put_out():
    shape = (16, 16, 3)
    G, D = face.networks(shape)
    values = 768 + 3 * 300 + 2 * 768 + 3 * 100 + 1  # real images; Linear, LeakyReLU, LayerNorm; Linear, Sigmoid; D
    assert layer_outputs([*G, *D], shape, 8) == pytest.approx(8 * values * 4 / MIB)


def test_the_resident_memory_is_that_of_this_process():
    before = resident()
    with mmap.mmap(-1, 128 * 2**20) as block:  # not of NumPy, which may have as much at hand from before
        block.write(bytes(128 * 2**20))
        grown = resident() - before
    assert before > 5 and grown > 64
