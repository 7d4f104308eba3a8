"""Downloads against a server of the test's own that fails in every way a mirror can: a bad file is never kept."""

import gzip
import hashlib
import http.server
import os
import socket
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigrad.data import download
from minigrad.data.download import FASHION_MNIST, MNIST, FileSet, Unavailable, load_digits, locate
from minigrad.data.idx import read_idx
from minigrad.errors import DataError

BODY = gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 5000) + np.random.default_rng(0).bytes(5000), mtime=0)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves BODY at /good/NAME, and a fault at /fault/NAME."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        manner = self.path.split("/")[1]
        self.server.asked.append(manner)
        try:
            getattr(self, manner)()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has seen enough
        self.close_connection = True

    def answer(self, body, status=200, declared=None, kind="application/gzip", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if declared is not False:
            self.send_header("Content-Length", str(len(body) if declared is None else declared))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.answer(BODY)

    def good_without_a_length(self):
        self.answer(BODY, declared=False)

    def good_but_called_encoded(self):
        self.answer(BODY, Content_Encoding="gzip")

    def error_404(self):
        self.answer(b"no such file", 404)

    def error_500(self):
        self.answer(b"it broke", 500)

    def html(self):
        self.answer(b"<html>Please log in to this network</html>", kind="text/html; charset=utf-8")

    def short(self):
        self.answer(BODY[:-100])

    def cut_off(self):
        self.answer(BODY[:-100], declared=len(BODY))

    def cut_off_without_a_length(self):
        self.answer(BODY[:-100], declared=False)

    def too_long(self):
        self.answer(BODY + b"more")

    def endless(self):
        self.answer(BODY, declared=2**40)
        while True:
            self.wfile.write(bytes(2**16))

    def wrong(self):
        self.answer(BODY[::-1])

    def reset(self):
        self.answer(BODY[:1000], declared=len(BODY))
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def silent(self):
        self.answer(BODY[:1000], declared=len(BODY))
        self.wfile.flush()
        self.server.over.wait(5)

    def trickling(self):
        self.answer(b"", declared=len(BODY))
        while not self.server.over.wait(0.05):
            self.wfile.write(b"x")

    def around(self):
        self.answer(b"", 302, Location=self.path)

    def log_message(self, *_):
        pass


FAULTS = [name for name, value in vars(Mirror).items()
          if callable(value) and not name.startswith(("good", "do_", "answer", "log_", "_"))]


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """A cache in the test's own folder, no data folder, short timeouts, no proxy between us and the server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    for name in ("MINIGRAD_DATA", "MINIGRAD_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.3)


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.asked, server.over = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dataset(server):
    """A function from the manners of mirrors to a data set of one file that they serve."""
    return lambda *manners: FileSet("Tests", "tests", {"a.gz": (DIGEST, len(BODY))},
                                    tuple(f"http://127.0.0.1:{server.server_port}/{manner}/" for manner in manners))


@pytest.fixture
def kept(tmp_path):
    """A function that lists what is in the cache."""
    return lambda: sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize("manner", ["good", "good_without_a_length", "good_but_called_encoded"])
def test_a_missing_file_is_downloaded_once(dataset, server, kept, manner):
    for _ in range(2):
        paths = locate(dataset(manner))
        assert paths["a.gz"].read_bytes() == BODY and len(read_idx(paths["a.gz"])) == 5000
    assert server.asked == [manner] and kept() == ["a.gz"]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_mirror_is_used_when_one_fails(dataset, server, kept, fault):
    assert locate(dataset(fault, "good"))["a.gz"].read_bytes() == BODY
    assert server.asked[0] == fault and server.asked[-1] == "good" and kept() == ["a.gz"]


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_kept_when_every_mirror_fails(dataset, server, kept, fault):
    with pytest.raises(Unavailable) as caught:
        locate(dataset(fault))
    message = str(caught.value)
    assert f"/{fault}/ failed" in message or f"/{fault}/ cannot be reached" in message
    assert "MINIGRAD_DATA" in message and "\n" not in message
    assert kept() == [] and 1 <= len(server.asked) <= 70  # a redirection may go round 30 times in each attempt


def test_a_web_page_is_called_by_its_name(dataset):
    with pytest.raises(Unavailable, match="a web page"):
        locate(dataset("html"))


def test_a_trickle_is_cut_off_by_its_deadline(dataset, monkeypatch):
    monkeypatch.setattr(download, "SLOWEST", 10**9)
    with pytest.raises(Unavailable, match="slower than"):  # it would go on for ever
        locate(dataset("trickling"))


def test_an_endless_body_is_not_taken_in(dataset, monkeypatch):
    taken = []
    retrieve = download._Exactly.__call__

    def spy(self, url, output_file, pooch):
        try:
            retrieve(self, url, output_file, pooch)
        finally:
            taken.append(os.path.getsize(output_file))

    monkeypatch.setattr(download._Exactly, "__call__", spy)
    with pytest.raises(Unavailable, match="and more"):
        locate(dataset("endless"))
    assert max(taken) <= len(BODY) + 2**16


def test_offline_says_what_was_tried_and_what_to_do(kept):
    with socket.socket() as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(Unavailable, match="cannot be reached.*refused") as caught:
            locate(FileSet("Tests", "tests", {"a.gz": (DIGEST, len(BODY))}, (mirror,)))
    assert str(caught.value).count(mirror) == 1 and kept() == []


def test_no_download_when_told_so(dataset, server):
    with pytest.raises(Unavailable, match="not in"):
        locate(dataset("good"), download=False)
    assert server.asked == []


def test_a_cache_that_cannot_be_written_is_said(dataset, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="cache"):
        locate(dataset("good"))


def test_the_data_folder_comes_before_the_cache(dataset, server, tmp_path, monkeypatch):
    locate(dataset("good"))
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "data"))
    assert locate(dataset("good"))["a.gz"].parent == tmp_path / "cache/minigrad/tests"
    (tmp_path / "data/tests").mkdir(parents=True)
    (tmp_path / "data/tests/a.gz").write_bytes(BODY)
    assert locate(dataset("good"))["a.gz"].parent == tmp_path / "data/tests"
    assert len(server.asked) == 1


@pytest.mark.parametrize("where", ["cache", "data"])
def test_a_damaged_file_is_named_and_not_used(dataset, server, tmp_path, monkeypatch, where):
    folder = {"cache": tmp_path / "cache/minigrad/tests", "data": tmp_path / "data/tests"}[where]
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "data"))
    folder.mkdir(parents=True)
    (folder / "a.gz").write_bytes(BODY)
    assert locate(dataset("good"))["a.gz"] == folder / "a.gz"
    (folder / "a.gz").write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=f"a.gz: is damaged.*{DIGEST}.*delete the file") as caught:
        locate(dataset("good"))
    assert not isinstance(caught.value, Unavailable) and server.asked == []


def test_the_cache_can_be_put_elsewhere(dataset, server, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "elsewhere"))
    assert locate(dataset("good"))["a.gz"] == tmp_path / "elsewhere/tests/a.gz"
    assert not (tmp_path / "cache").exists()


def test_a_digest_is_worked_out_once(dataset, monkeypatch):
    locate(dataset("good"))
    monkeypatch.setattr(download, "open_regular", None)  # a second reading would fail
    locate(dataset("good"))


def test_four_processes_at_once_leave_one_good_file(dataset, server, kept, tmp_path):
    child = """
import pathlib, sys, pooch
pooch.os_cache = lambda project: pathlib.Path(sys.argv[1]) / project
from minigrad.data.download import FileSet, locate
found = locate(FileSet("Tests", "tests", {"a.gz": (sys.argv[2], int(sys.argv[3]))}, tuple(sys.argv[4:])))
sys.stdout.buffer.write(found["a.gz"].read_bytes())
"""
    mirrors = dataset("wrong", "good").mirrors
    command = [sys.executable, "-c", child, tmp_path / "cache", DIGEST, str(len(BODY)), *mirrors]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for _ in range(4)]
    for process in running:
        output, errors = process.communicate(timeout=600)
        assert output == BODY, errors.decode()
    assert kept() == ["a.gz"]


def test_auto_says_plainly_why_it_uses_synthetic_digits(monkeypatch):
    monkeypatch.setattr(download, "MNIST", FileSet("MNIST", "mnist", MNIST.files, ()))
    said = []
    images, labels, provenance = load_digits("auto", "test", log=said.append)
    assert images.shape == (10_000, 28, 28) and labels.shape == (10_000,)
    assert "synthetic" in provenance and len(said) == 1 and "synthetic" in said[0] and "\n" not in said[0]
    with pytest.raises(Unavailable, match="MNIST"):
        load_digits("mnist")


def test_auto_does_not_pass_over_a_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/train-images-idx3-ubyte.gz").write_bytes(b"not MNIST")
    with pytest.raises(DataError, match="is damaged"):
        load_digits("auto")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'mnsit'; choose auto"):
        load_digits("mnsit")
    with pytest.raises(ValueError, match="'val'; choose train or test"):
        load_digits("synthetic", "val")


REAL = os.environ.get("MINIGRAD_DATA")  # read before the fixture hides it


@pytest.mark.skipif(not REAL, reason="MINIGRAD_DATA is not set: no real data")
@pytest.mark.parametrize("dataset, name", [(MNIST, "mnist"), (FASHION_MNIST, "fashion")], ids=["mnist", "fashion"])
def test_the_published_digests_are_those_of_the_real_files(dataset, name, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", REAL)
    for file, path in locate(dataset, download=False).items():
        assert path.stat().st_size == dataset.files[file][1]
    for split, count in (("train", 60_000), ("test", 10_000)):
        images, labels, provenance = load_digits(name, split)
        assert images.shape == (count, 28, 28) and labels.shape == (count,) and dataset.title in provenance
