"""What a model, a classifier and the caller may do to each other: nothing."""

import os
import signal
import time

import numpy as np
import pytest

import gpucnn
from gpucnn import functional as F
from gpucnn import nn, zoo
from gpucnn.backends.cpu import CpuBackend
from gpucnn.errors import GpucnnError, ModelError, ShapeError
from gpucnn.preprocess import Preprocess

RECORD = Preprocess((8, 8), 8, "nearest", (0.5,) * 3, (0.5,) * 3)


def images(n, *shape):
    return np.random.default_rng(n).standard_normal((n, *shape), np.float32)


def test_a_state_dict_may_change_after_loading():
    state = {name: images(1, *shape)[0] * 0.1 for name, shape in zoo.create("lenet5").state_shapes().items()}
    x = images(3, 1, 32, 32)
    with gpucnn.load("lenet5", weights=state) as model:
        before = model(x)
        for array in state.values():
            array *= 2
        np.testing.assert_array_equal(model(x), before)


def test_the_arrays_of_a_compiled_net_cannot_change():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
    net[0].weight[...] = 1.0  # before it is compiled, of course
    with gpucnn.compile(net, (1, 3, 8, 8)) as model:
        before = model(images(1, 3, 8, 8))
        with pytest.raises(ValueError, match="read-only"):
            net[2].weight[...] = 0
        net.load_state_dict({name: 0 * a for name, a in net.state_dict().items()})
        np.testing.assert_array_equal(model(images(1, 3, 8, 8)), before)
        assert not net(images(1, 3, 8, 8)).any()


def test_one_weight_under_two_norms_that_differ_in_eps_alone():
    weight, mean, var = images(4, 3, 1, 1), np.zeros(4, np.float32), np.full(4, 1e-3, np.float32)

    class Net(nn.Module):
        def forward(self, x):
            y, z = F.conv2d(x, weight), F.conv2d(F.tanh(x), weight)  # two, for the same would be computed once
            return F.batch_norm(y, mean, var, eps=1e-5), F.batch_norm(z, mean, var, eps=1e-1)

    x = images(2, 3, 5, 5)
    with gpucnn.compile(Net(), (1, 3, 5, 5)) as model:
        first, second = model(x)
        np.testing.assert_array_equal(model.run({"input": x}, ["output_1"])["output_1"], second)
        np.testing.assert_array_equal(model.run({"input": x}, ["output_0"])["output_0"], first)
        assert not np.allclose(first, second)


def test_a_generator_may_reuse_its_buffer():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def frames():
        frame = np.zeros((8, 8, 3), np.uint8)
        for channel in (0, 1, 2, 1):
            frame[...] = 0
            frame[..., channel] = 255
            yield frame

    options = {"preprocess": RECORD, "labels": ["r", "g", "b"], "top": 1}
    with gpucnn.compile(net, (1, 3, 8, 8)) as model, gpucnn.Classifier(model, **options) as classifier:
        assert [result.predictions[0].label for result in classifier.predict(frames())] == ["r", "g", "b", "g"]


@pytest.mark.parametrize(
    "tail",
    [
        (nn.Flatten(), nn.Softmax(1)),
        (nn.Softmax(1), nn.Flatten()),
        (nn.Softmax(1),),
        (nn.Flatten(), nn.Softmax(1), nn.Dropout()),
        (nn.Flatten(), nn.Sigmoid()),
        (nn.Sigmoid(), nn.Flatten(), nn.Identity()),
    ],
)
def test_no_second_softmax(tail):
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), *tail)
    photo = np.full((1, 8, 8, 3), 200, np.uint8)
    photo[..., 0] = 10
    with gpucnn.compile(net, (1, 3, 8, 8)) as model:
        own = model(((photo.transpose(0, 3, 1, 2) / np.float32(255) - 0.5) / 0.5).astype(np.float32)).reshape(1, 3)
        np.testing.assert_allclose(model.scorer(RECORD)(photo), own, rtol=1e-5)


