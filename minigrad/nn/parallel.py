"""Data parallel under PyTorch's names: minigrad works on one GPU or the CPU, so the module runs there as it is."""

from minigrad.absent import names_of
from minigrad.nn.module import Module

__getattr__ = names_of(__name__)


class DataParallel(Module):
    """The module itself, under the name `module`, as PyTorch's state dicts have it.

    >>> import minigrad as torch
    >>> net = torch.nn.DataParallel(torch.nn.Linear(2, 1), device_ids=[0])
    >>> net(torch.ones(3, 2)).shape, list(net.state_dict())
    ((3, 1), ['module.weight', 'module.bias'])
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module

    def forward(self, *inputs, **options):
        return self.module(*inputs, **options)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """module(*inputs), or module(inputs) of one tensor."""
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
