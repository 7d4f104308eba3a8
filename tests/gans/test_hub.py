"""Generators by name: those that come with the package, one's own, and those of a folder or an address; refusals."""

import doctest
import functools
import hashlib
import http.server
import importlib
import json
import random
import re
import shlex
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gans
import gans.hub.__main__ as door
import minigrad as mg
from gans import hub, mnist, pattern1010
from gans.machinery import commandline, generators, run, samples
from minigrad import checkpoint
from minigrad.checkpoint import load_safetensors
from minigrad.errors import MinigradError

SHIPPED = generators.names(generators.PACKAGE)
PINNED = np.load(Path(__file__).with_name("generators.npz"))  # samples of seed 1337, and the digests of their noise


# Those that come with the package


def test_four_or_more_come_with_the_package_none_larger_than_a_megabyte_and_a_half_and_none_from_photographs():
    assert len(SHIPPED) >= 4
    cards = [generators.read_card(generators.PACKAGE / f"{name}.json") for name in SHIPPED]
    assert all(card["weights"]["bytes"] <= 1_500_000 for card in cards)
    assert {card["options"]["data"] for card in cards} == {"mnist", "fashion", "synthetic-faces"}
    assert {path.suffix for path in generators.PACKAGE.iterdir()} <= {".py", ".json", ".safetensors", ""}


def test_the_index_of_the_package_says_what_is_there():
    index = json.loads((generators.PACKAGE / generators.INDEX).read_text())["generators"]
    assert sorted(index) == SHIPPED
    for name, entry in index.items():
        for file, found in entry["files"].items():
            assert list(generators.digest(generators.PACKAGE / file)) == found, name


@pytest.mark.parametrize("name", SHIPPED)
def test_samples_are_the_same_on_every_machine(name):
    G = hub.load(name)
    z = samples.noise(G, 16, 1337)
    assert hashlib.sha256(z.tobytes()).hexdigest() == str(PINNED[f"{name} noise"])
    low, high = G.value_range
    grey = (samples.outputs(G, z) - low) / (high - low) * 255
    grey = grey.reshape(16, *G.image_shape) if G.rows else grey.transpose(0, 2, 3, 1)
    assert np.abs(grey.clip(0, 255) - PINNED[name].reshape(grey.shape)).max() <= 0.51, "half a grey level, and rounding"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_command_on_a_card_is_that_of_its_options(name, there, monkeypatch):
    class Begun(Exception):
        pass

    def begin(self, args, *_, **__):
        raise Begun(vars(args))

    monkeypatch.setattr(run.Run, "__init__", begin)
    card = generators.read_card(generators.PACKAGE / f"{name}.json")
    python, m, module, *options = shlex.split(card["command"])
    assert [python, m, module] == ["python", "-m", f"gans.{card['demo']}"]
    with pytest.raises(Begun) as caught:
        importlib.import_module(module).demo(options)
    asked, = caught.value.args
    assert {key: asked[key] for key in card["options"]} == card["options"] and card["steps"] == asked["steps"]
    assert card["figures"] and all(value > 0 for value in card["figures"].values())


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_says_what_the_cards_say(name):
    card = generators.read_card(generators.PACKAGE / f"{name}.json")
    page = (Path(gans.__file__).parents[1] / "docs" / "hub.md").read_text()
    row, = re.findall(rf"^\| `{name}` \|.*$", page, re.M)
    figures = "; ".join(f"{generators.FIGURES[key]} {value:.4g}" for key, value in card["figures"].items())
    assert row == f"| `{name}` | {card['title']} | `{card['command']}` | {figures} |"


def test_the_example_in_the_docstring_is_right():
    assert doctest.testmod(hub).failed == 0 and gans.hub is hub


# The commands


def said(capsys, *words):
    assert door.command(list(words)) == 0
    return capsys.readouterr().out


