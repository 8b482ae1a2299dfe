from __future__ import annotations

import io
import os
import tarfile
import time

import numpy as np
import pytest
import torch
from torch import nn

from dlrun.contracts import Bags
from dlrun.datasets import _imdb_sample, imdb
from dlrun.datasets._files import fetch
from dlrun.datasets._imdb_encoding import encode_parts
from dlrun.datasets._imdb_raw import read_archive
from dlrun.datasets._texts import indices, multi_hot, words
from dlrun.errors import DataError


@pytest.fixture(scope="module")
def sample():
    return imdb.build(source="sample").load()


def dense(bags: Bags, size: int) -> torch.Tensor:
    """The multi-hot rows [N, size], by the definition of listing 3-2."""
    matrix = torch.zeros(len(bags.offsets) - 1, size)
    for i in range(len(matrix)):
        for index in bags.values[bags.offsets[i] : bags.offsets[i + 1]].tolist():
            matrix[i, index] = 1
    return matrix


def test_real_reviews_are_the_book_s(real):
    dataset = imdb.build()
    data = dataset.load()
    values, offsets = data.extras["sequences"]("train")
    first = values[: offsets[1]].tolist()
    assert first[:4] + first[-2:] == [1, 14, 22, 16, 178, 32]
    assert int(values.max()) == 9999
    for rows in (data.train, data.test):
        sentiment = rows.targets["sentiment"]
        assert (len(rows), sentiment.dtype, float(sentiment.sum())) == (25_000, torch.float32, 12_500)
        assert rows.inputs["review"].values.dtype == torch.int32
    assert float(data.train.targets["sentiment"][0]) == 1
    first_row = data.train.inputs["review"].values[: data.train.inputs["review"].offsets[1]]
    assert first_row.tolist() == sorted(set(first))
    assert data.checksums == {"imdb.npz": imdb.PACKED.sha256}
    assert dataset.describe(data, "train", 0).startswith(
        "positive: ? this film was just brilliant casting location scenery story direction"
    )
    start = time.perf_counter()
    again = imdb.build().load()
    assert int(again.train.inputs["review"].offsets[-1]) == len(again.train.inputs["review"].values)
    assert time.perf_counter() - start < 0.3


def test_a_described_review_encodes_to_itself(real):
    dataset = imdb.build()
    data = dataset.load()
    values, offsets = data.train.inputs["review"]
    for row in (0, 7, 24_999):
        text = dataset.describe(data, "train", row).split(": ", 1)[1]
        encoded = dataset.encode(text.replace("?", "zzzzunknown")).inputs["review"].values.tolist()
        # A start mark and a word outside the vocabulary read alike, so the row may gain a 2.
        assert set(encoded) - {2} == set(values[offsets[row] : offsets[row + 1]].tolist()) - {2}


def test_encode_works_offline_once_the_word_index_is_there(real, monkeypatch):
    monkeypatch.delenv("DLRUN_MIRROR")
    review = imdb.build().encode("This film was just BRILLIANT, qqqzzz!").inputs["review"]
    assert review.values.tolist() == sorted([1, 14, 22, 16, 43, 530, 2])
    assert review.offsets.tolist() == [0, 7]


@pytest.mark.slow
def test_the_archive_gives_what_keras_packed(real):
    parts = read_archive(fetch(imdb.LABELLED), imdb._read_word_index())
    packed = imdb._read_packed()
    for part in ("train", "test"):
        assert parts[part][1] == packed[part][1]
        assert parts[part][0] == packed[part][0]
    ranks = [max(map(max, sequences)) for sequences, _ in packed.values()]
    assert max(ranks) == imdb.LARGEST_RANK


@pytest.mark.slow
def test_raw_files_encode_to_the_same_data(real):
    one, two = imdb.build().load(), imdb.build(files="raw").load()
    assert set(two.checksums) == {"aclImdb_labelled.tar.xz", "imdb_word_index.json"}
    for part in ("train", "test"):
        a, b = getattr(one, part), getattr(two, part)
        assert torch.equal(a.targets["sentiment"], b.targets["sentiment"])
        for x, y in zip(
            (*a.inputs["review"], *one.extras["sequences"](part)),
            (*b.inputs["review"], *two.extras["sequences"](part)),
            strict=True,
        ):
            assert torch.equal(x, y)


def test_words_are_split_as_keras_did():
    text = 'It\'s GOOD<br />very-good, MÁV\t"(9/10)"\n...'
    assert [w.decode() for w in words(text.encode())] == [
        "it's", "good", "br", "very", "good", "mÁv", "9", "10",
    ]  # fmt: skip


def test_an_archive_in_the_official_layout_is_read_in_keras_s_order(tmp_path):
    texts = {
        "aclImdb/README": "good",
        "aclImdb/train/unsup/0_0.txt": "good good",
        "aclImdb/train/neg/0_1.txt": "bad",
        "aclImdb/train/pos/9_9.txt": "good nine",
        "aclImdb/train/pos/10_7.txt": "good ten",
        "aclImdb/test/pos/../../../up_1.txt": "bad",
        "aclImdb/test/pos/1_8.txt": "nine unheard",
    }
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    parts = read_archive(tmp_path / "a.tar.gz", {b"good": 1, b"bad": 2, b"nine": 3, b"ten": 4})
    assert parts == {"train": ([[1, 4], [1, 3], [2]], [1, 1, 0]), "test": ([[3]], [1])}


