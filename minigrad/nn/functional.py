"""The layers as functions: PyTorch's `nn.functional`, on the operations of `minigrad.ops`."""

import warnings

from minigrad import ops, random
from minigrad.absent import names_of
from minigrad.autograd import array_of
from minigrad.backend import array_module
from minigrad.graph import Op
from minigrad.ops import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cross_entropy,
    elu,
    gelu,
    interpolate,
    l1_loss,
    linear,
    max_pool1d,
    max_pool2d,
    mse_loss,
    nll_loss,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    sigmoid,
    silu,
    smooth_l1_loss,
    softplus,
    tanh,
)
from minigrad.ops.checks import place_in
from minigrad.ops.loss import bce as binary_cross_entropy
from minigrad.ops.loss import bce_with_logits as binary_cross_entropy_with_logits
from minigrad.ops.norm import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm
from minigrad.ops.pairs import (
    cosine_embedding_loss,
    cosine_similarity,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    margin_ranking_loss,
    pairwise_distance,
    soft_margin_loss,
    triplet_margin_loss,
)
from minigrad.ops.rectifier import (
    SELU_ALPHA,
    SELU_SCALE,
    celu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    logsigmoid,
    mish,
    prelu,
    relu6,
    selu,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from minigrad.ops.words import with_words

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "alpha_dropout", "avg_pool1d", "avg_pool2d", "batch_norm",
           "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "conv1d", "conv2d", "conv_transpose1d",
           "conv_transpose2d", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "dropout", "dropout1d",
           "dropout2d", "dropout3d", "elu", "embedding", "gelu", "glu", "group_norm", "hardshrink", "hardsigmoid",
           "hardswish", "hardtanh", "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div",
           "l1_loss", "layer_norm", "leaky_relu", "linear", "local_response_norm", "log_softmax", "logsigmoid",
           "margin_ranking_loss", "max_pool1d", "max_pool2d", "mish", "mse_loss", "nll_loss", "normalize", "one_hot",
           "pad", "pairwise_distance", "pixel_shuffle", "pixel_unshuffle", "prelu", "relu", "relu6", "selu",
           "sigmoid", "silu", "smooth_l1_loss", "soft_margin_loss", "softmax", "softplus", "softshrink", "softsign",
           "tanh", "tanhshrink", "threshold", "triplet_margin_loss"]
__getattr__ = names_of(__name__)


def relu(x, inplace=False):
    """max(x, 0), with slope 0 at 0. `inplace`, here and below, is there for PyTorch's sake: nothing is overwritten."""
    return ops.relu(x)


def leaky_relu(x, negative_slope=0.01, inplace=False):
    """x where it is positive, else negative_slope * x."""
    return ops.leaky_relu(x, negative_slope)


def softmax(x, dim=None, _stacklevel=3, dtype=None):
    """e**x / sum e**x along `dim`. Without one along axis 0 of 0, 1 or 3 axes, else along axis 1, with a warning."""
    return ops.softmax(x, _chosen("softmax", x, dim), dtype=dtype)


def log_softmax(x, dim=None, _stacklevel=3, dtype=None):
    """The logarithm of softmax along `dim`; without one as `softmax` chooses it."""
    return ops.log_softmax(x, _chosen("log_softmax", x, dim), dtype=dtype)


def _chosen(name, x, dim):
    if dim is None:
        dim = 0 if len(x.shape) in (0, 1, 3) else 1
        warnings.warn(f"{name}: no dim was given, axis {dim} is taken as in PyTorch; say which one", stacklevel=3)
    return dim


