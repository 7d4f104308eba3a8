"""How functions may be called: PyTorch's words and NumPy's, several axes, NumPy's integers, tensors where ints go."""

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402
from minigrad import ops  # noqa: E402
from minigrad.nn import functional as F  # noqa: E402

X = np.arange(6.0).reshape(2, 3)


def same(call, x=X):
    """The call, a text about t and x, gives the same here and in PyTorch."""
    results = []
    for t in (mg, torch):
        y = eval(call, {"t": t, "F": t.nn.functional, "np": np, "x": t.tensor(x), "i": t.tensor([[0, 2], [1, 1]])})
        parts = list(y) if isinstance(y, tuple) and y and hasattr(y[0], "shape") else [y]
        results.append([(str(p.dtype).removeprefix("torch."), p.numpy()) if hasattr(p, "numpy") else
                        (None, np.asarray(p)) for p in parts])
    for (kind, a), (other, b) in zip(*results, strict=True):
        assert kind == other, f"{call}: {kind}, in PyTorch {other}"
        np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=call)
        assert a.shape == b.shape, f"{call}: {a.shape}, in PyTorch {b.shape}"


@pytest.mark.parametrize("name", ["sum", "mean", "std", "var", "prod", "amax", "amin", "max", "min", "argmax", "argmin",
                                  "any", "all", "logsumexp", "median", "nansum", "nanmean"])
def test_axis_and_keepdims_are_dim_and_keepdim(name):
    same(f"x.{name}(axis=1)")
    same(f"x.{name}(axis=0, {'keepdim' if name == 'nanmean' else 'keepdims'}=True)")
    same(f"x.{name}(dim=-1, keepdim=True)")
    same(f"t.{name}(input=x, axis=1)")


@pytest.mark.parametrize("call", [
    "x.softmax(axis=1)", "x.log_softmax(axis=0)", "x.cumsum(axis=1)", "x.cumprod(axis=0)",
    "x.sort(axis=0, descending=True)", "x.argsort(axis=1)", "x.topk(1, axis=0)", "x.unbind(axis=0)",
    "x.chunk(2, axis=0)", "x.squeeze(axis=0)", "x.unsqueeze(axis=1)", "t.cat((x, x), axis=1)",
    "t.stack([x, x], axis=1)", "x.index_select(axis=1, index=t.tensor([2]))", "t.gather(x, axis=1, index=i)",
    "x.diff(axis=0)", "t.count_nonzero(x, axis=0)", "x.repeat_interleave(2, axis=0)",
    "t.add(input=x, other=x, alpha=2)", "t.mul(input=x, other=3)", "t.pow(input=x, exponent=2)",
    "t.eq(input=x, other=x)", "t.maximum(input=x, other=2 - x)", "t.matmul(input=x, other=x.T)",
    "F.softmax(input=x, dim=1)", "F.relu(input=-x)", "F.leaky_relu(input=-x, negative_slope=0.3)",
    "F.mse_loss(input=x, target=2 * x)", "t.sigmoid(input=x)", "F.cross_entropy(input=x, target=t.tensor([0, 1]))",
    "F.linear(input=x, weight=x)", "t.exp(input=x)", "F.layer_norm(input=x, normalized_shape=(3,))",
    "F.dropout(input=x, p=0.0)", "t.reshape(input=x, shape=(3, 2))", "t.permute(input=x, dims=(1, 0))",
    "t.transpose(input=x, dim0=0, dim1=1)", "t.where(x > 2, input=x, other=-x)", "t.clamp(input=x, min=1, max=2)",
    "t.flatten(input=x)", "t.isclose(input=x, other=x)", "x.transpose(dim0=0, dim1=1)",
])
def test_every_word_of_pytorchs_is_taken(call):
    same(call)


