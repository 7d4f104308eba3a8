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
    "n.sum(0, dtype=t.uint8)", "n.cumsum(1, dtype=t.int8)", "x.var(0, correction=2)", "t.add(x, n, alpha=0.29)",
    "x.cross(x.flip(1))", "t.zeros(3, 3).cross(x[:1])", "t.split(x, split_size_or_sections=1)", "x.split(split_size=2)",
    "x.unflatten(1, sizes=(3, 1))", "t.swapaxes(x, axis0=0, axis1=1)", "t.dot(x[0], tensor=x[1])", "t.mv(x, vec=x[0])",
    "t.max(x, other=2 - x)", "x.min(other=2 - x)", "t.tensordot(a=x, b=x)", "t.searchsorted(x[0], input=x)",
    "t.isin(n, t.tensor([1]), invert=True)", "t.broadcast_shapes((3,), 3)", "t.asarray(obj=2.5)",
    "t.scalar_tensor(s=2)", "x.softmax(1, t.float64)", "F.elu(x, 0.5, True)", "F.silu(x, inplace=True)",
    "x.broadcast_to((2, -1, 3))", "t.zeros(2, 0).chunk(4, 1)", "x.take(t.tensor(-1))", "t.nansum(x, dtype=t.float64)",
    "t.bincount(n[0], x[0].half())", "t.einsum('ij->j', n.int())", "t.sign(t.tensor([NAN, -2.0, 0.0]))",
    "t.lerp(x, 2 - x, 0.9)", "x.lerp(2 - x, -0.71)", "x.clone().lerp_(t.tensor(INF), -0.71)",
    "t.lerp(t.tensor([-INF]), t.tensor([-1.0]), 0.9)", "x.clamp(min=t.tensor([NAN, 1.0, 2.0]))",
    "x.clamp(t.tensor(0.0), t.tensor(NAN))", "t.quantile(t.tensor([-INF, INF, 1.0, -1.0]), 0.3)",
    "t.quantile(t.tensor([-INF, NAN]), 0.3)", "x.addcdiv(n, x + 1)", "x.addcdiv(x, n + 1, value=2)",
    "x.half().addcmul(x.half(), x.half(), value=0.1)", "F.threshold(n, 1, 0)",
    "F.threshold(n.byte(), 1, 2)", "F.pixel_shuffle(t.arange(16.0).reshape(2, 1, 4, 2, 1), 2)",
    "F.pixel_unshuffle(t.arange(16.0).reshape(2, 1, 1, 2, 4), 2)", "F.cosine_similarity(x, x[0], 1)",
    "F.cosine_similarity(x1=x, x2=x + 1)", "F.cosine_similarity(x[:, :1], 2 - x, 1)",
    "x.double().addcdiv(n > 1, x + 1, value=0.61)",
    "x.double().addcmul(n > 1, x + 1, value=0.61)", "t.unique(t.tensor([NAN, 1.0, NAN]), True, True, True)",
    "t.xlogy(x, NAN)", "t.xlogy(t.zeros(3), t.tensor([INF, 0.0, NAN]))", "x.xlogy(x.double() + 1)", "x.hsplit(3)",
    "t.addbmm(n[:, :2].short(), n[None, :, :2].short(), n[None, :, :2].short(), beta=2)",
    "x.vsplit(2)", "t.matrix_power(t.tensor([[INF, 1.0], [0.0, 2.0]]), 1)", "t.numel(input=x)", "t.clone(input=x)",
    "t.detach(input=x)", "t.is_floating_point(input=x)", "F.one_hot(input=n)", "t.empty_like(input=x) * 0",
    "x.masked_scatter(t.ones(2, 2, 3).bool(), t.arange(12.0))", "F.avg_pool1d(t.zeros(2, 3, 4), 2, 2, 1, False, False)",
    "t.bernoulli(input=t.ones(2))", "t.multinomial(input=t.tensor([0.0, 1.0]), num_samples=1)",
    "t.zeros_like(input=x)", "t.full_like(input=x, fill_value=2)",
    "x.unfold(dimension=1, size=2, step=1)", "t.tensor([-1.5], dtype=t.uint8)", "t.tensor([1e30], dtype=t.int32)",
    "t.tensor([NAN], dtype=t.int64)", "n.clone().fill_diagonal_(fill_value=7)", "n.byte().fill_(-5.5)",
    "F.margin_ranking_loss(input1=x[0], input2=x[1], target=2 * n[0].clamp(max=1) - 1)",
]


