"""Products of matrices and einsum: by hand, at random against NumPy, batches and their bits, in nets, and what wrong use is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_graphs import PROFILE
from test_nn import Apply, expected
from truth import Planned, assert_true, draw_feeds, record, truth, verify

import gpucnn
from gpucnn import functional as F
from gpucnn import nn
from gpucnn.errors import GpucnnError, ShapeError
from gpucnn.ops import Einsum, MatMul
from gpucnn.passes import PASSES_FLOAT16, SIMPLIFY, lower_precision
from gpucnn.spec import spec_of

f32 = np.float32
RNG = np.random.default_rng(5)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(f32)


# -- by hand


def test_matrices_by_hand():
    x, y = f32([[1, 2], [3, 4]]), f32([[5, 6], [7, 8]])
    assert F.matmul(x, y).tolist() == [[19, 22], [43, 50]]
    assert F.matmul(x[0], y).tolist() == [19, 22]
    assert F.matmul(x, y[0]).tolist() == [17, 39]
    assert F.matmul(x[0], y[0]) == 17
    assert F.bmm(np.stack([x, y]), np.stack([y, x]))[:, 0].tolist() == [[19, 22], [23, 34]]


@pytest.mark.parametrize(
    ("equation", "value"),
    [
        ("ij->i", [3, 7]),
        ("ij->ji", [[1, 3], [2, 4]]),
        ("ij", [[1, 2], [3, 4]]),
        ("ba", [[1, 3], [2, 4]]),  # sorted
        ("ii", 5),
        ("ii->i", [1, 4]),
        ("ij->", 10),
        ("...", [[1, 2], [3, 4]]),
        ("...a->a...", [[1, 3], [2, 4]]),
        ("...a->a", [4, 6]),
        ("a...->...", [4, 6]),
    ],
)
def test_one_operand_by_hand(equation, value):
    assert F.einsum(equation, f32([[1, 2], [3, 4]])).tolist() == value


def test_sixteen_bits_are_summed_in_thirty_two():
    ones = np.ones((1, 4096), np.float16)
    assert F.matmul(ones, ones.T).item() == 4096
    assert F.einsum("ij,ij->i", ones, ones).item() == 4096


def test_integers_wrap_as_numpys_do():
    x = np.full((1, 4), 200, np.uint8)
    assert F.matmul(x, x.T).item() == 4 * 200 * 200 % 256
    assert F.einsum("ij,ij->", x.astype(np.int64), x.astype(np.int64)).item() == 160_000


# -- at random: small whole numbers, whose sums are exact


def whole(rng, shape):
    return rng.integers(-4, 5, shape).astype(f32)


@st.composite
def equations(draw, least=1):
    """An equation that NumPy takes too, shapes for it, and whether there are ellipses."""
    letters = draw(st.lists(st.sampled_from("aibQzK"), min_size=1, max_size=5, unique=True))
    sizes = {c: draw(st.integers(least, 4)) for c in letters}
    dotted = draw(st.booleans())
    front = [draw(st.integers(least, 3)) for _ in range(draw(st.integers(0, 2)))] if dotted else []
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        term = "".join(draw(st.lists(st.sampled_from(letters), max_size=4)))
        shape = [sizes[c] for c in term]
        if dotted and draw(st.booleans()):
            own = front[draw(st.integers(0, len(front))) :]
            own = [draw(st.sampled_from([n, 1])) if least == 1 else n for n in own]
            at = draw(st.integers(0, len(term)))
            term, shape = f"{term[:at]}...{term[at:]}", [*shape[:at], *own, *shape[at:]]
        elif least == 1 and len(set(term)) == len(term) and draw(st.booleans()):
            shape = [draw(st.sampled_from([n, 1])) for n in shape]
        terms.append(term)
        shapes.append(tuple(shape))
    equation = ",".join(terms)
    if draw(st.booleans()):
        known = sorted(set(equation) - set(",."))
        result = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
        at = draw(st.integers(0, len(result)))
        equation += "->" + "".join([*result[:at], *(["..."] if "..." in equation else []), *result[at:]])
    return equation, shapes


@PROFILE
@given(equations(), st.integers(0, 9))
def test_einsum_equals_numpys(made, seed):
    equation, shapes = made
    rng = np.random.default_rng(seed)
    arrays = [whole(rng, s) for s in shapes]
    right = np.einsum(equation, *(a.astype(np.float64) for a in arrays))
    y = F.einsum(equation, *arrays)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, right)


@st.composite
def factors(draw, least=1):
    """Shapes of two factors that fit."""
    m, k, n = (draw(st.integers(least, 9)) for _ in range(3))
    front = [draw(st.integers(least, 3)) for _ in range(draw(st.integers(0, 2)))]

    def some() -> list[int]:
        kept = front[draw(st.integers(0, len(front))) :]
        return [draw(st.sampled_from([s, 1])) if least == 1 else s for s in kept]

    x = draw(st.sampled_from([(k,), (*some(), m, k), (*some(), m, k)]))
    y = draw(st.sampled_from([(k,), (*some(), k, n), (*some(), k, n)]))
    return x, y


@PROFILE
@given(factors(), st.integers(0, 9), st.booleans())
def test_matmul_equals_numpys(shapes, seed, turned):
    rng = np.random.default_rng(seed)
    x, y = (whole(rng, s) for s in shapes)
    y = np.asfortranarray(y) if turned else y
    np.testing.assert_array_equal(F.matmul(x, y), np.matmul(x.astype(np.float64), y.astype(np.float64)))


def keeps(op, batched, arrays):
    """Whether row i of the result is what row i of the batched operands alone gives."""
    whole_result = op.reference(np, *arrays)[0]
    if not whole_result.ndim:
        return False
    rows = next(a.shape[0] for a, b in zip(arrays, batched) if b)
    for i in range(rows):
        try:
            alone = op.reference(np, *(a[i : i + 1] if b else a for a, b in zip(arrays, batched)))[0]
        except (ShapeError, ValueError):
            return False
        row = whole_result[i : i + 1]
        if alone.shape != row.shape or not np.allclose(alone, row):
            return False
    return whole_result.shape[0] == rows


@PROFILE
@given(st.one_of(equations(least=2), factors(least=2)), st.data())
def test_whether_a_batch_is_kept_is_known_exactly(made, data):
    op, shapes = (Einsum(made[0]), made[1]) if isinstance(made[0], str) else (MatMul(), made)
    arrays = [RNG.standard_normal(s) for s in shapes]
    batched = tuple(a.ndim > 0 and data.draw(st.booleans()) for a in arrays)
    rows = {a.shape[0] for a, b in zip(arrays, batched) if b}
    assume(len(rows) == 1)
    assert op.keeps_batch(batched, *map(spec_of, arrays)) == keeps(op, batched, arrays)


# -- batches


PER_IMAGE = {
    "rows": (lambda x: F.matmul(x, W), (24,)),
    "stack and matrix": (lambda x: F.matmul(x, W), (5, 24)),
    "stacks": (lambda x: F.matmul(x, F.permute(x, (0, 2, 1))), (5, 24)),
    "einsum of rows": (lambda x: F.einsum("nc,ck->nk", x, W), (24,)),
    "einsum of stacks": (lambda x: F.einsum("nqd,nkd->nqk", x, x), (5, 24)),
    "bilinear": (lambda x: F.bilinear(x, x, W3), (24,)),
}
W, W3 = w(24, 10), w(3, 24, 24)  # the same at every recording, as a net's are


@pytest.mark.parametrize(("function", "shape"), PER_IMAGE.values(), ids=PER_IMAGE)
def test_an_images_bits_do_not_depend_on_the_batch(function, shape):
    x = w(64, *shape)
    with gpucnn.compile(Apply(function), (1, *shape)) as model:
        whole_result = model(x)
        for n in (4, 7):
            np.testing.assert_array_equal(model(x[:n]).view(np.uint32), whole_result[:n].view(np.uint32))
            np.testing.assert_array_equal(model(x[-n:]).view(np.uint32), whole_result[-n:].view(np.uint32))
        assert "reference" not in {step.impl.name for step in model.plan().steps}


MIXING = {
    "the batch is summed over": lambda x: F.matmul(F.permute(x, (1, 0)), x),
    "every row with every row": lambda x: F.matmul(x, F.permute(x, (1, 0))),
    "einsum over the batch": lambda x: F.einsum("nc,nk->ck", x, x),
    "the batch behind": lambda x: F.einsum("nc->cn", x),
    "diagonal": lambda x: F.einsum("nc,mc->n", x, x),
}


@pytest.mark.parametrize("function", MIXING.values(), ids=MIXING)
def test_nets_that_mix_the_batch_run_it_whole(function):
    with gpucnn.compile(Apply(function), (4, 6)) as made:
        for n in (1, 3, 5, 9):
            x = w(n, 6)
            np.testing.assert_allclose(made(x), function(x), rtol=0, atol=64 * 6 * np.finfo(f32).eps * np.abs(x).max() ** 2 * n)


# -- nets


class Attention(nn.Module):
    """One head, written with operators."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        weights = F.softmax(F.mul(F.matmul(q, F.permute(k, (0, 2, 1))), 8**-0.5), -1)
        return F.matmul(weights, v)


def test_attention_in_a_model():
    net, x = Attention(), w(5, 7, 8)
    exact = expected(net, x)["0"]
    assert_true(net(x), exact)
    with gpucnn.compile(net, (1, 7, 8)) as model:
        assert_true(model(x), exact)
        assert "reference" not in model.describe()


def test_operators_of_symbolic_values():
    left, right = w(3, 5), w(5, 4)
    verify(record(lambda x: (x @ right, left @ x), (5, 5)))


def test_bilinear_in_a_model():
    net, x = nn.Bilinear(6, 4, 3), (w(5, 6), w(5, 4))
    right = np.einsum("ni,oij,nj->no", x[0].astype(float), net.weight, x[1]) + net.bias
    np.testing.assert_allclose(net(*x), right, rtol=0, atol=64 * 24 * np.finfo(f32).eps)
    graph = record(lambda a, b: F.bilinear(a, b, net.weight, net.bias), (5, 6), (5, 4))
    assert "einsum" in {node.op.name for node in graph.nodes}
    verify(graph)
    assert nn.Bilinear(6, 4, 3, bias=False)(*x).shape == (5, 3)


def test_a_bias_and_an_activation_behind_a_product():
    verify(record(lambda x: F.relu(F.matmul(x, w(7, 6)) + w(6)), (2, 5, 7)))