def test_multi_hot_rows_are_those_of_the_definition():
    random = np.random.default_rng(0)
    ranks = [random.integers(1, 60, length).tolist() for length in (0, 1, 30, 200, 0)]
    reviews = indices(ranks, num_words=40, index_from=3)
    expected = torch.zeros(5, 40)
    for i, review in enumerate(ranks):
        expected[i, 1] = 1
        for rank in review:
            expected[i, rank + 3 if rank + 3 < 40 else 2] = 1
    assert torch.equal(dense(reviews, 40), expected)
    bags = multi_hot(reviews, 40)
    assert torch.equal(dense(bags, 40), expected)
    assert len(bags.values) == int(expected.sum()), "each index once"
    assert (bags.values.dtype, bags.offsets.dtype) == (torch.int32, torch.int64)


def test_rows_are_shuffled_as_current_keras_does():
    parts = {part: ([[i + 1] for i in range(9)], list(range(9))) for part in ("train", "test")}
    columns = encode_parts(parts, num_words=100, index_from=3)
    random = np.random.RandomState(113)
    for part in ("train", "test"):
        order = np.arange(9)
        random.shuffle(order)
        assert columns[f"{part}_sentiment"].tolist() == order.tolist()
        assert columns[f"{part}_sequence_values"][1::2].tolist() == (order + 4).tolist()


def test_the_sample_is_the_same_each_time_and_needs_no_files(cache, sample):
    again = imdb.build(source="sample").load()
    for part in ("train", "test"):
        one, two = getattr(sample, part), getattr(again, part)
        assert len(one) == 2_500
        assert torch.equal(one.inputs["review"].values, two.inputs["review"].values)
        assert torch.equal(one.targets["sentiment"], two.targets["sentiment"])
        assert 0.45 < float(one.targets["sentiment"].mean()) < 0.55
    assert (sample.source, sample.checksums) == ("sample", {})
    assert sample.spec.rows["train"] == 25_000
    assert not cache.exists()


def test_the_sample_s_words_are_distinct():
    assert len(_imdb_sample.word_index()) == len(_imdb_sample.vocabulary()) > 4_000


@pytest.mark.parametrize("num_words", [3, 50, None])
def test_num_words_bounds_the_indices(num_words):
    dataset = imdb.build(source="sample", num_words=num_words)
    shape = dataset.spec.inputs["review"].shape
    assert shape == ((num_words,) if num_words else (88_588,))
    values = dataset.load().extras["sequences"]("train").values
    largest = num_words - 1 if num_words else len(_imdb_sample.vocabulary()) + 3
    assert largest - 5 < int(values.max()) <= largest
    assert bool((values == 2).any()) is (num_words is not None)


def test_index_from_shifts_the_words(sample):
    shifted = imdb.build(source="sample", index_from=10, num_words=None)
    values, offsets = shifted.load().extras["sequences"]("train")
    plain, _ = sample.extras["sequences"]("train")
    assert values[0] == plain[0] == 1
    assert torch.equal(values[1 : offsets[1]], plain[1 : offsets[1]] + 7)
    index = _imdb_sample.word_index()
    encoded = shifted.encode("wonderful film").inputs["review"].values.tolist()
    assert encoded == sorted([1, index[b"film"] + 10, index[b"wonderful"] + 10])


def test_sample_reviews_are_described_and_encoded_with_their_own_words(sample, tmp_path):
    dataset = imdb.build(source="sample")
    label, text = dataset.describe(sample, "test", 3).split(": ", 1)
    assert label == imdb.LABELS[int(sample.test.targets["sentiment"][3])]
    assert text.startswith("? ")
    values, offsets = sample.test.inputs["review"]
    (tmp_path / "review.txt").write_text(text[2:].upper() + "!")
    for raw in (text[2:], str(tmp_path / "review.txt")):
        encoded = dataset.encode(raw)
        assert torch.equal(encoded.inputs["review"].values, values[offsets[3] : offsets[4]])
        assert encoded.targets == {}
    for raw in ("", " ... ", str(tmp_path / "absent.txt"), "\0.txt"):
        with pytest.raises(DataError, match="expected"):
            dataset.encode(raw)
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        dataset.encode(str(tmp_path / "latin.txt"))


def test_the_book_s_net_learns_the_sample_and_overfits(sample):
    torch.manual_seed(0)
    size = 4_300
    (x, y), (x_test, y_test) = (
        (rows.inputs["review"], rows.targets["sentiment"]) for rows in (sample.train, sample.test)
    )

    def matrix(bags: Bags) -> torch.Tensor:
        rows = torch.repeat_interleave(torch.arange(len(bags.offsets) - 1), bags.offsets.diff())
        return torch.zeros(len(bags.offsets) - 1, size).index_put_((rows, bags.values.long()), torch.ones(()))

    x, x_test = matrix(x), matrix(x_test)
    layers = [nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)]
    net = nn.Sequential(*layers, nn.Flatten(0))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, alpha=0.9)
    best = 0.0
    for _ in range(20):
        for rows in torch.randperm(len(x)).split(512):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(net(x[rows]), y[rows]).backward()
            optimizer.step()
        best = max(best, float(((net(x_test) > 0) == y_test).float().mean()))
    trained = float(((net(x) > 0) == y).float().mean())
    assert 0.85 < best < 0.97
    assert trained > 0.98


def test_pickled_arrays_are_not_read_before_their_checksum_holds(cache, monkeypatch):
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(cache / "evil"),)

    path = cache / "imdb" / "imdb.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, x_train=np.array([Evil()], object), y_train=np.zeros(1))
    monkeypatch.setattr(imdb, "PACKED", imdb.File("imdb", "imdb.npz", None, "0" * 64, 1))
    with pytest.raises(DataError, match="expected sha256"):
        imdb.build().load()
    assert not (cache / "evil").exists()
