"""Windows of Keras's layers by numpy alone: rules of padding as TensorFlow's documentation words them."""

from __future__ import annotations

import numpy as np


def edges(size, window, stride, dilation, padding):
    """Places before and after; None where nothing fits."""
    reach = window + (window - 1) * (dilation - 1)
    if padding == "valid":
        return (0, 0) if reach <= size else None
    if padding == "causal":
        return reach - 1, 0
    total = max(reach - (stride if size % stride == 0 else size % stride), 0)
    return total // 2, total - total // 2


def patches(x, window, strides, dilation, padding, fill):
    """x [B, *sizes, C] to [B, *counts, C, *window]; `fill` beyond the edges. None where no window fits."""
    for axis, (k, s, d) in enumerate(zip(window, strides, dilation, strict=True), start=1):
        size = x.shape[axis]
        outside = edges(size, k, s, d, padding)
        if outside is None:
            return None
        count = -(-(size - (k - 1) * d) // s) if padding == "valid" else -(-size // s)
        x = np.pad(x, [outside if a == axis else (0, 0) for a in range(x.ndim)], constant_values=fill)
        places = s * np.arange(count)[:, None] + d * np.arange(k)
        x = np.moveaxis(np.take(x, places, axis), axis + 1, -1)
    return x


def convolution(x, kernel, bias, strides, dilation, padding, groups=1):
    """kernel in Keras's layout [*window, C / groups, filters]."""
    axes = kernel.ndim - 2
    seen = patches(x, kernel.shape[:axes], strides, dilation, padding, 0.0)
    results = []
    for part, filters in zip(np.split(seen, groups, axes + 1), np.split(kernel, groups, -1), strict=True):
        weights = np.moveaxis(filters, axes, 0)  # [C / groups, *window, filters]
        results.append(np.tensordot(part, weights, axes + 1))
    return np.concatenate(results, -1) + bias


def pooling(x, kind, window, strides, padding):
    """None where no window fits."""
    seen = patches(x, window, strides, [1] * len(window), padding, np.nan)
    over = tuple(range(-len(window), 0))
    if seen is None:
        return None
    return np.nanmax(seen, over) if kind == "max" else np.nanmean(seen, over)


def torch_layout(kernel):
    """[*window, a, b] as [b, a, *window]."""
    axes = kernel.ndim - 2
    return kernel.transpose(axes + 1, axes, *range(axes))


def depthwise_layout(kernel):
    """[*window, C, multiplier] as [C * multiplier, 1, *window]."""
    axes = kernel.ndim - 2
    return kernel.transpose(axes, axes + 1, *range(axes)).reshape(-1, 1, *kernel.shape[:axes])
