"""Every function, every dtype, in PyTorch and here: the result's dtype, shape and value, or an error in both.

Where the two differ on purpose stands in LOOSER (we compute what PyTorch refuses, with the result that one expects) and
STRICTER (one clear error where PyTorch gives something that is hardly meant). Both lists are exact: an entry that no
longer applies fails, too.
"""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
INTEGERS, BOOL = DTYPES[1:6], DTYPES[:1]
SHAPES = [(2, 3), (), (0,), (0, 3)]
TOLERANCE = {"float16": 2e-3, "float32": 3e-6, "float64": 1e-12}

UNARY = """abs neg exp log log1p sqrt square sin cos tanh sigmoid relu erf isnan isinf isfinite logical_not bitwise_not
    tan asin acos atan sinh cosh asinh acosh atanh log2 log10 exp2 expm1 rsqrt reciprocal erfc positive nan_to_num
    absolute negative arcsin arccos arctan logit deg2rad rad2deg zeros_like ones_like unique nonzero argwhere
    floor ceil round trunc frac sign count_nonzero numel is_floating_point is_tensor""".split()
BINARY = """add sub mul div pow maximum minimum eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and
    bitwise_or bitwise_xor floor_divide remainder fmod atan2 hypot logaddexp true_divide bitwise_left_shift
    bitwise_right_shift xlogy multiply subtract greater less_equal""".split()


def images(t, x):
    return x.reshape(1, 1, 2, -1)


