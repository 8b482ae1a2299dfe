"""dlrun data: where files lie, bringing and checking them, and what the rows look like."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun import cards, registry, sheets
from dlrun.cli import main
from dlrun.completing import candidates
from dlrun.datasets._files import File, checksum, fetch

CONTENT = {"one.txt": b"first", "two.txt": b"second"}

PLUGIN = """
'''A dataset of two files.'''
from dlrun.datasets._files import File, checksum, fetch
FILES = tuple(File("notes", name, None, sha, size) for name, sha, size in {files!r})
def build(*, source: str = "real"):
    raise AssertionError("no command but card builds a dataset")
"""


@pytest.fixture
def notes(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror that holds both files of the dataset `notes`, a plugin."""
    monkeypatch.setattr(registry, "_plugin_dirs", [])
    files = [(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in CONTENT.items()]
    (project / "mine" / "datasets").mkdir(parents=True)
    (project / "mine" / "datasets" / "notes.py").write_text(PLUGIN.format(files=files))
    (project / "mirror" / "notes").mkdir(parents=True)
    for name, content in CONTENT.items():
        (project / "mirror" / "notes" / name).write_bytes(content)
    monkeypatch.setenv("DLRUN_MIRROR", str(project / "mirror"))
    return project


def data(*words: str) -> int:
    return main(["data", *words, "--plugins", "mine"])


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    return {line[1]: line[3] for line in lines}


def test_list_says_where_each_file_lies(notes, monkeypatch, capsys):
    assert data("list", "notes") == 0
    shown = capsys.readouterr().out
    assert "notes\tone.txt\t5\tin a mirror\tA dataset of two files." in shown
    (notes / "mirror" / "notes" / "two.txt").unlink()
    (notes / "cache" / "notes").mkdir(parents=True)
    shutil.copy(notes / "mirror" / "notes" / "one.txt", notes / "cache" / "notes")
    data("list", "notes")
    assert states(capsys) == {"one.txt": "cached", "two.txt": "missing"}
    (notes / "cache" / "notes" / "two.txt").write_bytes(b"half")
    data("list", "notes")
    assert states(capsys) == {"one.txt": "cached", "two.txt": "wrong size"}
    monkeypatch.setenv("DLRUN_MIRROR", f"https://mirror.example/data,file://{notes / 'mirror'}")
    (notes / "cache" / "notes" / "one.txt").unlink()
    data("list", "notes")
    assert states(capsys)["one.txt"] == "in a mirror"


def test_list_has_every_dataset_with_its_files(project, capsys):
    assert main(["data", "list"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    assert list(dict.fromkeys(row[0] for row in rows)) == registry.names("dataset")
    for row in rows:
        assert row[4] == registry.describe("dataset", row[0])
        assert row[3] in ("missing", "made here", "yours")
    listed = {(row[0], row[1]): row[2] for row in rows}
    assert listed[("imdb", "imdb.npz")] == "17,464,789"
    assert sum(dataset == "mnist" for dataset, _ in listed) == 4
    assert not (project / "cache").exists()


def test_fetch_copies_checks_and_says_what_was_there(notes, capsys):
    assert data("fetch", "notes") == 0
    assert states(capsys) == dict.fromkeys(CONTENT, "fetched")
    for name, content in CONTENT.items():
        assert (notes / "cache" / "notes" / name).read_bytes() == content
    assert data("fetch", "notes") == 0
    assert states(capsys) == dict.fromkeys(CONTENT, "was there")


def test_fetch_brings_what_it_can_and_fails_for_the_rest(notes, capsys):
    (notes / "mirror" / "notes" / "one.txt").write_bytes(b"other")
    assert data("fetch", "notes") == 3
    shown = capsys.readouterr()
    assert "two.txt\t6\tfetched" in shown.out
    assert "notes/one.txt can't be had" in shown.err
    assert [f.name for f in (notes / "cache" / "notes").glob("[!.]*")] == ["two.txt"]


def test_check_hashes_even_what_looks_unchanged_and_fetch_mends_it(notes, capsys):
    assert data("fetch", "notes") == 0
    assert data("check", "notes") == 0
    assert data("check") == 0
    shown = capsys.readouterr().out
    assert shown.count("\tright") == 4
    path = notes / "cache" / "notes" / "one.txt"
    time = path.stat().st_mtime_ns
    path.write_bytes(b"FIRST")  # as many bytes, the same time: a bit that fell over on the disk
    os.utime(path, ns=(time, time))
    assert data("check", "notes") == 3
    told = capsys.readouterr()
    assert "one.txt\t5\twrong" in told.out
    assert "1 of 2 files wrong or missing; mend by: dlrun data fetch notes" in told.err
    assert f"received {hashlib.sha256(b'FIRST').hexdigest()}" in told.err
    assert data("fetch", "notes") == 0
    assert path.read_bytes() == b"first"
    assert data("check", "notes") == 0


def test_check_of_what_is_missing(notes, capsys):
    assert data("check") == 0  # nothing is cached, so nothing is wrong
    assert "no dataset has files in the cache" in capsys.readouterr().out
    assert data("check", "notes") == 3
    shown = capsys.readouterr()
    assert shown.out.count("missing") == 2
    assert "one.txt: no such file" in shown.err
    assert not (notes / "cache").exists()


def test_check_without_names_is_of_what_is_cached(notes, capsys):
    assert data("fetch", "notes") == 0
    (notes / "cache" / "notes" / "two.txt").unlink()
    capsys.readouterr()
    assert data("check") == 0
    assert states(capsys) == {"one.txt": "right"}
    (notes / "cache" / "notes" / "one.txt").write_bytes(b"other")
    assert data("check") == 3
    assert states(capsys) == {"one.txt": "wrong"}


def test_made_rows_and_the_users_own_have_nothing_to_fetch(notes, capsys):
    for action in ("fetch", "check"):
        assert data(action, "line") == 0
        assert "made here: nothing to" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "expected list, fetch, check, card; received none"),
        (["fecth", "notes"], "Did you mean 'fetch'?"),
        (["fetch"], "expected names of datasets"),
        (["fetch", "note", "nost"], "no dataset is called 'note'"),
        (["check", "notes", "source=sample"], "dlrun data check takes names only"),
        (["list", "--all"], "dlrun data list takes names only"),
        (["card"], "expected the name of one dataset, received none"),
        (["card", "mnist", "imdb"], "received mnist imdb"),
        (["card", "mnst"], "Did you mean 'mnist'?"),
        (["card", "imdb", "num_word=9"], "Did you mean 'dataset.num_words'?"),
        (["card", "imdb", "num_words=2"], "greater than or equal to 3"),
        (["card", "imdb", "output=x.jpg"], "expected the name of a .png file"),
        (["card", "imdb", "output=x.png"], "the rows of imdb are no pictures: review (10000,)"),
    ],
)
def test_wrong_words_are_usage_errors(words, told, notes, capsys):
    before = sorted(notes.rglob("*"))
    assert data(*words) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""
    assert sorted(f for f in notes.rglob("*") if "__pycache__" not in str(f)) == before


