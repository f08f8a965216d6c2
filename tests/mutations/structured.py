"""Changes that know the format, so that what is behind its first check is reached too."""

from __future__ import annotations

import copy
import io
import json
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .generic import INTERESTING, change_bytes, varint

__all__ = ["STRUCTURED"]

Random = np.random.Generator


def pick(rng: Random, options: Any) -> Any:
    """One of a sequence."""
    return options[int(rng.integers(len(options)))]


# ---- protobuf: the message as objects, and as fields of bytes --------------------------------------------------------


def _messages(message: Any, found: list[Any]) -> list[Any]:
    found.append(message)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
                _messages(one, found)
    return found


def _texts(messages: list[Any]) -> list[str]:
    return [v for m in messages for f, v in m.ListFields() if isinstance(v, str)] + ["", "x", "ai.onnx", "Conv", "../x", "y" * 300]


def onnx_fields(rng: Random, data: bytes) -> bytes:
    """One to three fields of the model changed."""
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(data)
    for _ in range(int(rng.integers(1, 4))):
        messages = _messages(model, [])
        texts = _texts(messages)
        _change_field(rng, pick(rng, messages), messages, texts)
    return bytes(model.SerializeToString())


def onnx_numbers(rng: Random, data: bytes) -> bytes:
    """Numbers that decide shapes: attributes, and what small integer constants hold; the rest stays sound."""
    import onnx
    from onnx import numpy_helper

    model = onnx.ModelProto()
    model.ParseFromString(data)
    messages = _messages(model, [])
    attributes = [m for m in messages if isinstance(m, onnx.AttributeProto) and m.type in (m.INT, m.INTS, m.FLOAT, m.FLOATS)]
    tensors = [m for m in messages if isinstance(m, onnx.TensorProto) and m.data_type == m.INT64 and m.raw_data]
    sizes = [m for m in messages if isinstance(m, onnx.TensorShapeProto.Dimension) and m.HasField("dim_value")]
    for _ in range(int(rng.integers(1, 3))):
        kinds = [kind for kind in (attributes, tensors, sizes) if kind]
        if not kinds:
            break
        chosen = pick(rng, pick(rng, kinds))
        number = int(pick(rng, INTERESTING)) if rng.random() < 0.3 else int(rng.integers(-3, 12))
        number = (number + 2**63) % 2**64 - 2**63
        if isinstance(chosen, onnx.TensorProto):
            array = numpy_helper.to_array(chosen).copy()
            if array.size:
                array.flat[int(rng.integers(array.size))] = number
            chosen.raw_data = array.tobytes()
        elif isinstance(chosen, onnx.TensorShapeProto.Dimension):
            chosen.dim_value = number
        elif chosen.type == chosen.INTS and len(chosen.ints):
            chosen.ints[int(rng.integers(len(chosen.ints)))] = number
        elif chosen.type == chosen.INT:
            chosen.i = number
        elif chosen.type == chosen.FLOATS and len(chosen.floats):
            chosen.floats[int(rng.integers(len(chosen.floats)))] = pick(rng, (0.0, -1.0, 1e9, 1e38, float("nan"), float("inf"), 1e-30))
        else:
            chosen.f = pick(rng, (0.0, -1.0, 1e9, 1e38, float("nan"), float("inf"), 1e-30))
    return bytes(model.SerializeToString())


def _change_field(rng: Random, message: Any, messages: list[Any], texts: list[str]) -> None:
    fields = message.ListFields() if rng.random() < 0.8 else [(f, getattr(message, f.name)) for f in message.DESCRIPTOR.fields]
    if not fields:
        return
    field, value = pick(rng, fields)
    name = field.name
    repeated = hasattr(value, "extend")
    if repeated and (rng.random() < 0.5 or not len(value)):
        _change_list(rng, value, field, messages, texts)
    elif repeated and field.message_type is None:
        value[int(rng.integers(len(value)))] = _other(rng, field, texts)
    elif field.message_type is None:
        setattr(message, name, _other(rng, field, texts))
    elif not repeated:
        others = [m for m in messages if type(m) is type(value) and m is not message]
        if rng.random() < 0.4 or not others:
            message.ClearField(name)
        else:
            other = type(value)()
            other.CopyFrom(pick(rng, others))
            getattr(message, name).CopyFrom(other)


