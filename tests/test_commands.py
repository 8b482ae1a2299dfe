"""evaluate, predict, show, list, runs and doctor, on small finished runs."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
import torch
import yaml

from dlrun import ledger
from dlrun.cli import main
from dlrun.run_folder import RunFolder
from dlrun.summary import remark

SMALL = ["-q", "dataset.source=sample", "trainer.epochs=2", "trainer.plots=false"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of a review net, a digit net, and four folds of a review net."""
    folder = tmp_path_factory.mktemp("trained")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["train", "task=imdb_dense", *SMALL]) == 0
        assert main(["train", "task=mnist_dense", *SMALL]) == 0
        assert main(["train", "task=imdb_dense", *SMALL, "evaluation=kfold", "runs_dir=folds"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def runs(project: Path, trained: Path) -> Path:
    """A copy of those runs in the folder of the test."""
    shutil.copytree(trained, project, dirs_exist_ok=True)
    return project


def folder_of(task: str, runs_dir: str = "runs") -> RunFolder:
    (path,) = Path(runs_dir, task).iterdir()
    return RunFolder(path)


def openings() -> list[str]:
    return [entry["by"] for entry in ledger.read(Path("runs"))]


# evaluate


def test_evaluate_scores_the_test_set_and_records_it(runs, capsys):
    assert openings() == ["train"]  # mnist_dense tests itself
    assert main(["evaluate", "run=imdb_dense"]) == 0
    shown = capsys.readouterr().out
    assert "last weights · 2,500 test rows · SAMPLE DATA" in shown
    found = json.loads((folder_of("imdb_dense").artifacts / "evaluation.json").read_text())
    assert found["rows"] == 2500
    assert found["test"]["accuracy"] > found["baseline"]["accuracy"]["value"]
    assert f"{found['test']['loss']:.4g}" in shown
    assert main(["evaluate", "run=imdb_dense", "weights=best"]) == 0
    assert openings() == ["train", "evaluate", "evaluate"]


def test_evaluate_repeats_what_the_run_itself_found(runs):
    assert main(["evaluate", "-q", "run=mnist_dense"]) == 0
    folder = folder_of("mnist_dense")
    found = json.loads((folder.artifacts / "evaluation.json").read_text())
    summary = folder.read_summary()
    assert summary is not None
    assert found["test"] == pytest.approx(summary["metrics"]["test"])
    assert found["baseline"] == summary["baseline"]


def test_evaluate_by_path_from_elsewhere_writes_beside_the_run(runs, monkeypatch):
    path = folder_of("imdb_dense").path.resolve()
    (runs / "elsewhere").mkdir()
    monkeypatch.chdir(runs / "elsewhere")
    assert main(["evaluate", "-q", f"run={path}"]) == 0
    assert not list((runs / "elsewhere").iterdir())
    assert [e["by"] for e in ledger.read(runs / "runs")] == ["train", "evaluate"]


def test_one_of_several_folds_must_be_chosen(runs, capsys):
    assert main(["evaluate", "run=imdb_dense", "runs_dir=folds"]) == 2
    assert "choose one: split=NAME; available: r0f0, r0f1, r0f2, r0f3" in capsys.readouterr().err
    assert main(["evaluate", "run=imdb_dense", "runs_dir=folds", "split=r0f2"]) == 0
    assert main(["evaluate", "run=imdb_dense", "runs_dir=folds", "split=r9f9"]) == 2
    assert "no split 'r9f9'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["evaluate"], ["predict", "input=good"]], ids=["evaluate", "predict"])
def test_which_run(command, runs, capsys):
    name = folder_of("imdb_dense").path.name
    for word in (
        "imdb_dense",
        name,
        name[:4],
        f"imdb_dense/{name}",
        f"imdb_dense/{name[:5]}",
        f"runs/imdb_dense/{name}",
    ):
        assert main([*command, "-q", f"run={word}"]) == 0, word
    for word, near in (("imdb_dens", "'imdb_dense'"), (f"mnist_dense/{name}", name), ("abc", name)):
        assert main([*command, f"run={word}"]) == 2
        shown = capsys.readouterr().err
        assert f"no run '{word}' in runs" in shown
        assert near in shown
    assert main([*command, "run=imdb_dense", "weights=first"]) == 2
    assert "expected last or best, received 'first'" in capsys.readouterr().err


def test_a_task_names_its_newest_finished_run(runs, capsys):
    failed = Path("runs/imdb_dense/00000000")
    failed.mkdir()
    shutil.copy(folder_of("mnist_dense").config, failed / "config.yaml")
    assert main(["evaluate", "-q", "run=imdb_dense"]) == 0
    assert main(["evaluate", "run=00000000"]) == 2
    assert "has no last weights yet" in capsys.readouterr().err


# predict


def predictions(task: str) -> list[dict[str, str]]:
    with (folder_of(task).artifacts / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_predict_a_text_and_a_file(runs, capsys):
    text = 'wonderful, "moving"\nand [red]memorable'
    assert main(["predict", "run=imdb_dense", f"input={text}"]) == 0
    shown = capsys.readouterr().out
    assert "[red]memorable" in shown
    assert "SAMPLE DATA" in shown
    (row,) = predictions("imdb_dense")
    assert row["input"] == text
    assert row["prediction"] == "positive"
    assert 0.5 < float(row["p(positive)"]) < 1
    Path("one.txt").write_text("a dull mess")
    Path("two.txt").write_text(text)
    assert main(["predict", "-q", "run=imdb_dense", "input=one.txt,two.txt"]) == 0
    one, two = predictions("imdb_dense")
    assert (one["input"], one["prediction"]) == ("one.txt", "negative")
    assert two["p(positive)"] == row["p(positive)"]


def test_predict_a_picture(runs, capsys):
    from PIL import Image, ImageDraw

    picture = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(picture).line([(12, 10), (50, 10), (25, 55)], fill=0, width=6)
    picture.save("seven.png")
    assert main(["predict", "run=mnist_dense", "input=seven.png"]) == 0
    assert "probability" in capsys.readouterr().out
    (row,) = predictions("mnist_dense")
    shares = [float(row[f"p({digit})"]) for digit in range(10)]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert row["prediction"] == str(shares.index(max(shares)))


@pytest.mark.parametrize(("task", "part"), [("imdb_dense", "train"), ("imdb_dense", "test"), ("mnist_dense", "test")])
def test_predictions_of_rows_are_the_models(task, part, runs, capsys):
    """Against a forward pass by hand: layers, weights and encoding written out."""
    assert main(["predict", f"run={task}", f"rows={part}", "n=0"]) == 0
    rows = predictions(task)
    assert f"{len(rows):,} predictions written to" in capsys.readouterr().out
    from safetensors.torch import load_file

    from dlrun.registry import load

    data = load("dataset", task.partition("_")[0])(source="sample").load()
    there = getattr(data, part)
    assert len(rows) == len(there)
    weights = load_file(folder_of(task).weights("fit", "r0f0", "last"))
    layers = sorted({name.rpartition(".")[0] for name in weights}, key=lambda name: (name.startswith("head"), name))
    if task == "imdb_dense":
        bags = there.inputs["review"]
        x = torch.zeros(len(there), 10000)
        for i in range(len(there)):
            x[i, bags.values[bags.offsets[i] : bags.offsets[i + 1]].long()] = 1
    else:
        x = there.inputs["image"].flatten(1) / 255
    for layer in layers:
        x = x @ weights[f"{layer}.kernel"] + weights[f"{layer}.bias"]
        x = x if layer == layers[-1] else x.relu()
    if task == "imdb_dense":
        expected = torch.sigmoid(x.reshape(-1))
        got = torch.tensor([float(r["p(positive)"]) for r in rows])
        true = ["negative", "positive"]
        truth = [true[int(t)] for t in there.targets["sentiment"]]
    else:
        expected = torch.softmax(x, 1)
        got = torch.tensor([[float(r[f"p({d})"]) for d in range(10)] for r in rows])
        truth = [str(int(t)) for t in there.targets["digit"]]
        assert torch.allclose(got.sum(1), torch.ones(len(got)), atol=1e-5)
    assert torch.allclose(got, expected, atol=1e-5)
    assert [r["true"] for r in rows] == truth
    right = sum(r["prediction"] == r["true"] for r in rows) / len(rows)
    assert right > 0.7


def test_predicting_test_rows_opens_the_test_set(runs):
    assert main(["predict", "-q", "run=imdb_dense", "rows=train", "n=3"]) == 0
    assert openings() == ["train"]
    assert main(["predict", "-q", "run=imdb_dense", "rows=test", "n=3"]) == 0
    assert openings() == ["train", "predict"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["run=imdb_dense", "input=missing.txt"], 3, "missing.txt"),
        (["run=imdb_dense", "input= "], 3, "received no word"),
        (["run=imdb_dense", "input=empty.txt"], 3, "received no word in 'empty.txt'"),
        (["run=imdb_dense", "input=noise.txt"], 3, "in UTF-8, received 'noise.txt'"),
        (["run=mnist_dense", "input=missing.png"], 3, "expected the path of a picture file, received 'missing.png'"),
        (["run=mnist_dense", "input=noise.txt"], 3, "expected the path of a picture file, received 'noise.txt'"),
        (["run=mnist_dense", "input=noise.txt,missing.png"], 3, "received 'noise.txt'"),
        (["run=imdb_dense", "rows=x"], 2, "expected train, val or test, received 'x'"),
        (["run=imdb_dense", "rows=test", "n=-1"], 2, "expected a number of rows, received '-1'"),
        (["run=imdb_dense", "rows=test", "input=x"], 2, "expected one of input=… and rows=train|val|test"),
        (["run=imdb_dense", "input=x", "device=gpu0"], 2, "gpu0"),
        (["input=x"], 2, "give run=…"),
    ],
)
def test_predict_says_what_is_wrong(words, code, told, runs, capsys):
    Path("empty.txt").touch()
    Path("noise.txt").write_bytes(b"\xff\xfe\x00noise")
    assert main(["predict", *words]) == code
    assert told in capsys.readouterr().err
    assert not list(Path("runs").glob("*/*/artifacts"))


def test_bytes_that_are_no_utf8_on_the_command_line(runs):
    assert main(["predict", "-q", "run=imdb_dense", "input=a \udcff film"]) == 0
    assert predictions("imdb_dense")[0]["input"] == "a \\udcff film"


# show, list, doctor


def test_show_prints_config_layers_and_data_and_writes_nothing(project, capsys):
    assert main(["show", "task=mnist_dense", "dataset.source=sample", "architecture.units=[12]"]) == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown.partition("\n\n")[0])["architecture"]["units"] == [12]
    assert "9,550 parameters, 9,550 trainable, 0 frozen" in shown  # 784 x 12 + 12 + 12 x 10 + 10
    for row in (r"flatten +\(None, 784\) +0", r"dense +\(None, 12\) +9,420", r"dense +\(None, 10\) +130"):
        assert re.search(row, shown)
    assert "loss: categorical_crossentropy on digit" in shown
    assert "Data · mnist · SAMPLE DATA" in shown
    assert "uint8, 0 to 255" in shown
    assert "multiclass, 10 classes: 0 " in shown
    assert not list(project.iterdir())


