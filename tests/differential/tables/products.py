"""Products of matrices and vectors."""

from tests.differential.calls import each

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
