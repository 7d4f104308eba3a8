"""Building image sets: from folders and zips, in natural order, interrupted and resumed, and refused with reason."""

import io
import os
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from minigrad.data import images
from minigrad.data.hdf5 import ImageSet
from minigrad.data.images import build, each_image, info, main, read_attributes
from minigrad.errors import DataError


def picture(height, width, seed=0, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image, kind="PNG"):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Twelve images 8×6, named so that natural and alphabetic order differ."""
    folder = tmp_path / "source"
    folder.mkdir()
    for i in range(12):
        picture(8, 6, i).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def archive(tmp_path):
    """A function that makes a zip of the given members."""

    def make(members, compression=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / "source.zip", "w", compression) as file:
            for name, content in members.items():
                file.writestr(name, content)
        return tmp_path / "source.zip"

    return make


def test_a_folder_becomes_a_set_in_natural_order(folder, tmp_path):
    build(tmp_path / "a.h5", folder)
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.shape == (12, 8, 6, 3) and found.names == [f"{i}.png" for i in range(12)]
        for i in range(12):
            np.testing.assert_array_equal(found[i], np.asarray(picture(8, 6, i)))
        assert found.about["source"] == "source" and len(found.about["source_sha256"]) == 64
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "source"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_laid_out_like_celeba_works_as_is(archive, tmp_path, compression):
    members = {"img_align_celeba/": b"", "readme.txt": b"hello", "__MACOSX/img_align_celeba/._000001.jpg": b"junk"}
    members |= {f"img_align_celeba/{i:06}.jpg": encoded(picture(218, 178, i), "JPEG") for i in range(1, 4)}
    source = archive(members, compression)
    build(tmp_path / "a.h5", source, crop=(128, 128), size=(64, 64))
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.shape == (3, 64, 64, 3) and found.names[0] == "img_align_celeba/000001.jpg"


def test_every_kind_of_image_becomes_rgb(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for mode in ("RGB", "L", "P", "1", "RGBA", "LA"):
        picture(8, 6, 0, mode).save(folder / f"{mode}.png")
    build(tmp_path / "a.h5", folder)
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.shape == (6, 8, 6, 3)
        by_name = dict(zip(found.names, found[:], strict=True))
    np.testing.assert_array_equal(by_name["RGBA.png"], by_name["RGB.png"])
    assert (by_name["L.png"] == by_name["L.png"][..., :1]).all()


@pytest.mark.parametrize("how", [{}, {"crop": "square"}, {"size": (5, 6)}])
def test_images_come_one_by_one_as_a_build_would_have_them(folder, tmp_path, how):
    build(tmp_path / "set.h5", folder, **how)
    with ImageSet(tmp_path / "set.h5") as expected:
        found = dict(each_image(folder, **how))
        assert [*found] == expected.names
        for name, pixels in zip(expected.names, expected[:]):
            np.testing.assert_array_equal(found[name], pixels)
            (alone, same), = each_image(folder / name, **how)
            assert alone == name and (same == pixels).all()


def test_a_crop_is_from_the_middle(folder, tmp_path):
    build(tmp_path / "a.h5", folder, crop=(4, 2))
    with ImageSet(tmp_path / "a.h5") as found:
        np.testing.assert_array_equal(found[3], np.asarray(picture(8, 6, 3))[2:6, 2:4])


def test_size_makes_mixed_images_one_size(folder, tmp_path):
    picture(20, 10).save(folder / "wide.png")
    build(tmp_path / "a.h5", folder, size=(5, 7))
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.shape == (13, 5, 7, 3)


LIST = """3
Smiling Male
2.png  1 -1
0.png -1 -1
1.png  1  1
"""


def test_attributes_follow_the_names(tmp_path):
    (tmp_path / "list.txt").write_text(LIST)
    known = read_attributes(tmp_path / "list.txt", ["faces/0.png", "faces/2.png"])
    assert {key: values.tolist() for key, values in known.items()} == {"Smiling": [False, True], "Male": [False, False]}


def test_attributes_are_kept_in_the_file(folder, tmp_path):
    rows = "".join(f"{i}.png {1 if i % 3 else -1}\n" for i in range(12))
    (tmp_path / "list.txt").write_text(f"12\nSmiling\n{rows}")
    build(tmp_path / "a.h5", folder, attributes=tmp_path / "list.txt")
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.attributes["Smiling"].tolist() == [bool(i % 3) for i in range(12)]
    assert "Smiling: 8 of 12" in info(tmp_path / "a.h5")


@pytest.mark.parametrize("text, says", [
    ("", "the first line is the number of rows"),
    ("3", "the first line is the number of rows"),
    (LIST.replace("3", "4", 1), "the first line is the number of rows"),
    (LIST.replace("Male", "Smiling"), "the first line is the number of rows"),
    (LIST.replace("0.png -1 -1", "0.png -1"), "line 4 does not hold 2 values"),
    (LIST.replace("0.png -1 -1", "0.png -1 0"), "line 4 does not hold 2 values"),
    (LIST.replace("0.png", "9.png"), "has no row for faces/0.png"),
    ("\udcff", "cannot be read as text"),
])
def test_a_bad_list_is_named(tmp_path, text, says):
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=says) as caught:
        read_attributes(path, ["faces/0.png"])
    assert str(path) in str(caught.value)


def test_mixed_sizes_are_refused_with_the_fix(folder, tmp_path):
    picture(9, 6).save(folder / "7.png")
    with pytest.raises(DataError, match=r"7.png: is 9×6 \(height×width\), the first image is 8×6; pass --size"):
        build(tmp_path / "a.h5", folder)
    assert not (tmp_path / "a.h5").exists()


def test_an_image_smaller_than_the_crop_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="0.png: is 8×6.*less than the crop of 7×7"):
        build(tmp_path / "a.h5", folder, crop=(7, 7))


@pytest.mark.parametrize("content", [b"", b"not an image", encoded(picture(8, 6))[:60]], ids=["empty", "text", "cut"])
def test_an_image_that_does_not_decode_is_named(folder, tmp_path, content):
    (folder / "5.png").write_bytes(content)
    with pytest.raises(DataError, match="source: 5.png: does not decode.*replace it"):
        build(tmp_path / "a.h5", folder, strict=True)


def test_one_that_does_not_decode_among_many_is_left_out_named_and_counted(folder, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("12\nSmiling\n" + "".join(f"{i}.png {1 if i % 3 else -1}\n" for i in range(12)))
    for k in (0, 5):
        (folder / f"{k}.png").write_bytes(b"not an image")
    build(tmp_path / "a.h5", folder, attributes=tmp_path / "list.txt")
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.names == [f"{i}.png" for i in range(12) if i not in (0, 5)]
        assert found.about["skipped"] == {"images": 2, "names": ["0.png", "5.png"]}
        for row, name in enumerate(found.names):
            i = int(name.removesuffix(".png"))
            np.testing.assert_array_equal(found[row], np.asarray(picture(8, 6, i)))
            assert found.attributes["Smiling"][row] == bool(i % 3)
    said = capsys.readouterr().err
    assert said.count("left out: ") == 2 and "5.png: does not decode" in said
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "list.txt", "source"]
    for k in range(12):
        (folder / f"{k}.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match="source: 0.png: does not decode"):
        build(tmp_path / "b.h5", folder, size=(4, 4))


def test_a_build_that_was_interrupted_remembers_what_it_left_out(folder, tmp_path, monkeypatch):
    real, decoded = images._decode, []
    (folder / "1.png").write_bytes(b"not an image")

    def decode(source, name):
        if len(decoded) == 7:
            raise KeyboardInterrupt
        decoded.append(name)
        return real(source, name)

    monkeypatch.setattr(images, "STEP", 2)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(images, "_decode", decode)
        build(tmp_path / "a.h5", folder, size=(8, 6))
    build(tmp_path / "a.h5", folder, size=(8, 6))
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.names == [f"{i}.png" for i in range(12) if i != 1] and found.about["skipped"]["names"] == ["1.png"]
        np.testing.assert_array_equal(found[5], np.asarray(picture(8, 6, 6)))
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "source"]


def one(tmp_path, image, name, **options):
    """What a build makes of a single image."""
    (tmp_path / "one").mkdir()
    image.save(tmp_path / "one" / name)
    build(tmp_path / "one.h5", tmp_path / "one", strict=True, **options)
    with ImageSet(tmp_path / "one.h5") as found:
        return found[0]


@pytest.mark.parametrize("name, dtype", [("a.png", "u2"), ("a.tif", "u2"), ("a.tif", ">u2"), ("a.tif", "i4")])
def test_sixteen_bits_of_grey_keep_their_levels(tmp_path, name, dtype):
    levels = np.arange(256).reshape(16, 16)
    found = one(tmp_path, Image.fromarray((levels * 256 + 100).astype(dtype)), name)
    np.testing.assert_array_equal(found, np.repeat(levels[..., None], 3, 2))


@pytest.mark.parametrize("background, seen", [("white", 255), ("#000000", 0), ("gray", 128)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_transparent_image_stands_on_the_background(tmp_path, mode, background, seen):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = (50, 50, 50, 255)
    found = one(tmp_path, Image.fromarray(pixels).convert(mode), "a.png", background=background)
    assert (found[:2] == 50).all() and (found[2:] == seen).all()
    (tmp_path / "two").mkdir()
    pixels[2:] = (0, 0, 0, 128)
    Image.fromarray(pixels).save(tmp_path / "two" / "half.png")
    build(tmp_path / "two.h5", tmp_path / "two", background=background)
    with ImageSet(tmp_path / "two.h5") as half:
        assert abs(half[0][3, 3, 0].astype(int) - seen * 127 / 255) <= 1


def test_gif_and_tiff_are_images_too_and_numbers_of_no_known_range_are_refused(tmp_path):
    image = picture(8, 6)
    np.testing.assert_array_equal(one(tmp_path, image, "a.tiff"), np.asarray(image))
    (tmp_path / "gif").mkdir()
    image.quantize(16).save(tmp_path / "gif" / "a.gif")
    build(tmp_path / "b.h5", tmp_path / "gif")
    np.testing.assert_array_equal(ImageSet(tmp_path / "b.h5")[0], np.asarray(image.quantize(16).convert("RGB")))
    for values, says in ((np.full((4, 4), 0.5, "f4"), "no known range"), (np.full((4, 4), 2**20, "i4"), "1048576")):
        Image.fromarray(values).save(tmp_path / "gif" / "a.tif")
        with pytest.raises(DataError, match=f"a.tif: does not decode .*{says}.*save it with 8 or 16 bits"):
            build(tmp_path / "c.h5", tmp_path / "gif", strict=True, overwrite=True)


def test_what_systems_leave_beside_pictures_is_no_picture(folder, tmp_path):
    others = [".ipynb_checkpoints/3-checkpoint.png", "__MACOSX/3.png", "sub/._3.png", ".DS_Store", "sub/.hidden/3.png"]
    for name in others:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(picture(8, 6)))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for path in folder.rglob("*.*"):
            if path.is_file():
                file.write(path, path.relative_to(folder))
    for source in (folder, tmp_path / "all.zip"):
        build(tmp_path / "a.h5", source, strict=True, overwrite=True)
        assert ImageSet(tmp_path / "a.h5").names == [f"{i}.png" for i in range(12)]


def test_a_background_that_is_no_colour_is_refused(folder, tmp_path, capsys):
    with pytest.raises(ValueError, match="'plaid' is no colour; give a name"):
        build(tmp_path / "a.h5", folder, background="plaid")
    with pytest.raises(SystemExit):
        main(["build", str(tmp_path / "a.h5"), "--from", str(folder), "--background", "plaid"])
    assert "argument --background: 'plaid' is no colour" in capsys.readouterr().err
    assert main(["build", str(tmp_path / "a.h5"), "--from", str(folder), "--background", "#102030", "--strict"]) == 0


def test_an_empty_or_missing_source_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        build(tmp_path / "a.h5", tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder or zip"):
        build(tmp_path / "a.h5", tmp_path / "missing")


def test_an_existing_file_is_kept_unless_overwritten(folder, tmp_path):
    (tmp_path / "a.h5").write_text("precious")
    with pytest.raises(DataError, match="exists; pass --overwrite"):
        build(tmp_path / "a.h5", folder)
    assert (tmp_path / "a.h5").read_text() == "precious"
    build(tmp_path / "a.h5", folder, overwrite=True)
    assert len(ImageSet(tmp_path / "a.h5")) == 12


@pytest.fixture
def stop_at(monkeypatch):
    """A function that makes the build stop, as if by Ctrl-C, at an image; and a list of the images decoded."""
    real, decoded = images._decode, []
    monkeypatch.setattr(images, "STEP", 2)

    def set_stop(stop):
        def decode(source, name):
            if name == stop:
                raise KeyboardInterrupt
            decoded.append(name)
            return real(source, name)

        decoded.clear()
        monkeypatch.setattr(images, "_decode", decode)
        return decoded

    return set_stop


def test_an_interrupted_build_goes_on_where_it_stopped(folder, tmp_path, stop_at):
    stop_at("7.png")
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "a.h5", folder, size=(4, 4))
    assert sorted(os.listdir(tmp_path)) == ["a.h5.partial", "source"]
    decoded = stop_at(None)
    build(tmp_path / "a.h5", folder, size=(4, 4))
    assert decoded == [f"{i}.png" for i in range(6, 12)]
    build(tmp_path / "b.h5", folder, size=(4, 4))
    assert (tmp_path / "a.h5").read_bytes()[-600:] == (tmp_path / "b.h5").read_bytes()[-600:]
    np.testing.assert_array_equal(ImageSet(tmp_path / "a.h5")[:], ImageSet(tmp_path / "b.h5")[:])
    assert not (tmp_path / "a.h5.partial").exists()


def test_a_build_with_other_settings_does_not_go_on(folder, tmp_path, stop_at):
    stop_at("7.png")
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "a.h5", folder, size=(4, 4))
    decoded = stop_at(None)
    with pytest.raises(DataError, match="a.h5.partial: is left from another source or other settings"):
        build(tmp_path / "a.h5", folder, crop=(4, 4))
    assert len(decoded) == 0
    build(tmp_path / "a.h5", folder, crop=(4, 4), overwrite=True)
    assert len(decoded) == 12


def test_a_build_from_a_changed_source_does_not_go_on(folder, tmp_path, stop_at):
    stop_at("7.png")
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "a.h5", folder)
    picture(8, 6, 99).save(folder / "0.png")
    stop_at(None)
    with pytest.raises(DataError, match="another source"):
        build(tmp_path / "a.h5", folder)


def test_a_damaged_partial_file_is_not_gone_on_with(folder, tmp_path):
    (tmp_path / "a.h5.partial").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="a.h5.partial: is left from.*or is damaged.*delete it"):
        build(tmp_path / "a.h5", folder)


def test_a_killed_build_goes_on(folder, tmp_path):
    child = """
