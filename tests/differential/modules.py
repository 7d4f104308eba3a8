"""The tables of modules, losses, optimisers and schedulers: one line each, to be read as those in tables/."""

from tests.differential.calls import parse

MODULES, OPTIMISERS, SCHEDULERS = [], [], []


def module(names, arguments, inputs):
    """Modules of several names: what makes them, and what they are called with."""
    MODULES.extend((name, parse(arguments), parse(inputs)) for name in names.split())


def optimiser(name, arguments):
    """An optimiser and its options."""
    OPTIMISERS.append((name, parse(arguments)))


def scheduler(name, arguments):
    """A scheduler and its options."""
    SCHEDULERS.append((name, parse(arguments)))


module("Linear", "in_features:count out_features:count bias?:flag", "input:float[*,in_features]")
module("Identity Tanh Sigmoid SiLU ReLU", "", "input:float")
module("LeakyReLU", "negative_slope?:0.2|0.01|1.0 inplace?:False", "input:float")
module("ELU", "alpha?:0.5|1.0", "input:float")
module("GELU", "approximate?:'none'|'tanh'", "input:float")
module("Softplus", "beta?:1.0|2 threshold?:20.0|1", "input:float")
module("Softmax LogSoftmax", "dim:-1|0|1", "input:float[*,N]")
module("Hardtanh ReLU6 SELU Softsign LogSigmoid Mish Hardswish", "", "input:float")
module("CELU", "alpha?:0.5|1.0", "input:float")
module("Hardshrink Softshrink", "lambd?:0.5|0.0", "input:float")
module("Hardsigmoid Tanhshrink", "", "input:float")
module("Threshold", "threshold:0.5|-1.0 value:0.0|2.0 inplace?:False", "input:float")
module("GLU", "dim?:-1", "input:float[*,2*N]")
module("LocalResponseNorm", "size:1|2|3 alpha?:1e-4|0.5 beta?:0.75|2.0 k?:1.0|2.0", "input:float[N,C,L]")
module("CosineSimilarity", "dim?:1|-1 eps?:1e-8", "x1:float[N,D] x2:same[=x1]")
module("PairwiseDistance", "p?:2.0|1 eps?:1e-6 keepdim?:flag", "x1:float[N,D] x2:same[=x1]")
module("PReLU", "num_parameters?:1", "input:float[N,C]")
module("Flatten", "start_dim?:1|0|2 end_dim?:-1|1", "input:any[N,C,*]")
module("Unflatten", "dim:1|-1 unflattened_size:(2,-1)|(1,2)|(2,1)", "input:any[N,2]")
module("Embedding", "num_embeddings:count embedding_dim:count padding_idx?:0", "input:table-index[*]")
module("Dropout3d", "p:0.0|1.0 inplace?:False", "input:float[N,C,2,H,W]")
module("Dropout Dropout1d Dropout2d", "p:0.0|1.0 inplace?:False", "input:float[N,C,H,W]")
module("Conv1d", "in_channels:symbol[C] out_channels:symbol[O] kernel_size:one stride?:one padding?:one0 dilation?:one "
       "groups?:1 bias?:flag padding_mode?:'zeros'", "input:float[N?,C,L]")
module("Conv2d", "in_channels:symbol[C] out_channels:symbol[O] kernel_size:pair stride?:pair padding?:pair0 "
       "dilation?:pair groups?:1 bias?:flag padding_mode?:'zeros'", "input:float[N?,C,H,W]")
module("ConvTranspose1d", "in_channels:symbol[C] out_channels:symbol[O] kernel_size:one stride?:one padding?:one0 "
       "output_padding?:0 groups?:1 bias?:flag dilation?:one", "input:float[N?,C,L]")
module("ConvTranspose2d", "in_channels:symbol[C] out_channels:symbol[O] kernel_size:pair stride?:pair padding?:pair0 "
       "output_padding?:0 groups?:1 bias?:flag dilation?:pair", "input:float[N?,C,H,W]")
module("MaxPool1d", "kernel_size:one stride?:one padding?:pool-padding dilation?:pool-dilation ceil_mode?:flag",
       "input:float[N?,C,L]")