@pytest.mark.parametrize("call", [
    "x.flip(0, 1)", "x.flip((0, 1))", "x.flip([1])", "x.flip(dims=(0,))", "t.flip(x, (1, 0))", "t.flip(x, dims=[0])",
    "x.any((0, 1))", "t.any(x, [0, 1])", "t.all(x, dim=(0,), keepdim=True)", "x.any(())", "x.all([])",
    "x.squeeze((0, 1))", "x[:1].squeeze(0, 1)", "x.squeeze(())", "x.sum((0, 1), True)", "x.sum([])", "x.mean(())",
    "x.var((0, 1), keepdim=True)", "x.std([0, 1])", "x.std(False)", "x.var(1, False)", "x.var(0, True, True)",
    "x.std(0, unbiased=False)", "x.var(dim=0, correction=0)", "x.amax((0, 1))", "x.amin([])", "x.logsumexp((0, 1))",
    "x.norm(2, (0, 1))", "x.norm(p='fro')", "x.norm(dim=(0, 1))", "t.std_mean(x, 1)",
    "t.var_mean(x, dim=0, unbiased=False)", "t.count_nonzero(x, (0, 1))", "x.roll((1, 2), (0, 1))", "x.permute(1, 0)",
    "x.permute([1, 0])", "x.tile(2, 1)", "x.tile((2,))", "x.repeat((2, 1))", "x.expand(4, 2, 3)",
    "x.expand((4, -1, -1))", "x.view(3, 2)", "x.reshape([3, -1])", "x.split([1, 2], 1)", "x.t()",
    "t.tensordot(x, x, dims=([1], [1]))", "t.amax(x, dim=0, keepdim=True)", "x.movedim((0, 1), (1, 0))",
    "t.broadcast_to(x, (2, 2, 3))",
])
def test_several_axes_go_where_pytorch_takes_them(call):
    same(call)


@pytest.mark.parametrize("call", [
    "x.sum(np.int64(1))", "x.sum((np.int32(0), 1))", "x.sum(t.tensor(1))", "x.argmax(np.int64(0))",
    "x.softmax(np.int16(1))", "x.cumsum(np.int64(0))", "x.max(np.int64(1))", "x.transpose(np.int64(0), np.int64(1))",
    "x.unsqueeze(np.int64(1))", "x.squeeze(np.int64(0))", "x.flip(np.int64(0))", "x.permute(np.int64(1), np.int64(0))",
    "t.cat((x, x), np.int64(1))", "x.chunk(np.int64(2))", "x.reshape(np.int64(3), np.int64(2))", "x.view(np.int64(6))",
    "x.expand(np.int64(2), 2, 3)", "x.repeat(np.int64(2), 1)", "x.roll(np.int64(1), np.int64(0))",
    "x.topk(np.int64(1))", "x.kthvalue(np.int64(2))", "x.narrow(np.int64(1), np.int64(0), np.int64(2))",
    "x.select(np.int64(0), np.int64(1))", "x.flatten(np.int64(0))", "x.unflatten(np.int64(1), (np.int64(3), 1))",
    "x.tril(np.int64(1))", "x.diagonal(np.int64(1))", "x[np.int64(1)]", "x[np.int64(0):np.int64(1)]",
    "x[t.tensor(1), t.tensor(2)]", "x.repeat_interleave(np.int64(2))", "t.zeros(np.int64(2), np.int32(3))",
    "t.ones((np.int64(2),))", "t.full((np.int64(2),), np.float64(1.5))", "t.full((2,), np.int32(3))",
    "t.eye(np.int64(2))", "t.arange(np.int64(3))", "t.arange(np.float32(3))", "t.zeros(t.tensor(2))",
    "t.arange(t.tensor(4))", "t.linspace(np.float64(0), t.tensor(1.0), np.int64(3))", "t.zeros(size=(2, 3))",
    "x.new_zeros(np.int64(2))", "F.one_hot(i, np.int64(3))", "F.pad(x, (np.int64(1), 0))",
    "F.avg_pool2d(x.reshape(1, 1, 2, 3), np.int64(2))",
    "F.max_pool2d(x.reshape(1, 1, 2, 3), (np.int64(2), 1), np.int64(1))", "F.interpolate(x[None], size=np.int64(6))",
    "F.conv2d(x.reshape(1, 1, 2, 3), x[:1, :1].reshape(1, 1, 1, 1), stride=np.int64(2), padding=np.int64(1))",
    "F.group_norm(x, np.int64(3)) * 0", "F.layer_norm(x, (np.int64(3),))",
    "F.pixel_shuffle(x.reshape(-1)[:4].reshape(1, 4, 1, 1), np.int64(2))", "x * np.float64(0.5)",
    "x.float() * np.float64(0.5)", "x.float() + np.float32(1)", "x.half() * np.float32(2)", "x.int() * np.int64(2)",
    "x.int() // np.int64(2)", "(x > 2) * np.float64(2)",
])
def test_numpys_integers_and_tensors_without_axes_are_ints(call):
    same(call)


