"""Wrong rules of normalisation and losses."""

import math

import numpy

import minigrad
from minigrad import nn
from minigrad.nn import functional
from minigrad.ops import loss, reduce
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.norm import Normalize, batch_norm
from minigrad.testing.faults.fault import changed, check, expect, wrong


def _normalize_backward(self, g, x, w, stale=False, variance=True, hat=True):
    centred = x - (self.mean if stale else reduce.mean(x, self.axes, True))
    scale = self.scale if stale else 1.0 / minigrad.sqrt(reduce.mean(centred * centred, self.axes, True) + self.eps)
    normal = centred * scale
    gy = g if w is None else g * w.reshape(self.shape)
    gx = gy - reduce.mean(gy, self.axes, True)
    if variance:
        gx = gx - normal * reduce.mean(gy * normal, self.axes, True)
    kept = unbroadcast(g * 1.0, self.shape).reshape(-1)
    gw = None if w is None else unbroadcast(g * (normal if hat else x), self.shape).reshape(w.shape)
    gb = None if len(self.parents) == 1 else kept.reshape(self.shape if w is None else w.shape)
    return (scale * gx, gw, gb)[:len(self.parents)]


wrong("norm-stale-statistics", "a stale statistic: mean and 1/std are constants to the second derivative", Normalize,
      lambda self, g, x, w=None: _normalize_backward(self, g, x, w, stale=True), first="case layer_norm")
wrong("norm-no-variance", "the slope of a normalisation forgets that the variance depends on x", Normalize,
      lambda self, g, x, w=None: _normalize_backward(self, g, x, w, variance=False), first="case batch_norm")
wrong("norm-zero", "a normalisation has slope 0 (which all-ones cotangents do not see)", Normalize,
      changed(Normalize, lambda r, *_: r * 0.0), first="case batch_norm")
wrong("norm-weight", "the weight's gradient uses x instead of the normalised x", Normalize,
      lambda self, g, x, w=None: _normalize_backward(self, g, x, w, hat=False), first="case layer_norm")
wrong(
    "batch-norm-frozen",
    "a stale statistic: training does not move the running mean and variance",
    functional,
    lambda x, m=None, v=None, *rest, **options: (
        batch_norm(x, None, None, *rest, **options)
        if rest and rest[2:3] == (True,)
        else batch_norm(x, m, v, *rest, **options)
    ),
    "batch_norm",
    "running statistics",
)
wrong(
    "mse-factor", "the squared error lacks a factor 2 in its slope", loss.Mse, changed(loss.Mse, lambda r, *_: r * 0.5)
)
wrong("mse-reduction", "the mean squared error forgets to divide its slope by n", loss.Mse,
      changed(loss.Mse, lambda r, self, *_: r * (1.0 / self.scale)))
wrong(
    "l1-target", "the target of the absolute error has the input's sign", loss.L1, changed(loss.L1, lambda r, *_: -r, 1)
)
wrong("smooth-l1-beta", "smooth_l1's slope ignores beta", loss.SmoothL1,
      lambda self, x, t: minigrad.clamp(x - t, -1.0, 1.0), "slope")
wrong("bce-denominator", "binary cross-entropy lacks 1/(x(1-x)) in its slope", loss.Bce, lambda self, x, t: x - t,
      "slope")
wrong("bce-logits-target", "the target's gradient of bce_with_logits has the wrong sign", loss.BceWithLogits,
      changed(loss.BceWithLogits, lambda r, *_: -r, 1))


@check("running statistics")
def check_running_statistics():
    """A batch norm's running statistics move towards the batch's, and serve in eval mode."""
    layer = nn.BatchNorm1d(1).double()
    x = minigrad.tensor(numpy.array([[1.0], [2.0], [6.0]]))
    layer(x)
    expect(layer.running_mean, [0.3], "the running mean after one batch of mean 3")
    expect(layer.running_var, [0.9 + 0.7], "the running variance after one batch of variance 7")
    expect(layer.eval()(x), (x.numpy() - 0.3) / math.sqrt(1.6 + 1e-5), "eval mode")