module("MaxPool2d", "kernel_size:pair stride?:pair padding?:pool-padding dilation?:pool-dilation ceil_mode?:flag",
       "input:float[N?,C,H,W]")
module("AvgPool1d", "kernel_size:one stride?:one padding?:pool-padding ceil_mode?:flag count_include_pad?:flag",
       "input:float[N?,C,L]")
module("AvgPool2d", "kernel_size:pair stride?:pair padding?:pool-padding ceil_mode?:flag count_include_pad?:flag",
       "input:float[N?,C,H,W]")
module("AdaptiveAvgPool1d", "output_size:1|2|3", "input:float[N?,C,L]")
module("AdaptiveAvgPool2d", "output_size:1|2|(2,3)|(1,1)", "input:float[N?,C,H,W]")
module("Upsample", "size?:None scale_factor:2|2.0|(2,2) mode?:'nearest'|'bilinear' align_corners?:None",
       "input:float[N,C,H,W]")
module("UpsamplingNearest2d UpsamplingBilinear2d", "scale_factor:2", "input:float[N,C,H,W]")
module("PixelShuffle", "upscale_factor:2", "input:float[N,4*C,H,W]")
module("PixelUnshuffle", "downscale_factor:2", "input:float[N,C,2*H,2*W]")
module("ReflectionPad1d ReplicationPad1d ZeroPad1d", "padding:sides[1d]", "input:float[N,C,L]")
module("CircularPad1d", "padding:sides[1d]", "input:float[N,C,L]")
module("CircularPad2d", "padding:sides[2d]", "input:float[N,C,H,W]")
module("ReflectionPad2d ReplicationPad2d ZeroPad2d", "padding:sides[2d]", "input:float[N,C,H,W]")
module("ConstantPad1d", "padding:sides[1d] value:0.5", "input:float[N,C,L]")
module("ConstantPad2d", "padding:sides[2d] value:0.5", "input:float[N,C,H,W]")
module("BatchNorm1d", "num_features:symbol[C] eps?:1e-5|0.1 momentum?:0.1|0.5|None affine?:flag "
       "track_running_stats?:flag", "input:float[N,C]")
module("BatchNorm1d", "num_features:symbol[C] eps?:1e-5|0.1 momentum?:0.1|0.5", "input:float[N,C,L]")
module("BatchNorm2d", "num_features:symbol[C] eps?:1e-5|0.1 momentum?:0.1|0.5 affine?:flag track_running_stats?:flag",
       "input:float[N,C,H,W]")
module("InstanceNorm1d", "num_features:symbol[C] eps?:1e-5|0.1 momentum?:0.1 affine?:flag track_running_stats?:flag",
       "input:float[N?,C,L]")
module("InstanceNorm2d", "num_features:symbol[C] eps?:1e-5|0.1 momentum?:0.1 affine?:flag track_running_stats?:flag",
       "input:float[N?,C,H,W]")
module("LayerNorm", "normalized_shape:symbol[D] eps?:1e-5|0.1 elementwise_affine?:flag bias?:flag", "input:float[*,D]")
module("GroupNorm", "num_groups:1|2 num_channels:4|2 eps?:1e-5|0.1 affine?:flag", "input:float[N,num_channels,*]")
module("L1Loss MSELoss", "reduction?:'mean'|'sum'|'none'", "input:float target:same[=input]")
module("SmoothL1Loss", "reduction?:'mean'|'sum'|'none' beta?:0.5|1.0", "input:float target:same[=input]")
module("HuberLoss", "reduction?:'mean'|'sum'|'none' delta?:0.5|1.0", "input:float target:same[=input]")
module("BCELoss", "weight?:None reduction?:'mean'|'sum'|'none'", "input:share target:same-share[=input]")
module("BCEWithLogitsLoss", "weight?:None reduction?:'mean'|'sum'|'none' pos_weight?:torch.tensor(2.0)",
       "input:float target:same-share[=input]")
