"""Faults of modules and layers, of how they begin, and of spectral normalisation."""

import copy
import math

import numpy

from minigrad import create, nn, random
from minigrad.modes import no_grad
from minigrad.nn import init
from minigrad.nn import module as modules
from minigrad.nn.spectral import SpectralNorm, spectral_norm
from minigrad.testing.faults.fault import check, expect, wrong

Module = modules.Module
_load, _value = Module.load_state_dict, SpectralNorm.value


def _eval_here(self, mode=True):
    self.training = mode
    return self


def _apply_downwards(self, function):
    function(self)
    for child in self.children():
        child.apply(function)
    return self


wrong("eval-shallow", "train and eval do not reach the modules inside", Module, _eval_here, "train", "modules")
wrong("train-flag", "train(False) switches training on", Module,
      lambda self, mode=True: [setattr(m, "training", True) for m in self.modules()] and self, "train", "modules")
wrong("state-without-buffers", "state_dict leaves buffers out", Module,
      lambda self: {name: p.detach() for name, p in self.named_parameters()}, "state_dict", "modules")
wrong("state-copied", "state_dict copies: changing it changes nothing", Module,
      lambda self: {name: x.detach().clone() for name, x in modules._tensors(self, modules._is_state, once=False)},
      "state_dict", "modules")
wrong("load-never-strict", "load_state_dict passes over missing names", Module,
      lambda self, state, strict=True: _load(self, state, False), "load_state_dict", "modules")
wrong("load-last-left", "load_state_dict leaves the last tensor as it was", Module,
      lambda self, state, strict=True: _load(self, dict(list(state.items())[:-1]), False), "load_state_dict", "modules")
wrong("parameters-twice", "a parameter of two names is listed twice", Module,
      lambda self, recurse=True: (p for _, p in modules._tensors(self, modules._is_parameter, "", recurse, once=False)),
      "parameters", "modules")
wrong("requires-grad-partly", "requires_grad_ changes the first parameter only", Module,
      lambda self, flag=True: [self, next(iter(self.parameters())).requires_grad_(flag)][0], "requires_grad_",
      "modules")
wrong("apply-downwards", "apply begins with the outer module", Module, _apply_downwards, "apply", "modules")
wrong("sequential-backwards", "Sequential runs its modules from the last to the first", nn.Sequential,
      lambda self, x: [x := m(x) for m in list(self.children())[::-1]][-1], "__call__", "modules")
wrong("flatten-all", "Flatten joins the batch, too", nn.Flatten, lambda self, x: x.reshape(-1), "__call__", "modules")

wrong("fan-swapped", "fan_in and fan_out are swapped", init,
      (lambda fans: lambda tensor: fans(tensor)[::-1])(init.fans), "fans", "beginnings")
wrong("fan-without-window", "the fans of a convolution do not count its window", init,
      lambda tensor: (tensor.shape[1], tensor.shape[0]), "fans", "beginnings")
wrong("gain-squared", "the gain of leaky_relu lacks its root", init,
      (lambda gain: lambda name, param=None: gain(name, param) ** (2 if name == "leaky_relu" else 1))(
          init.calculate_gain), "calculate_gain", "beginnings")
wrong("xavier-fan-in", "xavier_normal_ looks at the inputs only", init,
      lambda tensor, gain=1.0: init.normal_(tensor, 0.0, gain / math.sqrt(init.fans(tensor)[0])), "xavier_normal_",
      "beginnings")
wrong("xavier-bound", "xavier_uniform_ takes the standard deviation for the bound", init,
      lambda tensor, gain=1.0: init.uniform_(tensor, *(sign * gain * math.sqrt(2 / sum(init.fans(tensor)))
                                                       for sign in (-1, 1))), "xavier_uniform_", "beginnings")
wrong("kaiming-mode", "kaiming_normal_ passes over its mode", init,
      (lambda make: lambda tensor, a=0, mode="fan_in", nonlinearity="leaky_relu":
          make(tensor, a, "fan_in", nonlinearity))(init.kaiming_normal_), "kaiming_normal_", "beginnings")

wrong("spectral-frozen", "the power iteration never goes a step further", SpectralNorm,
      lambda self, matrix, u, v, times: None, "turn", "spectral norm")
wrong("spectral-always", "the power iteration goes on in eval mode", SpectralNorm,
      lambda self, module: (self.turn(self.matrix(self.part(module, "orig")), self.part(module, "u"),
                                      self.part(module, "v"), 1), _value(self, module))[1], "value", "spectral norm")
wrong("spectral-constant", "the spectral norm is a constant to the gradient", SpectralNorm,
      lambda self, module: module.weight_orig * (_value(self, module).detach() / module.weight_orig.detach()),
      "value", "spectral norm")
wrong("spectral-frobenius", "the weight is divided by its Frobenius norm", SpectralNorm,
      lambda self, module: (_value(self, module), module.weight_orig / module.weight_orig.norm())[1], "value",
      "spectral norm")
wrong("spectral-rows", "the rows of a transposed convolution's matrix are its inputs", SpectralNorm,
      lambda self, weight: weight.reshape(weight.shape[0], -1), "matrix", "spectral norm")


