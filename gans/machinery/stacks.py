"""Stacked digits: two or three at random, a colour channel each, make an image of one of 100 or 1,000 modes."""

from dataclasses import dataclass, replace

import numpy as np

from minigrad.random import stream

TRAIN = 128_000  # stacks to learn from, PacGAN's number


@dataclass
class Stacks:
    """Images (N, H, W, digits) of which each is a few single ones, (M, H, W, 1), one a channel; made as asked for."""

    images: np.ndarray
    chosen: np.ndarray  # (N, digits): which

    def __len__(self):
        return len(self.chosen)

    @property
    def shape(self):
        return len(self), *self.images.shape[1:3], self.chosen.shape[1]

    def __getitem__(self, index):
        return self.images[self.chosen[index], ..., 0].transpose(0, 2, 3, 1)


def stacked(pictures, digits):
    """The Pictures of stacks of so many of the digits of Pictures, as many stacks as PacGAN's."""
    def some(images, labels, name, n):
        stacks = Stacks(images, stream(0, name).integers(0, len(images), (n, digits)))
        return stacks, modes(labels[stacks.chosen])

    train, labels = some(pictures.train, pictures.labels, "stacks", TRAIN)
    held_out, theirs = some(pictures.held_out, pictures.held_out_labels, "stacks kept back", len(pictures.held_out))
    return replace(pictures, train=train, held_out=held_out[np.arange(len(held_out))], labels=labels,
                   held_out_labels=theirs, provenance=f"{pictures.provenance}, {digits} of them stacked")


def modes(digits):
    """The mode of each row of digits (N, k): the number that they spell.

    >>> modes(np.array([[4, 0, 7], [0, 0, 9]])).tolist()
    [407, 9]
    """
    return digits.astype(np.int64) @ 10 ** np.arange(digits.shape[1])[::-1]
