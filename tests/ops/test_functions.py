"""Functions that are made of others, and second names: each call gives what PyTorch gives, in value and in dtype."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402

CALLS = [
    "x.movedim(0, -1)", "t.moveaxis(x, (0, 1), (1, 0))", "x.tile(2, 1, 1)", "x.repeat_interleave(2)", "x.rot90()",
    "x.repeat_interleave(t.tensor([1, 2]), 0)", "t.repeat_interleave(x, 3, dim=1)", "x.rot90(-1, (1, 0))", "x.fliplr()",
    "t.flipud(x)", "t.meshgrid(x[0], x[1], indexing='ij')", "t.meshgrid([x[0], x[1]], indexing='xy')",
    "t.hstack((x, x))", "t.vstack([x, x[0]])", "t.dstack((x, x))", "t.column_stack((x[:, 0], x))",
    "t.row_stack((x, x))", "x.ravel()", "t.broadcast_tensors(x, x[0])", "t.atleast_1d(t.tensor(2.0))",
    "t.atleast_2d(x[0])", "t.atleast_3d(x[0])", "x.tensor_split(2, 1)", "x.tensor_split((1, 2), 1)", "x.hsplit([1])",
    "t.vsplit(x, 2)", "x.split_with_sizes([1, 2], 1)", "x.unfold(1, 2, 1)", "t.cartesian_prod(x[0], x[1])",
    "t.block_diag(x, x[:1], t.tensor(7.0))", "x.unflatten(1, (3, 1))", "x.tril()", "t.triu(x, 1)", "x.diag()",
    "t.diag(x[0], -1)", "x.diagonal(1)", "t.diagflat(x)", "t.diag_embed(x, 1)", "x[:, :2].trace()",
    "t.tril_indices(3, 4, 1)", "t.triu_indices(3, 3)", "x.outer(x)", "x[0].outer(x[1])", "t.ger(x[0], x[1])",
    "x.inner(x)", "t.inner(x, t.tensor(2.0))", "t.tensordot(x, x, 2)", "t.kron(x, x)", "t.cross(x, x.flip(1), dim=1)",
    "t.dot(x[0], x[1])", "t.mv(x, x[0])", "t.mm(x, x.T)", "t.bmm(x[None], x.T[None])",
    "t.addmm(x[:, 0], x, x.T, beta=2)", "t.addmv(x[:, 0], x, x[0], alpha=3)", "t.addr(x, x[:, 0], x[0])",
    "t.baddbmm(x[None, :, :2], x[None], x.T[None], beta=0)", "t.addbmm(x[:, :2], x[None], x.T[None])",
    "(x @ x.T).matrix_power(3)", "t.linalg.norm(x)", "t.linalg.norm(x, dim=1)", "t.linalg.norm(x, 1)",
    "t.linalg.norm(x, -INF, (0, 1))", "t.linalg.norm(x, 'fro', keepdim=True)", "t.linalg.norm(x[0], 3)",
    "t.linalg.vector_norm(x, 1)", "t.linalg.matrix_norm(x, INF)", "t.linalg.matrix_norm(x, -1, keepdim=True)",
    "t.linalg.matmul(x, x.T)", "t.linalg.cross(x, x.flip(1))", "x.norm(-1)", "x.norm(0, 1)", "x.dist(2 * x, 3)",
    "x.median()", "x.median(1)", "t.median(n)", "t.median(n, 0, True)", "t.median(t.tensor([NAN, 1.0, 2.0]))",
    "t.median(t.tensor([[NAN, 1.0], [3.0, 2.0]]), 1)", "x.quantile(0.3)", "t.quantile(x, t.tensor([0.1, 0.9]), dim=1)",
    "t.quantile(t.tensor([NAN, 1.0]), 0.5)", "x.quantile(0.5, 1, True, interpolation='nearest')", "x.kthvalue(2)",
    "n.kthvalue(1, 0, True)", "t.msort(-x)", "x.std(1)", "t.std_mean(x, 1)", "t.var_mean(x, (0, 1))", "x.aminmax()",
    "t.aminmax(x, dim=0)", "t.nansum(t.tensor([NAN, 2.0]))", "t.nanmean(t.tensor([[NAN, 2.0], [4.0, 1.0]]), 1)",
    "x.cumprod(1)", "n.cumprod(0)", "x.logcumsumexp(1)", "x.diff(n=2)", "t.diff(x, prepend=x[:, :1])", "t.diff(x > 2)",
    "t.count_nonzero(n)", "x.unique()", "t.unique(n % 2, return_inverse=True, return_counts=True)",
    "t.unique(x, dim=0)", "t.unique_consecutive(t.tensor([1, 1, 2, 2, 1]), return_inverse=True, return_counts=True)",
    "t.bincount(n[0])", "t.bincount(n[0], x[0], minlength=7)", "t.searchsorted(x[0], x)",
    "t.searchsorted(x[0], x, right=True)", "t.bucketize(x, t.tensor([1.0, 3.0]))", "t.isin(n, t.tensor([1, 4]))",
    "x.isclose(x + 1e-6)", "t.equal(x, x)", "x.allclose(x + 1e-9)", "t.add(x, x, alpha=2)", "t.sub(x, 1, alpha=2)",
    "t.rsub(x, 1)", "t.div(n, 4, rounding_mode='floor')", "t.div(-x, 2, rounding_mode='trunc')",
    "t.div(-n, 4, rounding_mode='trunc')", "t.lerp(x, -x, 0.3)", "t.lerp(x, -x, x / 5)",
    "t.addcmul(x, x, x, value=0.5)", "t.addcdiv(x, x, x + 1)", "t.nan_to_num(t.tensor([NAN, INF, -INF]))",
    "t.nan_to_num(t.tensor([NAN, INF, -INF]), 1.0, posinf=2.0)", "t.logit(x / 6)", "t.logit(x / 5, eps=0.1)",
    "t.xlogy(x, x)", "t.xlogy(x, 2.0)", "t.erfc(x - 2)", "t.deg2rad(x)", "t.rad2deg(x)", "t.hypot(x, x + 1)",
    "t.atan2(x - 2, x - 3)", "t.logaddexp(x, -x)", "t.exp2(x)", "t.expm1(x)", "t.log2(x)", "t.log10(x)", "t.rsqrt(x)",
    "t.reciprocal(x)", "t.tan(x)", "t.sinh(x)", "t.asinh(x)", "t.acosh(x + 1)", "t.atanh(x / 6)", "t.arcsin(x / 6)",
    "t.arccos(x / 6)", "t.arctan(x)", "x.clamp(min=x.flip(1))", "t.clamp(x, x[0], x[1] - 1)", "x.clamp_min(2)",
    "t.clamp_max(x, 2)", "x.clip(1, 3)", "t.fix(-x / 2)", "t.square(x > 2)", "t.multiply(x, 2)", "t.true_divide(n, 2)",
    "t.subtract(x, 1)", "t.negative(x)", "t.absolute(-x)", "t.greater(x, 2)", "t.less_equal(x, 2)", "t.not_equal(n, 2)",
    "t.clone(x)", "t.detach(x)", "t.asarray([1, 2])", "t.scalar_tensor(3)", "t.is_floating_point(n)",
    "t.select(x, 1, -1)", "t.swapaxes(x, 0, 1)", "x.swapdims(0, 1)", "x.H", "x.mH", "t.concatenate((x, x), 1)",
    "x.reshape_as(x.T)", "x.sum_to_size(1, 3)", "x.where(x > 2, 0.0)", "x.short()", "x.char()", "n.half()",
    "x.new([1, 2])", "x.element_size()", "x.nbytes", "x.itemsize", "x.stride()", "x.T.stride(0)", "x.is_signed()",
    "x.get_device()", "x.ndimension()", "x.clone().squeeze_(0)", "x.clone().unsqueeze_(1)", "x.clone().t_()",
    "x.clone().resize_(3)", "x.clone().transpose_(0, 1)", "x.clone().resize_(1, 3)", "x.clone().resize_as_(x.T)",
    "x.clone().fill_diagonal_(9)", "x.clone().addmm_(x[:, :2], x)", "x.clone().cumsum_(1)",
    "t.promote_types(t.float16, t.int64)", "t.finfo(t.float64).eps", "t.iinfo(t.int8).max", "t.get_default_dtype()",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_gives_what_pytorch_gives(call):
    results = []
    for t in (mg, torch):
        x = t.arange(6.0).reshape(2, 3)
        try:
            y = eval(call, {"t": t, "x": x, "n": t.arange(6).reshape(2, 3), "INF": float("inf"), "NAN": float("nan")})
        except (RuntimeError, ValueError) as error:
            y = f"refused: {bool(str(error))}"
        parts = list(y) if isinstance(y, tuple) else [y]
        results.append([(str(p.dtype).removeprefix("torch."), p.detach().numpy()) if hasattr(p, "numpy") else
                        (None, str(p).removeprefix("torch.")) for p in parts])
    assert len(results[0]) == len(results[1])
    for (kind, a), (other, b) in zip(*results):
        assert kind == other
        if kind is None:
            assert a == b or float(a) == float(b)
            continue
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6)