def test_the_commands_list_tell_and_write(there, capsys):
    for name in SHIPPED:
        assert f"{name} " in said(capsys, "list")
    text = said(capsys, "card", "mnist-steady")
    assert text.startswith("# mnist-steady\n") and "| takes | normal noise (100,) |" in text and "12,000 steps" in text
    assert said(capsys, "sample", "mnist-steady") == "wrote mnist-steady.png: 64 samples of mnist-steady, seed 1337\n"
    said(capsys, "sample", "mnist-steady", "--n", "16", "--out", "a.safetensors")
    found = load_safetensors("a.safetensors")
    assert hashlib.sha256(found["noise"].numpy().tobytes()).hexdigest() == str(PINNED["mnist-steady noise"])
    difference = found["samples"].numpy().astype(int) - PINNED["mnist-steady"].reshape(16, 28, 28)
    assert np.abs(difference).max() <= 1
    said(capsys, "walk", "mnist-steady", "--rows", "2", "--points", "3")
    with Image.open("mnist-steady-walk.png") as picture:
        assert picture.size == (2 * (3 * 30 + 2), 2 * (2 * 30 + 2))


@pytest.mark.parametrize("name", SHIPPED)
def test_an_exported_generator_is_the_same_in_onnxruntime(name, there, capsys):
    pytest.importorskip("onnx", reason="needs the onnx package (pip install minigrad[onnx])")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, to run what was written")
    assert said(capsys, "export", name) == f"wrote {name}.onnx: the generator {name}\n"
    G, session = hub.load(name), onnxruntime.InferenceSession(f"{name}.onnx")
    for n in (1, 7):
        z = samples.noise(G, n, 1337)
        np.testing.assert_allclose(session.run(["images"], {"z": z})[0], samples.outputs(G, z), 1e-5, 1e-5)


@pytest.fixture
def own(there, trained):
    """A run of gans.mnist, "run", of a few steps."""
    trained(mnist.demo, ["--steps", "3", "--batch", "8", "--out", "My Run"])
    return Path("My Run")


def test_the_generator_of_a_run_is_added_loaded_by_name_and_listed(own, capsys):
    card = generators.own_folder() / "my-run.json"
    assert said(capsys, "add", "My Run").startswith(f"wrote {card}, its weights beside it, and the folder's index.json")
    G, same = hub.load("my-run"), gans.load("My Run")
    assert all((value == same.state_dict()[key]).all() for key, value in G.state_dict().items())
    assert not G.training and not any(p.requires_grad for p in G.parameters())
    assert G.card["command"] == "python -m gans.mnist --data synthetic --steps 3 --batch 8"
    assert G.card["steps"] == 3 and G.card["data"] == "digits drawn by code"
    assert "my-run" in said(capsys, "list") and "my-run" in generators.listed(generators.own_folder())


def test_where_pictures_of_ones_own_lie_is_not_on_the_card(there, trained, capsys):
    from gans import dcgan
    Path("mine/secret").mkdir(parents=True)
    for i, image in enumerate(np.random.default_rng(0).integers(0, 255, (20, 16, 16, 3), np.uint8)):
        Image.fromarray(image).save(f"mine/secret/{i}.png")
    trained(dcgan.demo, ["--data", str(Path("mine/secret").resolve()), "--size", "16", "--width", "2", "--batch", "4",
                         "--steps", "2", "--out", "run"])
    path = generators.add("run", "mine", "published", title="noise")
    assert str(there) not in path.read_text() and hub.load("mine", "published").card["title"] == "noise"


def test_the_seed_that_is_always_the_same_has_no_walk(there, trained, capsys):
    trained(pattern1010.demo, ["--steps", "3", "--out", "run"])
    generators.add("run", "four", "mine")
    with pytest.raises(MinigradError, match="always fed the same number"):
        door.command(["walk", "four", "--from", "mine"])
    said(capsys, "sample", "four", "--from", "mine", "--out", "a.npy")
    assert np.load("a.npy").shape == (64, 4)


