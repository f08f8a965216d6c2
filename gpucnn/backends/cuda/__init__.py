"""The CUDA backend: so far only what asks the machine for its GPUs."""
