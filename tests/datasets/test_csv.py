from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dlrun import memory
from dlrun.cli import main
from dlrun.contracts import Dataset
from dlrun.datasets import _csv_file, _csv_refusals, _csv_table, csv
from dlrun.errors import ConfigError, DataError

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.fixture
def write(tmp_path):
    def to(text: str | bytes, name: str = "my.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return to


def table(n: int, head: str, row) -> str:
    return "\n".join([head, *(row(i) for i in range(n))]) + "\n"


def load(path: str, target: str = "y", **more):
    return csv.build(path=path, target=target, test=more.pop("test", 0), **more).load()


def refused(path: str, *expected: str, target: str = "y", **more) -> None:
    with pytest.raises(DataError) as error:
        load(path, target, **more)
    for words in expected:
        assert words in str(error.value)


# What is read


def test_numbers_categories_and_missing_values(write):
    path = write("a,city,y\n1,Bonn,10\n,Trier,20\n3.5, Bonn ,30.5\n-1e2,?,40\n")
    dataset = csv.build(path=path, target="y", test=0)
    data = dataset.load()
    spec = dataset.spec
    assert isinstance(dataset, Dataset)
    assert spec.inputs["features"].names == ("a", "city=Bonn", "city=Trier")
    assert spec.inputs["features"].standardize == "train"
    assert (spec.targets["y"].problem, spec.rows) == ("regression", {"train": 4, "test": 0})
    nan = float("nan")
    expected = torch.tensor([[1, 1, 0], [nan, 0, 1], [3.5, 1, 0], [-100, 0, 0]])
    assert torch.equal(data.train.inputs["features"].nan_to_num(7), expected.nan_to_num(7))
    assert data.train.targets["y"].tolist() == [10, 20, 30.5, 40]
    assert data.train.targets["y"].dtype == torch.float32
    assert data.test is None
    assert dataset.describe(data, "train", 1) == "y 20: a ?, city Trier"
    assert load(path, missing="zero").train.inputs["features"][1, 0] == 0


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("a;b;y\n1;2;3\n4;5;6,5\n", ";"),
        ("a\tb\ty\n1\t2\tx\n3\t4\tz\n", "\t"),
        ("a|b|y\n1|2|x\n3|4|z\n", "|"),
        ("\ufeffa,b,y\r\n1,2,x\r\n\r\n3,4,z\r\n", ","),
        ('"a","b","y"\n"1","2","x, and\n ""more"""\n3,4,z\n', ","),
    ],
)
def test_separators_bom_crlf_and_quotes(write, content, separator):
    file = _csv_file.open_csv(write(content), "auto", "dataset.path")
    assert (file.delimiter, file.names) == (separator, ("a", "b", "y"))
    rows = [row for chunk in file.chunks() for row in chunk]
    assert [row[:2] for row in rows] in ([["1", "2"], ["3", "4"]], [["1", "2"], ["4", "5"]])
    assert file.line(1).endswith(f"line {4 if chr(13) in content or 'more' in content else 3}")


@pytest.mark.parametrize(
    ("values", "problem", "labels"),
    [
        (["yes", "no"], "binary", ("no", "yes")),
        (["c", "a", "b"], "multiclass", ("a", "b", "c")),
        (["1", "0"], "binary", ("0", "1")),
        (["-1.5", "2.5"], "binary", ("-1.5", "2.5")),
        (["10", "9", "8"], "multiclass", ("8", "9", "10")),
        (["1.5", "2", "3"], "regression", ()),
        ([str(i) for i in range(21)], "regression", ()),
    ],
)
def test_which_problem_the_targets_values_say(write, values, problem, labels):
    data = load(write(table(400, "x,y", lambda i: f"{i},{values[i % len(values)]}")))
    target = data.spec.targets["y"]
    assert (target.problem, target.labels, target.classes) == (problem, labels, len(labels))
    dtypes = {"binary": torch.float32, "multiclass": torch.int64, "regression": torch.float32}
    assert data.train.targets["y"].dtype == dtypes[problem]
    if labels:
        assert [labels[int(v)] for v in data.train.targets["y"][: len(values)]] == values