def test_a_way_begins_and_ends_at_its_samples_and_keeps_the_length_of_noise():
    a, b = np.random.default_rng(0).standard_normal((2, 100), np.float32)
    way = generators.between(a, b, 9)
    assert way.dtype == np.float32
    np.testing.assert_allclose(way[[0, -1]], [a, b], atol=1e-6)
    lengths = np.linalg.norm(way, axis=1)
    assert abs(lengths / lengths[[0, -1]].mean() - 1).max() < 0.1
    assert np.linalg.norm(generators.between(a, b, 3, "uniform")[1]) < 0.8 * lengths.min(), "a line cuts the corner"
    np.testing.assert_allclose(generators.between(a, 2 * a, 3)[1], 1.5 * a, 1e-6)
    np.testing.assert_allclose(generators.between(a, 0 * a, 3)[1], 0.5 * a, 1e-6)


# From far away


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def send_head(self):
        self.server.asked.append(self.path)
        return super().send_head()


@pytest.fixture
def host(own):
    """A server of the folder "published", which has the generator "far": (address of its index, paths asked for)."""
    generators.add("My Run", "far", "published")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="published"))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.json", server.asked
    server.shutdown()
    thread.join()
    server.server_close()


def cached():
    """The names of files below the cache of generators."""
    return sorted(path.name for path in generators.own_folder().rglob("*") if path.is_file())


def test_a_generator_is_fetched_once_and_then_needs_no_host(host, capsys):
    address, asked = host
    assert generators.listed(address) == {"far": ("digits drawn by code, by gans.mnist", sum(
        path.stat().st_size for path in Path("published").glob("far.*")))}
    G = hub.load("far", address)
    assert G.card["name"] == "far" and cached() == ["far.json", "far.safetensors"]
    before = len(asked)
    hub.load("far", address)
    assert len(asked) == before
    assert said(capsys, "card", "far", "--from", address).startswith("# far\n")
    with pytest.raises(MinigradError, match=r"^fra: no generator of that name is in http.*; did you mean far\?$"):
        hub.load("fra", address)
    with pytest.raises(MinigradError, match="^far: no generator of that name is known; "):
        hub.load("far")


def changed(name, change):
    """Change a JSON file of "published"."""
    path = Path("published", name)
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def entry(index):
    return index["generators"]["far"]["files"]


def weights_changed():
    path = Path("published/far.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm, says", [
    (lambda: changed("index.json", lambda index: entry(index)["far.json"].__setitem__(0, "0" * 64)), "SHA256 hash of"),
    (lambda: changed("index.json", lambda index: entry(index)["far.safetensors"].__setitem__(0, "0" * 64)), "SHA256"),
    (lambda: changed("index.json", lambda index: entry(index)["far.safetensors"].__setitem__(1, 7)), "and more, not 7"),
    (lambda: changed("index.json", lambda index: entry(index)["far.safetensors"].__setitem__(1, 2**40)), "is no index"),
    (lambda: changed("index.json", lambda index: entry(index).pop("far.json")), "is no index of generators"),
    (lambda: changed("index.json", lambda index: index.update(format=2)), "is no index of generators (ValueError: f"),
    (lambda: changed("index.json", lambda index: index["generators"].update({"../x": {}})), "is no index of genera"),
    (lambda: changed("far.json", lambda card: card.update(steps=4)), "the generator far: far.json"),
    (lambda: Path("published/index.json").write_text("[]"), "is no index of generators (TypeError"),
    (lambda: Path("published/index.json").write_text("[" * 9999), "is no index of generators"),
    (lambda: Path("published/index.json").write_text(" " * 2**21), "it sends more than 1,048,576 bytes"),
    (lambda: Path("published/index.json").unlink(), "failed (404 Client Error"),
    (lambda: Path("published/far.safetensors").unlink(), "404 Client Error"), (weights_changed, "SHA256 hash of")])
def test_what_is_not_what_it_says_is_refused_in_one_line_and_not_kept(host, harm, says, capsys):
    address, _ = host
    harm()
    with pytest.raises(SystemExit) as ended:
        commandline.main(lambda: door.command(["sample", "far", "--from", address]))
    err = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and err.startswith("error: ") and says in err, err
    assert "far.json" not in cached() and not Path("far.png").exists()


