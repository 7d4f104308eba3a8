"""Faults of what a training sees, in which order: random streams, loaders, splits, batches."""

import numpy

from minigrad import create, random
from minigrad.data import loader
from minigrad.testing.faults.fault import check, expect, wrong

_stream, _collate, _split, _batches = random.stream, loader.default_collate, loader.random_split, \
    loader.DataLoader.batches


def _made(order=lambda self, epoch, count: random.stream(self.seed, "order", epoch).permutation(count)
          if self.shuffle else numpy.arange(count), start=lambda i, size: i * size, skip=lambda first: first):
    """The loader's batches with another order, other limits, or from another one on."""
    def made(self, epoch, first):
        chosen, size = order(self, epoch, len(self.dataset)), self.batch_size
        for i in range(skip(first), len(self)):
            yield self._batch(chosen[start(i, size):start(i, size) + size])

    return made


wrong("order-off-by-one", "every batch begins one sample late", loader.DataLoader,
      _made(start=lambda i, size: i * size + 1), "_made", "an epoch")
wrong("order-overlaps", "batches overlap by a sample", loader.DataLoader,
      _made(start=lambda i, size: i * (size - 1)), "_made", "an epoch")
wrong("order-replaces", "the order is drawn with replacement", loader.DataLoader,
      _made(lambda self, epoch, count: random.stream(self.seed, "order", epoch).integers(0, count, count)
            if self.shuffle else numpy.arange(count)), "_made", "an epoch")
wrong("order-same-every-epoch", "every epoch has the first one's order", loader.DataLoader,
      _made(lambda self, epoch, count: random.stream(self.seed, "order", 0).permutation(count)
            if self.shuffle else numpy.arange(count)), "_made", "an epoch")
wrong("order-unseeded", "the order does not depend on the seed", loader.DataLoader,
      _made(lambda self, epoch, count: random.stream(0, "order", epoch).permutation(count)
            if self.shuffle else numpy.arange(count)), "_made", "an epoch")
wrong("order-always-shuffled", "shuffle=False shuffles", loader.DataLoader,
      _made(lambda self, epoch, count: random.stream(self.seed or 0, "order", epoch).permutation(count)), "_made",
      "an epoch")
wrong("epoch-from-the-start", "an epoch that is resumed begins at its start", loader.DataLoader,
      _made(skip=lambda first: 0), "_made", "an epoch")
wrong("epoch-skips-one", "an epoch that is resumed leaves a batch out", loader.DataLoader,
      _made(skip=lambda first: first + (first > 0)), "_made", "an epoch")
