"""Damage files at random: bytes, lines, numbers, and the structure of JSON, settings and safetensors."""

import json
import re
from random import Random

NUMBERS = [
    *("0", "-1", "1", "2", "255", "256", "65536", "2147483648", "-2147483649", "9223372036854775808", "-0"),
    *("1000000000000", "1e999", "-1e999", "1e-400", "nan", "NaN", "inf", "0.5", "1.5", "1" * 5000, "0x10"),
]
VALUES = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**40, 0.5, -0.5, 1e308, "", "x", "../x", "/x", "\0", "1"),
    *("nan", "treesent.TreeLSTM.v1", [], [[]], {}, {"": None}, [1, "a"], [0.0, 1.0], ["a", "a"], "\ud800"),
]
TOKENS = [
    *(b"", b"\0", b"\n", b"\r\n", b"\r", b"\t", b" ", b",", b'"', b'""', b"'", b"(", b")", b"((", b"[", b"]"),
    *(b"{", b"}", b":", b";", b"#", b"%", b"=", b"$", b"${", b"${env.HOME}", b"${a.b}", b"@", b"\\", b"\\u"),
    *(b"\\ud800", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
    *(
        "\u2028 \u0085 \u200b \u202e \U0001f642 e\u0301 \u0130".encode(),
        b"\x1b[31m",
        b"\x80\x04",
        b"PK\x03\x04",
    ),
    *(
        b"\x1f\x8b\x08",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"\x93NUMPY",
        b"PAR1",
        b"<script>",
        b"=cmd()",
        b"NaN",
        b"null",
    ),
    *(b"../../x", b"/etc/passwd", b"None", b"true", b"1e5", b"-", b"-1", b"0", b"9" * 30, b"a" * 300),
]
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def mutate_files(files: dict[str, bytes], others: list[dict[str, bytes]], rng: Random) -> dict[str, bytes]:
    """Damage one or two of some files; names that begin with ``@`` are arguments and stay."""
    changed = dict(files)
    names = sorted(name for name in changed if not name.startswith("@"))
    for _ in range(1 if rng.random() < 0.85 else 2):
        name = rng.choice(names)
        whole = rng.random() if len(names) > 1 else 1.0
        if whole < 0.04:
            changed.pop(name, None)
        elif whole < 0.08:
            changed[name] = changed.get(rng.choice(names), b"")
        else:
            other = rng.choice(others).get(name, b"")
            changed[name] = mutate(changed.get(name, b""), other, rng)
    return changed


def mutate(data: bytes, other: bytes, rng: Random) -> bytes:
    """Damage a file in one to six places, few more often than many."""
    for _ in range(min(6, 1 + int(rng.expovariate(0.8)))):
        change = rng.choice(_PLAIN) if rng.random() < 0.6 else _structured
        data = change(data, other, rng)
    return data


def _structured(data: bytes, other: bytes, rng: Random) -> bytes:
    """Change a value where the file is JSON, settings or safetensors; a number elsewhere."""
    if data[:1] in (b"{", b"[") and len(data) < 200_000:
        return mutate_json(data, rng)
    if len(data) > 10 and data[8:9] == b"{":
        size = int.from_bytes(data[:8], "little")
        if 8 < size <= len(data) - 8:
            header = mutate_json(data[8 : 8 + size], rng)
            return len(header).to_bytes(8, "little") + header + data[8 + size :]
    if data[:1] == b"[" or b"\n[" in data[:10_000]:
        return _setting(data, rng)
    return _number(data, b"", rng)


def mutate_json(data: bytes, rng: Random) -> bytes:
    """Replace, remove or rename one value of a JSON document; other bytes are changed where they lie."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _flip(data, b"", rng)
    places = list(_places(document))
    if not places:
        return json.dumps(rng.choice(VALUES)).encode()
    holder, key = rng.choice(places)
    what = rng.random()
    if what < 0.15:
        del holder[key]
    elif what < 0.3 and isinstance(holder, dict):
        holder[rng.choice(["", "x", key + "s", "../x", "/tmp/x", "__class__"])] = holder.pop(key)
    elif what < 0.45 and isinstance(holder[key], int | float):
        holder[key] = rng.choice([holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 10**9])
    elif what < 0.6:
        other_holder, other_key = rng.choice(places)
        holder[key] = json.loads(
            json.dumps(other_holder.get(other_key) if isinstance(other_holder, dict) else 0)
        )
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(document).encode()


def _places(document: object, depth: int = 0) -> list[tuple[object, object]]:
    """Where each value of a document lies; of a long list the first few."""
    items = list(document.items()) if isinstance(document, dict) else []
    if isinstance(document, list):
        items = list(enumerate(document))[:50]
    found: list[tuple[object, object]] = []
    for key, value in items:
        found.append((document, key))
        if depth < 6:
            found += _places(value, depth + 1)
    return found


def _setting(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    settings = [i for i, line in enumerate(lines) if b"=" in line]
    if not settings:
        return _flip(data, b"", rng)
    at = rng.choice(settings)
    key, _, value = lines[at].partition(b"=")
    new = rng.choice(
        [*map(str, NUMBERS), *(json.dumps(value) for value in VALUES), "none", "a b", "{", "${a.b}"]
    )
    what = rng.random()
    if what < 0.6:
        lines[at] = key + b"= " + new.encode()
    elif what < 0.7:
        lines[at] = key.strip() + b"x = " + value
    elif what < 0.8:
        del lines[at]
    else:
        lines.insert(rng.randrange(len(lines)), lines[at])
    return b"\n".join(lines)


def _flip(data: bytes, other: bytes, rng: Random) -> bytes:
    if not data:
        return bytes([rng.randrange(256)])
    at = rng.randrange(len(data))
    new = data[at] ^ (1 << rng.randrange(8)) if rng.random() < 0.6 else rng.choice([0, 1, 0x7F, 0x80, 0xFF])
    return data[:at] + bytes([new]) + data[at + 1 :]


def _cut(data: bytes, other: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + int(rng.expovariate(1 / 12)) + 1)


def _remove(data: bytes, other: bytes, rng: Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, other: bytes, rng: Random) -> bytes:
    start, end = _span(data, rng)
    times = rng.choice([2, 3, 17, 257])
    return data[:start] + data[start:end] * times + data[end:]


def _insert(data: bytes, other: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    new = rng.choice(TOKENS) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1, 9))
    return data[:at] + new + data[at + rng.choice([0, 0, len(new)]) :]


def _splice(data: bytes, other: bytes, rng: Random) -> bytes:
    start, end = _span(other, rng)
    at = rng.randrange(len(data) + 1)
    return data[:at] + (other[start:end] if rng.random() < 0.7 else other[start:])


def _number(data: bytes, other: bytes, rng: Random) -> bytes:
    found = list(_NUMBER.finditer(data[:20_000]))
    if not found:
        return _integer(data, other, rng)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(NUMBERS).encode() + data[match.end() :]


def _integer(data: bytes, other: bytes, rng: Random) -> bytes:
    """Overwrite a little-endian number, near the start more often: sizes stand in headers."""
    size = rng.choice([2, 4, 8])
    if len(data) < size:
        return _insert(data, other, rng)
    at = rng.randrange(min(len(data) - size + 1, rng.choice([32, 256, 1 << 20])))
    value = rng.choice(
        [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1]
    )
    return data[:at] + (value % (1 << 8 * size)).to_bytes(size, "little") + data[at + size :]


def _lines(data: bytes, other: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i] = rng.choice([lines[j], b"", lines[i] + lines[j]])
    return b"\n".join(lines)


_PLAIN = (_flip, _flip, _flip, _cut, _remove, _repeat, _insert, _insert, _splice, _number, _integer, _lines)