@pytest.mark.filterwarnings("ignore:.*degrees of freedom", "ignore:Using torch.cross")
@pytest.mark.parametrize("call", CALLS)
def test_a_call_gives_what_pytorch_gives(call):
    results = []
    for t in (mg, torch):
        x = t.arange(6.0).reshape(2, 3)
        try:
            y = eval(call, {"t": t, "F": t.nn.functional, "x": x, "n": t.arange(6).reshape(2, 3), "INF": float("inf"),
                            "NAN": float("nan")})
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


VIEWS_OR_NOT = """x[0] x[-1] x[:1] x[...] x[None] x[()] x[0,0] x[:,-1] x[[0]] x[x>0] x.flip(0) x.fliplr()
    x.rot90(4) x.rot90(2) x.roll(0) x.repeat(1,1) x.tile(1) x.expand(2,*x.shape) x.prod(0) x.sum(0) x.amax(0)
    x.cumprod(0) x.cumsum(0) x.squeeze() x.unsqueeze(0) x.reshape(-1) x.flatten() x.ravel() x.view(-1) x.T
    x.permute(1,0) x.transpose(0,1) x.movedim(0,1) x.diag() x.diagonal() x.unfold(0,1,1) x.split(1)[0]
    x.chunk(1)[0] x.unbind()[0] x.tensor_split(1)[0] x.narrow(0,0,1) x.select(0,0) x.clone() x.detach() x.data
    x.double() x.to(t.float64) x.contiguous() x.clamp(-99,99) x.nan_to_num() x.tril() x.sort(0)[0] x.where(x>-99,x)
    x.masked_fill(x>99,0) x.masked_scatter(x>99,x) x.index_put((x>99,),x[0,0]) x.gather(0,0*x.long())
    x.repeat_interleave(1,0) x.diff(n=0) x.abs() x.relu() +x t.cat([x]) t.stack([x])[0] t.broadcast_tensors(x,x)[0]
    t.meshgrid(x[0],x[0],indexing="ij")[0] t.atleast_2d(x) F.interpolate(x[None,None],scale_factor=1)
    F.pad(x,(0,0)) F.dropout(x,0.0,False) F.pixel_shuffle(x[None,None],1) x.max(0)[0] x.median(0)[0]
    F.embedding(t.tensor(0),x) F.embedding(t.tensor([0]),x)
    x.quantile(0.5,0) x.unflatten(0,(-1,1)) t.einsum("ij->ji",x) x.matrix_power(1)""".split()


@pytest.mark.parametrize("call", VIEWS_OR_NOT)
def test_a_result_shares_the_inputs_memory_where_pytorchs_does(call):
    for shape in ((2, 3), (1, 3), (3, 1), (1, 1), (2, 2)):
        shared = []
        for t in (mg, torch):
            x = t.tensor(np.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape))
            try:
                y = eval(call, {"t": t, "F": t.nn.functional, "x": x})
            except (RuntimeError, ValueError):
                shared.append("refused")
                continue
            shared.append(bool(np.may_share_memory(x.array, y.array)) if t is mg else
                          x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr())
        assert shared[0] == shared[1], f"{call} of {shape}: {shared[0]}, in PyTorch {shared[1]}"


