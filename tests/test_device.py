from __future__ import annotations

import platform
import resource

import pytest
import torch
import torch.nn.functional as F

from dlrun import device


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_updates_meet_no_new_pages():
    """Each takes and frees some 200 MB, which are there from the second or third one on."""
    device.pick("cpu")
    pictures, kernel = torch.rand(16, 3, 150, 150), torch.rand(32, 3, 3, 3, requires_grad=True)

    def new_pages() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        F.conv2d(pictures, kernel).relu().sum().backward()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    first, *_, fifth, sixth = (new_pages() for _ in range(6))
    assert fifth + sixth < first / 10
