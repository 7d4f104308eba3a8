"""Layers as functions: activations, convolution, pooling, normalisation."""

from tests.differential.calls import each

# Activations.
each("sigmoid tanh", "F", "input:any")
each("silu mish softsign hardtanh relu6 selu logsigmoid hardswish", "F", "input:any")
each("leaky_relu", "F", "input:any negative_slope?:0.2|0|1.0|-0.5|2 inplace?:False")
each("elu", "F", "input:any alpha?:0.5|1|-1.0|0 inplace?:False")
each("celu", "F", "input:any alpha?:0.5|1|2.0 inplace?:False")
each("hardshrink softshrink", "F", "input:any lambd?:0.5|0.0|1")
each("hardsigmoid", "F", "input:any inplace?:False")
each("tanhshrink", "F", "input:any")
each("threshold", "F", "input:any threshold:0.5|0|-1.0 value:0.0|2|-0.5 inplace?:False")
each("glu", "F", "input:float[*,2*N] dim?:-1")
each("prelu", "F torch", "input:float[N,C,*] weight:same[C]")
each("prelu", "F", "input:float weight:same[1]")
each("gelu", "F", "input:any * approximate?:'none'|'tanh'")
each("softplus", "F", "input:any beta?:1|2.0|0.5 threshold?:20|1.0|0.0")
each("dropout", "F", "input:float p:0.0|0|1.0 training?:True|False inplace?:False")
each("dropout", "F", "input:any p:0.5|0.0|1.5 training:False")
each("dropout1d", "F", "input:float[N,C,L] p:0.0|1.0 training?:True|False inplace?:False")
each("dropout2d", "F", "input:float[N,C,H,W] p:0.0|1.0 training?:True|False inplace?:False")
each("dropout3d", "F", "input:float[N,C,2,H,W] p:0.0|1.0 training?:True|False inplace?:False")
each("alpha_dropout", "F", "input:float p:0.0|1.0|0.5 training:False inplace?:False")
each("local_response_norm", "F", "input:float[N,C,L] size:1|2|3 alpha?:1e-4|0.5 beta?:0.75|2.0 k?:1.0|2.0")
each("pairwise_distance", "F torch", "x1:float[N,D] x2:same[=x1] p?:2.0|1|3 eps?:1e-6|0.1 keepdim?:flag")
each("normalize", "F", "input:float p?:2|1|2.0|3.0|float('inf') dim?:dim eps?:1e-12|0.1|1.0")
each("one_hot", "F", "input:table-index[*] num_classes?:5|4|-1|2")
each("embedding", "F", "input:table-index[*] weight:float[V,D] padding_idx?:0|-1")
each("cosine_similarity", "F", "x1:float[*,N] x2:same[=x1] dim?:-1")

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
