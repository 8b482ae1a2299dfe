"""dlrun runs: conditions, columns, order and forms of its table."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dlrun.cli import main
from dlrun.errors import ConfigError
from dlrun.run_folder import RunFolder
from dlrun.runs_table import conditions, dotted

RUNS = {  # state, source, seed, optimizer.lr, val.loss, val.accuracy, units
    "aaaa0000": ("finished", "real", 0, 0.001, 0.31, 0.88, [16, 16]),
    "bbbb0000": ("finished", "real", 1, 0.01, 0.29, 0.89, [16, 16]),
    "cccc0000": ("finished", "sample", 0, 0.1, 0.45, float("nan"), [4]),
    "dddd0000": ("failed", "real", 0, 1e-4, None, None, [16, 16]),
    "eeee0000": ("running", "real", 2, 0.001, None, None, []),
}


@pytest.fixture
def runs(project: Path) -> Path:
    """Five runs of one task, ten days apart, the last one the newest: of 2001-09-09."""
    for age, (signature, run) in enumerate(reversed(RUNS.items())):
        state, source, seed, lr, loss, accuracy, units = run
        folder = RunFolder(project / "runs" / "reviews" / signature)
        folder.path.mkdir(parents=True)
        config = {
            "task": "reviews", "seed": seed, "init_from": None, "dataset": {"name": "imdb", "source": source},
            "architecture": {"name": "dense", "units": units}, "optimizer": {"name": "rmsprop", "lr": lr},
            "evaluation": {"name": "holdout", "order": "positional"}, "trainer": {"epochs": 4},
        }  # fmt: skip
        folder.config.write_text(json.dumps(config))
        os.utime(folder.config, (1e9 - 10 * 86_400 * age,) * 2)
        folder.write_status(state, **({"stage": "fit", "epoch": 2, "epochs": 4} if state == "running" else {}))
        if loss is not None:
            val = {name: {"mean": v} for name, v in (("loss", loss), ("accuracy", accuracy))}
            folder.summary.write_text(json.dumps({"metrics": {"val": val, "test": {}}, "seconds": 100 * lr}))
    return project


def names(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The first letters of the runs that are shown, in order."""
    assert main(["runs", "columns=run", *words]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    if head != "run":
        assert head.startswith("none of 5 runs")
        return ""
    return "".join(row.removeprefix("reviews/")[0] for row in rows)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["state=finished"], "cba"),
        (["state=failed,running"], "ed"),
        (["data=sample"], "c"),
        (["seed=1"], "b"),
        (["seed=1,2"], "eb"),
        (["seed=0", "state=finished", "data=real"], "a"),
        (["last=2"], "ed"),
        (["last=2", "state=finished"], "cb"),
        (["where=val.loss<0.3"], "b"),
        (["where=val.loss<=0.31"], "ba"),
        (["where=val.loss>0.3"], "ca"),
        (["where=val.loss>=0.31,data=real"], "a"),
        (["where=val.loss!=0.29"], "ca"),
        (["where=val.loss<0.4", "where=seed=0"], "a"),
        (["where=optimizer.lr=1e-3"], "ea"),
        (["where=optimizer.lr==1e-4"], "d"),
        (["where=architecture.units=[16,16],seed=0"], "da"),
        (["where=architecture.units!=[16,16]"], "ec"),
        (["where=optimizer.name=rmsprop,optimizer.lr>0.05"], "c"),
        (["where=init_from=null,seed=1"], "b"),
        (["where=init_from=x"], ""),
        (["where=when<2001-08-15"], "ba"),
        (["where=val.accuracy>0"], "ba"),  # no number is above 0, and NaN is none
        (["state=preempted"], ""),
    ],
)
def test_conditions_choose_runs(words, found, runs, capsys):
    assert names(capsys, *words) == found


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("val.loss", "baced"),
        ("-val.loss", "cabed"),
        ("val.accuracy", "baedc"),  # NaN is last, like a missing value
        ("-val.accuracy", "abedc"),
        ("optimizer.lr", "deabc"),
        ("-optimizer.lr", "cbead"),
        ("seed", "dcabe"),  # equal ones stay newest first
        ("run", "abcde"),
        ("-run", "edcba"),
        ("when", "edcba"),
        ("-when", "abcde"),
        ("seconds", "abced"),
        ("architecture.units", "dbace"),
    ],
)
def test_any_column_or_config_key_sorts(key, found, runs, capsys):
    assert names(capsys, f"sort={key}") == found


