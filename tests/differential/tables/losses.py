"""Losses."""

from tests.differential.calls import each

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
each("cosine_embedding_loss", "F", "input1:float[N,D] input2:same[=input1] target:signs[N] margin?:0.0|0.5 "
     "reduction?:'mean'|'sum'|'none'")
each("margin_ranking_loss", "F", "input1:float[N] input2:same[=input1] target:signs[N] margin?:0.0|0.5|1 "
     "reduction?:'mean'|'sum'|'none'")
each("hinge_embedding_loss", "F", "input:float target:signs[=input] margin?:1.0|0.5|2 reduction?:'mean'|'sum'|'none'")
each("soft_margin_loss", "F", "input:float target:signs[=input] reduction?:'mean'|'sum'|'none'")
each("triplet_margin_loss", "F", "anchor:float[N,D] positive:same[=anchor] negative:same[=anchor] margin?:1.0|0.5 "
     "p?:2|1.0|3 eps?:1e-6|0.1 swap?:flag reduction?:'mean'|'sum'|'none'")
