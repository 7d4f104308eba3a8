"""The table of functions: a line each, with PyTorch's names of the arguments. How to read it: calls.py, kinds.py."""

from tests.differential.calls import CALLS, each

# Element by element.
each("exp sin cos tanh sigmoid erf square abs neg", "torch method", "input:any")
each("log log1p sqrt", "torch method", "input:positive")
each("log sqrt log2 log10 rsqrt reciprocal expm1 tan atan asin acos sinh cosh erfc", "torch method", "input:any")
each("relu", "torch method F", "input:any")
each("floor ceil trunc sign round isnan isinf isfinite frac", "torch method", "input:any")
each("logical_not", "torch method", "input:any")
each("add sub", "torch method", "input:any other:other[~input] alpha?:number")
each("mul remainder floor_divide fmod", "torch method", "input:any other:other[~input]")
each("pow", "torch method", "input:any exponent:other[~input]")
each("div true_divide", "torch method", "input:any other:other[~input]")
each("maximum minimum logical_and logical_or logical_xor", "torch method", "input:any other:mixed[~input]")
each("eq ne lt le gt ge", "torch method", "input:any other:other[~input]")
each("+ - * / ** // % == != < <= > >=", "operator", "input:any other:other[~input]")
each("& | ^", "operator", "input:discrete other:discrete[~input]")
each("& | ^", "operator", "input:discrete other:True|1|False|3|2.0")
each("- +", "unary", "input:any")
each("~", "unary", "input:discrete")
each("clamp clip", "torch method", "input:any min?:number max?:number")
each("where", "torch", "condition:bool input:any[~condition] other:other[~input]")
each("where", "method", "input:any condition:bool[~input] other:other[~input]")
each("masked_fill", "torch method", "input:any mask:bool[~input] value:number")
each("lerp", "torch method", "input:float end:same[=input] weight:real")
each("bitwise_and bitwise_or bitwise_xor", "torch method", "input:discrete other:mixed[~input]")
each("bitwise_not", "torch method", "input:discrete")
each("allclose", "torch method", "input:float other:same[~input] rtol?:small atol?:small equal_nan?:flag")
each("equal", "torch method", "input:any other:mixed[~input]")
each("nan_to_num", "torch method", "input:float")

# Reductions.
each("sum", "torch method", "input:any dim?:dims keepdim?:flag dtype?:dtype")
each("mean", "torch method", "input:float dim?:dims keepdim?:flag dtype?:float-dtype")
each("mean std var sum prod amax max norm any all argmax", "torch method", "input:any")
each("std var", "torch method", "input:float dim?:dims correction?:0|1|2 keepdim?:flag")
each("std var", "torch method", "input:float dim?:dims unbiased?:flag keepdim?:flag")
each("amax amin", "torch method", "input:any dim?:dims keepdim?:flag")
each("max min", "torch method", "input:any dim:dim keepdim?:flag")
each("max min", "torch method", "input:any other:mixed[~input]")
each("min argmin", "torch method", "input:any")
each("argmax argmin", "torch method", "input:any dim?:dim keepdim?:flag")
each("prod", "torch method", "input:any dim:dim keepdim?:flag dtype?:dtype")
each("norm", "torch method", "input:float p?:1|2|2.0|3|0.5|float('inf')|-float('inf')|0|'fro' dim?:dims keepdim?:flag")
each("logsumexp", "torch method", "input:any dim:dims keepdim?:flag")
each("softmax log_softmax", "torch method F", "input:float dim:dim dtype?:float-dtype")
each("cumsum", "torch method", "input:any dim:dim dtype?:dtype")
each("cumprod", "torch method", "input:any dim:dim dtype?:dtype")
each("any all", "torch method", "input:any dim:dims keepdim?:flag")
each("median", "torch method", "input:float")
each("count_nonzero", "torch method", "input:any dim?:dim")

