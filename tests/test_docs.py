"""The examples of the documentation are run."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

HOME = Path(minigrad.__file__).parents[1]
PAGE = HOME / "docs" / "testing-gradients.md"


@pytest.fixture
def my_ops(tmp_path, monkeypatch):
    """The file that the page tells to save, importable."""
    text, = re.findall(r"```python file=my_ops\.py\n(.*?)```", PAGE.read_text(), re.S)
    (tmp_path / "my_ops.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_ops", raising=False)
    return tmp_path


def test_the_examples_on_testing_gradients_do_what_they_say(my_ops):
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert failed == 0 and tried > 15


@pytest.mark.parametrize("op, status, says", [("Softsign", 0, "17 of 18"), ("Careless", 1, "FAIL  gradient")])
def test_the_commands_on_testing_gradients_do_what_they_say(my_ops, op, status, says):
    command, = re.findall(rf"^python (-m minigrad.testing my_ops:{op}[^#\n]*)", PAGE.read_text(), re.M)
    done = subprocess.run([sys.executable, *command.replace('"', "").split()], cwd=my_ops, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(HOME)})
    assert done.returncode == status, done.stdout + done.stderr
    assert says in done.stdout or "18 of 18" in done.stdout and status == 0  # on a machine with a GPU


def test_what_the_pages_name_is_there():
    for page in (HOME / "docs").glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
