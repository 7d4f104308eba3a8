"""Normalisation layers: over the batch, the layer, the instance, groups of channels."""

from minigrad import create
from minigrad.nn import functional as F
from minigrad.nn.module import Module, Parameter


class LayerNorm(Module):
    """Each sample normalised over its last axes, whose sizes are `normalized_shape` (Ba, Kiros & Hinton 2016)."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (
            normalized_shape,)
        self.eps = eps
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(create.ones(self.normalized_shape, **options)) if elementwise_affine else None
        self.bias = Parameter(create.zeros(self.normalized_shape, **options)) if elementwise_affine and bias else None

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class _BatchNorm(Module):
    """Each channel (axis 1) normalised over the batch, or, in eval mode, by running statistics (Ioffe & Szegedy 2015).

    `momentum` is the weight of the newest batch in the running statistics, None for the plain average of all.
    """

    ranks = ()
    _dispensable = ("num_batches_tracked",)

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None,
                 dtype=None, *, bias=True):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(create.ones(num_features, **options)) if affine else None
        self.bias = Parameter(create.zeros(num_features, **options)) if affine and bias else None
        track = track_running_stats
        self.register_buffer("running_mean", create.zeros(num_features, **options) if track else None)
        self.register_buffer("running_var", create.ones(num_features, **options) if track else None)
        self.register_buffer("num_batches_tracked", create.tensor(0, device=device) if track else None)

    def forward(self, x, activation=None):
        if x.dim() not in self.ranks or x.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}: the input has shape {x.shape}; it takes {self.num_features} "
                             f"channels on axis 1 of {' or '.join(map(str, self.ranks))} axes")
        momentum, mean, var = self.momentum, self.running_mean, self.running_var
        if self.training and not self.track_running_stats:  # which may be switched at any time
            mean = var = None
        elif self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training or mean is None and var is None,
                            0.0 if momentum is None else momentum, self.eps, activation)

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L)."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W)."""

    ranks = (4,)


class _InstanceNorm(_BatchNorm):
    """Each channel of each sample normalised by itself (Ulyanov, Vedaldi & Lempitsky 2016); the batch axis may lack."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None,
                 dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, x):
        if x.dim() not in self.ranks or x.shape[1 - (x.dim() < self.ranks[-1])] != self.num_features:
            raise ValueError(f"{type(self).__name__}: the input has shape {x.shape}; it takes {self.num_features} "
                             f"channels on axis 1 of {self.ranks[-1]} axes, or on axis 0 of {self.ranks[0]}")
        if x.dim() < self.ranks[-1]:
            return self.forward(x.unsqueeze(0))[0]
        return F.instance_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                               self.training or not self.track_running_stats or self.running_mean is None,
                               0.0 if self.momentum is None else self.momentum, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L)."""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (N, C, H, W) or (C, H, W)."""

    ranks = (3, 4)


class GroupNorm(Module):
    """Each sample normalised over groups of neighbouring channels (Wu & He 2018)."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels in {num_groups} groups; the groups must divide the "
                             "channels")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(create.ones(num_channels, **options)) if affine else None
        self.bias = Parameter(create.zeros(num_channels, **options)) if affine and bias else None

    def forward(self, x):
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.weight is not None}"


class LocalResponseNorm(Module):
    """Each value divided by a power of its neighbouring channels' squares: x / (k + alpha * mean)**beta."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x):
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
