"""The last value seen: what is to be predicted of a series stays as it is (book 6.3.3, listing 6-35)."""

from __future__ import annotations

from torch import Tensor

from dlrun.contracts import Rows, TargetSpec, Windows


def build() -> Persistence:
    """Says nothing where the target is not a later value of one of the inputs."""
    return Persistence()


class Persistence:
    """See `build`. It reads a value and learns from none, and so counts among the baselines that do not learn."""

    kind = "last value seen"
    reads_inputs = True
    learns = False

    def fits(self, target: TargetSpec) -> bool:
        """Whether it says anything about such a target."""
        return target.channel is not None

    def outputs(self, key: str, target: TargetSpec, train: Rows, scored: Rows, seed: int) -> list[Tensor] | None:
        """The target's channel in the newest row of each window, [N] or, over a horizon, [N, H]."""
        if target.channel is None:
            return None
        source, channel = target.channel
        windows = scored.inputs[source]
        assert isinstance(windows, Windows)
        last = windows.newest()[:, channel]
        return [last.reshape(-1, *(1 for _ in target.shape)).expand(-1, *target.shape)]
