"""The picture of a confusion matrix: what stands on it, and that any number of classes is drawn."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from dlrun.contracts import DataSpec, InputSpec, TableMetric, TargetSpec
from dlrun.metrics import confusion_matrix

NAMES = ("cat_$1", "dog_$2", "a very long name of an animal")


def drawn(classes: int, labels: tuple[str, ...], path: Path) -> Figure:
    """The figure behind the PNG."""
    target = TargetSpec("binary" if classes == 2 else "multiclass", classes, labels=labels)
    metric = confusion_matrix.build(DataSpec({"x": InputSpec((3,))}, {"y": target}))
    assert isinstance(metric, TableMetric)
    table = np.arange(classes**2).reshape(classes, classes) + 7
    table[-1] = 0  # a class without rows
    figures = []
    original = Figure.savefig
    with patch.object(Figure, "savefig", lambda self, *a, **k: [figures.append(self), original(self, *a, **k)]):
        metric.draw(table, path, "some_task · test")
    return figures[0]


@pytest.mark.parametrize(("classes", "numbers"), [(2, 4), (3, 9), (15, 225), (16, 0), (120, 0)])
def test_any_number_of_classes(classes, numbers, tmp_path):
    figure = drawn(classes, (), tmp_path / ".aside.123")
    axes = figure.axes[0]
    assert imread(tmp_path / ".aside.123", format="png").shape[0] >= 480
    assert [t.get_text() for t in axes.texts][:2] == ["7", "8"][: min(numbers, 2)]
    assert len(axes.texts) == numbers
    assert axes.get_title() == "some_task · test: confusion matrix"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    if classes <= 50:
        assert [t.get_text() for t in axes.get_yticklabels()] == [str(c) for c in range(classes)]


def test_names_of_classes_stand_at_both_axes_as_they_are(tmp_path):
    axes = drawn(3, NAMES, tmp_path / "x.png").axes[0]
    shown = ["cat_$1", "dog_$2", "a very long nam…"]
    assert [t.get_text() for t in axes.get_xticklabels()] == shown
    assert [t.get_text() for t in axes.get_yticklabels()] == shown


@pytest.mark.parametrize("classes", [15])
def test_names_do_not_overlap(classes, tmp_path):
    figure = drawn(classes, tuple(f"name-of-class{c:02}" for c in range(classes)), tmp_path / "x.png")
    for labels, side in ((figure.axes[0].get_xticklabels(), "x"), (figure.axes[0].get_yticklabels(), "y")):
        boxes = [label.get_window_extent() for label in labels]
        ends = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in boxes)
        assert all(a[1] <= b[0] for a, b in pairwise(ends))


def test_colours_are_shares_of_the_row(tmp_path):
    image = drawn(3, NAMES, tmp_path / "x.png").axes[0].images[0].get_array()
    np.testing.assert_allclose(image.sum(1), [1, 1, 0])
    np.testing.assert_allclose(image[0], np.array([7, 8, 9]) / 24)


@pytest.mark.parametrize(("classes", "labels"), [(2, False), (2, True), (10, True), (46, True)])
def test_nothing_is_cut_off_at_the_edges(classes, labels, tmp_path):
    names = tuple(f"name-of-class{c:02}" for c in range(classes)) if labels else ()
    drawn(classes, names, tmp_path / "x.png")
    image = imread(tmp_path / "x.png")
    assert image[5:-5, 5:-5].min() < 0.2
    assert all((edge == 1).all() for edge in (image[:5], image[-5:], image[:, :5], image[:, -5:]))