def test_where_pytorch_refuses_numpys_integers_we_take_them():
    x = mg.tensor(X)
    assert (np.int64(2) + mg.arange(3).int()).dtype == mg.int32  # NumPy asks PyTorch's tensor for an array
    assert [p.shape for p in x.split(np.int64(2), np.int64(1))] == [(2, 2), (2, 1)]
    assert F.adaptive_avg_pool2d(x[None], np.int64(1)).item() == 2.5
    assert x.norm(axis=np.int64(1), keepdims=True).shape == (2, 1)


@pytest.mark.parametrize("call, parts", [
    (lambda x: x.sum(1.0), ["axis is 1.0"]), (lambda x: x.sum(True), ["True"]), (lambda x: x.sum("0"), ["'0'"]),
    (lambda x: mg.zeros(2.5), ["zeros", "2.5"]), (lambda x: mg.zeros("2"), ["zeros", "'2'"]),
    (lambda x: x.topk(1.5), ["topk", "1.5"]), (lambda x: x.split(1.5), ["split", "1.5"]),
    (lambda x: mg.eye(2.0), ["eye"]),
    (lambda x: mg.randint(1.5, (2,)), ["randint", "1.5"]), (lambda x: mg.linspace(0, 1, 2.5), ["linspace", "2.5"]),
    (lambda x: F.avg_pool2d(x[None, None], 1.5), ["avg_pool2d", "kernel_size", "1.5"]),
    (lambda x: F.interpolate(x[None, None], size=1.5), ["interpolate", "1.5"]),
    (lambda x: x.sum(dim=0, axis=1), ["sum", "dim, axis", "twice"]), (lambda x: mg.zeros(2, size=(3,)), ["zeros"]),
    (lambda x: x.transpose(0, 1.0), ["1.0"]), (lambda x: range(mg.tensor(2.5)), ["2.5", ".long()"]),
])
def test_what_is_no_int_is_named(call, parts):
    with pytest.raises(TypeError) as caught:
        call(mg.tensor(X))
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_functions_travel_by_name_and_keep_their_signature():
    import inspect

    for f in (mg.sum, mg.cat, mg.exp, F.batch_norm, F.dropout, F.softmax, mg.add):
        assert pickle.loads(pickle.dumps(f)) is f and f.__doc__
    assert list(inspect.signature(mg.sum).parameters) == ["x", "dim", "keepdim", "dtype"]
    assert {"sum", "median", "tril"} <= set(ops.__all__) and "with_words" not in ops.__all__


@pytest.mark.parametrize("call", [
    "7 // x", "7 % x", "2 ** x", "2 - x", "1 / x", "5 & n", "5 | n", "5 ^ n", "3 << n", "64 >> n", "n << 1", "n >> 1",
    "~n", "+x", "True & (x > 2)", "True ^ (x > 2)", "~(x > 2)", "(x > 2) & n", "(x > 2) | True",
])
def test_reflected_and_bitwise_operators_are_pytorchs(call):
    a, b = (eval(call, {"x": t.tensor(X + 1), "n": t.tensor(X.astype(int))}) for t in (mg, torch))
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    assert str(a.dtype) == str(b.dtype).removeprefix("torch.")


@pytest.mark.parametrize("f", [lambda x: x & 1, lambda x: 1 | x, lambda x: ~x, lambda x: x ^ x, lambda x: x << 1])
def test_bits_of_floats_are_refused_by_name(f):
    with pytest.raises(TypeError, match=r"bitwise_\w+: .*float64\(2, 3\)"):
        f(mg.tensor(X))