def test_card_of_words(project, capsys):
    assert main(["data", "card", "imdb", "source=sample", "num_words=500"]) == 0
    shown = capsys.readouterr().out
    assert "Data · imdb · SAMPLE DATA" in shown
    (rows,) = re.findall(r"train rows +([\d,]+)", shown)
    assert f"multi-hot ({rows.replace(',', '')}, 500)" in shown
    assert "binary, 2 classes: negative 1,2" in shown
    for row in range(3):
        assert f"train[{row}]" in shown


def test_card_has_the_true_shape_and_a_range_per_column(project, capsys):
    Path("t.csv").write_text(
        "rooms,area,price\n" + "".join(f"{i % 7 + 1},{i * 2 if i % 5 else ''},{i}\n" for i in range(100))
    )
    assert main(["data", "card", "csv", "path=t.csv", "target=price"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    (shape,) = (line[2] for line in lines if line[:2] == ["train", "features"])
    rows = registry.load("dataset", "csv")(path="t.csv", target="price").load().train
    assert shape.startswith(f"({len(rows)}, 2) float32")
    told = {line[0]: " ".join(line[1:]) for line in lines if line}
    assert told["rooms"] == "1 to 7"
    area = rows.inputs["features"][:, 1]
    known = area[~area.isnan()]
    assert told["area"] == f"{known.min():g} to {known.max():g}, {int(area.isnan().sum())} missing"


def test_a_wide_table_is_cut(project):
    import torch

    from dlrun.showing import MOST_COLUMNS, _named

    names = tuple(f"c{i}" for i in range(MOST_COLUMNS + 2))
    rows = _named(torch.zeros(3, len(names)), names)
    assert len(rows) == MOST_COLUMNS + 1
    assert rows[0] == ["  c0", "0 to 0"]
    assert rows[-1] == ["  …", "2 more columns"]
    assert len(_named(torch.zeros(3, MOST_COLUMNS), names[:MOST_COLUMNS])) == MOST_COLUMNS


def test_card_with_a_sheet_of_pictures(project, capsys):
    from PIL import Image

    assert main(["data", "card", "mnist", "dataset.source=sample", "output=sheets/mnist.png"]) == 0
    shown = capsys.readouterr().out
    assert "uint8, 0 to 255" in shown
    assert "25 pictures: sheets/mnist.png" in shown
    with Image.open("sheets/mnist.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert (pixels < 10).mean() > 0.3  # the ground of the digits


@pytest.mark.parametrize("shape", [(9, 9, 3), (9, 9), (9, 9, 1)])
def test_a_sheet_shows_rows_from_first_to_last_in_colour_and_grey(shape, project, monkeypatch):
    import torch
    from matplotlib.figure import Figure

    from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec

    drawn: list[Any] = []
    saved = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), saved(self, *a, **k))[1])
    spec = DataSpec(
        {"photo": InputSpec(shape, divide_by=255.0)}, {"kind": TargetSpec("binary", 2, labels=("cat", "dog"))}
    )
    rows = Rows({"photo": torch.randint(256, (31, *shape)).to(torch.uint8)}, {"kind": (torch.arange(31) > 15).float()})
    assert sheets.picture(spec) == "photo"
    assert cards.sheet(Data(spec, rows, None), "photo", Path("x.png"), "$title$") == 25
    axes = drawn[0].axes
    assert [axes[i].get_title() for i in (0, 24)] == ["cat", "dog"]
    shown, stored = np.asarray(axes[24].images[0].get_array()), rows.inputs["photo"][30].numpy()
    assert shown.size == stored.size
    assert np.array_equal(shown.reshape(stored.shape), stored)