def test_channels_last_maps_are_put_in_order():
    weight, kernel = w(6, 6), w(6, 4, 3, 3)
    made = verify(record(lambda x: F.matmul(F.relu(F.conv2d(x, kernel, padding=1)), weight), (2, 4, 5, 6)))
    assert made.ops == ["reorder", "conv2d", "reorder", "linear"]


@pytest.mark.parametrize("forward", [lambda x: F.matmul(x, F.permute(x, (0, 2, 1))), lambda x: F.einsum("nij,nkj->nik", x, x)])
def test_both_sides_are_lowered(forward):
    graph = record(forward, (2, 5, 7))
    for one in (*SIMPLIFY, lower_precision):
        one(graph)
    product = next(node for node in graph.nodes if isinstance(node.op, (MatMul, Einsum)))
    assert {v.dtype for v in (*product.inputs, *product.outputs)} == {np.dtype(np.float16)}
    graph = record(forward, (2, 5, 7))
    feeds = draw_feeds(graph)
    exact = truth(graph, feeds, np.float16)["0"]
    assert_true(Planned(record(forward, (2, 5, 7)), passes=PASSES_FLOAT16).run(feeds)["0"], exact)


# -- errors


def z(*shape: int, dtype: object = f32):
    return np.zeros(shape, dtype)


