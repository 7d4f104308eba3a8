"""What the image demos learn from, and what they refuse: each refusal as a user meets it, at the command line."""

import io
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image

from gans import dcgan, face
from gans.machinery import commandline, imagesets, samples
from gans.machinery.imagesets import open_digits, open_faces, open_own
from gans.machinery.judge import compared, distance_to_real, floor
from minigrad import nn
from minigrad.data import images
from minigrad.data.digits import synthetic_digits
from minigrad.data.download import Unavailable
from minigrad.data.faces import synthetic_faces
from minigrad.data.hdf5 import ImageSet, create_layout, read_layout
from minigrad.errors import DataError

ARCHIVES = [("celeba/img_align_celeba.zip", 218, 178), ("celeba-10k/celeba_align_89x109_10000.zip", 109, 89)]


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    """A working folder with a cache of its own, without a data folder, and few drawn faces."""
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setattr(imagesets, "DRAWN", {"train": (0, 64), "test": (1, 20)})
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of what is written here
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def decoded(monkeypatch):
    """The names of the images that were decoded, in order; the first one twice, for its size."""
    real, names = images._decode, []

    def decode(source, name):
        names.append(name)
        return real(source, name)

    monkeypatch.setattr(images, "_decode", decode)
    return names


def picture(height, width, k=0, mode="RGB"):
    """A picture in one colour, which tells k, and a white frame of a pixel."""
    pixels = np.full((height, width, 3), (40, 5 * k, 120), np.uint8)
    pixels[[0, -1]] = pixels[:, [0, -1]] = 255
    return Image.fromarray(pixels).convert(mode)


def encoded(image, kind="PNG"):
    file = io.BytesIO()
    image.save(file, kind, quality=90)
    return file.getvalue()


def folder_of(count, name="pictures"):
    """A folder of pictures that differ in size and in mode."""
    Path(name).mkdir()
    for k in range(count):
        picture(20 + k, 30 - k, k, ["RGB", "L", "RGBA", "P"][k % 4]).save(f"{name}/{k}.png")
    return name


def zip_of(members, name="pictures.zip"):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(name, "w") as file:
        for member, content in members.items():
            file.writestr(member, content)
    return name


def set_of(shape, name="pictures.h5", detail=0):
    """An HDF5 image set whose image k is of the value k, with so much more in every other column."""
    create_layout(name, shape, [f"{k}.png" for k in range(shape[0])], {}, {})
    layout, content = read_layout(name), bytearray(Path(name).read_bytes())
    pixels = np.broadcast_to(np.arange(shape[0], dtype=np.uint8).reshape(-1, 1, 1, 1), shape) + (
        np.arange(shape[2], dtype=np.uint8) % 2 * np.uint8(detail)).reshape(1, 1, -1, 1)
    content[layout.start:layout.start + pixels.size] = pixels.tobytes()
    content[layout.mark:layout.mark + 8] = shape[0].to_bytes(8, "little")
    Path(name).write_bytes(content)
    return name


def celeba(name, height, width, count=12, **others):
    """An archive like CelebA's in the folder data/: the middle of each is a `picture`, the rest is red."""
    members, side = {}, round(128 / 178 * width)
    for k in range(count):
        whole = Image.new("RGB", (width, height), (250, 0, 0))
        whole.paste(picture(side, side, k), ((width - side) // 2, (height - side) // 2))
        members[f"img_align_celeba/{k + 1:06}.jpg"] = encoded(whole)  # as PNG, in which no pixel is lost
    os.environ["MINIGRAD_DATA"] = "data"
    return zip_of(members | others, f"data/{name}")


@pytest.fixture
def faces(monkeypatch):
    """`celeba`, whose data folder is forgotten after the test."""
    monkeypatch.setenv("MINIGRAD_DATA", "")
    return celeba


def the_set():
    """The one file that was decoded into the cache."""
    found, = Path("cache/images").iterdir()
    return found


# Digits


@pytest.mark.parametrize("size", [28, 32, 64])
def test_digits_stand_in_the_middle_of_a_black_frame(monkeypatch, size):
    digits = {split: synthetic_digits(20, seed) for seed, split in enumerate(("train", "test"))}
    asked = []

    def load(name, split="train", log=print):
        asked.append(name)
        return *digits[split], "MNIST, of a sort"

    monkeypatch.setattr(imagesets, "load_digits", load)
    found = open_digits("auto", size)
    assert found.name == "mnist" and asked == ["auto", "mnist"], "what auto became is what the run keeps to"
    assert found.shape == (size, size, 1) and found.provenance == "MNIST, of a sort, 20 images"
    edge = (size - 28) // 2
    for split, framed in (("train", found.train), ("test", found.held_out)):
        np.testing.assert_array_equal(framed[:, edge:edge + 28, edge:edge + 28, 0], digits[split][0])
        assert framed.sum() == digits[split][0].sum(), "the frame is black"
    np.testing.assert_array_equal(found.labels, digits["train"][1])


def test_a_batch_is_in_0_to_1_channels_first():
    found = open_faces("synthetic-faces", 16)
    G = samples.described(nn.Identity(), (100,), image_shape=(16, 16, 3))
    batch = samples.as_real(found.train[[5, 3]], G)
    assert batch.shape == (2, 3, 16, 16) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch.transpose(0, 2, 3, 1), found.train[[5, 3]] / np.float32(255))


# Faces


@pytest.mark.parametrize("name, height, width", ARCHIVES)
def test_an_archive_of_faces_gives_their_middles_at_the_size_asked_for(faces, name, height, width):
    faces(name, height, width)
    side = round(128 / 178 * width)
    for size in (side, 32):
        found = open_faces("faces", size, log=lambda _: None)
        assert found.name == "faces" and found.shape == (size, size, 3)
        everything = np.concatenate([found.train[:], found.held_out])
        whole = sorted((np.asarray(picture(side, side, k).resize((size, size), Image.Resampling.LANCZOS))
                        for k in range(12)), key=np.ndarray.tobytes)
        np.testing.assert_array_equal(sorted(everything, key=np.ndarray.tobytes), whole)


def test_faces_come_whole_where_no_size_is_asked_for(faces):
    faces(*ARCHIVES[1])
    found = open_faces("auto", log=lambda _: None)
    assert found.shape == (109, 89, 3) and (found.train[0][0] == (250, 0, 0)).all()
    assert found.provenance == "CelebA, 12 photographs, 1 of them kept back"


def test_no_more_photographs_than_the_limit(faces, decoded):
    faces(*ARCHIVES[1], count=30)
    found = open_faces("faces", 16, limit=11, log=lambda _: None)
    assert len(found.train) + len(found.held_out) == 11
    assert set(decoded) == {f"img_align_celeba/{k:06}.jpg" for k in range(1, 12)}, "the first ones, and no other"
    assert open_faces("faces", 16, limit=20, log=lambda _: None).provenance.startswith("CelebA, 20 photographs")


def test_a_list_of_attributes_beside_the_archive_is_kept_with_the_images(faces):
    archive = Path(faces(*ARCHIVES[0]))
    rows = [f"{k + 1:06}.jpg {1 if k % 3 else -1:2} -1" for k in range(12)]
    archive.with_name("list_attr_celeba.txt").write_text("\n".join(["12", "Smiling Eyeglasses", *rows]) + "\n")
    open_faces("faces", 16, log=lambda _: None)
    attributes = ImageSet(the_set()).attributes
    assert attributes["Smiling"].tolist() == [bool(k % 3) for k in range(12)] and not attributes["Eyeglasses"].any()

    archive.with_name("list_attr_celeba.txt").write_text("\n".join(["12", "Smiling", *rows]))
    with pytest.raises(DataError, match="list_attr_celeba.txt: line 3 does not hold 1 values"):
        open_faces("faces", 16, log=lambda _: None)


def test_without_photographs_auto_says_so_and_draws_its_own():
    said = []
    found = open_faces("auto", 16, log=said.append)
    assert found.name == "synthetic-faces" and found.provenance == "faces drawn by code, 64 images"
    np.testing.assert_array_equal(found.train, synthetic_faces(64, 0, 16)[0])
    np.testing.assert_array_equal(found.held_out, synthetic_faces(20, 1, 16)[0])
    assert len(said) == 1 and said[0].startswith("Using faces drawn by code, because photographs are not to be had.")
    with pytest.raises(Unavailable, match=r"no celeba/img_align_celeba.zip or .*/cache\. Fetch .* set MINIGRAD_DATA"):
        open_faces("faces", 16, log=said.append)
    with pytest.raises(ValueError, match="no faces named 'cats'; choose auto, faces or synthetic-faces"):
        open_faces("cats")


# Pictures of one's own


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_pictures_of_any_size_and_mode_become_squares_of_one_size(kind):
    source = folder_of(12)
    if kind == "zip":
        source = zip_of({name: Path(source, name).read_bytes() for name in os.listdir(source)})
    found = open_own(source, 16, log=lambda _: None)
    assert found.shape == (16, 16, 3) and len(found.train) == 11 and len(found.held_out) == 1
    assert found.provenance == f"{source}, 12 images, 1 of them kept back"
    assert open_own(source, log=lambda _: None).shape == (64, 64, 3), "64 where nothing else is asked for"


@pytest.mark.parametrize("name", ["pictures.h5", "pictures.hdf5", "PICTURES.H5"])
def test_an_hdf5_image_set_is_taken_as_it_is(name, decoded):
    found = open_own(set_of((40, 20, 18, 1), name))
    assert found.shape == (20, 18, 1) and len(found.train) == 36 and not decoded and not os.listdir("cache")
    assert len(open_own(name, limit=10).train) == 9


@pytest.mark.parametrize("path", ["./faces", "pictures"])
def test_a_folder_keeps_the_name_that_it_was_given(path):
    """A run is resumed by it: ./faces must not become the photographs of that name."""
    folder_of(10, path)
    assert open_own(path, 16, log=lambda _: None).name == path


def test_a_tenth_is_kept_back_the_same_one_every_time_and_never_learnt_from():
    set_of((97, 16, 16, 3))
    first, second = open_own("pictures.h5"), open_own("pictures.h5")
    np.testing.assert_array_equal(first.held_out, second.held_out)
    np.testing.assert_array_equal(first.train[:], second.train[:])
    kept, learnt = ({int(image[0, 0, 0]) for image in part} for part in (first.held_out, first.train[:]))
    assert len(kept) == 9 and len(learnt) == 88 and kept | learnt == set(range(97))
    assert max(kept) - min(kept) > 40, "drawn at random: a set may be sorted"
    np.testing.assert_array_equal(first.train[np.array([7, 2])], first.train[:][[7, 2]])


# Decoding once


def test_what_is_decoded_is_kept_until_the_source_changes(decoded):
    folder_of(12)
    Path("pictures/notes.txt").write_text("no picture")
    said = []
    open_own("pictures", 16, log=said.append)
    assert len(decoded) == 13 - 1 and len(said) == 1 and "decoding pictures (once; " in said[0]
    before = open_own("pictures", 16, log=said.append).train[:]
    Path("pictures/notes.txt").write_text("no picture yet")
    open_own("pictures", 16, log=said.append)
    assert len(decoded) == 12 and len(said) == 1, "nothing that matters has changed"

    picture(40, 40, 50).save("pictures/3.png")
    found = open_own("pictures", 16, log=said.append)
    assert len(decoded) == 24 and len(said) == 2 and (found.train[:] != before).any()
    picture(40, 40, 50).save("pictures/12.png")
    assert len(open_own("pictures", 16, log=said.append).train) == 12
    open_own("pictures", 32, log=said.append)
    assert len(decoded) == 24 + 13 + 13, "another size is another set"


@pytest.mark.parametrize("damage", ["cut", "overwritten", "empty"])
def test_a_damaged_file_in_the_cache_is_built_again(damage):
    folder_of(12)
    whole = open_own("pictures", 16, log=lambda _: None).train[:]
    path = the_set()
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-100], "overwritten": b"\0" * 600 + content[600:], "empty": b""}[damage])
    said = []
    np.testing.assert_array_equal(open_own("pictures", 16, log=said.append).train[:], whole)
    assert len(said) == 2 and said[0].endswith("is damaged and is built again") and str(path) in said[0]
    assert the_set() == path


