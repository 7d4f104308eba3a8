"""Generators of one's own: whatever draws takes one, draws from it alone, and follows its seed and state."""

import copy
import functools
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import init
from minigrad.utils.data import DataLoader, random_split

HALF = mg.full((50,), 0.5)
DRAWS = {
    "rand": lambda g: mg.rand(50, generator=g), "randn": lambda g: mg.randn((5, 10), generator=g),
    "randint": lambda g: mg.randint(1000, (50,), generator=g), "randperm": lambda g: mg.randperm(50, generator=g),
    "rand_like": lambda g: mg.rand_like(HALF, generator=g), "randn_like": lambda g: mg.randn_like(HALF, generator=g),
    "randint_like": lambda g: mg.randint_like(HALF, 1000, generator=g),
    "normal of numbers": lambda g: mg.normal(2.0, 3.0, (50,), generator=g),
    "normal of tensors": lambda g: mg.normal(HALF, HALF, generator=g),
    "bernoulli": lambda g: mg.bernoulli(HALF, generator=g),
    "bernoulli of p": lambda g: mg.bernoulli(HALF, 0.3, generator=g),
    "multinomial": lambda g: mg.multinomial(mg.ones(40), 30, generator=g),
    "multinomial with replacement": lambda g: mg.multinomial(mg.ones(40), 30, True, generator=g),
    "normal_": lambda g: mg.zeros(50).normal_(generator=g),
    "uniform_": lambda g: mg.zeros(50).uniform_(2, 5, generator=g),
    "bernoulli_": lambda g: mg.zeros(50).bernoulli_(0.5, generator=g),
    "bernoulli_ of p": lambda g: mg.zeros(50).bernoulli_(HALF, generator=g),
    "random_split": lambda g: random_split(range(50), [0.5, 0.5], generator=g)[0].indices,
    "DataLoader": lambda g: [x.tolist() for x in DataLoader(range(50), 10, shuffle=True, generator=g)],
    **{f"init.{f.__name__}": functools.partial(lambda f, g: f(mg.empty(8, 9), generator=g), f) for f in map(
        functools.partial(getattr, init), ("uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_",
                                           "kaiming_uniform_", "kaiming_normal_", "orthogonal_"))},
    "init.sparse_": lambda g: init.sparse_(mg.empty(8, 9), 0.5, generator=g)}


def plain(value):
    return value.tolist() if isinstance(value, mg.Tensor) else value


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("kind", ["own", "numpy", "global"])
def test_what_draws_takes_a_generator_and_draws_from_it_alone(name, kind):
    make = {"own": lambda seed: mg.Generator().manual_seed(seed), "numpy": np.random.default_rng,
            "global": mg.manual_seed}[kind]
    mg.manual_seed(9)
    before = str(mg.get_rng_state())
    one, other, again = (plain(DRAWS[name](make(seed))) for seed in (1, 2, 1))
    assert one == again != other
    assert kind == "global" or str(mg.get_rng_state()) == before
    generator = make(1)
    assert [plain(DRAWS[name](generator)) for _ in range(2)] != [one, one]  # it goes on


@pytest.mark.parametrize("name", DRAWS)
def test_without_a_generator_the_global_one_draws(name):
    found = []
    for generator in (None, mg.manual_seed(5), None):
        mg.manual_seed(5)
        found.append(plain(DRAWS[name](generator)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_no_generator_is_refused(name):
    with pytest.raises(TypeError, match="generator is a int; give one such as"):
        DRAWS[name](42)


def test_seeds_and_states_are_pytorchs_by_their_rules():
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")

    def run(library):
        g = library.Generator()
        found = [g.initial_seed(), str(g.device), g.manual_seed(7) is g, g.initial_seed()]
        first = library.rand(3, generator=g).tolist()
        state = g.get_state()
        second = library.rand(3, generator=g).tolist()
        g.set_state(state)
        found += [library.rand(3, generator=g).tolist() == second != first]
        found += [library.rand(3, generator=g.manual_seed(7)).tolist() == first]
        new = g.seed()
        found += [g.initial_seed() == new != 7, library.rand(3, generator=g).tolist() != first]
        h = library.manual_seed(11)
        a = library.rand(2).tolist()
        found += [isinstance(h, library.Generator), library.initial_seed(), h.initial_seed()]
        found += [library.rand(2, generator=library.Generator().manual_seed(11)).tolist() == a]
        state = library.get_rng_state()
        b = library.randn(2).tolist()
        library.set_rng_state(state)
        return [*found, library.randn(2).tolist() == b, library.seed() == library.initial_seed()]

    assert run(mg) == run(torch)


def test_a_generator_made_anew_always_draws_the_same_and_the_global_one_does_not():
    assert mg.rand(3, generator=mg.Generator()).tolist() == mg.rand(3, generator=mg.Generator()).tolist()
    mg.seed()
    one = mg.rand(3).tolist()
    mg.seed()
    assert mg.rand(3).tolist() != one


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_a_copied_generator_goes_on_alike(twin):
    g = mg.Generator().manual_seed(3)
    mg.rand(5, generator=g)
    assert mg.rand(5, generator=twin(g)).tolist() == mg.rand(5, generator=g).tolist()


def test_a_generator_serves_its_own_device(device):
    g = mg.Generator(device).manual_seed(1)
    if device == "cpu":
        return
    for name, size in (("rand", 50), ("randn", 50), ("randint", 1000), ("randperm", 50)):
        def draw(g, name=name, size=size, **options):
            return getattr(mg, name)(size, *[(50,)] * (name == "randint"), generator=g, **options)

        one, other = (draw(mg.Generator(device).manual_seed(1), device=device).tolist() for _ in range(2))
        assert one == other
        with pytest.raises(RuntimeError, match="the generator draws on the GPU, and the tensor is to lie on the CPU"):
            draw(g)
        with pytest.raises(RuntimeError, match="the generator draws on the CPU, and the tensor is to lie on the GPU"):
            draw(mg.Generator(), device=device)
    assert sorted(mg.randperm(20, generator=g, device=device).tolist()) == list(range(20))
    with pytest.raises(RuntimeError, match="CuPy's generators show no state"):
        g.get_state()


def test_normal_and_bernoulli_have_pytorchs_shapes_dtypes_and_errors():
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")

    def run(library):
        x, found = library.ones(3, 1, dtype=library.float64), []
        for made in (library.normal(x, 2.0), library.normal(1.0, x), library.normal(x, library.ones(4)),
                     library.normal(0.0, 1.0, (2, 3)), library.normal(0.0, 1.0, size=(2,), dtype=library.float64),
                     library.bernoulli(x), library.bernoulli(x, 0.5), library.normal(x[0, 0], 1.0)):
            found.append((tuple(made.shape), str(made.dtype).split(".")[-1]))
        for wrong in (lambda: library.bernoulli(x * 2), lambda: library.bernoulli(x * -1),
                      lambda: x.bernoulli_(float("nan")), lambda: library.normal(0.0, 1.0)):
            try:
                wrong()
            except (RuntimeError, ValueError, TypeError):
                found.append("refused")
        return found

    assert run(mg) == run(torch)
    mg.manual_seed(0)
    x = mg.normal(mg.tensor([0.0, 100.0]), mg.tensor([[1.0], [5.0]]))
    assert x.shape == (2, 2) and abs(mg.normal(mg.full((20000,), 3.0), 2.0).mean().item() - 3) < 0.1
    assert mg.bernoulli(mg.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]
    assert mg.normal(0.0, 1.0, (2,), requires_grad=True).is_leaf