@pytest.mark.parametrize(("tail", "activation"), [((), "softmax"), ((nn.Softmax(1),), "auto")])
def test_softmax_of_one_output_is_refused(tail, activation):
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1), *tail)
    with gpucnn.compile(net, (1, 3, 8, 8)) as model, pytest.raises(ModelError, match="one output a photograph.*activation='sigmoid'"):
        model.scorer(RECORD, activation)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_can_run_a_used_model():
    net, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), images(16, 3, 8, 8)
    with gpucnn.compile(net, (1, 3, 8, 8)) as model:
        expected = model(x)
        child = os.fork()
        if child == 0:
            os._exit(0 if (model(x) == expected).all() and (model(x[:1]) == model(x[:1])).all() else 1)
        end = time.monotonic() + 30
        while (done := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
            time.sleep(0.01)
        if done[0] == 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert done == (child, 0)


def test_a_single_image_does_not_wait_for_a_stream_of_batches():
    """A latency call gets its turn although throughput calls never leave the model idle."""
    import threading

    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU())
    with gpucnn.compile(net, (1, 3, 32, 32)) as model:
        model(images(16, 3, 32, 32))
        stop = threading.Event()

        def stream():
            while not stop.is_set():
                model(images(16, 3, 32, 32))

        threads = [threading.Thread(target=stream) for _ in range(3)]
        for thread in threads:
            thread.start()
        answered = threading.Event()
        single = threading.Thread(target=lambda: (model(images(1, 3, 32, 32)), answered.set()))
        single.start()
        arrived = answered.wait(20)
        stop.set()
        for thread in (*threads, single):
            thread.join(20)
        assert arrived


def test_habits_from_elsewhere():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.01), nn.ReLU(inplace=True), nn.Dropout(0.1, inplace=True))
    assert [type(layer).__name__ for layer in net[1:3]] == ["BatchNorm2d", "ReLU"]
    assert "weight" not in nn.BatchNorm2d(4, affine=False).state_dict()
    x = images(2, 3, 4, 4)
    assert F.mul(x, 0.5).dtype == np.float32
    np.testing.assert_array_equal(F.add(1, x), x + np.float32(1))
    with gpucnn.compile(net, (1, 3, 4, 4)) as model:
        with pytest.raises(ShapeError, match="mapping of input names"):
            model.run(None, {"input": x})
        with pytest.raises(ShapeError, match=r"write \['output'\]"):
            model.run({"input": x}, "output")


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda x: x.mean(), "no 'mean'.*gpucnn.functional"),
        (lambda x: x.flatten(1), "no 'flatten'.*F.flatten"),
        (lambda x: x[:, [0, 2]], "takes whole numbers, slices.*functional.index_select"),
    ],
)
def test_a_symbolic_value_says_how_it_is_spelt(forward, said):
    class Net(nn.Module):
        pass

    Net.forward = lambda self, x: forward(x)
    with pytest.raises((AttributeError, GpucnnError), match=said):
        gpucnn.compile(Net(), (1, 3, 4, 4))


@pytest.mark.parametrize(
    "call",
    [
        lambda: gpucnn.load(None),
        lambda: gpucnn.load("lenet5", weights=3),
        lambda: gpucnn.load("efficientnet_lite0", labels=5),
        lambda: gpucnn.load("efficientnet_lite0", preprocess={"size": 224}),
        lambda: gpucnn.load("efficientnet_lite0", device=None),
        lambda: Preprocess(size=224),
        lambda: Preprocess(size=(224.0, 224.0)),
        lambda: zoo.create(None),
        lambda: zoo.create("lenet5", num_classes="10"),
        lambda: nn.ReLU().load_state_dict(None),
        lambda: gpucnn.compile(nn.ReLU(), 3),
        lambda: F.hardtanh(np.zeros(3, np.uint8)),
        lambda: F.conv2d(images(1, 4, 4, 4), images(4, 2, 1, 1), groups=1.7),
        lambda: F.avg_pool2d(images(1, 4, 4, 4), 2, divisor_override="2"),
    ],
)
def test_misuse_is_an_error_of_ours(call):
    with pytest.raises(GpucnnError):
        call()