OTHERS = {
    "sum": lambda t, x: t.sum(x), "sum of rows": lambda t, x: x.sum(0),
    "sum, kept": lambda t, x: x.sum(-1, keepdim=True), "sum in float64": lambda t, x: x.sum(dtype=t.float64),
    "sum over ()": lambda t, x: x.sum(()), "mean": lambda t, x: x.mean(), "mean of rows": lambda t, x: t.mean(x, 0),
    "mean in float64": lambda t, x: x.mean(dtype=t.float64), "var": lambda t, x: x.var(),
    "std of rows": lambda t, x: x.std(0), "prod": lambda t, x: x.prod(), "prod of rows": lambda t, x: x.prod(0),
    "cumsum": lambda t, x: x.cumsum(0), "cumprod": lambda t, x: x.cumprod(0), "norm": lambda t, x: x.norm(),
    "1-norm": lambda t, x: x.norm(1), "norm of rows": lambda t, x: x.norm(2, 0), "0-norm": lambda t, x: x.norm(0),
    "max": lambda t, x: x.max(), "max of rows": lambda t, x: x.max(0).values,
    "its indices": lambda t, x: x.min(0).indices, "amax": lambda t, x: x.amax(),
    "amin of rows": lambda t, x: x.amin(0), "aminmax": lambda t, x: t.aminmax(x).max,
    "argmax": lambda t, x: x.argmax(), "argmin of rows": lambda t, x: x.argmin(0), "any": lambda t, x: x.any(),
    "all of rows": lambda t, x: x.all(0), "logsumexp": lambda t, x: x.logsumexp(0),
    "softmax": lambda t, x: x.softmax(0), "log_softmax": lambda t, x: x.log_softmax(0),
    "softmax in float64": lambda t, x: t.softmax(x, 0, dtype=t.float64), "sort": lambda t, x: x.sort(0).values,
    "sort downwards": lambda t, x: t.sort(x, 0, descending=True)[0],
    "argsort": lambda t, x: t.argsort(x, dim=0, stable=True), "topk": lambda t, x: x.topk(1, 0).values,
    "median": lambda t, x: x.median(), "median of rows": lambda t, x: x.median(0).values,
    "kthvalue": lambda t, x: x.kthvalue(1, 0).values, "diff": lambda t, x: t.diff(x, dim=0),
    "nansum": lambda t, x: t.nansum(x), "tril": lambda t, x: t.tril(x.reshape(1, -1)), "flip": lambda t, x: x.flip(0),
    "clamp": lambda t, x: x.clamp(0, 2), "clamp by fractions": lambda t, x: x.clamp(0.5, 2.5),
    "clamp from below": lambda t, x: t.clamp(x, min=1), "roll": lambda t, x: x.roll(1),
    "cat": lambda t, x: t.cat([x, x]), "stack": lambda t, x: t.stack([x, x]), "repeat": lambda t, x: x.repeat(2, 2),
    "tile": lambda t, x: x.tile(2), "x + 1": lambda t, x: x + 1, "x + 1.5": lambda t, x: x + 1.5,
    "1 - x": lambda t, x: 1 - x, "x * 2": lambda t, x: x * 2, "x * True": lambda t, x: x * True,
    "x * 0.5": lambda t, x: x * 0.5, "x / 2": lambda t, x: x / 2, "1 / x": lambda t, x: 1 / x,
    "x ** 2": lambda t, x: x ** 2, "x ** 0.5": lambda t, x: x ** 0.5,
    "2 ** x": lambda t, x: 2 ** abs(x) if x.dtype != t.bool else 2 ** x, "2.0 ** x": lambda t, x: 2.0 ** x,
    "x // 2": lambda t, x: x // 2, "x // 1.5": lambda t, x: x // 1.5, "7 // x": lambda t, x: 7 // x,
    "x % 3": lambda t, x: x % 3, "x % 1.5": lambda t, x: x % 1.5, "7 % x": lambda t, x: 7 % x,
    "x & 1": lambda t, x: x & 1, "1 & x": lambda t, x: 1 & x, "x | 2": lambda t, x: x | 2, "2 | x": lambda t, x: 2 | x,
    "x ^ 3": lambda t, x: x ^ 3, "3 ^ x": lambda t, x: 3 ^ x, "~x": lambda t, x: ~x, "x & True": lambda t, x: x & True,
    "x << 1": lambda t, x: x << 1, "x >> 1": lambda t, x: x >> 1, "-x": lambda t, x: -x, "+x": lambda t, x: +x,
    "x == 0": lambda t, x: x == 0, "x < 1.5": lambda t, x: x < 1.5, "x > -1": lambda t, x: x > -1,
    "where": lambda t, x: t.where(x > 0, x, 0), "where with a fraction": lambda t, x: t.where(x > 0, x, 0.5),
    "masked_fill": lambda t, x: x.masked_fill(x > 0, 1),
    "masked_fill with a fraction": lambda t, x: x.masked_fill(x > 0, 1.5),
    "x * numpy": lambda t, x: x * np.float64(0.5), "x + numpy": lambda t, x: x + np.int64(1),
    "div, rounded": lambda t, x: t.div(x, 2, rounding_mode="trunc"),
    "div, rounded down": lambda t, x: t.div(x, 2, rounding_mode="floor"), "add 2x": lambda t, x: t.add(x, x, alpha=2),
    "matmul": lambda t, x: x.reshape(-1) @ x.reshape(-1), "mm": lambda t, x: t.mm(x.reshape(1, -1), x.reshape(-1, 1)),
    "outer": lambda t, x: t.outer(x.reshape(-1), x.reshape(-1)), "trace": lambda t, x: t.trace(x.reshape(1, -1)),
    "einsum": lambda t, x: t.einsum("i,j->ij", x.reshape(-1), x.reshape(-1)), "lerp": lambda t, x: t.lerp(x, x, 0.5),
    "addcmul": lambda t, x: t.addcmul(x, x, x), "dist": lambda t, x: t.dist(x, x),
    "isclose": lambda t, x: t.isclose(x, x), "allclose": lambda t, x: t.tensor(t.allclose(x, x)),
    "equal": lambda t, x: t.tensor(t.equal(x, x)), "full_like": lambda t, x: t.full_like(x, 1),
    "rand_like": lambda t, x: t.rand_like(x) * 0, "new_zeros": lambda t, x: x.new_zeros(2),
    "item": lambda t, x: t.tensor(x.reshape(-1)[0].item()), "bernoulli": lambda t, x: t.bernoulli(x * 0),
    "multinomial": lambda t, x: t.multinomial(x.reshape(-1) * 0 + 1, 1) * 0,
    "gather": lambda t, x: t.gather(x, 0, t.zeros_like(x).long()), "x[[0]]": lambda t, x: x[t.tensor([0])],
    "scatter_add": lambda t, x: t.zeros_like(x).scatter_add(0, t.zeros_like(x).long(), x),
    "index_select": lambda t, x: x.index_select(0, t.tensor([0])), "take": lambda t, x: t.take(x, t.tensor([0])),
    **{name: lambda t, x, name=name: getattr(t.nn.functional, name)(x) for name in (
        "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softplus")},
    **{name: lambda t, x, name=name: getattr(t.nn.functional, name)(x, x * 0) for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits")},
    "binary_cross_entropy": lambda t, x: t.nn.functional.binary_cross_entropy(x * 0, x * 0),
    "l1_loss, summed": lambda t, x: t.nn.functional.l1_loss(x, x * 0, reduction="sum"),
    "cross_entropy": lambda t, x: t.nn.functional.cross_entropy(x.reshape(1, -1), t.tensor([0])),
    "nll_loss": lambda t, x: t.nn.functional.nll_loss(x.reshape(1, -1), t.tensor([0])),
    "max_pool2d": lambda t, x: t.nn.functional.max_pool2d(images(t, x), 2, 1, 1),
    "avg_pool2d": lambda t, x: t.nn.functional.avg_pool2d(images(t, x), (2, 1)),
    "max_pool1d": lambda t, x: t.nn.functional.max_pool1d(x.reshape(1, 1, -1), 2),
    "avg_pool1d": lambda t, x: t.nn.functional.avg_pool1d(x.reshape(1, 1, -1), 2),
    "adaptive_avg_pool2d": lambda t, x: t.nn.functional.adaptive_avg_pool2d(images(t, x), (2, 2)),
    "interpolate": lambda t, x: t.nn.functional.interpolate(images(t, x), scale_factor=2),
    "interpolate, bilinear": lambda t, x: t.nn.functional.interpolate(images(t, x), scale_factor=2, mode="bilinear"),
    "pixel_shuffle": lambda t, x: t.nn.functional.pixel_shuffle(x.reshape(-1)[:4].reshape(1, 4, 1, 1), 2),
    "pad": lambda t, x: t.nn.functional.pad(x.reshape(1, -1), (1, 1)),
    "pad with a fraction": lambda t, x: t.nn.functional.pad(x.reshape(1, -1), (1, 1), value=1.5),
    "pad by reflection": lambda t, x: t.nn.functional.pad(x.reshape(1, 1, -1), (1, 1), mode="reflect"),
    "linear": lambda t, x: t.nn.functional.linear(x.reshape(1, -1), x.reshape(1, -1)),
    "conv2d": lambda t, x: t.nn.functional.conv2d(images(t, x), images(t, x)),
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x.reshape(1, -1), x.reshape(-1).shape),
    "batch_norm": lambda t, x: t.nn.functional.batch_norm(x.reshape(-1, 1), None, None, training=True),
    "group_norm": lambda t, x: t.nn.functional.group_norm(x.reshape(1, 2, -1), 2),
    "instance_norm": lambda t, x: t.nn.functional.instance_norm(x.reshape(1, 2, -1)),
    "normalize": lambda t, x: t.nn.functional.normalize(x.reshape(1, -1)),
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.0),
}
MIXED_BOOL = {pair for pair in itertools.product(DTYPES, DTYPES) if pair.count("bool") == 1}
WHOLE = set(itertools.product(BOOL + INTEGERS, BOOL + INTEGERS))
SIGNED_POWER = {(a, b) for a, b in WHOLE if b.startswith("int")}

