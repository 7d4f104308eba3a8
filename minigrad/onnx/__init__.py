"""Networks as ONNX files: `minigrad.onnx.export(net, "net.onnx")`, for any program that runs such.

trace.py notes what the network does, rules.py has what each op is called in ONNX, writer.py puts it into a file. The
`onnx` package is needed for it (`pip install minigrad[onnx]`), and imported only then.
"""

import inspect
import os
from pathlib import Path

import numpy

from minigrad import create
from minigrad.backend import backend_of
from minigrad.data.files import publish
from minigrad.errors import ExportError
from minigrad.graph import Handle
from minigrad.nn.layers import Linear
from minigrad.nn.module import Module
from minigrad.random import stream


def export(model, args=None, f=None, *, input_names=None, output_names=None):
    """Write a network to an ONNX file: evaluation mode, any batch size, its state under the names of its state dict.

    The forward pass is run and noted, not its source: what it does must not depend on values. The model stays as it is.

    Args:
        model: an nn.Module.
        args: an input of it, or a tuple of them, with the batch on axis 0 of each, for their shapes and dtypes. Without
            one, noise of the model's `seed_shape`, or of as many features as its first layer takes, if that is Linear.
        f: the path of the file. It may stand in the place of `args`: `export(model, path)`.
        input_names, output_names: those of the graph: by default the arguments of `forward`, and "output", or
            "output_0", "output_1", ...

    Returns:
        The path.

    Raises:
        ExportError: an op has no counterpart in ONNX (the message has its module and line), the example does not fit
            the model, the file cannot be written, or `onnx` is not installed. Nothing half-written is left.

    >>> import minigrad
    >>> net = minigrad.nn.Sequential(minigrad.nn.Linear(3, 2), minigrad.nn.Tanh())
    >>> path = export(net, minigrad.zeros(1, 3), "net.onnx")            # doctest: +SKIP
    """
    if isinstance(args, (str, os.PathLike)):
        args, f = f, args
    if not isinstance(model, Module):
        raise TypeError(f"export: the model is a {type(model).__name__}; give an nn.Module")
    if not isinstance(f, (str, os.PathLike)):
        raise TypeError(f"export: the path is {f!r}; give the name of a file to write")
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ExportError(f"export: needs the onnx package ({error}); pip install minigrad[onnx]") from None
    path = Path(f)
    if not path.parent.is_dir() or path.is_dir():
        what = "is a folder" if path.is_dir() else "there is no such folder"
        raise ExportError(f"{path}: {what}; name a file in one that is there")
    content = _written(model, _examples(model, args), input_names, output_names)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        publish(temporary, path)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error}); free some space, or choose another "
                          "folder") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _examples(model, args):
    """The inputs as a tuple of tensors."""
    if args is None:
        return _guessed(model),
    given = tuple(args) if isinstance(args, (tuple, list)) else (args,)
    for x in given:
        if not isinstance(x, Handle) or not x.shape or not x.shape[0]:
            what = f"a tensor of shape {x.shape}" if isinstance(x, Handle) else f"a {type(x).__name__}"
            raise ExportError(f"export: an example input is {what}; give tensors of one sample or more, with the batch "
                              "on axis 0")
    return given


def _guessed(model):
    """Noise as the model says that it takes it."""
    first = next((layer for _, layer in Module.named_modules(model) if list(Module.parameters(layer, False))), None)
    shape = getattr(model, "seed_shape", None) or ((first.in_features,) if isinstance(first, Linear) else None)
    if shape is None:
        raise ExportError("export: what the model takes is not known; give an example of its inputs: export(model, "
                          "minigrad.zeros(1, 3, 64, 64), path)")
    parameter = next(Module.parameters(model), None)
    where = {} if parameter is None else {"dtype": parameter.dtype, "device": parameter.device}
    return create.tensor(stream(0, "example").standard_normal((1, *shape), numpy.float32), **where)


def _batches(examples):
    """The examples at each batch size. Their values change from run to run, so that what comes of them does."""
    from minigrad.onnx.trace import BATCHES

    batches = []
    for run, n in enumerate(BATCHES):
        inputs = []
        for k, x in enumerate(examples):
            array = backend_of(x.array).to_host(x.array)
            array = array[(numpy.arange(n) + run) % len(array)]
            if array.dtype.kind == "f":
                numbers = stream(k, "example", run).uniform(0.9, 1.1, array.shape)
                array = numpy.where(array == 0, (numbers - 0.9) * 0.05, array * numbers)
            inputs.append(create.tensor(array.astype(x.dtype), device=x.device))
        batches.append(tuple(inputs))
    return batches


def _names(model, examples, outputs, input_names, output_names):
    """What the inputs and the outputs are called."""
    if input_names is None:
        parameters = [p for p in inspect.signature(model.forward).parameters.values()
                      if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        input_names = [p.name for p in parameters[:len(examples)]]
        input_names += [f"input_{i}" for i in range(len(input_names), len(examples))]
    if output_names is None:
        output_names = ["output"] if outputs == 1 else [f"output_{i}" for i in range(outputs)]
    for what, names, count in (("input", list(input_names), len(examples)), ("output", list(output_names), outputs)):
        if len(names) != count:
            raise ExportError(f"export: {what}_names are {names} for {count} {what}s; give a name for each")
    if len({*input_names, *output_names}) != len(examples) + outputs:
        raise ExportError(f"export: the names {[*input_names, *output_names]} are not all different")
    return list(input_names), list(output_names)


def _written(model, examples, input_names, output_names):
    """The file's content."""
    from minigrad.onnx import trace, writer

    batches = _batches(examples)
    try:
        steps, outputs = trace.steps_of(model, batches)
    except trace.Unexpressible as error:
        raise ExportError(f"export: {error}") from None
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        shapes = ", ".join(str((1, *x.shape[1:])) for x in examples)
        raise ExportError(f"export: the model does not take inputs of shape {shapes}: {error}") from error
    names = _names(model, examples, len(outputs), input_names, output_names)
    try:
        return writer.write(model, examples, steps, outputs, *names)
    except trace.Unexpressible as error:
        raise ExportError(f"export: {error}") from None
