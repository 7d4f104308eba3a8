"""What holds for every chapter: short, told apart, its help fits, its words agree with the README's."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

import gans
from gans.__main__ import CHAPTERS, command

FOLDER = Path(gans.__file__).parent
README = (FOLDER.parent / "README.md").read_text()
PAGE = (FOLDER.parent / "docs" / "demos.md").read_text()
LONGEST = 150  # lines of a chapter
WITHOUT_GENERATOR = {"xy", "ideal", "classifier", "latent", "inspect"}  # what they train is no generator of samples
MACHINERY = sorted(str(path.relative_to(FOLDER / "machinery").with_suffix(""))
                   for path in (FOLDER / "machinery").rglob("*.py"))


def source(name):
    return (FOLDER / f"{name}.py").read_text()


def test_gans_holds_the_chapters_and_a_few_doors_and_everything_else_is_machinery():
    doors = {"__init__", "__main__", "apply", "measure", "monitor", "report", "sample"}
    assert {path.stem for path in FOLDER.glob("*.py")} == {*CHAPTERS, *doors}
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {"machinery", "hub"}
    assert {path.name for path in (FOLDER / "hub").glob("*.py")} == {"__init__.py", "__main__.py"}
    for name in CHAPTERS:
        found = set(dir(importlib.import_module(f"gans.{name}")))
        assert {"demo", "QUICK"} <= found and ("generator" in found) == (name not in WITHOUT_GENERATOR)
    for name in MACHINERY:
        assert "def demo(" not in source(f"machinery/{name}")


def test_the_first_page_of_the_machinery_places_every_file_once():
    listed = re.findall(r"[\w/]+(?:\.py|/)(?=[ :])", gans.machinery.__doc__)
    assert sorted(listed) == sorted({name.split("/")[0] + ("/" if "/" in name else ".py")
                                     for name in MACHINERY if name != "__init__"})


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_is_a_page_that_tells_what_to_look_at_and_what_to_try(name):
    text = source(name)
    assert text.count("\n") <= LONGEST
    doc = ast.get_docstring(ast.parse(text))
    assert "What to look at: " in doc and ("What to try: " in doc or name == "dcgan")
    assert re.search(r"# \(N, ", text), "the shape stands behind a layer"


def test_no_function_stands_in_two_files():
    seen = {}
    for path in [*FOLDER.glob("*.py"), *(FOLDER / "machinery").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and len(node.body) > 1:
                node.name = ""
                where = seen.setdefault(ast.dump(node), path)
                assert where == path, f"line {node.lineno} of {path} is in {where}, too"


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_help_of_a_demo_fits_a_screen(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"gans.{name}").demo(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0 and max(map(len, lines)) <= 80 and len(lines) <= 48
    assert lines[0] == f"usage: python -m gans.{name} [options]" and lines[-1] == f"gans/{name}.py tells more."
    assert "None" not in "\n".join(lines)


@pytest.mark.parametrize("name", CHAPTERS)
def test_times_in_a_demos_words_are_the_readmes(name):
    found = re.findall(r"(?:about |in )?(\d+ (?:seconds|minutes))", ast.get_docstring(ast.parse(source(name))))
    assert all(time in README for time in found), found


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_demo_stands_in_the_readme_and_on_the_page_of_the_demos(name):
    assert f"python -m gans.{name}" in README
    assert f"python -m gans.{name}" in PAGE and re.search(rf"^## .*gans\.{name}", PAGE, re.M)
    section = re.search(rf"^## .*gans\.{name}.*?(?=^## |\Z)", PAGE, re.M | re.S)[0]
    for part in ("![", "**Look for**", "**Change**", "**Source**", "| "):
        assert part in section, part


def test_the_demos_are_listed_in_the_storys_order_with_their_first_line(capsys):
    assert command([]) == 0
    out = capsys.readouterr().out
    titles = [source(name).splitlines()[0].strip('"') for name in CHAPTERS]
    places = [out.index(f"  python -m gans.{name:<12} {title}") for name, title in zip(CHAPTERS, titles)]
    assert places == sorted(places) and "python -m gans.sample RUN" in out
    assert "python -m gans.measure RUN" in out


@pytest.mark.parametrize("argument, says", [
    ("mnist", "there is no 'mnist' to run like this: python -m gans.mnist runs a demo"),
    ("mnits", "unknown: 'mnits'; python -m gans lists the demos"), ("--quick", "--quick and --out go with --check-all"),
    ("--chekc", "unrecognized arguments: --chekc")])
def test_what_cannot_be_listed_is_refused_in_one_line(capsys, argument, says):
    with pytest.raises(SystemExit) as ended:
        command([argument])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and err.startswith("python -m gans: error: ") and says in err and err.count("\n") == 1


TOY = '''
import sys
QUICK = "--easy"
ARGUMENTS = sys.argv[1:]
if __name__ == "__main__":
    print("data: drawn")
    print("PASS one figure 0.5 >=0.1" if "{name}" != "broken" else "error: no such thing")
    print("FAIL another figure 3 <=2" if "--easy" not in ARGUMENTS else "PASS another figure 1 <=2")
    print("next: nothing", ARGUMENTS)
    sys.exit(2 if "{name}" == "broken" else 1 - ("--easy" in ARGUMENTS))
'''


@pytest.mark.parametrize("names, quick, status", [(["good"], True, 0), (["good"], False, 1),
                                                  (["good", "broken"], True, 1)])
def test_check_all_prints_one_table_and_fails_if_one_fails(tmp_path, monkeypatch, capsys, names, quick, status):
    (tmp_path / "gans").mkdir()
    (tmp_path / "gans" / "__init__.py").touch()
    for name in names:
        (tmp_path / "gans" / f"{name}.py").write_text(TOY.replace("{name}", name))
    monkeypatch.setattr("gans.__main__.CHAPTERS", names)
    monkeypatch.setattr(gans, "__path__", [*gans.__path__, str(tmp_path / "gans")])
    monkeypatch.chdir(tmp_path)  # where python -m looks first
    assert command(["--check-all", *(["--quick"] if quick else []), "--out", str(tmp_path / "runs")]) == status
    out = capsys.readouterr().out
    assert "PASS  good         one figure                              0.5  >=0.1" in out
    assert (f"{'PASS' if quick else 'FAIL'}  good         another figure                            "
            f"{1 if quick else 3}  <=2") in out
    assert f"good         {2 if quick else 1} of 2 in " in out
    assert ("FAIL  broken" in out) == ("broken" in names)
    passed = 1 if quick else 0
    assert out.splitlines()[-1].startswith(f"{passed} of {len(names)} demos pass")


@pytest.mark.parametrize("name", [name for name in MACHINERY if re.search(">>> [^#]", source(f"machinery/{name}"))])
def test_the_examples_in_docstrings_are_right(name):
    module = importlib.import_module(f"gans.machinery.{name.replace('/', '.')}")
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed
