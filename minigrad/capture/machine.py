"""A plan as machine code: one call without arguments a step.

Loops are written as LLVM's text and compiled by llvmlite, which comes with numba; loops of equal text once. Their
arguments are addresses that do not overlap, so that the compiler may take several elements at a time; nothing allows it
to change the order or the rounding of an operation. Where NumPy has a C function, the plan calls that function: `exp`
and its like (the inner loops of NumPy's ufuncs), sums (the same, in NumPy's order), matrix products (the BLAS that
NumPy ships). Each such call is tried on random operands first; one whose bits are not NumPy's, and whatever has no C
function, stays a line of NumPy between two pieces of machine code.
"""

import ctypes
import itertools
import struct

import llvmlite.binding as llvm
import numpy
from numpy.linalg import _umath_linalg

from minigrad.capture.plan import traffic, walk
from minigrad.capture.record import View
from minigrad.capture.source import in_order, one_thread, opaque

QUICK = 1 << 20  # bytes: a step that moves fewer keeps Python's lock, whose release and return take as long

_TYPES = {"?": "i8", "i": "i32", "l": "i64", "q": "i64", "f": "float", "d": "double"}
_C = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64, "i32": ctypes.c_int, "float": ctypes.c_float,
      "double": ctypes.c_double}

# The instruction of each ufunc that is one, for floats, for integers, and for bools, which are bytes of 0 or 1.
_REAL = {"add": "fadd {t} {0}, {1}", "subtract": "fsub {t} {0}, {1}", "multiply": "fmul {t} {0}, {1}",
         "divide": "fdiv {t} {0}, {1}", "negative": "fneg {t} {0}", "reciprocal": "fdiv {t} 1.0, {0}",
         "square": "fmul {t} {0}, {0}", "sqrt": "call {t} @llvm.sqrt.{f}({t} {0})", "isnan": "fcmp uno {t} {0}, {0}",
         "absolute": "call {t} @llvm.fabs.{f}({t} {0})", "rint": "call {t} @llvm.rint.{f}({t} {0})",
         "floor": "call {t} @llvm.floor.{f}({t} {0})"}
_WHOLE = {"add": "add {t} {0}, {1}", "subtract": "sub {t} {0}, {1}", "multiply": "mul {t} {0}, {1}",
          "negative": "sub {t} 0, {0}", "square": "mul {t} {0}, {0}", "invert": "xor {t} {0}, -1",
          "bitwise_and": "and {t} {0}, {1}", "bitwise_or": "or {t} {0}, {1}", "bitwise_xor": "xor {t} {0}, {1}"}
_TRUTH = {**_WHOLE, "add": "or i8 {0}, {1}", "multiply": "and i8 {0}, {1}", "logical_and": "and i8 {0}, {1}",
          "logical_or": "or i8 {0}, {1}", "logical_not": "xor i8 {0}, 1", "invert": "xor i8 {0}, 1"}