# Shapes.
each("reshape", "torch method", "input:any shape:reshaped")
each("reshape view", "method", "input:any shape:reshaped", unpacked=True)
each("flatten", "torch method", "input:any start_dim?:dim end_dim?:dim")
each("unflatten", "torch method", "input:any dim:dim sizes:factors")
each("squeeze", "torch method", "input:any dim?:dim")
each("squeeze", "torch method", "input:any dim:dims")
each("unsqueeze", "torch method", "input:any dim:new-dim")
each("transpose", "torch method", "input:any dim0:dim dim1:dim")
each("swapaxes", "torch method", "input:any axis0:dim axis1:dim")
each("t", "torch method", "input:any[N,M]")
each("t", "torch method", "input:any")
each("permute", "torch method", "input:any dims:order")
each("permute", "method", "input:any dims:order", unpacked=True)
each("movedim", "torch method", "input:any source:dim destination:dim")
each("expand repeat", "method", "input:any _sizes:expanded", unpacked=True)
each("repeat", "method", "input:any _repeats:repeats", unpacked=True)
each("broadcast_to", "torch method", "input:any size:expanded")
each("expand_as view_as", "method", "input:any other:any[~input]")
each("flip", "torch method", "input:any dims:some-dims")
each("flip", "method", "input:any dims:some-dims", unpacked=True)
each("roll", "torch method", "input:any shifts:shifts dims?:dim")
each("split", "torch method", "input:any split_size_or_sections:sections dim?:0|-1|1")
each("split", "method", "input:any split_size:sections dim?:0|-1|1")
each("chunk", "torch method", "input:any chunks:count dim?:dim")
each("unbind", "torch method", "input:any dim?:dim")
each("narrow", "torch method", "input:any dim:dim start:0|1 length:0|1|2")
each("cat concat", "torch", "tensors:several dim?:dim")
each("stack", "torch", "tensors:several dim?:new-dim")
each("pad", "F", "input:any pad:paddings mode?:'constant' value?:real")
each("pad", "F", "input:float[N,C,W] pad:(0,1)|(1,0)|(1,1)|(2,1) mode:'reflect'|'replicate'|'circular'")
each("pad", "F", "input:float[N,C,H,W] pad:(0,1,1,0)|(1,1,1,1)|(2,1,0,0) mode:'reflect'|'replicate'|'circular'")
each("tril triu", "torch method", "input:any[*,N,M] diagonal?:-1|0|1|2")
each("diag diagonal", "torch method", "input:any")
each("meshgrid", "torch", "tensors:several")

# By index.
each("gather", "torch method", "input:any dim:dim index:along")
each("take", "torch method", "input:any index:table-index[*]")
each("index_select", "torch method", "input:any dim:dim index:rows")
each("scatter_add", "torch method", "input:any dim:dim index:along src:same[=index]")
each("masked_select", "torch method", "input:any mask:bool[~input]")
each("sort argsort", "torch method", "input:any dim?:dim descending?:flag")
each("topk", "torch method", "input:any k:1|1|2|3 dim?:dim largest?:flag")
each("nonzero", "torch method", "input:any")

# Products.
each("matmul", "torch method", "input:float[N] other:same[N]")
each("@", "operator", "input:any[*,N,M] other:same[M,K]")
each("@", "operator", "input:float other:same")
each("matmul", "torch method", "input:any[*,N,M] other:same[M,K]")
each("matmul", "torch method", "input:float[B,N,M] other:same[B,M,K]")
each("matmul", "torch method", "input:float[N,M] other:same[M]")
each("matmul", "torch method", "input:float[M] other:same[*,M,K]")
each("mm", "torch method", "input:any[N,M] mat2:same[M,K]")
each("bmm", "torch method", "input:float[B,N,M] mat2:same[B,M,K]")
each("mv", "torch method", "input:float[N,M] vec:same[M]")
each("dot", "torch method", "input:any[N] tensor:same[N]")
each("mm mv dot bmm", "torch method", "input:float _other:same")
each("outer", "torch method", "input:any[N] vec2:mixed[M]")
each("einsum", "torch", "_equation:'ij,jk->ik'|'ij,jk'|'ij,jk->k' _a:float[N,M] _b:same[M,K]")
each("einsum", "torch", "_equation:'bij,bjk->bik'|'bij,bjk->ki'|'...ij,...jk->...ik' _a:float[B,N,M] _b:same[B,M,K]")
each("einsum", "torch", "_equation:'i,j->ij'|'i,j->ji'|'i,j->' _a:float[N] _b:same[M]")
each("einsum", "torch", "_equation:'ii->i'|'ii'|'ii->'|'ij->ji'|'ij->j'|'...j->...' _a:any[N,N]")
each("linear", "F", "input:float[*,I] weight:same[O,I] bias?:same[O]")
each("linear", "F", "input:float[*,I] weight:same[I]")

