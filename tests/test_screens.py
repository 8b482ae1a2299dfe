"""What people see: tables, the progress bar, the closing report, plots; on a terminal, in a pipe, and with -q."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dlrun import console, plots, reporting
from dlrun.progress import Progress
from dlrun.run_folder import RunFolder
from dlrun.summary import remark

ODD = "[red]odd[/] [/nothing] \\["
"""A name that rich would read as markup, or stumble over."""


class Screen:
    """The consoles of `dlrun.console`, drawing on a terminal of a given width or into a pipe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.monkeypatch = monkeypatch

    def __call__(self, width: int | None) -> Screen:
        self.out, self.err = io.StringIO(), io.StringIO()
        for name, file in (("out", self.out), ("err", self.err)):
            made = Console(file=file, force_terminal=width is not None, width=width, highlight=False, color_system=None)
            self.monkeypatch.setattr(console, name, made)
        console.configure(quiet=False)
        return self

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    return Screen(monkeypatch)


# Tables


def test_markup_in_data_is_printed_as_it_is(screen):
    for width in (None, 200):
        screen(width)
        console.say(ODD)
        console.table([ODD, "b"], [[ODD, 1]], title=ODD)
        console.log.warning("%s", ODD)
        assert screen.out.getvalue().count(ODD) == 4
        assert f"warning: {ODD}" in screen.err.getvalue()


def test_a_table_in_a_pipe_is_tab_separated_and_whole(screen):
    screen(None)
    console.table(["run", "value"], [["a" * 300, 0.5], ["two\nlines\tand a tab", None]], optional=["value"])
    assert screen.lines == ["run\tvalue", "a" * 300 + "\t0.5", "two lines and a tab\tNone"]


def test_a_table_with_a_title_leaves_no_blanks_at_line_ends(screen):
    screen(None)
    console.table(["", "n"], [["a", 1], ["bb", 22]], title="Title", right=["n"], sample=True)
    assert screen.lines == ["Title · SAMPLE DATA, no result of the book", "     n", "a    1", "bb  22"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_table_leaves_columns_out_and_says_so_but_breaks_no_figure(screen, width):
    screen(width)
    columns = ["run", "changed", "loss", "seconds", "when"]
    rows = [["imdb_dense/1c9f03aa", "x=1 " * 30, "0.12345", "1234.5", "2020-02-02 12:12"]]
    console.table(columns, rows, right=["loss", "seconds"], whole=["run", "when"], optional=["when", "seconds"])
    text = screen.out.getvalue()
    assert all(len(line) <= width for line in screen.lines)
    assert "imdb_dense/1c9f03aa" in text
    assert "0.12345" in text
    hidden = text.partition("not shown for want of width: ")[2]
    for name, value in (("when", "2020-02-02 12:12"), ("seconds", "1234.5")):
        assert (value in text) is (name not in hidden)
    assert ("not shown" in text) is (width < 80)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.88328, "0.8833"),
        (1e-7, "1e-07"),
        (12345.67, "12346"),
        (3, "3"),
        ("x", "x"),
        (float("nan"), "nan"),
    ],
)
def test_figures_have_four_digits(value, shown):
    assert console.number(value) == shown


# The progress of a training


class FakeFit(SimpleNamespace):
    """What `Progress` reads of a `trainer.Fit`."""


def fit(metrics: int = 1, members: int = 1, epochs: int = 3) -> FakeFit:
    names = ["loss", *(f"a_rather_long_metric_{i}" for i in range(metrics))]
    logs = {name: 0.25 for part in ("", "val_") for name in [part + n for n in names]}
    return FakeFit(done=0, epoch=0, epochs=epochs, batch=0, logs=[{} for _ in range(members)], rows_of=[], full=logs)


