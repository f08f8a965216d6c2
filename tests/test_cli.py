"""The command line: rows on stdout, everything else on stderr, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gpucnn
from gpucnn import classify
from gpucnn.cli import main
from gpucnn.errors import GpucnnError
from gpucnn.preprocess import Preprocess

ROOT = Path(gpucnn.__file__).parent.parent
PHOTOS = ROOT / "gpucnn" / "data" / "photos"


class FakeModel:
    """Three classes by the mean of the pixels; quick, and slow on demand."""

    name, weights, labels_source, precision = "fake", "made up", "made up", "float32"
    device, device_reason = "cpu", "auto: no GPU answers"
    labels = ("dark", "middling", "bright")
    preprocess = Preprocess(size=(4, 4), resize=4)

    def __init__(self, pause=0.0):
        self.pause = pause

    def scorer(self, preprocess, activation):
        def score(pixels):
            time.sleep(self.pause)
            level = pixels.reshape(len(pixels), -1).mean(axis=1, dtype=np.float64) / 255
            scores = np.exp(-8 * np.abs(level[:, None] - [0, 0.5, 1]))
            return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

        score.batch, score.classes, score.one_by_one, score.close = 2, 3, False, lambda: None
        score.activation = "softmax" if activation == "auto" else activation
        return score


def with_fake_model(argv, pause=0.0):
    """``main`` with a fake model; what the subprocesses below run."""
    real = classify.Classifier

    def fake(model, *, weights, labels, device, precision, **options):
        return real(FakeModel(pause), **options)

    classify.Classifier = fake
    try:
        return main(argv)
    finally:
        classify.Classifier = real


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("photos")
    for name, level in (("a.png", 0), ("b.PNG", 128), ("c.png", 255)):
        Image.fromarray(np.full((9, 9, 3), level, np.uint8)).save(f"photos/{name}")
    return "photos"


def fake_process(code, *argv, **options):
    setting = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        "PYTHONWARNINGS": "",
    }
    script = f"import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nimport test_cli\n{code}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script, *argv], env=setting, **{**pipes, **options})


# ---------------------------------------------------------------- rows


def test_text_rows(photos, capsys):
    assert with_fake_model(["classify", photos, "-k", "2"]) == 0
    out, err = capsys.readouterr()
    sep = os.sep
    assert out.splitlines() == [
        f"photos{sep}a.png  dark 98.2%      middling 1.8%",
        f"photos{sep}b.PNG  middling 96.4%  bright 1.8%",
        f"photos{sep}c.png  bright 98.2%    middling 1.8%",
    ]
    first, last = err.splitlines()
    assert first.startswith("gpucnn: model fake; weights made up; labels made up; ")
    assert first.endswith("precision float32; device cpu (auto: no GPU answers)")
    assert last.startswith("gpucnn: 3 images, 0 errors, ")
    assert last.endswith(" images/s")


def test_jsonl_rows(photos, capsys):
    Path("photos/d.jpg").write_text("no image")
    assert with_fake_model(["classify", photos, "-f", "jsonl"]) == 1
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [os.path.basename(row["path"]) for row in rows] == ["a.png", "b.PNG", "c.png", "d.jpg"]
    for row in rows[:3]:
        assert list(row) == ["path", "predictions"]
        assert len(row["predictions"]) == 3  # as many as there are classes
        for prediction in row["predictions"]:
            assert list(prediction) == ["index", "label", "probability"]
            assert FakeModel.labels[prediction["index"]] == prediction["label"]
            assert 0 <= prediction["probability"] <= 1
    assert list(rows[3]) == ["path", "error"]
    assert "4 images, 1 error, " in err


def test_csv_rows(photos, capsys):
    assert with_fake_model(["classify", "photos/a.png", "photos/gone.png", "-f", "csv", "-k", "1"]) == 1
    table = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert table[0] == ["path", "error", "index_1", "label_1", "probability_1"]
    assert table[1][:4] == ["photos/a.png", "", "0", "dark"]
    assert table[2] == ["photos/gone.png", "no such file", "", "", ""]


def test_globs_are_expanded_here(photos, capsys):
    assert with_fake_model(["classify", "phot*/[ac].png", "-q"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0][-5:] for line in out.splitlines()] == ["a.png", "c.png"]
    assert err == ""


def test_batch_size_and_workers_do_not_change_the_rows(photos, capsys):
    outputs = set()
    for options in ([], ["-b", "1"], ["-b", "2", "-j", "1"], ["-b", "auto", "-j", "3"]):
        assert with_fake_model(["classify", photos, "-q", "-f", "jsonl", *options]) == 0
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1


def test_output_file(photos, capsys):
    Path("out.csv").write_text("before")
    assert with_fake_model(["classify", photos, "-f", "csv", "-o", "out.csv", "-b", "1"]) == 0
    assert capsys.readouterr().out == ""
    assert with_fake_model(["classify", photos, "-f", "csv", "-q"]) == 0
    assert capsys.readouterr().out == Path("out.csv").read_text(encoding="utf-8")
    assert sorted(os.listdir()) == ["out.csv", "photos"]


def test_output_file_is_kept_when_rows_are_errors(photos):
    assert with_fake_model(["classify", "photos/a.png", "photos/gone.png", "-o", "out.txt", "-q"]) == 1
    assert len(Path("out.txt").read_text().splitlines()) == 2


# ---------------------------------------------------------------- exit code 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "COMMAND"),
        (["classify"], "PATH"),
        (["frobnicate"], "invalid choice"),
        (["classify", "photos", "-k", "0"], "at least 1, got '0'"),
        (["classify", "photos", "-k", "five"], "at least 1, got 'five'"),
        (["classify", "photos", "-b", "0"], "at least 1, got '0'"),
        (["classify", "photos", "-b", "-3"], "-b"),
        (["classify", "photos", "-j", "0"], "at least 1, got '0'"),
        (["classify", "photos", "-f", "xml"], "xml"),
        (["classify", "photos", "--frobnicate"], "--frobnicate"),
        (["bench", "--seconds", "0"], "more than 0"),
        (["bench", "--seconds", "nan"], "more than 0"),
        (["classify", "gone.jpg", "gone/too"], "nothing found: no such file or folder: gone.jpg, gone/too"),
        (["classify", "*.jpg"], "nothing found: no images in *.jpg"),
        (["classify", "empty"], "nothing found: no images in empty"),
        (["classify", "photos", "-o", "gone/out"], "cannot be written"),
        (["classify", "photos", "-o", "photos"], "cannot be written"),
    ],
)
def test_wrong_use(photos, capsys, argv, message):
    os.mkdir("empty")
    assert with_fake_model(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert sorted(os.listdir()) == ["empty", "photos"]


def test_an_error_is_one_line_and_verbose_adds_the_traceback(photos, capsys, monkeypatch):
    def broken(*_args, **_options):
        raise GpucnnError("the model is broken")

    monkeypatch.setattr(classify, "Classifier", broken)
    assert main(["classify", photos, "-o", "out"]) == 2
    assert capsys.readouterr().err == "gpucnn: error: the model is broken\n"
    assert main(["classify", photos, "-o", "out", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert os.listdir() == ["photos"]


def test_a_fault_of_ours_does_not_look_like_failed_rows(photos, capsys, monkeypatch):
    monkeypatch.setattr(classify, "Classifier", lambda *_args, **_options: 1 / 0)
    assert main(["classify", photos]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_folder_that_vanishes_keeps_the_rows(photos, capsys, monkeypatch):
    def items(_paths):
        yield "photos/a.png"
        raise GpucnnError("the disk is gone")

    monkeypatch.setattr("gpucnn.images.find", items)
    assert with_fake_model(["classify", photos, "-o", "out.txt", "-b", "1"]) == 2
    assert capsys.readouterr().err.endswith("gpucnn: error: the disk is gone\n")
    assert Path("out.txt.partial").read_text().startswith("photos/a.png  dark")
    assert not Path("out.txt").exists()


def test_main_leaves_the_process_as_it_was(photos):
    log = logging.getLogger("gpucnn")
    before = (list(log.handlers), log.level)
    with_fake_model(["classify", photos, "-q"])
    with_fake_model(["classify", "gone", "-v"])
    assert (log.handlers, log.level) == before


# ---------------------------------------------------------------- the outside world


@pytest.mark.parametrize("command", [[], ["classify"], ["demo"], ["devices"], ["inspect"], ["bench"]])
def test_help_tells_the_exit_codes(capsys, command):
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    for line in (
        "0    all well",
        "1    some rows are errors",
        "2    wrong usage, nothing found",
        "130  interrupted (Ctrl-C)",
    ):
        assert line in out
    assert "%(" not in out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gpucnn {gpucnn.__version__}\n"


def test_a_narrow_terminal_takes_every_name(photos, monkeypatch):
    os.rename("photos/a.png", "photos/写真 ☃.png")
    for form in ("text", "csv", "jsonl"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252", newline=""))
        assert with_fake_model(["classify", photos, "-q", "-f", form]) == 0
        assert b"\\u5199\\u771f \\u2603.png" in raw.getvalue()


@pytest.mark.parametrize("options", [[], ["-o", "out.txt"]])
def test_closed_streams(photos, monkeypatch, options):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert with_fake_model(["classify", photos, *options]) == (0 if options else 2)


def test_pillow_warnings_stay_inside(photos, capsys, recwarn):
    Image.new("1", (10_000, 9_500)).save("photos/big.png")  # between once and twice Pillow's limit of pixels
    with warnings.catch_warnings():
        assert with_fake_model(["classify", "photos/big.png", "-f", "jsonl"]) == 1
    out, err = capsys.readouterr()
    assert "GPUCNN_MAX_IMAGE_PIXELS" in json.loads(out)["error"]
    assert "Warning" not in err
    assert not recwarn


def test_progress_bar_only_on_a_terminal(photos, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert with_fake_model(["classify", photos, "-o", "out.txt"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b[" in err
    assert with_fake_model(["classify", photos]) == 0  # rows go to a pipe
    out, err = capsys.readouterr()
    assert "\x1b" not in out
    assert "\x1b[" in err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert with_fake_model(["classify", photos]) == 0  # rows run down the same terminal, above the bar
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "\x1b" not in out
    assert "\x1b[" in err
    assert with_fake_model(["classify", photos, "-o", "out.txt", "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_a_reader_that_has_enough(photos):
    for i in range(3000):
        shutil.copyfile("photos/a.png", f"photos/{i}.png")
    process = fake_process("sys.exit(test_cli.with_fake_model(sys.argv[1:]))", "classify", photos)
    assert process.stdout.readline().strip()
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert "Traceback" not in err
    assert "Broken" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_leaves_whole_rows(photos):
    for i in range(500):
        shutil.copyfile("photos/a.png", f"photos/{i}.png")
    argv = ["classify", photos, "-f", "jsonl", "-o", "out.jsonl", "-b", "2"]
    process = fake_process("sys.exit(test_cli.with_fake_model(sys.argv[1:], pause=0.05))", *argv)
    partial = Path("out.jsonl.partial")
    end = time.monotonic() + 20
    while not (partial.exists() and partial.stat().st_size > 500):
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    text = partial.read_text()
    assert text.endswith("\n")
    rows = [json.loads(line) for line in text.splitlines()]
    assert f"interrupted after {len(rows)} images; their rows are in " in err.decode()
    assert 2 <= len(rows) < 500
    assert not Path("out.jsonl").exists()


def test_help_is_quick_and_imports_nothing_heavy():
    code = """