# Activations.
each("sigmoid tanh", "F", "input:any")
each("silu mish softsign hardtanh relu6 selu logsigmoid hardswish", "F", "input:any")
each("leaky_relu", "F", "input:any negative_slope?:0.2|0|1.0|-0.5|2 inplace?:False")
each("elu", "F", "input:any alpha?:0.5|1|-1.0|0 inplace?:False")
each("gelu", "F", "input:any approximate?:'none'|'tanh'")
each("softplus", "F", "input:any beta?:1|2.0|0.5 threshold?:20|1.0|0.0")
each("dropout", "F", "input:float p:0.0|0|1.0 training?:True|False inplace?:False")
each("dropout", "F", "input:any p:0.5|0.0|1.5 training:False")
each("normalize", "F", "input:float p?:2|1|2.0|3.0|float('inf') dim?:dim eps?:1e-12|0.1|1.0")
each("one_hot", "F", "input:table-index[*] num_classes?:5|4|-1|2")
each("embedding", "F", "input:table-index[*] weight:float[V,D]")
each("cosine_similarity", "F", "x1:float[*,N] x2:same[=x1] dim?:-1")

# Losses.
each("mse_loss l1_loss", "F", "input:float target:same[=input] reduction?:'mean'|'sum'|'none'")
each("mse_loss l1_loss", "F", "input:any target:mixed[~input] reduction?:'mean'|'sum'|'none'|'avg'")
each("smooth_l1_loss", "F", "input:float target:same[=input] reduction?:'mean'|'sum'|'none' beta?:0.5|1|2.0|0.0")
each("huber_loss", "F", "input:float target:same[=input] reduction?:'mean'|'sum'|'none' delta?:0.5|1|2.0")
each("binary_cross_entropy", "F", "input:share target:same-share[=input] weight?:same[~input] "
     "reduction?:'mean'|'sum'|'none'")
each("binary_cross_entropy_with_logits", "F", "input:float target:same-share[=input] weight?:same[~input] "
     "reduction?:'mean'|'sum'|'none' pos_weight?:same[~input]")
each("cross_entropy", "F", "input:float[N?,C] target:labels[N] weight?:same[C] ignore_index?:-100|0|1 "
     "reduction?:'mean'|'sum'|'none' label_smoothing?:0.0|0.1|0.5")
each("cross_entropy", "F", "input:float[N,C] target:labels[N] reduction?:'mean'|'sum'|'none'")
each("cross_entropy", "F", "input:float[C] target:labels[] weight?:same[C]")
each("cross_entropy", "F", "input:float[N,C,W] target:labels[N,W] weight?:same[C] ignore_index?:-100|0|1 "
     "reduction?:'mean'|'sum'|'none' label_smoothing?:0.0|0.1")
each("cross_entropy", "F", "input:float[N,C] target:same-share[N,C] weight?:same[C] reduction?:'mean'|'sum'|'none' "
     "label_smoothing?:0.0|0.1")
each("nll_loss", "F", "input:float[N,C] target:labels[N] weight?:same[C] ignore_index?:-100|0|1 "
     "reduction?:'mean'|'sum'|'none'")
each("nll_loss", "F", "input:float[N,C,H,W] target:labels[N,H,W] weight?:same[C] reduction?:'mean'|'sum'|'none'")
each("kl_div", "F", "input:float target:same-share[=input] reduction?:'mean'|'sum'|'none'|'batchmean'")

# Convolution, pooling, normalisation.
each("conv1d", "F torch", "input:float[N?,G*I,L] weight:same[G*O,I,K] bias?:same[G*O] stride?:one padding?:one0 "
     "dilation?:one groups:symbol[G]")
each("conv2d", "F torch", "input:float[N?,G*I,H,W] weight:same[G*O,I,K,J] bias?:same[G*O] stride?:pair padding?:pair0 "
     "dilation?:pair groups:symbol[G]")
each("conv2d", "F torch", "input:float[N,I,H,W] weight:same[O,I,K,J] bias?:same[O] stride?:1 padding:'same'|'valid'")
each("conv_transpose1d", "F torch", "input:float[N?,G*I,L] weight:same[G*I,O,K] bias?:same[G*O] stride?:one "
     "padding?:one0 output_padding?:one0 groups:symbol[G] dilation?:one")
