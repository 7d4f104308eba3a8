"""The switches as blocks, as calls, on functions and on generators: each puts back what it found, as PyTorch's do."""

import threading

import pytest

import minigrad as mg

SWITCHES = ["no_grad", "enable_grad", "inference_mode", "off", "on", "not_inference"]


def switch(torch, name):
    """A fresh switch object."""
    made = {"off": lambda: torch.set_grad_enabled(False), "on": lambda: torch.set_grad_enabled(True),
            "not_inference": lambda: torch.inference_mode(False)}
    return made[name]() if name in made else getattr(torch, name)()


@pytest.fixture(autouse=True)
def gradients_on():
    yield
    mg.set_grad_enabled(True)


def test_set_grad_enabled_takes_its_flag_by_pytorchs_name(same_as_torch):
    def scenario(torch):
        with torch.set_grad_enabled(mode=False):
            return torch.is_grad_enabled()

    same_as_torch(scenario)


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("name", SWITCHES)
def test_blocks_functions_and_generators_restore_what_they_found(same_as_torch, name, outer):
    def scenario(torch):
        seen = []
        torch.set_grad_enabled(outer)
        look = lambda: seen.append(torch.is_grad_enabled())  # noqa: E731
        with switch(torch, name):
            look()
            with switch(torch, name):
                look()
        look()

        @switch(torch, name)
        def function(depth):
            look()
            if depth:
                function(depth - 1)
            look()

        look()
        function(2)
        look()

        @switch(torch, name)
        def generator():
            look()
            try:
                got = yield 1
                look()
                seen.append(got)
                yield 2
            except KeyError:
                look()
                yield 3
            finally:
                look()
            return 4

        look()
        g = generator()
        look()
        seen.append(next(g))
        look()
        seen.append(g.send(7))
        look()
        seen.append(g.throw(KeyError()))
        look()
        with pytest.raises(StopIteration) as stop:
            next(g)
        seen.append(stop.value.value)
        look()
        g = generator()
        next(g)
        g.close()
        look()
        with pytest.raises(ValueError), switch(torch, name):
            raise ValueError
        look()
        torch.set_grad_enabled(True)
        return seen

    same_as_torch(scenario)


def test_set_grad_enabled_as_a_plain_call_stays(same_as_torch):
    def scenario(torch):
        seen = []
        torch.set_grad_enabled(False)
        seen.append(torch.is_grad_enabled())
        with torch.enable_grad():
            seen.append(torch.is_grad_enabled())
        seen.append(torch.is_grad_enabled())
        torch.set_grad_enabled(True)
        seen.append(torch.is_grad_enabled())
        return seen

    assert same_as_torch(scenario) == [False, True, False, True]


def test_a_switch_object_can_be_kept_used_again_and_within_itself():
    """Within itself PyTorch's leaves gradients off for the whole process: one object remembers one state there."""
    for make in (mg.no_grad, lambda: mg.set_grad_enabled(False)):
        off = make()
        for _ in range(2):
            seen = []
            with off:
                with off:
                    seen.append(mg.is_grad_enabled())
                seen.append(mg.is_grad_enabled())
            assert [*seen, mg.is_grad_enabled()] == [False, False, True]


def test_bare_decorators_keep_name_and_docstring():
    @mg.no_grad
    def bare():
        """What it does."""
        return mg.is_grad_enabled()

    @mg.inference_mode
    def other():
        return mg.is_grad_enabled()

    assert (bare(), other(), bare.__name__, bare.__doc__) == (False, False, "bare", "What it does.")


def test_a_decorated_function_in_many_threads_leaves_each_as_it_was():
    found, ready = [], threading.Barrier(4)

    @mg.no_grad()
    def work():
        ready.wait(60)
        return mg.is_grad_enabled()

    def run():
        inside = work()
        found.append((inside, mg.is_grad_enabled()))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(False, True)] * 4


def test_anomaly_mode_as_call_block_and_decorator():
    def bad():
        return mg.tensor([-1.0], requires_grad=True).log()

    for within in (mg.autograd.detect_anomaly, lambda: mg.autograd.set_detect_anomaly(True)):
        with within(), pytest.raises(FloatingPointError):
            bad()
        with pytest.raises(FloatingPointError):
            within()(bad)()
        assert bad().isnan().all()
    mg.autograd.set_detect_anomaly(True)
    with pytest.raises(FloatingPointError):
        bad()
    mg.autograd.set_detect_anomaly(False)
    assert bad().isnan().all()
