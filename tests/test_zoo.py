from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from gpucnn import zoo
from gpucnn.errors import ModelError
from gpucnn.zoo.mobilenet import round_channels
from gpucnn.zoo.resnet import BasicBlock, ResNet

TORCHVISION = json.loads((Path(__file__).parent / "data" / "torchvision_states.json").read_text("utf-8"))


def zeros(name: str, **sizes: int) -> dict[str, np.ndarray]:
    """A state dict that takes no memory."""
    return {k: np.broadcast_to(np.float32(0), shape) for k, shape in zoo.create(name, **sizes).state_shapes().items()}


@pytest.mark.parametrize("name", zoo.ENTRIES)
def test_parameters_are_the_published_count(name):
    entry = zoo.ENTRIES[name]
    assert zoo.create(name).num_parameters() == entry.parameters


def test_all_of_torchvisions_convolutional_classifiers_are_there():
    ours = {name for name in zoo.ENTRIES if name != "lenet5" and "lite" not in name}
    assert ours == set(TORCHVISION)
    assert len(ours) == 68


@pytest.mark.parametrize("name", TORCHVISION)
def test_names_and_shapes_are_torchvisions(name):
    theirs, net = TORCHVISION[name], zoo.create(name)
    shapes = net.state_shapes()
    assert {k: shapes.get(k) for k in theirs["some"]} == {k: tuple(shape) for k, shape in theirs["some"].items()}
    assert (net.num_parameters(), len(shapes)) == (theirs["parameters"], theirs["entries"])
    lines = sorted(f"{k} {','.join(map(str, shape))}\n" for k, shape in shapes.items())
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == theirs["sha256"]


@pytest.mark.parametrize("name", TORCHVISION)
def test_photographs_are_prepared_as_for_torchvisions_first_weights(name):
    theirs, record = TORCHVISION[name], zoo.ENTRIES[name].preprocess
    assert record.size == (theirs["crop"], theirs["crop"])
    assert (record.resize, record.interpolation) == (theirs["resize"], theirs["interpolation"])
    assert (list(record.mean), list(record.std)) == (theirs["mean"], theirs["std"])


@pytest.mark.parametrize("name", zoo.ENTRIES)
def test_classes_and_channels_change_both_ends_and_nothing_else(name):
    entry = zoo.ENTRIES[name]
    usual, other = zoo.create(name).state_shapes(), zoo.create(name, num_classes=7, in_channels=5).state_shapes()
    changed = {k: shape for k, shape in other.items() if usual[k] != shape}
    first = next(k for k in other if usual[k][1:2] == (entry.in_channels,))
    assert set(changed) == {first, entry.head, entry.head.replace("weight", "bias")}
    assert changed[first] == (usual[first][0], 5, *usual[first][2:])
    assert changed[entry.head] == (7, *usual[entry.head][1:])


@pytest.mark.parametrize("name", zoo.ENTRIES)
def test_preprocessing_fits_the_network(name):
    entry = zoo.ENTRIES[name]
    assert entry.preprocess.channels == entry.in_channels
    assert zoo.create(name).state_shapes()[entry.head][0] == entry.num_classes


