"""Directions of the seeds' space: what a logistic regression ties to an attribute, and sums of concepts.

A concept is what seeds have in common whose images have two attributes in common, "smiling, with glasses": the mean of
three of them. Where attributes are directions, smiling with brown hair - serious with brown hair + serious with blond
hair is smiling with blond hair (Radford, Metz & Chintala 2016, section 6.3, with men, women and glasses).
"""

import itertools
from typing import NamedTuple

import numpy as np

EXEMPLARS = 3  # seeds of a concept
RIDGE = 0.01


def logistic_regression(x, labels, classes, ridge=RIDGE, steps=300):
    """(Weights (F, classes), biases (classes,)) that tell labels (N,) from rows (N, F), by the softmax of x w + b.

    They minimise the mean cross-entropy + ridge / 2 |w|²: by gradient descent with Nesterov's momentum, whose steps of
    1 / L never overshoot, L being the most that the slope can change.
    """
    x = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    wanted, weight = np.eye(classes)[labels], np.zeros((x.shape[1], classes))
    decay = np.full((x.shape[1], 1), float(ridge))
    decay[-1] = 0
    most, ahead = 0.5 * np.linalg.eigvalsh(x.T @ x / len(x))[-1] + ridge, weight
    for step in range(steps):
        new = ahead - (x.T @ (softmax(x @ ahead) - wanted) / len(x) + decay * ahead) / most
        ahead, weight = new + step / (step + 3) * (new - weight), new
    return weight[:-1], weight[-1]


def softmax(logits):
    """Logits (N, classes) as probabilities."""
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class Known(NamedTuple):
    """Seeds (N, n) of which is known what they draw."""

    seeds: np.ndarray
    labels: dict  # {attribute: (N,)}, as the images are read
    weights: dict  # {attribute: (n, values)} of a logistic regression of these labels on the seeds
    likely: dict  # {attribute: log probabilities (N, values)} by it

    @classmethod
    def of(cls, seeds, read):
        """From seeds (N, n) and {attribute: probabilities (N, values)} of their images."""
        labels, weights, likely = {}, {}, {}
        for name, p in read.items():
            labels[name] = p.argmax(1)
            weights[name], biases = logistic_regression(seeds, labels[name], p.shape[1])
            likely[name] = np.log(softmax(seeds @ weights[name] + biases) + 1e-30)
        return cls(seeds, labels, weights, likely)

    def exemplars(self, **concept):
        """The indices of the seeds that are most typical of a concept {attribute: value}: fewer where few are read so.

        These are read as it says, and lie farthest on its side of the regression.
        """
        there = np.flatnonzero(np.all([self.labels[name] == value for name, value in concept.items()], 0))
        likely = sum(self.likely[name][there, value] for name, value in concept.items())
        return there[np.argsort(-likely, kind="stable")[:EXEMPLARS]]

    def direction(self, name, value):
        """(n,): the way to a value of an attribute, of length 1, at right angles to those to the others' values."""
        ways = {key: w[:, 1:] - w[:, :1] for key, w in self.weights.items()}
        others = np.linalg.qr(np.concatenate([w for key, w in ways.items() if key != name], 1))[0]
        w = self.weights[name]
        way = w[:, value] - np.delete(w, value, 1).mean(1)
        way = way - others @ (others.T @ way)
        return way / np.linalg.norm(way)


class Sum(NamedTuple):
    """(a, b) - (c, b) + (c, d), of which (a, d) is asked: values of two attributes."""

    first: str
    second: str
    a: int
    b: int
    c: int
    d: int

    def concepts(self):
        """The three, as {attribute: value}."""
        return [{self.first: x, self.second: y} for x, y in ((self.a, self.b), (self.c, self.b), (self.c, self.d))]


def sums(values):
    """All Sums of pairs of attributes {name: values' names}.

    >>> len(sums({"smile": ("no", "yes"), "glasses": ("no", "yes")}))
    4
    """
    return [Sum(first, second, a, b, c, d) for first, second in itertools.combinations(values, 2)
            for a, c in itertools.permutations(range(len(values[first])), 2)
            for d, b in itertools.permutations(range(len(values[second])), 2)]


def added(known, asked):
    """(Sums of those asked whose concepts have exemplars, their seeds (N, n))."""
    means = {}
    for concept in {tuple(concept.items()): concept for s in asked for concept in s.concepts()}.values():
        found = known.exemplars(**concept)
        if len(found) == EXEMPLARS:
            means[tuple(concept.items())] = known.seeds[found].mean(0)
    there = [s for s in asked if all(tuple(concept.items()) in means for concept in s.concepts())]
    seeds = [a - b + c for s in there for a, b, c in [[means[tuple(x.items())] for x in s.concepts()]]]
    return there, np.array(seeds, np.float32).reshape(len(there), -1)


def as_asked(there, read):
    """({"first and second": share of its sums that are read as asked}, {attribute: asked × read, in sums})."""
    labels = {name: p.argmax(1) for name, p in read.items()}
    found, counts = {}, {name: np.zeros((p.shape[1],) * 2, int) for name, p in read.items()}
    for k, s in enumerate(there):
        np.add.at(counts[s.first], (s.a, labels[s.first][k]), 1)
        np.add.at(counts[s.second], (s.d, labels[s.second][k]), 1)
        found.setdefault(f"{s.first} and {s.second}", []).append(
            labels[s.first][k] == s.a and labels[s.second][k] == s.d)
    return {pair: float(np.mean(right)) for pair, right in found.items()}, counts


def pushed(known, draw, seeds, name, value, lengths=(1, 2, 3, 4, 5)):
    """Seeds pushed towards a value of an attribute, each by the shortest of some lengths that is enough.

    Args:
        draw: seeds (N, n) -> {attribute: probabilities (N, values)} of their images.

    Returns:
        (share of the seeds of another value that are read as the value then, {other attribute: share that is read as
        before}).
    """
    before = {key: p.argmax(1) for key, p in draw(seeds).items()}
    other = np.flatnonzero(before[name] != value)
    after, left = {key: labels.copy() for key, labels in before.items()}, other
    for length in lengths:
        if not len(left):
            break
        found = {key: p.argmax(1) for key, p in draw(seeds[left] + length * known.direction(name, value)).items()}
        for key, labels in found.items():
            after[key][left] = labels
        left = left[found[name] != value]
    return 1 - len(left) / max(len(other), 1), {key: float((after[key][other] == before[key][other]).mean())
                                                for key in before if key != name and len(other)}
