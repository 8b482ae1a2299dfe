"""A clock with two hands, at the three levels of figure 4-3: hands' tips, their angles, a picture."""

from __future__ import annotations

import numpy as np

SIDE = 32  # pixels
LONG, SHORT = 1.0, 0.5  # lengths of the minute hand and of the hour hand
RADIUS = 14.0  # pixels from the centre to the rim, where the long hand ends
CHUNK = 500  # pictures drawn at once


def tips(hours: np.ndarray) -> np.ndarray:
    """The hands' tips [N, 4] at `hours` [N] after twelve: x1, y1 of the long hand, x2, y2 of the short one,
    which moves on with the minutes; x to the right and y up, in -1 to 1."""
    columns = []
    for turns, length in ((hours % 1, LONG), (hours / 12, SHORT)):
        clockwise = 2 * np.pi * turns
        columns += [length * np.sin(clockwise), length * np.cos(clockwise)]
    return np.stack(columns, axis=1)


def angles(coordinates: np.ndarray) -> np.ndarray:
    """The angles [N, 2] of hands with tips `coordinates` [N, 4]: degrees, 0 to 360, counter-clockwise from the
    x axis; theta1 of the long hand, theta2 of the short one."""
    return np.asarray(np.rad2deg(np.arctan2(coordinates[:, 1::2], coordinates[:, ::2])) % 360)


def pixels(coordinates: np.ndarray) -> np.ndarray:
    """Pictures uint8 [N, 32, 32] of clocks with tips `coordinates` [N, 4]: 0 for paper, 255 for ink."""
    count = -(-len(coordinates) // CHUNK)
    return np.concatenate([_draw(some.astype(np.float32)) for some in np.array_split(coordinates, count)])


def _draw(coordinates: np.ndarray) -> np.ndarray:
    right = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    centres = np.stack(np.meshgrid(right, -right), axis=-1)  # [32, 32, 2], pixels from the centre, y up
    far = np.abs(np.linalg.norm(centres, axis=-1) - RADIUS)[None]  # from the rim
    for tip in (coordinates[:, :2], coordinates[:, 2:]):
        hand = RADIUS * tip[:, None, None]
        along = np.clip((centres * hand).sum(-1) / (hand**2).sum(-1), 0, 1)  # nearest point of the hand
        far = np.minimum(far, np.linalg.norm(centres - along[..., None] * hand, axis=-1))
    return (255 * np.clip(1.5 - far, 0, 1)).astype(np.uint8)
