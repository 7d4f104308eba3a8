"""Datasets and minibatches: every sample once, an order that can be resumed, no thread left behind."""

import gc
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split


class Squares(Dataset):
    def __init__(self, count):
        self.count = count

    def __getitem__(self, index):
        if index >= self.count:
            raise IndexError
        return mg.tensor([float(index)]), index * index

    def __len__(self):
        return self.count


def loader_threads():
    return [t for t in threading.enumerate() if t.name == "minigrad-loader"]


def numbers(batches):
    return [x.flatten().long().tolist() for x, *_ in batches]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count, size", [(1, 1), (7, 2), (8, 2), (3, 3), (9, 4)])
def test_an_epoch_holds_every_sample_once(prefetch, drop_last, count, size):
    tensors = TensorDataset(mg.arange(count))
    for data in (Squares(count), tensors, Subset(tensors, range(count))):
        loader = DataLoader(data, size, shuffle=True, drop_last=drop_last, prefetch=prefetch)
        batches = numbers(loader)
        assert len(batches) == len(loader) and all(len(batch) == size for batch in batches[:-1])
        seen = sorted(sum(batches, []))
        assert seen == list(range(count)) or drop_last and len(seen) == len(set(seen)) == count // size * size


def test_the_order_depends_on_seed_and_epoch_alone():
    def orders(seed, **options):
        loader = DataLoader(TensorDataset(mg.arange(20)), 3, shuffle=True, seed=seed, **options)
        return [numbers(loader) for _ in range(3)]

    mg.manual_seed(1)
    one = orders(5)
    mg.rand(3)
    assert orders(5, prefetch=2) == one and orders(6) != one
    assert one[0] != one[1] != one[2]


def test_a_resumed_epoch_goes_on_exactly():
    def make():
        return DataLoader(Squares(20), 3, shuffle=True, seed=5)

    loader = make()
    whole = [numbers(loader) for _ in range(3)]
    other = make()
    other.set_epoch(2)
    assert numbers(other) == whole[2]
    assert numbers(make().batches(epoch=1, first=4)) == whole[1][4:]
    assert numbers(make().batches(epoch=1, first=7)) == []


def test_manual_seed_decides_where_no_seed_is_given():
    def order():
        mg.manual_seed(3)
        return numbers(DataLoader(Squares(20), 4, shuffle=True))

    assert order() == order()
    assert numbers(DataLoader(Squares(20), 4, True, generator=np.random.default_rng(1))) == numbers(
        DataLoader(Squares(20), 4, True, generator=np.random.default_rng(1)))


def test_without_shuffling_the_order_is_the_datasets():
    assert numbers(DataLoader(Squares(5), 2)) == [[0, 1], [2, 3], [4]]
    assert [label for _, label in Squares(3)] == [0, 1, 4]


def test_tensor_datasets_are_read_a_batch_at_a_time():
    class Counted(TensorDataset):
        reads = 0

        def __getitem__(self, index):
            Counted.reads += 1
            return super().__getitem__(index)

    images, labels = mg.randn(50, 1, 4, 4), mg.arange(50)
    slow = DataLoader(Counted(images, labels), 8, shuffle=True, seed=1)
    fast = DataLoader(TensorDataset(images, labels), 8, shuffle=True, seed=1)
    subset = Subset(Subset(TensorDataset(images, labels), range(50)), list(range(50)))
    split = DataLoader(subset, 8, shuffle=True, seed=1)
    for a, b, c in zip(slow, fast, split, strict=True):
        assert type(a) is type(b) is type(c) is list
        for x, y, z in zip(a, b, c):
            assert x.dtype == y.dtype == z.dtype and (x == y).all() and (x == z).all()
    assert Counted.reads == 50  # an overridden __getitem__ is not passed by


def test_a_batch_does_not_share_memory_with_the_dataset():
    x = mg.zeros(4, 2)
    batch, = next(iter(DataLoader(TensorDataset(x), 2)))
    batch.fill_(1)
    assert x.sum().item() == 0


Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize("samples", [
    [np.zeros((2, 3), "f4"), np.ones((2, 3), "f4")], [1, 2], [1.5, 2.5], [True, False], ["a", "b"], [b"a", b"b"],
    [np.float32(1), np.float32(2)], [np.float64(1), np.float64(2)], [np.int32(1), np.int32(2)],
    [(1, 2.0), (3, 4.0)], [[1, "x"], [2, "y"]], [{"a": 1, "b": (2, "z")}, {"a": 3, "b": (4, "w")}],
    [Pair(1, 2), Pair(3, 4)], [(), ()]], ids=str)