def test_decoding_that_was_interrupted_goes_on_where_it_was(monkeypatch, decoded, capsys):
    monkeypatch.setattr(images, "STEP", 2)
    folder_of(12)
    follow, limit = images._decode, [7]

    def stopping(source, name):
        if len(decoded) == limit[0]:
            raise KeyboardInterrupt
        return follow(source, name)

    monkeypatch.setattr(images, "_decode", stopping)
    with pytest.raises(KeyboardInterrupt):
        dcgan.demo(["--data", "pictures", "--size", "16", "--batch", "4", "--steps", "1"])
    assert the_set().suffix == ".partial" and not Path("runs").exists()
    limit[0], decoded[:] = None, []
    found = open_own("pictures", 16, log=lambda _: None)
    assert decoded == [f"{k}.png" for k in range(6, 12)] and "going on after 6 of 12 images" in capsys.readouterr().err
    assert the_set().suffix == ".h5"
    monkeypatch.setenv("MINIGRAD_CACHE", "another")
    np.testing.assert_array_equal(open_own("pictures", 16, log=lambda _: None).train[:], found.train[:])


# Distances


def test_samples_are_measured_beside_pictures_that_were_kept_back(monkeypatch, capsys):
    found = open_faces("synthetic-faces", 16)
    noise = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), np.uint8)
    before, least = distance_to_real(noise[:20], found), floor(found, 20)
    assert before.images == least.images == 20 and least.average < before.average / 2
    measured = {}
    asked = SimpleNamespace(seed=1, step=9, measure=lambda step, **figures: measured.update(figures, step=step))
    monkeypatch.setattr("gans.machinery.judge.generate", lambda G, n, seed: noise[:n])
    assert compared(asked, None, found, before) == 1, "more samples than before would be measured at another floor"
    monkeypatch.setattr("gans.machinery.judge.generate", lambda G, n, seed: synthetic_faces(n, 5, 16)[0])
    capsys.readouterr()
    share, words = compared(asked, None, found, before), capsys.readouterr().out
    assert share < 0.8 and f"of 20 samples to pictures that were kept back: {before.average:.1f} before" in words
    assert words.endswith(f"pictures that were learnt from: {least}\n") and "are compared with" in words
    assert measured["step"] == 9 and measured["floor"] == least.average and measured["before"] == before.average


