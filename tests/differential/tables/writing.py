"""In place."""

from tests.differential.calls import each

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