import os, signal, sys
from minigrad.data import images
images.STEP, real = 2, images._decode
def decode(source, name):
    if name == "9.png":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(source, name)
images._decode = decode
images.build(sys.argv[1], sys.argv[2])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    killed = subprocess.run([sys.executable, "-c", child, tmp_path / "a.h5", folder], env=environment)
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "a.h5").exists()
    build(tmp_path / "a.h5", folder)
    np.testing.assert_array_equal(ImageSet(tmp_path / "a.h5")[:], [np.asarray(picture(8, 6, i)) for i in range(12)])


def test_the_command_line(folder, tmp_path, capsys, monkeypatch):
    path = str(tmp_path / "a.h5")
    assert main(["build", path, "--from", str(folder), "--crop", "6", "6", "--size", "4"]) == 0
    out, err = capsys.readouterr()
    assert "12 images, 4×4" in out and err == ""  # no bar without a terminal
    assert main(["info", path]) == 0 and "size: [4, 4]" in capsys.readouterr().out
    assert main(["build", path, "--from", str(folder)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: exists")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "_decode", interrupt)
    assert main(["build", path, "--from", str(folder), "--overwrite"]) == 130
    for wrong in (["--size", "0"], ["--size", "1", "2", "3"], ["--crop", "1", "2", "3"], ["--crop", "square", "5"],
                  ["--limit", "0"], ["--size", "x"]):
        with pytest.raises(SystemExit, match="2"):
            main(["build", path, "--from", str(folder), *wrong])


@pytest.mark.skipif(not os.environ.get("MINIGRAD_DATA"), reason="MINIGRAD_DATA is not set: no real data")
def test_real_faces_build_with_their_attributes(tmp_path):
    real = f"{os.environ['MINIGRAD_DATA']}/celeba-10k"
    names = [f"img_align_celeba/{i:06}.jpg" for i in range(1, 10_001)]
    known = read_attributes(f"{real}/list_attr_celeba.txt", names)
    assert known["Smiling"].sum() == 4822 and known["Eyeglasses"].sum() == 674
    with zipfile.ZipFile(f"{real}/celeba_align_89x109_10000.zip") as whole:
        with zipfile.ZipFile(tmp_path / "some.zip", "w") as some:
            for name in names[:50]:
                some.writestr(name, whole.read(name))
    build(tmp_path / "a.h5", tmp_path / "some.zip", crop=(64, 64), attributes=f"{real}/list_attr_celeba.txt")
    with ImageSet(tmp_path / "a.h5") as found:
        assert found.shape == (50, 64, 64, 3) and found.attributes["Smiling"].tolist() == known["Smiling"][:50].tolist()


def test_a_square_crop_fits_every_image_and_a_limit_takes_the_first(tmp_path):
    from PIL import Image

    for i, (width, height) in enumerate([(9, 5), (4, 8), (6, 6), (20, 3)]):
        pixels = np.zeros((height, width, 3), np.uint8)
        side = min(width, height)
        top, left = (height - side) // 2, (width - side) // 2
        pixels[top:top + side, left:left + side] = 10 * i + 10
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    build(tmp_path / "a.h5", tmp_path, crop="square", size=(8, 8), limit=3)
    with ImageSet(tmp_path / "a.h5") as images:
        assert images.shape == (3, 8, 8, 3) and images.names == ["0.png", "1.png", "2.png"]
        np.testing.assert_array_equal(images[:], np.broadcast_to([[[[10]]], [[[20]]], [[[30]]]], images.shape))
    assert main(["build", str(tmp_path / "b.h5"), "--from", str(tmp_path), "--crop", "square", "--size", "4",
                 "--limit", "2"]) == 0
    assert main(["info", str(tmp_path / "b.h5")]) == 0


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path):
    from PIL import Image

    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, :6] = 255  # white on the left: on top, once it is turned clockwise
    photograph = Image.fromarray(pixels)
    exif = photograph.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    photograph.save(tmp_path / "a.png", exif=exif)
    build(tmp_path / "a.h5", tmp_path)
    with ImageSet(tmp_path / "a.h5") as images:
        assert images.shape == (1, 12, 8, 3)
        assert images[0][:6].min() == 255 and images[0][6:].max() == 0


