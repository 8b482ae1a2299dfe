"""Pictures turned, shifted, sheared, zoomed and flipped: by the formula of Keras, and by what the draws look like."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.func import functional_call, stack_module_state

from dlrun.compiler import trace
from dlrun.errors import ConfigError
from dlrun.layers import image_augmentation
from dlrun.layers._augmentation import affine, transformed
from dlrun.layers._noise import words
from dlrun.layers._spec import TensorSpec
from dlrun.stack import differing_settings

BOOK = {"rotation_range": 40, "width_shift_range": 0.2, "height_shift_range": 0.2, "shear_range": 0.2, "zoom_range": 0.2,
        "horizontal_flip": True}  # fmt: skip
"""Listing 5-11."""

MAPS = {  # angle and shear in radians, shifts in pixels, factors of height and width
    "nothing": (0, 0, 0, 0, 1, 1),
    "angle": (0.4, 0, 0, 0, 1, 1),
    "down": (0, 2.3, 0, 0, 1, 1),
    "right": (0, 0, -3.6, 0, 1, 1),
    "shear": (0, 0, 0, 0.3, 1, 1),
    "zoom of height": (0, 0, 0, 0, 0.73, 1),  # nothing half-way between two pixels, where either is as near
    "zoom of width": (0, 0, 0, 0, 1, 1.4),
    "all": (-0.6, 1.7, 2.9, -0.25, 1.2, 0.8),
}
MODES = [
    (fill, interpolation) for fill in ("nearest", "reflect", "constant") for interpolation in ("nearest", "bilinear")
]


def make(seed=0, shape=(6, 8, 3), **arguments):
    torch.manual_seed(seed)
    return image_augmentation.build(TensorSpec(shape), **(arguments or BOOK))


def keras_matrix(angle, down, right, shear, zoom_y, zoom_x, height, width):
    """Keras 2.0.8's product of matrices, about the centre, on (row, column)."""
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]
    shift = [[1, 0, down], [0, 1, right], [0, 0, 1]]
    shearing = [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]
    zoom = np.diag([zoom_y, zoom_x, 1])
    y, x = height / 2 - 0.5, width / 2 - 0.5
    there, back = [[1, 0, y], [0, 1, x], [0, 0, 1]], [[1, 0, -y], [0, 1, -x], [0, 0, 1]]
    return np.linalg.multi_dot([there, rotation, shift, shearing, zoom, back])


def by_scipy(picture, numbers, fill, interpolation, cval):
    """As Keras does it, each channel by scipy."""
    matrix = keras_matrix(*numbers, *picture.shape[:2])
    channels = [
        ndimage.affine_transform(
            picture[..., c], matrix[:2, :2], matrix[:2, 2], order=int(interpolation == "bilinear"), mode=fill, cval=cval
        )
        for c in range(picture.shape[2])
    ]
    return np.stack(channels, -1)


@pytest.mark.parametrize(("fill", "interpolation"), MODES)
@pytest.mark.parametrize("numbers", MAPS.values(), ids=MAPS)
def test_a_map_is_that_of_keras(numbers, fill, interpolation):
    picture = np.random.default_rng(0).random((13, 18, 3))
    maps = affine(*torch.tensor(numbers, dtype=torch.float64)[:, None])
    ours = transformed(torch.from_numpy(picture)[None], maps, fill, 0.3, interpolation)[0].numpy()
    np.testing.assert_allclose(ours, by_scipy(picture, numbers, fill, interpolation, 0.3), rtol=0, atol=1e-9)


