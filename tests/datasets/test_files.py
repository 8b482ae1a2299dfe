from __future__ import annotations

import hashlib
import io
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from dlrun import console
from dlrun.datasets import _files
from dlrun.datasets._files import File, checksum, fetch, read_verified, resolve, written_aside
from dlrun.errors import DataError

CONTENT = bytes(range(256)) * 500
SHA = hashlib.sha256(CONTENT).hexdigest()


def toy(url: str | None = None, sha256: str | tuple[str, ...] = SHA) -> File:
    return File("toy", "a.bin", url, sha256, len(CONTENT))


def put(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "toy" / "a.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def left_over(cache: Path) -> list[Path]:
    return list((cache / "toy").glob(".*.part"))


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
def test_a_folder_serves_as_mirror(cache, tmp_path, monkeypatch, form):
    put(tmp_path / "m")
    monkeypatch.setenv("DLRUN_MIRROR", form.format(tmp_path / "m"))
    assert fetch(toy()) == cache / "toy" / "a.bin"
    assert (cache / "toy" / "a.bin").read_bytes() == CONTENT
    assert checksum(fetch(toy())) == SHA
    assert not left_over(cache)


def test_an_http_address_serves_as_mirror_and_the_cache_afterwards(cache, server, monkeypatch):
    server.content["/data/toy/a.bin"] = CONTENT
    monkeypatch.setenv("DLRUN_MIRROR", f"{server.address}/data/")
    assert fetch(toy()).read_bytes() == CONTENT
    fetch(toy())
    assert server.requests == ["/data/toy/a.bin"]


def test_the_official_address_comes_last(cache, server, tmp_path, monkeypatch):
    server.content["/official.bin"] = CONTENT
    monkeypatch.setenv("DLRUN_MIRROR", f"{tmp_path / 'nothing'}, {put(tmp_path / 'm', b'x').parent.parent}")
    assert fetch(toy(f"{server.address}/official.bin")).read_bytes() == CONTENT


def test_the_next_mirror_is_tried_after_bad_ones(cache, server, tmp_path, monkeypatch):
    put(tmp_path / "wrong", CONTENT[::-1])
    put(tmp_path / "truncated", CONTENT[:99])
    put(tmp_path / "good")
    server.content["/toy/a.bin"] = CONTENT
    server.short.add("/toy/a.bin")
    places = [str(tmp_path / "wrong"), str(tmp_path / "truncated"), server.address, str(tmp_path / "good")]
    monkeypatch.setenv("DLRUN_MIRROR", ",".join(places))
    assert fetch(toy()).read_bytes() == CONTENT
    assert not left_over(cache)


def test_missing_everywhere_tells_each_place_and_what_to_do(cache, server, tmp_path, monkeypatch):
    put(cache, CONTENT[:-1])
    put(tmp_path / "wrong", b"other")
    server.content["/toy/a.bin"] = CONTENT
    server.short.add("/toy/a.bin")
    places = [str(tmp_path / "none"), str(tmp_path / "wrong"), server.address, "http://127.0.0.1:9"]
    monkeypatch.setenv("DLRUN_MIRROR", ",".join(places))
    official = f"{server.address}/official.bin"
    with pytest.raises(DataError) as caught:
        fetch(toy(official))
    lines = str(caught.value).splitlines()
    assert lines[0] == "toy/a.bin can't be had. Tried:"
    received = hashlib.sha256(CONTENT[:-1]).hexdigest()
    assert lines[1] == (
        f"  - cache {cache}/toy/a.bin: expected sha256 {SHA} (128,000 bytes), received {received} (127,999 bytes)"
    )
    assert lines[2] == f"  - mirror {tmp_path}/none/toy/a.bin: no such file"
    assert hashlib.sha256(b"other").hexdigest() in lines[3]
    assert "(5 bytes)" in lines[3]
    assert lines[4].startswith(f"  - mirror {server.address}/toy/a.bin: ")
    assert "IncompleteRead" in lines[4] or "received" in lines[4]
    assert lines[5].startswith("  - mirror http://127.0.0.1:9/toy/a.bin: ConnectionError")
    assert lines[6].startswith(f"  - official {official}: HTTPError: 404")
    assert lines[8] == f"  - fetch {official} (128,000 bytes, sha256 {SHA}) and put it at {cache}/toy/a.bin"
    assert "DLRUN_MIRROR" in lines[9]
    assert "dataset.source=sample" in lines[10]
    assert not left_over(cache)
    assert (cache / "toy" / "a.bin").exists(), "what the user put there is not thrown away"


@pytest.mark.parametrize("damage", [CONTENT[:100], CONTENT[::-1], b""])
def test_a_cached_file_that_changed_is_replaced(cache, tmp_path, monkeypatch, damage):
    put(tmp_path / "m")
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "m"))
    path = fetch(toy())
    path.write_bytes(damage)
    os.utime(path, ns=(1, 1))
    assert fetch(toy()).read_bytes() == CONTENT


def test_a_known_file_is_not_hashed_again(cache, tmp_path, monkeypatch):
    put(cache)  # by hand: hashed once
    fetch(toy())
    monkeypatch.setattr(_files, "_sha256", lambda path: pytest.fail("hashed again"))
    assert fetch(toy()) == cache / "toy" / "a.bin"


