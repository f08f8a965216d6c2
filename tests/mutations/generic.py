"""Changes to any bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["INTERESTING", "change_bytes", "varint"]

Random = np.random.Generator

INTERESTING = (
    0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**33, 2**40, 2**48,
    2**62, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -128, -(2**31), -(2**63),
)  # fmt: skip
"""Numbers at which arithmetic goes wrong."""


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    number %= 1 << 64
    out = bytearray()
    while number >= 128:
        out.append(number % 128 | 128)
        number //= 128
    out.append(number)
    return bytes(out)


def _place(rng: Random, data: bytes) -> int:
    return int(rng.integers(len(data) + 1))


def _flip_bits(rng: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if out:
            out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def _set_bytes(rng: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if out:
            out[int(rng.integers(len(out)))] = int(rng.integers(256))
    return bytes(out)


def _truncate(rng: Random, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _delete(rng: Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at + int(rng.integers(1, 65)) :]


def _insert(rng: Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.bytes(int(rng.integers(1, 33))) + data[at:]


def _repeat(rng: Random, data: bytes) -> bytes:
    at, length = _place(rng, data), int(rng.integers(1, 129))
    return data[:at] + data[at : at + length] * int(rng.integers(2, 20)) + data[at + length :]


def _swap_blocks(rng: Random, data: bytes) -> bytes:
    a, b, c = sorted(_place(rng, data) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _zero_block(rng: Random, data: bytes) -> bytes:
    at, length = _place(rng, data), int(rng.integers(1, 65))
    block = data[at : at + length]
    return data[:at] + bytes([int(rng.choice([0, 255]))]) * len(block) + data[at + length :]


def _set_number(rng: Random, data: bytes) -> bytes:
    """A number that is a length, a count or an offset, wherever it hits."""
    width = int(rng.choice([1, 2, 4, 8]))
    number = INTERESTING[int(rng.integers(len(INTERESTING)))] % (1 << 8 * width)
    at = int(rng.integers(max(1, len(data) - width + 1)))
    raw = number.to_bytes(width, "little" if rng.random() < 0.5 else "big")
    return data[:at] + raw + data[at + width :]


def _add_to_number(rng: Random, data: bytes) -> bytes:
    width = int(rng.choice([1, 2, 4]))
    at = int(rng.integers(max(1, len(data) - width + 1)))
    order = "little" if rng.random() < 0.5 else "big"
    number = int.from_bytes(data[at : at + width], order) + int(rng.choice([-2, -1, 1, 2, 16, -16]))
    return data[:at] + (number % (1 << 8 * width)).to_bytes(width, order) + data[at + width :]


CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip_bits, _set_bytes, _truncate, _delete, _insert, _repeat, _swap_blocks, _zero_block, _set_number, _add_to_number,
)  # fmt: skip


def change_bytes(rng: Random, data: bytes) -> bytes:
    """One to three changes."""
    for _ in range(int(rng.integers(1, 4))):
        data = CHANGES[int(rng.integers(len(CHANGES)))](rng, data)
    return data