def train(progress: Progress, fit: FakeFit, epochs: int, steps: int) -> None:
    progress.on_fit_begin(fit)
    for epoch in range(1, epochs + 1):
        fit.epoch = epoch
        for batch in range(steps):
            fit.batch = batch + 1
            progress.drawn = 0.0  # as if a tenth of a second had passed
            progress.on_batch_end(fit)
        fit.done, fit.batch = epoch, 0
        fit.logs, fit.rows_of = [fit.full for _ in fit.logs], list(range(len(fit.logs)))
        progress.on_epoch_end(fit)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("metrics", [0, 2, 12])
def test_the_bar_shows_epoch_values_rate_and_time_uncut(screen, project, width, metrics):
    screen(width)
    progress = Progress("fit 4 models", 5, [RunFolder(project)])
    state = fit(metrics, members=4)
    train(progress, state, 3, 5)
    progress.on_fit_end(state)
    drawn = screen.err.getvalue()
    last = drawn[drawn.rindex("fit 4 models") :]
    assert "epoch 3/3" in last
    assert "updates/s" in last
    assert " in 0:00" in last
    for name in state.full:
        assert f"{name} 0.2500" in " ".join(last.split())
    assert "…" not in drawn
    assert " left" in drawn


def test_a_training_that_stops_early_leaves_a_full_bar(screen, project):
    screen(80)
    progress = Progress("fit", 5, [RunFolder(project)])
    state = fit(epochs=9)
    train(progress, state, 3, 5)
    progress.on_fit_end(state)
    drawn = screen.err.getvalue()
    last = drawn[drawn.rindex("fit ━") :]
    assert "━" * 20 in last
    assert "epoch 3/9" in last
    assert "updates/s" in last
    assert " in 0:00" in last
    assert "left" not in last


def test_values_are_means_over_the_models_that_train(screen, project):
    screen(None)
    progress = Progress("fit 2 models", 2, [RunFolder(project)])
    state = fit(0, members=3)
    progress.on_fit_begin(state)
    state.epoch, state.logs, state.rows_of = 1, [{"loss": 1.0}, {"loss": 9.0}, {"loss": 2.0}], [0, 2]
    progress.on_epoch_end(state)
    assert "epoch 1/3: loss 1.5000 ·" in screen.err.getvalue()


def test_an_error_gives_the_terminal_back(screen, project):
    screen(80)
    progress = Progress("fit", 5, [RunFolder(project)])
    progress.on_fit_begin(fit())
    assert "\x1b[?25l" in screen.err.getvalue()  # the cursor is hidden
    progress.close()
    progress.close()
    assert screen.err.getvalue().rstrip().endswith("\x1b[?25h")
    console.err.print("after")
    assert screen.err.getvalue().endswith("after\n")


def test_in_a_pipe_each_epoch_is_one_plain_line(screen, project):
    screen(None)
    train(Progress("fit", 5, [RunFolder(project)]), fit(12), 3, 5)
    lines = screen.err.getvalue().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["fit epoch 1/3", "fit epoch 2/3", "fit epoch 3/3"]
    assert all("updates/s" in line and line.endswith(" left") for line in lines)
    assert "\x1b" not in screen.err.getvalue()


def test_quiet_shows_nothing_but_errors(screen, project):
    for width in (None, 80):
        screen(width)
        console.configure(quiet=True)
        train(Progress("fit", 5, [RunFolder(project)]), fit(), 3, 5)
        console.say("something")
        console.table(["a"], [["b"]])
        console.table(["a"], [["b"]], title="t")
        console.log.warning("careful")
        assert screen.out.getvalue() + screen.err.getvalue() == ""
        console.error(reporting_error())
        assert "error: it broke" in screen.err.getvalue()


def reporting_error() -> Any:
    from dlrun.errors import RunError

    return RunError("it broke")


# The closing report


def rows(val: list[float], train: list[float] | None = None, folds: int = 1, **more: float) -> list[dict[str, Any]]:
    found = []
    for fold in range(folds):
        for epoch, loss in enumerate(val or train or [], 1):
            head = {"stage": "fit", "repeat": 0, "fold": fold, "epoch": epoch}
            found.append({**head, "split": "train", "loss": (train or val)[epoch - 1], **more})
            if val:
                found.append({**head, "split": "val", "loss": loss, **more})
    return found


