from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun import registry
from dlrun.datasets import boston_housing
from dlrun.errors import DataError


@pytest.fixture(scope="module")
def sample():
    return boston_housing.build(source="sample").load()


def test_real_districts_are_the_book_s(real):
    dataset = boston_housing.build()
    data = dataset.load()
    assert data.train.inputs["features"].shape == (404, 13)
    assert data.test.inputs["features"].shape == (102, 13)
    prices = data.train.targets["price"]
    assert [f"{p:.1f}" for p in prices[:3].tolist()] == ["15.2", "42.3", "50.0"]
    assert [f"{p:.1f}" for p in prices[-3:].tolist()] == ["19.4", "19.4", "29.1"]
    assert [f"{p:.1f}" for p in data.test.targets["price"][:5].tolist()] == ["7.2", "18.8", "19.0", "27.0", "22.2"]
    assert {"train": len(data.train), "test": len(data.test)} == data.spec.rows
    assert set(data.checksums.values()) <= set(boston_housing.PACKED.accepted)
    assert (data.source, data.spec.targets["price"].unit) == ("real", "k$")


def test_real_columns_have_the_names_of_the_original_table(real, mirror):
    """`housing.data`, the table as it was first given out, in another order of rows."""
    data = boston_housing.build().load()
    table = np.loadtxt(mirror / "boston_housing" / "housing.data").astype(np.float32)
    features = torch.cat([data.train.inputs["features"], data.test.inputs["features"]]).numpy()
    prices = torch.cat([data.train.targets["price"], data.test.targets["price"]]).numpy()
    assert sorted(map(tuple, table)) == sorted(map(tuple, np.column_stack([features, prices])))
    column = dict(zip(boston_housing.COLUMNS, features.T, strict=True))
    assert set(column["CHAS"].tolist()) == {0, 1}, "beside the river or not"
    assert set(column["RAD"].tolist()) == {1, 2, 3, 4, 5, 6, 7, 8, 24}
    assert 3 < column["RM"].min() < column["RM"].max() < 9
    # B, in thousandths, is the square of something that is at most 0.63.
    assert column["B"].max() == pytest.approx(1000 * 0.63**2, abs=0.01)


def test_rows_are_raw_and_normalize_is_asked_of_the_model(sample):
    for normalize in ("pool", "train", "no"):
        dataset = boston_housing.build(source="sample", normalize=normalize)
        assert dataset.spec.inputs["features"].standardize == normalize
        assert torch.equal(dataset.load().train.inputs["features"], sample.train.inputs["features"])
    means = sample.train.inputs["features"].mean(0)
    assert float(means.max()) > 300


def test_the_sample_is_the_same_each_time_and_agrees_with_its_spec(cache, sample):
    again = boston_housing.build(source="sample").load()
    spec = sample.spec
    for part in ("train", "test"):
        one, two = getattr(sample, part), getattr(again, part)
        assert torch.equal(one.inputs["features"], two.inputs["features"])
        assert torch.equal(one.targets["price"], two.targets["price"])
        assert one.inputs["features"].shape == (spec.rows[part], *spec.inputs["features"].shape)
        assert one.targets["price"].shape == (spec.rows[part],)
        assert one.inputs["features"].dtype == one.targets["price"].dtype == torch.float32
        assert 5 <= float(one.targets["price"].min()) < float(one.targets["price"].max()) <= 50
        assert float(one.inputs["features"].std(0).min()) > 0, "no constant column"
    assert len(spec.inputs["features"].names) == 13
    assert (sample.source, sample.checksums) == ("sample", {})
    assert not cache.exists()


def test_the_sample_can_be_learned_and_column_b_says_nothing(sample):
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    x, x_test = sample.train.inputs["features"].numpy(), sample.test.inputs["features"].numpy()
    y, y_test = sample.train.targets["price"].numpy(), sample.test.targets["price"].numpy()
    with_b = r2_score(y_test, LinearRegression().fit(x, y).predict(x_test))
    b = boston_housing.COLUMNS.index("B")
    x, x_test = np.delete(x, b, 1), np.delete(x_test, b, 1)
    assert 0.7 < with_b < 0.97
    assert r2_score(y_test, LinearRegression().fit(x, y).predict(x_test)) == pytest.approx(with_b, abs=0.02)


def test_whoever_lists_it_is_told_about_column_b():
    assert "column B is racial" in registry.describe("dataset", "boston_housing")


def test_a_described_row_encodes_to_itself(sample):
    dataset = boston_housing.build(source="sample")
    text = dataset.describe(sample, "test", 5)
    price, columns = text.split(": ", 1)
    assert price == f"{float(sample.test.targets['price'][5]):.1f} k$"
    assert columns.startswith("CRIM ")
    numbers = ", ".join(column.split()[1] for column in columns.split(", "))
    encoded = dataset.encode(numbers)
    assert encoded.targets == {}
    assert torch.allclose(encoded.inputs["features"], sample.test.inputs["features"][5:6], rtol=1e-4)


@pytest.mark.parametrize(
    ("raw", "received"),
    [
        ("", "received 1 in ''"),
        ("1,2,3", "received 3 in '1,2,3'"),
        (",".join("1234567890123x"), "received 14"),
        (",".join("12345x7890123"), "received 'x' for RM"),
        (",".join(["1"] * 12 + ["nan"]), "finite"),
        (",".join(["1"] * 12 + ["1e39"]), "finite in float32"),
    ],
)
def test_what_is_not_13_numbers_is_refused(raw, received):
    with pytest.raises(DataError, match=r"expected 13 numbers with commas between them: CRIM, ZN, .*LSTAT") as error:
        boston_housing.build(source="sample").encode(raw)
    assert received in str(error.value)


def test_pickled_objects_are_never_read(cache, monkeypatch):
    """The arrays are plain numbers; a file with anything else in it is not this table."""
    import hashlib

    path = cache / "boston_housing" / "boston_housing.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, x=np.array([{}], object), y=np.zeros(1))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    file = boston_housing.File("boston_housing", "boston_housing.npz", None, sha256, 1)
    monkeypatch.setattr(boston_housing, "PACKED", file)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        boston_housing.build().load()


def test_without_the_file_the_error_names_both_checksums_and_auto_takes_the_sample(cache, monkeypatch, caplog):
    file = boston_housing.PACKED
    absent = boston_housing.File(file.dataset, file.name, None, file.sha256, file.bytes)
    monkeypatch.setattr(boston_housing, "PACKED", absent)
    with pytest.raises(DataError, match=r"dataset\.source=sample"):
        boston_housing.build().load()
    (cache / "boston_housing").mkdir(parents=True)
    (cache / "boston_housing" / file.name).write_bytes(b"something else")
    with pytest.raises(DataError, match=f"expected sha256 {file.accepted[0]} or sha256 {file.accepted[1]}"):
        boston_housing.build().load()
    assert boston_housing.build(source="auto").load().source == "sample"
    assert len(caplog.records) == 1
