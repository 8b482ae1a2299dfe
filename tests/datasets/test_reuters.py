from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from dlrun.contracts import Bags
from dlrun.datasets import reuters
from dlrun.errors import DataError


@pytest.fixture(scope="module")
def sample():
    return reuters.build(source="sample").load()


def matrix(bags: Bags, size: int) -> csr_matrix:
    """The multi-hot rows [N, size]."""
    ones = np.ones(len(bags.values), np.float32)
    return csr_matrix((ones, bags.values.numpy(), bags.offsets.numpy()), shape=(len(bags.offsets) - 1, size))


def test_real_newswires_are_the_book_s(real):
    dataset = reuters.build()
    data = dataset.load()
    assert {"train": len(data.train), "test": len(data.test)} == {"train": 8_982, "test": 2_246} == data.spec.rows
    values, offsets = data.extras["sequences"]("train")
    tenth = values[offsets[10] : offsets[11]].tolist()
    assert (len(tenth), tenth[:4], tenth[-5:]) == (31, [1, 245, 273, 207], [61, 451, 4329, 17, 12])
    assert int(values.max()) == 9999
    topic = data.train.targets["topic"]
    assert int(topic[10]) == 3
    assert (topic.dtype, topic.shape) == (torch.int64, (8_982,))
    for rows in (data.train, data.test):
        assert rows.targets["topic"].unique().tolist() == list(range(46))
    assert int(topic.bincount().min()) >= 10
    bags = data.train.inputs["newswire"]
    assert bags.values.dtype == torch.int32
    assert bags.values[bags.offsets[10] : bags.offsets[11]].tolist() == sorted(set(tenth))
    assert data.checksums == {"reuters.npz": reuters.PACKED.sha256}
    assert data.source == dataset.resolve_source() == "real"


def test_real_newswires_are_read_back_as_text(real):
    dataset = reuters.build()
    data = dataset.load()
    assert dataset.describe(data, "train", 0).startswith(
        "earn: ? ? ? said as a result of its december acquisition of space co it expects earnings per share in 1987"
    )
    values, offsets = data.train.inputs["newswire"]
    for row in (0, 10, 8_981):
        text = dataset.describe(data, "train", row).split(": ", 1)[1]
        encoded = dataset.encode(text.replace("?", "zzzzunknown")).inputs["newswire"].values.tolist()
        # A start mark and a word outside the vocabulary read alike, so the row may gain a 2.
        assert set(encoded) - {2} == set(values[offsets[row] : offsets[row + 1]].tolist()) - {2}


def test_the_names_of_the_topics_fit_the_real_newswires(real):
    """No newswires use a topic's name as often as its own do, as far as the name is a plain word."""
    dataset = reuters.build()
    data = dataset.load()
    ranks = dataset._vocabulary.ranks
    rows = data.train.inputs["newswire"]
    topic = data.train.targets["topic"].numpy()
    which = np.repeat(topic, rows.offsets.diff().numpy())
    sizes = np.bincount(topic)
    named = """cocoa wheat copper housing coffee sugar trade reserves ship cotton crude cpi interest gnp oilseed gold tin
        livestock retail rubber jobs zinc orange silver hog lead"""
    for name in named.split():
        index = ranks[name.encode()] + 3
        share = np.bincount(which[(rows.values == index).numpy()], minlength=46) / sizes
        assert reuters.TOPICS[share.argmax()] == name


@pytest.mark.parametrize(("num_words", "shape", "largest"), [(100, 100, 99), (None, 30_983, 30_982)])
def test_num_words_bounds_the_real_indices(real, num_words, shape, largest):
    dataset = reuters.build(num_words=num_words)
    assert dataset.spec.inputs["newswire"].shape == (shape,)
    data = dataset.load()
    assert max(int(data.extras["sequences"](part).values.max()) for part in ("train", "test")) == largest
    lengths = data.extras["sequences"]("train").offsets.diff()
    assert int(lengths[10]) == 31, "rarer words are replaced, not removed"


