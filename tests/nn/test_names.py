"""The layers and activations that scripts ask for: values, slopes at kinks, signatures and texts beside PyTorch's."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

X = np.array([-np.inf, -800.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 0.7, 1.0, 3.0, 6.0, 800.0, np.inf, np.nan])
ACTIVATIONS = {
    "Hardtanh": (), "Hardtanh between": (-0.5, 3.0), "ReLU6": (), "Hardsigmoid": (), "Hardswish": (), "Mish": (),
    "SELU": (), "LogSigmoid": (), "Softsign": (), "Tanhshrink": (), "CELU": (), "CELU steep": (0.5,),
    "CELU negative": (-2.0,), "Hardshrink": (), "Hardshrink less": (0.0,), "Softshrink": (), "Softshrink more": (3.0,),
    "Threshold": (0.7, 5.0), "PReLU": (), "PReLU by 0": (1, 0.0), "GLU": (0,), "ELU negative": (-2.0,)}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_has_pytorchs_values_and_slopes_also_at_kinks_and_at_infinity(name, dtype):
    def run(library):
        module = getattr(library.nn, name.split()[0])(*ACTIVATIONS[name]).to(getattr(library, dtype))
        x = library.tensor(X, dtype=getattr(library, dtype), requires_grad=True)
        y = module(x)
        g = np.linspace(0.5, 2, len(y), dtype=dtype)
        y.backward(library.tensor(g))
        return [y.detach().numpy(), x.grad.numpy(), *[p.grad.numpy() for p in module.parameters()]]

    close = (2e-6, 2e-7) if dtype == "float32" else (1e-7, 1e-15)  # PyTorch rounds some constants to single
    for ours, theirs in zip(run(mg), run(torch), strict=True):
        assert ours.dtype == theirs.dtype == dtype
        finite = np.isfinite(X[:len(theirs)]) if theirs.size > 1 else np.ones(1, bool)
        np.testing.assert_allclose(ours[finite], theirs[finite], *close)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_at_infinity_and_nan_has_pytorchs_value(name):
    values = []
    for library in (mg, torch):
        module = getattr(library.nn, name.split()[0])(*ACTIVATIONS[name])
        values.append(module(library.tensor(X.astype("f4"))).detach().numpy())
    np.testing.assert_allclose(*values, 1e-6)


LAYERS = [name for name in nn.__all__ if name[0].isupper() and hasattr(torch.nn, name)]
OPTIONS = {"Hardtanh": (-2, 3), "Threshold": (1, 2), "ConstantPad1d": (1, 2.0), "ConstantPad2d": (1, 2.0),
           "PReLU": (3,)}
OLD = {"min_value", "max_value"}  # PyTorch's former words


@pytest.mark.parametrize("name", [n for n in LAYERS if "Pad" in n or "Drop" in n] + [
    n for n in ACTIVATIONS if " " not in n])
def test_a_new_layer_has_pytorchs_signature_and_text(name):
    made = []
    for library in (nn, torch.nn):
        kind = getattr(library, name)
        made.append([(p.name, p.default) for p in inspect.signature(kind).parameters.values() if p.name not in OLD])
    assert made[0] == made[1] or [name for name, _ in made[1]] == ["args", "kwargs"]
    options = OPTIONS.get(name, (1,) if "Pad" in name else ())
    texts = repr(getattr(nn, name)(*options)), repr(getattr(torch.nn, name)(*options).cpu())
    assert texts[0] == texts[1].replace(", inplace=False", "").replace("inplace=False", "")


PADDINGS = [name for name in LAYERS if "Pad" in name]


@pytest.mark.parametrize("name", PADDINGS)
@pytest.mark.parametrize("widths", [1, 2, "uneven", "negative"])
@pytest.mark.parametrize("batched", [True, False])
def test_a_border_has_pytorchs_values_and_gradients(name, widths, batched):
    axes = int(name[-2])
    padding = {"uneven": (1, 2, 3, 0)[:2 * axes], "negative": (-1, 2, 1, -1)[:2 * axes]}.get(widths, widths)
    if widths == "negative" and "Constant" not in name and "Zero" not in name:
        return
    shape = ((2,) if batched else ()) + (3, 4, 5)[:axes + 1]
    arguments = (padding, 1.5) if "Constant" in name else (padding,)
    x = np.random.default_rng(0).standard_normal(shape)

    def run(library):
        X = library.tensor(x, requires_grad=True)
        y = getattr(library.nn, name)(*arguments)(X)
        (y ** 3).sum().backward()
        return y.detach().numpy(), X.grad.numpy()

    for ours, theirs in zip(run(mg), run(torch)):
        np.testing.assert_allclose(ours, theirs, 1e-12)


def test_a_wrong_border_says_what_to_give():
    with pytest.raises(ValueError, match=r"ReflectionPad2d: padding is \(1, 2\); give one width, or 4"):
        nn.ReflectionPad2d((1, 2))
    with pytest.raises(ValueError, match=r"ReflectionPad2d: the input has shape \(4, 4\); it takes 3 or 4 axes"):
        nn.ReflectionPad2d(1)(mg.ones(4, 4))


DROPOUTS = {"Dropout1d": [(50, 40, 3), (400, 3)], "Dropout2d": [(50, 40, 2, 3), (50, 40, 3), (50, 40)],
            "Dropout3d": [(50, 40, 1, 2, 2), (400, 2, 1, 2)]}


@pytest.mark.parametrize("name, shape", [(name, shape) for name, shapes in DROPOUTS.items() for shape in shapes])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.filterwarnings("ignore:dropout2d")
def test_channel_dropout_drops_the_channels_that_pytorch_drops_whole(name, shape, p):
    """Which values share a fate is told by PyTorch's own output; how many are dropped, by p."""
    mg.manual_seed(0)
    torch.manual_seed(0)
    x = mg.ones(shape, requires_grad=True)
    y, t = getattr(nn, name)(p)(x), getattr(torch.nn, name)(p)(torch.ones(shape))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    for found in (y.detach().numpy(), t.numpy()):
        channels = 1 if len(shape) == {"Dropout1d": 2, "Dropout3d": 4}.get(name) else 2
        rows = found.reshape(np.prod(shape[:channels]), -1)
        assert (rows == rows[:, :1]).all()
        assert set(np.unique(rows)) <= {np.float32(0), np.float32(1 / (1 - p) if p < 1 else 0)}
        assert abs((rows[:, 0] == 0).mean() - p) < 0.1
    assert getattr(nn, name)(p).eval()(x) is x