def _change_list(rng: Random, value: Any, field: Any, messages: list[Any], texts: list[str]) -> None:
    how = pick(rng, ("delete", "repeat", "clear", "swap", "borrow", "many"))
    if field.message_type is None:
        if how == "delete" and len(value):
            del value[int(rng.integers(len(value)))]
        elif how == "clear":
            del value[:]
        elif how == "many":
            value.extend([_other(rng, field, texts)] * int(rng.integers(2, 100)))
        else:
            value.append(_other(rng, field, texts))
    elif how == "delete" and len(value):
        del value[int(rng.integers(len(value)))]
    elif how == "clear":
        del value[:]
    elif how == "swap" and len(value) > 1:
        a, b = (int(i) for i in rng.choice(len(value), 2, replace=False))
        kept = type(value[a])()
        kept.CopyFrom(value[a])
        value[a].CopyFrom(value[b])
        value[b].CopyFrom(kept)
    else:
        others = [m for m in messages if m.DESCRIPTOR is field.message_type]
        if others:
            other = type(others[0])()
            other.CopyFrom(pick(rng, others))
            value.extend([other] * (int(rng.integers(2, 40)) if how == "many" else 1))


def _other(rng: Random, field: Any, texts: list[str]) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return pick(rng, (b"", b"\xff\xfe", rng.bytes(int(rng.integers(1, 65))), b"SAME_UPPER", b"linear", b"x" * 300))
        return pick(rng, texts)
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return pick(rng, (0.0, -1.0, 1.0, 0.5, 1e-38, 1e38, float("nan"), float("inf"), float("-inf"), 3.0))
    if kind == field.CPPTYPE_ENUM:
        return int(pick(rng, [value.number for value in field.enum_type.values]))
    if kind == field.CPPTYPE_BOOL:
        return bool(rng.integers(2))
    number = int(pick(rng, INTERESTING)) if rng.random() < 0.6 else int(rng.integers(-3, 12))
    bits = 64 if kind in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else 32
    low = 0 if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64) else -(1 << bits - 1)
    return (number - low) % (1 << bits) + low


Field = list[Any]  # number, wire type, content: an int, bytes, or a list of fields


def _parse(data: bytes, depth: int = 0) -> list[Field] | None:
    """The fields of a message, or None where it is none."""
    fields: list[Field] = []
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        if key is None or not key >> 3:
            return None
        wire = key & 7
        if wire == 0:
            content, at = _read_varint(data, at)
            if content is None:
                return None
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            content, at = data[at : at + width], at + width
        elif wire == 2:
            length, at = _read_varint(data, at)
            if length is None or at + length > len(data):
                return None
            raw, at = data[at : at + length], at + length
            inner = _parse(raw, depth + 1) if depth < 8 and raw else None
            content = inner if inner else raw
        else:
            return None
        fields.append([key >> 3, wire, content])
    return fields if at == len(data) else None


def _read_varint(data: bytes, at: int) -> tuple[Any, int]:
    number = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    return None, at


def _unparse(fields: list[Field]) -> bytes:
    out = bytearray()
    for number, wire, content in fields:
        out += varint(number << 3 | wire)
        if wire == 0:
            out += varint(content)
        elif wire == 2:
            raw = _unparse(content) if isinstance(content, list) else content
            out += varint(len(raw)) + raw
        else:
            out += content
    return bytes(out)


def _every_list(fields: list[Field], found: list[list[Field]]) -> list[list[Field]]:
    found.append(fields)
    for field in fields:
        if isinstance(field[2], list):
            _every_list(field[2], found)
    return found


