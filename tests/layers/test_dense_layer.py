from __future__ import annotations

import copy

import pytest
import torch
from torch.func import functional_call, stack_module_state

from dlrun.contracts import Bags
from dlrun.layers import dense
from dlrun.layers._embedding_sum import _sorted, _transposed, embedding_sum
from dlrun.layers._spec import TensorSpec

V, U = 40, 3


def draw(rows: int, padding: int = 0, dtype=torch.int64, empty: bool = True) -> tuple[Bags, torch.Tensor]:
    """Bags with rows of 0 to 9 words, and the same as a 0/1 matrix [rows, V]."""
    words = [torch.randperm(V)[: torch.randint(0 if empty else 1, 10, ()).item()] for _ in range(rows)]
    if empty:
        words[0] = words[-1] = words[0][:0]
    matrix = torch.zeros(rows, V, dtype=torch.float64)
    for row, chosen in zip(matrix, words, strict=True):
        row[chosen] = 1.0
    offsets = torch.tensor([0, *(len(w) for w in words)]).cumsum(0)
    return Bags(torch.cat([*words, torch.randint(V, (padding,))]).to(dtype), offsets), matrix


def layer(**arguments):
    built = dense.build(TensorSpec((V,), "multi_hot"), units=U, activation="tanh", **arguments).double()
    torch.nn.init.normal_(built.bias)
    return built


def gradients(module, inputs):
    module.zero_grad()
    out = module(inputs)
    (out * torch.arange(out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    return [out.detach(), *(p.grad for p in module.parameters())]


def test_keras_formula():
    built = dense.build(TensorSpec((4, V)), units=U, activation="relu").double()
    x = torch.randn(2, 4, V, dtype=torch.float64)
    assert built.kernel.shape == (V, U)
    assert built.bias.count_nonzero() == 0
    by_hand = torch.einsum("btv,vu->btu", x, built.kernel) + built.bias
    torch.testing.assert_close(built(x), by_hand.clamp(min=0), rtol=1e-12, atol=1e-12)


def test_penalty_is_of_the_kernel_only_without_one_half():
    built = dense.build(TensorSpec((V,)), units=U, l1=0.1, l2=0.01, kernel_initializer="ones", bias_initializer="ones")
    assert built.penalty().item() == pytest.approx(0.1 * V * U + 0.01 * V * U)
    assert not hasattr(dense.build(TensorSpec((V,)), units=U), "penalty")


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("padding", [0, 7])
def test_bags_equal_the_matrix(padding, dtype):
    torch.manual_seed(padding)
    module = layer()
    bags, matrix = draw(12, padding, dtype)
    for ours, theirs in zip(gradients(module, bags), gradients(module, matrix), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_a_batch_without_any_word_is_the_bias():
    module = layer()
    bags = Bags(torch.empty(0, dtype=torch.int64), torch.zeros(5, dtype=torch.int64))
    out, kernel_grad, _ = gradients(module, bags)
    assert torch.equal(out, torch.tanh(module.bias.detach()).expand(4, U))
    assert kernel_grad.count_nonzero() == 0


def test_a_large_vocabulary_sorts_by_wide_keys():
    values = torch.tensor([70_000, 3, 70_000, 40_000])
    table = torch.zeros(70_001, 2, dtype=torch.float64, requires_grad=True)
    embedding_sum(values, torch.tensor([0, 3]), table).sum().backward()
    assert table.grad[[70_000, 3, 40_000]].tolist() == [[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]]
    assert table.grad.sum() == 8.0


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("shared", ["nothing", "batch", "kernel"])
def test_stack_equals_models_alone(shared, dtype):
    torch.manual_seed(1)
    modules = [layer() for _ in range(4)]
    if shared == "kernel":
        for module in modules:
            module.load_state_dict(modules[0].state_dict())
    batches = [draw(12, dtype=dtype)[0] for _ in modules]
    if shared == "batch":
        batches = [batches[0]] * 4
    longest = max(len(b.values) for b in batches)
    padded = [Bags(torch.cat([b.values, b.values.new_zeros(longest - len(b.values))]), b.offsets) for b in batches]
    shell = copy.deepcopy(modules[0]).to("meta")

    def one(params, bags):
        return functional_call(shell, params, (bags,)).square().mean()

    params, _ = stack_module_state(modules)
    if shared == "kernel":
        params = {name: p[0].detach().requires_grad_() for name, p in params.items()}
    together = padded[0] if shared == "batch" else Bags(*(torch.stack(c) for c in zip(*padded, strict=True)))
    in_dims = (None if shared == "kernel" else 0, None if shared == "batch" else 0)
    losses = torch.vmap(one, in_dims=in_dims)(params, together)
    losses.sum().backward()
    for k, (module, bags) in enumerate(zip(modules, batches, strict=True)):
        module.zero_grad()
        loss = module(bags).square().mean()
        loss.backward()
        torch.testing.assert_close(losses[k], loss, rtol=0, atol=1e-10)
    for name, p in params.items():
        alone = torch.stack([module.get_parameter(name).grad for module in modules])
        alone = alone.sum(0) if shared == "kernel" else alone
        torch.testing.assert_close(p.grad, alone, rtol=0, atol=1e-10)


def test_same_bits_on_repetition_and_with_any_number_of_threads():
    torch.manual_seed(2)
    bags, _ = draw(2000)
    module = layer().float()
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            results.append(gradients(module, bags)[:2])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_operator_is_registered_completely():
    bags, _ = draw(5)
    table = torch.randn(V, U, dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(
        torch.ops.dlrun.bag_sum,
        (bags.values, bags.offsets, table),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


@pytest.mark.slow
def test_compiled_stack_equals_eager():
    torch.manual_seed(3)
    modules = [layer() for _ in range(2)]
    params, _ = stack_module_state(modules)
    shell = copy.deepcopy(modules[0]).to("meta")
    draws = [draw(12, dtype=torch.int32, empty=False)[0] for _ in modules]
    least = min(len(b.values) for b in draws)
    bags = Bags(
        torch.stack([b.values[:least] for b in draws]),
        torch.stack([b.offsets.clamp(max=least) for b in draws]),
    )

    def total(params, bags):
        return torch.vmap(lambda p, b: functional_call(shell, p, (b,)).square().mean())(params, bags).sum()

    total(params, bags).backward()
    eager = {name: p.grad.clone() for name, p in params.items()}
    for p in params.values():
        p.grad = None
    torch.compile(total, fullgraph=True)(params, bags).backward()
    for name, p in params.items():
        torch.testing.assert_close(p.grad, eager[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_the_transpose_by_sorting_is_the_one_by_counting(dtype):
    values = torch.randint(V, (300,), dtype=dtype)
    starts = torch.tensor([0, 0, 17, 200, 200, 300, 300])  # empty bags, the last one too
    counted, sorted_ = _transposed(values, starts, V), _sorted(values, starts, V)
    for one, other in zip(counted, sorted_, strict=True):
        assert torch.equal(one.long(), other.long())
