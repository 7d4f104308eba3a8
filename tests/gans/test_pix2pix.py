"""Pictures of pictures: the U-Net against PyTorch's, what its skips carry, a step by hand, what is refused."""

import numpy as np
import pytest
import torch
from torch import nn as tnn

import gans
import minigrad as mg
from gans import pix2pix
from gans.machinery import commandline, generators, measure, samples, translate
from gans.machinery.pairs import open_pairs
from gans.machinery.parts import from_normal
from minigrad.errors import MinigradError

SMALL = ["--data", "colour", "--size", "16", "--width", "2", "--batch", "4"]


def unet(skips=True, w=3):
    mg.manual_seed(0)
    return pix2pix.UNet(1, 3, w, skips)


def layers(net):
    """The convolutions of a net, as PyTorch's."""
    found = {}
    for name, layer in net.named_modules():
        if isinstance(layer, (mg.nn.Conv2d, mg.nn.ConvTranspose2d)):
            same = getattr(tnn, type(layer).__name__)(layer.in_channels, layer.out_channels, layer.kernel_size,
                                                      layer.stride, layer.padding, bias=layer.bias is not None)
            same.load_state_dict({key: torch.tensor(p.detach().numpy()) for key, p in layer.named_parameters()})
            found[name] = same
    return found


@pytest.mark.parametrize("skips", [True, False])
def test_the_u_net_is_the_one_that_pytorch_computes(skips):
    G, x = unet(skips).eval(), np.random.default_rng(0).standard_normal((2, 1, 32, 32), np.float32)
    c, norm, f = layers(G), torch.nn.functional.instance_norm, torch.nn.functional
    a = c["down.0"](torch.tensor(x))
    b = norm(c["down.1.1"](f.leaky_relu(a, 0.2)))
    d = norm(c["down.2.1"](f.leaky_relu(b, 0.2)))
    y = c["down.3.1"](f.leaky_relu(d, 0.2))
    for name, across in (("up.0.1", d), ("up.1.1", b), ("up.2.1", a)):
        y = norm(c[name](f.relu(y)))
        y = torch.cat([y, across], 1) if skips else y
    expected = torch.tanh(c["up.3.1"](f.relu(y))).detach().numpy()
    np.testing.assert_allclose(G(mg.tensor(x)).detach().numpy(), expected, 1e-4, 1e-5)


@pytest.mark.parametrize("skips", [True, False])
def test_past_an_empty_middle_only_skips_carry_what_was_given(skips):
    G = unet(skips).eval()
    with mg.no_grad():
        for p in G.down[3].parameters():
            p.zero_()
    x = mg.randn(2, 1, 32, 32)
    assert (np.ptp(G(x).detach().numpy(), 0).max() > 0) == skips


def test_an_answer_of_d_is_for_22_by_22_pixels_of_what_was_given_and_of_what_was_made():
    mg.manual_seed(0)
    D, x = translate.patches(4, 3), mg.randn(1, 4, 64, 64).requires_grad_()
    D[3] = mg.nn.Identity()  # which looks at the whole picture
    answers = D(x)
    assert answers.shape == (1, 1, 15, 15)
    answers[0, 0, 7, 7].backward()
    seen = np.argwhere(x.grad.numpy()[0].any(0))
    assert (np.ptp(seen, 0) + 1).tolist() == [22, 22] and x.grad.numpy()[0].any((1, 2)).all()


def run_of(there, **options):
    """(run of a step at rate 0, whose losses it keeps; its pairs)."""
    args = commandline.argparse.Namespace(data="colour", size=16, width=4, batch=4, lr=0.0, weight=100.0, recipe="gan",
                                          skips="on", seed=1, **options)
    pairs, run = open_pairs(args).for_run(args), commandline.argparse.Namespace(args=args, seed=1, device="cpu")
    run.steps, run.keep = lambda: [1], lambda **parts: vars(run).update(parts)
    run.log = lambda step, logits, images, **losses: vars(run).update(losses=losses)
    run.batch_order, run.picture_due = lambda *_: np.arange(4), lambda _: False
    return run, pairs