def protobuf_wire(rng: Random, data: bytes) -> bytes:
    """Tags, wire types and contents changed, with the lengths around them right."""
    fields = _parse(data)
    if not fields:
        return change_bytes(rng, data)
    for _ in range(int(rng.integers(1, 4))):
        lists = [one for one in _every_list(fields, []) if one]
        if not lists:
            break
        chosen = pick(rng, lists)
        i = int(rng.integers(len(chosen)))
        field = chosen[i]
        match pick(rng, ("drop", "repeat", "number", "content", "content", "content", "move", "deep")):
            case "drop":
                del chosen[i]
            case "repeat":
                chosen.extend([field] * int(rng.integers(1, 20)))
            case "number":
                field[0] = int(rng.integers(1, 30))
            case "move":
                pick(rng, lists).append(copy.deepcopy(field))
            case "deep" if isinstance(field[2], list):
                raw: Any = field[2]
                for _ in range(int(rng.integers(2, 200))):
                    raw = [[field[0], 2, _unparse(raw) if isinstance(raw, list) else raw]]
                field[2] = raw
            case _:
                if field[1] == 0:
                    field[2] = int(pick(rng, INTERESTING)) if rng.random() < 0.7 else int(rng.integers(0, 20))
                elif not isinstance(field[2], list):
                    field[2] = change_bytes(rng, field[2])
    return _unparse(fields)


# ---- JSON ------------------------------------------------------------------------------------------------------------

VALUES = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    2**64,
    10**30,
    0.5,
    -0.0,
    1e308,
    1e400,
    "",
    "x",
    "F32",
    "BF16",
    "F64",
    [],
    [0],
    [0, 0],
    [1, 2, 3],
    {},
    {"a": 1},
    "resnet18",
    "nearest",
    [[[]]],
    "\ud800",
    "é" * 50,
    float("nan"),
)