each("conv_transpose2d", "F torch", "input:float[N?,G*I,H,W] weight:same[G*I,O,K,J] bias?:same[G*O] stride?:pair "
     "padding?:pair0 output_padding?:pair0 groups:symbol[G] dilation?:pair")
each("max_pool1d", "F torch", "input:any[N?,C,L] kernel_size:one stride?:one padding?:pool-padding "
     "dilation?:pool-dilation ceil_mode?:flag")
each("max_pool2d", "F torch", "input:any[N?,C,H,W] kernel_size:pair stride?:pair padding?:pool-padding "
     "dilation?:pool-dilation ceil_mode?:flag")
each("avg_pool1d", "F torch", "input:float[N?,C,L] kernel_size:one stride?:one padding?:pool-padding ceil_mode?:flag "
     "count_include_pad?:flag")
each("avg_pool2d", "F", "input:any[N?,C,H,W] kernel_size:pair stride?:pair padding?:pool-padding ceil_mode?:flag "
     "count_include_pad?:flag divisor_override?:1|2|3")
each("adaptive_avg_pool1d", "F torch", "input:float[N?,C,L] output_size:output-size[1d]")
each("adaptive_avg_pool2d", "F", "input:float[N?,C,H,W] output_size:output-size[2d]")
each("interpolate", "F", "input:float[N,C,H,W] size:3|(2,5)|4 scale_factor?:None mode:'nearest'|'bilinear' "
     "align_corners?:None")
each("interpolate", "F", "input:float[N,C,H,W] size:3|(2,5)|4 scale_factor?:None mode:'bilinear' align_corners:flag")
each("interpolate", "F", "input:any[N,C,H,W] size:None scale_factor:2|2.0|(2,3)|0.5|1.5 mode?:'nearest'")
each("interpolate", "F", "input:float[N,C,L] size:None scale_factor:2|0.5|1.5 mode:'linear' align_corners?:flag")
each("pixel_shuffle", "F torch", "input:any[N?,4*C,H,W] upscale_factor:2")
each("pixel_unshuffle", "F torch", "input:any[N?,C,2*H,2*W] downscale_factor:2")
each("batch_norm", "F", "input:float[N,C,*] running_mean:same[C] running_var:same-share[C] weight?:same[C] "
     "bias?:same[C] training?:False momentum?:0.1|0.5 eps?:1e-5|0.1")
each("batch_norm", "F", "input:float[N,C,*] running_mean:None running_var:None weight?:same[C] bias?:same[C] "
     "training:True momentum?:0.1|0.5 eps?:1e-5|0.1")
each("instance_norm", "F", "input:float[N,C,L] running_mean?:None running_var?:None weight?:same[C] bias?:same[C] "
     "use_input_stats?:True momentum?:0.1 eps?:1e-5|0.1")
each("layer_norm", "F", "input:float[*,D] normalized_shape:({D},)|[{D}] weight?:same[D] bias?:same[D] eps?:1e-5|0.1")
each("group_norm", "F", "input:float[N,2*C,*] num_groups:1|2 weight?:same[2*C] bias?:same[2*C] eps?:1e-5|0.1")

# What a tensor tells, and what it turns into.
each("shape dtype ndim requires_grad is_leaf T mT data device is_cuda", "attribute", "input:any")
each("grad", "attribute", "input:float")
each("size", "method", "input:any dim?:dim")
each("dim numel nelement is_floating_point detach clone tolist contiguous cpu", "method", "input:any")
each("float double half long int bool byte short char", "method", "input:any")
each("item", "method", "input:any[]")
each("item", "method", "input:any[1,1]")
each("to type", "method", "input:any dtype:dtype")
each("to type_as", "method", "input:any other:any")
each("numel is_tensor is_floating_point detach clone", "torch", "input:any")
each("len abs", "unary", "input:any")
each("float int bool", "unary", "input:any[]")

