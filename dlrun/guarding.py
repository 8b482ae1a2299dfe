"""Ways of fooling oneself, looked for between reading the data and training (book 4.2.2, 4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from dlrun import registry
from dlrun.assembly import Parts
from dlrun.config import RunConfig
from dlrun.contracts import Data, Guard, Split
from dlrun.guards._identity import Identities, identify


@dataclass(frozen=True)
class Context:
    """What a guard may look at. splits: index arrays into `data.train`."""

    config: RunConfig
    parts: Parts
    data: Data
    splits: list[Split]

    @property
    def runs_dir(self) -> Path:
        """Where earlier runs lie."""
        return Path(self.config.runs_dir)

    @property
    def identities(self) -> Identities:
        """Equal input rows have equal numbers; made once for all guards, and all runs on the same data."""
        if self.data not in _identities:
            _identities[self.data] = identify(self.data.train, self.data.test)
        return _identities[self.data]


_identities: WeakKeyDictionary[Data, Identities] = WeakKeyDictionary()


def findings(context: Context) -> dict[str, list[str]]:
    """What each guard that is not acknowledged has to say, by its name; those with nothing to say left out."""
    found = {}
    for name, args in context.config.guards.items():
        if name in context.config.acknowledge:
            continue
        guard: Guard = registry.load("guards", name)(**args)
        said = guard.check(context)
        if said:
            found[name] = said
    return found