class Net(nn.Module):
    """Modules inside modules, a weight of two names, a buffer."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)), nn.BatchNorm1d(2))
        self.inner[1][1].weight = self.inner[0].weight
        self.double()


@check("modules")
def check_modules():
    """Modes, states, parameters and order of modules inside modules."""
    net, other = Net(), Net()
    net.eval()
    if any(m.training for m in net.modules()) or not all(m.training for m in net.train().modules()):
        raise AssertionError("eval or train does not reach every module")
    net.train(False)
    if any(m.training for m in net.modules()):
        raise AssertionError("train(False) leaves a module in training mode")
    names = {"0.weight", "0.bias", "1.1.weight", "1.1.bias", "2.weight", "2.bias", "2.running_mean", "2.running_var",
             "2.num_batches_tracked"}
    if set(net.state_dict()) != {f"inner.{name}" for name in names}:
        raise AssertionError(f"the state has the names {list(net.state_dict())}")
    with no_grad():
        net.state_dict()["inner.2.running_mean"].fill_(7.0)
        net.inner[2].num_batches_tracked.fill_(3)
    expect(net.inner[2].running_mean, [7, 7], "a buffer after its state was filled with 7")
    other.load_state_dict(net.state_dict())
    for (name, x), y in zip(net.state_dict().items(), other.state_dict().values()):
        expect(y, x, f"{name} after it was loaded")
    try:
        other.load_state_dict({"inner.0.weight": net.inner[0].weight})
    except RuntimeError:
        pass
    else:
        raise AssertionError("a state with one name of nine was loaded without a word")
    expect(len(list(net.parameters())), 5, "the number of parameters, one of two names")
    net.requires_grad_(False)
    expect([p.requires_grad for p in net.parameters()], [False] * 5, "requires_grad after requires_grad_(False)")
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    if seen != ["Linear", "Dropout", "Linear", "Sequential", "BatchNorm1d", "Sequential", "Net"]:
        raise AssertionError(f"apply visits {seen}")
    x = create.tensor(numpy.array([[1.0, -2.0]]))
    layers = [nn.Linear(2, 3).double(), nn.ReLU(), nn.Linear(3, 2).double()]
    expect(nn.Sequential(*layers)(x), layers[2](layers[1](layers[0](x))), "three modules in sequence")
    expect(nn.Flatten()(create.ones(2, 3, 4)).shape, (2, 12), "the shape of a flattened (2, 3, 4)")


@check("beginnings")
def check_beginnings():
    """Weights (60, 40, 3, 3) begin with the spread that their fans ask for: 360 inputs, and 540 the other way."""
    before = random.initial_seed(), random.get_rng_state()
    try:
        random.manual_seed(0)
        for make, spread in (
            (init.xavier_normal_, math.sqrt(2 / 900)),
            (init.xavier_uniform_, math.sqrt(2 / 900)),
            (init.kaiming_normal_, math.sqrt(2 / 360)),
            (lambda w: init.kaiming_normal_(w, mode="fan_out"), math.sqrt(2 / 540)),
            (lambda w: init.kaiming_normal_(w, a=1.0), math.sqrt(1 / 360)),
            (init.kaiming_uniform_, math.sqrt(2 / 360)),
        ):
            found = make(create.empty(60, 40, 3, 3)).numpy().std()
            expect(abs(found / spread - 1) < 0.03, True, f"whether a spread of {found} is {spread}")
        bound = abs(nn.Linear(400, 50).weight.detach().numpy()).max()
        expect(abs(bound * math.sqrt(400) - 1) < 0.01, True, f"whether a layer's bound of {bound} is 1/sqrt(400)")
    finally:
        random.manual_seed(before[0])
        random.set_rng_state(before[1])


def _drawn(layer):
    """The layer in float64, with weights whose singular values are well apart: 200 steps find the largest."""
    layer.double().weight.data = create.tensor(numpy.random.default_rng(0).normal(size=layer.weight.shape))
    return layer


@check("spectral norm")
def check_spectral_norm():
    """The weight is divided by its largest singular value, in whose gradient the weight has its part; eval rests."""
    for layer, x, order in ((_drawn(nn.Linear(3, 2)), create.ones(1, 3), (0, 1)),
                            (_drawn(nn.ConvTranspose2d(3, 2, 2)), create.ones(1, 3, 2, 2), (1, 0, 2, 3))):
        layer = spectral_norm(layer)
        x, weight = x.double(), layer.weight_orig.detach().numpy().transpose(order)
        matrix = weight.reshape(len(weight), -1)
        u, s, v = numpy.linalg.svd(matrix)
        if len(order) == 2:
            first = copy.deepcopy(layer)
            first(x)
            if numpy.allclose(first.weight_u.numpy(), layer.weight_u.numpy()):
                raise AssertionError("a step of training does not turn u")
        for _ in range(200):
            layer(x)
        expect(layer.weight, layer.weight_orig.detach().numpy() / s[0], f"the normalised weight of {layer!r}")
        layer.eval()
        before = layer.weight_u.numpy().copy()
        with no_grad():
            layer.weight_orig.mul_(create.tensor(numpy.linspace(0.5, 2, layer.weight_orig.numel())).reshape(
                layer.weight_orig.shape))
        layer(x)
        expect(layer.weight_u, before, "u after a pass in eval mode")
    layer = spectral_norm(_drawn(nn.Linear(3, 2)))
    for _ in range(200):
        layer(create.ones(1, 3).double())
    layer.eval()(create.tensor(numpy.eye(3))).sum().backward()
    weight = layer.weight_orig.detach().numpy()
    u, s, v = numpy.linalg.svd(weight)
    slope = numpy.ones((2, 3)) / s[0] - weight.sum() / s[0] ** 2 * numpy.outer(u[:, 0], v[0])
    expect(numpy.round(layer.weight_orig.grad.numpy() - slope, 6), numpy.zeros((2, 3)), "the gradient's error")