def test_a_mark_that_is_not_one_is_ignored(cache):
    path = put(cache)
    fetch(toy())
    for text in ("", "[]", '{"sha256": 1}'):
        (path.parent / ".a.bin.checked").write_text(text)
        assert fetch(toy()) == path


def test_another_pin_hashes_a_known_file_again(cache):
    put(cache)
    fetch(toy())
    with pytest.raises(DataError, match="expected sha256 0000"):
        fetch(toy(sha256="0" * 64))


def test_several_checksums_and_several_files_may_serve(cache, tmp_path, monkeypatch):
    put(tmp_path / "m")
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "m"))
    absent = File("toy", "b.bin", None, "1" * 64, 7)
    path = fetch(absent, toy(sha256=("0" * 64, SHA)))
    assert (path.name, checksum(path)) == ("a.bin", SHA)
    with pytest.raises(DataError, match=r"toy/b\.bin can't be had"):
        fetch(absent)


def test_read_verified_hashes_the_bytes_it_gives(cache):
    path = put(cache)
    assert read_verified(toy()) == CONTENT
    stat = path.stat()
    path.write_bytes(CONTENT[::-1])  # same size, and the old time: only the content tells
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(DataError, match="changed since it was checked"):
        read_verified(toy())


def test_a_folder_that_can_not_be_written_is_reported(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    put(tmp_path / "m")
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "m"))
    with pytest.raises(DataError, match="NotADirectoryError"):
        fetch(toy())


SCRIPT = """
import sys
from dlrun.datasets._files import File, fetch
sys.stdin.readline()
fetch(File("toy", "a.bin", None, sys.argv[1], 0))
"""


def start(cache: Path, mirror: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "DLRUN_DATA": str(cache), "DLRUN_MIRROR": mirror}
    command = [sys.executable, "-c", SCRIPT, SHA]
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def test_processes_that_fetch_at_once_do_not_harm_each_other(cache, server):
    server.content["/toy/a.bin"] = CONTENT
    processes = [start(cache, server.address) for _ in range(3)]
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert fetch(toy()).read_bytes() == CONTENT
    assert not left_over(cache)


def test_a_kill_in_the_middle_leaves_nothing_that_looks_like_the_file(cache, server, tmp_path, monkeypatch):
    server.content["/toy/a.bin"] = CONTENT
    server.hang.add("/toy/a.bin")
    process = start(cache, server.address)
    process.stdin.write(b"go\n")
    process.stdin.flush()
    assert server.half_sent.wait(30)
    process.kill()
    process.communicate()
    assert not (cache / "toy" / "a.bin").exists()
    for part in left_over(cache):  # a later fetch cleans up what is old
        os.utime(part, (time.time() - 2 * _files.STALE,) * 2)
    put(tmp_path / "m")
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "m"))
    assert fetch(toy()).read_bytes() == CONTENT
    assert not left_over(cache)


def test_written_aside_keeps_the_old_file_when_the_block_fails(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")

    def fail_half_way() -> None:
        with written_aside(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert target.read_text() == "old"


def test_auto_is_real_where_the_files_are_and_says_loudly_where_not(cache, caplog):
    with caplog.at_level(logging.WARNING, "dlrun"):
        assert resolve("auto", "toy", lambda: fetch(toy())) == "sample"
    assert "SAMPLE" in caplog.text
    assert "toy/a.bin can't be had" in caplog.text
    caplog.clear()
    put(cache)
    assert resolve("auto", "toy", lambda: fetch(toy())) == "real"
    assert not caplog.records
    assert resolve("sample", "toy", lambda: pytest.fail("no need to look")) == "sample"
    assert resolve("real", "toy", lambda: pytest.fail("load will look")) == "real"


@pytest.mark.parametrize("quiet", [False, True])
def test_the_progress_bar_shows_on_a_terminal_unless_quiet(cache, server, monkeypatch, quiet):
    server.content["/a.bin"] = CONTENT
    monkeypatch.setenv("TERM", "xterm")
    terminal = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=terminal, force_terminal=True))
    monkeypatch.setattr(console.out, "quiet", quiet)  # so that it is put back afterwards
    console.configure(quiet)
    fetch(toy(f"{server.address}/a.bin"))
    assert ("━" in terminal.getvalue()) is not quiet
    assert ("fetched toy/a.bin" in terminal.getvalue()) is not quiet


@pytest.mark.parametrize("pin", ["md5:{}", "{}"])
def test_a_part_of_a_checksum_or_an_md5_pins_as_well(pin, tmp_path, monkeypatch):
    """Where authors publish no more: torchvision's names carry eight digits, Keras's code an MD5."""
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "mirror"))
    there = tmp_path / "mirror" / "toy" / "w.bin"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"weights")
    kind = "md5" if "md5" in pin else "sha256"
    digest = hashlib.new(kind, b"weights").hexdigest()
    file = File("toy", "w.bin", None, pin.format(digest if kind == "md5" else digest[:8]), 7)
    assert fetch(file) == fetch(file) == file.path
    file.path.write_bytes(b"damaged")
    there.write_bytes(b"damaged")
    with pytest.raises(DataError, match=f"expected {kind} {digest[:8]}"):
        fetch(file)
