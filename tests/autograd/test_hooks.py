"""Hooks on tensors, against PyTorch's."""

import gc

import pytest

import minigrad as mg


def test_all_hooks_run_in_order_though_their_handles_were_dropped(same_as_torch):
    def scenario(torch):
        seen = []
        x = torch.ones(2, requires_grad=True)
        for factor in (2.0, 3.0, 5.0, 7.0):
            x.register_hook(lambda g, factor=factor: (seen.append([factor, g[0].item()]), g * factor)[1])
            gc.collect()
        (x * 1.0).sum().backward()
        return seen, x.grad

    assert same_as_torch(scenario) == [[[2.0, 1.0], [3.0, 2.0], [5.0, 6.0], [7.0, 30.0]], [210.0, 210.0]]


def test_a_handle_removes_its_own_hook_only_once_and_at_the_end_of_a_with_block(same_as_torch):
    def scenario(torch):
        seen = []
        x = torch.ones(1, requires_grad=True)
        handles = [x.register_hook(lambda g, name=name: seen.append(name)) for name in range(4)]
        handles[1].remove()
        handles[1].remove()
        with x.register_hook(lambda g: seen.append(9)):
            (x * 2).backward()
        (x * 2).backward()
        return seen

    assert same_as_torch(scenario) == [0, 2, 3, 9, 0, 2, 3]


@pytest.mark.parametrize("retain_first", [False, True])
def test_retain_grad_sees_what_all_hooks_left_whatever_the_order_and_adds_up(same_as_torch, retain_first):
    def scenario(torch):
        x = torch.ones(2, requires_grad=True)
        y = x * 3.0
        if retain_first:
            y.retain_grad()
        y.register_hook(lambda g: g * 10.0)
        if not retain_first:
            y.retain_grad()
        y.retain_grad()
        (y * 2.0).sum().backward(retain_graph=True)
        first = y.grad.clone()
        (y * 2.0).sum().backward()
        return first, y.grad, x.grad

    same_as_torch(scenario)


def test_hooks_on_a_leaf_see_the_whole_gradient_of_a_sweep(same_as_torch):
    def scenario(torch):
        seen = []
        x = torch.ones(2, requires_grad=True)
        x.register_hook(lambda g: seen.append(g.tolist()))
        y = x * 2.0
        (y + x * 3.0 + y * y).sum().backward()
        torch.autograd.grad((x * 7.0).sum(), x)
        return seen

    same_as_torch(scenario)


def test_a_hook_survives_requires_grad_switched_off_and_on(same_as_torch):
    def scenario(torch):
        seen = []
        x = torch.ones(1, requires_grad=True)
        x.register_hook(lambda g: seen.append(g.item()))
        y = x * 4.0
        x.requires_grad_(False)
        x.requires_grad_(True)
        (x * 2.0).backward()
        slope, = torch.autograd.grad(y, x)  # y's graph is of before
        return seen, slope, x.grad

    same_as_torch(scenario)


def test_a_tensor_that_wants_no_gradient_any_more_gets_none(same_as_torch):
    def scenario(torch):
        x, w = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
        y = x * w
        x.requires_grad = False
        y.backward()
        return x.grad is None, w.grad

    same_as_torch(scenario)


def test_a_hook_of_the_wrong_shape_is_refused(same_as_torch):
    def scenario(torch):
        x = torch.ones(2, requires_grad=True)
        x.register_hook(lambda g: torch.ones(3))
        x.sum().backward()

    assert same_as_torch(scenario) == "raises RuntimeError"
    with pytest.raises(RuntimeError, match=r"hook returned a gradient of shape \(3,\) for one of \(2,\)"):
        scenario(mg)


def test_backward_with_inputs_gives_gradients_to_them_alone(same_as_torch):
    def scenario(torch):
        x, w = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        y = x * w
        z = (y * y).sum()
        z.backward(inputs=[w], retain_graph=True)
        torch.autograd.backward([z, y], [None, torch.ones(2)], inputs=w)
        return x.grad is None, w.grad

    same_as_torch(scenario)


def test_autograd_backward_of_several_tensors(same_as_torch):
    def scenario(torch):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        torch.autograd.backward((x * x, (x * 3).sum()), (torch.tensor([1.0, 10.0]), None))
        return x.grad

    same_as_torch(scenario)
