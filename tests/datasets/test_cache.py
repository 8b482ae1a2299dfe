from __future__ import annotations

import logging

import pytest
import torch

from dlrun.datasets._cache import encoded


def make_with(calls: list[int]):
    def make() -> dict[str, torch.Tensor]:
        calls.append(1)
        return {"a": torch.arange(5), "b": torch.zeros(2, 3, dtype=torch.uint8)}

    return make


def test_a_second_start_reads_what_the_first_made(cache):
    calls: list[int] = []
    for _ in range(2):
        tensors = encoded("toy", {"num_words": 5}, make_with(calls))
        assert set(tensors) == {"a", "b"}
        assert torch.equal(tensors["a"], torch.arange(5))
        assert tensors["b"].dtype == torch.uint8
    assert len(calls) == 1
    encoded("toy", {"num_words": 6}, make_with(calls))
    assert len(calls) == 2
    assert len(list((cache / "toy").iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: b"", lambda c: b"x" * len(c)])
def test_an_unreadable_file_is_made_again(cache, caplog, damage):
    calls: list[int] = []
    encoded("toy", {}, make_with(calls))
    (path,) = (cache / "toy").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING, "dlrun"):
        assert torch.equal(encoded("toy", {}, make_with(calls))["a"], torch.arange(5))
    assert len(calls) == 2
    assert "can't be read" in caplog.text
    encoded("toy", {}, make_with(calls))
    assert len(calls) == 2


def test_a_cache_that_can_not_be_written_costs_time_only(cache, caplog):
    cache.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, "dlrun"):
        assert torch.equal(encoded("toy", {}, make_with([]))["a"], torch.arange(5))
    assert "can't be written" in caplog.text
