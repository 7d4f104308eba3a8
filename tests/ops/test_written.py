"""Methods that end in an underscore write what the function of that name gives, or refuse, as PyTorch's do."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402

CALLS = """x.index_add_(0, i[0], 2 * x) | x.index_copy_(0, t.tensor([1, 0]), 2 * x)
    | x.index_fill_(1, t.tensor([0]), 9) | x.index_put_((t.tensor([0, 1]), t.tensor([1, 1])), y[0, :2])
    | x.index_put_((i[0],), y[0, 0], accumulate=True) | x.masked_fill_(x > 2, 0)
    | x.masked_fill_(x[0] > 2, y[0, 0]) | x.masked_scatter_(x > 2, 3 * y) | x.scatter_(1, i, 7)
    | x.scatter_(1, i, 2 * y) | x.scatter_(dim=1, index=i, src=y) | x.scatter_(1, i, value=3)
    | x.scatter_(1, i, 1, reduce="add") | x.scatter_add_(1, i, y) | x.addcmul_(y, y, value=2)
    | x.addcdiv_(y, y, value=2) | x.abs_() | x.neg_() | x.exp_() | x.log_() | x.sqrt_() | x.rsqrt_()
    | x.square_() | x.reciprocal_() | x.pow_(2) | x.pow_(y) | x.erf_() | x.sin_() | x.cos_() | x.tanh_()
    | x.sigmoid_() | x.relu_() | x.round_() | x.floor_() | x.ceil_() | x.trunc_() | x.sign_()
    | x.clamp_min_(2) | x.clamp_max_(2) | x.tril_() | x.triu_(1) | x.remainder_(2) | x.fmod_(2)
    | x.floor_divide_(2) | x.nan_to_num_() | x.logical_not_() | b.logical_not_()
    | n.masked_fill_(n > 1, 1.5) | n.scatter_(1, i, 7) | n.index_fill_(0, t.tensor([0]), 5) | n.pow_(2)
    | n.exp_() | n.sqrt_() | n.clamp_min_(1.5) | n.reciprocal_() | n.scatter_(1, i, y)
    | x.scatter_(1, i, n) | x.masked_fill_(n, 0)""".split("|")


@pytest.mark.parametrize("call", [call.strip() for call in CALLS])
def test_what_is_written_is_pytorchs(call):
    results = []
    for t in (mg, torch):
        x = t.arange(1.0, 7.0).reshape(2, 3) - 2.5
        names = {"t": t, "x": x, "y": x + 10, "n": t.arange(6).reshape(2, 3), "b": x > 0, "i": t.tensor([[1], [0]])}
        names["n"] = names["n"] + 0
        before = {name: names[name] for name in "xnb"}
        try:
            result = eval(call, names)
        except (RuntimeError, TypeError, ValueError) as error:
            results.append(error)
            continue
        assert any(result is value for value in before.values()), "another tensor came back"
        results.append(result.numpy())
    mine, theirs = results
    if isinstance(theirs, Exception):
        assert isinstance(mine, Exception) and f"{call.split('(')[0][2:-1]}" in str(mine), f"{mine!r}, {theirs!r}"
        return
    assert mine.dtype == theirs.dtype
    np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_a_leaf_that_requires_grad_and_a_value_with_a_graph_are_refused():
    x, w = mg.ones(2), mg.ones(2, requires_grad=True)
    at = mg.tensor([0])
    for call in (lambda: w.exp_(), lambda: x.scatter_(0, at, w * 2), lambda: x.index_add_(0, at, w[:1])):
        with pytest.raises(RuntimeError, match="^(exp_|scatter_|index_add_): .*graph|^exp_: a leaf"):
            call()
    assert x.tolist() == [1.0, 1.0]