def test_a_host_that_is_away_is_one_line(there, capsys):
    for address, says in (("https://127.0.0.1:9/index.json", "cannot be reached"),
                          ("http://example.com/index.json", "has to begin with https://")):
        with pytest.raises(SystemExit) as ended:
            commandline.main(lambda address=address: door.command(["list", "--from", address]))
        err = capsys.readouterr().err
        assert ended.value.code == 2 and err.startswith(f"error: {address}: {says}") and err.count("\n") == 1
    assert cached() == []


# From a folder, and bad input


def mistold(**values):
    return lambda: changed("far.json", lambda card: card.update(values))


@pytest.mark.parametrize("harm, says", [
    (weights_changed, "published/far.safetensors: is not what its card says"),
    (mistold(seed_shape=[7]), "published/far.json: says seed_shape [7], but its weights make a generator with [100]"),
    (mistold(value_range=[-1.0, 1.0]), "published/far.json: says value_range"),
    (mistold(classes=10), "published/far.json: says classes 10, but"),
    (mistold(demo="pattern1010"), "published/far.json: its weights do not fit gans.pattern1010"),
    (mistold(demo="os"), "published/far.json: is a run of gans.os, which is not here"),
    (mistold(options={}), "published/far.json: an older version made it, which did not note its recipe"),
    (mistold(demo="face", options={"shape": "x"}), "published/far.json: its options make no generator of gans.face"),
    (mistold(demo="face", options={"shape": [10**7, 10**7, 3]}), "published/far.json: its options make no generator"),
    (mistold(weights={}), "published/far.safetensors: is not what its card says"),
    (mistold(format=9), "published/far.json: is the card of 'far' in format 9"),
    (mistold(name="near"), "published/far.json: is the card of 'near'"),
    (mistold(figures={"a": "b"}), "published/far.json: is no card of a generator: its figures"),
    (mistold(title="\x1b[2J"), "published/far.json: is no card of a generator: its title is '\\x1b[2J'"),
    (mistold(steps="3"), "published/far.json: is no card of a generator: its steps is '3'"),
    (lambda: Path("published/far.json").write_text("{"), "published/far.json: is no card of a generator"),
    (lambda: Path("published/far.json").write_text("[]"), "published/far.json: is no card of a generator"),
    (lambda: Path("published/far.json").write_text(" " * 2**19), "published/far.json: is longer than 262,144 bytes"),
    (lambda: Path("published/far.safetensors").unlink(), "published/far.safetensors: there is no such file")])
def test_a_card_that_does_not_match_its_weights_is_refused_in_one_line(own, harm, says):
    generators.add("My Run", "far", "published")
    harm()
    with pytest.raises(MinigradError) as caught:
        hub.load("far", "published")
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


ODD = (None, True, 0, -1, 1.5, "", "x", "../x", [], {}, [0], [[]], {"a": 1}, 10**30, float("nan"), "\x1b[0m", "é" * 50)