def test_show_of_real_data(mirror, project, monkeypatch, capsys):
    monkeypatch.setenv("DLRUN_MIRROR", str(mirror))
    assert main(["show", "task=mnist_dense"]) == 0
    shown = capsys.readouterr().out
    assert "60,000" in shown
    assert "SAMPLE" not in shown


def test_show_says_what_is_wrong_before_it_reads_data(project, capsys):
    assert main(["show", "task=imdb_dense", "loss=mse", "metrics=[accuraci]"]) == 2
    assert "Did you mean 'accuracy'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "group"),
    [("task", "task"), ("tasks", "task"), ("losses", "loss"), ("metrics", "metrics"), ("blocks", "block")],
)
def test_list_takes_a_group_or_its_plural(word, group, project, capsys):
    assert main(["list", word]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == f"{group}\twhat it is"
    assert rows == sorted(rows)
    assert all(len(row.split("\t")) == 2 and all(row.split("\t")) for row in rows)


def test_list_counts_every_group(project, capsys):
    assert main(["list"]) == 0
    for line in capsys.readouterr().out.splitlines()[1:]:
        _, count, names = line.split("\t")
        assert int(count) == len(names.split(", ")) > 0


def test_doctor_finds_what_is_there_and_what_is_missing(project, monkeypatch, capsys):
    (project / "mirror" / "imdb").mkdir(parents=True)
    (project / "mirror" / "imdb" / "imdb.npz").touch()
    monkeypatch.setenv("DLRUN_MIRROR", f"{project / 'mirror'},{project / 'gone'},https://mirror.example/data")
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    for told in (
        torch.__version__.partition("+")[0],
        "cpu",
        "GiB free, empty",
        "holds imdb",
        "no such folder",
        "an address",
    ):
        assert told in shown
    assert not (project / "cache").exists()
    monkeypatch.setattr("dlrun.commands.doctor.versions", lambda: {"torch": "not installed"})
    assert main(["doctor"]) == 4
    assert "pip install dlrun" in capsys.readouterr().out


# runs


def table(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
    assert main(["runs", *words]) == 0
    head, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert all(len(row) == len(head) for row in rows)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_no_runs_is_no_error(project, capsys):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.startswith("no runs in runs;")


def test_runs_are_a_table(runs, capsys):
    found = {row["run"].partition("/")[0]: row for row in table(capsys)}
    assert set(found) == {"imdb_dense", "mnist_dense"}
    review, digit = found["imdb_dense"], found["mnist_dense"]
    assert (review["state"], review["data"], review["seed"]) == ("finished", "sample", "0")
    assert review["changed"] == "trainer.epochs=2 trainer.plots=false"
    assert float(review["val.accuracy"]) > 0.5
    assert review["test.accuracy"] == ""
    assert float(digit["test.accuracy"]) > 0.9
    assert review["selected"] == "1"
    assert digit["selected"] == ""
    assert [row["run"].partition("/")[0] for row in table(capsys, "task=mnist_dense")] == ["mnist_dense"]
    assert "val.accuracy" not in table(capsys, "task=mnist_dense")[0]


def test_runs_are_sorted_best_first(runs, capsys):
    assert main(["train", "task=imdb_dense", *SMALL, "trainer.epochs=1"]) == 0
    worse, better = (r["changed"] for r in table(capsys, "task=imdb_dense"))
    assert "trainer.epochs=1" in worse  # the newest
    assert [r["changed"] for r in table(capsys, "task=imdb_dense", "sort=val.loss")] == [better, worse]
    assert [r["changed"] for r in table(capsys, "task=imdb_dense", "sort=val.accuracy")] == [better, worse]
    assert [r["selected"] for r in table(capsys, "task=imdb_dense")] == ["2", "2"]
    assert table(capsys, "sort=val.loss")[-1]["val.loss"] == ""  # those without come last
    assert main(["runs", "sort=val.los"]) == 2
    assert "Did you mean 'val.loss'?" in capsys.readouterr().err


def test_states_of_runs_that_did_not_finish(runs, capsys):
    made = {"failed": {"why": "loss became nan"}, "running": {"stage": "fit", "epoch": 3, "epochs": 9}, "preempted": {}}
    for number, (state, more) in enumerate(made.items()):
        folder = RunFolder(Path(f"runs/imdb_dense/0000000{number}"))
        shutil.copytree(folder_of("mnist_dense").path, folder.path)
        folder.summary.unlink()
        folder.write_status(state, **more)
    dead = RunFolder(Path("runs/imdb_dense/00000003"))
    shutil.copytree("runs/imdb_dense/00000001", dead.path)
    status = json.loads(dead.status.read_text())
    dead.status.write_text(json.dumps({**status, "heartbeat": time.time() - 1000}))
    states = {row["run"]: row["state"] for row in table(capsys)}
    assert [states[f"imdb_dense/0000000{i}"] for i in range(4)] == ["failed", "running fit 3/9", "preempted", "dead"]


def test_the_remark_can_be_told_of_a_run_on_disk(runs):
    assert "validation loss" in remark(folder_of("imdb_dense").read_rows())
    assert "no validation" in remark(folder_of("mnist_dense").read_rows())