def test_few_whole_numbers_in_few_rows_are_a_regression_unless_told(write, caplog):
    path = write(table(30, "x,y", lambda i: f"{i},{i % 3}"))
    with caplog.at_level(logging.INFO, "dlrun"):
        assert load(path).spec.targets["y"].problem == "regression"
    assert "'y' is a regression target, for it has 3 different numbers" in caplog.text
    assert load(path, problem="multiclass").spec.targets["y"].labels == ("0", "1", "2")
    refused(path, "problem=binary expects 2 classes", "has 3: 0, 1, 2", problem="binary")


def test_a_column_is_what_nine_in_ten_of_all_its_values_are(write, monkeypatch):
    monkeypatch.setattr(_csv_table, "FIRST", 10)
    later_text = write(table(60, "x,y", lambda i: f"{i if i < 10 else 'abc'[i % 3]},{i * i}"), "text.csv")
    names = load(later_text, categorical=None).spec.inputs["features"].names
    assert {"x=a", "x=b", "x=c", "x=9"} <= set(names), "read again, as text"
    later_numbers = write(table(200, "x,y", lambda i: f"{'NA' if i < 20 else i},{i * i}"), "numbers.csv")
    assert load(later_numbers).spec.inputs["features"].names == ("x",)
    first_text = write(table(200, "x,y", lambda i: f"{'a' if i < 5 else i},{i * i}"), "first.csv")
    refused(first_text, "first.csv, line 2: column 'x'", "received 'a'", "97.50%")


def test_columns_drop_and_categorical(write):
    path = write(table(20, ",a,b,code,y", lambda i: f"{i},{i % 7},{i % 5},{i % 3},{i * 1.5}"))
    assert load(path).spec.inputs["features"].names == ("a", "b", "code")  # an index without a name is left out
    assert load(path, columns=["b", "a"]).spec.inputs["features"].names == ("b", "a")
    names = load(path, drop=["a", "b"], categorical=["code"]).spec.inputs["features"].names
    assert names == ("code=0", "code=1", "code=2")


def test_test_rows_are_random_but_the_same_or_the_last(write):
    path = write(table(50, "x,y", lambda i: f"{i},{i * 2.5}"))
    one, two = load(path, test=0.2), load(path, test=10, normalize="no")
    held = one.test.inputs["features"].flatten()
    assert torch.equal(held, two.test.inputs["features"].flatten())
    everything = torch.cat([held, one.train.inputs["features"].flatten()])
    assert sorted(everything.tolist()) == list(range(50))
    assert one.spec.rows == {"train": 40, "test": 10}
    assert held.max() < 49 or held.min() < 40, "not simply the last"
    assert load(path, test=10, test_order="last").test.inputs["features"].flatten().tolist() == list(range(40, 50))


@pytest.mark.parametrize("form", ["{:d}", "2024-01-{:02d}", "{:02d}.01.2024 06:30", "2024-01-{:02d}T06:30:00+01:00"])
def test_rows_are_sorted_by_time_and_the_last_are_for_the_test(write, form):
    order = np.random.default_rng(0).permutation(20) + 1
    path = write(table(20, "t,x,y", lambda i: f"{form.format(order[i])},{order[i]},{order[i] * 1.5}"))
    data = load(path, time="t", test=5)
    assert data.train.inputs["features"].flatten().tolist() == list(range(1, 16))
    assert data.test.inputs["features"].flatten().tolist() == list(range(16, 21))
    assert len(data.extras["time"]) == 15
    assert (np.diff(data.extras["time"]) > 0).all()


