"""Seeded damage to any file: flipped bits, cut ends, repeated, removed and swapped pieces."""

from __future__ import annotations

import random
from collections.abc import Iterator


def flipped(content: bytes, random_: random.Random, count: int = 1) -> bytes:
    """Some bits flipped, anywhere."""
    damaged = bytearray(content)
    for _ in range(count):
        damaged[random_.randrange(len(damaged))] ^= 1 << random_.randrange(8)
    return bytes(damaged)


def overwritten(content: bytes, random_: random.Random) -> bytes:
    """A byte that is zero, all ones, or at the limit of its sign."""
    damaged = bytearray(content)
    damaged[random_.randrange(len(damaged))] = random_.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(damaged)


def cut(content: bytes, random_: random.Random) -> bytes:
    """The beginning alone."""
    return content[: random_.randrange(1, len(content))]


def removed(content: bytes, random_: random.Random) -> bytes:
    """A piece left out."""
    begin, length = random_.randrange(len(content)), random_.randrange(1, 64)
    return content[:begin] + content[begin + length :]


def repeated(content: bytes, random_: random.Random) -> bytes:
    """A piece that is there twice."""
    begin, length = random_.randrange(len(content)), random_.randrange(1, 64)
    return content[: begin + length] + content[begin:]


def swapped(content: bytes, random_: random.Random) -> bytes:
    """A piece copied over another."""
    length = random_.randrange(1, 32)
    source, target = (random_.randrange(max(len(content) - length, 1)) for _ in range(2))
    piece = content[source : source + length]
    return content[:target] + piece + content[target + len(piece) :]


MUTATIONS = (flipped, overwritten, cut, removed, repeated, swapped)


def damaged(content: bytes, seed: str, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` damaged versions and what was done to each; the same for the same seed."""
    random_ = random.Random(seed)
    for number in range(count):
        mutation = flipped if number % 2 else random_.choice(MUTATIONS)
        yield f"{number} {mutation.__name__}", mutation(content, random_)
