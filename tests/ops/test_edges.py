"""Tensors without axes and tensors without elements, through every function: PyTorch's result, or one clear error.

Value, shape, dtype and gradient are PyTorch's wherever both give one. Where only one does, the call is in LOOSER (it
has a result here) or STRICTER (it is an error here); an error is one line with the reason in it.
"""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402

SHAPES = [(), (0,), (1,), (3,), (0, 3), (3, 0), (2, 3), (2, 0, 3), (0, 2, 3), (2, 3, 0)]

# Calls along an axis d, and others; blanks separate them.
ALONG = """
    x.sum({d}) x.mean({d}) x.var({d}) x.std({d}) x.prod({d}) x.norm(2,{d}) x.norm(1,{d}) x.norm(INF,{d}) x.norm(3,{d})
    x.amax({d}) x.amin({d}) x.max({d})[0] x.min({d})[0] x.max({d})[1] x.argmax({d}) x.argmin({d}) x.logsumexp({d})
    x.softmax({d}) x.log_softmax({d}) x.cumsum({d}) x.cumprod({d}) x.logcumsumexp({d}) x.sort({d})[0] x.sort({d})[1]
    x.sort({d},True)[0] x.argsort({d}) x.topk(1,{d})[0] x.topk(0,{d})[0] x.kthvalue(1,{d})[0] x.median({d})[0]
    x.median({d})[1] x.flip({d}) x.roll(1,{d}) x.squeeze({d}) x.unsqueeze({d}) x.unbind({d})[0] t.stack(x.unbind({d}))
    x.split(2,{d})[0] x.chunk(2,{d})[0] x.any({d}) x.all({d}) t.diff(x,dim={d}) x.diff(n=5,dim={d})
    x.count_nonzero({d}) t.cat([x,x],{d}) t.stack([x,x],{d}) x.index_select({d},t.tensor([0]))
    x.index_select({d},t.tensor([],dtype=t.int64)) x.gather({d},t.zeros_like(x).long())
    x.gather({d},t.zeros([0]*x.ndim).long()) x.repeat_interleave(2,{d}) x.select({d},0) x.narrow({d},0,0)
    x.narrow({d},0,1) x.unfold({d},1,1) x.unfold({d},0,1) x.tensor_split(3,{d})[2] x.quantile(0.5,{d}) x.nansum({d})
    x.nanmean({d}) t.aminmax(x,dim={d})[0] t.std_mean(x,{d})[1] x.index_fill({d},t.tensor([0]),1.)
    x.index_add({d},t.tensor([0]),x) x.index_copy({d},t.tensor([0]),x) F.normalize(x,dim={d}) F.softmax(x,{d})
    x.flatten({d},-1) x.unflatten({d},(1,-1)) x.movedim({d},0) x.transpose({d},-1) x.sum({d},True) x.amax({d},True)
    x.max({d},True)[0] x.median({d},True)[0] x.argmax({d},True) x.logsumexp({d},True)
""".replace("{d}", "d").split()
PLAIN = """
    x.sum() x.mean() x.var() x.std() x.prod() x.norm() x.norm(1) x.norm(INF) x.amax() x.amin() x.max() x.min()
    x.argmax() x.argmin() x.any() x.all() x.median() x.flatten() x.ravel() x.reshape(-1) x.view(-1) x.squeeze() x.t()
    x.T x.unsqueeze(0) x.clone() x[None] x[...] x[:0] x[0] x[-1] x[x>0] x[x>9] x[[0]] x[[]]
    x[t.tensor([],dtype=t.int64)] x[:,:0] x[...,None] x.flip(()) x.roll(1) x.repeat(2,2,2) x.repeat(0,1,1) x.tile(2)
    x.tile((0,)) x.expand(2,*x.shape) x.expand(0,*x.shape) x.broadcast_to((2,*x.shape)) x+x x*2 x/x x**2 x**x.abs() x@x
    x@x.T t.matmul(x,x) t.outer(x,x) t.dot(x,x) t.mm(x,x) t.mv(x,x) t.bmm(x,x) x.masked_select(x>0)
    x.masked_fill(x>0,1.) t.where(x>0,x,-x) x.clamp(0,1) t.maximum(x,-x) t.tril(x) t.triu(x) t.diag(x) t.diagonal(x)
    t.trace(x) t.diag_embed(x) x.nonzero().float() t.argwhere(x).float() t.cat([x,x]) t.cat([x]) t.stack([x])
    t.hstack([x,x]) t.vstack([x,x]) t.dstack([x,x]) t.column_stack([x,x]) t.atleast_1d(x) t.atleast_2d(x)
    t.einsum("i,i",x,x) t.einsum("ij,jk",x,x.T) t.einsum("...->...",x) t.meshgrid(x,x,indexing="ij")[0] t.kron(x,x)
    t.inner(x,x) t.tensordot(x,x,0) x.take(t.tensor([0])) x.take(t.tensor([],dtype=t.int64))
    x.scatter_add(0,t.zeros_like(x).long(),x) x.quantile(0.5) x.nansum() t.count_nonzero(x) F.pad(x,(1,1))
    F.pad(x,(1,1,1,1)) F.pad(x,(0,0)) F.pad(x,()) F.mse_loss(x,x*2) F.l1_loss(x,x*2) F.smooth_l1_loss(x,x*2)
    F.binary_cross_entropy(x.sigmoid(),x.sigmoid()*.5) F.binary_cross_entropy_with_logits(x,x) F.relu(x)
    F.leaky_relu(x) F.elu(x) F.gelu(x) F.silu(x) F.softplus(x) F.dropout(x,0.) F.linear(x,t.ones(2,3).double())
    F.linear(x,t.ones(2,3).double(),t.ones(2).double()) F.linear(x,t.ones(0,3).double()) F.layer_norm(x,x.shape[-1:])
    F.layer_norm(x,(3,)) F.batch_norm(x,None,None,training=True) F.group_norm(x,1) F.instance_norm(x)
    F.cross_entropy(x,t.zeros(x.shape[:1]).long()) F.max_pool2d(x,1) F.avg_pool2d(x,1) F.max_pool2d(x[None],2)
    F.adaptive_avg_pool2d(x,1) F.interpolate(x[None],scale_factor=2) F.conv2d(x[None],t.ones(1,2,1,1).double())
    F.conv2d(x,t.ones(1,2,1,1).double()) F.conv1d(x,t.ones(1,2,1).double())
    F.conv_transpose2d(x[None],t.ones(2,1,1,1).double()) F.one_hot(x.long(),3).float()
    F.embedding(x.long(),t.ones(4,2)) t.cumsum(x.reshape(-1),0) x.cumprod(0) t.allclose(x,x) t.equal(x,x) x.lerp(x,.5)
    t.isclose(x,x) x.tolist() x.numel() len(x) list(x) bool(x.sum()==0) x.item() x.fliplr() x.rot90()
    t.broadcast_tensors(x,x)[0] t.bincount(x.long().reshape(-1)) x.unbind()[0] x.chunk(3)[0] x.split([1,1])[0]
    x.reshape(0) x.reshape(0,-1) x.reshape(x.shape) x.view(x.shape) x.nan_to_num() x.addmm(x,x) x.matrix_power(2)
    x.movedim(0,-1) t.ones_like(x) x.new_zeros(x.shape) x.double().sum() x.sum_to_size(x.shape)
    x.index_put((t.tensor([0]),),t.tensor(1.)) x.masked_scatter(x>9,x)
""".split()

