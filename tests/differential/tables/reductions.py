"""Sums and their kin."""

from tests.differential.calls import each

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