def test_another_file_as_the_test_set(write, caplog):
    path = write(table(20, "a,city,y", lambda i: f"{i},{'Bonn' if i % 2 else 'Trier'},{'abc'[i % 3]}"))
    other = write("y,city,a\nb,Trier,5\na,Ulm,\n", "held.csv")
    data = load(path, test=other)
    assert data.test.inputs["features"].nan_to_num(7).tolist() == [[5, 0, 1], [7, 0, 0]]
    assert data.test.targets["y"].tolist() == [1, 0]
    assert "has a category that no training row has in 1 rows" in caplog.text
    assert len(data.checksums) == 2
    refused(path, "held.csv, line 3", "'y' has a class", test=write("y,city,a\nb,Trier,5\nz,Bonn,1\n", "held.csv"))
    refused(path, "dataset.test", "no column 'y'", test=write("city,a\nBonn,5\n", "held.csv"))


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(write, monkeypatch):
    path = write(table(20, "x,y", lambda i: f"{i},{i * 1.5}"))
    dataset = csv.build(path=path, target="y")
    first = dataset.fingerprint
    again = csv.build(path=path, target="y")
    assert again.load() is dataset.load()
    write(table(21, "x,y", lambda i: f"{i},{i * 1.5}"))
    assert csv.build(path=path, target="y").fingerprint != first


# What is refused


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["0 rows"]),
        ("x,y\n", ["0 rows"]),
        ("x,y\n\n\n", ["0 rows"]),
        ("x,x,y\n1,2,3\n", ["line 1", "'x' stands there twice"]),
        ("1,2\n3,4\n", ["line 1", "names of the columns, received numbers"]),
        ("x,y\n1,2\n1,2,3\n", ["line 3", "expected 2 fields", "received 3"]),
        ("x,yy\n1,2\n", ["no column 'y'", "Did you mean 'yy'?"]),
        ("x,y\n1,yes\n2,yes\n", ["'y'", "one value only, 'yes'"]),
        ("x,y\n1,5\n2,5\n", ["one value only, '5'"]),
        ("x,y\n1,2\n2,\n3,4\n", ["line 3", "target", "no value"]),
        ("x,y\n5,1\n5,2\n5,4\n", ["no input is left", "same value in all rows"]),
        ("y\n1\n2\n", ["no input is left"]),
        (table(20, "x,y", lambda i: f"{i},a{i}"), ["20 different values in 20 rows", "no classes"]),
        ('x,y\n"1,2\n3,4\n', ["my.csv, line", "quote"]),
        ("x,y\n1e99,1\n2,3\n" + "3,4\n" * 20, ["line 2", "a finite number up to 3.4e38 (float32), received '1e99'"]),
        ("x,y\ninf,1\n2,3\n" + "3,4\n" * 20, ["line 2", "a finite number up to 3.4e38 (float32), received 'inf'"]),
        (b"x,y\n1,2\n\xe4,3\n", ["line 3: byte 0xe4 is not UTF-8", "iconv"]),
        ("x,y\n1,2\n".encode("utf-16"), ["UTF-16"]),
        (b"PK\x03\x04....", ["Excel"]),
        ("x,y\n1,2\n1\0,3\n", ["line 3", "a NUL byte"]),
        ("x,y\n" + "1,2\n" * 20_000 + "1\0,3\n", ["line 20002", "a NUL byte"]),
        ("x,y\n" + "1,2.5\n2,3.5\n" * 10 + "3,-1e20\n", ["line 22", "target", "up to 1e+19", "received -1e+20"]),
        (
            "x;y\n" + "1;11,5\n2;2,5\n3;10,5\n" * 9,
            ["line 2: column 'y': '11,5' looks like a decimal comma: write 11.5."],
        ),
    ],
)
def test_bad_tables_are_refused_with_the_place(write, content, expected):
    refused(write(content), "my.csv", *expected)


def test_text_in_a_number_column_names_its_line(write):
    rows = table(40, "x,z,y", lambda i: f"{'oops' if i == 17 else i},{i},{i * 1.5}")
    path = write(rows)
    refused(path, "my.csv, line 19", "column 'x'", "97.50%", "'oops'", "dataset.categorical=[x]")
    assert load(path, drop=["x"]).spec.inputs["features"].names == ("z",)
    refused(write(rows.replace("16.5", "much")), "column 'y'", "'much'", problem="regression", drop=["x"])