@pytest.mark.parametrize(
    ("name", "parameter", "shape"),
    [
        ("resnet18", "conv1.weight", (64, 3, 7, 7)),
        ("resnet18", "layer2.0.downsample.0.weight", (128, 64, 1, 1)),
        ("resnet18", "layer2.0.downsample.1.running_var", (128,)),
        ("resnet34", "layer3.5.conv2.weight", (256, 256, 3, 3)),
        ("resnet50", "layer1.0.downsample.0.weight", (256, 64, 1, 1)),
        ("resnet50", "layer4.2.bn3.bias", (2048,)),
        ("resnet101", "layer3.22.conv3.weight", (1024, 256, 1, 1)),
        ("resnet152", "layer2.7.conv1.weight", (128, 512, 1, 1)),
        ("vgg11", "features.18.weight", (512, 512, 3, 3)),
        ("vgg16", "features.28.bias", (512,)),
        ("vgg16_bn", "features.41.running_mean", (512,)),
        ("vgg19_bn", "features.49.weight", (512, 512, 3, 3)),
        ("vgg13", "classifier.0.weight", (4096, 25088)),
        ("mobilenet_v2", "features.0.1.running_mean", (32,)),
        ("mobilenet_v2", "features.1.conv.1.weight", (16, 32, 1, 1)),
        ("mobilenet_v2", "features.17.conv.1.0.weight", (960, 1, 3, 3)),
        ("mobilenet_v2", "features.17.conv.3.weight", (320,)),
        ("mobilenet_v2", "features.18.0.weight", (1280, 320, 1, 1)),
        ("efficientnet_lite0", "_blocks.0._depthwise_conv.weight", (32, 1, 3, 3)),
        ("efficientnet_lite0", "_blocks.15._bn0.running_var", (1152,)),
        ("efficientnet_lite4", "_blocks.0._project_conv.weight", (24, 32, 1, 1)),
        ("efficientnet_lite4", "_fc.weight", (1000, 1280)),
        ("lenet5", "c3.weight", (16, 6, 5, 5)),
    ],
)
def test_state_dict_has_the_known_names(name, parameter, shape):
    assert zoo.create(name).state_shapes()[parameter] == shape


def test_blocks_without_change_of_shape_have_no_downsample():
    assert not any(".1.downsample" in name for name in zoo.create("resnet50").state_shapes())
    assert not any("_blocks.0._expand" in name for name in zoo.create("efficientnet_lite0").state_shapes())


@pytest.mark.parametrize(
    ("name", "shape"),
    [("lenet5", (2, 1, 32, 32)), ("resnet18", (1, 3, 33, 40)), ("mobilenet_v2", (1, 3, 32, 32))],
)
def test_forward_gives_scores(name, shape):
    x = np.random.default_rng(0).random(shape, np.float32)
    scores = zoo.create(name, num_classes=7)(x)
    assert scores.shape == (shape[0], 7)
    assert np.isfinite(scores).all()


def test_efficientnet_lite_pads_at_the_end():
    """4×4 at stride 2 under a 3×3 stem: TensorFlow puts the one padded row and column after the image."""
    net = zoo.create("efficientnet_lite0")
    w, x = np.zeros((32, 3, 3, 3), np.float32), np.arange(48, dtype=np.float32).reshape(1, 3, 4, 4)
    w[:, 0, 0, 0] = 1
    net._conv_stem.load_state_dict({"weight": w})
    np.testing.assert_array_equal(net._conv_stem(x)[0, 0], [[0, 2], [8, 10]])


def test_classes_come_from_the_weights():
    state = zoo.create("lenet5", num_classes=3, in_channels=2).state_dict()
    net = zoo.create("lenet5", weights=state, in_channels=2)
    assert net.output.weight.shape == (3, 84)
    np.testing.assert_array_equal(net.output.weight, state["output.weight"])


def test_classes_come_from_a_head_that_is_a_convolution():
    net = zoo.create("squeezenet1_1", weights=zeros("squeezenet1_1", num_classes=3))
    assert net.classifier[1].weight.shape == (3, 512, 1, 1)


@pytest.mark.parametrize(
    ("name", "auxiliary"),
    [
        ("googlenet", {"aux1.conv.conv.weight": (128, 512, 1, 1), "aux1.fc2.bias": (1000,), "aux2.fc1.weight": (1024, 2048)}),
        ("inception_v3", {"AuxLogits.conv1.bn.running_var": (768,), "AuxLogits.fc.weight": (1000, 768)}),
    ],
)
def test_auxiliary_classifiers_of_training_are_left_out(name, auxiliary):
    state = {**zeros(name), **{k: np.zeros(shape, np.float32) for k, shape in auxiliary.items()}}
    net = zoo.create(name, weights=state)
    assert not any(k.lower().startswith("aux") for k in net.state_shapes())
    with pytest.raises(ModelError, match="1 unexpected: aux3.fc.bias 1"):
        zoo.create(name, weights={**state, "aux3.fc.bias": np.zeros(1, np.float32)})
    with pytest.raises(ModelError, match="expected a mapping"):
        net.load_state_dict([])