SLOPES = {"atan2 at the origin": ("t.atan2(x, y)", [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
          "elu at 0 and at NaN": ("F.elu(x, 0.5) * y", [0.0, -0.0, float("nan"), -2.0, 1.0], [1.0] * 5),
          "elu far left": ("F.elu(x) * y", [-18.0, -80.0], [1.0, 2.0]),
          "celu": ("F.celu(x, 2.0) * y", [0.0, -1.0], [1.0, 2.0]),
          "selu": ("F.selu(x) * y", [0.0, -1.0], [1.0, 2.0]),
          "xlogy at 0": ("t.xlogy(x, y)", [0.0, 0.0, 2.0, 0.0], [3.0, 0.5, 1.5, 1.0]),
          "sign": ("x.sign() * y", [float("nan"), 2.0], [1.0, 2.0]),
          "lerp from the nearer end": ("t.lerp(x, y, -0.71)", [1.0, 2.0], [3.0, 5.0]),
          "probabilities weighed by classes": ("F.cross_entropy(y[None], y.softmax(0).detach()[None], weight=x)",
                                               [1.0, 2.0, 3.0], [0.5, 0.1, -0.4])}


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_at_corners_are_pytorchs_to_the_second_order(name):
    call, x, y = SLOPES[name]
    found = []
    for t in (mg, torch):
        xs = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in (x, y)]
        z = eval(call, {"t": t, "F": t.nn.functional, "x": xs[0], "y": xs[1]})
        first = t.autograd.grad(z.sum(), xs, create_graph=True)
        second = t.autograd.grad(sum((g * (i + 2.0)).sum() for i, g in enumerate(first) if g.requires_grad), xs,
                                 allow_unused=True) if any(g.requires_grad for g in first) else [None, None]
        found.append([*(g.detach().numpy() for g in first), *(np.zeros(len(x)) if g is None else g.numpy()
                                                              for g in second)])
    for a, b in zip(*found):  # PyTorch's second derivative of atan2 is NaN at the origin
        np.testing.assert_allclose(a[~np.isnan(b)], b[~np.isnan(b)], rtol=1e-12, atol=1e-15)


def test_what_is_written_into_an_element_a_diagonal_or_a_window_is_in_the_tensor():
    for t in (mg, torch):
        x = t.zeros(3, 3)
        x[0][1].fill_(2)
        x[2, 0].add_(5)
        x.diagonal().fill_(7)
        x[1].unfold(0, 2, 1)[1].sub_(1)
        assert x.tolist() == [[7, 2, 0], [0, 6, -1], [5, 0, 7]]


@pytest.mark.parametrize("call, parts", [
    ("x.roll((1, 2))", ["roll", "(1, 2)"]), ("x.roll(1, (0, 1))", ["roll"]), ("x.flatten(1, 0)", ["flatten", "behind"]),
    ("x.repeat(2, -1)", ["repeat", "-1"]), ("t.block_diag(x[None])", ["block_diag", "(1, 2, 3)"]),
    ("t.full((2,), float('inf'), dtype=t.int64)", ["full", "inf"]), ("n.masked_fill(n > 1, 1e30)", ["int64", "1e+30"]),
    ("n.byte().masked_fill(n > 1, 300)", ["uint8", "300"]), ("n.byte() * -1", ["Mul", "-1"]),
    ("t.flipud(x[0, 0])", ["flipud"]), ("x.addcdiv(n, n + 1)", ["addcdiv", "int64"]), ("x[0].vsplit([1])", ["vsplit"]),
    ("x.hsplit(4)", ["hsplit", "tensor_split"]), ("x.matrix_power(0)", ["matrix_power", "(2, 3)"]),
    ("F.embedding(n[0], x[0])", ["embedding", "(3,)"]),
    ("F.batch_norm(x, x[0], x[0], t.tensor(2.0))", ["batch_norm", "weight", "3 channels"]),
    ("n.clone().fill_(float('inf'))", ["fill_", "infinity"]), ("n.scatter_add(0, n, x)", ["scatter_add", "float32"]),
    ("F.linear(x[None], x[0])", ["Linear", "two axes"]), ("t.addmm(x[None], x, x.T)", ["(2, 2)"]),
    ("t.mm(x, x[0])", ["mm", "(3,)"]), ("t.dot(x, x)", ["dot"]), ("t.outer(x, x)", ["outer", "(2, 3)"]),
    ("t.div(n, n, rounding_mode='trunc')", ["divided by 0"]), ("n.exp_()", ["exp_"]), ("t.diff(x[0, 0])", ["diff"]),
    ("F.cross_entropy(x, n[0, :2], None, None, 'sum')", ["ignore_index", "'sum'"]),
    ("t.quantile(x, 1.5)", ["1.5"]),
    ("F.binary_cross_entropy(x.sigmoid(), x / 6, t.ones(4, 2, 3))", ["bce", "(4, 2, 3)"]),
    ("x.kthvalue(4)", ["4", "3"]),
    ("F.binary_cross_entropy_with_logits(x, x[None], pos_weight=x)", ["(1, 2, 3)"]),
    ("t.median(x[:0].long())", ["median"]),
    ("n.clone().clamp_(0.5)", ["clamp_", "float32"]), ("x.unfold(1, 4, 1)", ["unfold", "4"]),
    ("t.trace(x[0])", ["trace"]),
    ("t.matrix_power(x @ x.T, -1)", ["matrix_power", "-1"]), ("t.cross(x[:, :2], x[:, :2], 1)", ["cross", "three"]),
])
def test_a_misuse_is_an_error_in_both_and_one_clear_line_here(call, parts):
    for t, kinds in ((mg, (ValueError, TypeError, IndexError, ZeroDivisionError)), (torch, Exception)):
        names = {"t": t, "F": t.nn.functional, "x": t.arange(6.0).reshape(2, 3), "n": t.arange(6).reshape(2, 3)}
        if t is torch and call in ("n.byte() * -1", "n.clone().fill_(float('inf'))", "F.linear(x[None], x[0])",
                                   "t.median(x[:0].long())", "t.matrix_power(x @ x.T, -1)"):
            continue  # PyTorch has an answer: it wraps around, reads what lies there, or inverts
        with pytest.raises(kinds) as caught:
            eval(call, names)
        if t is mg:
            message = str(caught.value)
            assert "\n" not in message and all(part in message for part in parts), message
