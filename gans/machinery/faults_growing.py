"""Faults of progressive growing, those that public versions of it have had among them, and the check that notices them.

`gans/machinery/faults.py` brings them in.
"""

import argparse
import copy
import functools
from types import SimpleNamespace

import numpy as np

import minigrad as mg
from gans import progan
from gans.machinery import growing, growth
from gans.machinery.growing import EqualisedConv2d, GrowingCritic, Grows, MinibatchDeviation, PixelNorm
from gans.machinery.imagesets import Pictures
from gans.machinery.losses import gradient_penalty
from gans.machinery.run import Run
from minigrad import nn
from minigrad.random import stream
from minigrad.testing.faults.fault import check, expect, rewritten, wrong

wrong("fade-at-once", "a level is all there from its first step on", growth,
      rewritten(growth.come_in, ("min(step - end_of(args, level - 1), args.phase), args.phase", "(1, 1)")), "come_in",
      "growing")
wrong("fade-of-all-steps", "a level's fade is counted from the run's first step", growth,
      rewritten(growth.come_in, ("step - end_of(args, level - 1)", "step")), "come_in", "growing")
wrong("fade-after", "a level first stands still, and is faded in afterwards", growth,
      rewritten(growth.come_in, ("min(step - end_of(args, level - 1), args.phase)",
                                 "max(step - end_of(args, level - 1) - args.phase, 0)")), "come_in", "growing")
wrong("fade-whole", "the fade is a whole number, 0 until it is 1", Grows,
      rewritten(Grows.grow, ("done / of", "done // of")), "grow", "growing")
wrong("fade-forgotten", "a network that is loaded takes its weights and forgets how far it had grown", Grows,
      nn.Module.load_state_dict, "load_state_dict", "growing")
wrong("fade-upside-down", "the old goes in where the new should", growing,
      rewritten(growing.mixed, ("fade * (new - old)", "(1 - fade) * (new - old)")), "mixed", "growing")
wrong("fade-not-of-reals", "reals have all their detail while G has none of it", progan, lambda images, fade: images,
      "faded", "a step of growing")
wrong("critic-of-larger", "D's old layers see the images of the new size", GrowingCritic,
      rewritten(GrowingCritic.forward, ("mixed(self.from_colour[k](halved(images))",
                                        "mixed(halved(self.from_colour[k](images))")), "forward", "growing")
wrong("critic-sums", "an image's half is the sum of four pixels", growing,
      lambda images: 4 * nn.functional.avg_pool2d(images, 2), "halved", "growing")
wrong("equalised-forgotten", "the factor of an equalised layer is left away", EqualisedConv2d,
      rewritten(EqualisedConv2d.forward, ("self.weight * self.factor", "self.weight")), "forward", "growing")
wrong("equalised-fan-out", "an equalised layer counts its outputs", growing,
      rewritten(growing.kept_by, ("layer.weight[0].numel()", "(layer.weight.numel() / layer.weight.shape[1])")),
      "kept_by", "growing")
wrong("pixel-norm-of-pixels", "pixel norm is taken along the width", PixelNorm,
      rewritten(PixelNorm.forward, ("mean(1,", "mean(-1,")), "forward", "growing")
wrong("pixel-norm-sum", "pixel norm divides by the length of the channels", PixelNorm,
      rewritten(PixelNorm.forward, (".mean(1,", ".sum(1,")), "forward", "growing")
wrong("deviation-squared", "the minibatch deviation has no root", MinibatchDeviation,
      rewritten(MinibatchDeviation.forward, ("(y + TINY) ** 0.5", "(y + TINY)")), "forward", "growing")
wrong("deviation-of-means", "the minibatch deviation is the root of the mean square of all values", MinibatchDeviation,
      rewritten(MinibatchDeviation.forward, ("((y + TINY) ** 0.5).mean((1, 2, 3))",
                                             "((y.mean((1, 2, 3)) + TINY) ** 0.5)")), "forward", "growing")
wrong("deviation-within", "the minibatch deviation is that within an image", MinibatchDeviation,
      rewritten(MinibatchDeviation.forward, ("y.mean(0, keepdim=True)", "y.mean((2, 3, 4), keepdim=True)")), "forward",
      "growing")
wrong("deviation-of-neighbours", "the groups of the minibatch deviation are neighbours, and told to others",
      MinibatchDeviation, rewritten(MinibatchDeviation.forward, (
          "x.reshape(-1, groups, channels, height, width)",
          "x.reshape(groups, -1, channels, height, width).transpose(0, 1)")), "forward", "growing")
wrong("drift-of-the-mean", "the drift is the square of the mean answer", progan,
      rewritten(progan.train, ("(on_real ** 2).mean()", "on_real.mean() ** 2")), "train", "a step of growing")
wrong("drift-on-fakes", "the drift holds the answers to generated images", progan,
      rewritten(progan.train, ("(on_real ** 2)", "(on_fake ** 2)")), "train", "a step of growing")
wrong("adam-goes-on", "Adam's state stays from level to level", progan,
      rewritten(progan.train, ("if args.reset", "if False")), "train", "a step of growing")
wrong("penalty-at-reals", "the penalty mixes by how far a level has come in", progan,
      rewritten(progan.train, ("gradient_penalty(D, real, fake, mix)", "gradient_penalty(D, real, fake, G.fade)")),
      "train", "a step of growing")