def test_collating_is_pytorchs(samples):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")

    def check(ours, theirs):
        if isinstance(theirs, torch.Tensor):
            assert ours.dtype == theirs.numpy().dtype and np.array_equal(ours.numpy(), theirs.numpy())
        elif isinstance(theirs, dict):
            assert ours.keys() == theirs.keys() and all(check(ours[k], theirs[k]) is None for k in theirs)
        elif isinstance(theirs, list | tuple):
            assert type(ours) is type(theirs) and len(ours) == len(theirs)
            for a, b in zip(ours, theirs):
                check(a, b)
        else:
            assert ours == theirs

    check(default_collate(samples), torch.utils.data.default_collate(samples))


@pytest.mark.parametrize("samples, message", [
    ([mg.zeros(2), mg.zeros(3)], "different shapes"), ([object()], "cannot batch a object"),
    ([(1, 2), (3,)], "2 and 1 parts"), ([None], "cannot batch a NoneType")])
def test_what_cannot_be_collated_says_why(samples, message):
    with pytest.raises((ValueError, TypeError), match=message):
        default_collate(samples)


def test_a_collate_function_of_ones_own_gets_the_samples():
    data = TensorDataset(mg.arange(4))
    assert list(DataLoader(data, 2, collate_fn=lambda samples: [x.item() for x, in samples])) == [[0, 1], [2, 3]]
    assert next(iter(DataLoader([5, 6, 7], 3))).tolist() == [5, 6, 7]


@pytest.mark.parametrize("make, message", [
    (lambda: DataLoader(Squares(3), 4, drop_last=True), "Squares has 3 samples, so there is no batch of 4"),
    (lambda: DataLoader(Squares(0)), "0 samples"),
    (lambda: DataLoader(Squares(3), 0), "batch_size is 0"),
    (lambda: DataLoader(Squares(3), 2.0), "batch_size is 2.0"),
    (lambda: DataLoader(iter([1])), "define __getitem__"),
    (lambda: TensorDataset(mg.zeros(2), mg.zeros(3)), "lengths 2, 3"),
    (lambda: TensorDataset(), "one or more tensors"),
    (lambda: TensorDataset(mg.tensor(1.0)), "axis of samples"),
    (lambda: random_split(Squares(5), [2, 2]), "add up to 4, the dataset has 5"),
    (lambda: Dataset()[0], "defines no __getitem__")])
def test_misuse_says_what_to_do(make, message):
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        make()


def test_a_random_split_shares_nothing_and_loses_nothing():
    mg.manual_seed(1)
    for lengths, expected in (([7, 3], [7, 3]), ([0.75, 0.25], [8, 2]), ([0.35, 0.35, 0.3], [4, 3, 3])):
        parts = random_split(Squares(10), lengths)
        assert [len(p) for p in parts] == expected
        assert sorted(label for p in parts for _, label in p) == [n * n for n in range(10)]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_the_dataset_reaches_the_loop(prefetch):
    class Broken(Squares):
        def __getitem__(self, index):
            if index == 5:
                raise OSError("disk on fire")
            return super().__getitem__(index)

    seen = []
    with pytest.raises(OSError, match="disk on fire"):
        for batch in DataLoader(Broken(10), 2, prefetch=prefetch):
            seen.append(batch)
    assert len(seen) == 2 and not loader_threads()


def test_no_thread_outlives_its_loop():
    loader = DataLoader(Squares(100), 2, num_workers=2)
    assert loader.prefetch == 4
    for _ in loader:
        break
    assert not loader_threads()
    iterator = iter(loader)
    next(iterator)
    assert len(loader_threads()) == 1
    del iterator
    gc.collect()
    assert not loader_threads()
    assert len(list(loader)) == 50 and not loader_threads()
    with pytest.raises(KeyboardInterrupt):
        for _ in loader:
            raise KeyboardInterrupt
    gc.collect()
    assert not loader_threads()


def test_reading_ahead_stays_within_its_limit():
    class Watched(Squares):
        read = 0

        def __getitem__(self, index):
            self.read += 1
            return super().__getitem__(index)

    data = Watched(100)
    iterator = iter(DataLoader(data, 1, prefetch=3))
    next(iterator)
    while data.read < 4:  # one that was taken, and three ahead
        time.sleep(0.001)
    time.sleep(0.05)
    assert data.read == 4
    iterator.close()
    assert not loader_threads()
