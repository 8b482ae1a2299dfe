from __future__ import annotations

import pytest
import torch

from dlrun.contracts import Masked
from dlrun.errors import ConfigError
from dlrun.layers import activation, dense, dropout, embedding, masking
from dlrun.layers._spec import TensorSpec

TOKENS = TensorSpec((5,), "tokens", vocabulary=9)


def test_rows_of_the_table_and_their_gradient():
    layer = embedding.build(TOKENS, output_dim=4)
    assert layer.embeddings.shape == (9, 4)
    assert 0.04 < layer.embeddings.abs().max() <= 0.05
    tokens = torch.tensor([[0, 3, 3, 8, 0]])
    out = layer(tokens)
    assert torch.equal(out[0], layer.embeddings[tokens[0]])
    factors = torch.arange(20.0).view(1, 5, 4)
    (out * factors).sum().backward()
    by_hand = torch.zeros(9, 4)
    for token, row in zip(tokens[0].tolist(), factors[0], strict=True):
        by_hand[token] += row
    assert torch.equal(layer.embeddings.grad, by_hand)


def test_the_books_tables():
    for words, width, count in [(10_000, 32, 320_000), (10_000, 8, 80_000), (1_000, 64, 64_000)]:
        layer = embedding.build(TensorSpec((20,), "tokens", vocabulary=words), output_dim=width)
        assert sum(p.numel() for p in layer.parameters()) == count
        assert layer.output == TensorSpec((20, width))


def test_token_zero_is_padding_where_it_is_said():
    layer = embedding.build(TOKENS, output_dim=4, mask_zero=True)
    tokens = torch.tensor([[0, 0, 3, 8, 1]])
    out = layer(tokens)
    assert out.mask.tolist() == [[False, False, True, True, True]]
    assert torch.equal(out.values[0, 0], layer.embeddings[0])


def test_penalty_is_of_the_table():
    layer = embedding.build(TOKENS, output_dim=4, embeddings_initializer="ones", l1=0.1, l2=0.01)
    assert layer.penalty().item() == pytest.approx(0.11 * 36)


@pytest.mark.parametrize(
    ("inputs", "arguments", "message"),
    [
        (TensorSpec((5,)), {}, r"expects tokens, received values of shape \(5,\)"),
        (TensorSpec((5,), "multi_hot"), {}, "can't read a multi-hot input"),
        (TOKENS, {"input_dim": 8}, "input_dim=8, and its tokens are 0 .. 8"),
        (TensorSpec((), "tokens", 9), {"mask_zero": True}, "expects tokens"),
    ],
)
def test_what_does_not_fit_is_said(inputs, arguments, message):
    with pytest.raises(ConfigError, match=message):
        embedding.build(inputs, output_dim=4, **arguments)


def test_masking_finds_steps_of_one_value():
    x = torch.tensor([[[2.0, 2.0], [2.0, 1.0], [0.0, 0.0]]])
    out = masking.build(TensorSpec((3, 2)), mask_value=2.0)(x)
    assert out.mask.tolist() == [[False, True, True]]
    assert out.values.tolist() == [[[0.0, 0.0], [2.0, 1.0], [0.0, 0.0]]]
    with pytest.raises(ConfigError, match="can't read a masked sequence"):
        masking.build(TensorSpec((3, 2), masked=True))
    with pytest.raises(ConfigError, match=r"expects \(steps, channels\)"):
        masking.build(TensorSpec((3,)))


def test_layers_that_pass_a_mask_on():
    inputs = TensorSpec((3, 2), masked=True)
    x = Masked(torch.randn(4, 3, 2), torch.rand(4, 3) > 0.5)
    for layer in (
        dense.build(inputs, units=5, activation="relu"),
        dropout.build(inputs, rate=0.0),
        activation.build(inputs, activation="softmax"),
    ):
        out = layer(x)
        assert layer.output.masked
        assert out.mask is x.mask
        assert torch.equal(out.values, layer(x.values))


def test_dense_reads_no_tokens():
    with pytest.raises(ConfigError, match="layer dense can't read tokens"):
        dense.build(TOKENS, units=3)
