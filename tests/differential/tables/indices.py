"""Reading and writing by index; sorting."""

from tests.differential.calls import each

each("gather", "torch method", "input:any dim:dim index:along")
each("take", "torch method", "input:any index:table-index[*]")
each("index_select", "torch method", "input:any dim:dim index:rows")
each("scatter_add", "torch method", "input:any dim:dim index:along src:same[=index]")
each("masked_select", "torch method", "input:any mask:bool[~input]")
each("sort argsort", "torch method", "input:any dim?:dim descending?:flag")
each("topk", "torch method", "input:any k:1|1|2|3 dim?:dim largest?:flag")
each("nonzero", "torch method", "input:any")
each("scatter", "torch method", "input:any dim:dim index:along src:same[=index]")
each("scatter", "torch method", "input:any dim:dim index:along value:number")
each("take_along_dim", "torch method", "input:any indices:along dim:0")
each("index_add index_copy", "torch method", "input:any[3,M] dim:0 index:table-index[1] source:same[1,M]")
each("index_fill", "torch method", "input:any dim:dim index:rows value:number")
each("index_put", "torch method", "input:any[N,M] indices:(torch.tensor([0]),)|(torch.tensor([0]),torch.tensor([-1])) "
     "values:same[1] accumulate?:flag")
each("masked_scatter", "torch method", "input:any mask:bool[=input] source:same[=input]")
each("argwhere msort", "torch method", "input:any")
each("unique", "torch method", "input:any sorted?:True return_inverse?:flag return_counts?:flag")
each("unique_consecutive", "torch method", "input:any return_inverse?:flag return_counts?:flag")
each("bucketize", "torch", "input:float boundaries:torch.tensor([-0.5,0.0,1.0]) * right?:flag")
each("searchsorted", "torch", "sorted_sequence:torch.tensor([-0.5,0.0,1.0]) input:float * right?:flag")
each("sort", "torch method", "input:any dim?:dim descending?:flag * stable?:True")