@pytest.mark.parametrize(
    ("val", "told"),
    [
        ([0.5, 0.3, 0.2], "still falling at epoch 3"),
        ([0.5, 0.3, 0.4], "overfits after epoch 2: validation loss rises from 0.3000 to 0.4000"),
        ([0.5, 0.3, 0.301], "lowest at epoch 2 (0.3000) and flat"),
        ([0.5], "one epoch"),
        ([], "no validation"),
    ],
)
def test_the_remark_tells_over_from_underfitting(val, told):
    assert told in remark(rows(val, [0.5, 0.3, 0.2][: len(val) or 3]))


def summary(project: Path, **more: Any) -> dict[str, Any]:
    value = {"mean": 0.8512345, "std": 0.0123456, "per_split": [0.84, 0.86], "best_epoch": 2, "best": 0.86}
    made = {
        "task": "imdb_dense", "signature": "0a1b2c3d", "status": "finished", "data_source": "real", "seed": 7,
        "metrics": {"val": {"loss": value, ODD: value}, "test": {"loss": 0.3, ODD: 0.88}},
        "baseline": {
            ODD: {
                "value": 0.5, "kind": "most frequent class", "result": 0.88, "beaten": True, "unbeaten": [],
                "all": {
                    "majority": {"kind": "most frequent class", "reads_inputs": False, "mean": 0.5, "std": 0.0, "n": 1},
                    "chance": {"kind": "random class", "reads_inputs": False, "mean": 0.31, "std": 0.02, "n": 10},
                },
            }
        },
        "seconds": 12.34, "device": "cpu", "book": [],
    }  # fmt: skip
    (project / "runs/imdb_dense/0a1b2c3d").mkdir(parents=True, exist_ok=True)
    RunFolder(project / "runs/imdb_dense/0a1b2c3d").append_rows(rows([0.5, 0.3, 0.4]))
    return {**made, **more}


def test_the_report_has_result_baseline_remark_and_files(screen, project):
    screen(120)
    reporting.report(summary(project), Path("runs"))
    text = screen.out.getvalue()
    assert "imdb_dense · seed 7 · cpu · 12.3 s" in text
    row = next(line for line in screen.lines if line.startswith(ODD))
    for shown in ("0.8512 ± 0.0123 (n=2)", "0.88", "0.5 (most frequent class)"):
        assert shown in row
    assert any(line.split()[0] == "majority" and line.endswith("0.5") for line in screen.lines if line)
    assert any(line.startswith("chance") and line.endswith("0.31 ± 0.02") for line in screen.lines)
    assert "beats every baseline" in text
    assert "overfits after epoch 2" in text
    assert "files: runs/imdb_dense/0a1b2c3d/" in text
    assert "SAMPLE" not in text
    assert "book" not in text


def claim(verdict: str) -> dict[str, Any]:
    return {"claim": f"test accuracy {ODD}", "expected": 0.88328, "measured": 0.8812, "verdict": verdict}


def test_the_books_figure_is_shown_where_it_can_be_compared(screen, project):
    screen(120)
    reporting.report(summary(project, book=[claim("within 0.87 to 0.9")]), Path("runs"))
    text = screen.out.getvalue()
    for shown in (f"test accuracy {ODD}", "0.8833", "0.8812", "within 0.87 to 0.9"):
        assert shown in text


def test_sample_data_are_marked_and_not_set_beside_the_book(screen, project):
    screen(120)
    book = [claim("not compared: sample data"), claim("not compared: sample data")]
    made = summary(project, book=book, data_source="sample")
    reporting.report(made, Path("runs"))
    text = screen.out.getvalue()
    assert "SAMPLE DATA, no result of the book" in screen.lines[0]
    assert text.count("book: not compared: sample data") == 1
    assert "0.8833" not in text
    assert reporting.headline(made).endswith("SAMPLE DATA")


# Plots