import sys
from gpucnn.cli import main
try:
    main(["--help"])
finally:
    heavy = {"PIL", "onnx", "rich", "cupy", "safetensors"} & set(sys.modules)
    sys.exit(f"imported {heavy}" if heavy else 0)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "classify" in done.stdout


# ---------------------------------------------------------------- the real network


def test_demo(capsys):
    assert main(["demo", "-k", "3"]) == 0
    out, err = capsys.readouterr()
    cat, cup, rocket = out.splitlines()
    assert any(name in cat.split("  ")[1] for name in ("Egyptian cat", "tiger cat", "tabby"))
    assert "espresso" in cup.split("  ")[1]
    assert "space shuttle" in rocket or "missile" in rocket
    assert "efficientnet_lite0" in err
    assert "3 images, 0 errors" in err


def test_portability(tmp_path):
    """No call that only POSIX or Linux has, a terminal of another encoding, a name that it lacks."""
    photo = sorted(PHOTOS.glob("*.jpg"))[0]
    shutil.copyfile(photo, tmp_path / "写真 ☃.jpg")
    script = """
import os, sys
for name in ("sched_getaffinity", "sched_setaffinity", "mkfifo", "fork", "forkpty", "posix_spawn", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
if hasattr(os, "process_cpu_count"):
    os.process_cpu_count = os.cpu_count  # as it is where a process has no affinity
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # importing it fails
from gpucnn.cli import main
sys.exit(main(sys.argv[1:]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(
        [sys.executable, "-c", script, "classify", str(tmp_path), "-d", "cpu"],
        env=environment,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u5199\\u771f \\u2603.jpg" in done.stdout
    assert b"%" in done.stdout
    assert done.stdout.count(b"\n") == 1


def test_inspect_bench_devices(capsys):
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.startswith("cpu")
    assert main(["inspect", "efficientnet_lite0", "-d", "cpu"]) == 0
    assert "224" in capsys.readouterr().out
    assert main(["bench", "efficientnet_lite0", "-d", "cpu", "--seconds", "0.2", "-b", "2"]) == 0
    assert capsys.readouterr().out.strip()


def test_bench_says_where_time_goes(capsys):
    """Layers, methods and kinds of calls; the shares of each table add up to all."""
    assert main(["bench", "efficientnet_lite0", "-d", "cpu", "--seconds", "0.2", "--layers"]) == 0
    tables = [[line.split() for line in part.splitlines()] for part in capsys.readouterr().out.split("\n\n")]
    layers, methods, kinds = tables[-3:]
    assert [row[3] for row in layers if "linear" in row] == ["linear_gemv"]
    assert {row[0] for row in kinds[3:]} == {"products", "depthwise", "element-wise", "copies", "Python"}
    for table, column in ((methods[2:], 2), (kinds[3:], 3)):
        assert 99 < sum(float(row[column]) for row in table) < 101


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-m", "eficientnet_lite0"], "did you mean efficientnet_lite0"),
        (["-m", "resnet18"], "weights"),  # never an answer from random weights
        (["-m", "gone.onnx"], "gone.onnx"),
        (["-w", "gone.safetensors"], "gone.safetensors"),
        (["--labels", "gone.txt"], "gone.txt"),
        (["-d", "tpu"], "tpu"),
        (["-d", "cuda:99"], "cuda"),
        (["-p", "float3"], "float3"),
    ],
)
def test_models_that_cannot_be(capsys, options, message):
    assert main(["classify", str(PHOTOS), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


# ---------------------------------------------------------------- what must not be overwritten, and what must not be mixed


@pytest.mark.parametrize("name", ["photos/a.png", "photos/b.PNG", "new.jpg"])
def test_rows_never_overwrite_a_photograph(photos, name, capsys):
    before = {path: path.read_bytes() for path in Path(photos).iterdir()}
    assert with_fake_model(["classify", photos, "-o", name]) == 2
    assert "name of an image" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path(photos).iterdir()} == before


def test_rows_never_overwrite_an_input_of_any_name(photos, capsys):
    shutil.copy("photos/a.png", "picture.dat")
    assert with_fake_model(["classify", "picture.dat", "-o", "picture.dat"]) == 2
    assert "one of the inputs" in capsys.readouterr().err
    assert Path("picture.dat").read_bytes() == Path("photos/a.png").read_bytes()


def test_stdout_keeps_to_rows_when_stderr_is_closed(photos, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert with_fake_model(["classify", photos, "-f", "jsonl"]) == 0
    paths = [json.loads(line)["path"] for line in capsys.readouterr().out.splitlines()]
    assert paths == [f"photos{os.sep}{name}" for name in ("a.png", "b.PNG", "c.png")]