def test_columns_are_those_asked_for(runs, capsys):
    assert main(["runs", "columns=optimizer.lr,run,val.loss", "state=finished", "sort=val.loss"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["optimizer.lr", "run", "val.loss"],
        ["0.01", "reviews/bbbb0000", "0.29"],
        ["0.001", "reviews/aaaa0000", "0.31"],
        ["0.1", "reviews/cccc0000", "0.45"],
    ]


def test_csv_and_json_hold_every_digit_and_agree(runs, capsys):
    words = ["runs", "sort=run", "columns=run,seconds,val.accuracy,architecture.units"]
    assert main([*words, "format=csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert main([*words, "format=json"]) == 0
    objects: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert len(table) == len(objects) == 5
    for row, found in zip(table, objects, strict=True):
        assert list(row) == list(found)
        assert row["run"] == found["run"]
        assert json.loads(row["architecture.units"]) == found["architecture.units"]
        assert float(row["seconds"] or "nan") == pytest.approx(found["seconds"] or float("nan"), nan_ok=True)
    assert objects[0]["seconds"] == 0.1
    assert objects[2]["val.accuracy"] is None  # JSON has no NaN


def test_nothing_there_is_an_empty_document(project, capsys):
    assert main(["runs", "format=json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["runs", "format=csv", "columns=run,val.loss"]) == 0
    assert capsys.readouterr().out == "run,val.loss\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["where=val.los<0.3"], "Did you mean 'val.loss'?"),
        (["where=optimizer.l=1"], "Did you mean 'optimizer.lr'?"),
        (["where=val.loss"], "expected KEY, one of = != < <= > >=, and a value; received 'val.loss'"),
        (["where="], "received ''"),
        (["where=val.loss<low"], "'<' needs numbers, received 'low'"),
        (["where=architecture.units<3"], "'<' needs numbers"),
        (["columns=run,vall.loss"], "no column or config key 'vall.loss'"),
        (["sort=-secnds"], "Did you mean 'seconds'?"),
        (["state=done"], "no such state: 'done'"),
        (["data=fake"], "available: real, sample"),
        (["format=xml"], "available: csv, json, table"),
        (["seed=one"], "expected whole numbers, received 'one'"),
        (["last=0"], "at least 1; received '0'"),
        (["stat=finished"], "Did you mean 'state'?"),
    ],
)
def test_wrong_words_are_usage_errors(words, told, runs, capsys):
    assert main(["runs", *words]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""


def test_all_wrong_words_are_told_at_once(runs, capsys):
    assert main(["runs", "state=x", "last=x", "format=x"]) == 2
    assert capsys.readouterr().err.startswith("3 problems")
    assert main(["runs", "sort=x", "columns=y", "where=z=1"]) == 2
    assert capsys.readouterr().err.startswith("3 problems")


def test_a_broken_config_is_named(runs, capsys):
    (Path("runs") / "reviews" / "aaaa0000" / "config.yaml").write_text("[")
    assert main(["runs"]) == 2
    assert "aaaa0000/config.yaml is no config of a run" in capsys.readouterr().err


def test_quiet_prints_nothing_in_any_form(runs, capsys):
    for form in ("table", "csv", "json"):
        assert main(["runs", "-q", f"format={form}"]) == 0
    assert capsys.readouterr().out == ""


def test_conditions_are_split_at_commas_outside_brackets():
    found = conditions("a.b=[1,2], c>=3 ,d!=x=y")
    assert [(c.key, c.sign, c.text) for c in found] == [("a.b", "=", "[1,2]"), ("c", ">=", "3"), ("d", "!=", "x=y")]
    with pytest.raises(ConfigError) as error:
        conditions("a,b<,=3")
    assert [p.message.rpartition(" ")[2] for p in error.value.problems] == ["'a'", "'=3'"]


def test_dotted_keys_lose_nothing():
    config = {"a": {"b": {"c": 1}, "d": [1, {"e": 2}]}, "f": {}, "g": None}
    assert dotted(config) == {"a.b.c": 1, "a.d": [1, {"e": 2}], "f": {}, "g": None}
