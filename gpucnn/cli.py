"""The command ``gpucnn``: parse, call, print."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, TextIO

from . import __version__
from .errors import GpucnnError

if TYPE_CHECKING:
    from .classify import Classifier
    from .model import Model

__all__ = ["main"]

Write = Callable[[str], None]

DEFAULT_MODEL = "efficientnet_lite0"
OK, SOME_FAILED, FAILED, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = """exit codes:
  0    all well
  1    some rows are errors
  2    wrong usage, nothing found, or the model cannot be used
  130  interrupted (Ctrl-C)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the command's name; those of the process if not given.

    Returns
    -------
    int
        Exit code: 0 all well, 1 some rows are errors, 2 wrong usage, nothing found or no model, 130 interrupted.
    """
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why, or printed the help
        return int(stop.code or 0)
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal cannot show is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    with _log_to_stderr(logging.ERROR if args.quiet else logging.INFO if args.verbose else logging.WARNING):
        try:
            code: int = args.run(args)
            return code
        except KeyboardInterrupt:
            _say("interrupted")
            return INTERRUPTED
        except BrokenPipeError:  # whoever read the rows, as `head` does, has enough
            _drop_stdout()
            return OK
        except (GpucnnError, OSError, MemoryError) as error:
            if args.verbose:
                traceback.print_exc()
            _say(f"error: {str(error) or type(error).__name__}")
            return FAILED
        except Exception:  # a fault of ours: never the code that means "some rows are errors"
            traceback.print_exc()
            return FAILED


# ---------------------------------------------------------------- arguments


def _parser() -> argparse.ArgumentParser:
    parser = _command(argparse.ArgumentParser, prog="gpucnn", description="Run convolutional networks.")
    parser.add_argument("--version", action="version", version=f"gpucnn {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = _command(commands.add_parser, name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(run=run)
        command.add_argument("-q", "--quiet", action="store_true", help="say nothing on stderr but errors")
        command.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
        return command

    classify = add("classify", _classify, "name what is on photographs, one row each")
    classify.add_argument("paths", nargs="+", metavar="PATH", help="image, folder (with its subfolders) or glob")
    _add_model(classify, "-m", "--model", metavar="MODEL")
    _add_rows(classify)

    demo = add("demo", _demo, "classify three packaged photographs")
    _add_model(demo, "-m", "--model", metavar="MODEL")
    _add_rows(demo)

    add("devices", _devices, "list the devices and whether they can be used")

    inspect = add("inspect", _inspect, "describe a model: its layers, shapes and how they run")
    _add_model(inspect, "model", nargs="?", metavar="MODEL")

    bench = add("bench", _bench, "time a model")
    _add_model(bench, "model", nargs="?", metavar="MODEL")
    bench.add_argument("--layers", action="store_true", help="a table of the layers' times")
    bench.add_argument("-b", "--batch-size", type=_count, default=1, metavar="N", help="images at once (1)")
    bench.add_argument("--seconds", type=_seconds, default=3.0, metavar="S", help="time to spend (3)")
    return parser


def _command(make: Callable[..., argparse.ArgumentParser], *args: str, **options: str) -> argparse.ArgumentParser:
    return make(*args, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter, **options)


def _add_model(parser: argparse.ArgumentParser, *names: str, **options: str) -> None:
    text = f"zoo name, .onnx file or folder ({DEFAULT_MODEL})"
    parser.add_argument(*names, default=DEFAULT_MODEL, help=text, **options)  # type: ignore[arg-type]
    parser.add_argument("-w", "--weights", metavar="FILE", help="weights of a zoo model: .safetensors, .npz, .pth")
    parser.add_argument("--labels", metavar="FILE", help="names of the classes, in order; imagenet for ImageNet's")
    parser.add_argument(
        "--shape",
        type=_shape,
        action="append",
        metavar="INPUT=1x3xHxW",
        help="sizes to plan for at first, of an input that an ONNX file leaves open",
    )
    parser.add_argument("-d", "--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    parser.add_argument("-p", "--precision", default="auto", help="auto, float32 or float16 (auto: float16 on a GPU, float32 on a CPU)")


def _add_rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-k", "--top", type=_count, metavar="N", help="labels in a row at most (5; with --threshold and sigmoid, all)")
    parser.add_argument(
        "--activation",
        choices=("auto", "softmax", "sigmoid", "none"),
        default="auto",
        help="softmax: an image has one label; sigmoid: several, or none; none: the network's values as they are "
        "(auto: as the model says, else softmax, or sigmoid where it has one output)",
    )
    parser.add_argument(
        "--threshold",
        type=_number,
        metavar="P",
        help="leave out labels below this probability, 0 to 1; where none is left the row stays, without a label",
    )
    parser.add_argument("-b", "--batch-size", type=_count_or_auto, default="auto", metavar="N", help="images at once (auto)")
    parser.add_argument("-j", "--workers", type=_count, metavar="N", help="threads that decode (all cores)")
    parser.add_argument("-f", "--format", choices=("text", "csv", "jsonl"), default="text", help="of the rows (text)")
    parser.add_argument("-o", "--output", metavar="OUT", help="file for the rows (stdout); OUT.partial until it is whole")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _count_or_auto(text: str) -> int | str:
    return text if text == "auto" else _count(text)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    parts = sizes.split("x")
    if not name or not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"expected a name and sizes, such as images=1x3x320x320, got {text!r}")
    return name, tuple(map(int, parts))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number such as 0.5, got {text!r}") from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0, got {text!r}")
    return value


# ---------------------------------------------------------------- commands


def _demo(args: argparse.Namespace) -> int:
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "photos")
    with suppress(ValueError, OSError):  # Windows on another drive; a working directory that is gone
        folder = min(folder, os.path.relpath(folder), key=len)
    args.paths = [folder]
    return _classify(args)


def _classify(args: argparse.Namespace) -> int:
    from .classify import Classifier
    from .writers import FORMATS, OutputFile

    items = _found(args.paths)
    _calm_pillow()
    if args.output:
        _refuse_image(args.output, args.paths)
    output = OutputFile(args.output) if args.output else None
    put = output.write if output else _to_stdout
    images = errors = 0
    started = None
    try:
        with Classifier(
            args.model,
            weights=args.weights,
            labels=args.labels,
            device=args.device,
            precision=args.precision,
            batch_size=args.batch_size,
            top=args.top,
            workers=args.workers,
            activation=args.activation,
            threshold=args.threshold,
            shapes=_shapes(args),
        ) as classifier:
            _inform(args, _in_use(classifier.model, _chosen(classifier)))
            rows = FORMATS[args.format](classifier.top, "score" if classifier.activation == "none" else "probability")
            started = time.perf_counter()
            with closing(classifier.batches(items)) as batches, _progress(args, put, output is not None) as (write, show):
                write(rows.header())
                for batch in batches:
                    write(rows.rows(batch))
                    images += len(batch)
                    errors += sum(result.error is not None for result in batch)
                    show(images, errors)
        if output:
            output.finish()
    except KeyboardInterrupt:
        where = f"; their rows are in {output.partial}" if output and images else ""
        _say(f"interrupted after {images} images{where}")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
    finally:
        if output:
            output.leave()
    seconds = time.perf_counter() - (started or 0)
    counted = f"{images} image{'s' * (images != 1)}, {errors} error{'s' * (errors != 1)}"
    _inform(args, f"{counted}, {images / max(seconds, 1e-9):.1f} images/s")
    return SOME_FAILED if errors else OK


def _refuse_image(output: str, paths: Sequence[str]) -> None:
    """Never overwrite a photograph: `-o *.jpg` would make the first match the output."""
    from .images import SUFFIXES

    if output.lower().endswith(SUFFIXES):
        raise GpucnnError(f"-o {output}: that is the name of an image; rows would overwrite it. Name a .txt, .csv or .jsonl file")
    if os.path.exists(output) and any(os.path.isfile(p) and os.path.samefile(p, output) for p in paths):
        raise GpucnnError(f"-o {output}: that is one of the inputs; rows would overwrite it")


def _devices(args: argparse.Namespace) -> int:
    from .device import devices

    for device in devices():
        reason = "".join(f"    {line}\n" for line in device.reason.splitlines())
        _to_stdout(f"{device.name}  {device.description}{'' if device.usable else '  (not usable)'}\n{reason}")
    return OK


def _inspect(args: argparse.Namespace) -> int:
    with _loaded(args) as model:
        _to_stdout(f"{model.describe()}\n")
    return OK


def _bench(args: argparse.Namespace) -> int:
    from . import bench

    with _loaded(args) as model:
        _inform(args, _in_use(model))
        _to_stdout(f"{bench.run(model, args.batch_size, args.seconds, args.layers)}\n")
    return OK


def _loaded(args: argparse.Namespace) -> Model:
    from .loader import load

    return load(args.model, weights=args.weights, labels=args.labels, device=args.device, precision=args.precision, shapes=_shapes(args))


def _shapes(args: argparse.Namespace) -> dict[str, tuple[int, ...]] | None:
    shapes = dict(args.shape or ())
    if len(shapes) < len(args.shape or ()):
        raise GpucnnError("--shape: names an input twice; a model is planned for one size first, and takes others as they come")
    return shapes or None


def _found(paths: Sequence[str]) -> Iterator[str]:
    """Give the images under ``paths``; that there is none is an error now, not after the model is loaded."""
    from .images import find, is_glob

    if not any(os.path.lexists(path) or is_glob(path) for path in paths):
        raise GpucnnError(f"nothing found: no such file or folder: {', '.join(paths)}")
    items = find(paths)
    for first in items:
        return chain([first], items)
    raise GpucnnError(f"nothing found: no images in {', '.join(paths)}")


# ---------------------------------------------------------------- the outside world


def _in_use(model: Model, chosen: str = "") -> str:
    return (
        f"model {model.name}; weights {model.weights}; labels {model.labels_source}; {chosen}"
        f"precision {model.precision}; device {model.device} ({model.device_reason})"
    )


def _chosen(classifier: Classifier) -> str:
    """How labels are chosen, where it is not the best few by softmax, and that images are run one by one, where they are."""
    said = "" if classifier.activation == "softmax" else f"activation {classifier.activation}; "
    if classifier.threshold is not None:
        said += f"threshold {classifier.threshold:g}; "
    return f"{said}images one by one; " if classifier.one_by_one else said


def _inform(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        _say(text)


def _say(text: str) -> None:
    if sys.stderr is None:  # closed: print would then take stdout, which carries rows only
        return
    with suppress(OSError):  # a full disk behind stderr is no reason to lose rows
        print(f"gpucnn: {text}", file=sys.stderr, flush=True)


def _to_stdout(text: str) -> None:
    if sys.stdout is None:
        raise GpucnnError("stdout is closed: the rows have nowhere to go")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if error.errno == errno.EINVAL:  # how Windows says that the pipe is broken
            raise BrokenPipeError from error
        raise


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _drop_stdout() -> None:
    """Send what is still buffered nowhere, or the interpreter complains of the broken pipe when it ends."""
    with suppress(OSError, ValueError):  # where no real file is behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _calm_pillow() -> None:
    """Leave the limit of pixels to ours, and odd files to their rows: no warnings."""
    from PIL import Image

    from .settings import settings

    Image.MAX_IMAGE_PIXELS = settings().max_image_pixels
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


@contextmanager
def _log_to_stderr(level: int) -> Iterator[None]:
    log = logging.getLogger("gpucnn")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("gpucnn: %(message)s"))
    before = log.level
    log.addHandler(handler)
    log.setLevel(level)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


@contextmanager
def _progress(args: argparse.Namespace, put: Write, to_file: bool) -> Iterator[tuple[Write, Callable[[int, int], None]]]:
    """Show a bar where stderr is a terminal; give how to write rows beside it, and how to move it."""
    if args.quiet or not _is_terminal(sys.stderr):
        yield put, lambda images, errors: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    known = len(args.paths) if all(map(os.path.isfile, args.paths)) else None
    text = TextColumn("{task.completed} images, {task.fields[errors]} errors, {task.fields[speed]:.1f} images/s")
    columns = (BarColumn(), text, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, transient=True) as bar:
        task = bar.add_task("", total=known, errors=0, speed=0.0)
        started = time.perf_counter()

        def show(images: int, errors: int) -> None:
            bar.update(task, completed=images, errors=errors, speed=images / (time.perf_counter() - started))

        def put_above(text: str) -> None:  # the rows go to the terminal that shows the bar
            bar.stop()
            put(text)
            bar.start()

        yield (put_above if _is_terminal(sys.stdout) and not to_file else put), show
