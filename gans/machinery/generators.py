"""Generators by name: weights beside a card that tells what they are, in a folder, which may be far away.

NAME.safetensors holds the weights, NAME.json the card: the demo and its options, from which the network is built, the
data, steps, command and figures, what goes in and comes out, the weights' size and SHA-256. index.json lists a folder's
files with theirs, so that the folder can be fetched from any https:// address, and whatever is not what it says is
refused. Only what fits is kept: a card is written last, and read first.
"""

import difflib
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

import gans
from gans.machinery import folder, log, samples
from gans.machinery.commandline import command_of, say
from gans.machinery.pictures import write_atomically
from minigrad import checkpoint
from minigrad.checkpoint import load_safetensors, save_safetensors
from minigrad.data.download import FileSet, cache_folder, downloaded, locate
from minigrad.data.files import alone, open_regular
from minigrad.errors import CheckpointError, DataError, MinigradError

FORMAT, INDEX = 1, "index.json"
PACKAGE = Path(gans.__file__).parent / "hub"
LARGEST = {"card": 2**18, "index": 2**20, "weights": 2**28}  # bytes
FORM = ("seed_shape", "seeds", "classes", "image_shape", "rows", "value_range")  # what `described` says of a generator
KINDS = {"format": int, "name": str, "title": str, "demo": str, "options": dict, "data": str, "steps": int,
         "command": str, "figures": dict, "weights": dict, "versions": dict}
DATA = {"mnist": "MNIST (LeCun, Cortes & Burges)", "fashion": "Fashion-MNIST (Zalando Research)",
        "synthetic": "digits drawn by code", "synthetic-faces": "faces drawn by code",
        "faces": "CelebA (Liu, Luo, Wang & Tang)"}
FIGURES = {"confidence": "mean top probability", "smallest_share": "smallest share", "largest_share": "largest share",
           "frechet": "Frechet distance / noise's", "sliced_wasserstein": "sliced Wasserstein distance",
           "before": "the same before training", "floor": "the same of real pictures"}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
BESIDE = ("python", "numpy", "minigrad", "machine", "device", "command")  # what config.json has beside the options


def own_folder():
    """Where one's own generators are, unless another folder is named."""
    return cache_folder() / "generators"


def load(name, source=None, device="cpu"):
    """The generator of that name, in evaluation mode; `G.card` is its card. See `gans.hub.load`."""
    path = find(name, source)
    card = read_card(path)
    weights = path.with_name(f"{card['name']}.safetensors")
    found, size = digest(weights)
    if (found, size) != (card["weights"].get("sha256"), card["weights"].get("bytes")):
        raise CheckpointError(f"{weights}: is not what its card says: {size:,} bytes of SHA-256 {found[:12]}..., not "
                              f"{card['weights'].get('bytes')} of {str(card['weights'].get('sha256'))[:12]}...; fetch "
                              "both files again")
    try:
        G = samples.built(card["demo"], card["options"], load_safetensors(weights), path, "fetch a newer one")
    except CheckpointError:
        raise
    except (MinigradError, ValueError, TypeError, KeyError, ArithmeticError, MemoryError) as error:
        raise CheckpointError(f"{path}: its options make no generator of gans.{card['demo']} "
                              f"({type(error).__name__}: {str(error)[:80]})") from None
    for what in FORM:
        if plain(getattr(G, what)) != card.get(what):
            raise CheckpointError(f"{path}: says {what} {card.get(what)}, but its weights make a generator with "
                                  f"{plain(getattr(G, what))}; fetch both files again")
    G.card = card
    return G.to(device)


def plain(value):
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value))


def digest(path):
    """(SHA-256 in hexadecimal, bytes) of a file."""
    with open_regular(path) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return found, file.tell()


# Cards


