"""All functions of the tables, which are in `tables/`: a line each, with PyTorch's names of the arguments.

How to read a line: calls.py and kinds.py. A file put into tables/ is found by itself.
"""

import importlib
import pkgutil
from pathlib import Path

from tests.differential.calls import CALLS

for _table in pkgutil.iter_modules([str(Path(__file__).with_name("tables"))]):
    importlib.import_module(f"tests.differential.tables.{_table.name}")

ELSEWHERE = {
    "what is random, or about the generator":
        "normal_ uniform_ bernoulli_ exponential_ random_ multinomial xavier_uniform_ xavier_normal_ "
        "kaiming_uniform_ kaiming_normal_ Generator manual_seed initial_seed get_rng_state set_rng_state "
        "spectral_norm remove_spectral_norm seed AlphaDropout orthogonal_ sparse_ trunc_normal_",
    "what lines of moves.py and modules.py do":
        "Tensor backward register_hook requires_grad_ retain_grad no_grad set_grad_enabled clip_grad_norm_ "
        "clip_grad_value_ from_numpy ModuleList Parameter Module functional init utils "
        "ModuleDict ParameterDict ParameterList DataParallel parallel",
    "switches, which would outlast a program":
        "enable_grad inference_mode is_grad_enabled set_default_device set_default_dtype "
        "set_default_tensor_type get_default_dtype",
    "names of types, and old ones of tensors":
        "finfo iinfo Size device dtype new BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor "
        "HalfTensor IntTensor LongTensor ShortTensor",
    "files, devices, memory":
        "load save cuda numpy pin_memory data_ptr share_memory_ resize_ resize_as_ stride is_xpu is_mps "
        "is_meta is_sparse is_quantized is_mkldnn",
    "what PyTorch has in another form":
        "array node leaf grad_fn is_contiguous torch_default_",
}

KNOWN = [call for call in CALLS if call.exists()]  # the others are covered once minigrad has them