def test_free_text_is_refused_unless_it_is_said_to_be_categories(write):
    path = write(table(300, "note,x,y", lambda i: f"word {i % 120},{i},{i * 1.5}"))
    refused(path, "column 'note' has 120", "later version", "dataset.drop=[note]", "dataset.categorical=[note]")
    assert load(path, categorical=["note"]).spec.inputs["features"].shape == (121,)
    many = write(table(30, "note;x;y", lambda i: f"{i},5;{i};{i}.5"))
    refused(many, "line 2: column 'note': '0,5' looks like a decimal comma: write 0.5", "dataset.categorical=[note]")
    assert load(many, categorical=["note"]).spec.inputs["features"].shape == (31,)
    few = write(table(9, "x,z,y", lambda i: f"name {i},{i},{i * 1.5}"))
    assert load(few).spec.inputs["features"].shape == (10,)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1,5", "'1,5' looks like a decimal comma: write 1.5"),
        ("-1.234,56", "'-1.234,56' looks like a decimal comma: write -1234.56"),
        ("1,234", "'1,234' looks like a decimal comma: write 1.234 (or 1234, if it separates thousands)"),
        ("1,234,567", "'1,234,567' has commas between thousands: write 1234567"),
        ("1,234.5", "'1,234.5' has commas between thousands: write 1234.5"),
        ("a,5", ""),
        ("1,2,3", ""),
        ("12", ""),
    ],
)
def test_a_comma_in_a_number_is_told_from_a_text(text, hint):
    assert _csv_refusals.comma(text) == hint


def test_a_decimal_comma_among_numbers_is_the_only_thing_said(write):
    refused(
        write(table(20, "x;y", lambda i: f"{'48,5' if i == 3 else i};{i}.5")),
        "line 5",
        "'48,5' looks like a decimal comma: write 48.5",
    )


def test_what_is_wrong_with_a_target_gives_a_hint_that_helps_a_target(write):
    def said(path, **more) -> str:
        with pytest.raises(DataError) as error:
            load(path, **more)
        message = str(error.value)
        assert not any(words in message for words in ("dataset.drop", "categorical", "0.00%")), message
        return message

    infinite = write(table(40, "x,y", lambda i: f"{i},{'inf' if i == 5 else i * 1.5}"))
    assert "line 7: the target, column 'y': expected a finite number up to 3.4e38" in said(infinite)
    texts = write(table(40, "x,y", lambda i: f"{i},{'yes' if i % 2 else 'no'}"))
    assert "line 2: the target, column 'y': dataset.problem=regression needs numbers, received 'no'" in said(
        texts, problem="regression"
    )
    numbers = write(table(40, "x,y", lambda i: f"{i},{i % 30 * 1.5}"))
    assert "they are numbers. Set dataset.problem=regression" in said(numbers, problem="binary")
    many = write(table(10_002, "x,y", lambda i: f"{i},{i * 1.5}"))
    assert "more than 10,000 different values" in said(many, problem="binary")
    rounded = write(table(40, "x,y", lambda i: f"{i},{i % 3}"))
    assert "multiclass, or regression to predict a number" in said(rounded, problem="binary")


def test_only_a_regression_target_is_normalized(write):
    path = write(table(100, "x,y,z", lambda i: f"{i},{i * 1.5},{'ab'[i % 2]}"))
    for normalize in ("train", "pool", "no"):
        assert load(path, normalize=normalize).spec.targets["y"].standardize == normalize
        assert load(path, "z", normalize=normalize).spec.targets["z"].standardize == "no"


def test_a_separator_that_is_not_the_files_is_named(write):
    path = write(table(20, "x,y", lambda i: f"{i},{i * 1.5}"))
    refused(path, "one column with dataset.separator=;, 'x,y'", "look separated by ','", separator=";")


