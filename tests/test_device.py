"""What is said of GPUs: with a driver that is not there, and with one that is made up."""

import ctypes
import re
from pathlib import Path

import pytest

from gpucnn import device
from gpucnn.backends.cuda import probe
from gpucnn.errors import DeviceError


class FakeDriver:
    """libcuda with the given GPUs: (name, major, minor, bytes)."""

    def __init__(self, gpus=(), version=13000, init=0):
        self.gpus, self.version, self.init = gpus, version, init

    def cuInit(self, flags):
        return self.init

    def cuDriverGetVersion(self, out):
        out._obj.value = self.version
        return 0

    def cuDeviceGetCount(self, out):
        out._obj.value = len(self.gpus)
        return 0

    def cuDeviceGet(self, out, index):
        out._obj.value = index
        return 0

    def cuDeviceGetName(self, buffer, size, handle):
        buffer.value = self.gpus[handle.value][0].encode()
        return 0

    def cuDeviceTotalMem_v2(self, out, handle):
        out._obj.value = self.gpus[handle.value][3]
        return 0

    def cuDeviceGetAttribute(self, out, attribute, handle):
        out._obj.value = self.gpus[handle.value][{75: 1, 76: 2}[attribute]]
        return 0


H200 = ("NVIDIA H200", 9, 0, 141 * 2**30)


@pytest.fixture
def machine(monkeypatch):
    """Give this process a driver and a set of installed CuPys."""

    def set_up(driver, cupys, toolkit=""):
        found = probe.find_gpus(lambda: driver)
        monkeypatch.setattr(probe, "find_gpus", lambda: found)
        monkeypatch.setattr(probe, "installed_cupys", lambda: cupys)
        monkeypatch.setattr(probe, "toolkit_problem", lambda version, cupys: toolkit)

    return set_up


def test_no_driver():
    def missing():
        raise OSError("libcuda.so.1: cannot open shared object file")

    assert probe.find_gpus(missing) == ([], 0, "no NVIDIA driver found")


def test_driver_that_does_not_start():
    gpus, _, why = probe.find_gpus(lambda: FakeDriver(init=999))
    assert gpus == []
    assert "999" in why


def test_gpus_are_read_from_the_driver():
    gpus, version, why = probe.find_gpus(lambda: FakeDriver([H200, ("Old", 6, 1, 2**30)], 12040))
    assert gpus == [probe.Gpu(0, "NVIDIA H200", (9, 0), 141 * 2**30), probe.Gpu(1, "Old", (6, 1), 2**30)]
    assert (version, why) == (12040, "")
    assert isinstance(ctypes.c_int(version).value, int)


@pytest.mark.parametrize(
    ("version", "cupys", "said"),
    [
        (13000, {}, 'CuPy is not installed (the extra cuda13): pip install "cupy-cuda13x>=14" "nvidia-cuda-nvrtc>=13,<14"'),
        (12040, {}, 'pip install "cupy-cuda12x>=14" nvidia-cuda-nvrtc-cu12'),
        (11080, {}, "CUDA 11.8, needed is 12 or newer: update the NVIDIA driver"),
        (13000, {"cupy-cuda12x": "14.0.0", "cupy-cuda13x": "14.0.0"}, "pip uninstall -y cupy-cuda12x cupy-cuda13x"),
        (13000, {"cupy-cuda13x": "13.6.0"}, "needed is 14 or newer"),
        (12040, {"cupy-cuda13x": "14.1.0"}, 'pip uninstall -y cupy-cuda13x && pip install "cupy-cuda12x>=14"'),
        (13000, {"cupy-cuda12x": "13.6.0"}, 'needed is 14 or newer: pip install "cupy-cuda12x>=14"'),
        (12040, {"cupy-cuda11x": "13.6.0"}, 'needed is 14 or newer: pip uninstall -y cupy-cuda11x && pip install "cupy-cuda12x>=14"'),
        (13000, {"cupy": "13.0.0"}, 'pip uninstall -y cupy && pip install "cupy-cuda13x>=14"'),
        (13000, {"cupy-cuda13x": "unknown"}, "is version unknown, needed is 14 or newer"),
    ],
)
def test_why_cupy_cannot_be_used(version, cupys, said):
    assert said in probe.cupy_problem(version, cupys)


@pytest.mark.parametrize("extra", ["cuda12", "cuda13"])
def test_the_command_installs_what_the_extra_does(extra):
    """The packages are named in two places, because an extra's name helps only where the package's own is known."""
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    listed = re.search(rf"^{extra} = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    packages = [line.split(";")[0].strip().strip('",') for line in listed.splitlines() if line.strip()]
    assert len(packages) == 4
    assert probe.EXTRAS[extra].replace('"', "").split() == packages


def test_nothing_is_wrong_with_a_fitting_cupy():
    assert probe.cupy_problem(13000, {"cupy-cuda13x": "14.0.1"}) == ""
    assert probe.cupy_problem(13000, {"cupy-cuda12x": "14.0.1"}) == ""
    assert probe.cupy_problem(13000, {"cupy": "v14.0.1"}) == ""


def test_auto_settles_for_the_cpu_and_names_the_gpu_it_saw(machine):
    machine(FakeDriver([H200]), {})
    choice = device.choose_device("auto")
    assert choice.name == "cpu"
    assert "NVIDIA H200" in choice.reason
    assert 'pip install "cupy-cuda13x>=14"' in choice.reason


def test_cuda_never_settles_for_the_cpu(machine):
    machine(FakeDriver([H200]), {})
    with pytest.raises(DeviceError, match="NVIDIA H200.*CuPy is not installed"):
        device.choose_device("cuda")
    with pytest.raises(DeviceError, match=r"no such GPU; GPUs here: cuda:0"):
        device.choose_device("cuda:3")


def test_a_usable_gpu_is_taken(machine):
    machine(FakeDriver([("Quadro P400", 6, 1, 2**31), H200]), {"cupy-cuda13x": "14.2.0"})
    assert [d.usable for d in device.devices()] == [True, False, True]
    assert device.choose_device("auto") == device.choose_device("cuda:1")
    assert device.choose_device("auto").reason.startswith("NVIDIA H200, sm_90, 141 GiB")
    with pytest.raises(DeviceError, match=r"Quadro P400.*sm_61: needs ≥ sm_75"):
        device.choose_device("cuda")


def test_a_part_of_cuda_is_missing(machine):
    machine(FakeDriver([H200]), {"cupy-cuda13x": "14.2.0"}, "NVRTC not found: pip install it")
    assert device.devices()[1].reason == "NVRTC not found: pip install it"
    with pytest.raises(DeviceError, match="NVRTC not found: pip install it"):
        device.choose_device("cuda:0")


def test_too_old_a_gpu(machine):
    machine(FakeDriver([("Quadro P400", 6, 1, 2**31)]), {"cupy-cuda12x": "14.0.0"})
    found = device.devices()
    assert [d.name for d in found] == ["cpu", "cuda:0"]
    assert (found[1].usable, found[1].reason) == (False, "sm_61: needs ≥ sm_75")


def test_without_a_gpu(machine):
    machine(FakeDriver([]), {})
    assert [d.usable for d in device.devices()] == [True, False]
    with pytest.raises(DeviceError, match="sees no GPU"):
        device.choose_device("cuda")
    with pytest.raises(DeviceError, match="must be 'auto', 'cpu', 'cuda' or"):
        device.choose_device("gpu")
