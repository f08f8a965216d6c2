"""``Module`` and ``Parameter``, and what holds modules: names, state dicts, recording."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import GpucnnError, ModelError
from ..graph import Graph, Value
from ..spec import Array, shape_text

__all__ = ["Module", "ModuleList", "Parameter", "Sequential", "record", "snapshot"]


class Parameter:
    """An array of a layer, made when it is first read: a large net costs nothing until its weights are loaded.

    Parameters
    ----------
    shape : tuple of int
    fill : callable
        Makes the starting values: ``fill(shape) -> float32 array``.

    Examples
    --------
    >>> import numpy as np
    >>> Parameter((2, 3), lambda shape: np.ones(shape, np.float32)).array
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """

    def __init__(self, shape: tuple[int, ...], fill: Callable[[tuple[int, ...]], Array]) -> None:
        self.shape = shape
        self._fill = fill
        self._array: Array | None = None

    @property
    def array(self) -> Array:
        """The values."""
        if self._array is None:
            self._array = self._fill(self.shape)
        return self._array

    def set(self, array: Array) -> None:
        """Take other values, of the same shape; they are not copied."""
        self._array = array

    def twin(self) -> Parameter:
        """Another parameter with the same array, which keeps it when this one is given another; the array becomes read-only."""
        twin = Parameter(self.shape, self._fill)
        twin.set(self.array)
        self.array.flags.writeable = False
        return twin


class Module:
    """Base of all layers and nets: assign layers and :class:`Parameter` objects as attributes and write ``forward``.

    Calling a module with arrays computes now; :func:`gpucnn.compile` records the same ``forward`` once and plans it, which is much
    faster. There is no training.

    Examples
    --------
    >>> import numpy as np
    >>> from gpucnn import functional as F
    >>> from gpucnn.nn import Conv2d
    >>> class Net(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = Conv2d(3, 8, 3, padding=1)
    ...     def forward(self, x):
    ...         return F.relu(self.conv(x))
    >>> Net()(np.zeros((1, 3, 5, 5), np.float32)).shape
    (1, 8, 5, 5)
    """

    def __init__(self) -> None:
        self.__dict__["_parameters"] = {}
        self.__dict__["_buffers"] = {}
        self.__dict__["_modules"] = {}

    # -- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise GpucnnError(f"{type(self).__name__}: call super().__init__() before assigning {name!r}")
        held = self._parameters.get(name) or self._buffers.get(name)
        if held is not None and not isinstance(value, Parameter) and value is not None:
            raise ModelError(
                f"{type(self).__name__}: {name!r} is a parameter of shape {shape_text(held.shape)}; "
                "give it other values with load_state_dict, or assign an nn.Parameter"
            )
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)
        self.__dict__.pop(name, None)
        if isinstance(value, Module):
            self._modules[name] = value
        elif isinstance(value, Parameter):
            self._parameters[name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers"):
            found = self.__dict__.get(table, {}).get(name)
            if found is not None:
                return found.array
        if name in self.__dict__.get("_modules", {}):
            return self._modules[name]
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def register_buffer(self, name: str, value: Parameter) -> None:
        """Add an array that is part of the state but is not counted as a parameter, such as a running mean."""
        self._buffers[name] = value

    def add_module(self, name: str, module: Module) -> None:
        """Add a layer under a name that need not be an identifier."""
        self._modules[name] = module

    # -- walking

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (path, module) of this module and all below it, this one first."""
        yield prefix, self
        for name, child in self._modules.items():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def _named(self, table: str) -> Iterator[tuple[str, Parameter]]:
        for path, module in self.named_modules():
            for name, parameter in getattr(module, table).items():
                yield (f"{path}.{name}" if path else name), parameter

    def named_parameters(self) -> Iterator[tuple[str, Array]]:
        """Yield (path, array) of every parameter."""
        return ((name, p.array) for name, p in self._named("_parameters"))

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Yield (path, array) of every buffer."""
        return ((name, p.array) for name, p in self._named("_buffers"))

    def num_parameters(self) -> int:
        """Count the elements of all parameters; buffers do not count, as is usual."""
        return sum(math.prod(p.shape) for _, p in self._named("_parameters"))

    def children(self) -> Iterator[Module]:
        """Yield the layers directly below."""
        return iter(self._modules.values())

    # -- state

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return path and shape of every parameter and buffer, without making any."""
        return {name: p.shape for table in ("_parameters", "_buffers") for name, p in self._named(table)}

    def state_dict(self) -> dict[str, Array]:
        """Return path and array of every parameter and buffer, in the order of the layers."""
        return {
            (f"{path}.{name}" if path else name): p.array
            for path, module in self.named_modules()
            for name, p in (*module._parameters.items(), *module._buffers.items())
        }

    def load_state_dict(self, state: Mapping[str, Array], *, assign: bool = False) -> Module:
        """Take the values of ``state``; returns self.

        Numbers of any width become float32; ``num_batches_tracked`` is of no use here and ignored.

        Parameters
        ----------
        state : mapping of str to array
        assign : bool
            Keep float32 arrays as they are instead of copying them; they must not be changed afterwards.

        Raises
        ------
        ModelError
            Names are missing, unexpected, or have another shape or a type that is no number: all in one message, and nothing is taken.
        """
        if not isinstance(state, Mapping):
            raise ModelError(f"load_state_dict: expected a mapping of names to arrays, got {type(state).__name__}")
        own = {name: p for table in ("_parameters", "_buffers") for name, p in self._named(table)}
        given = {name: a for name, a in state.items() if name.rsplit(".", 1)[-1] != "num_batches_tracked"}
        problems = []
        if missing := [f"{name} {shape_text(p.shape)}" for name, p in own.items() if name not in given]:
            problems.append(f"{len(missing)} missing: {_some(missing)}")
        if extra := [f"{name} {shape_text(np.shape(a))}" for name, a in given.items() if name not in own]:
            problems.append(f"{len(extra)} unexpected: {_some(extra)}")
        if shaped := [
            f"{name} expected {shape_text(own[name].shape)}, got {shape_text(np.shape(a))}"
            for name, a in given.items()
            if name in own and tuple(np.shape(a)) != own[name].shape
        ]:
            problems.append(f"{len(shaped)} of another shape: {_some(shaped)}")
        if typed := [f"{name} {np.asarray(a).dtype}" for name, a in given.items() if np.asarray(a).dtype.kind not in "fiu"]:
            problems.append(f"{len(typed)} not numbers: {_some(typed)}")
        if problems:
            raise ModelError(f"{type(self).__name__}: the weights do not fit; " + "; ".join(problems))
        for name, a in given.items():
            own[name].set(np.ascontiguousarray(a, dtype=np.float32) if assign else np.array(a, dtype=np.float32, order="C"))
        return self

    # -- running

    def forward(self, *inputs: Any) -> Any:
        """What the module does; a subclass writes it."""
        raise GpucnnError(f"{type(self).__name__}: forward is not written; define forward(self, x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``; while a net is recorded, under this layer's name."""
        graph = next((v.graph for v in inputs if isinstance(v, Value)), None)
        path = graph.paths.get(id(self)) if graph is not None else None
        if graph is None or path is None:
            return self.forward(*inputs, **options)
        with graph.scope(path):
            result = self.forward(*inputs, **options)
        if isinstance(result, Value) and path:
            graph.label(path, result)
        return result

    def eval(self) -> Module:
        """Return self: nothing here behaves otherwise in training."""
        return self

    def train(self, mode: bool = True) -> Module:
        """Refuse: inference only."""
        if not mode:
            return self
        raise GpucnnError("inference only: gpucnn has no training mode; train in PyTorch or JAX and load the weights here")

    def __repr__(self) -> str:
        lines = [re.sub("\n", "\n  ", f"({name}): {child!r}") for name, child in self._modules.items()]
        inner = "\n  " + "\n  ".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({inner})"

    def extra_repr(self) -> str:
        """What stands in the brackets of a layer's repr."""
        hidden = ("_parameters", "_buffers", "_modules")
        return ", ".join(f"{k}={v!r}" for k, v in self.__dict__.items() if k not in hidden)


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f", and {len(names) - most} more" if len(names) > most else "")


def snapshot(net: Module, made: dict[int, Any] | None = None) -> Module:
    """Return the same net with the weights that it has now: later ``load_state_dict`` calls do not reach it.

    Arrays are shared and become read-only: a plan has packed some and reads others, and a change would reach only the latter.
    """
    made = {} if made is None else made

    def twin(parameter: Parameter) -> Parameter:
        found: Parameter = made.setdefault(id(parameter), parameter.twin())
        return found

    if id(net) not in made:
        copy = made[id(net)] = object.__new__(type(net))
        copy.__dict__.update(net.__dict__)
        copy.__dict__["_parameters"] = {name: twin(p) for name, p in net._parameters.items()}
        copy.__dict__["_buffers"] = {name: twin(p) for name, p in net._buffers.items()}
        copy.__dict__["_modules"] = {name: snapshot(child, made) for name, child in net._modules.items()}
    result: Module = made[id(net)]
    return result


def record(net: Module, graph: Graph, *inputs: Value) -> tuple[Value, ...]:
    """Record a net's forward in ``graph``; parameters become constants under their state-dict names.

    Returns
    -------
    tuple of Value
        What forward returned, one or several.
    """
    graph.paths = {id(m): path for path, m in net.named_modules()}
    for table in ("_parameters", "_buffers"):
        for name, parameter in net._named(table):
            graph.constant(parameter.array, name)
    result = net(*inputs)
    outputs = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    for v in outputs:
        if not isinstance(v, Value):
            raise ModelError(
                f"{type(net).__name__}: forward must return symbolic values made from its input, got {type(v).__name__}; "
                "use gpucnn.functional instead of NumPy inside forward"
            )
    return outputs


class Sequential(Module):
    """Layers one after another.

    Parameters
    ----------
    *layers : Module, or one mapping of name to Module
        Without names they are called "0", "1", ….

    Examples
    --------
    >>> from gpucnn.nn import Conv2d, ReLU
    >>> Sequential(Conv2d(3, 8, 3, bias=False), ReLU()).state_shapes()
    {'0.weight': (8, 3, 3, 3)}
    """

    def __init__(self, *layers: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            named: Mapping[str, Any] = layers[0]
        else:
            named = OrderedDict((str(i), layer) for i, layer in enumerate(layers))
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise ModelError(f"{type(self).__name__}: layer {name} must be a Module, got {type(layer).__name__}")
            self.add_module(name, layer)

    def forward(self, x: Any) -> Any:
        """Run the layers in order."""
        for layer in self._modules.values():
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, i: int | slice) -> Module:
        if isinstance(i, slice):
            return type(self)(OrderedDict(list(self._modules.items())[i]))
        layer: Module = list(self._modules.values())[i]
        return layer


class ModuleList(Sequential):
    """Layers held under "0", "1", …, without an order of running.

    Parameters
    ----------
    *layers : Module, or one sequence of Module (as in PyTorch), or one mapping of name to Module

    Examples
    --------
    >>> from gpucnn.nn import Linear
    >>> heads = ModuleList([Linear(8, 2), Linear(8, 3)])
    >>> [head.out_features for head in heads]
    [2, 3]
    """

    def __init__(self, *layers: Module | Sequence[Module] | Mapping[str, Module]) -> None:
        one = layers[0] if len(layers) == 1 else None
        given: tuple[Any, ...] = tuple(one) if isinstance(one, Sequence) else layers
        super().__init__(*given)

    def forward(self, x: Any) -> Any:
        """Refuse: a list does nothing by itself."""
        raise GpucnnError("ModuleList: has no forward; call its layers one by one, or use Sequential")
