"""The kernels: derivatives of set numbers, and bells and waves of a formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError

__all__ = ["Kernel", "box", "gabor", "gaussian", "laplacian", "prewitt", "scharr", "sharpen", "sobel"]

Kernel = npt.NDArray[np.float32]


# -- of set numbers


def _derivative(name: str, direction: str, across: Sequence[int]) -> Kernel:
    """Right minus left neighbour, weighed by ``across`` over the rows; turned for "y"."""
    if direction not in ("x", "y"):
        raise ShapeError(f"filters.{name}: direction must be 'x' (brightness rises to the right) or 'y' (downwards), got {direction!r}")
    kernel = np.array([[-a, 0, a] for a in across], np.float32)
    return kernel if direction == "x" else np.ascontiguousarray(kernel.T)


def sobel(direction: str) -> Kernel:
    """Return Sobel's derivative: the difference of two neighbours, smoothed across by 1, 2, 1.

    Parameters
    ----------
    direction : {"x", "y"}
        ``"x"`` is positive where brightness rises to the right, ``"y"`` where it rises downwards.

    Returns
    -------
    array, (3, 3), float32
        Not normalised: a ramp of one unit a pixel gives 8, a step from 0 to 255 gives 1020 on both sides of it.

    Raises
    ------
    ShapeError
        The direction is another one.

    Notes
    -----
    Sobel & Feldman 1968; ``scipy.ndimage.sobel``, OpenCV ``Sobel``.

    Examples
    --------
    >>> sobel("x")
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]], dtype=float32)
    """
    return _derivative("sobel", direction, (1, 2, 1))


def prewitt(direction: str) -> Kernel:
    """Return Prewitt's derivative: the difference of two neighbours, summed over three rows.

    Parameters
    ----------
    direction : {"x", "y"}
        ``"x"`` is positive where brightness rises to the right, ``"y"`` where it rises downwards.

    Returns
    -------
    array, (3, 3), float32
        Not normalised: a ramp of one unit a pixel gives 6.

    Raises
    ------
    ShapeError
        The direction is another one.

    Notes
    -----
    Prewitt 1970, Object enhancement and extraction; ``scipy.ndimage.prewitt``.

    Examples
    --------
    >>> prewitt("y")
    array([[-1., -1., -1.],
           [ 0.,  0.,  0.],
           [ 1.,  1.,  1.]], dtype=float32)
    """
    return _derivative("prewitt", direction, (1, 1, 1))


def scharr(direction: str) -> Kernel:
    """Return Scharr's derivative, whose direction of steepest rise is nearer the truth than Sobel's.

    Parameters
    ----------
    direction : {"x", "y"}
        ``"x"`` is positive where brightness rises to the right, ``"y"`` where it rises downwards.

    Returns
    -------
    array, (3, 3), float32
        Not normalised: a ramp of one unit a pixel gives 32.

    Raises
    ------
    ShapeError
        The direction is another one.

    Notes
    -----
    Scharr 2000, Optimal operators in digital image processing (dissertation, Heidelberg); OpenCV ``Scharr``.

    Examples
    --------
    >>> scharr("x")
    array([[ -3.,   0.,   3.],
           [-10.,   0.,  10.],
           [ -3.,   0.,   3.]], dtype=float32)
    """
    return _derivative("scharr", direction, (3, 10, 3))


def laplacian(diagonal: bool = False) -> Kernel:
    """Return the sum of both second derivatives: positive on a dark point, negative on a bright one, 0 on flats and ramps.

    Parameters
    ----------
    diagonal : bool
        Let the four diagonal neighbours count as well.

    Returns
    -------
    array, (3, 3), float32

    Notes
    -----
    Rosenfeld & Kak 1976, Digital Picture Processing; ``scipy.ndimage.laplace``, OpenCV ``Laplacian`` with ``ksize=1``.

    Examples
    --------
    >>> laplacian()
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]], dtype=float32)
    """
    return np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]] if diagonal else [[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)


def sharpen() -> Kernel:
    """Return the identity minus the Laplacian: edges become steeper, flats stay as they are.

    Returns
    -------
    array, (3, 3), float32
        It sums to 1.

    Notes
    -----
    Rosenfeld & Kak 1976, Digital Picture Processing; Pillow's ``ImageFilter.SHARPEN`` takes all eight neighbours instead.

    Examples
    --------
    >>> sharpen()
    array([[ 0., -1.,  0.],
           [-1.,  5., -1.],
           [ 0., -1.,  0.]], dtype=float32)
    """
    return np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32) - laplacian()


# -- of a formula


def _sizes(name: str, size: Any) -> tuple[int, int]:
    items = (size, size) if isinstance(size, (int, np.integer)) else tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(items) != 2 or not all(isinstance(s, (int, np.integer)) and not isinstance(s, bool) and s >= 1 for s in items):
        raise ShapeError(f"filters.{name}: size must be a whole number of pixels or (height, width), each at least 1, got {size!r}")
    return int(items[0]), int(items[1])


def _number(name: str, field: str, value: Any, unit: str, positive: bool = True) -> float:
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or (positive and value <= 0):
        kind = "a number above 0" if positive else "a finite number"
        raise ShapeError(f"filters.{name}: {field} must be {kind} ({unit}), got {value!r}")
    return float(value)


def _offsets(size: int) -> Any:
    """Pixels from the centre, which lies between two pixels where the size is even."""
    return np.arange(size) - (size - 1) / 2


def _bell(size: int, sigma: float) -> Any:
    squares = _offsets(size) ** 2
    with np.errstate(over="ignore", under="ignore"):  # what lies beyond float64's range of exp is 0
        weights = np.exp((squares.min() - squares) / sigma / sigma / 2)  # less the least square, so that never all are 0
    return weights / weights.sum()


def box(size: int | tuple[int, int]) -> Kernel:
    """Return the mean of a window.

    Parameters
    ----------
    size : int or (int, int)
        Pixels, (height, width).

    Returns
    -------
    array, (h, w), float32
        ``1/(h·w)`` everywhere.

    Raises
    ------
    ShapeError
        A size is not a whole number of at least 1.

    Notes
    -----
    ``scipy.ndimage.uniform_filter``, OpenCV ``blur``; with stride and ``"valid"`` PyTorch's ``avg_pool2d``.

    Examples
    --------
    >>> box((1, 4))
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """
    h, w = _sizes("box", size)
    return np.full((h, w), 1 / (h * w), np.float32)


def gaussian(size: int | tuple[int, int], sigma: float | tuple[float, float]) -> Kernel:
    """Return a Gaussian bell that sums to 1: it blurs and leaves flats as they are.

    Parameters
    ----------
    size : int or (int, int)
        Pixels, (height, width); odd or even. ``2·ceil(3·sigma) + 1`` holds all but 0.3 % of it.
    sigma : float or (float, float)
        Standard deviation in pixels, (down, across); above 0.

    Returns
    -------
    array, (h, w), float32
        ``exp(−(x² + y²)/(2σ²))``, divided by the sum over the kernel.

    Raises
    ------
    ShapeError
        A size is not a whole number of at least 1, or a sigma not a finite number above 0.

    Notes
    -----
    Marr & Hildreth 1980, Theory of edge detection. Sampled at the centres of the pixels and cut off at the kernel's edge, as by
    ``scipy.ndimage.gaussian_filter`` and OpenCV's ``getGaussianKernel``. The centre of an even size lies between two pixels; with
    ``padding="same"`` the blurred image is then half a pixel further left and up.

    Examples
    --------
    >>> gaussian(3, 1.0).round(4)
    array([[0.0751, 0.1238, 0.0751],
           [0.1238, 0.2042, 0.1238],
           [0.0751, 0.1238, 0.0751]], dtype=float32)
    """
    h, w = _sizes("gaussian", size)
    both = sigma if isinstance(sigma, (tuple, list)) else (sigma, sigma)
    if len(both) != 2:
        raise ShapeError(f"filters.gaussian: sigma must be one number or (down, across), got {sigma!r}")
    down, across = (_number("gaussian", "sigma", s, "pixels") for s in both)
    return np.outer(_bell(h, down), _bell(w, across)).astype(np.float32)


def gabor(
    size: int | tuple[int, int], sigma: float, theta: float, wavelength: float, gamma: float = 1.0, psi: float = 0.0
) -> Kernel:
    """Return a Gabor filter: a plane wave under a Gaussian bell, which answers to stripes of one direction and width.

    Parameters
    ----------
    size : int or (int, int)
        Pixels, (height, width); odd or even.
    sigma : float
        Standard deviation of the bell along the wave, pixels; above 0.
    theta : float
        Radians. Direction in which the wave runs, from right (0) towards down (π/2): 0 answers to vertical stripes.
    wavelength : float
        Pixels from crest to crest; above 0, and at least 2 for a wave that pixels can hold.
    gamma : float
        Aspect of the bell, above 0: across the wave its standard deviation is ``sigma/gamma``.
    psi : float
        Radians. Phase of the wave at the centre: 0 is a bright line, π a dark one, −π/2 an edge that rises along ``theta``
        (as :func:`sobel` does), π/2 one that falls.

    Returns
    -------
    array, (h, w), float32
        ``exp(−(x'² + γ²·y'²)/(2σ²)) · cos(2π·x'/λ + ψ)`` with ``x' = x·cos θ + y·sin θ``, ``y' = −x·sin θ + y·cos θ``, and x, y in
        pixels from the centre, to the right and downwards. Not normalised: the bell is 1 at its centre.

    Raises
    ------
    ShapeError
        A size is not a whole number of at least 1, another number not finite, or sigma, wavelength or gamma not above 0.

    Notes
    -----
    Real part of the filter of Daugman 1985, J. Opt. Soc. Am. A 2, 1160, after Gabor 1946; parameters as in Petkov & Kruizinga 1997,
    Biol. Cybern. 76, 83, and OpenCV's ``getGaborKernel`` (which lays the wave out from right to left and from bottom to top, so that
    its psi is the −psi of here). It sums to 0 for psi = ±π/2; else subtract its mean where flats should give nothing.

    Examples
    --------
    >>> import math
    >>> gabor((1, 5), sigma=2.0, theta=0.0, wavelength=4.0, psi=-math.pi / 2).round(3) + 0
    array([[ 0.   , -0.882,  0.   ,  0.882,  0.   ]], dtype=float32)
    """
    h, w = _sizes("gabor", size)
    sigma, wavelength = _number("gabor", "sigma", sigma, "pixels"), _number("gabor", "wavelength", wavelength, "pixels")
    theta, psi = (_number("gabor", field, v, "radians", positive=False) for field, v in (("theta", theta), ("psi", psi)))
    gamma = _number("gabor", "gamma", gamma, "ratio of the bell's widths")
    y, x = _offsets(h)[:, None], _offsets(w)[None, :]
    along, across = x * math.cos(theta) + y * math.sin(theta), y * math.cos(theta) - x * math.sin(theta)
    with np.errstate(over="ignore", under="ignore"):
        bell = np.exp(-((along / sigma) ** 2 + (gamma * across / sigma) ** 2) / 2)
    kernel: Kernel = (bell * np.cos(2 * math.pi * along / wavelength + psi)).astype(np.float32)
    return kernel