def places(value, path=()):
    """The way to each value in a tree of dicts and lists, but its root."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def mutants(value, count):
    """Copies of a tree, in each of which one value is another, or missing."""
    rng, ways = random.Random(0), list(places(value))
    for _ in range(count):
        found = json.loads(json.dumps(value))
        *way, last = rng.choice(ways)
        there = functools.reduce(lambda part, key: part[key], way, found)
        if rng.random() < 0.2:
            del there[last]
        else:
            there[last] = rng.choice(ODD)
        yield json.dumps(found)


def test_a_card_that_was_tampered_with_is_used_or_refused_in_one_line(tmp_path):
    shutil.copy(generators.PACKAGE / "mnist-steady.safetensors", tmp_path)
    refused, card = 0, json.loads((generators.PACKAGE / "mnist-steady.json").read_text())
    for text in mutants(card, 150):
        (tmp_path / "mnist-steady.json").write_text(text)
        try:
            generators.described(hub.load("mnist-steady", tmp_path).card), generators.listed(tmp_path)
        except MinigradError as error:
            refused += 1
            assert "\n" not in str(error)
    assert 50 < refused < 150


def test_an_index_that_was_tampered_with_is_refused_in_one_line(monkeypatch):
    index = json.loads((generators.PACKAGE / generators.INDEX).read_text())
    for text in mutants(index, 150):
        monkeypatch.setattr(generators, "downloaded", lambda *_, text=text: text.encode())
        try:
            generators.listed("https://example.org/index.json")
        except MinigradError as error:
            assert "\n" not in str(error)
            continue
        found = json.loads(text)
        assert found["generators"].keys() <= index["generators"].keys(), "one less, or another title, is no harm"
        for name, kept in found["generators"].items():
            for file, (digest, size) in kept["files"].items():
                assert digest == index["generators"][name]["files"][file][0] and type(size) is int and size > 0


@pytest.mark.parametrize("words, says", [
    (["sample", "mnist-staedy"], "mnist-staedy: no generator of that name is known; did you mean mnist-steady?"),
    (["sample", "../x"], "'../x': is no name of a generator"),
    (["card", "My Run"], "'My Run': is no name of a generator, which has small letters, digits, '.', '-' and '_'"),
    (["list", "--from", "nowhere"], "--from nowhere: there is no such folder; name one with generators, or an https://"),
    (["list", "--from", "My Run"], "--from My Run: there are no generators in it; it is a run: python -m gans.hub add"),
    (["list", "--from", "."], "--from .: there are no generators in it; name another folder"),
    (["sample", "mnist-steady", "--out", "nowhere/a.png"], "nowhere: there is no such folder"),
    (["export", "mnist-steady", "--out", "nowhere/a.onnx"], "nowhere/a.onnx: there is no such folder"),
    (["add", "nowhere"], "nowhere: there is no such folder; check the path of the run"),
    (["add", "."], ".: is no run of a demo, as it holds no config.json"),
    (["add", "My Run", "--name", "A B"], "'A B': is no name of a generator"),
    (["add", "My Run", "--name", "mnist-steady"], "mnist-steady: there is a generator of that name in the package")])
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(own, words, says, capsys):
    if words[0] == "export":
        pytest.importorskip("onnx", reason="needs the onnx package (pip install minigrad[onnx])")
    before = sorted(Path().rglob("*"))
    with pytest.raises(SystemExit) as ended:
        commandline.main(lambda: door.command(words))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and err.startswith(f"error: {says}") and err.count("\n") == 1, err
    left = [path for path in sorted(Path().rglob("*")) if path.is_file() or path.parent == Path()]
    assert [path for path in left if path not in before and path.name not in ("cache", "generators")] == []


def test_a_name_is_given_once(own):
    generators.add("My Run", "far", "published")
    before = {path: path.read_bytes() for path in Path("published").iterdir()}
    with pytest.raises(MinigradError, match="^far: there is a generator of that name in published; --name gives"):
        generators.add("My Run", "far", "published")
    assert {path: path.read_bytes() for path in Path("published").iterdir()} == before


def test_a_disk_that_is_full_leaves_nothing_half(own, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    for where in ("write_index", "write_json"):
        with monkeypatch.context() as patch, pytest.raises(OSError):
            patch.setattr(generators, where, full)
            generators.add("My Run", "far", "published")
        assert list(Path("published").iterdir()) == []


def test_a_run_without_figures_or_data_has_a_card_all_the_same(there, trained):
    trained(pattern1010.demo, ["--steps", "3", "--out", "run"])
    path = generators.add("run", place="mine")
    G = hub.load("run", "mine")
    assert G.card["figures"] == {} and "no image" in generators.described(G.card) and path.name == "run.json"
    assert mg.is_grad_enabled() and checkpoint.load("run/checkpoint").step == 3
    shutil.rmtree("mine")
