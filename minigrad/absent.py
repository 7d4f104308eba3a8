"""Names of PyTorch's that are not here: asking for one says so in one line, and what to use instead.

`hasattr` of such a name stays False. The line is put together only when somebody reads it. The package's modules answer
so; Tensor and nn.Module do not: with a `__getattr__` each attribute that they have would be found 40 ns later.
"""

import difflib
import importlib.util
import opcode
import sys

PAGE = "docs/from-pytorch.md"
IMPORT_FROM = opcode.opmap["IMPORT_FROM"]
ROOFS = ("minigrad", "minigrad.nn", "minigrad.nn.functional", "minigrad.optim", "minigrad.optim.lr_scheduler",
         "minigrad.nn.init", "minigrad.nn.utils", "minigrad.utils.data", "minigrad.autograd", "minigrad.linalg")

_HINTS = {
    "recurrent layers are not there; use Conv1d over lines":
        "LSTM GRU RNN RNNBase LSTMCell GRUCell RNNCell rnn pack_padded_sequence pad_sequence",
    "attention is not there; write it with matmul and softmax":
        "Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer "
        "MultiheadAttention scaled_dot_product_attention attention",
    "three axes of space are not there; use the layers for images, or lines":
        "Conv3d ConvTranspose3d MaxPool3d AvgPool3d BatchNorm3d InstanceNorm3d AdaptiveAvgPool3d conv3d "
        "conv_transpose3d max_pool3d avg_pool3d ReflectionPad3d ReplicationPad3d ZeroPad3d ConstantPad3d",
    "nothing is compiled or traced; call the function or the module itself":
        "compile compiler jit fx export script trace _dynamo _inductor dynamo",
    "there is one process and one GPU at most; DataParallel takes the module as it is":
        "distributed DistributedDataParallel multiprocessing rpc share_memory_ SyncBatchNorm DistributedSampler",
    "mixed precision is not there; train in float32, and leave the scaler out":
        "amp autocast GradScaler bfloat16 BFloat16Tensor is_autocast_enabled",
    "complex numbers are not there":
        "complex64 complex128 cfloat cdouble complex polar real imag view_as_real view_as_complex fft stft istft conj",
    "sparse and quantised tensors are not there":
        "sparse sparse_coo_tensor to_sparse to_dense coalesce quantization ao quantize_per_tensor qint8 SparseAdam",
    "derivatives are taken with autograd.grad":
        "func vmap functorch jacobian hessian jvp vjp jacrev jacfwd",
    "use SGD, RMSprop, Adam, AdamW, RAdam, Adamax, Adagrad or Adadelta":
        "LBFGS NAdam Rprop ASGD Adafactor Muon",
    "use LambdaLR, which takes any function of the epoch":
        "OneCycleLR CyclicLR CosineAnnealingWarmRestarts SequentialLR ChainedScheduler ConstantLR PolynomialLR "
        "MultiplicativeLR",
    "a Dataset is read by number, in an order that shuffle and seed decide":
        "IterableDataset Sampler SequentialSampler RandomSampler SubsetRandomSampler WeightedRandomSampler "
        "BatchSampler ConcatDataset ChainDataset get_worker_info default_convert sampler",
    "the same seed always gives the same bits; leave the line out":
        "use_deterministic_algorithms are_deterministic_algorithms_enabled set_deterministic",
    "products are those of the array's own dtype; leave the line out":
        "set_float32_matmul_precision get_float32_matmul_precision",
    "threads are set before the start, by OMP_NUM_THREADS or OPENBLAS_NUM_THREADS":
        "set_num_threads get_num_threads set_num_interop_threads",
    "tensors print as NumPy's arrays; use numpy.set_printoptions":
        "set_printoptions",
    "the array of a tensor is x.numpy(), or x.detach().numpy()":
        "storage untyped_storage Storage UntypedStorage FloatStorage data_ptr",
    "losses are in gans' metrics.csv and losses.png; matplotlib draws others":
        "tensorboard SummaryWriter",
    "models that others trained are not there; weights travel as safetensors":
        "hub model_zoo",
    "use `with minigrad.profile() as p:` and print(p)":
        "profiler bottleneck benchmark",
    "use register_hook":
        "register_post_accumulate_grad_hook",
    "use register_full_backward_hook":
        "register_backward_hook",
    "write it with tensor functions, which have their derivatives":
        "CTCLoss MultiMarginLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss PoissonNLLLoss GaussianNLLLoss "
        "TripletMarginWithDistanceLoss AdaptiveLogSoftmaxWithLoss EmbeddingBag Bilinear Fold RReLU Softmin Softmax2d "
        "gumbel_softmax ctc_loss distributions",
    "weights that are computed: weight_norm and spectral_norm of nn.utils, and those of nn.utils.parametrizations":
        "parametrize prune orthogonal",
}
HINTS = {name: hint for hint, names in _HINTS.items() for name in names.split()}


def line(owner, name, there):
    """What is said of a name that `owner` lacks; `there` are the names that it has."""
    if name.startswith("_"):
        return f"{owner} has no attribute {name!r}"
    if name in HINTS:
        return f"{owner} has no {name}: {HINTS[name]}; see {PAGE}"
    roofs = [roof for roof in ROOFS if roof != owner and name in vars(sys.modules.get(roof, sys))]
    if roofs:
        return f"{owner} has no {name}: it is {roofs[0]}.{name}; see {PAGE}"
    if owner in sys.modules and hasattr(sys.modules[owner], "__path__") and importlib.util.find_spec(f"{owner}.{name}"):
        return f"{owner} has no {name} yet: write `import {owner}.{name}` first"
    small = {other.lower(): other for other in there if not other.startswith("_")}
    near = [small[other] for other in difflib.get_close_matches(name.lower(), small, 2, 0.8)]
    if near:
        return f"{owner} has no {name}; did you mean {' or '.join(near)}? See {PAGE}"
    return f"{owner} has no {name}: not every name of PyTorch's is there; see {PAGE}"


class Absent(AttributeError):
    """Somebody asked for a name that is not there."""

    def __init__(self, owner, name, there):
        super().__init__()
        self.owner, self.asked, self.there = owner, name, there

    def __str__(self):
        return line(self.owner, self.asked, self.there())


def names_of(module):
    """The `__getattr__` of a module, which is called for what it does not have."""
    def __getattr__(name):
        def there():
            return dir(sys.modules[module])

        frame = sys._getframe(1)
        if frame.f_code.co_code[frame.f_lasti] == IMPORT_FROM:  # which would put its own words in place of ours
            raise ImportError(line(module, name, there()), name=module)
        raise Absent(module, name, there)

    return __getattr__
