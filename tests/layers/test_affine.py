"""`affine` is `addmm`, by whichever library: values, gradients, gradients of gradients, and in a stack."""

import pytest
import torch

from dlrun.layers import _affine
from dlrun.layers._affine import affine

SIZES = [(1, 3, 2), (7, 30, 5), (128, 784, 64), (300, 150, 100)]


def tensors(rows, width, units, dtype=torch.float32):
    generator = torch.Generator().manual_seed(rows)
    shapes = ((rows, width), (width, units), (units,))
    return [torch.randn(s, generator=generator, dtype=dtype).requires_grad_() for s in shapes]


@pytest.fixture(params=[0, 10**12], ids=["onednn", "torch"])
def _library(request, monkeypatch):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(_affine, "LARGE", request.param)


@pytest.mark.usefixtures("_library")
class TestBothLibraries:
    @pytest.mark.parametrize("size", SIZES)
    def test_values_and_gradients_are_those_of_float64(self, size):
        ours, exact = tensors(*size), [t.detach().double().requires_grad_() for t in tensors(*size)]
        (affine(*ours) ** 2).sum().backward()
        (torch.addmm(exact[2], exact[0], exact[1]) ** 2).sum().backward()
        for a, b in zip(ours, exact, strict=True):
            torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-4, atol=1e-4 * float(b.grad.abs().max()))

    def test_only_the_gradients_that_are_wanted(self):
        x, kernel, bias = tensors(8, 4, 3)
        x = x.detach()
        affine(x, kernel, bias).sum().backward()
        assert x.grad is None
        assert kernel.grad is not None

    def test_gradient_of_a_gradient(self):
        x, kernel, bias = tensors(8, 4, 3)
        (first,) = torch.autograd.grad((affine(x, kernel, bias) ** 2).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), kernel)
        expected_first = 2 * (x @ kernel + bias) @ kernel.t()
        (expected,) = torch.autograd.grad((expected_first**2).sum(), kernel)
        torch.testing.assert_close(second, expected, rtol=1e-4, atol=1e-3)

    def test_a_stack_equals_its_members(self):
        members = [tensors(8, 4, 3), tensors(8, 4, 3)]
        stacked = [torch.stack(parts).detach().requires_grad_() for parts in zip(*members, strict=True)]
        output = torch.vmap(affine)(*stacked)
        (output**2).sum().backward()
        for k, member in enumerate(members):
            expected = affine(*member)
            torch.testing.assert_close(output[k], expected)
            (expected**2).sum().backward()
            for whole, part in zip(stacked, member, strict=True):
                torch.testing.assert_close(whole.grad[k], part.grad)

    def test_what_all_members_of_a_stack_share(self):
        x, kernel, bias = tensors(8, 4, 3)
        kernels = torch.stack([kernel, 2 * kernel])
        output = torch.vmap(affine, in_dims=(None, 0, None))(x, kernels, bias)
        torch.testing.assert_close(output[1], affine(x, 2 * kernel, bias))

    def test_repeats_to_the_bit(self):
        size = tensors(300, 150, 100)
        assert torch.equal(affine(*size), affine(*size))


def test_large_float32_products_go_to_onednn(monkeypatch):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    seen = []
    monkeypatch.setattr(_affine._OneDNN, "apply", lambda *a: seen.append(a) or torch.addmm(a[2], a[0], a[1]))
    affine(*tensors(128, 784, 64))
    assert len(seen) == 1
    affine(*tensors(128, 784, 64, torch.float64))
    affine(*tensors(2, 8, 4))
    assert len(seen) == 1