def dropout(x, p=0.5, training=True, inplace=False):
    """Each element 0 with probability p, else divided by 1 - p, while training (Srivastava et al. 2014)."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is {p}; a probability lies in 0..1")
    if not training or p == 0:
        return x
    array = array_of(x)
    kept = random.draw(array_module(array), "random", array.shape, array.dtype) >= p
    return x * (kept.astype(array.dtype) * array.dtype.type(0.0 if p == 1 else 1.0 / (1.0 - p)))


def dropout1d(x, p=0.5, training=True, inplace=False):
    """Each channel of each sample (N, C, L) or (C, L) 0 with probability p, else divided by 1 - p, while training."""
    return _channel_dropout("dropout1d", x, p, training, 2)


def dropout2d(x, p=0.5, training=True, inplace=False):
    """The same for images (N, C, H, W). Three axes are (N, C, L), as in PyTorch."""
    return _channel_dropout("dropout2d", x, p, training, None)


def dropout3d(x, p=0.5, training=True, inplace=False):
    """The same for (N, C, D, H, W) or (C, D, H, W)."""
    return _channel_dropout("dropout3d", x, p, training, 4)


def _channel_dropout(name, x, p, training, alone):
    """Dropout of whole channels; with `alone` axes there is no batch axis."""
    ndim = len(x.shape)
    if ndim < 2 or alone and ndim not in (alone, alone + 1):
        axes = f"{alone} or {alone + 1} axes" if alone else "a batch axis and a channel axis"
        raise ValueError(f"{name}: the input has shape {tuple(x.shape)}; give it {axes}")
    channels = 1 if ndim == alone else 2
    if not training or p == 0:
        return dropout(x, p, False)
    array = array_of(x)
    shape = array.shape[:channels] + (1,) * (ndim - channels)
    return x * dropout(array_module(array).ones(shape, array.dtype), p)


def alpha_dropout(x, p=0.5, training=False, inplace=False):
    """Each element -1.758 with probability p, then all scaled and shifted so that N(0, 1) keeps its mean and variance.

    That is the value which SELU tends to (Klambauer et al. 2017).
    """
    low = -SELU_ALPHA * SELU_SCALE
    if not 0 <= p <= 1:
        raise ValueError(f"alpha_dropout: p is {p}; a probability lies in 0..1")
    if not training or p == 0:
        return x
    array = array_of(x)
    if p == 1:
        return x * 0.0
    kept = random.draw(array_module(array), "random", array.shape, array.dtype) >= p
    scale = ((1 - p) * (1 + p * low * low)) ** -0.5
    return ops.where(kept, x, low) * scale - scale * low * p


def embedding(input, weight, padding_idx=None):
    """The rows of weight (num_embeddings, dim) at an int64 tensor of any shape; its shape gains the axis dim.

    Through the row `padding_idx` flows no gradient.
    """
    array = array_of(input)
    if len(weight.shape) != 2:
        raise ValueError(f"embedding: the weight has shape {tuple(weight.shape)}; give it two axes")
    if array.dtype.kind not in "iu" or array.dtype == "uint8":  # as an index, that is a mask
        raise TypeError(f"embedding: the index is {array.dtype}; give int64 (.long())")
    if array.size and (array.min() < 0 or array.max() >= weight.shape[0]):
        raise IndexError(f"embedding: the index reaches from {array.min()} to {array.max()}; rows go from 0 to "
                         f"{weight.shape[0] - 1}")
    rows = ops.getitem(weight, input) if array.ndim else ops.getitem(weight, array[None])[0]  # never a view
    if padding_idx is None:
        return rows
    padding = place_in("embedding", "padding_idx", padding_idx, weight.shape[0])
    if getattr(rows, "node", None) is None:  # no gradient that could be kept away
        return rows
    return ops.where(Op.wrap(array == padding)[..., None], rows.detach(), rows)


def one_hot(input, num_classes=-1):
    """int64 labels of any shape as rows of zeros with a one at the label: shape (..., num_classes), int64.

    >>> from minigrad import tensor
    >>> one_hot(tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    array = array_of(input)
    if array.dtype.kind not in "iu":
        raise TypeError(f"one_hot: the labels are {array.dtype}; give int64 (.long())")
    count = int(array.max()) + 1 if num_classes == -1 and array.size else num_classes
    if array.size and (array.min() < 0 or array.max() >= count):
        raise ValueError(f"one_hot: the labels reach from {array.min()} to {array.max()}; {count} classes hold 0 to "
                         f"{count - 1}")
    return Op.wrap((array[..., None] == array_module(array).arange(count)).astype("int64"))


def normalize(x, p=2.0, dim=1, eps=1e-12):
    """x divided by its p-norm along `dim`, or by eps where the norm is smaller."""
    return x / ops.clamp(ops.norm(x, p, dim, True), eps)


globals().update({name: with_words(globals()[name], __name__) for name in __all__
                  if globals()[name] is not getattr(ops, name, None)})
