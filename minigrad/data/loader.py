"""Datasets and minibatches: PyTorch's `Dataset`, `TensorDataset`, `Subset`, `random_split` and `DataLoader`.

The order of epoch e is a function of (seed, e) and nothing else, so a training that stops in the middle of an epoch
goes on with the very batches that it would have seen: `for batch in loader.batches(epoch, first=37)`.
"""

import math
import threading
from queue import SimpleQueue

import numpy

from minigrad import create, ops, random
from minigrad.backend import array_module
from minigrad.graph import Handle, Op


class Dataset:
    """Samples by number: subclass it and define `__getitem__(index)` and `__len__()`.

    A `__getitem__` that raises IndexError behind the last sample makes `for sample in dataset` work, too.
    """

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__(index); return sample `index` there")


class TensorDataset(Dataset):
    """Tensors side by side: sample i is (a[i], b[i], ...). All have the same length, their first axis.

    >>> TensorDataset(create.arange(3), create.zeros(3, 2))[1]
    (tensor(1), tensor([0., 0.]))
    """

    def __init__(self, *tensors):
        if not tensors or any(not isinstance(t, Handle) or not t.ndim for t in tensors):
            raise TypeError("TensorDataset: give one or more tensors that have an axis of samples")
        if len({len(t) for t in tensors}) > 1:
            raise ValueError(f"TensorDataset: the tensors have lengths {', '.join(str(len(t)) for t in tensors)}; "
                             "give as many of each")
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(t[index] for t in self.tensors)

    def __len__(self):
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of `dataset` whose numbers stand in `indices`."""

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        return self.dataset[int(self.indices[index])]

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Subsets without common samples, drawn at random: random_split(dataset, [50, 10]) or [0.8, 0.2].

    Fractions that add up to 1 are rounded down, and what is left over goes to the first ones. `generator` is a
    Generator; without one the global generator draws.
    """
    total, lengths = len(dataset), list(lengths)
    if any(isinstance(n, float) for n in lengths) and math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError(f"random_split: the lengths {lengths} add up to {sum(lengths)}, the dataset has {total} "
                         f"samples; make them add up to {total}, or give fractions that add up to 1")
    order = random.permutation(numpy, total, generator).tolist()
    ends = numpy.cumsum(lengths).tolist()
    return [Subset(dataset, order[end - n:end]) for n, end in zip(lengths, ends)]


def default_collate(samples):
    """A batch from a list of samples, as PyTorch forms it.

    Tensors and arrays are stacked along a new first axis; floats become a float64 tensor, integers int64; strings stay
    as they are; dicts are taken apart key by key, tuples and lists place by place (and become lists).

    >>> default_collate([(create.zeros(2), 7), (create.ones(2), 8)])
    [tensor([[0., 0.],
             [1., 1.]]), tensor([7, 8])]
    """
    first = samples[0]
    if isinstance(first, (Handle, numpy.ndarray)):
        shapes = {tuple(sample.shape) for sample in samples}
        if len(shapes) > 1:
            raise ValueError(f"default_collate: the samples have different shapes, {' and '.join(map(str, shapes))}; "
                             "give them one shape, or pass a collate_fn that does")
        return ops.stack(samples) if isinstance(first, Handle) else Op.wrap(numpy.stack(samples))
    if isinstance(first, float) and not isinstance(first, numpy.generic):
        return create.tensor(samples, dtype=create.float64)
    if isinstance(first, (int, numpy.generic)):
        return Op.wrap(numpy.array(samples))
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, dict):
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        if len({len(sample) for sample in samples}) > 1:
            raise ValueError(f"default_collate: the samples have {' and '.join(str(len(s)) for s in samples[:5])} "
                             "parts; give all of them as many")
        places = [default_collate(place) for place in zip(*samples)]
        return type(first)(*places) if hasattr(first, "_fields") else places
    raise TypeError(f"default_collate: cannot batch a {type(first).__name__}; give tensors, arrays, numbers, strings, "
                    "or tuples, lists and dicts of them, or pass a collate_fn")


