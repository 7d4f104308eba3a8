"""Where the data sets live: a folder of the user's, the user's cache, or the network, in that order.

`load_mnist` and `load_fashion_mnist` give the real data or raise. `load_digits` is what a demo calls: the real data
where they can be had, else digits drawn by code (`minigrad.data.digits`), so that it runs on a bare machine.

Each file is known by its SHA-256, which is checked before the file is used, wherever it came from. A mirror that
answers with anything else is passed over for the next one.
"""

import functools
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from minigrad.data.digits import synthetic_digits
from minigrad.data.files import open_regular
from minigrad.data.idx import read_idx
from minigrad.errors import DataError

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 15  # seconds without a byte
SLOWEST = 20_000  # bytes a second on average: a server that trickles must not hold a demo for hours
ROUNDS = 2  # how often every mirror is tried


class Unavailable(DataError):
    """A data set that is not on this machine and could not be downloaded."""


@dataclass(frozen=True)
class FileSet:
    """The files of a data set: the folder they live in, a digest and a size for each, and where to download them.

    Attributes:
        title: the name for messages.
        folder: the name of the folder, in MINIGRAD_DATA and in the user's cache.
        files: name of the file -> (SHA-256 in hexadecimal, bytes).
        mirrors: addresses that a file's name is appended to.
    """

    title: str
    folder: str
    files: dict
    mirrors: tuple