def test_missing_values_that_may_not_be(write):
    path = write(table(20, "x,y", lambda i: f"{'' if i == 3 else i},{i * 1.5}"))
    refused(path, "line 5", "column 'x' has no value", missing="error")
    refused(path, "line 5", "normalize=no", normalize="no")
    assert not load(path, normalize="no", missing="zero").train.inputs["features"].isnan().any()
    times = write(table(20, "t,x,y", lambda i: f"{'' if i == 3 else i},{i},{i * 1.5}"))
    refused(times, "line 5", "time of the row is missing", time="t")
    refused(write(times and "t,x,y\n2024-01-01,1,2\nsoon,2,4.5\n"), "line 3", "a date such as", "'soon'", time="t")


def test_what_is_missing_is_named_with_the_nearest(write, tmp_path):
    write("x,y\n1,2\n", "flats.csv")
    refused(str(tmp_path / "flat.csv"), "there is no", "Did you mean 'flats.csv'?")
    refused(str(tmp_path / "nowhere" / "deep.csv"), "there is no")
    refused(str(tmp_path), "the folder")
    path = write(table(20, "x,y", lambda i: f"{i},{i * 1.5}"))
    for key in ("columns", "drop", "categorical"):
        refused(path, f"dataset.{key}", "no column 'xx'", "Did you mean 'x'?", **{key: ["xx"]})
    refused(path, "dataset.time", time="when")
    refused(path, "dataset.test=30: expected at most 19 of 20 rows", test=30)
    two = write("x,y\n1,2.5\n2,3.5\n", "two.csv")
    refused(two, "dataset.test=0.2: too few for 2 rows. Set dataset.test=1 or 0", test=0.2)


def test_wrong_arguments_are_all_said_at_once():
    with pytest.raises(ConfigError) as error:
        csv.build(source="sample", test=1.5, columns=[])
    said = [p.path for p in error.value.problems]
    assert sorted(said) == ["dataset.columns", "dataset.path", "dataset.source", "dataset.target", "dataset.test"]
    with pytest.raises(ConfigError, match="names inputs, not the target column 'y'"):
        csv.build(path="a", target="y", columns=["y"])
    with pytest.raises(ConfigError, match="is the target"):
        csv.build(path="a", target="y", time="y")


def test_more_rows_than_memory_are_refused_before_they_are_read(write, monkeypatch):
    path = write(table(3000, "a,b,y", lambda i: f"{i},{i % 7},{i * 1.5}"))
    file = _csv_file.open_csv(path, "auto", "dataset.path")
    assert file.expected_rows() == 3000
    monkeypatch.setattr(memory, "available", lambda: 50_000)
    monkeypatch.setattr(_csv_table, "_stream", lambda *_: pytest.fail("it was read"))
    refused(path, "3,000 rows of 3 numbers", "GB of memory", "are available", "dataset.columns")


def test_memory_left_is_a_number_of_bytes():
    assert 2**20 < memory.available() < 2**60


# What is warned of


@pytest.mark.parametrize(
    ("row", "leaks"),
    [
        (lambda i: f"{i % 7},{i * 1.5 + 3},{i * 1.5}", True),  # the target in another unit
        (lambda i: f"{i % 7},{1.3**i},{-i * 1.5}", True),  # a curve that only falls
        (lambda i: f"{i % 7},{abs(i - 20)},{i * 1.5}", False),
        (lambda i: f"{i % 7},{-i},{'no' if i < 20 else 'yes'}", False),
        (lambda i: f"{i % 7},{'abc'[i % 3]},{'xyz'[i % 3]}", True),  # categories one to one with the classes
        (lambda i: f"{i % 7},{10 + i % 3},{'xyz'[i % 3]}", True),  # numbers one to one with the classes
        (lambda i: f"{i % 7},{'abc'[i % 3]},{'xyz'[i % 2]}", False),
        (lambda i: f"{i % 7},{i % 2},{i % 2}", True),
    ],
)
def test_a_column_that_gives_the_target_away_is_named(write, caplog, row, leaks):
    load(write(table(40, "a,twin,y", row)))
    assert ("column 'twin' gives the target 'y' away" in caplog.text) == leaks
    assert ("'dataset.drop=[twin]'" in caplog.text) == leaks
    assert "column 'a'" not in caplog.text