def test_channel_dropout_says_what_it_takes():
    with pytest.raises(ValueError, match=r"dropout1d: the input has shape \(3,\); give it 2 or 3 axes"):
        nn.Dropout1d()(mg.ones(3))
    with pytest.raises(ValueError, match="Dropout2d: p is 2; a probability"):
        nn.Dropout2d(2)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
def test_alpha_dropout_keeps_mean_and_variance_and_takes_pytorchs_two_values(p):
    mg.manual_seed(0)
    torch.manual_seed(0)
    y, t = nn.AlphaDropout(p)(mg.ones(300, 300)).numpy(), torch.nn.AlphaDropout(p)(torch.ones(300, 300)).numpy()
    np.testing.assert_allclose(np.unique(y), np.unique(t), 1e-5, 1e-6)
    if p < 1:
        z = nn.AlphaDropout(p)(mg.randn(500, 500)).numpy()
        assert abs(z.mean()) < 0.02 and abs(z.std() - 1) < 0.02


@pytest.mark.parametrize("call, words", [
    (lambda: nn.PReLU(3)(mg.ones(2, 4)), r"prelu: the weight has shape \(3,\) for an input of shape \(2, 4\)"),
    (lambda: nn.GLU()(mg.ones(2, 3)), r"glu: the input has shape \(2, 3\), to be halved along axis -1"),
    (lambda: nn.CELU(0.0)(mg.ones(1)), "celu: alpha is 0"), (lambda: nn.Softshrink(-1)(mg.ones(1)), "lambd is -1"),
    (lambda: nn.Hardtanh(2, 1)(mg.ones(1)), "hardtanh: min_val is 2, max_val 1")])
def test_a_wrong_option_says_what_to_give(call, words):
    with pytest.raises(ValueError, match=words):
        call()


RNG = np.random.default_rng(3)
A, B, C = (RNG.standard_normal((4, 3)) for _ in range(3))
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
LOSSES = {
    "HuberLoss": [((A, B), {}), ((A, B), {"delta": 0.3})],
    "KLDivLoss": [((A, np.abs(B)), {}), ((A, B), {"log_target": True}), ((A, np.eye(4, 3)), {})],
    "SoftMarginLoss": [((A * 50, np.sign(B)), {})],
    "HingeEmbeddingLoss": [((A, np.sign(B)), {}), ((A, np.sign(B)), {"margin": 0.2})],
    "CosineEmbeddingLoss": [((A, B, SIGNS), {"margin": -0.5}), ((A[0], B[0], SIGNS[1]), {}), ((A, B, SIGNS * 2), {})],
    "MarginRankingLoss": [((A[:, 0], B[:, 0], SIGNS), {"margin": 0.5})],
    "TripletMarginLoss": [((A, B, C), {}), ((A, B, C), {"swap": True, "margin": 2.0}), ((A, B, C), {"p": 1.0})]}


@pytest.mark.filterwarnings("ignore:reduction. 'mean'", "ignore:size_average and reduce")
@pytest.mark.parametrize("name, arguments, options", [(name, *one) for name, several in LOSSES.items()
                                                      for one in several])
@pytest.mark.parametrize("reduction", [{"reduction": "mean"}, {"reduction": "sum"}, {"reduction": "none"},
                                       {"size_average": False}, {"reduce": False}], ids=str)