WRONG = {
    "matmul inner": (lambda: F.matmul(z(2, 3), z(4, 5)), "matmul: the last axis of x has 3 elements, the axis before the last of y has 4"),
    "matmul vector": (lambda: F.matmul(z(2, 3), z(4)), "the last axis of x has 3 elements, y has 4", "x 2×3", "y 4"),
    "matmul stacks": (lambda: F.matmul(z(2, 3, 4), z(3, 4, 5)), "matmul: the axes in front of the matrices do not broadcast", "x 2×3×4"),
    "matmul scalar": (lambda: F.matmul(z(), z(3)), "matmul: x needs at least 1 axes"),
    "matmul dtype": (lambda: F.matmul(z(2, 3), z(3, 4, dtype=float)), "matmul: y is float64 where x is float32"),
    "matmul bool": (lambda: F.matmul(z(2, 3, dtype=bool), z(3, 4, dtype=bool)), "matmul: x must be a number, got bool"),
    "bmm": (lambda: F.bmm(z(2, 3, 4), z(4, 5)), "bmm: x must be (b, m, k) and y (b, k, n), got 2×3×4 and 4×5; matmul broadcasts"),
    "bmm stacks": (lambda: F.bmm(z(1, 3, 4), z(2, 4, 5)), "bmm:", "got 1×3×4 and 2×4×5"),
    "no equation": (lambda: F.einsum(z(2, 3), z(3, 4)), "einsum: the equation must be a string such as 'ij,jk->ik'"),
    "odd letter": (lambda: F.einsum("ij,j1->i", z(2, 3), z(3, 4)), "may hold letters, '...', ',' and one '->', got '1' in 'ij,j1->i'"),
    "two dots": (lambda: F.einsum("..i->i", z(2, 3)), "at most one ellipsis of three dots a term, got '.'"),
    "two ellipses": (lambda: F.einsum("...i...->i", z(2, 3)), "at most one ellipsis of three dots a term"),
    "two arrows": (lambda: F.einsum("ij->i->j", z(2, 3)), "may hold one '->', got 2"),
    "half an arrow": (lambda: F.einsum("ij>i", z(2, 3)), "got '>'"),
    "two results": (lambda: F.einsum("ij->i,j", z(2, 3)), "there is one result, so no ',' behind '->'"),
    "unknown in the result": (lambda: F.einsum("ij->ik", z(2, 3)), "index 'k' of the result is not in any operand"),
    "twice in the result": (lambda: F.einsum("ij->ii", z(2, 3)), "index 'i' is twice in the result"),
    "too few operands": (lambda: F.einsum("ij,jk->ik", z(2, 3)), "'ij,jk->ik' is for 2 operands, got 1"),
    "no operands": (lambda: F.einsum("ij,jk->ik"), "is for 2 operands, got 0"),
    "too few axes": (lambda: F.einsum("ijk->i", z(2, 3)), "'ijk' names 3 axes, operand 0 has 2 ('ijk->i', operands 2×3)"),
    "too many axes": (lambda: F.einsum("i,j->ij", z(2), z(3, 4)), "'j' names 1 axes, operand 1 has 2"),
    "too few axes beside an ellipsis": (lambda: F.einsum("...ijk->i", z(2, 3)), "'...ijk' names at least 3 axes, operand 0 has 2"),
    "sizes": (lambda: F.einsum("ij,jk->ik", z(2, 3), z(4, 5)), "index 'j' has 4 elements in operand 1, and 3 before", "operands 2×3, 4×5"),
    "diagonal": (lambda: F.einsum("ii->i", z(2, 3)), "index 'i' is twice on operand 0, with 2 and with 3 elements"),
    "diagonal of 1": (lambda: F.einsum("ii->i", z(1, 3)), "index 'i' is twice on operand 0, with 1 and with 3 elements"),
    "ellipses": (lambda: F.einsum("...i,...i->...", z(2, 3), z(4, 3)), "an axis of '...' has 4 elements in operand 1, and 2 before"),
    "dtypes": (lambda: F.einsum("i,i->", z(2), z(2, dtype=float)), "einsum: operands[1] is float64 where operands[0] is float32"),
    "bilinear": (lambda: F.bilinear(z(2, 3), z(2, 4), z(5, 4, 3)), "bilinear: x1 must be (…, in1)", "got 2×3, 2×4 and 5×4×3"),
    "bilinear rows": (lambda: F.bilinear(z(2, 3), z(1, 4), z(5, 3, 4)), "bilinear: x1 must be (…, in1)", "got 2×3, 1×4 and 5×3×4"),
    "bilinear bias": (lambda: F.bilinear(z(2, 3), z(2, 4), z(5, 3, 4), z(4)), "bilinear: bias must have shape 5, one value an output"),
}


@pytest.mark.parametrize(("call", "parts"), [pytest.param(v[0], v[1:], id=k) for k, v in WRONG.items()])
def test_message_says_what_is_wrong(call, parts):
    with pytest.raises(GpucnnError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_more_axes_than_letters():
    with pytest.raises(ShapeError, match="there are 52 letters, too few for all axes"):
        Einsum("...abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ").explicit((1,) * 53)
