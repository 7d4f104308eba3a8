"""minigrad: a define-by-run autograd engine on NumPy and CuPy. Use it as `import minigrad as torch`, and it will do.

Read the source in this order: graph.py, tensor.py, ops/ (see its __init__), nn/, optim/.
"""

from minigrad.tensor import Tensor  # first: the name minigrad.tensor is to end as the function of create.py
from minigrad import autograd, ops, random
from minigrad.backend.device import device
from minigrad.create import (arange, as_tensor, bool_, empty, eye, float16, float32, float64, from_numpy, full,
                             full_like, get_default_dtype, int32, int64, linspace, logspace, multinomial, ones,
                             ones_like, rand, rand_like, randint, randint_like, randn, randn_like, randperm,
                             set_default_device, set_default_dtype, tensor, tril_indices, triu_indices, uint8, zeros,
                             zeros_like)
from minigrad.graph import OUT, Op
from minigrad.modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from minigrad.ops import *  # noqa: F403
from minigrad.random import (Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed,
                             set_rng_state)

float, double, half, long, int, bool = float32, float64, float16, int64, int32, bool_

from minigrad import nn, optim
from minigrad.capture import capture
from minigrad.profiling import profile
from minigrad.legacy import *  # noqa: F403
from minigrad import (absent, accelerator, backends, cuda, data, legacy, linalg, lr_scheduler, mps, onnx, utils,
                      version, xpu)
from minigrad.version import __version__

autograd.Variable = legacy.Variable

__getattr__ = absent.names_of(__name__)