class DataLoader:
    """The minibatches of a dataset, epoch after epoch.

    Args:
        dataset: anything with `__getitem__` and `__len__`. A TensorDataset is read a batch at a time, not item by item.
        batch_size: samples in a batch, 1 or more.
        shuffle: whether every epoch has an order of its own.
        num_workers: 0 reads in the calling thread. More than 0 reads ahead in one thread of its own, 2 batches a
            worker; that pays where reading waits for a disk or spends its time inside NumPy.
        collate_fn: makes a batch from a list of samples; `default_collate` if None.
        pin_memory: taken for PyTorch's sake, without effect.
        drop_last: whether to leave out a last batch that is not full.
        generator: a Generator that the seed is drawn from if there is none.
        seed: decides the order together with the number of the epoch. Drawn if None, so that `manual_seed` decides.
        prefetch: how many batches to read ahead, instead of 2 * num_workers. Reading ahead shares the global random
            generator with the training: a dataset that draws from it is reproducible only with 0.

    Each pass over the loader is the next epoch, counted from 0; `set_epoch` says which one the next pass is.

    >>> data = TensorDataset(create.arange(5))
    >>> [x.tolist() for x, in DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    >>> loader = DataLoader(data, 2, shuffle=True, seed=1)
    >>> first, second = ([x.tolist() for x, in loader] for epoch in range(2))
    >>> first == second, [x.tolist() for x, in loader.batches(epoch=1, first=1)] == second[1:]
    (False, True)
    """

    def __init__(self, dataset, batch_size=1, shuffle=False, *, num_workers=0, collate_fn=None, pin_memory=False,
                 drop_last=False, generator=None, seed=None, prefetch=None):
        name = type(dataset).__name__
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"DataLoader: {name} cannot be read by number; define __getitem__(index) and __len__()")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size is {batch_size!r}; use an integer of 1 or more")
        if not len(dataset) or drop_last and batch_size > len(dataset):
            raise ValueError(f"DataLoader: {name} has {len(dataset)} samples, so there is no batch of {batch_size}; "
                             "use a smaller batch_size, or more data")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, bool(shuffle), drop_last
        self.collate_fn, self.epoch = collate_fn, 0
        self.prefetch = 2 * num_workers if prefetch is None else prefetch
        if seed is None and shuffle:
            seed = int(random.generator(numpy, generator).integers(2**63))
        self.seed = seed

    def __len__(self):
        count = len(self.dataset) / self.batch_size
        return math.floor(count) if self.drop_last else math.ceil(count)

    def set_epoch(self, epoch):
        """Make the next pass over the loader epoch number `epoch`."""
        self.epoch = epoch

    def __iter__(self):
        self.epoch += 1
        return self.batches(self.epoch - 1)

    def batches(self, epoch, first=0):
        """Iterate over the batches of an epoch, from number `first` on."""
        made = self._made(epoch, first)
        return _ahead(made, self.prefetch) if self.prefetch else made

    def _made(self, epoch, first):
        count, size = len(self.dataset), self.batch_size
        order = random.stream(self.seed, "order", epoch).permutation(count) if self.shuffle else numpy.arange(count)
        for i in range(first, len(self)):
            yield self._batch(order[i * size:(i + 1) * size])

    def _batch(self, numbers):
        if self.collate_fn is not None:
            return self.collate_fn([self.dataset[i] for i in numbers.tolist()])
        dataset = self.dataset
        while type(dataset) is Subset:
            dataset, numbers = dataset.dataset, numpy.asarray(dataset.indices)[numbers]
        if type(dataset).__getitem__ is TensorDataset.__getitem__:
            return [t[array_module(t.array).asarray(numbers)] for t in dataset.tensors]
        return default_collate([dataset[i] for i in numbers.tolist()])


def _ahead(source, depth):
    """The items of `source`, made up to `depth` ahead in a thread that ends with this generator."""
    ready, room, stopped = SimpleQueue(), threading.Semaphore(depth), threading.Event()

    def work():
        try:
            while room.acquire() and not stopped.is_set():
                ready.put((next(source), None))
        except BaseException as error:  # StopIteration, too; whatever it is, it belongs to the consumer
            ready.put((None, error))

    thread = threading.Thread(target=work, name="minigrad-loader", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield item
    finally:
        stopped.set()
        room.release()
        if thread is not threading.current_thread():  # where the collector ends an abandoned iteration
            thread.join()