@pytest.mark.parametrize("numbers", MAPS.values(), ids=MAPS)
def test_a_map_is_that_of_keras_itself(numbers, monkeypatch):
    """Keras 3 reads the same matrices as (column, row), so it is given a picture with its axes exchanged; and a square
    one, for it takes half the height for the middle of the width."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")
    picture = np.random.default_rng(0).random((18, 18, 3))
    angle, down, right, shear, zoom_y, zoom_x = numbers
    theirs = legacy.apply_affine_transform(
        picture.transpose(1, 0, 2), np.rad2deg(angle), down, right, np.rad2deg(shear), zoom_y, zoom_x,
        row_axis=0, col_axis=1, channel_axis=2, fill_mode="reflect", order=1,
    )  # fmt: skip
    maps = affine(*torch.tensor(numbers, dtype=torch.float64)[:, None])
    ours = transformed(torch.from_numpy(picture)[None], maps, "reflect", 0.0, "bilinear")[0].numpy()
    np.testing.assert_allclose(ours, theirs.transpose(1, 0, 2), rtol=0, atol=1e-9)


def numbers_of(key, rows, height, width, shear_to_radians=math.pi / 180):
    """What the layer draws with the settings of the book, picture by picture, and which are flipped left to right."""
    drawn = ((words(key.clone(), rows * 8).view(rows, 8).double() + 0.5) / 2**32).numpy()
    within = 2 * drawn - 1
    columns = (
        np.deg2rad(40) * within[:, 0], 0.2 * height * within[:, 1], 0.2 * width * within[:, 2],
        0.2 * shear_to_radians * within[:, 3], 1 + 0.2 * within[:, 4], 1 + 0.2 * within[:, 5],
    )  # fmt: skip
    return np.stack(columns, 1), drawn[:, 6] < 0.5


@pytest.mark.parametrize("unit", ["degrees", "radians"])
def test_the_layer_is_keras_with_its_own_draws(unit):
    """The affine map first, the flip after it."""
    pictures = torch.rand(10, 13, 18, 3, dtype=torch.float64)
    layer = make(shape=(13, 18, 3), shear_unit=unit, **BOOK)
    numbers, flipped = numbers_of(layer.key, 10, 13, 18, 1.0 if unit == "radians" else math.pi / 180)
    ours = layer(pictures).numpy()
    assert 0 < flipped.sum() < 10
    for i in range(10):
        theirs = by_scipy(pictures[i].numpy(), numbers[i], "nearest", "bilinear", 0.0)
        np.testing.assert_allclose(ours[i], theirs[:, ::-1] if flipped[i] else theirs, rtol=0, atol=1e-9)


def test_single_precision_is_near():
    pictures = torch.rand(4, 150, 150, 3, dtype=torch.float64)
    wide, narrow = make(shape=(150, 150, 3)), make(shape=(150, 150, 3))
    torch.testing.assert_close(narrow(pictures.float()).double(), wide(pictures), rtol=0, atol=1e-3)


def test_evaluation_and_nothing_to_do_change_nothing():
    pictures = torch.rand(3, 6, 8, 3)
    layer = make()
    key = layer.key.clone()
    assert layer.eval()(pictures) is pictures
    assert torch.equal(layer.key, key)
    assert make(rotation_range=0.0)(pictures) is pictures


@pytest.mark.parametrize(
    ("arguments", "flipped"),
    [
        ({"horizontal_flip": True}, [2]),
        ({"vertical_flip": True}, [1]),
        ({"horizontal_flip": True, "vertical_flip": True}, [1, 2]),
    ],
)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_half_of_all_are_flipped_and_no_pixel_is_touched(arguments, flipped, interpolation):
    pictures = torch.rand(400, 5, 6, 1, dtype=torch.float64)
    found = make(interpolation=interpolation, **arguments)(pictures)
    kinds = [(), *[(axis,) for axis in flipped], *([tuple(flipped)] if len(flipped) > 1 else [])]
    counts = [
        sum(torch.allclose(f, p.flip([a - 1 for a in axes])) for f, p in zip(found, pictures, strict=True))
        for axes in kinds
    ]
    assert sum(counts) == 400
    assert all(abs(count - 400 / len(kinds)) < 50 for count in counts)


@pytest.mark.parametrize(
    ("argument", "shape", "limits"),
    [
        ({"width_shift_range": 0.25}, (1, 80, 1), (-20, 20)),
        ({"height_shift_range": 0.25}, (80, 1, 1), (-20, 20)),
        ({"zoom_range": 0.2}, (1, 80, 1), (0.8, 1.2)),
        ({"zoom_range": 0.2}, (80, 1, 1), (0.8, 1.2)),
        ({"zoom_range": [0.5, 0.6]}, (80, 1, 1), (0.5, 0.6)),
    ],
)
def test_draws_fill_their_range_evenly(argument, shape, limits):
    """Pictures that are ramps, along the axis that is longer, tell what was done to them."""
    ramp = torch.arange(80, dtype=torch.float64) - 39.5
    found = make(fill_mode="nearest", **argument)(ramp.view(1, *shape).expand(3000, *shape)).flatten(1)
    middle = (found[:, 40] + found[:, 39]) / 2
    measured = found[:, 40] - found[:, 39] if "zoom_range" in argument else middle
    low, high = limits
    assert measured.min() >= low - 1e-9
    assert measured.max() <= high + 1e-9
    places = ((measured - low) / (high - low)).sort().values
    even = (torch.arange(3000) + 0.5) / 3000
    assert (places - even).abs().max() < 1.63 / 3000**0.5  # Kolmogorov and Smirnov's, at 1 %


def test_height_and_width_are_zoomed_independently():
    y, x = torch.meshgrid(torch.arange(20.0) - 9.5, torch.arange(20.0) - 9.5, indexing="ij")
    found = make(zoom_range=0.3)(torch.stack((y, x), -1).expand(2000, 20, 20, 2))
    zooms = torch.stack((found[:, 10, 10, 0] - found[:, 9, 10, 0], found[:, 10, 10, 1] - found[:, 10, 9, 1]))
    assert abs(torch.corrcoef(zooms)[0, 1]) < 4 / 2000**0.5
    assert zooms.std(1).tolist() == pytest.approx([0.6 / 12**0.5] * 2, rel=0.05)


def test_every_batch_has_its_own_draw_and_a_restored_key_continues():
    pictures = torch.rand(4, 6, 8, 3)
    layer = make()
    first = layer(pictures)
    saved = {name: t.clone() for name, t in layer.state_dict().items()}
    assert list(saved) == ["key"]
    second = layer(pictures)
    assert not torch.equal(first, second)
    resumed = make(seed=5)
    resumed.load_state_dict(saved)
    assert torch.equal(resumed(pictures), second)


def test_seeds_decide_and_padding_rows_do_not():
    pictures = torch.rand(4, 6, 8, 3)
    assert torch.equal(make()(pictures), make()(pictures))
    assert not torch.equal(make()(pictures), make(seed=1)(pictures))
    torch.testing.assert_close(make()(pictures[:3]), make()(pictures)[:3], rtol=0, atol=1e-6)


def test_models_of_a_stack_with_ranges_of_their_own():
    ranges = [0.0, 20.0, 90.0]
    layers = [make(seed=k, rotation_range=r, horizontal_flip=True).double() for k, r in enumerate(ranges)]
    assert differing_settings(layers) == {".rotation_range": ranges}
    params, buffers = stack_module_state(layers)
    shell = copy.deepcopy(layers[0]).to("meta")

    def one(buffers, number, pictures):
        shell.rotation_range = number
        return functional_call(shell, (params, buffers), (pictures,))

    pictures = torch.rand(3, 5, 6, 8, 3, dtype=torch.float64)
    found = torch.vmap(one)(buffers, torch.tensor(ranges, dtype=torch.float64), pictures)
    for k, layer in enumerate(layers):
        torch.testing.assert_close(found[k], layer(pictures[k]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("fill", "interpolation"), MODES)
def test_traced_draws_are_the_eager_ones(fill, interpolation):
    layer, pictures = make(fill_mode=fill, interpolation=interpolation, **BOOK), torch.rand(4, 6, 8, 3)
    key = layer.key.clone()
    shell = copy.deepcopy(layer)
    graph = trace(lambda k, x: functional_call(shell, {"key": k}, (x,)), [key, pictures])
    for _ in range(2):
        torch.testing.assert_close(graph(key, pictures), layer(pictures), rtol=0, atol=1e-6)
    assert torch.equal(key, layer.key)


@pytest.mark.parametrize("zoom", [[0.5], [1.2, 0.8], [0.8, 1.0, 1.2]])
def test_a_zoom_that_is_no_range(zoom):
    with pytest.raises(ConfigError, match=r"zoom_range to be a share or \[low, high\]"):
        make(zoom_range=zoom)


def test_what_is_no_picture_is_refused():
    with pytest.raises(ConfigError, match=r"image_augmentation expects \(height, width, channels\), received \(9,\)"):
        make(shape=(9,))