def _options(**changes):
    """Those of a small run."""
    return argparse.Namespace(**dict.fromkeys(growth.TECHNIQUES, True) | {
        "size": 16, "width": 2, "shape": [16, 16, 3], "phase": 4, "steps": 20, "batch": 4, "lr": 1e-3} | changes)


@check("growing")
def check_growing():
    """When levels come in; networks at fade 0; layers by their definition."""
    args = _options()
    found = [growth.come_in(args, level, step) for level, step in ((0, 3), (1, 5), (1, 8), (1, 12), (2, 14))]
    expect(found, [(1, 1), (1, 4), (4, 4), (4, 4), (2, 4)], "how far levels have come in")
    mg.manual_seed(0)
    G, D = progan.networks(args)
    expect(np.max(growth.errors_at_zero(G, D)) <= 1e-6, True, "whether networks at fade 0 are what they were")
    jump = growth.largest_jump(G, D)
    expect(jump < 0.01, True, f"whether fading moves the networks little by little ({jump})")
    G.grow(2, 1, 4)
    other, _ = progan.networks(args)
    other.load_state_dict(G.state_dict())
    expect([other.level, other.fade], [2, 0.25], "how far a network had grown that is loaded")
    images = stream(0, "images").standard_normal((4, 3, 8, 8), np.float32)
    small = images.reshape(4, 3, 4, 2, 4, 2).mean((3, 5)).repeat(2, 2).repeat(2, 3)
    expect(np.abs(growing.faded(mg.tensor(images), 0.25).numpy() - small - (images - small) / 4).max() < 1e-6, True,
           "whether reals are three quarters their enlarged halves at fade 0.25")
    layer, x = EqualisedConv2d(32, 8, 3), mg.randn(8, 32, 6, 6)
    expect(round(layer(x).std().item(), 1), 1.4, "the spread of an equalised layer's outputs")
    values = PixelNorm()(x).numpy()
    expect(np.abs((values ** 2).mean(1) - 1).max() < 1e-4, True, "whether pixel norm leaves a mean square of 1")
    batch = stream(1, "batch").standard_normal((8, 2, 3, 3)) * np.arange(1, 9).reshape(8, 1, 1, 1)
    told = MinibatchDeviation()(mg.tensor(batch)).numpy()[:, 2, 0, 0]
    by_hand = [np.sqrt(batch[k::2].var(0) + 1e-8).mean() for k in (0, 1)] * 4
    expect(told.round(6), np.round(by_hand, 6), "the minibatch deviation of two groups of four")


def _trained(args, at_step):
    """What `progan.train` keeps, level after level, as it was then, and in the end; its run; the reals of its step."""
    images = stream(0, "faces").integers(0, 256, (8, 16, 16, 3), np.uint8)
    before, after, done = [], [], []

    def keep(**parts):
        before.append(copy.deepcopy(parts))
        after.append(parts)

    def steps(to):
        if to >= at_step and not done:
            done.append(at_step)
            yield at_step

    run = SimpleNamespace(args=args, seed=0, device="cpu", pictures=True, phase=lambda name: None, keep=keep,
                          steps=steps, log=lambda *_, **__: None, batch_order=lambda *_: slice(0, args.batch))
    run.noise, run.uniform = functools.partial(Run.noise, run), functools.partial(Run.uniform, run)
    run.batch, look = functools.partial(Run.batch, run), growth.look
    growth.look = lambda *_: None
    try:
        progan.train(run, Pictures("eight", "drawn", images, images))
    finally:
        growth.look = look
    return before, after, run, images[:args.batch]


@check("a step of growing")
def check_a_step_of_growing():
    """The critic's gradient half way through a fade, by hand; and a new Adam for each level."""
    mg.manual_seed(0)
    before, after, run, images = _trained(_options(drift=1000), 6)
    G, D = before[0]["G"], before[0]["D"]
    for net in (G, D):
        net.grow(1, 2, 4)
    small, smaller = (images.reshape(4, side, 16 // side, side, 16 // side, 3).mean((2, 4)) for side in (8, 4))
    real = (small + smaller.repeat(2, 1).repeat(2, 2)) / 2 / 127.5 - 1
    real = mg.tensor(np.ascontiguousarray(real.transpose(0, 3, 1, 2), np.float32))
    fake = G.made(run.noise(6, 4, *G.seed_shape)).detach()
    on_real, mix = D(real), run.uniform(6, 4, 1, 1, 1, name="mix")
    penalty = gradient_penalty(D, real, fake, mix)
    (D(fake).mean() - on_real.mean() + 10 * penalty + (on_real ** 2).mean()).backward()
    for (name, mine), theirs in zip(D.named_parameters(), after[0]["D"].parameters()):
        if mine.grad is not None:
            off = abs(mine.grad - theirs.grad).max().item() / (abs(mine.grad).max().item() + 1e-6)
            expect(off < 1e-5, True, f"whether the critic's gradient at {name} is that by hand ({off} off)")
    mg.manual_seed(0)
    found = [len(parts["optimiser_d"].state_dict()["state"]) for parts in _trained(_options(), 12)[0]]
    expect([count > 0 for count in found], [False, False, False], "whether Adam begins a level with a state")
