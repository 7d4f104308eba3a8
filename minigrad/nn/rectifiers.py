"""More activations as modules, one line each onto `nn.functional`."""

from minigrad import create
from minigrad.nn import functional as F
from minigrad.nn.module import Module, Parameter


class Hardtanh(Module):
    """x held between min_val and max_val."""

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x):
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self):
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """x held between 0 and 6."""

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0)

    def extra_repr(self):
        return ""


class _Plain(Module):
    """An activation without options."""

    function = None

    def __init__(self, inplace=False):
        super().__init__()

    def forward(self, x):
        return self.function(x)


class Hardsigmoid(_Plain):
    """0 below -3, 1 above 3, a straight line between."""

    function = staticmethod(F.hardsigmoid)


class Hardswish(_Plain):
    """x * hardsigmoid(x)"""

    function = staticmethod(F.hardswish)


class Mish(_Plain):
    """x * tanh(ln(1 + e**x))"""

    function = staticmethod(F.mish)


class SELU(_Plain):
    """1.0507 * x where it is positive, else 1.7581 * (e**x - 1)"""

    function = staticmethod(F.selu)


class LogSigmoid(_Plain):
    """ln sigmoid(x)"""

    function = staticmethod(F.logsigmoid)

    def __init__(self):
        super().__init__()


class Softsign(LogSigmoid):
    """x / (1 + |x|)"""

    function = staticmethod(F.softsign)


class Tanhshrink(LogSigmoid):
    """x - tanh x"""

    function = staticmethod(F.tanhshrink)


class CELU(Module):
    """x where it is positive, else alpha * (e**(x / alpha) - 1)"""

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha

    def forward(self, x):
        return F.celu(x, self.alpha)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class Hardshrink(Module):
    """x, but 0 from -lambd to lambd."""

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, x):
        return F.hardshrink(x, self.lambd)

    def extra_repr(self):
        return str(self.lambd)


class Softshrink(Hardshrink):
    """x moved towards 0 by lambd, and 0 from -lambd to lambd."""

    def forward(self, x):
        return F.softshrink(x, self.lambd)


class Threshold(Module):
    """x where it is above the threshold, else the value."""

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold, self.value = threshold, value

    def forward(self, x):
        return F.threshold(x, self.threshold, self.value)

    def extra_repr(self):
        return f"threshold={self.threshold}, value={self.value}"


class GLU(Module):
    """The first half of x along `dim`, times the sigmoid of the second."""

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        return F.glu(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class PReLU(Module):
    """x where it is positive, else a slope that is learnt, one for all or one a channel, times x. weight (num,)."""

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(create.full((num_parameters,), float(init), device=device, dtype=dtype))

    def forward(self, x):
        return F.prelu(x, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"