def test_plots_are_pictures_one_per_value(project):
    history = rows([0.5, 0.3, 0.4], [0.6, 0.2, 0.1], folds=3, accuracy=0.5)
    files = plots.draw_history(history, project, f"task {ODD} $x_1$")
    assert sorted(f.name for f in files) == ["accuracy.png", "loss.png"]
    from PIL import Image

    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (768, 504)
            assert np.asarray(picture.convert("RGB")).std() > 10


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn."""
    from matplotlib.figure import Figure

    drawn: list[Any] = []
    saved = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), saved(self, *a, **k))[1])
    return drawn


def test_training_is_dots_and_validation_a_line_as_in_the_book(project, figures):
    plots.draw_history(rows([0.5, 0.3, 0.4], [0.6, 0.2, 0.1]), project, "t")
    (axes,) = figures[0].axes
    training, validation = axes.lines[:2]
    assert (training.get_marker(), training.get_linestyle()) == ("o", "None")
    assert (validation.get_marker(), validation.get_linestyle()) == ("None", "-")
    assert list(training.get_ydata()) == [0.6, 0.2, 0.1]
    assert list(validation.get_ydata()) == [0.5, 0.3, 0.4]
    assert list(validation.get_xdata()) == [1, 2, 3]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["training", "validation"]
    assert axes.get_title() == "t: training and validation loss"
    assert any("epoch 2" in t.get_text() for t in axes.texts)


def test_smoothed_curves_lie_over_pale_ones_of_what_was_measured(project, figures):
    plots.draw_history(rows([0.5, 0.3, 0.4], [0.6, 0.2, 0.1]), project, "t", smoothing=0.5)
    measured, smoothed = figures[0].axes[0].lines[2:4]
    assert list(measured.get_ydata()) == [0.5, 0.3, 0.4]
    assert list(smoothed.get_ydata()) == pytest.approx([0.5, 0.4, 0.4])
    assert measured.get_alpha() < 0.5
    labels = [t.get_text() for t in figures[0].axes[0].get_legend().get_texts()]
    assert labels == ["training, smoothed by 0.5", "validation, smoothed by 0.5"]


def test_splits_are_drawn_as_mean_and_band(project, figures):
    history = rows([0.4, 0.2]) + [{**row, "fold": 1, "loss": row["loss"] + 0.2} for row in rows([0.4, 0.2])]
    plots.draw_history(history, project, "t")
    (axes,) = figures[0].axes
    assert np.allclose(axes.lines[1].get_ydata(), [0.5, 0.3])
    assert len(axes.collections) == 2
    assert "mean of 2" in axes.get_legend().get_texts()[0].get_text()


def test_the_mean_ends_where_the_first_split_stopped(project, figures):
    """As in the table's best epoch: beyond it the mean would be one of other splits."""
    history = rows([0.5, 0.3, 0.4, 0.1]) + [{**row, "fold": 1} for row in rows([0.5, 0.3, 0.4])]
    plots.draw_history(history, project, "t")
    (axes,) = figures[0].axes
    assert list(axes.lines[1].get_xdata()) == [1, 2, 3]
    assert any("epoch 2" in t.get_text() for t in axes.texts)


def test_a_single_epoch_and_no_validation_can_be_seen_too(project, figures):
    plots.draw_history(rows([0.5], [0.6]), project, "t")
    assert [line.get_marker() for line in figures[0].axes[0].lines[:2]] == ["o", "o"]
    ticks = [t for t in figures[0].axes[0].get_xticks() if 0.9 < t < 1.1]
    assert ticks == [1]
    plots.draw_history(rows([], [0.6, 0.5]), project, "t")
    assert figures[1].axes[0].get_title() == "t: training loss"


def test_messages_reach_log_files_also_when_quiet(screen, project):
    screen(None)
    console.configure(quiet=True)
    with console.logging_to(project / "log.txt"):
        logging.getLogger("dlrun").info("kept")
    assert "kept" in (project / "log.txt").read_text()
    assert screen.err.getvalue() == ""
