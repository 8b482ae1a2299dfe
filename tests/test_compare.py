"""dlrun compare: smoothing, onset of overfitting, tables, chart, and what can't be compared."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from _running import SMALL
from test_cli import examples

from dlrun import comparing
from dlrun.cli import main
from dlrun.comparing import Curve, onset
from dlrun.completing import candidates
from dlrun.differing import differences
from dlrun.plots import smooth
from dlrun.run_folder import RunFolder


def history(val: list[float], train: list[float] | None = None, fold: int = 0, **more: float) -> list[dict[str, Any]]:
    rows = []
    for epoch, loss in enumerate(train or val, 1):
        head = {"stage": "fit", "repeat": 0, "fold": fold, "epoch": epoch}
        rows.append({**head, "split": "train", "loss": loss, **more})
        if val:
            rows.append({**head, "split": "val", "loss": val[epoch - 1], **more})
    return rows


def made(
    task: str, signature: str, rows: list[dict[str, Any]], finished: bool = True, source: str = "real", seed: int = 0,
    units: tuple[int, ...] = (16, 16), **more: Any,
) -> RunFolder:  # fmt: skip
    """A run on disk with this history."""
    folder = RunFolder(Path("runs", task, signature))
    folder.path.mkdir(parents=True)
    config = {"task": task, "seed": seed, "runs_dir": "runs", "dataset": {"name": "imdb", "source": source},
              "architecture": {"name": "dense", "units": list(units)}, "metrics": {"accuracy": {}},
              "optimizer": {"name": "rmsprop", "lr": 0.001}, **more}  # fmt: skip
    folder.config.write_text(yaml.safe_dump(config))
    folder.append_rows(rows)
    folder.write_status("finished" if finished else "preempted")
    if finished:
        summary = {"metrics": {"val": {}, "test": {"accuracy": 0.87}}, "parameters": {"total": 160305},
                   "seconds_per_epoch": 0.25}  # fmt: skip
        folder.summary.write_text(json.dumps(summary))
    return folder


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn."""
    from matplotlib.figure import Figure

    drawn: list[Any] = []
    saved = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), saved(self, *a, **k))[1])
    return drawn


def cells(shown: str, title: str, run: str) -> list[str]:
    """The line of a run in the table under a title, without the run."""
    table = shown.partition(f"\n{title}")[2].partition("\n\n")[0]
    (line,) = (line for line in table.splitlines() if line.startswith(f"{run} "))
    return line.removeprefix(run).split()


# The numbers


def test_smoothing_is_listing_3_31():
    assert np.allclose(smooth(np.array([10.0, 20.0, 0.0]), 0.9), [10, 0.9 * 10 + 0.1 * 20, 0.9 * 11 + 0.1 * 0])
    assert np.array_equal(smooth(np.array([3.0, 1.0, 2.0]), 0.0), [3, 1, 2])
    values = np.random.default_rng(0).normal(size=50)
    by_hand = [0.8**i * values[0] + sum(0.2 * 0.8 ** (i - j) * values[j] for j in range(1, i + 1)) for i in range(50)]
    assert np.allclose(smooth(values, 0.8), by_hand)


def curve(values: list[float]) -> Curve:
    return Curve(np.arange(1, len(values) + 1), np.array(values), np.zeros(len(values)), 1)


@pytest.mark.parametrize(
    ("values", "epoch"),
    [
        ([0.5, 0.3, 0.4], 2),
        ([0.5, 0.3, 0.9, 0.301], None),  # rose, and came back
        ([0.5, 0.3, 0.3061], 2),
        ([0.5, 0.3, 0.3059], None),  # less than 2 %
        ([0.5, 0.4, 0.3], None),
        ([0.3, 0.5], 1),
        ([0.5], None),
        ([0.5, 0.3, 0.3, 0.4], 2),  # the first of equals
        ([0.5, float("nan"), 0.3, 0.4], 3),
        ([float("nan")] * 2, None),
    ],
)
def test_onset_is_the_lowest_loss_where_it_rises_for_good(values, epoch):
    assert onset(curve(values)) == epoch