# New tensors.
each("zeros ones", "torch", "size:shape dtype?:dtype requires_grad?:False")
each("zeros ones", "torch", "size:shape", unpacked=True)
each("empty rand randn", "drawn", "size:shape dtype?:float-dtype")
each("full", "torch", "size:shape fill_value:number dtype?:dtype")
each("eye", "torch", "n:count m?:count dtype?:dtype")
each("arange", "torch", "end:number dtype?:dtype")
each("arange", "torch", "start:number end:number step?:1|2|0.5|-1|0.1|0.3 dtype?:dtype")
each("linspace", "torch", "start:real end:real steps:count dtype?:float-dtype")
each("zeros_like ones_like", "torch", "input:any dtype?:dtype requires_grad?:False")
each("full_like", "torch", "input:any fill_value:number dtype?:dtype")
each("rand_like randn_like", "drawn", "input:float dtype?:float-dtype")
each("randint", "drawn", "low:0|1 high:5|2 size:shape")
each("randint", "drawn", "high:5|2 size:shape")
each("randperm", "drawn", "n:count")
each("normal", "drawn", "mean:float std:1.0|2")
each("normal", "drawn", "mean:0.0|1.0 std:1.0|0.5 size:shape")
each("bernoulli", "drawn", "input:share")
each("empty_like", "drawn", "input:any dtype?:dtype")
each("tensor as_tensor", "torch", "data:1|2.5|True|[1,2]|[1.5,2]|[[True],[False]]|[]|[[1,2.0]]|[True,2]|np.float64(1)|"
     "np.ones(2)|np.float32(2)|[np.float32(1)]|[np.float64(2)]|[[]]|np.arange(3)|[np.int32(1)]|(1,2)|range(3) "
     "dtype?:dtype")
each("tensor", "torch", "data:nested")
each("new_zeros new_ones", "method", "input:any size:shape dtype?:dtype")
each("new_full", "method", "input:any size:shape fill_value:number dtype?:dtype")
each("new_tensor", "method", "input:any data:1|2.5|[1,2]|[True]")

# In place.
each("add_ sub_", "inplace", "input:any other:other[~input] alpha?:number")
each("mul_ div_", "inplace", "input:any other:other[~input]")
each("pow_ remainder_ floor_divide_", "inplace", "input:any other:other[~input]")
each("lerp_", "inplace", "input:float end:same[~input] weight:real")
each("clamp_", "inplace", "input:any min?:number max?:number")
each("zero_ relu_ exp_ sqrt_ abs_ neg_ sigmoid_ tanh_ floor_ round_ sin_", "inplace", "input:any")
each("fill_", "inplace", "input:any value:number")
each("copy_", "inplace", "input:any _src:any[~input]")
each("masked_fill_", "inplace", "input:any mask:bool[~input] value:number")
each("scatter_", "inplace", "input:any dim:dim index:along value:number")
each("scatter_", "inplace", "input:any dim:dim index:along src:same[=index]")
each("scatter_add_", "inplace", "input:any dim:dim index:along src:same[=index]")
each("index_fill_", "inplace", "input:any dim:dim index:rows value:number")
each("+= -= *= /= **= //= %=", "augmented", "input:any other:other[~input]")
each("&= |= ^=", "augmented", "input:discrete other:discrete[~input]")
each("constant_", "init", "tensor:float val:real")
each("zeros_ ones_", "init", "tensor:float")

ELSEWHERE = {
    "what is random, or about the generator": "normal_ uniform_ bernoulli_ xavier_uniform_ xavier_normal_ "
    "kaiming_uniform_ kaiming_normal_ Generator manual_seed initial_seed get_rng_state set_rng_state spectral_norm "
    "remove_spectral_norm",
    "what lines of moves.py and modules.py do": "Tensor backward register_hook requires_grad_ retain_grad no_grad "
    "set_grad_enabled clip_grad_norm_ clip_grad_value_ from_numpy ModuleList Parameter Module functional init utils",
    "switches, which would outlast a program": "enable_grad inference_mode is_grad_enabled set_default_device "
    "set_default_dtype set_default_tensor_type get_default_dtype",
    "names of types, and old ones of tensors": "Size device dtype BoolTensor ByteTensor CharTensor DoubleTensor "
    "FloatTensor HalfTensor IntTensor LongTensor ShortTensor",
    "files and devices": "load save cuda numpy",
    "what PyTorch has in another form": "array node leaf grad_fn is_contiguous torch_default_",
}

KNOWN = [call for call in CALLS if call.exists()]  # the others are covered once minigrad has them
