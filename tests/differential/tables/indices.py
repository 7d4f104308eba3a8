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