wrong("epoch-not-set", "set_epoch has no effect", loader.DataLoader, lambda self, epoch: None, "set_epoch", "an epoch")
wrong("last-batch-counted", "len counts a last batch that is dropped", loader.DataLoader,
      lambda self: -(-len(self.dataset) // self.batch_size), "__len__", "an epoch")
wrong("last-batch-dropped", "a last batch that is not full is always dropped", loader.DataLoader,
      lambda self: len(self.dataset) // self.batch_size, "__len__", "an epoch")
wrong("ahead-loses-one", "reading ahead loses the first batch", loader,
      (lambda ahead: lambda source, depth: ahead((x for i, x in enumerate(source) if i), depth))(loader._ahead),
      "_ahead", "an epoch")
wrong("ahead-swaps", "reading ahead gives batches in another order", loader,
      lambda source, depth: iter(list(source)[::-1]), "_ahead", "an epoch")
wrong("subset-whole", "a subset is read by the whole set's numbers", loader.Subset,
      lambda self, index: self.dataset[index], "__getitem__", "splits")
wrong("rows-misaligned", "a sample has its neighbour's label", loader.TensorDataset,
      lambda self, index: tuple(t[(index + i) % len(t)] for i, t in enumerate(self.tensors)), "__getitem__", "splits")
wrong("split-overlaps", "the parts of a split have samples in common", loader,
      lambda dataset, lengths, generator=None: [loader.Subset(dataset, list(range(len(part))))
                                                for part in _split(dataset, lengths, generator)],
      "random_split", "splits")
wrong("split-in-order", "a split is not random", loader,
      lambda dataset, lengths, generator=None: [
          loader.Subset(dataset, list(range(sum(map(len, parts[:i])), sum(map(len, parts[:i + 1])))))
          for parts in [_split(dataset, lengths, generator)] for i in range(len(parts))], "random_split", "splits")
wrong("collate-single", "Python floats become float32", loader,
      lambda samples: create.tensor(samples, dtype=create.float32) if isinstance(samples[0], float)
      else _collate(samples), "default_collate", "splits")
wrong("stream-stepless", "a stream's numbers do not depend on the step", random,
      lambda seed, name, step=0: _stream(seed, name), "stream", "streams")
wrong("stream-nameless", "streams of different names give the same numbers", random,
      lambda seed, name, step=0: _stream(seed, "", step), "stream", "streams")
wrong("stream-seedless", "a stream's numbers do not depend on the seed", random,
      lambda seed, name, step=0: _stream(0, name, step), "stream", "streams")
wrong("stream-short", "two steps of a stream share all numbers but one", random,
      lambda seed, name, step=0: numpy.random.Generator(numpy.random.Philox(
          key=[seed % 2**64, sum(map(ord, name))], counter=[step, 0, 0, 0])), "stream", "streams")
wrong("seed-ignored", "manual_seed does not start the generator anew", random, lambda seed: random.generator(numpy),
      "manual_seed", "streams")
wrong("state-ignored", "set_rng_state has no effect", random, lambda state: None, "set_rng_state", "streams")
wrong("normal-variance", "normal takes the standard deviation for a variance", random,
      lambda like, mean, std: mean + std ** 0.5 * random.draw(numpy, "standard_normal", like.shape, like.dtype),
      "normal", "streams")
wrong("uniform-scale", "uniform spreads over high instead of high - low", random,
      lambda like, low, high: low + high * random.draw(numpy, "random", like.shape, like.dtype), "uniform", "streams")


def _numbers(batches):
    return [[int(i) for i in batch[0].tolist()] for batch in batches]


@check("an epoch")
def check_an_epoch():
    """Each epoch is a permutation of the samples, in batches, by seed and epoch; resumed where it was left."""
    data = loader.TensorDataset(create.arange(11))
    plain = loader.DataLoader(data, 4)
    if _numbers(plain) != [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]] or len(plain) != 3:
        raise AssertionError(f"batches of 4 of 11 samples in order: {_numbers(plain)}")
    dropping = loader.DataLoader(data, 4, drop_last=True)
    if _numbers(dropping) != [[0, 1, 2, 3], [4, 5, 6, 7]] or len(dropping) != 2:
        raise AssertionError(f"batches of 4 of 11 samples with drop_last: {_numbers(dropping)}, len {len(dropping)}")
    shuffled = loader.DataLoader(data, 4, shuffle=True, seed=5)
    epochs = [_numbers(shuffled) for _ in range(3)]
    for epoch in epochs:
        if sorted(sum(epoch, [])) != list(range(11)):
            raise AssertionError(f"an epoch is no permutation of 11 samples: {epoch}")
    others = [_numbers(loader.DataLoader(data, 4, shuffle=True, seed=seed)) for seed in (6, 7)]
    if len({str(order) for order in [*epochs, *others]}) < 5:
        raise AssertionError(f"three epochs and two other seeds: {epochs}, {others}")
    if _numbers(shuffled.batches(1, first=1)) != epochs[1][1:]:
        raise AssertionError("an epoch that is resumed behind its first batch is another one")
    shuffled.set_epoch(0)
    if _numbers(shuffled) != epochs[0]:
        raise AssertionError("set_epoch(0) does not bring the first epoch back")
    if _numbers(loader.DataLoader(data, 4, shuffle=True, seed=5, prefetch=2)) != epochs[0]:
        raise AssertionError("batches that are read ahead are others")


@check("splits")
def check_splits():
    """Samples keep their labels; the parts of a split are disjoint, whole and mixed; floats are collated in float64."""
    data = loader.TensorDataset(create.arange(40), create.arange(40) * 2)
    parts = loader.random_split(data, [0.75, 0.25], numpy.random.default_rng(0))
    numbers = [[int(part[i][0]) for i in range(len(part))] for part in parts]
    if sorted(sum(numbers, [])) != list(range(40)) or [len(n) for n in numbers] != [30, 10]:
        raise AssertionError(f"a split of 40 samples in 30 and 10: {numbers}")
    if numbers[0] == sorted(numbers[0]):
        raise AssertionError("a split is in the order of its samples")
    for sample in (data[3], parts[1][2]):
        expect(sample[1], 2 * sample[0].item(), "a sample's label, which is twice its number")
    for batch in loader.DataLoader(parts[1], 5):
        if [2 * n for n in batch[0].tolist()] != batch[1].tolist():
            raise AssertionError(f"a batch and its labels, which are twice its numbers: {batch}")
    batch = loader.default_collate([(0.1, 1), (0.2, 2)])
    expect(batch[0], [0.1, 0.2], "a batch of floats")
    expect(batch[1], [1, 2], "a batch of integers")


@check("streams")
def check_streams():
    """Streams depend on seed, name and step; the global generator on its seed and state; draws have their moments."""
    drawn = [random.stream(*key).random(8) for key in ((1, "a", 0), (1, "a", 1), (1, "b", 0), (2, "a", 0), (1, "a", 2))]
    if len({round(float(x), 12) for row in drawn for x in row}) < 40:
        raise AssertionError(f"streams of other seeds, names or steps have numbers in common: {drawn}")
    expect(random.stream(1, "a", 1).random(8), drawn[1], "a stream that is made again")
    before = random.initial_seed(), random.get_rng_state()
    try:
        random.manual_seed(3)
        first, state = create.rand(3).numpy(), random.get_rng_state()
        second = create.rand(3).numpy()
        random.set_rng_state(state)
        expect(create.rand(3), second, "numbers after set_rng_state")
        random.manual_seed(3)
        expect(create.rand(3), first, "numbers after manual_seed")
        spread = create.empty(4000).normal_(1.0, 3.0).numpy()
        expect([abs(spread.mean() - 1) < 0.3, abs(spread.std() - 3) < 0.3], [True, True], "N(1, 9) has its moments")
        flat = create.empty(4000).uniform_(2.0, 3.0).numpy()
        expect([flat.min() >= 2, flat.max() <= 3, abs(flat.mean() - 2.5) < 0.1], [True] * 3, "uniform draws in 2..3")
    finally:
        random.manual_seed(before[0])
        random.set_rng_state(before[1])