def test_a_step_pays_for_the_distance_a_hundredfold_and_for_what_d_answers_to_both_pictures(there):
    run, pairs = run_of(there)
    mg.manual_seed(3)
    G, D = pix2pix.train(run, pairs)
    found = {name: [p.grad.numpy() for p in net.parameters()] for name, net in (("G", G), ("D", D))}

    mg.manual_seed(3)  # the same, by what the paper says, with the same values dropped
    G = pix2pix.generator(run.args).apply(from_normal)
    D = translate.patches(4, 4).apply(from_normal)
    given, wanted = (mg.tensor(part[:4].transpose(0, 3, 1, 2).astype("f4") / 127.5 - 1)
                     for part in (pairs.given, pairs.wanted))
    made = G(given)
    real, fake = D(mg.cat([given, wanted], 1)), D(mg.cat([given, made], 1))
    others = mg.tensor(pairs.given[1:5].transpose(0, 3, 1, 2).astype("f4") / 127.5 - 1)
    fakes = D(mg.cat([given, made.detach()], 1)), D(mg.cat([others, wanted], 1))
    d = ((1 + (-real).exp()).log().mean() + sum((1 + x.exp()).log().mean() for x in fakes) / 2) / 2
    g = (1 + (-fake).exp()).log().mean() + 100 * (made - wanted).abs().mean()
    for net, loss in (("D", d), ("G", g)):
        expected = mg.autograd.grad(loss, [*{"G": G, "D": D}[net].parameters()], retain_graph=True)
        for a, b in zip(found[net], expected, strict=True):
            np.testing.assert_allclose(a, b.numpy(), 1e-3, 1e-5 * abs(b.numpy()).max())


def test_regression_learns_from_the_distance_alone(there):
    run, pairs = run_of(there)
    run.args.recipe = "regress"
    _, D = pix2pix.train(run, pairs)
    assert set(run.losses) == {"l1"} and all(p.grad is None for p in D.parameters())


def test_the_share_of_answers_that_fall_where_what_was_given_is_anothers():
    G = translate.described(unet(), (16, 16, 1), (16, 16, 1))
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 1), np.uint8)
    assert translate.conditional(lambda x: x[:, :1] * x[:, 1:], G, images, images, "cpu") == 1
    assert translate.conditional(lambda x: -x[:, :1] * x[:, 1:], G, images, images, "cpu") == 0
    assert translate.conditional(lambda x: x[:, 1:], G, images, images, "cpu") == 0  # which passes over what was given


def test_a_run_makes_pictures_of_pictures_and_no_samples(there, capsys):
    pix2pix.demo([*SMALL, "--steps", "4", "--out", "run"])
    assert "made: 0." in (out := capsys.readouterr().out) and "run/pairs.png" in out
    G = gans.load("run")
    assert (G.given_shape, G.image_shape) == ((16, 16, 1), (16, 16, 3)) and not G.training
    for refusing in (samples.main, measure.main, lambda argv: generators.add(*argv)):
        with pytest.raises(MinigradError, match="run: its generator makes pictures of pictures, not of noise; python "
                                                r"-m gans.apply run FILE\|FOLDER shows it some"):
            refusing(["run"])


@pytest.mark.parametrize("options, says", [
    (["--size", "40"], "--size 40: the networks halve a picture 4 times, so its sides are multiples of 16 from 16 to "
                       "256; the nearest is 32"),
    (["--size", "8"], "the nearest is 16"),
    (["--data", "edges", "--size", "16"], "--size 16: clothes are of 28x28 pixels; the nearest that works is 32"),
    (["--data", "colour", "--batch", "65"], "colour: there are 64 pictures to learn from, fewer than --batch 65"),
    (["--data", "nowhere"], "nowhere: there is no such folder, nor data of that name"),
    (["--check", "--recipe", "regress"], "--check: has no effect here, only with --recipe gan")])
def test_what_cannot_be_made_is_refused_before_anything_is_written(there, options, says):
    with pytest.raises(MinigradError, match=says.replace("(", r"\(")):
        pix2pix.demo(options)
    assert not (there / "runs").exists()