def test_onset_agrees_with_the_remark_of_the_report(project):
    from dlrun.summary import remark

    for values in np.random.default_rng(1).uniform(0.3, 0.33, size=(50, 5)).tolist():
        told = re.match(r"overfits after epoch (\d)", remark(history(values)))
        assert onset(curve(values)) == (int(told[1]) if told else None)


def test_skipping_keeps_the_true_epochs():
    left = curve([5.0, 4.0, 3.0, 2.0]).without(2).smoothed(0.5)
    assert left.epochs.tolist() == [3, 4]
    assert left.mean.tolist() == [3.0, 2.5]  # the smoothing starts at the first point that is left


def test_curves_are_means_over_splits_and_end_where_the_first_one_does(project):
    rows = history([0.4, 0.2, 0.1]) + history([0.6, 0.4], fold=1)
    made("a", "00000000", rows)
    made("b", "00000001", rows, finished=False)
    done, under_way = comparing.read(["a", "b"], Path("runs"), False)
    found = done.curve("val", "loss")
    assert found is not None
    assert (found.epochs.tolist(), found.splits) == ([1, 2], 2)
    assert np.allclose(found.mean, [0.5, 0.3])
    assert np.allclose(found.std, np.std([0.4, 0.6], ddof=1))
    found = under_way.curve("val", "loss")  # its second split is not done yet
    assert found is not None
    assert (found.epochs.tolist(), found.mean.tolist(), found.splits) == ([1, 2, 3], [0.4, 0.2, 0.1], 1)


def test_the_refitted_model_is_no_part_of_the_curves(project):
    made("a", "00000000", [*history([0.4, 0.2]), *({**r, "stage": "refit"} for r in history([0.9, 0.9, 0.9]))])
    made("b", "00000001", history([0.4]))
    found = comparing.read(["a", "b"], Path("runs"), False)[0].curve("val", "loss")
    assert found is not None
    assert found.mean.tolist() == [0.4, 0.2]


# Tables and chart


