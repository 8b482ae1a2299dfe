"""Downloads by pooch, with a progress bar by rich on a terminal."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from dlrun import console

TIMEOUT = 10.0  # seconds without an answer: a cluster node without internet should say so soon


def download(url: str, target: Path) -> None:
    """The content of `url` (http or https) in `target`. Raises OSError when it does not arrive whole."""
    import pooch

    if not console.wants_bar():
        pooch.HTTPDownloader(timeout=TIMEOUT)(url, str(target), None)
        return
    with _Bar(url.rsplit("/", 1)[-1]) as bar:
        pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)(url, str(target), None)


class _Bar:
    """What pooch calls while it downloads (tqdm's methods), drawn by rich on stderr."""

    def __init__(self, name: str):
        from rich.markup import escape
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        self.total = 0  # bytes; set by pooch
        self._progress = Progress(*columns, console=console.err, transient=True)
        self._task = self._progress.add_task(escape(name), total=None)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, received: int) -> None:
        """`received` more bytes are here."""
        self._progress.update(self._task, advance=received, total=self.total or None)

    def reset(self) -> None:
        """Back to no bytes; pooch then sets the whole size."""
        self._progress.reset(self._task)

    def close(self) -> None:
        """Pooch is done; the bar goes when its block ends."""