LOOSER = {"x.quantile(0.5,d)", "F.max_pool2d(x,1)", "F.avg_pool2d(x,1)", "F.max_pool2d(x[None],2)",
          "F.interpolate(x[None],scale_factor=2)"}
STRICTER = {"x.roll(1,d)", "t.cat([x,x],d)", "F.batch_norm(x,None,None,training=True)", "F.instance_norm(x)",
            "F.adaptive_avg_pool2d(x,1)"}


def outcome(t, call, x, d):
    """What a call gives, and the gradient; or the error."""
    x = t.tensor(x, requires_grad=True)
    try:
        with np.errstate(all="ignore"):
            y = eval(call, {"t": t, "F": t.nn.functional, "x": x, "d": d, "INF": float("inf")})
    except (TypeError, ValueError, IndexError, RuntimeError, NotImplementedError) as error:
        return error
    if not hasattr(y, "dtype"):
        return (len(y) if isinstance(y, list) else y),
    gradient = None
    if y.requires_grad:
        g = np.random.default_rng(1).standard_normal(tuple(y.shape))
        with np.errstate(all="ignore"):
            y.backward(t.tensor(g).to(y.dtype))
        gradient = None if x.grad is None else x.grad.numpy()
    return str(y.dtype).removeprefix("torch."), tuple(y.shape), y.detach().numpy(), gradient


def check(call, shape, d=None):
    x = np.random.default_rng(0).standard_normal(shape)
    mine, theirs = outcome(mg, call, x, d), outcome(torch, call, x, d)
    what = f"{call}, d = {d}, of {shape}: {mine}, in PyTorch {theirs}"
    if isinstance(mine, Exception):
        assert "\n" not in str(mine) and len(str(mine)) > 20 and "unpack" not in str(mine), what
        assert isinstance(theirs, Exception) or call in STRICTER, what
        return
    if isinstance(theirs, Exception):
        assert call in LOOSER, what
        return
    assert mine[:2] == theirs[:2] or mine[0] != mine[0], what
    for a, b in zip(mine[2:], theirs[2:]):
        a, b = (np.zeros(shape) if v is None else v for v in (a, b))  # no gradient and one of zeros are the same
        assert a.shape == b.shape, what
        np.testing.assert_allclose(a.astype("d"), b.astype("d"), 1e-8, 1e-10, err_msg=what)


@pytest.mark.parametrize("call", ALONG)
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
def test_along_an_axis_of_tensors_without_axes_or_elements(call):
    for shape, d in itertools.product(SHAPES, (0, -1, 1)):
        check(call, shape, d)


@pytest.mark.parametrize("call", PLAIN)
@pytest.mark.filterwarnings("ignore:.*degrees of freedom", "ignore:Tensor.T is", "ignore:The use of")
def test_of_tensors_without_axes_or_elements(call):
    for shape in SHAPES:
        check(call, shape)


def test_an_empty_vector_adds_nothing_to_a_cat():
    for t in (mg, torch):
        empty = t.tensor([], requires_grad=True)
        x = t.ones(2, 3, requires_grad=True)
        y = t.cat([empty, x, empty], 1)
        assert tuple(y.shape) == (2, 3) and t.cat([empty, t.ones(2, 3).long()]).dtype == t.float32
        y.sum().backward()
        assert x.grad.tolist() == [[1.0] * 3] * 2 and tuple(empty.grad.shape) == (0,)
