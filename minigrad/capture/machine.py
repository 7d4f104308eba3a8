"""A plan as machine code: one call without arguments a step.

Loops are written as LLVM's text and compiled by llvmlite, which comes with numba; loops of equal text once. Their
arguments are addresses that do not overlap, so that the compiler may take several elements at a time; nothing allows it
to change the order or the rounding of an operation. What NumPy has a C function for, the plan calls that function: `exp`
and its like (the inner loops of NumPy's ufuncs), sums (the same, in NumPy's order), matrix products (the BLAS that NumPy
ships). Each such call is tried on random operands first; one whose bits are not NumPy's, and whatever has no C function,
stays a line of NumPy between two pieces of machine code.
"""

import ctypes
import itertools
import struct

import llvmlite.binding as llvm
import numpy

from minigrad.backend.threads import _umath_linalg
from minigrad.capture.plan import traffic, walk
from minigrad.capture.record import View

QUICK = 1 << 20  # bytes: a step that moves fewer keeps Python's lock, whose release and return take as long

_TYPES = {"?": "i8", "b": "i8", "B": "i8", "i": "i32", "l": "i64", "q": "i64", "f": "float", "d": "double"}
_C = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64, "i32": ctypes.c_int, "float": ctypes.c_float,
      "double": ctypes.c_double}
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
        """x of one dtype as another. A bool is an i8 of 0 or 1."""
        if source == target or {source, target} <= {"l", "q"}:
            return x
        a, b = _TYPES[source], _TYPES[target]
        if target == "?":
            test = self.do(f"{'fcmp une' if source in 'fd' else 'icmp ne'} {a} {x}, {literal(0, source)}")
            return self.do(f"zext i1 {test} to i8")
        if source in "fd":
            if target in "fd":
                return self.do(f"{'fpext' if target == 'd' else 'fptrunc'} {a} {x} to {b}")
            return self.do(f"{'fptoui' if target == 'B' else 'fptosi'} {a} {x} to {b}")
        unsigned = source in "?B"
        if target in "fd":
            return self.do(f"{'uitofp' if unsigned else 'sitofp'} {a} {x} to {b}")
        if a == b:
            return x
        wider = numpy.dtype(target).itemsize > numpy.dtype(source).itemsize
        return self.do(f"{('zext' if unsigned else 'sext') if wider else 'trunc'} {a} {x} to {b}")

    def compare(self, name, char, x, y):
        """An i1."""
        kind = f"fcmp {'u' if name == 'ne' else 'o'}" if char in "fd" else \
            f"icmp {'' if name in ('eq', 'ne') else 'u' if char in '?B' else 's'}"
        return self.do(f"{kind}{name} {_TYPES[char]} {x}, {y}")

    def choose(self, test, char, x, y):
        """x where the i1 holds, else y."""
        return self.do(f"select i1 {test}, {_TYPES[char]} {x}, {_TYPES[char]} {y}")

    def larger(self, char, x, y, test="gt"):
        """NumPy's maximum, or minimum by the test "lt": NaN where one is, the second of equal ones."""
        result = self.choose(self.compare(test, char, x, y), char, x, y)
        return self.choose(self.do(f"fcmp uno {_TYPES[char]} {x}, {x}"), char, x, result) if char in "fd" else result

    def ufunc(self, name, char, *xs):
        """The value of a ufunc of operands of one dtype, or None for those that are not done here."""
        kind, real = _TYPES[char], char in "fd"
        x, y = xs[0], xs[-1]
        if name in ("add", "subtract", "multiply") and char != "?":
            return self.do(f"{'f' * real}{name[:3]} {kind} {x}, {y}")
        if name == "divide" and real:
            return self.do(f"fdiv {kind} {x}, {y}")
        if name in _COMPARE:
            return self.do(f"zext i1 {self.compare(_COMPARE[name], char, x, y)} to i8")
        if name in ("maximum", "minimum"):
            return self.larger(char, x, y, "gt" if name == "maximum" else "lt")
        if name == "clip":
            x = self.choose(self.compare("lt", char, x, xs[1]), char, xs[1], x)
            return self.choose(self.compare("gt", char, x, xs[2]), char, xs[2], x)
        if name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
            return self.do(f"{name[8:]} {kind} {x}, {y}")
        if name in ("logical_and", "logical_or"):
            return self.do(f"{name[8:]} i8 {self.cast(x, char, '?')}, {self.cast(y, char, '?')}")
        if name == "logical_not" or name == "invert" and char == "?":
            return self.do(f"xor i8 {self.cast(x, char, '?')}, 1")
        if name in ("positive", "copy"):
            return x
        if name == "square":
            return self.do(f"{'f' * real}mul {kind} {x}, {x}")
        if not real:
            return self.do(f"sub {kind} 0, {x}") if name == "negative" else None
        if name == "negative":
            return self.do(f"fneg {kind} {x}")
        if name == "reciprocal":
            return self.do(f"fdiv {kind} {literal(1, char)}, {x}")
        if name == "isnan":
            return self.do(f"zext i1 {self.do(f'fcmp uno {kind} {x}, {x}')} to i8")
        if name == "sign":
            zero = literal(0, char)
            rest = self.choose(self.compare("lt", char, x, zero), char, literal(-1, char), x)  # 0, -0 and NaN
            rest = self.choose(self.compare("eq", char, x, zero), char, zero, rest)
            return self.choose(self.compare("gt", char, x, zero), char, literal(1, char), rest)
        intrinsic = {"sqrt": "sqrt", "absolute": "fabs", "rint": "rint", "floor": "floor"}[name]
        return self.do(f"call {kind} @llvm.{intrinsic}.f{32 if char == 'f' else 64}({kind} {x})")