def test_a_zip_member_without_a_name_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"")
    with pytest.raises(DataError, match="a.zip: ''"):
        build(tmp_path / "a.h5", tmp_path / "a.zip", size=(4, 4))


BUILD = """
import sys, time
from pathlib import Path
from minigrad.data import images
prepare = images._prepare
def patiently(*args):
    while not Path("go").exists():
        time.sleep(0.01)
    return prepare(*args)
images._prepare = patiently
images.build("both.h5", "pictures", overwrite=sys.argv[1] == "overwrite")
"""


@pytest.mark.parametrize("how", ["overwrite", "once"])
def test_two_builds_of_one_file_take_turns(tmp_path, how):
    pytest.importorskip("fcntl")
    (tmp_path / "pictures").mkdir()
    for k in range(12):
        Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(tmp_path / f"pictures/{k}.png")

    def start():
        return subprocess.Popen([sys.executable, "-c", BUILD, how], cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    first = start()
    while not (tmp_path / "both.h5.partial").exists():  # it has the lock
        assert first.poll() is None
        time.sleep(0.01)
    second = start()
    assert "waiting for another process" in second.stderr.readline()
    (tmp_path / "go").touch()
    said = first.communicate(timeout=600)[1], second.communicate(timeout=600)[1]
    assert first.returncode == 0, said
    assert second.returncode == 0 if how == "overwrite" else "exists; pass --overwrite" in said[1], said
    with ImageSet(tmp_path / "both.h5") as found:
        assert [int(image[0, 0, 0]) for image in found[:]] == list(range(12))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.h5", "go", "pictures"]