def test_a_loss_of_pairs_has_pytorchs_value_and_gradients(name, arguments, options, reduction):
    if name == "HuberLoss" and "reduction" not in reduction:
        return
    reductions = [reduction] + [{"reduction": "batchmean"}] * (name == "KLDivLoss")
    for reduction in reductions:
        def run(library, reduction=reduction):
            wanted = len(arguments) if name in ("HuberLoss", "KLDivLoss", "TripletMarginLoss") else len(arguments) - 1
            wanted -= int((arguments[-1] == 0).any() and name == "KLDivLoss")  # at a target of 0 PyTorch's slope is NaN
            xs = [library.tensor(a, requires_grad=i < wanted) for i, a in enumerate(arguments)]
            y = getattr(library.nn, name)(**options, **reduction)(*xs)
            y.sum().backward()
            return [y.detach().numpy(), *[x.grad.numpy() for x in xs[:wanted]]]

        for ours, theirs in zip(run(mg), run(torch), strict=True):
            np.testing.assert_allclose(ours, theirs, 1e-9, 1e-12)


@pytest.mark.parametrize("name, options", [("CosineSimilarity", {}), ("CosineSimilarity", {"dim": 0, "eps": 3.0}),
                                           ("PairwiseDistance", {}), ("PairwiseDistance", {"p": 1.0, "keepdim": True}),
                                           ("PairwiseDistance", {"p": float("inf"), "eps": 0.1})])
def test_a_similarity_has_pytorchs_values(name, options):
    values = [getattr(library.nn, name)(**options)(library.tensor(A), library.tensor(B)).numpy()
              for library in (mg, torch)]
    np.testing.assert_allclose(*values, 1e-12)


@pytest.mark.parametrize("name", [*LOSSES, "CosineSimilarity", "PairwiseDistance", "LocalResponseNorm"])
def test_a_loss_has_pytorchs_signature(name):
    mine, theirs = ([(p.name, p.default) for p in inspect.signature(getattr(n, name)).parameters.values()]
                    for n in (nn, torch.nn))
    assert [one for one in mine if one[0] != "options"] == theirs


@pytest.mark.parametrize("call, words", [
    (lambda: nn.KLDivLoss()(mg.ones(2), mg.ones(2, 1)), r"kl_div: the shapes are \(2,\), \(2, 1\); give tensors of"),
    (lambda: nn.CosineEmbeddingLoss()(mg.ones(2, 3), mg.ones(2, 3), mg.ones(3)), r"give \(N, D\), \(N, D\) and \(N,\)"),
    (lambda: nn.KLDivLoss(reduction="median"), "reduction is 'median'"),
    (lambda: nn.functional.kl_div(mg.ones(1), mg.ones(1), reduction="x"), "kl_div: reduction is 'x'"),
    (lambda: nn.HuberLoss(delta=0.0)(mg.ones(1), mg.ones(1)), "huber_loss: delta is 0.0"),
    (lambda: nn.LocalResponseNorm(0)(mg.ones(1, 2, 3)), "local_response_norm: the input has shape .* size is 0")])
def test_a_wrong_loss_says_what_to_give(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# Containers

def test_dicts_and_lists_of_parameters_hold_what_pytorchs_hold():
    def run(library):
        n, seen = library.nn, []
        d = n.ModuleDict({"up": n.Linear(1, 2), "down": n.Linear(2, 1)})
        d["act"] = n.Tanh()
        d.update([("more", n.Linear(1, 1))])
        d["up"] = n.Linear(3, 3, bias=False)
        seen += [list(d), len(d), "up" in d, "x" in d, [k for k, _ in d.named_parameters()],
                 type(d.pop("act")).__name__]
        del d["more"]
        seen += [list(d.keys()), [type(m).__name__ for m in d.values()], [k for k, _ in d.items()]]
        p = n.ParameterDict({"a": library.ones(2), "b": n.Parameter(library.zeros(1))})
        p["c"] = library.ones(3)
        p.update({"d": library.ones(1), "a": library.zeros(4)})
        seen += [list(p), [tuple(v.shape) for v in p.values()], type(p["c"]).__name__, p.pop("b").tolist(),
                 list(p.copy()), [k for k, _ in p.named_parameters()], p.get("q", 7), "c" in p,
                 list(p | {"e": library.ones(1)})]
        q = n.ParameterList([library.ones(2), n.Parameter(library.zeros(1))])
        q.append(library.ones(3)).extend([library.ones(4)])
        q += [library.ones(5)]
        q[-1] = library.ones(6)
        seen += [len(q), [tuple(v.shape) for v in q], [tuple(v.shape) for v in q[1:3]], list(q.state_dict()),
                 type(q[0]).__name__, q[-1].tolist()]
        for wrong in (lambda: d["x"], lambda: p["x"], lambda: q[9], lambda: d.__setitem__("forward", n.Tanh()),
                      lambda: d.pop("x")):
            try:
                wrong()
            except (KeyError, IndexError, AttributeError) as error:
                seen.append(isinstance(error, IndexError))
        d.clear()
        return [*seen, len(d), len({d, d}), d == d, d == n.ModuleDict()]

    assert run(mg) == run(torch)


@pytest.mark.parametrize("make", [nn.ModuleDict, nn.ParameterDict, nn.ParameterList, nn.ModuleList])
def test_a_container_has_no_forward(make):
    with pytest.raises(NotImplementedError, match="has no forward"):
        make()(mg.ones(1))
