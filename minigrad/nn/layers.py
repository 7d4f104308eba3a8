"""Linear layers, tables, and the reshapers between them."""

from minigrad import create, ops
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter
from minigrad.ops.checks import place_in


class Identity(Module):
    """What goes in comes out; any arguments are ignored."""

    def __init__(self, *args, **options):
        super().__init__()

    def forward(self, x):
        return x


class Linear(Module):
    """y = x W.T + b: (..., in_features) to (..., out_features). weight (out, in), bias (out,)."""

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(create.empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(create.empty(out_features, device=device, dtype=dtype)) if bias else None
        init.torch_default_(self.weight, self.bias)

    def forward(self, x, activation=None):
        return ops.linear(x, self.weight, self.bias, activation)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A table of vectors: int64 (...) to (..., embedding_dim). weight (num_embeddings, embedding_dim) of N(0, 1).

    The row `padding_idx` begins as zeros and gets no gradient.
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, *, device=None, dtype=None):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else place_in(
            "Embedding", "padding_idx", padding_idx, num_embeddings)
        self.weight = Parameter(create.randn(num_embeddings, embedding_dim, device=device, dtype=dtype))
        if padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def forward(self, index):
        return F.embedding(index, self.weight, self.padding_idx)

    def extra_repr(self):
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Flatten(Module):
    """Axes start_dim to end_dim as one; the batch axis stays."""

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return ops.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Axis `dim` as several axes of the given sizes."""

    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x):
        return ops.unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