# We compute, PyTorch refuses: bools count as 0 and 1, whole numbers where the result is what one expects.
TWO_BOOLS = {("bool", "bool")}
LOOSER = {
    "sub": MIXED_BOOL, "subtract": MIXED_BOOL, "pow": TWO_BOOLS, "hypot": WHOLE, "logaddexp": WHOLE,
    "bitwise_left_shift": TWO_BOOLS, "bitwise_right_shift": TWO_BOOLS,
    **{name: set(BOOL) for name in (
        "relu", "argmax", "argmin of rows", "topk", "median", "median of rows", "kthvalue", "1 - x", "matmul", "mm",
        "addcmul", "linear", "conv2d", "pad by reflection", "trace")},
    "max_pool1d": set(INTEGERS), "frac": set(INTEGERS), "interpolate": {*BOOL, *INTEGERS[1:]},
}
# We refuse, PyTorch computes: means in whole numbers, powers below one of whole numbers.
STRICTER = {
    "avg_pool2d": {"int64"}, "avg_pool1d": {"int64"}, "interpolate, bilinear": {"uint8"}, "pow": SIGNED_POWER,
    "l1_loss, summed": {*INTEGERS},
}
# Neither: PyTorch compares bytes with -1 as a byte, and adds twice a bool as a bool.
OTHERWISE = {("x > -1", "uint8"), ("add 2x", "bool")}