# Refusals


def bad_image(content):
    def make():
        Path(folder_of(12), "5.png").write_bytes(content)
        return "pictures"

    return make


def bad_zip(*others):
    def make():
        good = {f"{k}.png": encoded(picture(20, 20, k)) for k in range(12)}
        return zip_of(good | dict(others))

    return make


def cut(path, count):
    def make():
        name = path()
        Path(name).write_bytes(Path(name).read_bytes()[:-count])
        return name

    return make


def linked_set():
    """An image set whose images are in another file."""
    set_of((40, 16, 16, 3), "other.h5")
    with h5py.File(set_of((40, 16, 16, 3)), "r+") as file:
        del file["images"]
        file["images"] = h5py.ExternalLink("other.h5", "images")
    return "pictures.h5"


def unfinished_set():
    name = set_of((40, 16, 16, 3))
    content = bytearray(Path(name).read_bytes())
    content[read_layout(name).mark] = 3
    Path(name).write_bytes(content)
    return name


def text():
    Path("notes.txt").write_text("no archive")
    return "notes.txt"


def empty_folder():
    Path("pictures").mkdir()
    return "pictures"


HUGE = encoded(picture(16, 16), "BMP").replace(bytes([16, 0, 0, 0] * 2), bytes([0, 0, 1, 0] * 2))  # 65,536 a side
SETS = {
    "an image that does not decode": (bad_image(b"nonsense"), "pictures: 5.png: does not decode"),
    "half an image": (bad_image(encoded(picture(400, 400), "JPEG")[:900]), "pictures: 5.png: does not decode"),
    "an image that says it is huge": (bad_image(HUGE), "pictures: 5.png: does not decode"),
    "a zip with ../": (bad_zip(("../evil.png", encoded(picture(20, 20)))), "pictures.zip: '../evil.png': leads out of"),
    "an absolute path": (bad_zip(("/tmp/evil.png", encoded(picture(20, 20)))), "'/tmp/evil.png': leads out of"),
    "a truncated zip": (cut(bad_zip(), 30), "pictures.zip: is no zip file, or damaged"),
    "a bad image in a zip": (bad_zip(("7.png", b"\x89PNG...")), "pictures.zip: 7.png: does not decode"),
    "a truncated HDF5 file": (cut(lambda: set_of((40, 16, 16, 3)), 2000), "pictures.h5: cannot be used as an image"),
    "an HDF5 file that links to another": (linked_set, "pictures.h5: cannot be used as an image set (images is a link"),
    "an unfinished HDF5 file": (unfinished_set, "pictures.h5: is unfinished: 3 of 40 images are in"),
    "a few images": (lambda: folder_of(9), "pictures: gives 9 images, too few to learn from; 10 or more are needed"),
    "a set of few": (lambda: set_of((9, 16, 16, 3)), "pictures.h5: gives 9 images, too few to learn from"),
    "fewer than a batch": (lambda: set_of((30, 16, 16, 3)), "pictures.h5: there are 27 images to learn from, fewer "
                           "than --batch 32; use --batch 27 or less"),
    "small images": (lambda: set_of((40, 12, 16, 3)), "pictures.h5: its images are 12x16 (height x width) with 3"),
    "two channels": (lambda: set_of((40, 16, 16, 2)), "pictures.h5: its images are 16x16 (height x width) with 2"),
    "neither name nor path": (lambda: "mnsit", "mnsit: there is no such folder, zip or HDF5 file, nor a data set of"),
    "an empty word": (lambda: "", "--data: there is no such folder, zip or HDF5 file"),
    "a file of another kind": (text, "notes.txt: is no zip file, or damaged"),
    "an empty folder": (empty_folder, "pictures: holds no image (.jpg, .jpeg, .png, .bmp, .webp, .gif, .tif, .tiff); "),
}