def test_a_constant_column_is_left_out_with_a_warning(write, caplog):
    data = load(write(table(20, "same,x,none,y", lambda i: f"5,{i},NA,{i * i}")))
    assert data.spec.inputs["features"].names == ("x",)
    assert "column 'same' has the same value in all rows" in caplog.text
    assert "column 'none' has no value in any row" in caplog.text
    with pytest.raises(DataError) as error:
        load(write("x,y\n,1\n,2\n"))
    assert "no input is left: column 'x' has no value in any row" in str(error.value)
    assert str(error.value).count("my.csv") == 1


# What predict and train make of it


def test_encode_reads_words_json_and_files_like_the_table(write):
    path = write(table(20, "a,city,y", lambda i: f"{i},{'Bonn' if i % 2 else 'Trier'},{i * 1.5}"))
    dataset = csv.build(path=path, target="y", test=0)
    expected = dataset.load().train.inputs["features"][3:4]
    for raw in ("a=3,city=Bonn", 'city="Bonn",a=3,y=4', '{"a": 3, "city": "Bonn"}'.replace('"Bonn"', '"Bonn "')):
        assert torch.equal(dataset.encode(raw.replace('city="Bonn"', '"city=Bonn"')).inputs["features"], expected)
    assert dataset.encode('{"a": null, "city": "?"}').inputs["features"].nan_to_num(7).tolist() == [[7, 0, 0]]
    assert torch.equal(dataset.encode(path).inputs["features"], dataset.load().train.inputs["features"])
    for raw, words in {
        "a=3": "no value for city",
        "a=3,ctiy=Bonn": "'ctiy' is none of them. Did you mean 'city'?",
        "a=x,city=Bonn": "column 'a': expected a number, received 'x'",
        "a=3,city=Bon": "never was 'Bon' in training. Did you mean 'Bonn'?",
        "three": "expected column=value",
        "{3": "expected column=value",
        "absent.csv": "there is no 'absent.csv'",
    }.items():
        with pytest.raises(DataError, match=re.escape(words)):
            dataset.encode(raw)
    strict = csv.build(path=path, target="y", test=0, normalize="no")
    with pytest.raises(DataError, match="has no value"):
        strict.encode("a=,city=Bonn")


def blocks() -> dict[str, list[str]]:
    section = DOCS.read_text(encoding="utf-8").partition("## Your own table")[2].partition("## Your own pictures")[0]
    found: dict[str, list[str]] = {}
    for kind, body in re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL):
        found.setdefault(kind, []).append(body)
    return found


def test_the_example_of_the_document_works_as_it_stands(project, capsys):
    import shlex

    found = blocks()
    Path("flats.csv").write_text(found["csv"][0], encoding="utf-8")
    for line in found["sh"][0].splitlines():
        assert main([*shlex.split(line)[1:], *(["trainer.plots=false"] if "train " in line else [])]) == 0
    assert "1 prediction written" in capsys.readouterr().out
    (predicted,) = Path("runs/csv_dense").glob("*/artifacts/predictions.csv")
    rent = float(predicted.read_text().splitlines()[-1].rsplit(",", 1)[-1])
    assert 700 < rent < 1100, "flats of 3 rooms and 70 to 81 m² cost that in the table"
    Path("mine/task").mkdir(parents=True)
    Path("mine/task/flats.yaml").write_text(found["yaml"][0], encoding="utf-8")
    assert main(["train", "--config-dir", "mine", "task=flats", "trainer.plots=false", "evaluation.test=true"]) == 0
    (summary,) = Path("runs/flats").glob("*/summary.json")
    measured = json.loads(summary.read_text())
    assert measured["metrics"]["test"]["mae"] < measured["baseline"]["mae"]["all"]["mean"]["mean"]
    assert main(["evaluate", "run=flats"]) == 0
    assert main(["show", "--config-dir", "mine", "task=flats"]) == 0
    assert "city Bonn" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [
        ("x,y\n", [], 3),
        ("x,y\n1,a\n2,a\n", [], 3),
        ("x,y\n1,2\n2,3\n", ["dataset.path=absent.csv"], 3),
        ("x,y\n1,2\n2,3\n", ["dataset.target=''"], 2),
        ("x,y\n1,2\n2,3\n", ["dataset.source=sample"], 2),
    ],
)
def test_what_is_wrong_leaves_a_clear_error_and_nothing_else(project, capsys, content, words, code):
    Path("my.csv").write_text(content)
    before = sorted(project.rglob("*"))
    given = ["dataset=csv", "dataset.path=my.csv", "dataset.target=y", "architecture.units=[4]", *words]
    assert main(["train", *given]) == code
    assert "Traceback" not in capsys.readouterr().err
    assert sorted(project.rglob("*")) == before