def test_tables_have_values_onset_and_what_differs(project, capsys):
    made("imdb_original", "0a1b2c3d", history([0.5, 0.3, 0.4], [0.6, 0.2, 0.1], accuracy=0.8))
    made("imdb_small", "1a1b2c3d", history([0.6, 0.5, 0.4], accuracy=0.7), units=(4, 4), dropout=None)
    assert main(["compare", "imdb_original", "imdb_small"]) == 0
    shown = capsys.readouterr().out
    assert cells(shown, "loss", "imdb_original") == ["0.5", "0.4", "0.3", "2", "0.6", "0.1", "0.1", "3"]
    assert cells(shown, "loss", "imdb_small") == ["0.6", "0.4", "0.4", "3", "0.6", "0.4", "0.4", "3"]
    assert cells(shown, "Runs", "imdb_original")[:5] == ["2", "0.87", "3", "1", "160,305"]
    assert cells(shown, "Runs", "imdb_small")[0] == "none"
    differing = shown.partition("What differs in the configs\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split(maxsplit=1)[0] for line in differing] == ["config", "architecture.units", "dropout"]
    assert re.split(r"\s{2,}", differing[1])[1:] == ["[16, 16]", "[4, 4]"]
    assert differing[2].split() == ["dropout", "-", "null"]
    assert "SAMPLE" not in shown
    assert Path("compare.png").read_bytes().startswith(b"\x89PNG")


def test_best_is_highest_where_the_metric_says_so(project, capsys):
    for task, accuracies in (("a", [0.5, 0.9, 0.7]), ("b", [0.5, 0.6, 0.7])):
        rows = [{**row, "accuracy": accuracies[row["epoch"] - 1]} for row in history([0.3, 0.2, 0.1])]
        made(task, f"0000000{task}", rows)
    assert main(["compare", "a", "b", "metric=loss,accuracy"]) == 0
    shown = capsys.readouterr().out
    assert cells(shown, "accuracy", "a")[:4] == ["0.5", "0.7", "0.9", "2"]
    assert cells(shown, "loss", "a")[:4] == ["0.3", "0.1", "0.1", "3"]


def test_without_the_users_plugin_the_best_is_unknown_and_the_rest_is_shown(project, capsys):
    for task in ("a", "b"):
        made(task, f"0000000{task}", history([0.3, 0.2], mine=0.5), metrics={"mine": {}})
    assert main(["compare", "a", "b", "metric=mine"]) == 0
    shown = capsys.readouterr()
    assert cells(shown.out, "mine", "a") == ["0.5", "0.5", "-", "-"] * 2
    assert "the best mine is unknown" in shown.err


def test_the_chart_has_crosses_then_dots_at_the_true_epochs(project, figures, capsys):
    made("a", "0000000a", history([0.5, 0.4, 0.3, 0.2]))
    made("b", "0000000b", history([0.8, 0.6, 0.4]))
    assert main(["compare", "a", "b", "skip=1", "smooth=0.5", "output=pictures/ab.png"]) == 0
    (axes,) = figures[0].axes
    first, second = axes.lines
    assert (first.get_marker(), first.get_linestyle()) == ("x", "None")
    assert (second.get_marker(), second.get_linestyle()) == ("o", "None")
    assert list(first.get_xdata()) == [2, 3, 4]
    assert np.allclose(first.get_ydata(), [0.4, 0.35, 0.275])
    assert np.allclose(second.get_ydata(), [0.6, 0.5])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_title() == "validation loss, moving average 0.5"
    assert Path("pictures/ab.png").exists()


def test_many_runs_differ_in_colour_and_are_joined_and_splits_have_a_band(project, figures, capsys):
    for i in range(7):
        made(f"t{i}", f"0000000{i}", history([0.5, 0.4 + i / 10]) + history([0.7, 0.5], fold=1))
    assert main(["compare", *(f"t{i}" for i in range(7)), "metric=loss", "split=train"]) == 0
    (axes,) = figures[0].axes
    assert len({line.get_color() for line in axes.lines}) == 7
    assert [line.get_linestyle() for line in axes.lines] == ["None"] + ["-"] * 6
    assert len(axes.collections) == 7
    assert axes.get_legend().get_texts()[0].get_text() == "t0, mean of 2"
    assert axes.get_ylabel() == "training loss"


def test_several_metrics_are_panels(project, figures, capsys):
    for task in ("a", "b"):
        made(task, f"0000000{task}", history([0.3, 0.2], accuracy=0.5, mae=0.1))
    assert main(["compare", "a", "b", "metric=loss,accuracy,mae"]) == 0
    assert [axes.get_ylabel().split()[1] for axes in figures[0].axes] == ["loss", "accuracy", "mae"]


def test_long_curves_have_a_line_and_marks_that_can_be_told_apart(project, figures, capsys):
    for task in ("a", "b"):
        made(task, f"0000000{task}", history(np.linspace(1, 0.5, 500).tolist()))
    assert main(["compare", "a", "b"]) == 0
    for line in figures[0].axes[0].lines:
        assert line.get_linestyle() == "-"
        assert len(line.get_xdata()) / line.get_markevery() <= 40


# Which runs


def test_labels_are_the_shortest_that_tell_runs_apart(project, capsys):
    made("a", "00000000", history([0.3, 0.2]))
    made("b", "00000001", history([0.3, 0.2]), seed=1)
    made("b", "00000002", history([0.3, 0.2]), seed=2)
    made("b", "00000003", history([0.3, 0.2]), seed=2, units=(4,))

    def labels(*words: str) -> list[str]:
        return [run.label for run in comparing.read(words, Path("runs"), False)]

    assert labels("a", "00000001") == ["a", "b"]
    assert labels("00000002", "a", "00000001") == ["b seed 2", "a seed 0", "b seed 1"]
    assert labels("00000002", "00000003") == ["b/00000002", "b/00000003"]
    shutil.copytree("runs/b/00000003", "elsewhere/b/00000003")
    assert labels("00000003", "elsewhere/b/00000003") == ["runs/b/00000003", "elsewhere/b/00000003"]


def test_all_takes_every_finished_run_of_a_task_the_oldest_first(project, capsys):
    for age, (name, finished) in enumerate({"00000003": True, "00000002": False, "00000001": True}.items()):
        folder = made("a", name, history([0.3, 0.2]), finished, seed=int(name))
        os.utime(folder.config, (1e9 - age,) * 2)
    shutil.copytree("runs/a/00000003", "runs/a/00000003.1")  # kept by rerun=true
    assert main(["compare", "a", "all=true"]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"^a seed \d", shown.partition("\nRuns")[0], re.MULTILINE) == ["a seed 1", "a seed 3"]


def test_runs_under_way_and_sample_data_are_marked(project, capsys):
    made("a", "0000000a", history([0.3, 0.2, 0.4]), source="sample")
    made("b", "0000000b", history([0.3]), finished=False)
    assert main(["compare", "a", "b"]) == 0
    shown = capsys.readouterr().out
    assert "loss · SAMPLE DATA, no result of the book" in shown
    assert cells(shown, "loss", "a (SAMPLE)")[:2] == ["0.3", "0.4"]
    found = cells(shown, "Runs", "b")
    assert found[0] == "-"  # one epoch tells nothing
    assert "preempted" in found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a"], "expected two runs or more, received runs/a/0000000a"),
        ([], "received none"),
        (["a", "0000000a"], "expected two runs or more"),
        (["a", "c"], "no run 'c' in runs"),
        (["a", "b", "metric=acuracy"], "Did you mean 'accuracy'? available: accuracy, loss"),
        (["a", "b", "metric=loss,only_a"], "b/0000000b has no 'only_a' on val rows"),
        (["a", "unvalidated"], "split=train compares what it has"),
        (["a", "empty"], "empty/0000000f has no epoch yet"),
        (["a", "b", "skip=3"], "3 leaves nothing of a/0000000a, b/0000000b: 3 epochs at most"),
        (["a", "b", "skip=-1"], "expected a number of epochs, received '-1'"),
        (["a", "b", "smooth=1"], "expected a number from 0 to below 1, received '1'"),
        (["a", "b", "smooth=some"], "received 'some'"),
        (["a", "b", "split=test"], "expected val or train, received 'test'"),
        (["a", "b", "all=yes"], "expected true or false, received 'yes'"),
        (["a", "b", "output=x.jpg"], "expected the name of a .png file, received 'x.jpg'"),
        (["a", "b", "metrics=loss"], "Did you mean 'metric'?"),
        (["a", "b", "--fast"], "expected key=value, received '--fast'"),
    ],
)
def test_what_cant_be_compared_is_said_and_nothing_is_written(words, told, project, capsys):
    made("a", "0000000a", [{**r, "only_a": 1.0} for r in history([0.3, 0.2, 0.1], accuracy=0.5)])
    made("b", "0000000b", history([0.3, 0.2, 0.1], accuracy=0.5))
    made("unvalidated", "0000000c", history([], [0.3, 0.2, 0.1]))
    made("empty", "0000000f", [], finished=False)
    assert main(["compare", *words]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""
    assert [f.name for f in project.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("words", "validated", "told"),
    [
        ([], False, "a/00000004, a/00000003, a/00000002 and 2 more have no val rows"),
        (["metric=maee,loss"], True, "have no 'maee' on val rows"),
        (["metric=mae,loss", "skip=2"], True, "and 2 more: 2 epochs at most"),
    ],
)
def test_what_all_runs_lack_is_one_problem(words, validated, told, project, capsys):
    for i in range(5):
        folder = made("a", f"0000000{i}", history([0.3, 0.2] if validated else [], [0.3, 0.2], mae=0.1), seed=i)
        os.utime(folder.config, (1e9 - i,) * 2)
    assert main(["compare", "a", "all=true", *words]) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "1 problem in this command\n" in shown


def test_groups_of_named_components_are_one_line_where_the_names_differ():
    stop = {"early_stopping": {"patience": 2}}
    first = {"task": "a", "metrics": {"accuracy": {}, "mae": {}}, "callbacks": stop, "guards": {}, "seed": 0}
    second = {"task": "b", "metrics": {"mae": {}, "top": {"k": 2}}, "callbacks": {"early_stopping": {"patience": 3}},
              "guards": {}, "baselines": {}, "seed": 0}  # fmt: skip
    assert differences([first, second]) == [
        ["metrics", "accuracy, mae", "mae, top"],
        ["callbacks.early_stopping.patience", "2", "3"],
        ["baselines", "-", "none"],
    ]
    swapped = {**first, "metrics": {"mae": {}, "accuracy": {}}}
    assert differences([first, swapped]) == []


def test_every_example_has_known_words(project, capsys):
    assert examples("compare")
    for words in examples("compare"):
        assert main([*words, "runs_dir=nowhere"]) == 2
        shown = capsys.readouterr().err
        assert re.findall(r"^\d\. (.*)", shown, re.MULTILINE) == [
            f"run: no run '{w}' in nowhere" for w in words[1:] if "=" not in w
        ]


def test_runs_and_keys_are_completed(project):
    made("a", "0000000a", history([0.3]))
    assert candidates("dlrun compare ")[:2] == ["a", "a/0000000a"]
    assert candidates("dlrun compare a a/") == ["a/0000000a"]
    assert candidates("dlrun compare a sp") == ["split="]
    assert candidates("dlrun compare a split=") == ["split=val", "split=train"]
    assert candidates("dlrun compare runs_dir=elsewhere a") == ["all="]


def test_a_broken_history_is_a_data_error(project, capsys):
    made("a", "0000000a", history([0.3]))
    made("b", "0000000b", history([0.3])).metrics.write_text('{"stage": "fi')
    assert main(["compare", "a", "b"]) == 3
    assert "runs/b/0000000b/metrics.jsonl is no history of a run" in capsys.readouterr().err


def test_a_chart_that_cant_be_written_leaves_nothing_behind(project, capsys):
    for task in ("a", "b"):
        made(task, f"0000000{task}", history([0.3, 0.2]))
    Path("file").write_text("in the way")
    assert main(["compare", "a", "b", "output=file/x.png"]) == 4
    assert "can't write file/x.png" in capsys.readouterr().err
    assert sorted(f.name for f in project.iterdir()) == ["file", "runs"]


def test_real_runs_compare(project, capsys):
    """Against their own summaries."""
    assert main(["train", "-q", *SMALL]) == 0
    assert main(["train", "-q", *SMALL, "evaluation=kfold", "evaluation.n_splits=2", "architecture.units=[8]"]) == 0
    capsys.readouterr()
    assert main(["compare", "imdb_dense", "all=true", "metric=loss,accuracy"]) == 0
    shown = capsys.readouterr().out
    for folder in (RunFolder(path.parent) for path in Path("runs").glob("*/*/summary.json")):
        summary = folder.read_summary()
        assert summary is not None
        for metric, value in summary["metrics"]["val"].items():
            name = f"imdb_dense/{folder.path.name} (SAMPLE)"
            last, best, epoch = cells(shown, metric, name)[1:4]
            assert float(last) == pytest.approx(value["mean"], abs=1e-4)
            assert (float(best), int(epoch)) == (pytest.approx(value["best"], abs=1e-4), value["best_epoch"])
    assert "evaluation.n_splits" in shown
    assert "architecture.units" in shown