def refused(demo, options, message, capsys):
    """What a user sees of a refusal: one line and the exit status 2. No run folder is left."""
    with pytest.raises(SystemExit) as caught:
        commandline.main(lambda: demo(["--batch", "32", "--steps", "1", *options]))
    line = capsys.readouterr().err
    assert caught.value.code == 2 and line.count("\n") == 1 and line.startswith("error: ") and message in line, line
    assert not Path("runs").exists()
    return line


@pytest.mark.parametrize("demo", [dcgan.demo, face.demo], ids=["dcgan", "face"])
@pytest.mark.parametrize("case", SETS)
def test_a_set_that_is_no_good_is_refused_in_one_line(contained, capsys, demo, case):
    make, message = SETS[case]
    source = make()
    with contained(case):
        refused(demo, ["--data", source, *(["--strict"] if "does not decode" in message else [])], message, capsys)
    assert not list(Path("cache").rglob("*.partial*")), "what nobody could go on with is removed"
    if case == "an image that does not decode":  # and once it is replaced, all is well
        picture(20, 20).save("pictures/5.png")
        assert len(open_own("pictures", 16, log=lambda _: None).train) == 11


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_one_bad_picture_among_many_is_left_out_and_counted(capsys, kind):
    folder_of(14)
    for k in (3, 8):
        Path(f"pictures/{k}.png").write_bytes(b"nonsense")
    source = "pictures"
    if kind == "zip":
        source = zip_of({name: Path(source, name).read_bytes() for name in os.listdir(source)})
    said = f"{source}, 12 images (2 that do not decode are left out: 3.png, 8.png), 1 of them kept back"
    for _ in range(2):  # decoded, and from the cache
        found = open_own(source, 16, log=lambda _: None)
        assert found.provenance == said and len(found.train) == 11 and len(found.held_out) == 1
    assert capsys.readouterr().err.count("left out: ") == 2
    with pytest.raises(DataError, match="3.png: does not decode"):
        open_own(source, 16, strict=True, log=lambda _: None)


