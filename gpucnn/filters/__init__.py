"""Filters of image processing: small float32 kernels (h, w), to be laid over an image as they are.

Nothing here is flipped: like every convolution of a CNN, :func:`apply` and :func:`gpucnn.functional.conv2d` *cross-correlate*. So
``sobel("x")`` is positive where brightness rises to the right and ``sobel("y")`` where it rises downwards; x counts columns from left to
right and y rows from top to bottom. True convolution (``scipy.ndimage.convolve``) flips the kernel, and with it the sign of such an edge.

Examples
--------
>>> import numpy as np
>>> step = np.uint8([[0, 0, 9, 9]] * 3)
>>> apply(step, sobel("x"), padding="valid")
array([[36., 36.]], dtype=float32)
>>> bank = stack([sobel("x"), sobel("y"), gaussian(5, sigma=1.0)])
>>> bank.shape
(3, 1, 5, 5)
>>> from gpucnn import functional as F
>>> F.conv2d(np.zeros((1, 1, 8, 8), np.float32), bank, padding="same").shape
(1, 3, 8, 8)
"""

from .kernels import box, gabor, gaussian, laplacian, prewitt, scharr, sharpen, sobel
from .laying import apply, stack

__all__ = ["apply", "box", "gabor", "gaussian", "laplacian", "prewitt", "scharr", "sharpen", "sobel", "stack"]
