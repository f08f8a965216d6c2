"""Wrong use of what moves, resizes and reduces values says which op, what was expected, what came, and the shapes."""

from __future__ import annotations

import numpy as np
import pytest
from truth import Planned

from gpucnn import functional as F
from gpucnn import nn
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph
from gpucnn.ops import ArgReduce, DepthToSpace, Expand, Reduce, Resize, Slice, SpaceToDepth, Tile
from gpucnn.ops.resize import aspect_sizes
from gpucnn.spec import Spec

F32 = np.dtype(np.float32)


def z(*shape: int, dtype: object = np.float32):
    return np.zeros(shape, dtype)


def value(*shape: int):
    return Graph().input("x", Spec(shape, F32))


X = z(2, 6, 5, 7)

WRONG = {
    "slice lengths": (lambda: Slice((0, 1), (2,)), "slice: starts, stops, dims and steps must be of one length", "stops (2,)"),
    "slice step": (lambda: Slice((0,), (2,), (0,), (0,)), "slice: a step must not be 0, got (0,)"),
    "slice dim": (lambda: Slice((0,), (2,), (2,)).infer(Spec((2, 3), F32)), "slice: dim must lie in [-2, 1]", "got 2"),
    "slice dims": (lambda: Slice((0, 0), (2, 2), (1, -1)).infer(Spec((2, 3), F32)), "slice: dims must name each axis once", "x 2×3"),
    "index": (lambda: value(2, 3)[3], "index: 3 is out of range for axis 0 of size 2", "x 2×3"),
    "index axes": (lambda: value(2, 3)[0, 0, 0], "names 3 axes, x has 2"),
    "index twice": (lambda: value(2, 3)[..., ...], "has several ..."),
    "index by a list": (lambda: value(2, 3)[[0, 1]], "index: takes whole numbers, slices", "functional.index_select"),
    "index by a bool": (lambda: value(2, 3)[True], "index: takes whole numbers"),
    "narrow": (lambda: F.narrow(X, 1, 4, 3), "narrow: 3 elements from 4 on do not lie in axis 1, which has 6", "x 2×6×5×7"),
    "narrow length": (lambda: F.narrow(X, 1, 4, -1), "narrow: -1 elements"),
    "split sections": (lambda: F.split(X, [2, 3], 1), "split: the sections [2, 3] must add up to the size 6 of axis 1", "x 2×6×5×7"),
    "split size": (lambda: F.split(X, 0), "split: split_size must be at least 1, got 0"),
    "chunk": (lambda: F.chunk(X, 0), "chunk: chunks must be at least 1, got 0"),
    "chunk dim": (lambda: F.chunk(X, 2, 4), "chunk: dim must lie in [-4, 3]"),
    "expand": (lambda: F.expand(z(2, 3), (2, 4)), "expand: only axes of size 1 expand, got sizes (2, 4) for x 2×3"),
    "expand new": (lambda: F.expand(z(2, 3), (-1, 2, 3)), "expand: sizes (-1, 2, 3)", "give new ones in front a size"),
    "expand op": (lambda: Expand((4,)).infer(Spec((3,), F32)), "expand: only an axis of size 1 expands, to 4", "x 3 float32"),
    "expand negative": (lambda: Expand((-2,)), "expand: sizes must not be negative, got (-2,)"),
    "tile": (lambda: F.tile(X, (-1,)), "tile: repeats must not be negative"),
    "tile op": (lambda: Tile((2,)).infer(Spec((2, 3), F32)), "tile: repeats (2,) are given for 1 axes, x has 2", "x 2×3"),
    "repeat": (lambda: F.repeat(X, (2,)), "repeat: sizes (2,) must have one count for each axis of x 2×6×5×7"),
    "flip": (lambda: F.flip(X, (1, -3)), "slice: dims must name each axis once, got (1, -3)"),
    "roll": (lambda: F.roll(X, (1, 2), (0,)), "roll: shifts and dims must be of one length, got (1, 2) and (0,)"),
    "channel_shuffle": (lambda: F.channel_shuffle(X, 4), "channel_shuffle: groups 4 must divide the channels, x has 6", "x 2×6×5×7"),
    "channel_shuffle groups": (lambda: F.channel_shuffle(X, 0), "channel_shuffle: groups must be at least 1, got 0"),
    "channel_shuffle rank": (lambda: F.channel_shuffle(z(2, 6), 2), "channel_shuffle: x needs at least 3 axes, got shape 2×6"),
    "pixel_shuffle": (lambda: F.pixel_shuffle(X, 2), "pixel_shuffle: the channels must divide by 2·2, x has 6", "x 2×6×5×7"),
    "pixel_shuffle rank": (lambda: F.pixel_shuffle(z(4, 2), 2), "pixel_shuffle: x needs at least 3 axes (…, c, h, w), got shape 4×2"),
    "pixel_unshuffle": (lambda: F.pixel_unshuffle(X, 2), "pixel_unshuffle: height and width must divide by 2, got 5×7"),
    "block": (lambda: SpaceToDepth(0), "pixel_unshuffle: the block must be at least 1 pixel wide, got 0"),
    "block mode": (lambda: DepthToSpace(2, "CDR"), "pixel_shuffle: mode must be 'CRD' or 'DCR', got 'CDR'"),
    "block rank": (lambda: DepthToSpace(2).infer(Spec((4, 2, 2), F32)), "pixel_shuffle: x must have 4 axes (n, c, h, w), got 3"),
    "stack": (lambda: F.stack([z(2), z(3)]), "stack: all arrays must be of one shape, got 2, 3"),
    "stack of none": (lambda: F.stack([]), "cat: needs at least one tensor"),
    "unflatten": (lambda: F.unflatten(X, 1, (4, -1)), "unflatten: sizes (4, -1) must multiply to 6, the size of dim 1", "x 2×6×5×7"),
    "unsqueeze": (lambda: F.unsqueeze(z(2), 2), "unsqueeze: dim must lie in [-2, 1] for a value of rank 2, got 2"),
    "squeeze": (lambda: F.squeeze(X, 4), "squeeze: dim must lie in [-4, 3]"),
    "transpose": (lambda: F.transpose(X, 0, 4), "transpose: dim must lie in [-4, 3]"),
    "pad layer": (lambda: nn.ZeroPad2d((1, 2)), "ZeroPad2d: padding must be an int or (left, right, top, bottom), got (1, 2)"),
    "gather": (lambda: F.gather(X, 1, z(2, 9, 5, 8, dtype=int)), "gather_elements: indices must not be larger than x", "indices 2×9×5×8"),
    "gather rank": (lambda: F.gather(X, 1, z(2, dtype=int)), "gather_elements: indices must have 4 axes, got 1", "indices 2 int64"),
    "gather type": (lambda: F.gather(X, 1, X), "gather_elements: indices must be whole numbers, got float32"),
    "gather range": (lambda: F.gather(z(2, 3), 1, np.array([[3]])), "gather_elements: indices must lie in [-3, 2] for axis 1, got 3 to 3"),
    "index_select": (lambda: F.index_select(X, 1, np.array([0, -7])), "gather: indices must lie in [-6, 5] for axis 1, got -7 to 0"),
    "index_select rank": (lambda: F.index_select(X, 1, z(2, 2, dtype=int)), "index_select: index must have one axis, got shape 2×2"),
    "take of nothing": (lambda: F.take(z(0), np.array([0])), "gather: axis 0 of x is empty"),
    "take_along_dim": (lambda: F.take_along_dim(X, z(2, 3, 5, 8, dtype=int), 1), "take_along_dim: x 2×6×5×7", "must broadcast"),
    "embedding": (lambda: F.embedding(np.array([0]), X), "embedding: weight must have 2 axes (rows, d), got shape 2×6×5×7"),
    "one_hot": (lambda: F.one_hot(np.array([3]), 3), "one_hot: x must lie in [0, 2]", "got 3 to 3"),
    "one_hot classes": (lambda: F.one_hot(np.array([3]), -1), "one_hot: num_classes must be at least 1, got -1"),
    "reduce": (lambda: Reduce("median"), "reduce: kind must be one of sum, mean", "got 'median'"),
    "sum dim": (lambda: F.sum(X, 4), "sum: dim must lie in [-4, 3] for a value of rank 4, got 4"),
    "sum dims": (lambda: F.sum(X, (1, -3)), "sum: dims must name each axis once, got (1, -3)", "x 2×6×5×7"),
    "sum fraction": (lambda: F.sum(X, 1.5), "sum: dim must be a whole number, got 1.5"),
    "mean type": (lambda: F.mean(z(2, dtype=int)), "mean: x must be floating point, got int64", "x 2"),
    "mean of no whole numbers": (lambda: Reduce("mean").infer(Spec((0,), np.dtype(int))), "mean: no whole number is the mean of nothing"),
    "var type": (lambda: F.var(z(2, dtype=int)), "var: x must be floating point, got int64", "x 2 int64"),
    "bools": (lambda: Reduce("sum").infer(Spec((2,), np.dtype(bool))), "sum: x must be a number, got bool"),
    "amax of nothing": (lambda: F.amax(z(2, 0), 1), "amax: there is no element to choose along an axis of size 0", "x 2×0"),
    "norm type": (lambda: F.norm(z(2, dtype=int)), "vector_norm: x must be floating point, got int64"),
    "argmax of nothing": (lambda: F.argmax(z(2, 0), 1), "argmax: axis 1 is empty", "x 2×0"),
    "argmax dim": (lambda: F.argmax(X, 4), "argmax: dim must lie in [-4, 3]"),
    "argmax type": (lambda: F.argmax(X > 0, 1), "argmax: x must be a number, got bool"),
    "argreduce": (lambda: ArgReduce("argmean"), "argreduce: kind must be 'argmax' or 'argmin', got 'argmean'"),
    "cumsum": (lambda: F.cumsum(X, 4), "cumsum: dim must lie in [-4, 3]"),
    "interpolate both": (lambda: F.interpolate(X, 2, 2), "interpolate: give size or scale_factor, and not both"),
    "interpolate neither": (lambda: F.interpolate(X), "interpolate: give size or scale_factor"),
    "interpolate mode": (lambda: F.interpolate(X, 2, mode="lanczos"), "interpolate: mode must be one of nearest", "got 'lanczos'"),
    "interpolate rank": (lambda: F.interpolate(X, 2, mode="linear"), "mode 'linear' is for 3 axes (n, c, …), x has 4", "x 2×6×5×7"),
    "interpolate corners": (lambda: F.interpolate(X, 2, align_corners=True), "interpolate: mode 'nearest' has no align_corners"),
    "interpolate antialias": (lambda: F.interpolate(X, 2, antialias=True), "antialias is for the modes 'bilinear' and 'bicubic'"),
    "interpolate sizes": (lambda: F.interpolate(X, (2, 3, 4)), "interpolate: size must be a number or one for each of 2 spatial axes"),
    "interpolate to nothing": (lambda: F.interpolate(X, scale_factor=0.15), "interpolate: the result would be 0×1 large"),
    "interpolate factor": (lambda: F.interpolate(X, scale_factor=-1), "interpolate: scale_factor must be above 0, got -1"),
    "interpolate recompute": (lambda: F.interpolate(X, 2, recompute_scale_factor=True), "recompute_scale_factor is for scale_factor"),
    "interpolate type": (lambda: F.interpolate(X.astype(int), 2, mode="bilinear"), "resize: x must be floating point, got int64"),
    "interpolate of nothing": (lambda: F.interpolate(z(1, 1, 0, 2), 2), "resize: axis 2 is empty and cannot become 2 long"),
    "resize mode": (lambda: Resize((2,), (3,), mode="area"), "resize: mode must be one of nearest, linear, cubic, got 'area'"),
    "resize places": (lambda: Resize((2,), (3,), coordinates="corners"), "resize: coordinates must be one of half_pixel", "got 'corners'"),
    "resize nearest": (lambda: Resize((2,), (3,), nearest="round"), "resize: nearest must be one of round_prefer_floor"),
    "resize sizes": (lambda: Resize((2, 3), (3,)), "resize: sizes (3,) must have one value for each of dims (2, 3)"),
    "resize scales": (lambda: Resize((2,), (3,), (0.0,)), "scales be above 0, got (3,) and (0.0,)"),
    "resize antialias": (lambda: Resize((2,), (3,), antialias=True), "resize: mode 'nearest' has no antialias"),
    "resize dims": (lambda: Resize((2, -2), (3, 3)).infer(Spec(X.shape, F32)), "resize: dims must name each axis once, got (2, -2)"),
    "cat dim": (lambda: F.cat([X, X], 1.5), "cat: dim must be a whole number, got 1.5"),
    "flatten dim": (lambda: F.flatten(X, 0.5), "flatten: start_dim must be a whole number, got 0.5"),
    "flatten end": (lambda: F.flatten(X, 0, 1.5), "flatten: end_dim must be a whole number, got 1.5"),
    "reshape size": (lambda: F.reshape(X, (2, -1.0)), "reshape: each of shape must be a whole number, got -1.0"),
    "permute dim": (lambda: F.permute(X, (0, 1, 2, 3.5)), "permute: each of dims must be a whole number, got 3.5"),
    "softmax dim": (lambda: F.softmax(X, 1.5), "softmax: dim must be a whole number, got 1.5"),
    "log_softmax dim": (lambda: F.log_softmax(X, None), "log_softmax: dim must be a whole number, got None"),
    "glu dim": (lambda: F.glu(X, "1"), "glu: dim must be a whole number, got '1'"),
    "normalize dim": (lambda: F.normalize(X, dim=1.5), "normalize: dim must be a whole number, got 1.5"),
    **{
        f"{function.__name__} dtype": (lambda f=function: f(X, 1, dtype="flot"), f"{function.__name__}: dtype must be bool", "got 'flot'")
        for function in (F.sum, F.mean, F.prod, F.cumsum)
    },
    "aspect": (lambda: aspect_sizes("fit", (2,), (3,)), "must be 'stretch', 'not_larger' or 'not_smaller', got 'fit'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_message_says_what_is_wrong(case):
    call, *said = WRONG[case]
    with pytest.raises(ShapeError) as error:
        call()
    for part in said:
        assert part in str(error.value)


def test_places_out_of_range_are_found_when_a_net_runs():
    """Never read: the program raises, and works again with places that are there."""
    graph = Graph()
    x, index = graph.input("x", Spec((2, 3), F32)), graph.input("index", Spec((2, 1), np.dtype(np.int64)))
    graph.outputs = {"y": F.gather(x, 1, index)}
    planned, rows = Planned(graph), np.arange(6, dtype=np.float32).reshape(2, 3)
    with pytest.raises(ShapeError, match=r"indices must lie in \[-3, 2\] for axis 1, got 0 to 3"):
        planned.run({"x": rows, "index": np.array([[0], [3]])})
    assert planned.run({"x": rows, "index": np.array([[2], [-1]])})["y"].tolist() == [[2], [5]]
