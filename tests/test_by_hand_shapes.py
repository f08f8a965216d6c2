"""What moves, resizes and reduces values, against values computed by hand, in PyTorch's documentation, or by Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpucnn import functional as F
from gpucnn.graph import Graph
from gpucnn.ops import CumSum, Reduce, Resize
from gpucnn.ops.resize import aspect_sizes
from gpucnn.spec import Spec

f32 = np.float32
nan, inf = np.nan, np.inf


def count(*shape: int) -> Any:
    return np.arange(np.prod(shape), dtype=f32).reshape(shape)


def sizes(parts: Any) -> list[int]:
    return [len(p) for p in parts]


# -- cutting


@pytest.mark.parametrize(
    ("n", "chunks", "expected"),
    [(5, 3, [2, 2, 1]), (6, 3, [2, 2, 2]), (9, 6, [2, 2, 2, 2, 1]), (3, 5, [1, 1, 1]), (0, 2, [0, 0]), (4, 1, [4])],
)
def test_chunks_as_pytorch_cuts_them(n, chunks, expected):
    parts = F.chunk(count(n), chunks)
    assert sizes(parts) == expected
    np.testing.assert_array_equal(np.concatenate(parts), count(n))


@pytest.mark.parametrize(("how", "expected"), [(2, [2, 2, 1]), (5, [5]), (9, [5]), ([1, 0, 4], [1, 0, 4])])
def test_split(how, expected):
    assert sizes(F.split(count(5), how)) == expected
    assert [p.shape for p in F.split(count(2, 5, 3), how, 1)] == [(2, n, 3) for n in expected]


def test_narrow_counts_from_both_ends():
    x = count(2, 5)
    assert F.narrow(x, 1, -3, 2).tolist() == [[2, 3], [7, 8]]
    assert F.narrow(x, 0, 2, 0).shape == (0, 5)


KEYS = (
    0, -1, slice(None), slice(1, None), slice(None, None, -1), slice(-1, -9, -2), (slice(None), 2), (..., 0), (..., slice(1, 3)), None,
    (slice(None), None, slice(0, 2)), (1, ..., None, 2), (slice(9, 3), 0), (0, 1, 2), ..., (), (slice(None, None, 2), slice(None, None, 3)),
    (np.int64(1), slice(3, 0, -1)),
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_value_is_indexed_as_an_array_is(key):
    x = count(2, 5, 3)
    graph = Graph()
    y = graph.input("x", Spec(x.shape, x.dtype))[key]
    for node in graph.nodes:
        x = node.op.reference(np, x)[0]
    assert y.shape == x.shape
    np.testing.assert_array_equal(x, count(2, 5, 3)[key])


def test_a_value_is_its_rows():
    graph = Graph()
    a, b = graph.input("x", Spec((2, 3), np.dtype(f32)))
    assert a.shape == b.shape == (3,)


# -- repeating and turning


def test_expand_and_repeat():
    x = f32([[1], [2]])
    assert F.expand(x, (3, -1, 2)).shape == (3, 2, 2)
    assert F.expand(x, (2, 3))[1].tolist() == [2, 2, 2]
    assert F.tile(f32([1, 2]), (2, 2)).tolist() == [[1, 2, 1, 2]] * 2
    assert F.tile(x, (2,)).tolist() == [[1, 1], [2, 2]]
    assert F.repeat(f32([1, 2]), (2, 1)).tolist() == [[1, 2]] * 2


def test_turning():
    x = count(2, 3)
    assert F.flip(x, (0, -1)).tolist() == [[5, 4, 3], [2, 1, 0]]
    assert F.roll(x, 1).tolist() == [[5, 0, 1], [2, 3, 4]]
    assert F.roll(x, (1, -1), (0, 1)).tolist() == [[4, 5, 3], [1, 2, 0]]
    assert F.roll(x, 7, 1).tolist() == np.roll(x, 1, 1).tolist()
    assert F.roll(count(0, 3), 1, 0).shape == (0, 3)


def test_channels_of_shufflenet():
    """Figure 1 of the paper: three groups of channels, dealt out."""
    assert F.channel_shuffle(count(1, 6, 1), 3).ravel().tolist() == [0, 2, 4, 1, 3, 5]


def test_pixels_from_channels_and_back():
    x = count(1, 8, 1, 2)
    y = F.pixel_shuffle(x, 2)
    assert y[0, 0].tolist() == [[0, 2, 1, 3], [4, 6, 5, 7]]
    np.testing.assert_array_equal(F.pixel_unshuffle(y, 2), x)
    assert F.pixel_shuffle(count(4, 2, 3), 2).shape == (1, 4, 6)
    assert F.pixel_unshuffle(count(2, 3, 1, 4, 6), 2).shape == (2, 3, 4, 2, 3)


# -- shapes


def test_shapes():
    x = count(1, 3, 1, 2)
    assert F.squeeze(x).shape == (3, 2)
    assert F.squeeze(x, (0, 1, -2)).shape == (3, 2)
    assert F.squeeze(x, 2).shape == (1, 3, 2)
    assert F.unsqueeze(x, 4).shape == (1, 3, 1, 2, 1)
    assert F.transpose(x, 1, -1).shape == (1, 2, 1, 3)
    assert F.unflatten(count(2, 6), -1, (2, -1)).shape == (2, 2, 3)
    assert F.stack([count(2), count(2)], -1).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("mode", "amounts", "line"),
    [
        ("constant", (-1, 2), [2, 3, 4, 5, 9, 9]),
        ("constant", (-4, 2), [5, 9, 9]),
        ("constant", (-2, -3), []),
        ("reflect", (-2, 3), [3, 4, 5, 4, 3, 2]),  # what is cropped is still mirrored
        ("replicate", (2, -4), [1, 1, 1]),
        ("circular", (-1, 2), [2, 3, 4, 5, 2, 3]),  # but does not come round
    ],
)
def test_negative_padding_crops_as_in_pytorch(mode, amounts, line):
    assert F.pad(f32([1, 2, 3, 4, 5]), amounts, mode, 9.0).tolist() == line


# -- places


def test_places_by_hand():
    x = f32([[1, 2, 3], [4, 5, 6]])
    assert F.gather(x, 0, np.array([[1, 0, -1]])).tolist() == [[4, 2, 6]]
    assert F.gather(x, 1, np.array([[2, 0], [1, 1]])).tolist() == [[3, 1], [5, 5]]
    assert F.index_select(x, 1, np.array([2, 2, 0])).tolist() == [[3, 3, 1], [6, 6, 4]]
    assert F.index_select(x, 0, 1).tolist() == [[4, 5, 6]]
    assert F.take(x, np.array([[5], [0]])).tolist() == [[6], [1]]
    assert F.take_along_dim(x, np.array([[2], [0]]), 1).tolist() == [[3], [4]]
    assert F.take_along_dim(x, np.array([[2]]), 1).tolist() == [[3], [6]]
    assert F.take_along_dim(x, np.array([5, 0])).tolist() == [6, 1]
    assert F.embedding(np.array([[1, 0]]), x).tolist() == [[[4, 5, 6], [1, 2, 3]]]
    assert F.one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


# -- reductions


def test_nan_is_found_first():
    x = f32([[1, nan, 3, nan], [inf, 2, inf, -inf]])
    assert F.argmax(x, 1).tolist() == [1, 0]
    assert F.argmin(x, 1).tolist() == [1, 3]
    assert F.argmax(x).item() == 1
    assert np.isnan(F.amax(x, 1)[0])
    assert F.amax(x, 1)[1] == inf
    assert F.argmax(f32([[3, 1], [2, 7]]), keepdim=True).tolist() == [[3]]


def test_types_of_sums():
    """As in PyTorch: whole numbers add up in int64."""
    x = np.full((2, 200), 255, np.uint8)
    assert F.sum(x, 1).tolist() == [51000, 51000]
    assert F.sum(x).dtype == F.cumsum(x, 1).dtype == F.prod(x, 1).dtype == np.int64
    assert F.sum(x > 0, 1).tolist() == [200, 200]
    assert F.sum(x, dtype=f32).dtype == f32
    assert F.mean(x, 1, dtype=np.float32).tolist() == [255, 255]
    assert Reduce("sum", (1,)).reference(np, x)[0].tolist() == [51000 % 256] * 2  # the op, as ONNX, keeps the type


def test_of_nothing():
    x = np.zeros((2, 0), f32)
    assert F.sum(x, 1).tolist() == [0, 0]
    assert F.prod(x, 1).tolist() == [1, 1]
    assert np.isnan(F.mean(x, 1)).all()
    assert F.logsumexp(x, 1).tolist() == [-inf, -inf]
    assert not F.any(x, 1).any()
    assert F.all(x, 1).all()
    assert Reduce("amax", (1,)).reference(np, x)[0].tolist() == [-inf, -inf]
    assert Reduce("amin", (1,)).reference(np, x.astype(np.uint8))[0].tolist() == [255, 255]


def test_spread():
    x = f32([1, 2, 3, 4])
    assert F.var(x).item() == pytest.approx(5 / 3, rel=1e-6)
    assert F.var(x, correction=0).item() == 1.25
    assert F.std(x, correction=0, keepdim=True).shape == (1,)
    assert np.isnan(F.var(f32([7])))
    assert F.std(f32([[1, 3], [5, 9]]), 1, correction=0).tolist() == [1, 2]


def test_norms():
    x = f32([[3, -4], [0, 2]])
    assert F.vector_norm(x, dim=1).tolist() == [5, 2]
    assert F.vector_norm(x, 1, 1).tolist() == [7, 2]
    assert F.vector_norm(x, inf).item() == 4
    assert F.vector_norm(x, -inf, 1).tolist() == [3, 0]
    assert F.vector_norm(x, 0).item() == 3
    assert F.norm(x, 2, 1, True).shape == (2, 1)


def test_running_sums():
    x = f32([1, 2, 3])
    assert CumSum(0, exclusive=True).reference(np, x)[0].tolist() == [0, 1, 3]
    assert CumSum(0, reverse=True).reference(np, x)[0].tolist() == [6, 5, 3]
    assert CumSum(0, exclusive=True, reverse=True).reference(np, x)[0].tolist() == [5, 3, 0]


def test_sorting():
    values, places = F.sort(f32([2, nan, 1, 2]))
    np.testing.assert_array_equal(values, [1, 2, 2, nan])
    assert places.tolist() == [2, 0, 3, 1]
    assert F.argsort(f32([2, nan, 1, 2]), descending=True).tolist() == [1, 0, 3, 2]


def test_sixteen_bits_are_added_up_in_thirty_two():
    ones = np.ones((1, 4096), np.float16)
    assert F.sum(ones).item() == 4096
    assert F.mean(3 * ones, 1).item() == 3
    assert F.vector_norm(ones, 1).item() == 4096
    assert F.cumsum(ones, 1)[0, -1] == 4096


def test_the_mean_of_each_map_is_global_pooling():
    graph = Graph()
    x = graph.input("x", Spec((2, 3, 4, 5), np.dtype(f32)))
    assert F.mean(x, (2, 3)).shape == F.mean(x, [-1, -2]).shape == (2, 3)
    assert F.mean(x, (2, 3), keepdim=True).shape == (2, 3, 1, 1)
    assert [node.op.name for node in graph.nodes] == ["global_avg_pool", "flatten"] * 2 + ["global_avg_pool"]
    assert F.mean(x, 1).shape == (2, 4, 5)
    assert graph.nodes[-1].op.name == "mean"


# -- resizing: rows from PyTorch's documentation of Upsample, of the image 1 2 / 3 4


@pytest.mark.parametrize(
    ("mode", "corners", "rows"),
    [
        ("nearest", None, [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]),
        ("bilinear", None, [[1, 1.25, 1.75, 2], [1.5, 1.75, 2.25, 2.5], [2.5, 2.75, 3.25, 3.5], [3, 3.25, 3.75, 4]]),
        ("bilinear", True, [[1, 4 / 3, 5 / 3, 2], [5 / 3, 2, 7 / 3, 8 / 3], [7 / 3, 8 / 3, 3, 10 / 3], [3, 10 / 3, 11 / 3, 4]]),
    ],
)
def test_upsampling_as_pytorch_documents_it(mode, corners, rows):
    y = F.interpolate(f32([[[[1, 2], [3, 4]]]]), scale_factor=2, mode=mode, align_corners=corners)
    np.testing.assert_allclose(y[0, 0], rows, rtol=4 * np.finfo(f32).eps)


def test_which_pixel_is_nearest():
    """5 pixels shown by 3: ``floor(i·5/3)``, or the one over whose middle that of the result lies."""
    x = f32([[[0, 1, 2, 3, 4]]])
    assert F.interpolate(x, 3).ravel().tolist() == [0, 1, 3]
    assert F.interpolate(x, 3, mode="nearest-exact").ravel().tolist() == [0, 2, 4]


def test_a_factor_is_taken_as_it_is_unless_it_is_recomputed():
    """4 pixels by 1.4 give 5: places are then i/1.4, or i·4/5."""
    x = f32([[[0, 1, 2, 3]]])
    assert F.interpolate(x, scale_factor=1.4).ravel().tolist() == [0, 0, 1, 2, 2]
    assert F.interpolate(x, scale_factor=1.4, recompute_scale_factor=True).ravel().tolist() == [0, 0, 1, 2, 3]


def test_nearest_by_a_factor_beside_one_that_it_rounds_to():
    """As PyTorch: of two axes one that keeps or doubles its size is copied or doubled exactly; of one or three places are i/factor."""
    line = f32([[[0, 1, 2, 3, 4, 5]]])
    assert F.interpolate(line, scale_factor=1.15).ravel().tolist() == [0, 0, 1, 2, 3, 4]
    assert F.interpolate(line, scale_factor=2.1).ravel().tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert F.interpolate(line[None, ..., None, :], scale_factor=1.15).ravel().tolist() == [0, 0, 1, 2, 3, 4]
    image = np.broadcast_to(line[..., None, :], (1, 1, 2, 6))
    assert F.interpolate(image, scale_factor=1.15)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert F.interpolate(image, scale_factor=2.1)[0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_cubic_weights():
    """With a = −0.5 a ramp stays a ramp; with −0.75, halfway, the weights are −3/32, 19/32, 19/32, −3/32."""
    ramp = np.broadcast_to(np.arange(8, dtype=np.float64), (1, 1, 8, 8))
    (y,) = Resize((3,), (16,), mode="cubic", cubic_a=-0.5).reference(np, ramp)
    np.testing.assert_allclose(y[0, 0, 0, 4:12], np.arange(4, 12) / 2 - 0.25, rtol=1e-14)
    one = np.eye(8, dtype=f32).reshape(1, 1, 8, 8)
    y = F.interpolate(one, (8, 4), mode="bicubic")[0, 0]
    assert y[:, 1].tolist() == [0, -3 / 32, 19 / 32, 19 / 32, -3 / 32, 0, 0, 0]


def test_area_is_adaptive_pooling():
    assert F.interpolate(f32([[[1, 2, 3, 4, 5]]]), 3, mode="area").ravel().tolist() == [1.5, 3, 4.5]


@pytest.mark.parametrize(("mode", "pillow"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)])
@pytest.mark.parametrize("size", [(7, 5), (3, 20), (30, 26), (1, 1)])
def test_antialias_is_pillows(mode, pillow, size):
    """Pillow computes in doubles and stores float32 after each axis."""
    image = np.random.default_rng(0).standard_normal((19, 13)).astype(f32)
    y = F.interpolate(image[None, None], size, mode=mode, antialias=True)[0, 0]
    expected = np.asarray(Image.fromarray(image).resize(size[::-1], pillow))
    np.testing.assert_allclose(y, expected, atol=8 * np.finfo(f32).eps * np.abs(image).max())


def test_sizes_that_keep_the_aspect():
    assert aspect_sizes("stretch", (10, 20), (5, 5))[0] == (5, 5)
    assert aspect_sizes("not_larger", (10, 20), (5, 5))[0] == (3, 5)  # 2.5 rounds up
    assert aspect_sizes("not_smaller", (10, 20), (5, 5)) == ((5, 10), (0.5, 0.5))
