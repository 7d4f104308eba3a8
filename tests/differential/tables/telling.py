"""What a tensor tells, what it turns into, and new tensors."""

from tests.differential.calls import each

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