module("CrossEntropyLoss", "weight?:None ignore_index?:-100|0 reduction?:'mean'|'sum'|'none' label_smoothing?:0.0|0.1",
       "input:float[N,C] target:labels[N]")
module("NLLLoss", "weight?:None ignore_index?:-100|0 reduction?:'mean'|'sum'|'none'",
       "input:float[N,C] target:labels[N]")

module("KLDivLoss", "reduction?:'mean'|'sum'|'none'|'batchmean'", "input:float target:same-share[=input]")
module("SoftMarginLoss", "reduction?:'mean'|'sum'|'none'", "input:float target:signs[=input]")
module("HingeEmbeddingLoss", "margin?:1.0|0.5 reduction?:'mean'|'sum'|'none'", "input:float target:signs[=input]")
module("CosineEmbeddingLoss", "margin?:0.0|0.5 reduction?:'mean'|'sum'", "input1:float[N,D] input2:same[=input1] "
       "target:signs[N]")
module("MarginRankingLoss", "margin?:0.0|0.5 reduction?:'mean'|'sum'", "input1:float[N] input2:same[=input1] "
       "target:signs[N]")
module("TripletMarginLoss", "margin?:1.0|0.5 p?:2|1.0 swap?:flag", "anchor:float[N,D] positive:same[=anchor] "
       "negative:same[=anchor]")
module("Sequential", "_a:nn.Linear(3,2) _b:nn.Tanh()|nn.ReLU()|nn.LeakyReLU(0.2)|nn.Sigmoid()|nn.BatchNorm1d(2) "
       "_c?:nn.Linear(2,1)|nn.LayerNorm(2)|nn.Linear(2,3,bias=False)", "input:float[N,3]")

optimiser("SGD", "lr:0.1|0.01|1 momentum?:0.9|0.0 dampening?:0|0.3 weight_decay?:0.1|0 nesterov?:flag maximize?:flag")
optimiser("SGD", "lr?:0.1 momentum:0.9 dampening:0.0 weight_decay:0.0|0.1 nesterov:True")
optimiser("Adam", "lr?:0.1|0.01 betas?:(0.5,0.999)|(0.9,0.99)|(0.0,0.9) eps?:1e-8|1e-2 weight_decay?:0.1|0 "
          "amsgrad?:flag")
optimiser("AdamW", "lr?:0.1|0.01 betas?:(0.5,0.999)|[0.9,0.99] eps?:1e-8|1e-2 weight_decay?:0.1|0 amsgrad?:flag")
optimiser("RMSprop", "lr?:0.1|0.01 alpha?:0.9|0.5 eps?:1e-8|1e-2 weight_decay?:0|0.1 momentum?:0.9|0 centered?:flag")
optimiser("Adagrad", "lr?:0.1|0.01 lr_decay?:0|0.1 weight_decay?:0|0.1 initial_accumulator_value?:0|0.1 eps?:1e-10")
optimiser("Adadelta", "lr?:1.0|0.1 rho?:0.9|0.5 eps?:1e-6|1e-2 weight_decay?:0|0.1")
optimiser("Adamax", "lr?:0.1 weight_decay?:0|0.1")
optimiser("RAdam", "lr?:0.1|0.01 betas?:(0.9,0.99) weight_decay?:0|0.1")

scheduler("StepLR", "step_size:1|2|3 gamma?:0.5|0.1")
scheduler("MultiStepLR", "milestones:[1,3]|[2]|[2,2,3]|(1,2) gamma?:0.5|0.1")
scheduler("ExponentialLR", "gamma:0.5|0.9")
scheduler("LinearLR", "start_factor?:0.5|0.1 end_factor?:1.0|0.5 total_iters?:2|5")
scheduler("LambdaLR", "lr_lambda:decay|[decay]")
scheduler("ReduceLROnPlateau", "mode?:'min'|'max' factor?:0.5|0.1 patience?:0|1 threshold?:1e-4|0.1 cooldown?:0|1 "
          "min_lr?:0.0|0.02")
scheduler("CosineAnnealingLR", "T_max:2|3 eta_min?:0.0|0.01")