def read_card(path):
    """The card in a file. CheckpointError for anything else."""
    content = text_of(path, LARGEST["card"])
    try:
        card = json.loads(content)
        if not isinstance(card, dict):
            raise TypeError("no object")
        wrong = [name for name, kind in KINDS.items() if not isinstance(card.get(name), kind)
                 or kind is str and not card[name].isprintable()]
        wrong += ["figures" for value in card.get("figures", ()).values() if type(value) not in (int, float)]
        wrong += ["versions" for value in card.get("versions", ()).values() if not str(value).isprintable()]
    except (AttributeError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: is no card of a generator ({type(error).__name__}: "
                              f"{str(error)[:60]})") from None
    if wrong:
        raise CheckpointError(f"{path}: is no card of a generator: its {wrong[0]} is {card.get(wrong[0])!r:.40}")
    if card["format"] != FORMAT or f"{card['name']}.json" != path.name:
        raise CheckpointError(f"{path}: is the card of {card['name']!r:.60} in format {card['format']}; this is for "
                              f"format {FORMAT}, in a file of the generator's name")
    return card


def text_of(path, most):
    """The bytes of a file that has to be small."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DataError(f"{path}: is longer than {most:,} bytes")
    return content


def described(card):
    """A card in words, as Markdown."""
    shape = "x".join(map(str, card["image_shape"])) if card["image_shape"] else "no image"
    rows = [("data", card["data"]), ("trained", f"{card['steps']:,} steps, `{card['command']}`"),
            ("takes", f"{card['seeds']} noise {tuple(card['seed_shape'])}"
             + (f" and one-hot labels ({card['classes']},)" if card["classes"] else "")),
            ("gives", f"{shape}, from {card['value_range'][0]:g} (black) to {card['value_range'][1]:g} (white)"),
            *((FIGURES.get(name, name), f"{value:.4g}") for name, value in card["figures"].items()),
            ("weights", f"{card['weights']['bytes']:,} bytes, SHA-256 {card['weights']['sha256']}"),
            ("made by", ", ".join(f"{name} {version}" for name, version in card["versions"].items()))]
    return "\n".join([f"# {card['name']}", "", card["title"], "", "| | |", "| --- | --- |",
                      *(f"| {name} | {value} |" for name, value in rows)])


# Folders and addresses


def named(name):
    """The name, if it can be one."""
    if not _NAME.fullmatch(name):
        there = "; gans.load loads a run's" if Path(name).exists() else ""
        raise MinigradError(f"{name!r}: is no name of a generator, which has small letters, digits, '.', '-' and '_'"
                            f"{there}; python -m gans.hub list shows those there are")
    return name


def find(name, source=None):
    """The path of a generator's card: in the package, in one's own folder; or in the folder or at the address named."""
    named(name)
    if source is not None and "://" in str(source):
        return fetch(name, str(source))
    folders = [PACKAGE, own_folder()] if source is None else [existing(source)]
    for place in folders:
        if (place / f"{name}.json").is_file():
            return place / f"{name}.json"
    raise unknown(name, [card for place in folders for card in names(place)], source)


def unknown(name, there, source=None):
    """The error for a name that is not among those that are there."""
    near = difflib.get_close_matches(name, there, 1)
    meant = f"did you mean {near[0]}?" if near else f"there {'is' if len(there) == 1 else 'are'} " + (
        ", ".join(there) or "none")
    where = "known" if source is None else f"in {source}"
    return MinigradError(f"{name}: no generator of that name is {where}; {meant}")


def existing(source):
    """The folder, if it is one with generators."""
    place = Path(source)
    if not place.is_dir():
        raise MinigradError(f"--from {source}: there is no such folder; name one with generators, or an https:// "
                            "address")
    if folder.has_checkpoint(place) or not names(place):
        what = ("it is a run: python -m gans.hub add makes a generator of it" if folder.has_checkpoint(place) else
                "name another folder")
        raise MinigradError(f"--from {source}: there are no generators in it; {what}")
    return place


def names(place):
    """The names of the generators in a folder."""
    return sorted(path.stem for path in place.glob("*.json") if path.name != INDEX and _NAME.fullmatch(path.stem))


def listed(source=None):
    """{name: (title, bytes)} of the generators that there are."""
    if source is not None and "://" in str(source):
        return {name: (entry["title"], sum(size for _, size in entry["files"].values()))
                for name, entry in read_index(str(source)).items()}
    cards = {}
    for place in [PACKAGE, own_folder()] if source is None else [existing(source)]:
        for name in names(place):
            if name not in cards:
                card = read_card(place / f"{name}.json")
                cards[name] = card["title"], card["weights"].get("bytes", 0)
    return cards


def read_index(address):
    """The index at an address: {name: {"title": text, "files": {file: (SHA-256, bytes)}}}.

    DataError where the host is away, or answers with something else.
    """
    url = urlsplit(address)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost"):
        raise DataError(f"{address}: has to begin with https://, so that nobody on the way can change it")
    content = downloaded(address, LARGEST["index"])
    try:
        index = json.loads(content)
        if index["format"] != FORMAT:
            raise ValueError(f"format {index['format']!r:.20}, not {FORMAT}")
        for name, entry in index["generators"].items():
            if not _NAME.fullmatch(name) or entry["files"].keys() != {f"{name}.json", f"{name}.safetensors"}:
                raise ValueError(f"the files of {name!r:.60}")
            entry["title"] = str(entry["title"])[:200]
            for file, (sha256, size) in entry["files"].items():
                most = LARGEST["card" if file.endswith(".json") else "weights"]
                if not _DIGEST.fullmatch(sha256) or type(size) is not int or not 0 < size <= most:
                    raise ValueError(f"the digest or size of {file!r:.60}")
        return index["generators"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{address}: is no index of generators ({type(error).__name__}: {str(error)[:80]})") from None


def fetch(name, address):
    """The path of the card of a generator at the address of an index; what was fetched before is in the cache."""
    place = f"generators/from-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
    path = cache_folder() / place / f"{name}.json"
    if path.is_file():
        return path
    index = read_index(address)
    if name not in index:
        raise unknown(name, sorted(index), address)
    files = dict(sorted(index[name]["files"].items(), reverse=True))  # the card last
    found = locate(FileSet(f"the generator {name}", place, files, (address.rpartition("/")[0] + "/",)))
    return found[path.name]


# Publishing


def add(run, name=None, place=None, title=None):
    """Put the generator of a run into a folder, one's own by default, with a card; returns the card's path.

    CheckpointError where `run` is no run of a demo; MinigradError where the name is taken.
    """
    config = folder.read(run)
    name = named(name or re.sub(r"[^a-z0-9._-]+", "-", Path(run).resolve().name.lower()).strip("-._"))
    place = own_folder() if place is None else Path(place)
    G = samples.of_noise(samples.load(run), run)
    place.mkdir(parents=True, exist_ok=True)
    path, weights = place / f"{name}.json", place / f"{name}.safetensors"
    with alone(place, say):
        if path.exists() or place == own_folder() and (PACKAGE / path.name).exists():
            raise MinigradError(f"{name}: there is a generator of that name in "
                                f"{place if path.exists() else 'the package'}; --name gives this one another")
        save_safetensors(weights, G.state_dict())
        try:
            card = card_of(G, run, config, name, title, weights)
            write_json(path, card)
            write_index(place)
        except BaseException:
            path.unlink(missing_ok=True)
            weights.unlink(missing_ok=True)
            raise
    return path


def card_of(G, run, config, name, title, weights):
    """What is known of the generator of a run."""
    sha256, size = digest(weights)
    options = {key: value for key, value in config.items() if key not in BESIDE}
    if options.get("data") not in (None, *DATA):
        options["data"] = Path(options["data"]).name  # of one's own folder, where it lies is nobody's business
    steps = checkpoint.load(Path(run) / "checkpoint", log=say).step
    figures = [row["measure"] for row in log.found(run) if "measure" in row]
    data = DATA.get(options.get("data"), options.get("data") or "made by the demo")
    versions = {key: config[key] for key in ("minigrad", "numpy", "python") if key in config}
    return {"format": FORMAT, "name": name, "title": title or f"{data}, by gans.{config['demo']}",
            "demo": config["demo"], "options": options, "data": data, "steps": steps,
            "command": command_of(config, options),
            "figures": figures[-1] if figures else {}, **{what: plain(getattr(G, what)) for what in FORM},
            "weights": {"bytes": size, "sha256": sha256}, "versions": versions}


def write_json(path, value):
    """Replace a JSON file whole."""
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(value, indent=2) + "\n"))


def write_index(place):
    """index.json of all that is in a folder."""
    entries = {}
    for name in names(place):
        files = {f"{name}.{kind}": digest(place / f"{name}.{kind}") for kind in ("json", "safetensors")}
        entries[name] = {"title": read_card(place / f"{name}.json")["title"], "files": files}
    write_json(place / INDEX, {"format": FORMAT, "generators": entries})


# From one sample to another


def between(start, end, points, seeds="normal"):
    """Noise (points, *shape) on the way from one to the other, the ends as they are.

    Along the arc where the noise is normal, whose length hardly varies; along the straight line where it is not, or
    where both point the same way (Shoemake, "Animating rotation with quaternion curves", 1985).

    >>> between(np.float32([2, 0]), np.float32([0, 2]), 3).round(3).tolist()
    [[2.0, 0.0], [1.4140000343322754, 1.4140000343322754], [0.0, 2.0]]
    """
    share = np.linspace(0, 1, points).reshape(-1, *[1] * start.ndim)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    angle = np.arccos(np.clip((start * end).sum() / (lengths[0] * lengths[1] or np.inf), -1, 1))
    if seeds != "normal" or np.sin(angle) < 1e-3 or 0 in lengths:
        return ((1 - share) * start + share * end).astype(np.float32)
    return ((np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)).astype(np.float32)


def walk(G, rows=8, points=9, seed=1337):
    """uint8 samples (rows * points, ...) on ways from one seed to another, a way a row; with classes, of one a row."""
    if not isinstance(G.seeds, str) or G.image_shape is None:
        raise MinigradError("walk: this generator is always fed the same number, or makes no images; take another")
    ends = samples.noise(G, 2 * rows, seed)
    z = np.concatenate([between(ends[2 * k], ends[2 * k + 1], points, G.seeds) for k in range(rows)])
    labels = np.repeat(np.arange(rows) % G.classes, points) if G.classes else None
    return samples.as_images(samples.outputs(G, z, labels), G)