def test_a_window_larger_than_the_input_under_ceil_mode():
    """As PyTorch: one window, where it is larger by less than the stride."""
    x = np.float32([[[[1, 2], [3, 4]]]])
    np.testing.assert_array_equal(F.max_pool2d(x, 3, 2, ceil_mode=True), [[[[4]]]])
    np.testing.assert_array_equal(F.avg_pool2d(x, 3, 2, ceil_mode=True), [[[[2.5]]]])
    with pytest.raises(ShapeError, match="kernel reaches over 3 pixels"):
        F.max_pool2d(x, 3, 2)
    with pytest.raises(ShapeError, match="kernel reaches over 4 pixels"):
        F.max_pool2d(x, 4, 2, ceil_mode=True)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 3e38, 0])
def test_a_weight_without_sense_does_not_decide_for_others_of_its_shape(fill, monkeypatch):
    """Whether places agree is remembered by shape: sums of NaN, infinities or zeros are alike in any order."""

    def matmul(x, weight):  # adds the last row of a product backwards
        terms = x[:, :, None] * weight
        y = terms.cumsum(1, np.float32)[:, -1]
        y[-1] = terms[-1, ::-1].cumsum(0, np.float32)[-1]
        return y

    monkeypatch.setattr(np, "matmul", matmul)
    backend = CpuBackend()
    weight = images(1, 64, 33)[0]
    spoilt = np.full_like(weight, fill)
    assert not backend.places_agree(3, 5, spoilt)
    assert not backend.places_agree(3, 5, weight)
    part = weight.copy()
    part[0] = fill
    assert not CpuBackend().places_agree(3, 5, part)


@pytest.mark.parametrize("columns", [1, 2, 5, 12, 16])
def test_a_blas_is_found_out_whose_last_results_are_added_in_another_order(columns, monkeypatch):
    """However few they are: then an image would not have the same bits at every place in a product of several."""
    last = columns & -columns  # as many as the kernel of the last columns has

    def matmul(x, weight):
        terms = x[:, :, None] * weight
        y = terms.cumsum(1, np.float32)[:, -1]
        if odd:
            y[-1, -last:] = terms[-1, ::-1, -last:].cumsum(0, np.float32)[-1]
        return y

    monkeypatch.setattr(np, "matmul", matmul)
    for depth in range(10, 200, 10):
        for odd in (False, True):
            for weight in (images(depth, columns), np.zeros((depth, columns), np.float32)):
                assert CpuBackend().places_agree(3, 2, weight) != odd


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_bits_depend_neither_on_the_batch_nor_on_workers(name):
    """Of networks whose layers are Winograd's, phases and panels: 64 images, each at another place of a block."""
    entry = zoo.entry(name)
    random = np.random.default_rng(1)
    crowd = [random.integers(0, 256, (*entry.preprocess.size, 3), np.uint8) for _ in range(64)]
    with gpucnn.compile(zoo.create(name), (1, 3, 224, 224), device="cpu") as net:
        kinds = {step.impl.name.split("/")[0] for step in net.plan(64).steps}
        assert kinds & {"conv_winograd4", "conv_winograd2"}

        def bits(batch_size, workers):
            classifier = gpucnn.Classifier(net, preprocess=entry.preprocess, batch_size=batch_size, workers=workers, top=1000)
            return [sorted((p.index, p.probability) for p in result.predictions) for result in classifier.predict(crowd)]

        alone = bits(1, 1)
        assert len({str(row) for row in alone}) == 64
        for batch_size, workers in ((7, 2), (64, 1), (64, 2), ("auto", 4)):
            assert bits(batch_size, workers) == alone, (batch_size, workers)