def test_names_of_the_published_densenets():
    """They were saved when a layer's norms and convolutions were called norm.1 and conv.2."""
    state = zeros("densenet121")
    mark = "features.denseblock3.denselayer24.norm2.running_var"
    state[mark] = np.arange(128, dtype=np.float32)
    old = {k: a for k, a in state.items() if "denselayer" not in k}
    for k in state.keys() - old.keys():
        *path, layer, kind = k.split(".")
        old[".".join((*path, layer[:-1], layer[-1], kind))] = state[k]
    assert "features.denseblock1.denselayer1.conv.2.weight" in old
    net = zoo.create("densenet121", weights=old)
    np.testing.assert_array_equal(net.state_dict()[mark], state[mark])


def test_groups_need_a_bottleneck():
    with pytest.raises(ModelError, match="ResNet: only a Bottleneck has groups, got BasicBlock, groups 32, group_width 4"):
        ResNet(BasicBlock, (1, 1, 1, 1), groups=32, group_width=4)


def test_weights_from_a_file(tmp_path):
    state = zoo.create("lenet5").state_dict()
    np.savez(tmp_path / "lenet.npz", **state)
    net = zoo.create("lenet5", weights=tmp_path / "lenet.npz")
    np.testing.assert_array_equal(net.f6.bias, state["f6.bias"])


def test_weights_of_another_network_name_file_and_network(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3, np.float32))
    with pytest.raises(ModelError, match=r"other\.npz: not weights of lenet5.*10 missing.*1 unexpected: a"):
        zoo.create("lenet5", weights=tmp_path / "other.npz")


def test_num_classes_that_does_not_fit_the_weights_is_refused():
    with pytest.raises(ModelError, match=r"output\.weight expected 11×84, got 10×84"):
        zoo.create("lenet5", weights=zoo.create("lenet5").state_dict(), num_classes=11)


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnet19", "resnet18"), ("EfficientNet-Lite0", "efficientnet_lite0"), ("mobilenetv2", "mobilenet_v2")],
)
def test_unknown_name_gives_near_matches(name, near):
    with pytest.raises(ModelError, match=f"unknown model {name!r}; did you mean.*{near}"):
        zoo.create(name)


def test_hopeless_name_lists_all():
    with pytest.raises(ModelError, match=r"there are lenet5, alexnet, .*efficientnet_lite4"):
        zoo.create("☃")


@pytest.mark.parametrize("argument", ["num_classes", "in_channels"])
def test_sizes_must_be_positive(argument):
    with pytest.raises(ModelError, match=f"lenet5: {argument} must be a whole number of at least 1, got 0"):
        zoo.create("lenet5", **{argument: 0})


@pytest.mark.parametrize("argument", ["num_classes", "in_channels"])
def test_sizes_may_be_numpys(argument):
    assert zoo.create("lenet5", **{argument: np.int64(2)}).state_shapes() == zoo.create("lenet5", **{argument: 2}).state_shapes()


def test_weights_must_be_a_path_or_a_mapping():
    with pytest.raises(ModelError, match=r"weights must be a path or a mapping of names to arrays, got list"):
        zoo.create("lenet5", weights=[1])


def test_the_number_of_classes_is_read_off_lists_too():
    state = {name: array.tolist() for name, array in zoo.create("lenet5", num_classes=3).state_dict().items()}
    assert zoo.create("lenet5", weights=state).state_shapes()["output.weight"] == (3, 84)


def test_list():
    assert zoo.list("resnet*") == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert zoo.list() == [*zoo.ENTRIES]
    assert zoo.list("nothing*") == []


def test_round_channels_never_loses_more_than_a_tenth():
    assert [round_channels(c) for c in (3, 16 * 1.1, 16 * 1.2, 16 * 1.4, 320 * 1.4)] == [8, 16, 24, 24, 448]
