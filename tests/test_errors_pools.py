"""Wrong use of a pool says which, what was expected, what came, and all shapes."""

from __future__ import annotations

import numpy as np
import pytest

from gpucnn import functional as F
from gpucnn import nn
from gpucnn.errors import ShapeError
from gpucnn.ops import AdaptiveMaxPool, FractionalMaxPool, GlobalLpPool, LpPool, MaxUnpool
from gpucnn.spec import spec_of

X = np.zeros((2, 6, 5, 7), np.float32)
LINE, CUBE = X[..., 0], X[..., None]
BEST, PLACES = F.max_pool2d(X, 2, return_indices=True)


def samples(*shape: int, value: float = 0.5) -> np.ndarray:
    return np.full(shape, value)


WRONG = {
    "max_pool1d rank": (lambda: F.max_pool1d(X, 2), "max_pool1d: x must have 3 axes (n, c, …), got 4", "x 2×6×5×7"),
    "max_pool3d rank": (lambda: F.max_pool3d(X, 2), "max_pool3d: x must have 5 axes (n, c, …), got 4"),
    "max_pool1d kernel": (lambda: F.max_pool1d(LINE, (2, 2)), "max_pool1d: kernel_size must be an int or (length,), got (2, 2)"),
    "max_pool3d stride": (lambda: F.max_pool3d(CUBE, 1, (1, 2)), "max_pool3d: stride must be an int or (depth, height, width), got (1, 2)"),
    "max_pool3d padding": (
        lambda: F.max_pool3d(CUBE, 1, padding=((0, 1), (1, 0))),
        "max_pool3d: padding (pixels, (depth, height, width) or ((front, back), (top, bottom), (left, right)))",
        "got ((0, 1), (1, 0))",
    ),
    "max_pool2d padding by sides": (
        lambda: F.max_pool2d(X, 2, padding=((0, 1), (1, 0, 2))),
        "max_pool2d: padding must be ((top, bottom), (left, right)) where it is given by sides, got ((0, 1), (1, 0, 2))",
    ),
    "max_pool2d half a pixel": (
        lambda: F.max_pool2d(X, 2, padding=((0, 0.5), (1, 0))), "max_pool2d: padding must be a whole number, got 0.5"
    ),
    "avg_pool1d type": (lambda: F.avg_pool1d(LINE.astype(int), 2), "avg_pool1d: x must be floating point, got int64"),
    "lp_pool2d type": (lambda: F.lp_pool2d(X.astype(int), 2, 2), "lp_pool2d: x must be floating point, got int64"),
    "lp_pool2d norm": (lambda: F.lp_pool2d(X, 0, 2), "lp_pool2d: norm_type must be a finite number above 0, got 0.0"),
    "lp_pool2d infinite norm": (lambda: F.lp_pool2d(X, np.inf, 2), "lp_pool2d: norm_type must be", "got inf", "max_pool of |x|"),
    "lp_pool2d kernel": (lambda: F.lp_pool2d(X, 2, 6), "lp_pool2d: the kernel reaches over 6 pixels, the padded input has 5"),
    "lp_pool2d rank": (lambda: F.lp_pool2d(LINE, 2, 2), "lp_pool2d: x must have 4 axes (n, c, …), got 3"),
    "lp_pool axes": (lambda: LpPool((2, 2), (2,)), "lp_pool2d: stride (2,) must have one value a spatial axis, kernel_size has 2"),
    "global lp": (lambda: F.global_lp_pool2d(X, -1), "global_lp_pool: norm_type must be a finite number above 0, got -1.0"),
    "global lp type": (lambda: F.global_lp_pool2d(X.astype(int)), "global_lp_pool: x must be floating point, got int64"),
    "global lp empty": (lambda: F.global_lp_pool2d(X[:, :, :0]), "global_lp_pool: the map is empty", "x 2×6×0×7"),
    "global max empty": (lambda: F.global_max_pool2d(X[:, :, :0]), "global_max_pool: the map is empty", "x 2×6×0×7"),
    "global max type": (lambda: F.global_max_pool2d(X > 0), "global_max_pool: x must be a number, got bool"),
    "global min type": (lambda: F.global_min_pool2d(X > 0), "global_min_pool: x must be a number, got bool"),
    "global max rank": (lambda: F.global_max_pool2d(LINE), "global_max_pool2d: x must have 4 axes (n, c, …), got 3", "x 2×6×5"),
    "global min rank": (lambda: F.global_min_pool3d(X), "global_min_pool3d: x must have 5 axes (n, c, …), got 4"),
    "global max of a row": (lambda: F.global_max_pool1d(X), "global_max_pool1d: x must have 3 axes (n, c, …), got 4"),
    "global of anything": (lambda: GlobalLpPool().infer(spec_of(X[0, 0])), "global_lp_pool: x needs at least 3 axes, got shape 5×7"),
    "adaptive max size": (lambda: F.adaptive_max_pool2d(X, 0), "adaptive_max_pool2d: output_size must be at least 1, got (0, 0)"),
    "adaptive max sizes": (
        lambda: F.adaptive_max_pool2d(X, (2, 3, 4)), "adaptive_max_pool2d: output_size must be an int or (height, width), got (2, 3, 4)"
    ),
    "adaptive max rank": (lambda: F.adaptive_max_pool2d(LINE, (None, 2)), "adaptive_max_pool2d: x must have 4 axes (n, c, …), got 3"),
    "adaptive max empty": (lambda: F.adaptive_max_pool2d(X[:, :, :0], 2), "adaptive_max_pool2d: the map is empty", "x 2×6×0×7"),
    "adaptive of no line": (lambda: F.adaptive_avg_pool2d(X[:, :, :0], (None, 2)), "adaptive_avg_pool2d: output_size must be at least 1"),
    "adaptive max type": (lambda: AdaptiveMaxPool((2, 3)).infer(spec_of(X > 0)), "adaptive_max_pool2d: x must be a number, got bool"),
    "fractional too many": (
        lambda: F.fractional_max_pool2d(X, (2, 3), (5, 5)),
        "fractional_max_pool2d: 5×5 windows of 2×3 need at least 6×7 pixels (output_size + kernel_size − 1); ask for fewer",
        "x 2×6×5×7",
    ),
    "fractional neither": (lambda: F.fractional_max_pool2d(X, 2), "give one of output_size and output_ratio, got None"),
    "fractional both": (lambda: F.fractional_max_pool2d(X, 2, 2, 0.5), "give one of output_size and output_ratio, got 2 and 0.5"),
    "fractional ratio": (
        lambda: F.fractional_max_pool2d(X, 2, output_ratio=(0.5, 1.0)),
        "fractional_max_pool2d: output_ratio must lie between 0 and 1, one for all or one for each of 2 axes, got (0.5, 1.0)",
    ),
    "fractional ratios": (lambda: F.fractional_max_pool2d(X, 2, output_ratio=(0.5,)), "output_ratio must lie", "got (0.5,)"),
    "fractional no window": (
        lambda: F.fractional_max_pool2d(X, 2, output_ratio=0.1), "fractional_max_pool2d: output_size must be at least 1, got (0, 0)"
    ),
    "fractional kernel": (lambda: F.fractional_max_pool2d(X, 0, 2), "fractional_max_pool2d: kernel_size must be at least 1, got (0, 0)"),
    "fractional rank": (lambda: F.fractional_max_pool2d(LINE, 2, 2), "fractional_max_pool2d: x must have 4 axes (n, c, …), got 3"),
    "fractional samples": (
        lambda: F.fractional_max_pool2d(X, 2, 3, samples=samples(2, 6, 3)),
        "fractional_max_pool2d: samples must be 2×6×2, or 1×6×2 for all images",
        "x 2×6×5×7",
        "samples 2×6×3",
    ),
    "fractional samples of 3": (lambda: F.fractional_max_pool3d(CUBE, 1, 1, samples=samples(2, 6, 2)), "samples must be 2×6×3, or 1×6×3"),
    "fractional samples outside": (
        lambda: F.fractional_max_pool2d(X, 2, 3, samples=samples(1, 6, 2, value=1.0)),
        "fractional_max_pool2d: samples must lie in [0, 1), got 1.0 to 1.0",
    ),
    "fractional NaN": (lambda: F.fractional_max_pool2d(X, 2, 3, samples=samples(1, 6, 2, value=np.nan)), "must lie in [0, 1), got nan"),
    "fractional whole samples": (
        lambda: F.fractional_max_pool2d(X, 2, 3, samples=np.zeros((1, 6, 2), int)),
        "fractional_max_pool2d: samples must be floating point, got int64",
    ),
    "fractional seed": (lambda: F.fractional_max_pool2d(X, 2, 3, seed=-1), "fractional_max_pool2d: seed must not be negative, got -1"),
    "fractional half a seed": (lambda: F.fractional_max_pool2d(X, 2, 3, seed=0.5), "seed must be a whole number, got 0.5"),
    "fractional type": (lambda: F.fractional_max_pool2d(X > 0, 2, 3), "fractional_max_pool2d: x must be a number, got bool"),
    "fractional axes": (lambda: FractionalMaxPool((2, 2), (3,)), "output_size (3,) must have one value a spatial axis, kernel_size has 2"),
    "unpool shapes": (
        lambda: F.max_unpool2d(X, PLACES, 2),
        "max_unpool2d: every value needs an index: the shapes must agree",
        "x 2×6×5×7",
        "indices 2×6×2×3",
    ),
    "unpool type": (lambda: F.max_unpool2d(BEST, BEST, 2), "max_unpool2d: indices must be whole numbers, got float32"),
    "unpool rank": (lambda: F.max_unpool2d(LINE, LINE, 2), "max_unpool2d: x must have 4 axes (n, c, …), got 3"),
    "unpool size": (
        lambda: F.max_unpool2d(BEST, PLACES, 2, output_size=(5, 8)),
        "max_unpool2d: output_size must lie between (3, 5) and (5, 7) for these windows, got (5, 8)",
    ),
    "unpool sizes": (
        lambda: F.max_unpool2d(BEST, PLACES, 2, output_size=(5,)), "max_unpool2d: output_size must be an int or (height, width), got (5,)"
    ),
    "unpool places": (
        lambda: F.max_unpool2d(BEST, PLACES + 20, 2), "max_unpool2d: indices lie in 20 to 38, the plane of 4×6 has 24 places"
    ),
    "unpool negative": (lambda: MaxUnpool((-1, 2)), "max_unpool2d: output_size must not be negative, got (-1, 2)"),
    "unpool by a large padding": (lambda: F.max_unpool2d(BEST, PLACES, 2, padding=3), "max_unpool2d: output_size must not be negative"),
    "a layer": (lambda: nn.LPPool2d(2, 9)(X), "lp_pool2d: the kernel reaches over 9 pixels"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "parts"), [pytest.param(v[0], v[1:], id=k) for k, v in WRONG.items()])
def test_message_says_what_is_wrong(call, parts):
    with pytest.raises(ShapeError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
