"""The graph of an ONNX file, as it is put together: names, constants, nodes. Which nodes an op becomes is in rules.py.
"""

import numpy
from onnx import checker, helper, numpy_helper, shape_inference

from minigrad import nn, version
from minigrad.backend import backend_of
from minigrad.onnx import rules
from minigrad.onnx.trace import UNEVEN, Batch, Counting, Repeated, State, Unexpressible, Unit, Value, refusal

OPSET = 18
LARGEST = 2**31 - 2**20  # bytes of all parameters: what protobuf takes, less some for the rest
INT64 = numpy.dtype("int64")
BATCH = "batch"  # what axis 0 of the inputs is called


class Writer:
    """A graph to which the rules add nodes, step by step. Names begin with the module that a node belongs to."""

    def __init__(self, state, inputs):
        self.state = state  # {name: array}
        self.nodes, self.initializers, self.names = [], {}, {Value(i): name for i, name in enumerate(inputs)}
        self.taken, self.place, self.counts, self.lengths = {*state, *inputs}, "", None, inputs[0]

    def unique(self, name):
        """The name within the module that is written, with a number where it is taken."""
        name = f"{self.place}.{name}" if self.place else name
        found, n = name, 0
        while found in self.taken:
            n += 1
            found = f"{name}_{n}"
        self.taken.add(found)
        return found

    def node(self, kind, *inputs, **attributes):
        """Add a node; the name of what it makes. Inputs are names, or None where one is left out."""
        name = self.unique(kind)
        self.nodes.append(helper.make_node(kind, [x or "" for x in inputs], [name], name, **attributes))
        return name

    def constant(self, value, dtype=None, what="constant"):
        """The name of a constant, an array or a number."""
        array = numpy.asarray(value, dtype)
        name = self.unique(what)
        self.initializers[name] = numpy_helper.from_array(numpy.ascontiguousarray(array).reshape(array.shape), name)
        return name

    def name(self, reference, dtype=None, was=None):
        """The name of what goes into a step, in `dtype` if that is another than it `was`."""
        if isinstance(reference, Repeated):
            found, was = self.node("Expand", self.constant(reference.array), self.sizes(reference.shape)), (
                reference.array.dtype)
        elif isinstance(reference, Unit):
            zeros, was = self.constant(numpy.zeros((1, 1), reference.dtype)), reference.dtype
            found = self.node("EyeLike", self.node("Expand", zeros, self.sizes(reference.shape)))
        elif isinstance(reference, (Batch, Counting)):
            length = next(n for n in reference.shape if n != 1) if isinstance(reference, Counting) else reference
            found, was = self.node("Squeeze", self.sizes([length])), INT64
            if isinstance(reference, Counting):
                found = self.node("Range", self.constant(0, INT64), found, self.constant(1, INT64))
                found = self.node("Reshape", found, self.sizes(reference.shape))
        elif isinstance(reference, State):
            found = reference.name
            if found not in self.initializers:
                array = backend_of(self.state[found]).to_host(self.state[found])
                self.initializers[found] = numpy_helper.from_array(numpy.ascontiguousarray(array).reshape(array.shape),
                                                                   found)
        elif isinstance(reference, Value):
            found = self.names[reference]
        else:
            return self.constant(reference, dtype)
        return found if dtype is None or was is None or was == dtype else self.cast(found, dtype)

    def input(self, step, i, dtype=None):
        """The name of a step's input, in a dtype."""
        return self.name(step.inputs[i], dtype, step.dtypes[i])

    def inputs(self, step):
        """The names of all inputs of a step, in the dtype of what it makes."""
        return [self.input(step, i, step.dtype) for i in range(len(step.inputs))]

    def cast(self, name, dtype):
        """The value in another dtype."""
        return self.node("Cast", name, to=helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)))

    def axes(self, axes):
        """The name of a list of axes."""
        return self.constant(list(axes), INT64, "axes")

    def sizes(self, shape):
        """The name of a list of sizes, some of which may be a Batch: they are then found when the graph runs."""
        if not any(isinstance(n, Batch) for n in shape):
            return self.constant([int(n) for n in shape], INT64, "sizes")
        if self.counts is None:
            self.counts = self.node("Shape", self.lengths, start=0, end=1)
        parts = []
        for n in shape:
            if isinstance(n, Batch):
                part = self.counts
                part = part if n.times == 1 else self.node("Mul", part, self.constant([n.times], INT64))
                part = part if n.more == 0 else self.node("Add", part, self.constant([n.more], INT64))
            else:
                part = self.constant([n], INT64, "size")
            parts.append(part)
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)

    def step(self, step):
        """Add the nodes of a step."""
        self.place = step.place
        rule = rules.RULES.get(step.kind)
        try:
            if rule is None:
                raise Unexpressible(f"ONNX (opset {OPSET}) has no counterpart of it here; write it with other "
                                    "functions, or export the part of the network before it")
            made = rule(self, step)
        except Unexpressible as error:
            raise refusal(step.name, step.place, step.line, error) from None
        self.names[Value(step.number)] = made

    def output(self, reference, dtype, name):
        """Let the graph give something out under a name."""
        self.place = ""
        found = self.name(reference, dtype)
        self.nodes.append(helper.make_node("Identity", [found], [name], name))


