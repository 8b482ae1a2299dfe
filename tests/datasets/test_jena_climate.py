"""Weather in Jena: the file of 2024, one in the book's format, and made weather that can be learned."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
import torch

from dlrun.baselines import linear, persistence
from dlrun.contracts import Dataset
from dlrun.datasets import jena_climate
from dlrun.datasets._jena_sample import COLUMNS
from dlrun.errors import ConfigError, DataError
from dlrun.picking import pick

BOOK = {"train": [0, 200_000], "validation": [201_001, 300_000], "test": [300_001, None]}
SUMMER = {"train": [0, 10_000], "validation": [10_001, 14_000], "test": [14_001, None]}


def summer(**more) -> jena_climate.JenaClimate:
    return jena_climate.build(**{"years": "2024", "lookback": 720, "recent": True, **SUMMER, **more})


def errors(data, rows) -> torch.Tensor:
    (last,) = persistence.build().outputs("temperature", data.spec.targets["temperature"], rows, rows, 0)
    return (last - rows.targets["temperature"]).abs().double()


def test_the_file_of_2024(real):
    dataset = summer()
    data = dataset.load()
    windows = data.train.inputs["weather"]
    assert isinstance(dataset, Dataset)
    series = windows.values(torch.arange(windows.length))
    assert (data.source, tuple(series.shape)) == ("real", (19_132, 14))
    assert (len(data.train) - data.validation, data.validation, len(data.test)) == (9_280, 3_279, 4_267)
    assert dataset.spec.rows == {"train": 9_280 + 3_279, "test": 4_267}
    held = pick(data.train, np.arange(9_280, len(data.train)))
    error = float(errors(data, held).mean())
    deviation = series[:10_000, 1].double().std(correction=0)
    assert f"{error:.3f} {error / deviation:.3f}" == "2.756 0.567"
    assert dataset.describe(data, "train", 0) == (
        "row 720: temperature went from 18.81 to 15.99 °C, 144 rows later 17.9 °C"
    )
    assert dataset.fingerprint == ""


def test_columns_may_be_chosen_and_the_target_left_out(real):
    data = summer(columns=["p (mbar)", "T (degC)"]).load()
    assert data.train.inputs["weather"].values(torch.tensor([0]))[0].tolist() == pytest.approx([982.81, 18.76])
    assert data.spec.targets["temperature"].channel == ("weather", 1)
    assert summer(columns=["p (mbar)"]).spec.targets["temperature"].channel is None
    with pytest.raises(ConfigError, match=r"no column is called 'T \(degK\)'"):
        summer(columns=["T (degK)"])


def test_new_rows_are_read_as_the_station_writes_them(mirror, real):
    rows = summer().encode(str(mirror / "jena_climate" / jena_climate.SUMMER.name))
    assert len(rows) == 19_132 - 720 + 1
    assert torch.equal(rows.inputs["weather"].phases, summer().load().train.inputs["weather"].phases)


def test_the_first_rows_of_the_book_s_file(mirror):
    dataset = jena_climate.build(columns=list(COLUMNS)[:11], **BOOK)
    rows = dataset.encode(str(mirror / "jena_climate" / "jena_climate_2009_first4000rows_11features.csv"))
    windows = rows.inputs["weather"]
    assert (windows.length, tuple(windows[0].shape)) == (4_000, (240, 11))
    assert tuple(round(v, 2) for v in windows[0][0, :2].tolist()) == jena_climate.FIRST["2009_2016"]


def written(rows: int, first: str = "996.52,-8.02") -> str:
    line = ",".join(["01.01.2009 00:20:00", "996.5", "-7.5", *["1"] * 12])
    head = ",".join(["Date Time", *COLUMNS])
    return "\n".join([head, ",".join(["01.01.2009 00:10:00", first, *["1"] * 12]), *[line] * (rows - 1)])


@pytest.fixture
def book(cache):
    """Puts a file called like the book's where it is looked for."""

    def put(text: str, packed: bool) -> None:
        folder = cache / "jena_climate"
        folder.mkdir(parents=True, exist_ok=True)
        if not packed:
            (folder / jena_climate.UNPACKED.name).write_text(text)
            return
        with zipfile.ZipFile(folder / jena_climate.BOOK.name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/._jena_climate_2009_2016.csv", "?")
            archive.writestr(jena_climate.UNPACKED.name, text)

    return put


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (written(5), "expected 420,551 rows, the first with 996.52 mbar and -8.02 °C; received 5 rows"),
        (written(5, "990.00,3.0"), "the first with 990.0 and 3.0"),
        ("a,b\n1,2\n", "has no column"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_another_file_under_the_book_s_name_is_refused(book, text, said, packed):
    book(text, packed)
    with pytest.raises(DataError, match=re.escape(said)):
        jena_climate.build(**BOOK).load()


def test_a_zip_file_without_the_book_s_is_refused(cache):
    folder = cache / "jena_climate"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / jena_climate.BOOK.name, "w") as archive:
        archive.writestr("weather.csv", "?")
    with pytest.raises(DataError, match=r"expected a zip file with jena_climate_2009_2016\.csv"):
        jena_climate.build(**BOOK).load()


@pytest.mark.slow
def test_a_file_like_the_book_s(book):
    """Rows of which times repeat, as in the original; the signature knows what is in it."""
    book(written(420_551), packed=True)
    dataset = jena_climate.build(**(BOOK | {"validation": [200_001, 300_000]}), whole_batches=128)
    assert dataset.resolve_source() == "real"
    data = dataset.load()
    assert (len(data.train) - data.validation, data.validation, len(data.test)) == (198_560, 98_432, 119_040)
    assert dataset.fingerprint == data.checksums[jena_climate.UNPACKED.name]
    again = jena_climate.build(**BOOK).load()
    assert torch.equal(again.train.inputs["weather"].phases, data.train.inputs["weather"].phases)


def test_what_is_missing_is_said_with_where_it_can_be_had(cache, monkeypatch):
    monkeypatch.setattr("dlrun.datasets._files.download", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(DataError) as error:
        jena_climate.build(**BOOK).load()
    for words in ("jena_climate_2009_2016.csv.zip or jena_climate/jena_climate_2009_2016.csv can't be had",
                  "fetch https://", "13,568,290 bytes, sha256 not known", "set DLRUN_MIRROR", "dataset.source=sample"):  # fmt: skip
        assert words in str(error.value)


def test_made_weather_can_be_forecast_better_than_by_its_last_value(cache):
    data = jena_climate.build(source="sample", step=24, lookback=144, recent=True, **SUMMER, years="2024").load()
    assert data.source == "sample"
    assert data.train.inputs["weather"].phases.isfinite().all()
    n = len(data.train) - data.validation
    train, held = pick(data.train, np.arange(n)), pick(data.train, np.arange(n, len(data.train)))
    target = data.spec.targets["temperature"]
    (found,) = linear.build().outputs("temperature", target, train, held, 0)
    learned = float((found - held.targets["temperature"]).abs().mean())
    assert learned < 0.8 * float(errors(data, held).mean())