def test_tables_of_numbers_are_no_pictures():
    from dlrun.contracts import DataSpec, InputSpec

    for found in (InputSpec((13,)), InputSpec((120, 14)), InputSpec((2,), divide_by=360.0)):
        assert sheets.picture(DataSpec({"x": found}, {})) is None


def test_a_copy_of_several_that_are_accepted_may_have_another_size(project):
    file = File("d", "f", None, ("a" * 64, "b" * 64), 10)
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(gzip.compress(b"x"))
    assert cards.state(file) == "cached"
    assert "expected sha256" in cards.checked(file)


def test_a_file_of_which_no_checksum_is_known_is_taken_as_it_is(project):
    file = File("d", "f", None, (), 10)
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(b"whatever")
    assert (cards.state(file), cards.checked(file)) == ("cached", "")
    assert fetch(file) == file.path
    assert checksum(file.path) == hashlib.sha256(b"whatever").hexdigest()
    file.path.write_bytes(b"another")
    assert checksum(fetch(file)) == hashlib.sha256(b"another").hexdigest()


def test_real_files_are_in_the_mirror_and_right(mirror, project, monkeypatch, capsys):
    monkeypatch.setenv("DLRUN_MIRROR", str(mirror))
    assert main(["data", "list"]) == 0
    missing = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines() if "missing" in line]
    assert set(missing) <= {"jena_climate_2009_2016.csv.zip"}  # whose checksum is not known
    assert main(["data", "fetch", "mnist"]) == 0
    assert main(["data", "check", "mnist"]) == 0
    assert capsys.readouterr().out.count("\tright") == 4
    assert main(["data", "card", "mnist"]) == 0
    assert "0 5,923, 1 6,742" in capsys.readouterr().out


def test_actions_datasets_and_keys_are_completed(project):
    assert candidates("dlrun data ") == ["list", "fetch", "check", "card"]
    assert candidates("dlrun data fetch mn") == ["mnist"]
    assert set(candidates("dlrun data check mnist ")) == {*registry.names("dataset")} - {"mnist"}
    assert candidates("dlrun data card imdb num") == ["num_words="]
    assert candidates("dlrun data card imdb source=s") == ["source=sample"]
    (project / "t.csv").touch()
    (project / "tables").mkdir()
    assert candidates("dlrun data card csv path=t") == ["path=t.csv", "path=tables/"]
    assert "output=" in candidates("dlrun data card mnist ")


def test_of_files_that_serve_alike_the_nearest_is_shown_and_fetched(project, monkeypatch, capsys):
    from dlrun.datasets import dogs_vs_cats

    content = b"pictures"
    subset = File("dogs_vs_cats", "small.zip", None, hashlib.sha256(content).hexdigest(), len(content))
    monkeypatch.setattr(dogs_vs_cats, "FILES", ((subset, dogs_vs_cats.OFFICIAL),))
    monkeypatch.delenv("DLRUN_MIRROR", raising=False)
    assert [file.name for file in cards.files_of("dogs_vs_cats")] == ["kagglecatsanddogs_5340.zip"]
    (project / "mirror" / "dogs_vs_cats").mkdir(parents=True)
    (project / "mirror" / "dogs_vs_cats" / "small.zip").write_bytes(content)
    monkeypatch.setenv("DLRUN_MIRROR", str(project / "mirror"))
    assert cards.files_of("dogs_vs_cats") == (subset,)
    assert main(["data", "fetch", "dogs_vs_cats"]) == 0
    monkeypatch.delenv("DLRUN_MIRROR")
    assert cards.files_of("dogs_vs_cats") == (subset,)
    capsys.readouterr()
    assert main(["data", "list", "dogs_vs_cats"]) == 0
    assert "small.zip\t8\tcached" in capsys.readouterr().out
