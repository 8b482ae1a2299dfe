"""Demos: every value that they return, against what is known of it; and that their checks can fail."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dlrun.claims import experiments, read
from dlrun.demos import clock_lookup, functional_api, gradient_descent, tensor_ops

HERE = Path(tensor_ops.__file__).parent


def test_every_demo_belongs_to_an_experiment():
    used = {read(folder).demo for folder in experiments().values()} - {None}
    assert used == {f.stem for f in HERE.glob("*.py") if not f.stem.startswith("_")}


def test_loops_and_library_agree_and_the_library_is_faster(tmp_path, capsys):
    values = tensor_ops.run(tmp_path)
    for claim in read(experiments()["tensor_ops"]).claims:
        if not claim.metric.endswith("_speedup"):  # a busy machine may be slow at anything
            assert claim.verdict(values[claim.metric]).startswith("within"), claim.claim
    assert {k for k in values if k.endswith("_speedup")} == {"relu_speedup", "add_speedup", "matrix_dot_speedup"}
    assert all(v > 1 for k, v in values.items() if k.endswith("_speedup"))
    shown = capsys.readouterr().out
    assert "broadcast_maximum" in shown
    assert "times" in shown


def test_a_difference_is_seen_also_in_shape():
    assert tensor_ops.apart([[1.0, 2.0]], torch.tensor([[1.0, 2.5]], dtype=torch.float64)) == 0.5
    assert tensor_ops.apart([[1.0], [2.0]], torch.tensor([[1.0, 2.0]], dtype=torch.float64)) == math.inf
    assert tensor_ops.apart([[1.0]], torch.tensor([[math.nan]])) != 0


def test_gradient_descent_holds_its_claims_and_draws(tmp_path):
    values = gradient_descent.run(tmp_path)
    judged = [c for c in read(experiments()["gradient_descent"]).claims if c.run is None]
    assert {c.metric for c in judged} < set(values)
    assert all(c.verdict(values[c.metric]).startswith("within") for c in judged)
    assert values["steps_plain"] - values["steps_momentum"] == values["steps_saved"]
    pictures = {f.name: f.read_bytes()[:4] for f in tmp_path.iterdir()}
    assert pictures == dict.fromkeys(("learning_rates.png", "surface.png", "minima.png"), b"\x89PNG")


def test_graphs_equal_lists_and_what_is_none_is_refused(tmp_path, capsys):
    values = functional_api.run(tmp_path)
    judged = [c for c in read(experiments()["functional_api"]).claims if c.run is None]
    assert {c.metric for c in judged} == set(values)
    assert all(c.verdict(values[c.metric]).startswith("within") for c in judged)
    assert "a cycle: a → b → a" in capsys.readouterr().out


def test_a_graph_that_is_right_is_not_refused():
    assert functional_api.refusal({"x": (64,)}, functional_api.GRAPH) == ""


def test_descent_is_what_a_bowl_makes_of_it():
    path = gradient_descent.descend(gradient_descent.bowl, [2.0], 0.25, 0.0, 3)
    assert path[:, 0].tolist() == [2.0, 1.0, 0.5, 0.25]  # each step takes 2 * lr of the weight
    stopped = gradient_descent.descend(gradient_descent.bowl, [2.0], 0.25, 0.0, 100, low=0.25)
    assert stopped[:, 0].tolist() == [2.0, 1.0, 0.5]
    pushed = gradient_descent.descend(gradient_descent.bowl, [2.0], 0.25, 0.5, 1)
    assert pushed[-1].item() == 2.0 - 1.0 - 0.5 * 1.0  # velocity -1, and half of it again


@pytest.mark.parametrize(
    ("angles", "hour"),
    [([90, 90], 0), ([90, 0], 3), ([90, 270], 6), ([90, 180], 9), ([45, 0], 3), ([90, 140], 10), ([90, 91], 11)],
)
def test_an_hour_is_read_from_the_short_hand(angles, hour):
    assert clock_lookup.hour(torch.tensor([angles], dtype=torch.float32)).item() == hour


def test_clocks_are_read_right(tmp_path):
    assert clock_lookup.run(tmp_path)["accuracy"] > 0.999
