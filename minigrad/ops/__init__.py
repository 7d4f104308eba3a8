"""The mathematics, one family a file, in reading order. Every function takes Tensors, or arrays, and gives the same."""

from minigrad.ops import norm  # the module, first: the name is to end as the function of reduce.py
from minigrad.ops.select import clamp, maximum, minimum, where
from minigrad.ops.broadcast import reflected
from minigrad.ops.elementwise import abs, add, div, exp, log, log1p, mul, neg, pow, sqrt, square, sub
from minigrad.ops.trigonometry import cos, sin
from minigrad.ops.shape import (broadcast_to, cat, chunk, expand, flatten, flip, pad, permute, repeat, reshape, roll,
                                split, squeeze, stack, t, transpose, unbind, unflatten, unsqueeze, view)
from minigrad.ops.rounding import ceil, floor, floor_divide, fmod, frac, remainder, round, sign, trunc
from minigrad.ops.compare import (all, allclose, any, eq, ge, gt, isfinite, isinf, isnan, le, logical_and, logical_not,
                                  logical_or, logical_xor, lt, ne)
from minigrad.ops.index import gather, getitem, index_select, scatter_add, take
from minigrad.ops.reduce import (amax, amin, argmax, argmin, cumsum, log_softmax, logsumexp, max, mean, min,
                                 norm, prod, softmax, std, sum, var)  # noqa: F811
from minigrad.ops.order import argsort, sort, topk
from minigrad.ops.linalg import einsum, linear, matmul
from minigrad.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from minigrad.ops.pool import (adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, interpolate,
                               max_pool1d, max_pool2d, pixel_shuffle, pixel_unshuffle)
from minigrad.ops.activation import (elu, erf, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh)
from minigrad.ops.loss import (bce, bce_with_logits, cross_entropy, l1_loss, mse_loss, nll_loss, smooth_l1_loss)

_NOT_FOR_USERS = {"reflected", "getitem"}
__all__ = [name for name, value in vars().items() if callable(value) and name not in _NOT_FOR_USERS]
