"""What is passed by mistake is refused with the op's name, what it takes and what came; and nothing warns about odd numbers."""

from __future__ import annotations

import numpy as np
import pytest

import gpucnn
from gpucnn import functional as F
from gpucnn import nn
from gpucnn.errors import ShapeError

X = np.ones((2, 4, 8, 8), np.float32)
ONES = np.ones(4, np.float32)

WRONG = {
    "no x": (lambda: F.conv2d(None, X), "conv2d: x must be an array, got None"),
    "no mean": (lambda: F.batch_norm(X, None, None), "batch_norm: mean must be an array, got None"),
    "no indices": (lambda: F.max_unpool2d(X, None, 2), "max_unpool2d: indices must be an array, got None"),
    "no y": (lambda: F.add(X, None), "add: y must be an array, got None"),
    "a word": (lambda: F.relu("abc"), "relu: takes arrays of numbers or bool, got <U3 (str)"),
    "objects": (lambda: F.relu(np.array([object()])), "relu: takes arrays of numbers or bool, got object"),
    "complex": (lambda: F.relu(np.ones(2, complex)), "relu: takes arrays of numbers or bool, got complex128"),
    "ragged": (lambda: F.relu([[1.0, 2.0], [3.0]]), "relu: an input is no array"),
    "no dim": (lambda: F.softmax(X, None), "softmax: dim must be a whole number, got None"),
    "a dim of words": (lambda: F.log_softmax(X, "1"), "log_softmax: dim must be a whole number, got '1'"),
    "half a dim": (lambda: F.glu(X, 0.5), "glu: dim must be a whole number, got 0.5"),
    "two dims": (lambda: F.normalize(X, dim=(1, 2)), "normalize: dim must be a whole number, got (1, 2)"),
    "flatten": (lambda: F.flatten(X, "1"), "flatten: start_dim must be a whole number, got '1'"),
    "half a size": (lambda: F.reshape(X, (2.5, -1)), "reshape: each of shape must be a whole number, got 2.5"),
    "one size": (lambda: F.reshape(X, 5), "reshape: shape must be a sequence of whole numbers, got 5"),
    "one axis": (lambda: F.permute(X, 1), "permute: dims must be a sequence of whole numbers, got 1"),
    "expand": (lambda: F.expand(X, 4), "expand: sizes must be a sequence of whole numbers, got 4"),
    "tile": (lambda: F.tile(X, 2), "tile: dims must be a sequence of whole numbers, got 2"),
    "unflatten": (lambda: F.unflatten(X, 1, 2), "unflatten: sizes must be a sequence of whole numbers, got 2"),
    "pad": (lambda: F.pad(X, 1), "pad: pad must be a sequence of whole numbers, got 1"),
    "pad with a word": (lambda: F.pad(X, (1, 1), value="0"), "pad: value must be a number, got '0'"),
    "pad bytes": (lambda: F.pad(np.zeros(3, np.uint8), (1, 1), value=-1), "pad: -1.0 is no uint8 number"),
    "pad integers": (lambda: F.pad(np.zeros(3, np.int32), (1, 1), value=0.5), "pad: 0.5 is no int32 number"),
    "slope": (lambda: F.leaky_relu(X, None), "leaky_relu: each parameter must be a number, got None"),
    "slopes": (lambda: F.elu(X, np.ones(3)), "elu: each parameter must be a number, got array"),
    "p": (lambda: F.lp_pool2d(X, "2", 2), "lp_pool2d: norm_type must be a number, got '2'"),
    "order": (lambda: F.norm(X, "fro"), "norm: the order must be a number, got 'fro'"),
    "eps": (lambda: F.group_norm(X, 2, eps=None), "group_norm: eps must be a number, got None"),
    "scale": (lambda: F.interpolate(X, scale_factor=(None, 2)), "interpolate: scale_factor must be a number, got None"),
    "no type": (lambda: F.cast(X, None), "cast: dtype must be bool, an integer type or a floating-point type, got None"),
    "no such type": (lambda: F.sum(X, dtype="foo"), "sum: dtype must be bool, an integer type or a floating-point type, got 'foo'"),
    "no tensors": (lambda: F.cat(None), "cat: tensors must be a sequence of arrays, got None"),
    "no tensor": (lambda: F.cat([X, None]), "cat: tensors must be a sequence of arrays"),
    "below 0": (lambda: F.one_hot(np.array([2, -1]), 3), "one_hot: x must lie in [0, 2], got -1 to 2"),
    "above": (lambda: F.one_hot(np.array([3, 1], np.uint8), 3), "one_hot: x must lie in [0, 2], got 1 to 3"),
    "a scalar": (lambda: F.sum(np.float32(1), 0), "sum: a scalar has no axis, dim is 0"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_misuse(call, message):
    with pytest.raises(ShapeError) as error:
        call()
    assert str(error.value).startswith(message)


def test_one_hot_in_a_net_refuses_negative_numbers_too():
    class Net(nn.Module):
        def forward(self, x):
            return F.one_hot(F.cast(x, np.int8), 200)

    with gpucnn.compile(Net(), (1, 2)) as model:
        right = np.array([[0, 3], [127, 1]])
        np.testing.assert_array_equal(model(right.astype(np.float32)), np.eye(200, dtype=np.int64)[right])
        with pytest.raises(ShapeError, match=r"gather: indices must lie in \[-200, 199\]"):
            model(np.float32([[0, -1]]))


ODD = {
    "negative variance": lambda x: F.batch_norm(x, 0 * ONES, -ONES, ONES, ONES),
    "infinite weights": lambda x: F.batch_norm(F.conv2d(x, np.full((4, 4, 1, 1), 3e38, np.float32)), ONES, 0 * ONES, 3e38 * ONES, eps=0),
    "slope beyond float32": lambda x: F.leaky_relu(x, 1e300),
    "eps beyond float32": lambda x: F.layer_norm(x, 8, eps=1e300),
    "threshold beyond float32": lambda x: F.softplus(x, 1e300, 1e300),
    "bound beyond float32": lambda x: F.hardshrink(x, 1e300),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("function", ODD.values(), ids=ODD)
def test_odd_parameters_do_not_warn(function):
    class Net(nn.Module):
        def forward(self, x):
            return function(x)

    function(X)
    with gpucnn.compile(Net(), X.shape) as model:
        for n in (1, 5):
            model(np.ones((n, 4, 8, 8), np.float32))
