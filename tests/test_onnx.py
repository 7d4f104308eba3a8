"""Networks as ONNX files: what onnxruntime makes of them is what minigrad makes, at any batch size; and refusals."""

import copy
import importlib
import inspect
import pkgutil
import sys
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, ops
from minigrad.errors import ExportError
from minigrad.graph import Op
from minigrad.nn import functional as F

onnx = pytest.importorskip("onnx", reason="needs the onnx package (pip install minigrad[onnx])")
try:
    import onnxruntime
except ImportError:
    onnxruntime = None
runs = pytest.mark.skipif(onnxruntime is None, reason="needs onnxruntime, to run what was written")


class Call(nn.Module):
    """A function as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def arrays_of(result):
    """What a network gives out, as arrays."""
    result = list(result.values()) if isinstance(result, dict) else result
    return [x.detach().numpy() for x in (result if isinstance(result, (tuple, list)) else [result])]


def agrees(net, path, *examples, tolerance=1e-5, sizes=(1, 7)):
    """Export, and compare with onnxruntime at several batch sizes. Returns the model."""
    mg.onnx.export(net, examples, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names, rng = [x.name for x in session.get_inputs()], np.random.default_rng(0)
    net.eval()
    for n in sizes:
        inputs = []
        for example in examples:
            array = example.numpy()[rng.integers(0, len(example), n)]
            inputs.append(rng.permutation(array.reshape(-1)).reshape(array.shape).astype(array.dtype))
        expected = arrays_of(net(*map(mg.tensor, inputs)))
        found = session.run(None, dict(zip(names, inputs)))
        assert len(found) == len(expected)
        for ours, theirs in zip(expected, found):
            assert theirs.shape == ours.shape and theirs.dtype == ours.dtype
            np.testing.assert_allclose(theirs, ours, tolerance, tolerance)
    return onnx.load(path)


def normal(*shape):
    return mg.tensor(np.random.default_rng(1).standard_normal((4, *shape), np.float32))


def positive(*shape):
    return abs(normal(*shape)) * 0.4 + 0.05


IMAGES, LINES, ROWS = normal(4, 6, 5), normal(4, 9), normal(6)
LAYERS = {
    "Linear": (lambda: nn.Linear(6, 3), ROWS), "Linear without bias": (lambda: nn.Linear(6, 3, bias=False), ROWS),
    "Linear over axes": (lambda: nn.Linear(5, 3), IMAGES),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, 2, 1, 2, groups=2), LINES),
    "Conv1d same": (lambda: nn.Conv1d(4, 6, 4, padding="same"), LINES),
    "Conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), groups=2), IMAGES),
    "Conv2d same": (lambda: nn.Conv2d(4, 2, (4, 3), padding="same", dilation=(1, 2)), IMAGES),
    "Conv2d reflect": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect", bias=False), IMAGES),
    "Conv2d circular": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"), IMAGES),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 6, 4, 3, 1, 2), LINES),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 6, (3, 4), 2, 1, (1, 0), groups=2), IMAGES),
    "ConvTranspose2d dilated": (lambda: nn.ConvTranspose2d(4, 3, 3, 2, 0, 1, dilation=2), IMAGES),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(6), ROWS), "BatchNorm1d lines": (lambda: nn.BatchNorm1d(4), LINES),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), IMAGES),
    "BatchNorm2d plain": (lambda: nn.BatchNorm2d(4, affine=False), IMAGES),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4, affine=True), LINES),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4), IMAGES),
    "InstanceNorm2d tracking": (lambda: nn.InstanceNorm2d(4, track_running_stats=True, affine=True), IMAGES),
    "LayerNorm": (lambda: nn.LayerNorm(6), ROWS), "LayerNorm of images": (lambda: nn.LayerNorm((6, 5)), IMAGES),
    "LayerNorm plain": (lambda: nn.LayerNorm((4, 6, 5), elementwise_affine=False), IMAGES),
    "LayerNorm without bias": (lambda: nn.LayerNorm(5, bias=False), IMAGES),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), IMAGES), "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3), IMAGES),
    "Dropout": (lambda: nn.Dropout(0.5), ROWS), "Identity": (nn.Identity, ROWS),
    "Flatten": (nn.Flatten, IMAGES), "Unflatten": (lambda: nn.Unflatten(1, (2, -1)), ROWS),
    "MaxPool1d": (lambda: nn.MaxPool1d(3, 2, 1), LINES),
    "MaxPool2d": (lambda: nn.MaxPool2d(2, ceil_mode=True), IMAGES),
    "MaxPool2d dilated": (lambda: nn.MaxPool2d(2, 1, 1, dilation=2), IMAGES),
    "AvgPool1d": (lambda: nn.AvgPool1d(4, 2, 1), LINES),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False), IMAGES),
    "AvgPool2d divisor": (lambda: nn.AvgPool2d((2, 3), 1, 1, divisor_override=5), IMAGES),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((3, 1)), IMAGES),
    "AdaptiveAvgPool2d uneven": (lambda: nn.AdaptiveAvgPool2d((4, 2)), IMAGES),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), IMAGES), "Upsample size": (lambda: nn.Upsample(size=9), IMAGES),
    "Upsample bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGES),
    "Upsample corners": (lambda: nn.Upsample(size=(4, 11), mode="bilinear", align_corners=True), IMAGES),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), IMAGES),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), normal(2, 4, 6)),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d((1, 2, 0, 3)), IMAGES),
    "ReplicationPad2d": (lambda: nn.ReplicationPad2d(2), IMAGES),
    "ZeroPad2d": (lambda: nn.ZeroPad2d((1, -2, 3, 0)), IMAGES),
    "ConstantPad1d": (lambda: nn.ConstantPad1d(2, 3.5), LINES),
    "ConstantPad2d": (lambda: nn.ConstantPad2d((1, 0, 2, -1), 0.5), IMAGES),
    "ZeroPad1d": (lambda: nn.ZeroPad1d((0, 2)), LINES), "ReflectionPad1d": (lambda: nn.ReflectionPad1d(3), LINES),
    "ReplicationPad1d": (lambda: nn.ReplicationPad1d((3, 0)), LINES),
    "CircularPad1d": (lambda: nn.CircularPad1d(2), LINES), "CircularPad2d": (lambda: nn.CircularPad2d(1), IMAGES),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(4), LINES),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), IMAGES),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(size=(7, 11)), IMAGES),
    "DataParallel": (lambda: nn.DataParallel(nn.Linear(6, 3)), ROWS),
    **{name: (getattr(nn, name), IMAGES) for name in ("AlphaDropout", "Dropout2d", "Dropout3d")},
    "Dropout1d": (nn.Dropout1d, LINES),
    "PReLU": (lambda: nn.PReLU(4, 0.3), IMAGES), "PReLU of one": (nn.PReLU, ROWS),
    "Embedding": (lambda: nn.Embedding(9, 3), mg.tensor(np.arange(8).reshape(4, 2))),
    "Embedding of int32": (lambda: nn.Embedding(9, 3), mg.tensor(np.arange(4, dtype="int32"))),
    "Embedding with padding": (lambda: nn.Embedding(9, 3, padding_idx=2), mg.tensor(np.arange(8).reshape(4, 2))),
    "spectral norm": (lambda: nn.utils.spectral_norm(nn.Linear(6, 3)), ROWS),
    "newer spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 2, 3)), IMAGES),
    "weight norm": (lambda: nn.utils.weight_norm(nn.Conv2d(4, 2, 3)), IMAGES),
    "newer weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 3), dim=None), ROWS),
    **{name: (getattr(nn, name), ROWS * 3) for name in (
        "ReLU", "LeakyReLU", "Sigmoid", "Tanh", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign",
        "Hardtanh", "ReLU6", "Hardsigmoid", "Hardswish", "Hardshrink", "Softshrink", "Tanhshrink", "LogSigmoid")},
    "GELU tanh": (lambda: nn.GELU("tanh"), ROWS), "CELU 2": (lambda: nn.CELU(2.0), ROWS),
    "Softplus low": (lambda: nn.Softplus(2.0, 1.0), ROWS), "Threshold": (lambda: nn.Threshold(0.1, 20.0), ROWS),
    "LeakyReLU steep": (lambda: nn.LeakyReLU(1.5), ROWS), "GLU": (lambda: nn.GLU(1), ROWS),
    "Softmax": (lambda: nn.Softmax(1), ROWS), "LogSoftmax": (lambda: nn.LogSoftmax(-2), IMAGES),
}
PAIR, BOTH = (ROWS, normal(6) * 2), (ROWS, positive(6))
FUNCTIONS = {
    "add": (lambda x, y: x + y, *PAIR), "sub": (lambda x, y: 2 - x - y, *PAIR), "mul": (lambda x, y: x * 3 * y, *PAIR),
    "div": (lambda x, y: 1 / (x / y + 9), *BOTH), "pow": (lambda x: x ** 2 + x ** 3, ROWS),
    "pow of two": (lambda x, y: y ** x, *BOTH), "power of a number": (lambda x: 2.0 ** x, ROWS),
    "neg": (lambda x: -x, ROWS), "+=": (lambda x: added_to(x), ROWS),
    "in place": (lambda x: (x * 2).add_(1).mul_(x), ROWS),
    "batches of integers": (lambda x: x * 2 / 3 + x, mg.tensor(np.arange(8).reshape(4, 2))),
    "batch size as a number": (lambda x: x.sum(0, keepdim=True) / x.shape[0] + x, ROWS),
    "exp log": (lambda x: x.exp() + x.log() + x.log1p() + x.expm1() + x.exp2() + x.log2() + x.log10(), positive(6)),
    "roots": (lambda x: x.sqrt() + x.rsqrt() + x.reciprocal() + x.square() + abs(x), positive(6)),
    "trigonometry": (lambda x: x.sin() + x.cos() + x.tan() + x.asin() + x.acos() + x.atan(), positive(6)),
    "hyperbolic": (lambda x: x.sinh() + x.cosh() + x.asinh() + (x + 1).acosh() + (x * 0.5).atanh(), positive(6)),
    "hypot": (lambda x, y: ops.hypot(x, y) + ops.logaddexp(x, y), *PAIR),
    "rounding": (lambda x: x.round() + x.floor() + x.ceil() + x.trunc() + x.sign() + x.frac(), ROWS * 3),
    "remainders": (lambda x, y: x % y + x // y + ops.fmod(x, y), *BOTH),
    "erf": (lambda x: x.erf() + x.erfc(), ROWS), "lerp": (lambda x, y: ops.lerp(x, y, 0.3), *PAIR),
    "clamp": (lambda x: x.clamp(-0.5, 0.4) + x.clamp(min=0.1) + x.clamp(max=0), ROWS),
    "clamp by tensors": (lambda x, y: x.clamp(-y, y), *BOTH),
    "extrema": (lambda x, y: ops.maximum(x, y) * ops.minimum(x, y), *PAIR),
    "where": (lambda x, y: ops.where(x > y, x * 2, 0.5), *PAIR),
    "masked_fill": (lambda x: x.masked_fill(x < 0, 7.0), ROWS),
    "comparisons": (lambda x, y: (x == y, x != y, x < y, x <= 0.2, x > 1, x >= y), *PAIR),
    "logic": (lambda x, y: ((x > 0) & (y > 0), (x > 0) | (y > 0), (x > 0) ^ (y > 0), ~(x > 0), ops.logical_not(x)),
              *PAIR),
    "bits": (lambda x: (x & 6, x | 9, x ^ 5, ~x), mg.tensor(np.arange(8).reshape(4, 2))),
    "finite": (lambda x: (x.isnan(), x.isinf(), x.isfinite()), ROWS),
    "any all": (lambda x: ((x > 0).any(1), (x > -9).all(), (x > 1).any(-1, keepdim=True)), ROWS),
    "argmax": (lambda x: (x.argmax(1), x.argmin(-1, keepdim=True), x.max(2).values, x.min(1)[1]), normal(4, 5)),
    "sum": (lambda x: (x.sum(1), x.sum((1, 2), keepdim=True), x.sum()), normal(4, 5)),
    "sum of truths": (lambda x: (x > 0).sum(1), ROWS),
    "mean": (lambda x: (x.mean(1), x.mean((0, 2)), x.mean()), normal(4, 5)),
    "var": (lambda x: (x.var(1), x.std((1, 2)), x.var(0, correction=0)), normal(4, 5)),
    "norms": (lambda x: (x.norm(2, 1), x.norm(1, 1), x.norm(float("inf"), 1), x.norm(3, 1), F.normalize(x)), ROWS),
    "amax": (lambda x: (x.amax(1), x.amin((1, 2)), x.max(), x.prod(1), x.logsumexp(2), x.cumsum(1)), normal(4, 5)),
    "softmax": (lambda x: (x.softmax(1), x.log_softmax(-1)), normal(4, 5)),
    "matmul": (lambda x, y: (x @ y.transpose(1, 2), x @ x[0].T, ops.bmm(x, y.mT)), normal(4, 5), normal(3, 5)),
    "distances": (lambda x, y: (nn.CosineSimilarity()(x, y), nn.PairwiseDistance(1.5, keepdim=True)(x, y)), *PAIR),
    "einsum": (lambda x, y: ops.einsum("nij,nkj->nik", x, y), normal(4, 5), normal(3, 5)),
    "reshape": (lambda x: (x.reshape(-1, 5), x.view(x.shape[0], -1), x.reshape(x.shape[0] * 2, 2, -1)), normal(4, 5)),
    "flatten": (lambda x: (x.flatten(), x.flatten(1), x.ravel(), x.squeeze(), x.unsqueeze(-1)), normal(4, 5)),
    "transpose": (lambda x: (x.permute(2, 0, 1), x.transpose(1, -1), x.movedim(0, 2), x.mT), normal(4, 5)),
    "expand": (lambda x: (x.unsqueeze(0).expand(3, -1, -1), x.repeat(2, 3), x.tile(2),
                          x.unsqueeze(1).expand(-1, 4, -1)), ROWS),
    "cat": (lambda x, y: (ops.cat([x, y], 1), ops.stack([x, y, x], 1), ops.cat([x, y]), ops.hstack([x, y])), *PAIR),
    "cat of zeros": (lambda x: ops.cat([x, mg.zeros(x.shape[0], 2), mg.ones(len(x), 1) * 3], 1), ROWS),
    "slices": (lambda x: (x[:, 1:3], x[..., ::2], x[:, None, -1], x[:, :, 0, None], x[1:], x[:-1, 2], x[:, 3:0:-1]),
               normal(4, 5)),
    "split": (lambda x: (*x.split(2, 1), *x.chunk(3, 2), *x.unbind(1)), normal(4, 5)),
    "index": (lambda x: (x[:, [2, 0]], x[:, mg.tensor([[1, 1], [0, 3]])], x.index_select(2, mg.tensor([4, 4])),
                         x[:, None, :, [1]]), normal(4, 5)),
    "gather": (lambda x, i: x.gather(1, i), ROWS, mg.tensor(np.arange(8).reshape(4, 2) % 6)),
    "last of the batch": (lambda x: (x[x.shape[0] - 1], x[:, 2:x.shape[0] + 2][:, :2], x[x.shape[0] - 2:]), normal(9)),
    "range of the batch": (lambda x: x + mg.arange(x.shape[0]).reshape(-1, 1), ROWS),
    "pads": (lambda x: (F.pad(x, (1, 2)), F.pad(x, (-1, 0, 2, 1), value=3.0), F.pad(x, (1, 1), "circular")),
             normal(4, 5)),
    "flip roll": (lambda x: (x.flip(1, 2), x.roll(2, 1), x.roll((1, -1), (0, 2)), x.flip(0), x.roll(3)),
                  normal(4, 5)),
    "unfold": (lambda x: x.unfold(2, 3, 2), normal(4, 9)),
    "cast": (lambda x: (x.long(), x.double().float(), x > 0, (x > 0).float(), x.int() * 2.5), ROWS * 3),
    "interpolate lines": (lambda x: F.interpolate(x, scale_factor=1.5, mode="linear"), LINES),
    "pairs of the batch": (lambda x: abs(x.unsqueeze(0) - x.unsqueeze(1)).sum(2).exp().sum(1), ROWS),
    "others of the batch": (lambda x: (1 - mg.eye(len(x))) @ x + mg.eye(len(x), dtype=mg.int64) @ x.long(), ROWS),
    "deviation of the batch": (lambda x: ops.cat([x, x.std(0, correction=0).mean().expand(x.shape[0], 1)], 1), ROWS),
}


def added_to(x):
    y = x * 3
    y += x
    return y


@runs
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same_in_onnxruntime(name, tmp_path):
    mg.manual_seed(0)
    make, example = LAYERS[name]
    net = nn.Sequential(make())
    for _ in range(3):  # so that running statistics are no longer zeros and ones
        net(example)
    model = agrees(net, tmp_path / "g.onnx", example, sizes=(2, 7) if "newer" in name else (1, 7))
    known = dict(net.state_dict())
    for tensor in model.graph.initializer:
        if tensor.name in known:
            np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), known.pop(tensor.name).numpy())
    unused = ("num_batches_tracked", "running_mean", "running_var") if "Instance" in name else ("num_batches_tracked",)
    assert not [key for key in known if not key.endswith(unused)], "a parameter that is not there by its name"


def test_every_layer_is_compared():
    layers = {name for name, kind in inspect.getmembers(nn, inspect.isclass) if issubclass(kind, nn.Module)}
    others = {"Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "CosineSimilarity",
              "PairwiseDistance"}
    compared = {word for name in LAYERS for word in name.split()}
    assert {name for name in layers - others - compared if not name.endswith("Loss")} == set()


@runs
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_the_same_in_onnxruntime(name, tmp_path):
    function, *examples = FUNCTIONS[name]
    agrees(Call(function), tmp_path / "g.onnx", *examples, sizes=(2, 7))


@runs
def test_names_are_those_of_the_state_dict_and_of_the_modules(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.ReLU())
            self.again = self.body[0]
            self.scale = nn.Parameter(mg.ones(4))

        def forward(self, z, labels):
            return {"image": self.body(z) * self.scale, "label": labels}

    net = Net()
    model = agrees(net, tmp_path / "g.onnx", ROWS, mg.tensor(np.arange(4)))
    graph = model.graph
    assert [node.name for node in graph.node] == ["body.0.Gemm", "body.1.Relu", "body.2.BatchNormalization",
                                                  "body.3.Relu", "Mul", "output_1"]
    assert [x.name for x in graph.initializer] == [
        "scale", "body.0.weight", "body.0.bias", "body.2.weight", "body.2.bias", "body.2.running_mean",
        "body.2.running_var"]
    assert [x.name for x in (*graph.input, *graph.output)] == ["z", "labels", "output_0", "output_1"]
    sizes = [[d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] for x in (*graph.input, *graph.output)]
    assert sizes == [["batch", 6], ["batch"], ["batch", 4], ["batch"]]
    mg.onnx.export(net, (ROWS, mg.zeros(4)), tmp_path / "h.onnx", input_names=["a", "b"], output_names=["c", "d"])
    graph = onnx.load(tmp_path / "h.onnx").graph
    assert [x.name for x in (*graph.input, *graph.output)] == ["a", "b", "c", "d"]


@runs
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_networks_of_other_dtypes(dtype, tmp_path):
    net = nn.Sequential(nn.Linear(6, 4), nn.LeakyReLU(0.2), nn.BatchNorm1d(4), nn.Linear(4, 2), nn.Tanh())
    tolerance = 1e-5 if dtype == "float64" else 2e-3
    agrees(net.to(dtype=dtype), tmp_path / "g.onnx", ROWS.to(dtype=dtype), tolerance=tolerance)


@runs
def test_the_order_of_arguments_is_pytorchs_and_the_example_may_be_left_out(tmp_path):
    net, path = nn.Sequential(nn.Linear(6, 3)), tmp_path / "a"
    for arguments in ((ROWS, path), (str(path),), (path, ROWS), ((ROWS,), path)):
        assert mg.onnx.export(net, *arguments) == path
        assert onnxruntime.InferenceSession(path).run(None, {"x": ROWS.numpy()})[0].shape == (4, 3)


@runs
def test_what_hooks_and_functions_of_ones_own_do_is_in_the_file(tmp_path):
    class Double(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    net = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 3), Call(Double.apply))
    net[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    net[0].register_forward_hook(lambda module, inputs, output: output * 3)
    net[1].register_full_backward_hook(lambda *_: None)
    agrees(net, tmp_path / "g.onnx", ROWS)


@runs
def test_random_stacks_of_layers(tmp_path):
    rng = np.random.default_rng(5)
    for k in range(15):
        channels, layers = int(rng.integers(1, 4)) * 2, []
        first = channels
        for _ in range(rng.integers(2, 7)):
            wide = int(rng.integers(1, 4)) * 2
            choices = [
                (nn.Conv2d(channels, wide, 3, int(rng.integers(1, 3)), 1), wide),
                (nn.ConvTranspose2d(channels, wide, 4, 2, 1), wide), (nn.BatchNorm2d(channels), channels),
                (nn.GroupNorm(2, channels), channels), (nn.InstanceNorm2d(channels, affine=True), channels),
                (nn.LeakyReLU(0.2), channels), (nn.GELU(), channels), (nn.PReLU(channels), channels),
                (nn.Upsample(scale_factor=2), channels), (nn.MaxPool2d(3, 2, 1, ceil_mode=True), channels),
                (nn.Sequential(nn.Conv2d(channels, 4 * wide, 1), nn.PixelShuffle(2)), wide),
                (nn.utils.spectral_norm(nn.Conv2d(channels, wide, 1)), wide)]
            layer, channels = choices[rng.integers(len(choices))]
            layers.append(layer)
        mg.manual_seed(k)
        agrees(nn.Sequential(*layers, nn.Flatten()), tmp_path / "g.onnx", normal(first, 8, 8), tolerance=2e-5)


@pytest.mark.parametrize("name", [*LAYERS, *FUNCTIONS])
def test_a_network_on_a_gpu_gives_the_same_file(name, gpu, tmp_path):
    make, *examples = {**LAYERS, **{key: (lambda f=f: Call(f), *rest) for key, (f, *rest) in FUNCTIONS.items()}}[name]
    files = []
    for device in ("cpu", gpu):
        mg.manual_seed(0)
        net = make().to(device)
        mg.set_default_device(device)
        try:
            files.append(mg.onnx.export(net, tuple(x.to(device) for x in examples), tmp_path / device).read_bytes())
        finally:
            mg.set_default_device(None)
    assert files[0] == files[1]


# What has no counterpart


WITHOUT = {"Atan2", "Median", "Diagonal", "PutItem", "Loss", "Mse", "L1", "SmoothL1", "Bce", "BceWithLogits",
           "ConvWeight2d", "SpreadChosen", "ReadChosen", "SpreadAverage", "Step"}


def test_every_op_has_a_rule_or_is_known_to_have_no_counterpart():
    from minigrad.onnx.rules import RULES

    for found in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"minigrad.ops.{found.name}")
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Op) and kind is not Op and kind.__module__ == module.__name__:
                assert (kind in RULES) != (name in WITHOUT), name


class Angle(nn.Module):
    def forward(self, x):
        return ops.atan2(x, x + 1)  # this line


def test_an_op_without_a_counterpart_is_named_with_its_module_and_line(tmp_path):
    net = nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.ReLU(), Angle()))
    with pytest.raises(ExportError) as caught:
        mg.onnx.export(net, ROWS, tmp_path / "g.onnx")
    line = inspect.getsourcelines(Angle)[1] + 2
    assert str(caught.value).startswith(
        f"export: Atan2 in the module '1.1', called at {__file__}:{line}: return ops.atan2(x, x + 1)  # this line: "
        "ONNX (opset 18) has no counterpart of it here; write it with other functions")
    assert not list(tmp_path.iterdir()) and "\n" not in str(caught.value)


def noisy(x):
    return x + mg.randn(6)


def partly_written(x):
    y = x * 2
    y[:, 0] = 0.0
    return y + 1


def view_written(x):
    y = x * 2
    z = y[:, 1:]
    y.mul_(3)
    return z


@pytest.mark.parametrize("function, says", [
    (noisy, "Add in the module 'function', called at"), (noisy, "drawn at random"),
    (lambda x: x * x.mean().item(), "Mul in the module 'function', called at"),
    (lambda x: x + mg.tensor(x.detach().numpy()[0]), "differs from run to run; it was computed outside of minigrad's"),
    (lambda x: x[x > 0], "GetItem in the module 'function'"), (lambda x: x[x > 0], "a mask picks depends on values"),
    (lambda x: x if len(x) > 2 else -x, "the network takes another way for 2 samples than for 5"),
    (lambda x: x[:len(x) // 2], "GetItem"), (partly_written, "was changed in place by setitem; make a new tensor"),
    (view_written, "was changed in place by mul_"), (lambda x: x.sort(1).values, "GetItem"),
    (lambda x: 3, "the network returned int; return a tensor"), (lambda x: x.median(), "Median"),
    (lambda x: x.broadcast_to((len(x) ** 2, len(x), 6)), "BroadcastTo"),
    (lambda x: tuple(x), "another way"), (lambda x: [x] * len(x), "how many tensors the network returns depends on"),
    (lambda x: ops.cat([x] * len(x)), "Cat"), (lambda x: ops.cat([x] * len(x)), "how many inputs it has depends on"),
    (lambda x: x.reshape((1,) * len(x) + (-1,)), "how many axes it has depends on the batch size: (1, 1, 12)"),
    (lambda x: x.reshape(x.shape[0] // 1, 6) + mg.tensor(float(len(x)) ** 0.5), "differs from run to run")])
def test_what_depends_on_values_or_on_chance_is_refused_and_no_file_is_made(function, says, tmp_path):
    net = nn.Module()
    net.function = Call(function)
    net.forward = lambda x: net.function(x)
    with pytest.raises(ExportError) as caught:
        mg.onnx.export(net, ROWS, tmp_path / "g.onnx")
    assert says in str(caught.value) and "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_an_example_of_zeros_does_not_hide_what_depends_on_values(tmp_path):
    with pytest.raises(ExportError, match="Mul in the network itself, .*: one of its inputs, a number, differs from"):
        mg.onnx.export(Call(lambda x: x * x.mean().item()), mg.zeros(1, 6), tmp_path / "g.onnx")


# Bad input


@pytest.mark.parametrize("arguments, says", [
    ((nn.Linear(6, 3), mg.zeros(1, 5), "g.onnx"), "export: the model does not take inputs of shape (1, 5): Linear:"),
    ((nn.Linear(6, 3), mg.tensor(1.0), "g.onnx"), "an example input is a tensor of shape (); give tensors of one"),
    ((nn.Linear(6, 3), mg.zeros(0, 6), "g.onnx"), "an example input is a tensor of shape (0, 6)"),
    ((nn.Linear(6, 3), np.zeros((1, 6)), "g.onnx"), "an example input is a ndarray; give tensors"),
    ((nn.Linear(6, 3), (ROWS, ROWS), "g.onnx"), "the model does not take inputs of shape (1, 6), (1, 6)"),
    ((nn.Conv2d(3, 4, 3), "g.onnx"), "what the model takes is not known; give an example of its inputs"),
    ((nn.ReLU(), "g.onnx"), "what the model takes is not known"),
    ((nn.Linear(6, 3), "nowhere/g.onnx"), "nowhere/g.onnx: there is no such folder; name a file in one that is there"),
    ((nn.Linear(6, 3), "."), ".: is a folder; name a file")])
def test_bad_input_is_refused_in_one_line(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError) as caught:
        mg.onnx.export(*arguments)
    assert says in str(caught.value) and "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments, says", [
    ((abs, ROWS, "g.onnx"), "the model is a builtin_function_or_method; give an nn.Module"),
    ((nn.Linear(6, 3), ROWS), "the path is None; give the name of a file"),
    ((nn.Linear(6, 3), ROWS, 3), "the path is 3; give the name of a file")])
def test_arguments_of_another_kind_are_a_type_error(arguments, says):
    with pytest.raises(TypeError, match=says):
        mg.onnx.export(*arguments)


@pytest.mark.parametrize("names, says", [
    ({"input_names": ["a", "b"]}, "input_names are ['a', 'b'] for 1 inputs"),
    ({"output_names": []}, "output_names are []"),
    ({"input_names": ["a"], "output_names": ["a"]}, "are not all different"),
    ({"input_names": ["weight"]}, "'weight' is the name of an input or output and of a parameter")])
def test_names_that_do_not_fit_are_refused(names, says, tmp_path):
    with pytest.raises(ExportError) as caught:
        mg.onnx.export(nn.Linear(6, 3), ROWS, tmp_path / "g.onnx", **names)
    assert says in str(caught.value)


def test_what_does_not_fit_into_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("minigrad.onnx.writer.LARGEST", 80)
    with pytest.raises(ExportError, match="^export: the parameters take 84 bytes; an ONNX file holds 80$"):
        mg.onnx.export(nn.Linear(6, 3), tmp_path / "g.onnx")
    assert not list(tmp_path.iterdir())


def test_what_onnx_refuses_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(importlib.import_module("minigrad.onnx.rules").RULES, ops.activation.Relu,
                        lambda g, step: g.node("NoSuchNode", *g.inputs(step)))
    with pytest.raises(ExportError, match="onnx refuses what was written: .*NoSuchNode") as caught:
        mg.onnx.export(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), tmp_path / "g.onnx")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = mg.onnx.export(nn.Linear(6, 3), tmp_path / "g.onnx")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minigrad.onnx.publish", full)
    with pytest.raises(ExportError, match="cannot be written .No space left on device.; free some space"):
        mg.onnx.export(nn.Linear(6, 2), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_without_the_onnx_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r"needs the onnx package \(.*\); pip install minigrad\[onnx\]"):
        mg.onnx.export(nn.Linear(6, 2), tmp_path / "g.onnx")


# What stays as it was


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_left_as_it_was(fails, tmp_path):
    net = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))
    net[4].eval()
    hook = net[5].register_forward_hook(lambda *_: None)
    if fails:
        net.add_module("6", Angle())
    net(ROWS)
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    numbers, hooks = str(mg.get_rng_state()), [module._hooks is None for module in net.modules()]
    try:
        mg.onnx.export(net, tmp_path / "g.onnx")
    except ExportError:
        assert fails
    assert [module.training for module in net.modules()] == modes and str(mg.get_rng_state()) == numbers
    assert all((value == before[name]).all() for name, value in net.state_dict().items())
    assert [module._hooks is None for module in net.modules()] == hooks and mg.is_grad_enabled()
    assert len(net[5]._hooks.after) == 1 and not net[5]._hooks.before
    hook.remove()
    net(ROWS)
    assert [activation is not None for _, activation, *_ in net._plan][:2] == [True, True], "layers are joined again"
    assert Op.__call__.__module__ == "minigrad.graph" and not ops.compare.watchers


def test_what_other_threads_do_is_not_in_the_file(tmp_path):
    stop, started = threading.Event(), threading.Event()

    def busy():
        while not stop.is_set():
            (mg.ones(3) > 0).any()
            (mg.ones(3) * 2).sum().add_(1)
            started.set()

    thread = threading.Thread(target=busy)
    thread.start()
    started.wait()
    try:
        path = mg.onnx.export(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), tmp_path / "g.onnx")
    finally:
        stop.set()
        thread.join()
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Gemm", "Relu"]


def test_several_threads_may_export_at_once(tmp_path):
    call, paths = Op.__call__, [tmp_path / str(i) for i in range(4)]
    threads = [threading.Thread(target=mg.onnx.export, args=(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), path))
               for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all([node.op_type for node in onnx.load(path).graph.node] == ["Gemm", "Relu"] for path in paths)
    assert Op.__call__ is call and not ops.compare.watchers