def test_transparent_pictures_stand_on_the_background_that_is_asked_for():
    Path("clear").mkdir()
    for k in range(10):
        Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(f"clear/{k}.png")
    for colour, value in (("white", 255), ("#102030", (16, 32, 48))):
        found = open_own("clear", 16, background=colour, log=lambda _: None)
        assert (found.train[:] == value).all() and (found.held_out == value).all()


def test_archives_of_faces_are_refused_like_any_other(faces, capsys, contained):
    with contained("no archive"):
        refused(dcgan.demo, ["--data", "faces"], "Fetch img_align_celeba.zip", capsys)
    archive = faces(*ARCHIVES[0], count=9)
    refused(dcgan.demo, ["--data", "faces"], f"{archive}: gives 9 images, too few to learn from", capsys)
    faces(*ARCHIVES[0], **{"img_align_celeba/000005b.jpg": encoded(picture(218, 170), "JPEG")})
    refused(face.demo, ["--data", "faces"], f"{archive}: img_align_celeba/000005b.jpg: is 218×170 (height×width), the "
            "first image is 218×178", capsys)
    refused(dcgan.demo, ["--data", "faces", "--batch", "13"], "faces: there are 12 images to learn from", capsys)
    Path(archive).write_bytes(Path(archive).read_bytes()[:-100])
    for data in ("faces", "auto"):  # damage is no reason to pass over to drawings in silence
        refused(face.demo, ["--data", data], f"{archive}: is no zip file, or damaged", capsys)


SIZES = [
    ("dcgan --data synthetic-faces --size 48", "so they cannot make 48x48; the nearest sizes that they can are 32 and "
     "56"),
    ("dcgan --data synthetic --size 1000", "the nearest sizes that they can are 112 and 128"),
    ("dcgan --data synthetic-faces --size 1", "the nearest sizes that they can are 16 and 28"),
    ("dcgan --data synthetic --size 16", "--size 16: digits are 28x28; give --size 28, 32 or 64"),
    ("dcgan --data set.h5", "set.h5: its images are 40x36 (height x width), and the networks make squares of 16, 28, "
     "32, 56, 64, 112, 128: build it again with"),
    ("dcgan --data set.h5 --size 32", "set.h5: its images are 40x36 (height x width), not of --size 32; build it"),
    ("face --data set.h5 --size 40", "set.h5: its images are 40x36 (height x width), not of --size 40; build it"),
    ("face --data synthetic-faces --size 8", "--size 8: is out of range; the nearest that works is 16"),
    ("face --data synthetic-faces --size 99999", "--size 99999: is out of range; the nearest that works is 256"),
    ("face --data pictures --size 99999", "--size 99999: is out of range; the nearest that works is 512"),
]


@pytest.mark.parametrize("command, message", SIZES, ids=[command for command, _ in SIZES])
def test_a_size_that_cannot_be_made_is_refused_with_the_nearest_that_can(capsys, command, message):
    set_of((40, 40, 36, 3), "set.h5")
    folder_of(10)
    name, *options = command.split()
    refused({"dcgan": dcgan, "face": face}[name].demo, options, message, capsys)
    assert not os.listdir("cache"), "before anything is decoded"


@pytest.mark.parametrize("module, options", [(face, []), (dcgan, ["--width", "2"])])
def test_a_set_in_grey_is_learnt_and_drawn(module, options):
    set_of((40, 16, 16, 1), detail=90)
    module.demo(["--data", "pictures.h5", "--steps", "1", "--batch", "4", "--samples", "5", "--out", "run", *options])
    assert np.load("run/samples.npy").shape == (5, 16, 16)