MNIST = FileSet(
    title="MNIST",
    folder="mnist",
    files={
        "train-images-idx3-ubyte.gz": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
        "train-labels-idx1-ubyte.gz": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        "t10k-images-idx3-ubyte.gz": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
        "t10k-labels-idx1-ubyte.gz": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
FASHION_MNIST = FileSet(
    title="Fashion-MNIST",
    folder="fashion-mnist",
    files={
        "train-images-idx3-ubyte.gz": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
        "train-labels-idx1-ubyte.gz": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
        "t10k-images-idx3-ubyte.gz": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
        "t10k-labels-idx1-ubyte.gz": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
    },
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)


def load_mnist(split="train"):
    """MNIST: handwritten digits (LeCun, Cortes, Burges), downloaded on first use.

    Args:
        split: "train" (60,000 images) or "test" (10,000).

    Returns:
        (images, labels): uint8 N×28×28, white on black, and uint8 N.

    Raises:
        Unavailable: the files are not here and cannot be downloaded.
        DataError: a file that is here is damaged.
    """
    return _load(MNIST, split)


def load_fashion_mnist(split="train"):
    """Fashion-MNIST: articles of clothing (Zalando Research); as `load_mnist` in every way.

    Labels: 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle boot.
    """
    return _load(FASHION_MNIST, split)


def load_digits(name="auto", split="train", *, log=print):
    """The data set of a demo on 28×28 images: MNIST if it is to be had, else digits drawn by code.

    Args:
        name: "auto"; or, to insist on one, "mnist", "fashion" or "synthetic".
        split: "train" (60,000 images) or "test" (10,000).
        log: called with one line when "auto" has to make do with the synthetic digits.

    Returns:
        (images, labels, provenance): uint8 N×28×28, uint8 N, and a line that says what they are.

    Raises:
        Unavailable: the set that was insisted on is not here and cannot be downloaded.
        DataError: a file that is here is damaged, which "auto" does not pass over in silence either.
    """
    if name not in ("auto", "mnist", "fashion", "synthetic"):
        raise ValueError(f"no digits named {name!r}; choose auto, mnist, fashion or synthetic")
    if name == "fashion":
        return *load_fashion_mnist(split), f"Fashion-MNIST, {split} split"
    if name != "synthetic":
        try:
            return *load_mnist(split), f"MNIST, {split} split"
        except Unavailable as error:
            if name == "mnist":
                raise
            log(f"Using synthetic digits, because MNIST is not to be had. {error}")
    seed, count = {"train": (0, 60_000), "test": (1, 10_000)}[_known(split)]
    return *synthetic_digits(count, seed), f"synthetic digits drawn by code, {split} split (seed {seed})"


def cache_folder():
    """Where downloads, and what took time to make, are kept: $MINIGRAD_CACHE, or the user's cache."""
    import pooch

    return Path(os.environ.get("MINIGRAD_CACHE") or pooch.os_cache("minigrad"))


def locate(dataset, *, download=True):
    """Find the files of a data set, check their digests, and download those that are missing into the user's cache.

    $MINIGRAD_DATA/<folder> comes first, then <folder> in `cache_folder()`.

    Args:
        dataset: `MNIST`, `FASHION_MNIST`, or a `FileSet` of one's own.
        download: whether to try the network.

    Returns:
        A dict from each file's name to its path.

    Raises:
        Unavailable: a file is not here and could not be downloaded. The message says what was tried and what to do.
        DataError: a file that is here does not have its digest.
    """
    cache = cache_folder() / dataset.folder
    folders = [cache]
    if os.environ.get("MINIGRAD_DATA"):
        folders.insert(0, Path(os.environ["MINIGRAD_DATA"]) / dataset.folder)
    paths = {}
    for name, (digest, _) in dataset.files.items():
        path = next((folder / name for folder in folders if os.path.exists(folder / name)), None)
        if path is None:
            tried = [f"not in {folder}" for folder in folders]
            if download:
                path = _download(dataset, name, cache, tried)
            if path is None:
                raise Unavailable(f"{dataset.title}: {name}: {'; '.join(tried)}. Put the files of {dataset.title} into "
                                  f"a folder {dataset.folder}/ and set MINIGRAD_DATA to the folder that holds it")
        found = _digest(path, *_version(path))
        if found != digest:
            raise DataError(f"{path}: is damaged: its SHA-256 is {found}, that of {dataset.title} is {digest}; "
                            "delete the file, and it is fetched again")
        paths[name] = path
    return paths


def _load(dataset, split):
    prefix = {"train": "train", "test": "t10k"}[_known(split)]
    paths = locate(dataset)
    return read_idx(paths[f"{prefix}-images-idx3-ubyte.gz"]), read_idx(paths[f"{prefix}-labels-idx1-ubyte.gz"])


def _known(split):
    if split not in ("train", "test"):
        raise ValueError(f"no split named {split!r}; choose train or test")
    return split


def _version(path):
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


@functools.cache
def _digest(path, mtime, size):
    """The SHA-256 of a file, worked out once a process for each version of it."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); make it readable, or delete it") from error


def _download(dataset, name, cache, tried):
    """Download one file into the cache from the first mirror that has it; the path, or None.

    What became of each attempt is appended to `tried`. pooch downloads under a temporary name, checks the digest and
    only then renames: processes that do this at once never see, and never leave, a file that is not whole.
    """
    import pooch
    import requests
    import urllib3

    digest, size = dataset.files[name]
    mirrors = list(dataset.mirrors)
    for _ in range(ROUNDS):
        for mirror in list(mirrors):
            try:
                cache.mkdir(parents=True, exist_ok=True)
                return Path(pooch.retrieve(mirror + name, f"sha256:{digest}", name, cache, downloader=_Exactly(size)))
            except requests.ConnectionError as error:
                mirrors.remove(mirror)  # one that cannot be reached now is not worth a second wait
                tried.append(f"{mirror} cannot be reached ({_reason(error)})")
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                tried.append(f"{mirror} failed ({_reason(error)})")
    return None


def _reason(error):
    """The innermost cause of a network error, on one short line: requests wraps it three deep."""
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    text = " ".join(str(getattr(error, "reason", None) or error).split())
    text = text.rpartition("): ")[2]  # urllib3 puts the connection object before the words
    return text if len(text) <= 80 else text[:77] + "..."


class _Exactly:
    """A downloader for pooch that takes a body of exactly `size` bytes and refuses every other answer early."""

    def __init__(self, size):
        self.size = size

    def __call__(self, url, output_file, pooch):
        with open(output_file, "wb") as file:
            have = sum(file.write(part) for part in _body(url, self.size))
        if have != self.size:
            raise ValueError(f"it sent {have:,} bytes{'' if have < self.size else ' and more'}, not {self.size:,}")


def downloaded(url, most):
    """What is at an address, `most` bytes or fewer, as bytes. Unavailable where it cannot be had."""
    import requests
    import urllib3

    try:
        content = b"".join(_body(url, most))
        if len(content) > most:
            raise ValueError(f"it sends more than {most:,} bytes")
        return content
    except requests.ConnectionError as error:
        raise Unavailable(f"{url}: cannot be reached ({_reason(error)}); check the address and the network") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Unavailable(f"{url}: failed ({_reason(error)}); check the address") from None


def _body(url, most):
    """The body of an answer, part by part, until there are more than `most` bytes of it."""
    import requests

    deadline = time.monotonic() + READ_TIMEOUT + most / SLOWEST
    # A file that ends in .gz is to arrive as it is, not decompressed in transit.
    asked = requests.get(url, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                         headers={"Accept-Encoding": "identity"})
    with asked as response:
        response.raise_for_status()
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise ValueError("it leads to an address without encryption")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise ValueError("it answers with a web page, not with the file")
        have = 0
        while have <= most and (part := response.raw.read1(2**16, decode_content=False)):
            have += len(part)
            yield part
            if time.monotonic() > deadline:
                raise ValueError(f"slower than {SLOWEST:,} bytes a second")