def values(dtype, shape, seed=0):
    rng, n = np.random.default_rng(7 + seed), int(np.prod(shape))
    if dtype == "bool":
        x = rng.random(n) < 0.6
    elif dtype == "uint8":
        x = rng.choice([0, 1, 2, 3, 5, 200, 255], n)
    elif dtype.startswith("int"):
        x = rng.choice([-100, -3, -1, 0, 1, 2, 3, 5, 100], n)
    else:
        x = np.round(rng.standard_normal(n) * 2, 2)
    return np.asarray(x).astype(dtype).reshape(shape)


def outcome(t, f, arrays):
    """(dtype, shape, float64 values) of f, or the error."""
    try:
        with np.errstate(all="ignore"):
            y = f(t, *[t.tensor(a) for a in arrays])
    except (TypeError, ValueError, RuntimeError, IndexError, ArithmeticError) as error:
        return error
    y = y if hasattr(y, "dtype") else t.tensor(y)
    return str(y.dtype).removeprefix("torch."), tuple(y.shape), y.detach().numpy().astype("f8")


def check(name, f, arrays, dtypes):
    mine, theirs = outcome(mg, f, arrays), outcome(torch, f, arrays)
    what = f"{name} of {', '.join(f'{a.dtype}{a.shape}' for a in arrays)}: {mine}, in PyTorch {theirs}"
    key = dtypes[0] if len(dtypes) == 1 else dtypes
    empty = not arrays[0].size
    if isinstance(mine, Exception):
        assert len(str(mine)) > 25 and "\n" not in str(mine), what
        # Of nothing PyTorch lets pass what it refuses otherwise, and the other way round.
        assert isinstance(theirs, Exception) or empty or key in STRICTER.get(name, ()), what
        return
    if isinstance(theirs, Exception):
        assert empty or key in LOOSER.get(name, ()), what
        return
    if (name, key) in OTHERWISE:
        return
    assert mine[:2] == theirs[:2], what
    tolerance = TOLERANCE.get(mine[0], 0)
    with np.errstate(all="ignore"):
        scale = np.abs(theirs[2][np.isfinite(theirs[2])]).max(initial=1.0)
        np.testing.assert_allclose(mine[2], theirs[2], tolerance, tolerance * scale, err_msg=what)


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one_tensor_has_pytorchs_dtypes(name):
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        x = values(dtype, shape)
        check(name, lambda t, x: getattr(t, name)(x), [x], (dtype,))


@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom")
@pytest.mark.parametrize("name", OTHERS)
def test_a_method_operator_or_layer_has_pytorchs_dtypes(name):
    for dtype, shape in itertools.product(DTYPES, SHAPES):
        check(name, OTHERS[name], [values(dtype, shape)], (dtype,))


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_tensors_has_pytorchs_dtypes(name):
    for dtypes in itertools.product(DTYPES, DTYPES):
        x, y = (values(dtype, (2, 3), seed) for seed, dtype in enumerate(dtypes))
        check(name, lambda t, x, y: getattr(t, name)(x, y), [x, y], dtypes)


def test_what_is_allowed_to_differ_does():
    for name, allowed in [*LOOSER.items(), *STRICTER.items()]:
        f = OTHERS.get(name) or (lambda t, *xs, name=name: getattr(t, name)(*xs))
        for key in allowed:
            dtypes = (key,) if isinstance(key, str) else key
            outcomes = [[outcome(t, f, [values(d, shape, i) for i, d in enumerate(dtypes)]) for t in (mg, torch)]
                        for shape in SHAPES[:2]]
            assert any(isinstance(a, Exception) != isinstance(b, Exception) for a, b in outcomes), (name, key)


@pytest.fixture
def default_float64():
    mg.set_default_dtype(mg.float64)
    torch.set_default_dtype(torch.float64)
    yield
    mg.set_default_dtype(mg.float32)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", ["exp", "sigmoid", "erf", "sqrt"])
def test_floating_results_of_integers_are_in_the_default_dtype(name, default_float64):
    for dtype in BOOL + INTEGERS:
        check(name, lambda t, x: getattr(t, name)(x), [values(dtype, (2, 3))], (dtype,))
        for f in (lambda t, x: x / 2, lambda t, x: x * 0.5, lambda t, x: t.where(x > 0, 1.0, 0.0)):
            check("x / 2", f, [values(dtype, (2, 3))], (dtype,))