def test_all_rows_are_shuffled_then_the_last_fifth_is_cut_off():
    found = reuters.encode_all([[i + 1] for i in range(11)], list(range(11)), num_words=100, index_from=3)
    order = np.arange(11)
    np.random.RandomState(113).shuffle(order)
    assert found["train_topic"].tolist() == order[:8].tolist()
    assert found["test_topic"].tolist() == order[8:].tolist()
    for part in ("train", "test"):
        assert (found[f"{part}_sequence_values"][1::2] - 4).tolist() == found[f"{part}_topic"].tolist()
        assert found[f"{part}_sequence_values"][::2].unique().tolist() == [1]


def test_the_sample_is_the_same_each_time_and_agrees_with_its_spec(cache, sample):
    again = reuters.build(source="sample").load()
    for part, count in (("train", 3_600), ("test", 900)):
        one, two = getattr(sample, part), getattr(again, part)
        assert len(one) == len(one.targets["topic"]) == count
        assert torch.equal(one.inputs["newswire"].values, two.inputs["newswire"].values)
        assert torch.equal(one.targets["topic"], two.targets["topic"])
        assert int(one.inputs["newswire"].values.max()) < sample.spec.inputs["newswire"].shape[0]
        assert one.targets["topic"].dtype == torch.int64
    assert sample.spec.targets["topic"].classes == len(set(reuters.TOPICS)) == 46
    assert (sample.source, sample.checksums) == ("sample", {})
    assert not cache.exists()


def test_the_sample_s_topics_are_as_uneven_as_the_real_ones(sample):
    counts = sample.train.targets["topic"].bincount(minlength=46)
    assert int(counts.min()) >= 10
    assert int(counts.argmax()) == reuters.TOPICS.index("earn")
    assert 0.3 < float(counts.max() / counts.sum()) < 0.4


def test_the_sample_can_be_learned(sample):
    from sklearn.linear_model import RidgeClassifier

    x, x_test = (matrix(rows.inputs["newswire"], 10_000) for rows in (sample.train, sample.test))
    y, y_test = (rows.targets["topic"].numpy() for rows in (sample.train, sample.test))
    majority = float((y_test == np.bincount(y).argmax()).mean())
    score = RidgeClassifier(10.0, solver="lsqr").fit(x, y).score(x_test, y_test)
    assert majority + 0.2 < score < 0.97


def test_sample_newswires_are_described_and_encoded_with_their_own_words(sample, tmp_path):
    dataset = reuters.build(source="sample")
    topic, text = dataset.describe(sample, "test", 3).split(": ", 1)
    assert topic == reuters.TOPICS[int(sample.test.targets["topic"][3])]
    assert text.startswith("? ")
    values, offsets = sample.test.inputs["newswire"]
    (tmp_path / "newswire.txt").write_text(text[2:].upper() + ".")
    for raw in (text[2:], str(tmp_path / "newswire.txt")):
        assert torch.equal(dataset.encode(raw).inputs["newswire"].values, values[offsets[3] : offsets[4]])
    for raw in ("", " ... ", str(tmp_path / "absent.txt")):
        with pytest.raises(DataError, match=r"expected (a newswire|the path)"):
            dataset.encode(raw)


def test_without_files_the_error_says_what_to_do_and_auto_takes_the_sample(cache, monkeypatch, caplog):
    monkeypatch.setattr(reuters, "PACKED", reuters.File("reuters", "reuters.npz", None, "0" * 64, 1))
    with pytest.raises(DataError, match=r"reuters/reuters\.npz can't be had[\s\S]*dataset\.source=sample"):
        reuters.build().load()
    assert reuters.build(source="auto").load().source == "sample"
    assert len(caplog.records) == 1


def test_a_changed_file_is_not_unpickled(cache, monkeypatch):
    path = cache / "reuters" / "reuters.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, x=np.array([[1], [2, 3]], object), y=np.zeros(2))
    monkeypatch.setattr(reuters, "PACKED", reuters.File("reuters", "reuters.npz", None, "0" * 64, 1))
    with pytest.raises(DataError, match="expected sha256"):
        reuters.build().load()
