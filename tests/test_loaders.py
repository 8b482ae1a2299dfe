"""Batches are gathers: they hold the rows they should, for one member and for several."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlrun.baselines._features import matrices
from dlrun.contracts import Bags, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.guards._identity import identify
from dlrun.loaders import Loader, to_device
from dlrun.ragged import Ragged

N = 23
LENGTHS = torch.arange(N) % 5  # some rows are empty


def rows() -> tuple[Rows, DataSpec]:
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), LENGTHS.cumsum(0)])
    bags = Bags(torch.arange(int(offsets[-1]), dtype=torch.int32) % 7, offsets)
    pixels = torch.arange(N * 4, dtype=torch.uint8).reshape(N, 2, 2)
    spec = DataSpec(
        {"words": InputSpec((7,), "multi_hot"), "pixels": InputSpec((2, 2), divide_by=255.0)},
        {"label": TargetSpec("multiclass", classes=N)},
    )
    return Rows({"words": bags, "pixels": pixels}, {"label": torch.arange(N)}), spec


def loader(index: list[np.ndarray], batch_size: int = 4, seeds: list[int] | None = None, **more: int) -> Loader:
    data, spec = rows()
    return Loader(data, spec, index, batch_size, torch.float32, seeds, **more)


def bag(bags: Bags, i: int) -> list[int]:
    return bags.values[bags.offsets[i] : bags.offsets[i + 1]].tolist()


@pytest.mark.parametrize("batch_size", [1, 4, 23, 100])
def test_an_epoch_holds_every_row_once_with_its_own_columns(batch_size: int) -> None:
    data, _ = rows()
    seen = []
    for batch, count in loader([np.arange(N)], batch_size, [3]).epoch(1):
        labels = batch.targets["label"]
        assert count.tolist() == [len(labels)]
        assert batch.mask is None
        for i, label in enumerate(labels.tolist()):
            assert bag(batch.inputs["words"], i) == bag(data.inputs["words"], label)
            assert torch.equal(batch.inputs["pixels"][i], data.inputs["pixels"][label] / 255.0)
        seen += labels.tolist()
    assert sorted(seen) == list(range(N))


def test_the_order_follows_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        made = loader([np.arange(N)], 4, [seed])
        return [label for batch, _ in made.epoch(epoch) for label in batch.targets["label"].tolist()]

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2)
    assert order(1, 1) != order(2, 1)


def test_a_started_epoch_goes_on_where_it_was() -> None:
    whole = [b.targets["label"].tolist() for b, _ in loader([np.arange(N)], 4, [3]).epoch(2)]
    rest = [b.targets["label"].tolist() for b, _ in loader([np.arange(N)], 4, [3]).epoch(2, start=2)]
    assert rest == whole[2:]


def test_without_seeds_the_order_is_kept() -> None:
    index = np.array([5, 3, 9])
    ((batch, _),) = loader([index]).epoch(1)
    assert batch.targets["label"].tolist() == [5, 3, 9]


def test_steps_of_the_books_generators() -> None:
    """5.2.4: 100 steps of 20 are one pass over 2,000 pictures; 5.2.5: 100 of 32 go round again, after a short batch."""
    index = [np.arange(2000)]
    rows = Rows({"x": torch.zeros(2000, 1)}, {"y": torch.zeros(2000)})
    spec = DataSpec({"x": InputSpec((1,))}, {"y": TargetSpec("binary", 2)})
    plan = Loader(rows, spec, index, 20, torch.float32, [0], 100).plan(1)
    assert sorted(plan.rows.flatten().tolist()) == list(range(2000))
    plan = Loader(rows, spec, index, 32, torch.float32, [0], 100).plan(1)
    assert plan.filled[:, 0].tolist() == [32] * 62 + [16] + [32] * 37
    seen = [row for rows_, n in zip(plan.rows[:, 0], plan.filled[:, 0], strict=True) for row in rows_[:n].tolist()]
    assert sorted(seen[:2000]) == list(range(2000))
    assert len(seen) == 3184
    assert len(set(seen[2000:])) == 1184
    assert seen[:1184] != seen[2000:], "in another order"


@pytest.mark.parametrize(("steps", "expected"), [(2, 8), (6, 23), (9, 23 + 12)])
def test_steps_per_epoch_cuts_or_goes_round_again(steps: int, expected: int) -> None:
    batches = list(loader([np.arange(N)], 4, [0], steps=steps).epoch(1))
    assert len(batches) == steps
    assert sum(int(count[0]) for _, count in batches) == expected


def test_members_of_a_stack_get_the_rows_they_would_get_alone() -> None:
    index = [np.arange(0, 12), np.arange(10, 21)]  # 12 and 11 rows: 3 batches each, the last one uneven
    seeds = [4, 5]
    stacked = list(loader(index, 4, seeds).epoch(1))
    for k in range(2):
        alone = list(loader([index[k]], 4, [seeds[k]]).epoch(1))
        assert len(alone) == len(stacked)
        for (one, count), (many, counts) in zip(alone, stacked, strict=True):
            n = int(count[0])
            assert counts[k] == n
            assert many.mask is not None
            assert many.mask[k].tolist() == [1.0] * n + [0.0] * (many.mask.shape[1] - n)
            assert torch.equal(many.targets["label"][k, :n], one.targets["label"])
            assert torch.equal(many.inputs["pixels"][k, :n], one.inputs["pixels"])
            words = many.inputs["words"]
            for i in range(n):
                assert bag(Bags(words.values[k], words.offsets[k]), i) == bag(one.inputs["words"], i)


def test_rows_of_words_are_the_same_by_scipy_and_by_torch() -> None:
    data, _ = rows()
    words = Ragged(data.inputs["words"], 7)
    picked = torch.tensor([4, 0, 9, 9, 22, 5])
    by_scipy = words._take(picked, picked)
    words.rows, words.lengths = None, LENGTHS
    for a, b in zip(by_scipy, words._take(picked, picked), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("stored", [torch.uint16, torch.int32, torch.int64])
@pytest.mark.parametrize("members", [1, 2])
def test_tokens_reach_the_model_as_int64_and_values_as_floats(stored: torch.dtype, members: int) -> None:
    tokens = (torch.arange(N * 3).reshape(N, 3) * 900).to(stored)  # up to 61,200: more than int16 holds
    numbers = torch.arange(N).to(stored if stored != torch.uint16 else torch.int32)
    spec = DataSpec(
        {"text": InputSpec((3,), "tokens", vocabulary=62_000), "number": InputSpec(())},
        {"label": TargetSpec("multiclass", classes=N)},
    )
    data = to_device(Rows({"text": tokens, "number": numbers}, {"label": torch.arange(N)}), torch.device("cpu"))
    made = Loader(data, spec, [np.arange(N)[k:] for k in range(members)], 4, torch.float64, [1] * members)
    for batch, _ in made.epoch(1):
        labels = batch.targets["label"]
        assert batch.inputs["text"].dtype == torch.int64
        assert torch.equal(batch.inputs["text"], (labels[..., None] * 3 + torch.arange(3)) * 900)
        assert batch.inputs["number"].dtype == torch.float64
        assert torch.equal(batch.inputs["number"], labels.double())


def test_equal_tokens_are_equal_rows_and_their_order_counts() -> None:
    text = torch.tensor([[1, 2, 3], [3, 2, 1], [1, 2, 3]], dtype=torch.uint16)
    question = torch.tensor([[4], [4], [4]], dtype=torch.int32)
    found = identify(Rows({"text": text, "question": question}, {}), None).train
    assert found[0] == found[2] != found[1]
    question[2] = 5
    assert len(set(identify(Rows({"text": text, "question": question}, {}), None).train.tolist())) == 3


def test_of_tokens_baselines_read_how_often_each_occurs() -> None:
    def some(tokens: list[list[int]]) -> Rows:
        return Rows({"text": torch.tensor(tokens, dtype=torch.uint16), "x": torch.tensor([[1.0]] * len(tokens))}, {})

    train, scored = matrices(some([[1, 1, 3], [0, 0, 2]]), some([[5, 3, 5]]))
    assert train.toarray().tolist() == [[0, 2, 0, 1, 0, 0, 0], [2, 0, 1, 0, 0, 0, 0]]
    assert scored.toarray().tolist() == [[0, 0, 0, 1, 0, 2, 0]]
