"""Random numbers of a layer: functions of its key and their position, so that they are the same wherever they are
drawn (`dropout.Dropout`).

Each draw moves the key on: an int64 scalar, a buffer of the layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlrun.layers.dropout import KEY, STRIDE, hash_words


def new_key() -> Tensor:
    """A key from torch's global generator."""
    return torch.randint(KEY + 1, ())


def words(key: Tensor, count: int) -> Tensor:
    """The next words, int64 [count], each in 0 .. 2**32 - 1."""
    drawn = hash_words(key, count)
    key.add_(STRIDE).bitwise_and_(KEY)
    return drawn


def kept(key: Tensor, rate: float | Tensor, count: int) -> Tensor:
    """What a dropout of `rate` keeps, bool [count]. rate: a float64 scalar where models of a stack differ in it."""
    dropped = rate * 2**32
    return words(key, count) >= (dropped.round().long() if isinstance(dropped, Tensor) else round(dropped))


def normal(key: Tensor, like: Tensor) -> Tensor:
    """Normal deviates of mean 0 and deviation 1, of the shape and dtype of `like`; none is beyond 6.8.

    Box and Muller's way from two words to two deviates. In double width whatever the dtype: logarithms and sines
    differ in their last bits from device to device, and rounding to single width makes them the same but for a few.
    Only `mps` has no double width.
    """
    count = like.numel()
    wide = torch.float32 if like.device.type == "mps" else torch.float64
    first, second = (words(key, count + count % 2).to(wide).view(-1, 2) + 0.5).mul_(2.0**-32).unbind(1)
    radius = first.log().mul_(-2.0).sqrt_()
    angle = second * (2.0 * math.pi)
    pairs = torch.stack((radius * angle.cos(), radius * angle.sin()), 1)
    return pairs.view(-1)[:count].view(like.shape).to(like.dtype)


def is_zero(number: float | Tensor) -> bool:
    """Whether there is nothing to draw; a number that models of a stack differ in is taken as it comes."""
    return not isinstance(number, Tensor) and number == 0.0