def loop_text(step):
    """(LLVM's text of the function of a loop, but for its name; the accesses that its arguments point to)."""
    cuts = sorted(step.cuts | {step.size})
    lengths = [b // a for a, b in zip(cuts, cuts[1:])]  # the innermost first
    pointers, body, values = {}, Body(), {}

    def address(way):
        """The address of the current element of an access."""
        pointers.setdefault(way, f"%p{len(pointers)}")
        at = pointers[way]
        for level, cut in enumerate(cuts[:-1]):
            stride = stride_at(way[2], cut)
            if stride:
                at = body.do(f"getelementptr i8, ptr {at}, i64 {body.do(f'mul i64 %i{level}, {stride}')}")
        return at

    for call in step.calls:
        ways, operands, types = iter(call.walks), [], call.options.get("types") or ()
        out = call.outs[0].dtype.char
        for i, x in enumerate(call.ins):
            wanted = types[i].char if types else None
            if isinstance(x, View):
                way, char = next(ways), x.dtype.char
                if way not in values:
                    values[way] = body.do(f"load {_TYPES[char]}, ptr {address(way)}, align {x.dtype.itemsize}")
                operands.append(body.cast(values[way], char, wanted or char))
                kind = wanted or char
            else:
                kind = wanted or (x.dtype.char if isinstance(x, numpy.generic) else out)
                operands.append(literal(x, kind))
        if call.name == "where":
            test, kind = body.do(f"icmp ne i8 {operands[0]}, 0"), types[-1].char
            value = body.choose(test, kind, *operands[1:])
        else:
            value = body.ufunc(call.name, kind, *operands)
            kind = types[-1].char if types else kind
        if value is None:
            raise NotImplementedError(call.name)
        values[call.walks[-1]] = body.cast(value, kind, out)
    for way in sorted(step.stores, key=lambda w: [call.walks[-1] for call in step.calls].index(w)):
        body.lines.append(f"  store {_TYPES[way[3].char]} {values[way]}, ptr {address(way)}, align {way[3].itemsize}")
    text, depth = ["entry:"], len(lengths)
    for level in reversed(range(depth)):
        before = "entry" if level == depth - 1 else f"head{level + 1}"
        text += [f"  br label %head{level}", f"head{level}:",
                 f"  %i{level} = phi i64 [ 0, %{before} ], [ %n{level}, %tail{level} ]"]
    text += body.lines
    for level in range(depth):
        text += [f"  br label %tail{level}", f"tail{level}:", f"  %n{level} = add nuw nsw i64 %i{level}, 1",
                 f"  %t{level} = icmp ult i64 %n{level}, {lengths[level]}",
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


# For each of `rows`: one call of the inner loop of a binary ufunc, out = out + in.
_ROWS = """
define void @rows(ptr %f, ptr %data, i64 %rows, i64 %n, ptr %out, i64 %outrow, i64 %outstep, ptr %in, i64 %inrow,
                  i64 %instep) nounwind {
entry:
  %args = alloca [3 x ptr]
  %dims = alloca [1 x i64]
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
_HELPERS = _ROWS + "".join(f"declare {t} @llvm.{name}.f{bits}({t})\n" for name in ("sqrt", "fabs", "rint", "floor")
                           for t, bits in (("float", 32), ("double", 64)))


class Item:
    """A call of a C function: its address, (type, value) of each argument, and where a returned number is stored."""

    def __init__(self, address, *arguments, result=None):
        self.address, self.arguments, self.result = address, arguments, result

    def line(self, number):
        """It, as LLVM's text."""
        inner = ", ".join(f"ptr inttoptr (i64 {value} to ptr)" if kind == "ptr" else
                          f"{kind} {literal(value, kind[0]) if kind in ('float', 'double') else value}"
                          for kind, value in self.arguments)
        target = f"inttoptr (i64 {self.address} to ptr)({inner})"
        if self.result is None:
            return f"  call void {target}\n"
        kind, place = self.result
        return (f"  %r{number} = call {kind} {target}\n"
                f"  store {kind} %r{number}, ptr inttoptr (i64 {place} to ptr)\n")

    def call(self):
        """Do it from Python."""
        kind = None if self.result is None else _C[self.result[0]]
        value = ctypes.CFUNCTYPE(kind, *(_C[k] for k, _ in self.arguments))(self.address)(
            *(v for _, v in self.arguments))
        if kind is not None:
            kind.from_address(self.result[1]).value = value


def inner_loop(ufunc, chars):
    """(address, data) of the C function of a ufunc for the dtypes `chars`, or None. The layout is PyUFuncObject's."""
    at = id(ufunc)
    functions, data = (ctypes.c_void_p * 2).from_address(at + 32)
    for i, types in enumerate(ufunc.types):
        if types.replace("->", "") == chars:
            datum = (ctypes.c_void_p * (i + 1)).from_address(data)[i] if data else None
            return (ctypes.c_void_p * (i + 1)).from_address(functions)[i], datum or 0
    return None


class Blas:
    """The addresses of the BLAS's C functions."""

    def __init__(self):
        library = ctypes.CDLL(_umath_linalg.__file__)
        self.address = {}
        for name in ("gemm", "gemv", "dot"):
            for char, letter in (("f", "s"), ("d", "d")):
                function = getattr(library, f"scipy_cblas_{letter}{name}64_", None)
                if function is not None:
                    self.address[name, char] = ctypes.cast(function, ctypes.c_void_p).value

    def product(self, call, memory):
        """The items of a product, as NumPy's `dot` would choose them, or None."""
        x, y, out = call.ins[0], call.ins[-1], call.outs[0]
        if not all(isinstance(v, View) for v in call.ins) or x.dtype.char not in "fd" or \
                len({x.dtype, y.dtype, out.dtype}) > 1 or ("gemm", x.dtype.char) not in self.address:
            return None
        char, kind, a, b, c = x.dtype.char, _TYPES[x.dtype.char], memory.at(x), memory.at(y), memory.at(out)
        one, zero = (kind, 1.0), (kind, 0.0)
        clear = Item(_MEMSET, ("ptr", c), ("i32", 0), ("i64", out.size * out.dtype.itemsize))
        width, shapes = x.dtype.itemsize, [shape_of(v) for v in (x, y)]
        if shapes[1] == "column" and shapes[0] != "matrix":
            steps = x.strides[-1] if shapes[0] == "row" else x.strides[0], y.strides[0]
            return [Item(self.address["dot", char], ("i64", y.size), ("ptr", a), ("i64", steps[0] // width or 1),
                         ("ptr", b), ("i64", steps[1] // width or 1), result=(kind, c))]
        layouts = [layout(v) for v in (x, y)]
        if None in layouts or 0 in x.shape + y.shape:
            return None
        (flip_x, lead_x), (flip_y, lead_y) = layouts
        if shapes.count("matrix") == 1:
            first = shapes[0] == "matrix"
            matrix, flip, lead, at = (x, flip_x, lead_x, a) if first else (y, flip_y, lead_y, b)
            vector, to = (y, b) if first else (x, a)
            step = vector.strides[-1 if len(vector.shape) == 2 and not first else 0] // width or 1
            return [clear, Item(self.address["gemv", char], ("i32", 102 if flip else 101), ("i32", 111 if first else 112),
                                ("i64", matrix.shape[0]), ("i64", matrix.shape[1]), one, ("ptr", at), ("i64", lead),
                                ("ptr", to), ("i64", step), zero, ("ptr", c), ("i64", 1))]
        if len(x.shape) == len(y.shape) == 2:
            return [clear, Item(self.address["gemm", char], ("i32", 101), ("i32", 112 if flip_x else 111),
                                ("i32", 112 if flip_y else 111), ("i64", x.shape[0]), ("i64", y.shape[1]),
                                ("i64", x.shape[1]), one, ("ptr", a), ("i64", lead_x), ("ptr", b), ("i64", lead_y),
                                zero, ("ptr", c), ("i64", max(1, y.shape[1])))]
        return None


def shape_of(view):
    """How NumPy's `dot` sees an operand: as a matrix, a row, or a column (which any vector is)."""
    return "column" if len(view.shape) < 2 or view.shape[1] == 1 else "row" if view.shape[0] == 1 else "matrix"


def layout(view):
    """(whether a matrix lies transposed, its leading dimension), or None where it has gaps; (False, 1) for a vector."""
    if len(view.shape) != 2:
        return (False, 1)
    (m, n), width = view.shape, view.dtype.itemsize
    if (n == 1 or view.strides[1] == width) and (m == 1 or view.strides[0] == n * width):
        return False, max(1, n)
    if (m == 1 or view.strides[0] == width) and (n == 1 or view.strides[1] == m * width):
        return True, max(1, m)
    return None


_MEMSET = ctypes.cast(ctypes.CDLL(None).memset, ctypes.c_void_p).value
_blas = Blas()


class Machine:
    """Machine code for the steps of a plan. `pieces` are (step or steps, function): each runs part of the plan."""

    def __init__(self, plan):
        self.plan, self.memory, self.keep = plan, plan.memory, []
        self.functions, items = {}, []
        for step in plan.steps:
            items.append(self.loop(step) if step.loop else None)
        self.engine = self.build(_HELPERS + "".join(
            f"define void @{name}{text}\n" for text, name in self.functions.items()))
        self.items = []
        for step, item, lines in zip(plan.steps, items, plan.source.lines):
            if step.loop:
                name, arguments = item
                found = [Item(self.engine[-1].get_function_address(name), *arguments)]
            else:
                found = self.checked(step.calls[0], lines)
            self.items.append(found or plan.source.compile(lines))
        self.parts = self.assembled()
        self.run = self.parts[0] if len(self.parts) == 1 else self.all_parts

    def loop(self, step):
        """(name of the function, arguments) of a loop."""
        text, ways = loop_text(step)
        name = self.functions.setdefault(text, f"loop{len(self.functions)}")
        return name, [("ptr", self.memory.address[way[0]] + way[1]) for way in ways]

    def build(self, text):
        """Compile LLVM's text; what keeps the code alive, the engine last."""
        module = llvm.parse_assembly(text)
        machine = target_machine()
        passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
        passes.getModulePassManager().run(module, passes)
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        self.keep.append((machine, module, passes, engine))
        return machine, module, engine

    def checked(self, call, lines):
        """The items of a call by C functions whose bits, on random operands, are NumPy's; else None."""
        items = self.by_c(call)
        if items is None or any(self.memory.buffers[v.buffer].kind in ("live", "carried") for v in call.outs):
            return items
        rng, arrays = numpy.random.default_rng(0), [self.memory.array(v) for v in call.views()]
        for view, array in zip(call.views(), arrays):
            if self.memory.buffers[view.buffer].kind == "memory":
                array[...] = rng.uniform(0.1, 0.9, array.shape)
        given = [array.copy() for array in arrays]
        out, found = self.memory.array(call.outs[0]), []
        for run in (lambda: [item.call() for item in items], self.plan.source.compile(lines)):
            for view, array, value in zip(call.views(), arrays, given):
                if self.memory.buffers[view.buffer].kind == "memory":
                    array[...] = value
            run()
            found.append(out.tobytes())
        return items if found[0] == found[1] else None

    def by_c(self, call):
        """The items of a call, or None where it has none."""
        if call.kind == "product":
            return _blas.product(call, self.memory)
        if call.kind == "reduce" and call.name == "add":
            return self.sum(call)
        if call.kind == "each":
            return self.inner(call)
        return None

    def inner(self, call):
        """A call by the inner loop of NumPy's ufunc, where one call of it goes over all elements."""
        ufunc, types, out = getattr(numpy, call.name, None), call.options.get("types"), call.outs[0]
        views = [*call.ins, out]
        if not isinstance(ufunc, numpy.ufunc) or any(
                not isinstance(v, View) or v.dtype != t for v, t in zip(views, types)):
            return None
        order = sorted(range(len(out.shape)), key=lambda axis: -abs(out.strides[axis]))
        ways = [walk(v, out.shape, order)[2] for v in views]
        found = inner_loop(ufunc, "".join(t.char for t in types))
        if found is None or any(len(way) > 1 for way in ways):
            return None
        arguments = (ctypes.c_void_p * len(views))(*map(self.memory.at, views))
        size, steps = (ctypes.c_int64 * 1)(out.size), (ctypes.c_int64 * len(views))(*(way[0][1] for way in ways))
        self.keep.append((arguments, size, steps))
        return [Item(found[0], *(("ptr", ctypes.addressof(x)) for x in (arguments, size, steps)), ("ptr", found[1]))]

    def sum(self, call):
        """A sum along the last axis in memory, by NumPy's pairs, or along the first, row after row."""
        x, out = call.ins[0], call.outs[0]
        found = inner_loop(numpy.add, x.dtype.char * 3)
        if found is None or x.dtype != out.dtype or not x.size:
            return None
        axes, steps = call.options["axis"], []
        for axis in sorted(range(len(x.shape)), key=lambda a: -abs(x.strides[a])):
            length, stride, gone = x.shape[axis], x.strides[axis], axis in axes
            if length == 1:
                continue
            if steps and steps[-1][2] == gone and steps[-1][1] == length * stride:
                steps[-1] = steps[-1][0] * length, stride, gone
            else:
                steps.append((length, stride, gone))
        width = out.dtype.itemsize
        steps = steps or [(1, 0, True)]
        if len(steps) == 1 and steps[0][2]:
            rows, n, strides = 1, steps[0][0], (0, 0, 0, steps[0][1])
        elif [gone for *_, gone in steps] == [False, True]:
            rows, n, strides = steps[0][0], steps[1][0], (width, 0, steps[0][1], steps[1][1])
        elif [gone for *_, gone in steps] == [True, False]:
            rows, n, strides = steps[0][0], steps[1][0], (0, width, steps[0][1], steps[1][1])
        else:
            return None
        clear = Item(_MEMSET, ("ptr", self.memory.at(out)), ("i32", 0), ("i64", out.size * width))
        return [clear, Item(self.engine[-1].get_function_address("rows"), ("ptr", found[0]), ("ptr", found[1]),
                            ("i64", rows), ("i64", n), ("ptr", self.memory.at(out)), ("i64", strides[0]),
                            ("i64", strides[1]), ("ptr", self.memory.at(x)), ("i64", strides[2]),
                            ("i64", strides[3]))]

    def assembled(self):
        """The plan's parts: functions of machine code, and lines of NumPy between them."""
        groups = [(python, list(group)) for python, group in itertools.groupby(self.items, callable)]
        text = ""
        for i, (python, group) in enumerate(groups):
            if not python:
                lines = [item.line(f"{j}_{k}") for j, found in enumerate(group) for k, item in enumerate(found)]
                text += f"define void @part{i}() nounwind {{\n{''.join(lines)}  ret void\n}}\n"
        *_, engine = self.build(text)
        quick = sum(map(traffic, self.plan.steps)) < QUICK
        kind = (ctypes.PYFUNCTYPE if quick else ctypes.CFUNCTYPE)(None)
        parts = []
        for i, (python, group) in enumerate(groups):
            parts += group if python else [kind(engine.get_function_address(f"part{i}"))]
        return parts

    def all_parts(self):
        """Run everything."""
        with numpy.errstate(all="ignore"):
            for part in self.parts:
                part()


def target_machine():
    """The compiler for this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2)