def _change_json(rng: Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = pick(rng, list(value))
        match pick(rng, ("inside", "inside", "inside", "drop", "rename", "add")):
            case "drop":
                del value[name]
            case "rename":
                value[pick(rng, (name + "x", "", "__metadata__", *value))] = value.pop(name)
            case "add":
                value[name + "2"] = copy.deepcopy(value[name])
            case _:
                value[name] = _change_json(rng, value[name])
        return value
    if isinstance(value, list) and value and rng.random() < 0.7:
        i = int(rng.integers(len(value)))
        match pick(rng, ("inside", "inside", "drop", "repeat")):
            case "drop":
                del value[i]
            case "repeat":
                value.extend([value[i]] * int(rng.integers(1, 40)))
            case _:
                value[i] = _change_json(rng, value[i])
        return value
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.6:
        return value + int(rng.integers(-3, 4)) if rng.random() < 0.5 else int(pick(rng, INTERESTING))
    return copy.deepcopy(pick(rng, VALUES))


def json_values(rng: Random, data: bytes) -> bytes:
    """One to three values of a JSON text changed; at times a name twice."""
    value = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        value = _change_json(rng, value)
    text = json.dumps(value)
    if rng.random() < 0.1 and text.startswith("{") and len(text) > 2:
        text = "{" + text[1:-1] + "," + text[1:]
    return text.encode("utf-8", "surrogatepass")


def safetensors_header(rng: Random, data: bytes) -> bytes:
    """The header changed, and its length put right."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json_values(rng, data[8 : 8 + length])
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


# ---- zip and pickle --------------------------------------------------------------------------------------------------

_LOCAL = {4: 2, 6: 2, 8: 2, 10: 2, 14: 4, 18: 4, 22: 4, 26: 2, 28: 2}
_CENTRAL = {4: 2, 6: 2, 8: 2, 10: 2, 16: 4, 20: 4, 24: 4, 28: 2, 30: 2, 32: 2, 34: 2, 38: 4, 42: 4}
_END = {4: 2, 8: 2, 10: 2, 12: 4, 16: 4, 20: 2}


def zip_fields(rng: Random, data: bytes) -> bytes:
    """Fields of the headers of a zip: sizes, methods, flags, offsets, lengths of names."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        mark, fields = pick(rng, ((b"PK\x03\x04", _LOCAL), (b"PK\x01\x02", _CENTRAL), (b"PK\x01\x02", _CENTRAL), (b"PK\x05\x06", _END)))
        places = [i for i in range(len(out) - 4) if out[i : i + 4] == mark]
        if places:
            at, width = pick(rng, list(fields.items()))
            at += pick(rng, places)
            old = int.from_bytes(out[at : at + width], "little")
            new = old + int(rng.integers(-3, 4)) if rng.random() < 0.4 else int(pick(rng, INTERESTING))
            out[at : at + width] = (new % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(out)


def zip_members(rng: Random, data: bytes) -> bytes:
    """The content of members changed, in a zip that is sound; members dropped, renamed, compressed, twice."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        chosen = pick(rng, names)
        how = pick(rng, ("content", "content", "content", "content", "drop", "rename", "compress", "twice"))
        for name in names:
            content, target, method = old.read(name), name, zipfile.ZIP_STORED
            if name == chosen:
                match how:
                    case "drop":
                        continue
                    case "rename":
                        target = pick(rng, [*names, "x", "../x", "data.pkl", "a/data.pkl", "x.npy", "x/"])
                    case "compress":
                        method = zipfile.ZIP_DEFLATED
                    case "twice":
                        new.writestr(name, content)
                    case _:
                        content = (
                            pickle_opcodes(rng, content) if name.endswith(".pkl") and rng.random() < 0.8 else change_bytes(rng, content)
                        )
            new.writestr(target, content, method)
    return out.getvalue()


def pickle_opcodes(rng: Random, data: bytes) -> bytes:
    """Opcodes dropped, repeated, swapped, and their arguments changed; what follows the pickle stays."""
    try:
        steps = list(pickletools.genops(data))
    except ValueError:
        return change_bytes(rng, data)
    ends = [pos for _, _, pos in steps[1:]] + [steps[-1][2] + 1]
    parts = [data[pos:end] for (_, _, pos), end in zip(steps, ends)]
    rest = data[ends[-1] :]
    for _ in range(int(rng.integers(1, 4))):
        i = int(rng.integers(len(parts)))
        match pick(rng, ("drop", "repeat", "swap", "argument", "argument", "borrow", "other")):
            case "drop" if len(parts) > 1:
                del parts[i]
            case "repeat":
                parts[i:i] = [parts[i]] * int(rng.integers(1, 30))
            case "swap":
                j = int(rng.integers(len(parts)))
                parts[i], parts[j] = parts[j], parts[i]
            case "borrow":
                parts[i] = pick(rng, parts)
            case "other":
                parts[i] = bytes([int(rng.integers(256))]) + parts[i][1:]
            case _:
                number = int(pick(rng, INTERESTING))
                parts[i] = pick(
                    rng,
                    (
                        b"J" + struct.pack("<i", (number + 2**31) % 2**32 - 2**31),
                        b"\x8a\x09" + (number % 2**64).to_bytes(9, "little"),
                        b"N",
                        b")",
                        b"}",
                        b"]",
                        b"\x88",
                        b"X\x01\x00\x00\x000",
                        change_bytes(rng, parts[i]),
                    ),
                )
    return b"".join(parts) + rest


def legacy_pickles(rng: Random, data: bytes) -> bytes:
    """One of the five pickles of a legacy checkpoint changed."""
    ends, at = [0], 0
    for _ in range(5):
        for _, _, pos in pickletools.genops(data[at:]):
            last = pos
        at += last + 1
        ends.append(at)
    which = int(rng.choice([0, 1, 2, 3, 3, 3, 3, 4]))
    changed = pickle_opcodes(rng, data[ends[which] : ends[which + 1]])
    return data[: ends[which]] + changed + data[ends[which + 1] :]


def npy_members(rng: Random, data: bytes) -> bytes:
    """The header of an array in a sound zip changed: its shape, its type, its length."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = pick(rng, old.namelist())
        for name in old.namelist():
            content = old.read(name)
            if name == chosen:
                length = int.from_bytes(content[8:10], "little")
                text = content[10 : 10 + length].decode("latin-1")
                number = str(pick(rng, INTERESTING))
                text = text.replace(
                    *pick(
                        rng,
                        (
                            ("<f4", pick(rng, ("<f8", "<f2", "|O", "<U9", ">f4", "|b1", "<c8", "|V0", "<m8", "x", "<f16"))),
                            ("(", f"({number}, "),
                            ("False", "True"),
                            (", }", f", 'x': {number}}}"),
                            ("shape", "shapes"),
                            ("(", "(" * 99),
                            ("2", number),
                            ("{", "["),
                        ),
                    )
                )
                header = text.encode("latin-1")
                content = content[:8] + struct.pack("<H", len(header) % 65536) + header + content[10 + length :]
            new.writestr(name, content)
    return out.getvalue()


# ---- images ----------------------------------------------------------------------------------------------------------


def png_chunks(rng: Random, data: bytes) -> bytes:
    """Chunks changed, dropped, repeated, swapped, of another kind; the checksums right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + length]])
        at += 12 + length
    kinds = [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"zTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"pHYs", b"iTXt", b"gAMA"]
    for _ in range(int(rng.integers(1, 4))):
        i = int(rng.integers(len(chunks)))
        match pick(rng, ("content", "content", "header", "drop", "repeat", "swap", "kind", "bomb")):
            case "drop" if len(chunks) > 1:
                del chunks[i]
            case "repeat":
                chunks.insert(i, list(chunks[i]))
            case "swap":
                j = int(rng.integers(len(chunks)))
                chunks[i], chunks[j] = chunks[j], chunks[i]
            case "kind":
                chunks[i][0] = pick(rng, kinds)
            case "bomb":
                kind, head = pick(rng, ((b"iCCP", b"x\0\0"), (b"zTXt", b"x\0\0"), (b"iTXt", b"x\0\1\0\0\0"), (b"IDAT", b"")))
                chunks.insert(1, [kind, head + zlib.compress(bytes(4 << 20), 9)])
            case "header" if chunks[0][0] == b"IHDR":
                at = int(rng.choice([0, 4, 8, 9, 10, 11, 12]))
                number = int(pick(rng, INTERESTING)) % (1 << 32)
                head = bytearray(chunks[0][1].ljust(13, b"\0"))
                if at < 8:
                    head[at : at + 4] = struct.pack(">I", number)
                else:
                    head[at] = number % 256 if rng.random() < 0.5 else int(rng.choice([0, 1, 2, 3, 4, 6, 8, 16]))
                chunks[0][1] = bytes(head)
            case _:
                chunks[i][1] = change_bytes(rng, chunks[i][1])
    return data[:8] + b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)


def jpeg_segments(rng: Random, data: bytes) -> bytes:
    """Segments before the scan changed, with their lengths right: tables, sizes, EXIF."""
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        segments.append([data[at + 1], data[at + 4 : at + 2 + length]])
        at += 2 + length
    for _ in range(int(rng.integers(1, 4))):
        i = int(rng.integers(len(segments)))
        match pick(rng, ("content", "content", "size", "drop", "repeat", "marker")):
            case "drop" if len(segments) > 1:
                del segments[i]
            case "repeat":
                segments.insert(i, list(segments[i]))
            case "marker":
                segments[i][0] = int(rng.choice([0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE]))
            case "size":
                for segment in segments:
                    if segment[0] in (0xC0, 0xC2) and len(segment[1]) >= 6:
                        head = bytearray(segment[1])
                        where = int(rng.choice([1, 3]))
                        head[where : where + 2] = struct.pack(">H", int(pick(rng, (0, 1, 65535, 65500, 9, 17))))
                        segment[1] = bytes(head)
            case _:
                segments[i][1] = change_bytes(rng, segments[i][1])
    made = b"".join(bytes([0xFF, m]) + struct.pack(">H", (len(c) + 2) % 65536) + c for m, c in segments)
    return data[:2] + made + data[at:]


def tiff_tags(rng: Random, data: bytes) -> bytes:
    """Entries of the first directory: tag, type, count, value."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack(order + "I", data[4:8])
    (count,) = struct.unpack(order + "H", data[at : at + 2])
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        entry = at + 2 + 12 * int(rng.integers(count))
        offset, width = pick(rng, ((0, 2), (2, 2), (4, 4), (8, 4), (8, 4)))
        number = int(pick(rng, INTERESTING)) if rng.random() < 0.6 else int(rng.integers(0, 300))
        out[entry + offset : entry + offset + width] = struct.pack(order + ("H" if width == 2 else "I"), number % (1 << 8 * width))
    return bytes(out)


STRUCTURED: dict[str, tuple[Callable[[Random, bytes], bytes], ...]] = {
    ".onnx": (onnx_fields, onnx_fields, onnx_numbers, onnx_numbers, protobuf_wire),
    ".safetensors": (safetensors_header,),
    ".json": (json_values,),
    ".pth": (zip_fields, zip_members, zip_members),
    ".legacy": (legacy_pickles,),
    ".npz": (zip_fields, npy_members, npy_members, zip_members),
    ".png": (png_chunks,),
    ".jpg": (jpeg_segments,),
    ".tif": (tiff_tags,),
}
"""By the suffix of a file: what changes it and knows how."""