_COMPARE = {"greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "equal": "eq", "not_equal": "ne"}


def literal(value, char):
    """A number as LLVM writes it."""
    if char in "fd":
        number = float(numpy.float32(value) if char == "f" else value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    return str(int(bool(value) if char == "?" else value))


class Body:
    """The instructions for one element of a loop."""

    def __init__(self):
        self.lines, self.count = [], itertools.count()

    def do(self, text):
        """An instruction; the name of its value."""
        name = f"%v{next(self.count)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def cast(self, x, source, target):
        """x of one dtype as another."""
        a, b = _TYPES[source], _TYPES[target]
        if source == target or a == b:
            return x
        if target == "?":
            return self.truth(self.compare("ne", source, x, literal(0, source)))
        if source in "fd":
            way = ("fptosi", "fpext", "fptrunc")[(target in "fd") + (target == "f")]
        else:
            signs = "u" if source == "?" else "s"
            wider = numpy.dtype(target).itemsize > numpy.dtype(source).itemsize
            way = f"{signs}itofp" if target in "fd" else f"{signs.replace('u', 'z')}ext" if wider else "trunc"
        return self.do(f"{way} {a} {x} to {b}")

    def truth(self, test):
        """An i1 as a bool."""
        return self.do(f"zext i1 {test} to i8")

    def compare(self, name, char, x, y):
        """An i1."""
        kind = ("fcmp u" if name == "ne" else "fcmp o") if char in "fd" else \
            "icmp " if name in ("eq", "ne") else "icmp u" if char == "?" else "icmp s"
        return self.do(f"{kind}{name} {_TYPES[char]} {x}, {y}")

    def choose(self, name, char, x, y, yes, no):
        """`yes` where x compares so with y, else `no`."""
        return self.do(f"select i1 {self.compare(name, char, x, y)}, {_TYPES[char]} {yes}, {_TYPES[char]} {no}")

    def ufunc(self, name, char, *xs):
        """The value of a ufunc of operands of one dtype, as NumPy has it for NaN and zeros of either sign."""
        x, y = xs[0], xs[-1]
        if name in _COMPARE:
            return self.truth(self.compare(_COMPARE[name], char, x, y))
        if name in ("maximum", "minimum"):
            best = self.choose("gt" if name == "maximum" else "lt", char, x, y, x, y)
            nan = self.do(f"fcmp uno {_TYPES[char]} {x}, {x}") if char in "fd" else "false"
            return self.do(f"select i1 {nan}, {_TYPES[char]} {x}, {_TYPES[char]} {best}")
        if name == "clip":
            x = self.choose("lt", char, x, xs[1], xs[1], x)
            return self.choose("gt", char, x, xs[2], xs[2], x)
        if name == "sign":
            zero = literal(0, char)
            rest = self.choose("lt", char, x, zero, literal(-1, char), x)
            return self.choose("gt", char, x, zero, literal(1, char), self.choose("eq", char, x, zero, zero, rest))
        if name in ("positive", "copy"):
            return x
        if name.startswith("logical"):
            xs, char = [self.cast(v, char, "?") for v in xs], "?"
        table = _REAL if char in "fd" else _TRUTH if char == "?" else _WHOLE
        value = self.do(table[name].format(*xs, t=_TYPES[char], f="f32" if char == "f" else "f64"))
        return self.truth(value) if name == "isnan" else value


def loop_text(step):
    """(LLVM's text of a loop's function, but for its name; the walks that its arguments point to)."""
    cuts = sorted(step.cuts | {step.size})
    lengths, pointers, body, values = [b // a for a, b in zip(cuts, cuts[1:])], {}, Body(), {}  # the innermost first

    def address(way):
        """The address of the current element."""
        at = pointers.setdefault(way, f"%p{len(pointers)}")
        for level, cut in enumerate(cuts[:-1]):
            stride = stride_at(way[2], cut)
            if stride:
                at = body.do(f"getelementptr i8, ptr {at}, i64 {body.do(f'mul i64 %i{level}, {stride}')}")
        return at

    for call in step.calls:
        ways, operands, types = iter(call.walks), [], [t.char for t in call.options.get("types", ())]
        out = call.outs[0].dtype.char
        for i, x in enumerate(call.ins):
            if isinstance(x, View):
                way, char = next(ways), x.dtype.char
                if way not in values:
                    values[way] = body.do(f"load {_TYPES[char]}, ptr {address(way)}, align {x.dtype.itemsize}")
                operands.append(body.cast(values[way], char, types[i] if types else char))
            else:
                char = x.dtype.char if isinstance(x, numpy.generic) else out
                operands.append(literal(x, types[i] if types else char))
        if call.name == "where":
            test = body.do(f"icmp ne i8 {operands[0]}, 0")
            value, kind = body.do(f"select i1 {test}, " + ", ".join(f"{_TYPES[out]} {v}" for v in operands[1:])), out
        else:
            value, kind = body.ufunc(call.name, types[0] if types else char, *operands), types[-1] if types else char
        values[call.walks[-1]] = body.cast(value, kind, out)
    for way in dict.fromkeys(call.walks[-1] for call in step.calls):
        if way in step.stores:
            kind = _TYPES[way[3].char]
            body.lines.append(f"  store {kind} {values[way]}, ptr {address(way)}, align {way[3].itemsize}")
    text = ["entry:"]
    for level in reversed(range(len(lengths))):
        before = "entry" if level == len(lengths) - 1 else f"head{level + 1}"
        text += [f"  br label %head{level}", f"head{level}:",
                 f"  %i{level} = phi i64 [ 0, %{before} ], [ %n{level}, %tail{level} ]"]
    text += body.lines
    for level, length in enumerate(lengths):
        text += [f"  br label %tail{level}", f"tail{level}:", f"  %n{level} = add nuw nsw i64 %i{level}, 1",
                 f"  %t{level} = icmp ult i64 %n{level}, {length}",
                 f"  br i1 %t{level}, label %head{level}, label %after{level}", f"after{level}:"]
    arguments = ", ".join(f"ptr noalias {name}" for name in pointers.values())
    return f"({arguments}) nounwind {{\n" + "\n".join([*text, "  ret void", "}"]), list(pointers)


def stride_at(steps, cut):
    """By how many bytes a walk moves after `cut` elements."""
    inner = 1
    for length, stride in reversed(steps):
        if cut < inner * length:
            return stride * (cut // inner)
        inner *= length
    return 0


# `rows` times one call of the inner loop f of a binary ufunc: out = out + in, over n elements.
_ROWS = """
define void @rows(ptr %f, ptr %data, i64 %rows, i64 %n, ptr %out, i64 %outrow, i64 %outstep, ptr %in, i64 %inrow,
                  i64 %instep) nounwind {
entry:
  %args = alloca [3 x ptr]
  %dims = alloca i64
  %steps = alloca [3 x i64]
  %args1 = getelementptr ptr, ptr %args, i64 1
  %args2 = getelementptr ptr, ptr %args, i64 2
  %steps1 = getelementptr i64, ptr %steps, i64 1
  %steps2 = getelementptr i64, ptr %steps, i64 2
  store i64 %n, ptr %dims
  store i64 %outstep, ptr %steps
  store i64 %instep, ptr %steps1
  store i64 %outstep, ptr %steps2
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %head ]
  %a = mul i64 %i, %outrow
  %b = mul i64 %i, %inrow
  %o = getelementptr i8, ptr %out, i64 %a
  %x = getelementptr i8, ptr %in, i64 %b
  store ptr %o, ptr %args
  store ptr %x, ptr %args1
  store ptr %o, ptr %args2
  call void %f(ptr %args, ptr %dims, ptr %steps, ptr %data)
  %next = add nuw nsw i64 %i, 1
  %more = icmp ult i64 %next, %rows
  br i1 %more, label %head, label %end
end:
  ret void
}
"""


class Item:
    """A call of a C function: its address, (type, value) of each argument, and where a returned number is stored."""

    def __init__(self, address, *arguments, result=None):
        self.address, self.arguments, self.result = address, arguments, result

    def line(self, number):
        """It, as LLVM's text."""
        inner = ", ".join(f"ptr inttoptr (i64 {value} to ptr)" if kind == "ptr" else
                          f"{kind} {literal(value, kind[0]) if kind in ('float', 'double') else value}"
                          for kind, value in self.arguments)
        call = f"call {{}} inttoptr (i64 {self.address} to ptr)({inner})\n"
        if self.result is None:
            return "  " + call.format("void")
        kind, place = self.result
        return (f"  %r{number} = {call.format(kind)}"
                f"  store {kind} %r{number}, ptr inttoptr (i64 {place} to ptr)\n")

    def call(self):
        """Do it from Python."""
        kinds, values = zip(*self.arguments)
        kind = None if self.result is None else _C[self.result[0]]
        value = ctypes.CFUNCTYPE(kind, *map(_C.get, kinds))(self.address)(*values)
        if kind is not None:
            kind.from_address(self.result[1]).value = value


def address_of(library, name):
    """The address of a C function, or None."""
    function = getattr(library, name, None)
    return function and ctypes.cast(function, ctypes.c_void_p).value


_LIBC, _NUMPY = ctypes.CDLL(None), ctypes.CDLL(_umath_linalg.__file__)  # the latter knows the BLAS, too
_MEMSET = address_of(_LIBC, "memset")
_BLAS = {(name, char): address_of(_NUMPY, f"scipy_cblas_{letter}{name}64_")
         for name in ("gemm", "gemv", "dot") for char, letter in (("f", "s"), ("d", "d"))}


# Whether ufuncs lie in memory as PyUFuncObject of NumPy 2 does; if not, they are called from Python.
_KNOWN = ((ctypes.c_int * 3).from_address(id(numpy.exp) + 16)[:] == [1, 1, 2]
          and ctypes.c_int.from_address(id(numpy.exp) + 48).value == numpy.exp.ntypes)


def inner_loop(ufunc, chars):
    """(address, data) of the C function of a ufunc for the dtypes `chars`, or None."""
    if not _KNOWN:
        return None
    functions, data = (ctypes.c_void_p * 2).from_address(id(ufunc) + 32)
    for i, types in enumerate(ufunc.types):
        if types.replace("->", "") == chars:
            of = lambda table: (ctypes.c_void_p * (i + 1)).from_address(table)[i]  # noqa: B023
            return of(functions), (of(data) or 0) if data else 0
    return None


def clear(memory, out):
    """Zeros in a result."""
    return Item(_MEMSET, ("ptr", memory.at(out)), ("i32", 0), ("i64", out.size * out.dtype.itemsize))


def shape_of(view):
    """How NumPy's `dot` sees an operand: as a matrix, a row, or a column (which any vector is)."""
    return "column" if len(view.shape) < 2 or view.shape[1] == 1 else "row" if view.shape[0] == 1 else "matrix"


def layout(view):
    """(whether a matrix lies transposed, its leading dimension), or None where it has gaps; (False, 1) for a vector."""
    if len(view.shape) != 2:
        return False, 1
    (m, n), width = view.shape, view.dtype.itemsize
    if (n == 1 or view.strides[1] == width) and (m == 1 or view.strides[0] == n * width):
        return False, max(1, n)
    if (m == 1 or view.strides[0] == width) and (n == 1 or view.strides[1] == m * width):
        return True, max(1, m)
    return None


def product(call, memory):
    """A product by the function of the BLAS that NumPy's `dot` chooses, or None."""
    x, y, out = call.ins[0], call.ins[-1], call.outs[0]
    layouts = [layout(v) for v in call.views]
    if len(call.views) < 2 or None in layouts or len({v.dtype for v in (x, y, out)}) > 1 or max(
            len(x.shape), len(y.shape)) > 2 or not _BLAS.get(("gemm", x.dtype.char)) or not x.size * y.size:
        return None
    char, kind, width, shapes = x.dtype.char, _TYPES[x.dtype.char], x.dtype.itemsize, (shape_of(x), shape_of(y))
    if shapes[1] == "column" and shapes[0] != "matrix":
        steps = x.strides[-1] if shapes[0] == "row" else x.strides[0], y.strides[0]
        return [Item(_BLAS["dot", char], ("i64", y.size), ("ptr", memory.at(x)), ("i64", steps[0] // width or 1),
                     ("ptr", memory.at(y)), ("i64", steps[1] // width or 1), result=(kind, memory.at(out)))]
    if shapes.count("matrix") == 1:
        first = shapes[0] == "matrix"
        matrix, vector, (flip, lead) = (x, y, layouts[0]) if first else (y, x, layouts[1])
        step = vector.strides[-1 if len(vector.shape) == 2 and not first else 0] // width or 1
        return [clear(memory, out), Item(
            _BLAS["gemv", char], ("i32", 102 if flip else 101), ("i32", 111 if first else 112),
            ("i64", matrix.shape[0]), ("i64", matrix.shape[1]), (kind, 1.0), ("ptr", memory.at(matrix)), ("i64", lead),
            ("ptr", memory.at(vector)), ("i64", step), (kind, 0.0), ("ptr", memory.at(out)), ("i64", 1))]
    if len(x.shape) != 2 or len(y.shape) != 2:
        return None
    flips, leads = zip(*layouts)
    return [clear(memory, out), Item(
        _BLAS["gemm", char], ("i32", 101), *(("i32", 112 if flip else 111) for flip in flips), ("i64", x.shape[0]),
        ("i64", y.shape[1]), ("i64", x.shape[1]), (kind, 1.0), ("ptr", memory.at(x)), ("i64", leads[0]),
        ("ptr", memory.at(y)), ("i64", leads[1]), (kind, 0.0), ("ptr", memory.at(out)), ("i64", y.shape[1]))]


class Machine:
    """Machine code for the steps of a plan: `run()` does them all.

    `items` has for each step the C functions to call, or the lines of NumPy as a Python function.
    """

    def __init__(self, plan):
        self.plan, self.memory, self.keep, names = plan, plan.memory, [], {}
        loops = [loop_text(step) if step.loop else None for step in plan.steps]
        for loop in filter(None, loops):
            names.setdefault(loop[0], f"loop{len(names)}")
        self.engine = self.build(_ROWS + "".join(f"define void @{name}{text}\n" for text, name in names.items()))
        self.items = []
        for step, loop, lines in zip(plan.steps, loops, plan.source.lines):
            if step.loop:
                arguments = [("ptr", self.memory.address[buffer] + offset) for buffer, offset, *_ in loop[1]]
                items = [Item(self.engine.get_function_address(names[loop[0]]), *arguments)]
            else:
                items = self.checked(step.calls[0], lines) or plan.source.compile(lines)
            self.items.append(items)
        parts = self.parts()
        if len(parts) == 1 and not any(map(one_thread, plan.steps)):
            self.run = parts[0][0]  # nothing around it
        else:
            groups = itertools.groupby(parts, lambda part: opaque(part[1][0]))
            self.run = in_order([([run for run, _ in group], [step for _, steps in group for step in steps])
                                 for group in (list(group) for _, group in groups)])

    def build(self, text):
        """Compile LLVM's text."""
        llvm.initialize_native_target(), llvm.initialize_native_asmprinter()
        module = llvm.parse_assembly(text)
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2)
        passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
        passes.getModulePassManager().run(module, passes)
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        self.keep.append((machine, passes, engine))
        return engine

    def checked(self, call, lines):
        """The items of a call by C functions, if their bits on random operands are NumPy's; else None."""
        by_c = {"product": lambda call: product(call, self.memory), "reduce": self.sum, "each": self.inner}
        items, memory = by_c[call.kind](call) if call.kind in by_c else None, self.memory
        if items is None or any(memory.buffers[v.buffer].kind == "live" for v in call.outs):
            return items
        rng, found = numpy.random.default_rng(0), []
        own = [memory.array(v) for v in call.views if memory.buffers[v.buffer].kind == "memory"]
        values = [rng.uniform(0.1, 0.9, array.shape) for array in own]
        for run in (lambda: [item.call() for item in items], self.plan.source.compile(lines)):
            for array, value in zip(own, values):
                array[...] = value
            run()
            found.append(memory.array(call.outs[0]).tobytes())
        return items if found[0] == found[1] else None

    def inner(self, call):
        """A call by the inner loop of NumPy's ufunc, where one call of it goes over all elements."""
        ufunc, types, out = getattr(numpy, call.name, None), call.options.get("types"), call.outs[0]
        views = [*call.ins, out]
        if not isinstance(ufunc, numpy.ufunc) or not all(isinstance(v, View) and v.dtype == t
                                                         for v, t in zip(views, types)):
            return None
        order = sorted(range(len(out.shape)), key=lambda axis: -abs(out.strides[axis]))
        ways, found = [walk(v, out.shape, order)[2] for v in views], inner_loop(ufunc, "".join(t.char for t in types))
        if found is None or any(len(way) > 1 for way in ways):
            return None
        tables = ((ctypes.c_void_p * len(views))(*map(self.memory.at, views)), (ctypes.c_int64 * 1)(out.size),
                  (ctypes.c_int64 * len(views))(*(way[0][1] for way in ways)))
        self.keep.append(tables)
        return [Item(found[0], *(("ptr", ctypes.addressof(table)) for table in tables), ("ptr", found[1]))]

    def sum(self, call):
        """A sum along the last axis in memory, by NumPy's pairs, or along the first, row after row."""
        x, out, steps = call.ins[0], call.outs[0], []
        found = inner_loop(numpy.add, x.dtype.char * 3)
        if call.name != "add" or found is None or x.dtype != out.dtype or not x.size:
            return None
        for axis in sorted(range(len(x.shape)), key=lambda a: -abs(x.strides[a])):
            length, stride, gone = x.shape[axis], x.strides[axis], axis in call.options["axis"]
            if length > 1 and steps and steps[-1][2] == gone and steps[-1][1] == length * stride:
                steps[-1] = steps[-1][0] * length, stride, gone
            elif length > 1:
                steps.append((length, stride, gone))
        steps, width = steps or [(1, 0, True)], out.dtype.itemsize
        (rows, row, _), (n, step, last) = ((1, 0, False), *steps)[-2:]
        if len(steps) > 2 or len(steps) == 2 and steps[0][2] == last or len(steps) == 1 and not last:
            return None
        return [clear(self.memory, out), Item(
            self.engine.get_function_address("rows"), ("ptr", found[0]), ("ptr", found[1]), ("i64", rows), ("i64", n),
            ("ptr", self.memory.at(out)), ("i64", width * last), ("i64", width * (not last)),
            ("ptr", self.memory.at(x)), ("i64", row), ("i64", step))]

    def parts(self, each=False):
        """[(function, its steps)] in order: machine code, or a step's lines of NumPy; one each step if `each`."""
        groups = []
        for step, items in zip(self.plan.steps, self.items):
            python = callable(items)
            if python or each or not groups or groups[-1][0]:
                groups.append((python, [], []))
            groups[-1][1].append(items), groups[-1][2].append(step)
        text = "".join(f"define void @part{k}() nounwind {{\n" + "".join(
            item.line(f"{i}_{j}") for i, items in enumerate(group) for j, item in enumerate(items)) + "  ret void\n}\n"
            for k, (python, group, _) in enumerate(groups) if not python)
        engine, quick = self.build(text), sum(map(traffic, self.plan.steps)) < QUICK
        kind = (ctypes.PYFUNCTYPE if quick else ctypes.CFUNCTYPE)(None)
        return [(group[0] if python else kind(engine.get_function_address(f"part{k}")), steps)
                for k, (python, group, steps) in enumerate(groups)]
