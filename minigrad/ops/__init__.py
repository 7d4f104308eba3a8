"""The mathematics, one family a file, in reading order. Every function takes Tensors, or arrays, and gives the same."""

from minigrad.ops import norm  # the module, first: the name is to end as the function of reduce.py
from minigrad.ops.select import argwhere, clamp, clamp_max, clamp_min, maximum, minimum, nonzero, where
from minigrad.ops.broadcast import reflected
from minigrad.ops.elementwise import abs, exp, log, log1p, mul, neg, pow, sqrt, square
from minigrad.ops.trigonometry import acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, sin, sinh, tan
from minigrad.ops.shape import (broadcast_to, cat, chunk, expand, flatten, flip, pad, permute, repeat, reshape, roll,
                                ravel, split, squeeze, stack, swapaxes, t, transpose, unbind, unflatten, unsqueeze,
                                view)
from minigrad.ops.rounding import ceil, floor, floor_divide, fmod, frac, remainder, round, sign, trunc
from minigrad.ops.compare import (all, allclose, any, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or,
                                  bitwise_right_shift, bitwise_xor, eq, equal, ge, gt, isclose, isfinite, isinf, isnan,
                                  le, logical_and, logical_not, logical_or, logical_xor, lt, ne)
from minigrad.ops.index import gather, getitem, index_select, narrow, take, take_along_dim
from minigrad.ops.write import (index_add, index_copy, index_fill, index_put, masked_fill, masked_scatter,
                                masked_select, scatter, scatter_add)
from minigrad.ops.reduce import (amax, amin, argmax, argmin, cumsum, log_softmax, logsumexp, max, mean, min,
                                 norm, prod, softmax, std, sum, var)  # noqa: F811
from minigrad.ops.order import argsort, msort, sort, topk
from minigrad.ops.arrange import (atleast_1d, atleast_2d, atleast_3d, block_diag, broadcast_shapes, broadcast_tensors,
                                  cartesian_prod, column_stack, dstack, fliplr, flipud, hsplit, hstack, meshgrid,
                                  movedim, repeat_interleave, rot90, split_with_sizes, tensor_split, tile, unfold,
                                  vsplit, vstack)
from minigrad.ops.triangle import diag, diag_embed, diagflat, diagonal, trace, tril, triu
from minigrad.ops.find import bincount, bucketize, count_nonzero, isin, searchsorted, unique, unique_consecutive
from minigrad.ops.linalg import (addbmm, addmm, addmv, addr, baddbmm, bmm, cross, dot, einsum, inner, kron, linear,
                                 matmul, matrix_power, mm, mv, outer, tensordot)
from minigrad.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from minigrad.ops.pool import (adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, interpolate,
                               max_pool1d, max_pool2d, pixel_shuffle, pixel_unshuffle)
from minigrad.ops.activation import (elu, erf, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh)
from minigrad.ops.elementary import (add, addcdiv, addcmul, deg2rad, div, erfc, exp2, expm1, hypot, lerp, log2, log10,
                                     logaddexp, logit, nan_to_num, positive, rad2deg, reciprocal, rsqrt, rsub, sub,
                                     xlogy)
from minigrad.ops.statistics import (aminmax, cumprod, diff, dist, kthvalue, logcumsumexp, median, nanmean, nansum,
                                     quantile, std_mean, var_mean)
from minigrad.ops.loss import (bce, bce_with_logits, cross_entropy, l1_loss, mse_loss, nll_loss, smooth_l1_loss)
from minigrad.ops.words import with_words

_NOT_FOR_USERS = {"reflected", "getitem", "with_words"}
__all__ = [name for name, value in vars().items() if callable(value) and name not in _NOT_FOR_USERS]
globals().update({name: with_words(globals()[name], __name__) for name in __all__})