# Weights of rows


def test_a_column_of_weights_is_no_input_and_only_training_rows_have_it(write):
    path = write(table(20, "a,w,y", lambda i: f"{i},{i % 3},{i + 0.5}"))
    data = load(path, sample_weight="w", test=5, test_order="last")
    assert data.spec.inputs["features"].names == ("a",)
    assert data.train.weights.tolist() == [i % 3 for i in range(15)]
    assert data.train.weights.dtype == torch.float32
    assert data.test.weights is None
    new = write(table(4, "a,y", lambda i: f"{i},{i}"), "new.csv")
    assert len(load(path, sample_weight="w", test=new).test) == 4, "a test file needs no weights"
    assert len(csv.build(path=path, target="y", sample_weight="w").encode("a=3")) == 1


@pytest.mark.parametrize(
    ("weight", "told"),
    [
        ("", "line 4: the weight of the row is missing"),
        ("-1", "line 4: expected the weight of the row, at least 0, received -1"),
        ("inf", "line 4: column 'w': expected a finite number"),
        ("much", "line 4: column 'w': expected the weight of the row, at least 0, received 'much'. Correct it"),
    ],
)
def test_a_row_needs_a_weight(write, weight, told):
    path = write(table(20, "a,w,y", lambda i: f"{i},{weight if i == 2 else 1},{i + 0.5}"))
    refused(path, told, sample_weight="w")


def test_weights_that_are_all_0_or_of_no_column(write):
    path = write(table(20, "a,w,y", lambda i: f"{i},0,{i + 0.5}"))
    refused(path, "the weights of all training rows are 0", sample_weight="w")
    refused(path, "dataset.sample_weight", "has no column 'v'", sample_weight="v")
    with pytest.raises(ConfigError) as error:
        csv.build(path=path, target="y", time="w", sample_weight="w", drop=["w"])
    assert {p.path for p in error.value.problems} == {"dataset.drop", "dataset.sample_weight"}
    with pytest.raises(ConfigError, match="is the target column 'y'"):
        csv.build(path=path, target="y", sample_weight="y")


def test_weights_of_classes_are_weights_of_their_rows(write, project):
    """Two ways to say the same."""
    path = write(table(90, "a,w,y", lambda i: f"{(i * 7) % 11},{[1, 3, 0.5][i % 3]},{'xyz'[i % 3]}"))
    words = ["train", "-q", "dataset=csv", f"dataset.path={path}", "dataset.target=y", "architecture.units=[4]",
             "trainer.epochs=2", "trainer.batch_size=16", "trainer.plots=false", "trainer.precision=float64"]  # fmt: skip
    assert main([*words, "dataset.sample_weight=w", "runs_dir=rows"]) == 0
    assert main([*words, "dataset.drop=[w]", "loss.class_weight={x: 1, y: 3, z: 0.5}", "runs_dir=classes"]) == 0
    rows, classes = ([json.loads(line) for line in next(Path(d).glob("*/*/metrics.jsonl")).read_text().splitlines()]
                     for d in ("rows", "classes"))  # fmt: skip
    for one, other in zip(rows, classes, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-12)
