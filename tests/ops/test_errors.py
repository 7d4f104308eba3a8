"""Whatever a user gets wrong, the error is one line that names the op, the shapes or values, and the way out."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, ops, optim
from minigrad.nn import functional as F

A, B = mg.ones(2, 3), mg.ones(4)
LABELS = mg.tensor([0, 1])

MISUSES = [
    ("Add", lambda: A + B, ValueError, ["float32(2, 3)", "float32(4,)", "equal or 1"]),
    ("Sub", lambda: A - B, ValueError, ["(2, 3)", "(4,)", "equal or 1"]),
    ("Mul", lambda: A * np.ones(4), ValueError, ["(2, 3)", "(4,)", "equal or 1"]),
    ("Div", lambda: np.ones(4) / A, ValueError, ["(2, 3)", "(4,)", "equal or 1"]),
    ("Pow", lambda: A**B, ValueError, ["(2, 3)", "(4,)", "equal or 1"]),
    ("Maximum", lambda: ops.maximum(A, B), ValueError, ["(2, 3)", "(4,)", "equal or 1"]),
    ("Where", lambda: ops.where(A > 0, A, B), ValueError, ["(2, 3)", "(4,)", "equal or 1"]),
    ("Clamp", lambda: A.clamp(), ValueError, ["neither min nor max"]),
    ("Matmul", lambda: A @ A, ValueError, ["(2, 3)", "last size of the first"]),
    ("Matmul", lambda: A @ B, ValueError, ["(2, 3)", "(4,)"]),
    ("Matmul", lambda: A @ mg.tensor(2.0), ValueError, ["()", "use *"]),
    ("Matmul", lambda: mg.ones(5, 2, 3) @ mg.ones(4, 3, 2), ValueError, ["(5, 2, 3)", "(4, 3, 2)", "broadcast"]),
    ("Linear", lambda: nn.Linear(5, 2)(A), ValueError, ["(2, 3)", "(2, 5)", "in_features"]),
    ("einsum", lambda: ops.einsum("ij,jk", A), ValueError, ["2 inputs", "was given 1"]),
    ("einsum", lambda: ops.einsum("ijk->k", A), ValueError, ["3 letters", "2 axes"]),
    ("einsum", lambda: ops.einsum("ij->z", A), ValueError, ["no input has"]),
    ("Einsum", lambda: ops.einsum("ij,ik->jk", A, mg.ones(5, 2)), ValueError, ["(2, 3)", "(5, 2)", "one size"]),
    ("Reshape", lambda: A.reshape(4, 2), ValueError, ["(2, 3)", "multiply to"]),
    ("Permute", lambda: A.permute(0, 0), ValueError, ["(2, 3)", "once"]),
    ("Permute", lambda: A.permute(0), ValueError, ["(2, 3)", "every axis"]),
    ("transpose", lambda: A.transpose(0, 2), IndexError, ["dim 2", "2 axes"]),
    ("t", lambda: mg.ones(1, 2, 3).t(), ValueError, ["3 axes", "permute"]),
    ("BroadcastTo", lambda: A.broadcast_to((2, 4)), ValueError, ["(2, 3)", "size 1 can grow"]),
    ("expand", lambda: A.expand(-1, 2, 3), ValueError, ["(2, 3)", "-1"]),
    ("Cat", lambda: ops.cat([A, B]), ValueError, ["(2, 3)", "(4,)", "must agree"]),
    ("cat", lambda: ops.cat([]), ValueError, ["empty"]),
    ("stack", lambda: ops.stack([A, B]), ValueError, ["(2, 3)", "(4,)", "one shape"]),
    ("split", lambda: A.split([1, 1], 1), ValueError, ["[1, 1]", "3"]),
    ("split", lambda: A.split(0), ValueError, ["size is 0"]),
    ("chunk", lambda: A.chunk(0), ValueError, ["0 chunks"]),
    ("pad", lambda: ops.pad(A, (1,)), ValueError, ["1 widths", "pair"]),
    ("pad", lambda: ops.pad(A, (-2, -2)), ValueError, ["cutting 2 and 2"]),
    ("pad", lambda: ops.pad(A, (3, 0), "reflect"), ValueError, ["reflect", "3 elements"]),
    ("pad", lambda: ops.pad(A, (1, 0), "mirror"), ValueError, ["'mirror'", "circular"]),
    ("Roll", lambda: A.roll(1, 5), IndexError, ["(2, 3)", "axes that the input has"]),
    ("Flip", lambda: A.flip(2), IndexError, ["dim 2", "(2, 3)"]),
    ("repeat", lambda: A.repeat(2), ValueError, ["1 counts for 2 axes"]),
    ("GetItem", lambda: A[5], IndexError, ["(2, 3)", "5"]),
    ("GetItem", lambda: A[0, 0, 0], IndexError, ["(2, 3)"]),
    ("GetItem", lambda: A[mg.tensor([True, False, True])], IndexError, ["(2, 3)"]),
    ("GetItem", lambda: A["x"], IndexError, ["(2, 3)"]),
    ("gather", lambda: ops.gather(A, 1, mg.tensor([[3]])), IndexError, ["3", "0..2"]),
    ("gather", lambda: ops.gather(A, 1, LABELS), ValueError, ["1 axes", "2"]),
    ("gather", lambda: ops.gather(A, 1, A), TypeError, ["float32", "int64"]),
    (
        "scatter_add",
        lambda: ops.scatter_add(A, 1, mg.tensor([[0, 1]]), mg.ones(1, 1)),
        ValueError,
        ["(1, 1)", "(1, 2)"],
    ),
    ("Sum", lambda: A.sum(2), IndexError, ["dim 2", "2 axes"]),
    ("Sum", lambda: A.sum((0, 0)), ValueError, ["twice"]),
    ("mean", lambda: mg.arange(3).mean(), TypeError, ["int64", ".float()"]),
    ("Amax", lambda: mg.zeros(0).amax(), ValueError, ["(0,)", "empty axis"]),
    ("argmax", lambda: mg.zeros(0).argmax(), ValueError, ["(0,)", "element"]),
    ("norm", lambda: A.norm("nuc"), ValueError, ["'nuc'", "'fro'"]),
    ("Softmax", lambda: A.softmax(2), IndexError, ["dim 2", "2 axes"]),
    ("LogSumExp", lambda: A.logsumexp(-3), IndexError, ["dim -3"]),
    ("topk", lambda: ops.topk(A, 4), ValueError, ["k is 4", "3"]),
    ("Mse", lambda: ops.mse_loss(A, B), ValueError, ["(2, 3)", "(4,)", "same shape"]),
    ("L1", lambda: ops.l1_loss(A, A, reduction="avg"), ValueError, ["'avg'", "mean"]),
    ("SmoothL1", lambda: ops.smooth_l1_loss(A, A, beta=-1.0), ValueError, ["beta is -1.0"]),
    ("Bce", lambda: ops.bce(A * 2, A), ValueError, ["2.0", "0..1", "sigmoid"]),
    ("Bce", lambda: ops.bce(A * float("nan"), A), ValueError, ["nan", "0..1"]),
    ("nll_loss", lambda: ops.nll_loss(A, mg.tensor([0, 3])), IndexError, ["3", "0 to 2"]),
    ("nll_loss", lambda: ops.nll_loss(A, mg.tensor([0, 1, 2])), ValueError, ["(2, 3)", "(3,)"]),
    ("nll_loss", lambda: ops.nll_loss(A, mg.ones(2)), TypeError, ["float32", ".long()"]),
    ("cross_entropy", lambda: ops.cross_entropy(A, B), ValueError, ["(2, 3)", "(4,)"]),
    ("cross_entropy", lambda: ops.cross_entropy(A, LABELS, label_smoothing=2.0), ValueError, ["2.0", "0 to 1"]),
    ("MSELoss", lambda: nn.MSELoss(reduction="average"), ValueError, ["'average'", "none"]),
    ("MSELoss", lambda: nn.MSELoss("sum"), ValueError, ["size_average is 'sum'", "reduction='sum'"]),
    ("Mse", lambda: ops.mse_loss(A, A, "sum"), ValueError, ["size_average is 'sum'", "reduction='sum'"]),
    ("gelu", lambda: ops.gelu(A, "fast"), ValueError, ["'fast'", "'tanh'"]),
    ("layer_norm", lambda: nn.LayerNorm(4)(A), ValueError, ["(2, 3)", "(4,)"]),
    ("batch_norm", lambda: nn.BatchNorm1d(3)(mg.ones(1, 3)), ValueError, ["(1, 3)", "eval()"]),
    ("BatchNorm1d", lambda: nn.BatchNorm1d(4)(A), ValueError, ["(2, 3)", "4 channels"]),
    ("dropout", lambda: F.dropout(A, 1.5), ValueError, ["1.5", "0..1"]),
    ("Dropout", lambda: nn.Dropout(-0.1), ValueError, ["-0.1", "0..1"]),
    ("embedding", lambda: nn.Embedding(3, 2)(mg.tensor([3])), IndexError, ["3", "2"]),
    ("embedding", lambda: nn.Embedding(3, 2)(mg.ones(2)), TypeError, ["float32", "int64"]),
    ("one_hot", lambda: F.one_hot(mg.tensor([3]), 3), ValueError, ["3 classes"]),
    (
        "conv2d",
        lambda: F.conv2d(mg.ones(1, 2, 4, 4), mg.ones(1, 3, 3, 3)),
        ValueError,
        ["(1, 2, 4, 4)", "(1, 3, 3, 3)"],
    ),
    ("conv2d", lambda: F.conv2d(mg.ones(1, 1, 2, 2), mg.ones(1, 1, 3, 3)), ValueError, ["(2, 2)", "(3, 3)"]),
    ("max_pool2d", lambda: F.max_pool2d(mg.ones(1, 1, 2, 2), 3), ValueError, ["(2, 2)", "(3, 3)"]),
    ("SGD", lambda: optim.SGD([], lr=0.1), ValueError, ["no parameters"]),
    ("SGD", lambda: optim.SGD(nn.Linear(1, 1).parameters(), lr=-1), ValueError, ["lr is -1"]),
    ("SGD", lambda: optim.SGD(nn.Linear(1, 1).parameters(), lr=1, nesterov=True), ValueError, ["nesterov", "momentum"]),
    ("Adam", lambda: optim.Adam(nn.Linear(1, 1).parameters(), betas=(0.9, 1.0)), ValueError, ["1.0", "[0, 1)"]),
    ("Adam", lambda: optim.Adam([(mg.ones(2, requires_grad=True) * 2)]), TypeError, ["leaf tensors"]),
    ("ModuleList", lambda: nn.ModuleList([nn.Identity()])(A), NotImplementedError, ["Sequential"]),
    ("Sequential", lambda: nn.Sequential(abs), TypeError, ["not a Module"]),
    (
        "load_state_dict",
        lambda: nn.Linear(2, 1).load_state_dict({"weight": A}),
        RuntimeError,
        ["missing: bias", "(2, 3) for (1, 2)"],
    ),
    ("tensor", lambda: mg.tensor([[1.0], [1.0, 2.0]]), ValueError, ["different lengths"]),
    ("tensor", lambda: mg.tensor("text"), TypeError, ["text"]),
    ("zeros", lambda: mg.zeros(-1), ValueError, ["-1"]),
    ("randint", lambda: mg.randint(5, 5, (2,)), ValueError, ["high above low"]),
    ("item", lambda: A.item(), ValueError, ["6 elements"]),
    ("bool", lambda: bool(A), ValueError, ["any()"]),
    ("numpy", lambda: (mg.ones(2, requires_grad=True)).numpy(), RuntimeError, ["detach()"]),
    ("lt", lambda: A < B, ValueError, ["(2, 3)", "(4,)"]),
]


@pytest.mark.parametrize("name, call, kind, parts", MISUSES, ids=[f"{m[0]}-{i}" for i, m in enumerate(MISUSES)])
def test_a_misuse_is_one_line_that_names_the_op_the_shapes_and_the_fix(name, call, kind, parts):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message, "more than one line"
    assert message.startswith(name), message
    for part in parts:
        assert part in message, f"{part!r} is missing: {message}"
    assert len(message) > 25 and len(message) < 400


@pytest.mark.parametrize("shapes", [((2, 3), (3, 2)), ((4,), (3,)), ((2, 1, 3), (2, 2))])
@pytest.mark.parametrize("f", [ops.add, ops.mul, ops.div, ops.maximum, ops.minimum])
def test_shapes_that_do_not_broadcast_are_both_shown(f, shapes):
    with pytest.raises(ValueError) as caught:
        f(mg.ones(*shapes[0]), mg.ones(*shapes[1]))
    assert all(str(shape) in str(caught.value) for shape in shapes)


def test_an_op_without_a_derivative_says_so():
    class Once(mg.Op):
        def forward(self, x):
            return x * 2

    with pytest.raises(NotImplementedError, match="Once has no derivative"):
        Once()(mg.ones(2, requires_grad=True)).sum().backward()


def test_a_backward_rule_of_the_wrong_length_or_shape_is_named():
    class Wrong(mg.Op):
        def forward(self, x):
            return x * 2

        def backward(self, g):
            return g, g

    class Narrow(Wrong):
        def backward(self, g):
            return g[:1] * 2,

    x = mg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Wrong.backward returned 2 gradients for 1 inputs"):
        Wrong()(x).sum().backward()
    with pytest.raises(RuntimeError, match=r"gradient of shape \(1,\) reached a tensor of shape \(2,\)"):
        Narrow()(x).sum().backward()


def test_a_plain_tensor_does_not_take_a_parameters_place():
    layer = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"Linear.weight: is a parameter.*assign nn.Parameter"):
        layer.weight = mg.zeros(1, 2)
    layer.weight, layer.bias = nn.Parameter(mg.ones(1, 2)), None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_an_image_without_pixels_cannot_be_resized():
    with pytest.raises(ValueError, match=r"interpolate: the input \(1, 1, 0, 3\) has no pixels"):
        ops.interpolate(mg.zeros(1, 1, 0, 3), scale_factor=2)