def write(model, examples, steps, outputs, input_names, output_names):
    """The bytes of an ONNX file that holds the steps."""
    state = {name: tensor.array for name, tensor in nn.Module.state_dict(model).items()}
    taken = [name for name in (*input_names, *output_names) if name in state]
    if taken:
        raise Unexpressible(f"{taken[0]!r} is the name of an input or output and of a parameter; give input_names or "
                            "output_names")
    if (total := sum(array.nbytes for array in state.values())) >= LARGEST:
        raise Unexpressible(f"the parameters take {total:,} bytes; an ONNX file holds {LARGEST:,}")
    writer = Writer(state, input_names)
    writer.taken |= set(output_names)
    for step in steps:
        writer.step(step)
    for (reference, _, dtype), name in zip(outputs, output_names):
        writer.output(reference, dtype, name)
    typed = [helper.make_tensor_value_info(name, kind(x.dtype), [BATCH, *x.shape[1:]])
             for name, x in zip(input_names, examples)]
    made = [helper.make_tensor_value_info(name, kind(dtype), [label(n, f"{name}_{i}") for i, n in enumerate(shape)])
            for name, (_, shape, dtype) in zip(output_names, outputs)]
    graph = helper.make_graph(without_detours(writer.nodes, output_names), type(model).__name__, typed, made,
                              [writer.initializers[name] for name in sorted(writer.initializers, key=natural(state))])
    opset = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(graph, opset_imports=opset, ir_version=helper.find_min_ir_version_for(opset),
                              producer_name="minigrad", producer_version=version.__version__)
    try:
        checker.check_model(proto, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise Unexpressible(f"onnx refuses what was written: {' '.join(str(error).split())[:300]}") from None
    return proto.SerializeToString()


def kind(dtype):
    """ONNX's number of a dtype."""
    try:
        return helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype))
    except (KeyError, ValueError):
        raise Unexpressible(f"ONNX has no {dtype}") from None


def label(n, otherwise):
    """A size of an output as ONNX notes it: a number, or words."""
    if n is UNEVEN:
        return otherwise
    if not isinstance(n, Batch):
        return n
    return (BATCH if n.times == 1 else f"{n.times}*{BATCH}") + (f"{n.more:+d}" if n.more else "")


def natural(state):
    """The key that puts initialisers in the order of the state dict, the constants behind."""
    place = {name: i for i, name in enumerate(state)}
    return lambda name: (place.get(name, len(place)), name)


def without_detours(nodes, outputs):
    """The nodes, the one that made an output giving it its name instead of an Identity that did so."""
    users, makers = {}, {node.output[0]: node for node in nodes}
    for node in nodes:
        for name in node.input:
            users[name] = users.get(name, 0) + 1
    kept = []
    for node in nodes:
        maker = makers.get(node.input[0]) if node.op_type == "Identity" else None
        if node.output[0] in outputs and maker is not None and users[node.input[0]] == 1:
            maker.output[0] = node.output[0]
        else:
            kept.append(node)
    return kept
