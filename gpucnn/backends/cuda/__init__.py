"""CUDA kernels on an NVIDIA GPU: one impl per kernel, in the table of ``impls``.

Nothing is imported here: where there is no GPU only ``probe`` is.
"""
