"""report.html: well formed, alone with itself, true to the run; and, where there is a Chromium, as a reader sees it."""

import base64
import importlib
import io
import json
import re
import shutil
import signal
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gans import dcgan, mnist, pattern1010
from gans.machinery import folder, log, report, run, svg

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """What stands in a page; AssertionError for an element that is not closed, or not where it was opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.images, self.words, self.tags = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("src", "href", "action", "data", "poster") if name in attributes]
        self.images += [attributes["src"]] if tag == "img" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data):
        self.words.append(data)


def page_of(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.startswith("data:") for link in page.links), "nothing is fetched from anywhere"
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    for name in re.findall(r'getElementById\("(.*?)"\)', text):
        assert name in page.ids or name in ("step", "play", "shown") and "step" not in page.ids
    for uri in page.images:
        kind, content = re.fullmatch(r"data:image/(\w+);base64,(.*)", uri).groups()
        with Image.open(io.BytesIO(base64.b64decode(content, validate=True))) as image:
            image.load()
            assert image.format.lower() == kind
    for tag, attributes in page.tags:
        for name in ("points", "x", "y", "x1", "y1", "width"):
            if tag in ("polyline", "rect", "line"):
                assert "nan" not in attributes.get(name, "") and "inf" not in attributes.get(name, "")
    return page, " ".join(" ".join(page.words).split())


def test_a_finished_run_is_reported_on_one_page(there, capsys):
    mnist.demo(["--batch", "8", "--steps", "120", "--out", "r", "--check"])
    assert "r/report.html" in capsys.readouterr().out
    page, words = page_of(there / "r" / "report.html")
    config, rows = folder.read("r"), log.read("r/log.jsonl")
    steps = [int(attributes["data-step"]) for tag, attributes in page.tags if "data-step" in attributes]
    assert len(steps) == report.FRAMES < len([*(there / "r" / "samples").glob("*.png")])
    assert len(page.images) == len(steps) + 1 and "Seeds" in words, "and seeds.png"
    assert steps == sorted(steps) and (steps[0], steps[-1]) == (1, 120)
    again = f"python -m gans.mnist --data {config['data']} --steps 120 --batch 8"  # what "auto" became
    for wanted in ("gans.mnist, seed 1", "120 of 120 steps", again, config["numpy"], "Losses", "D(G(z))",
                   "Gradient norms", "ln 2 = 0.693: D answers 0.5", "penalty", "mean top probability", "frechet",
                   "None of the fifteen failures that it knows"):
        assert wanted in words, wanted
    checked = [row for row in rows if row.get("event") == "checked"]
    assert len(checked) >= 4 and all(f"{row['value']:.4g}" in words for row in checked)
    digest = json.loads(next((there / "r" / "checkpoint").glob("step-00000120.json")).read_text())["tensors"]["sha256"]
    assert digest in words
    assert config["command"] == "python -m gans.mnist --steps 120 --batch 8"


def test_verdicts_stand_on_the_time_line_and_behind_the_losses(there):
    pattern1010.demo(["--steps", "200", "--out", "r"])
    with open("r/log.jsonl", "a") as file:
        file.write('{"step": 200, "loss": {"d_real": null}}\n{"step": 200, "event": "stopped", "name": "d_real", '
                   '"value": "nan"}\n')
    page, words = page_of(report.write("r"))
    assert "not a number : loss.d_real became NaN or infinite. Try: --anomaly" in words
    assert "stopped, as d_real became nan" in words
    bands = [attributes for tag, attributes in page.tags if tag == "rect" and attributes["class"] == "band"]
    bars = [attributes for tag, attributes in page.tags if tag == "rect" and attributes["class"] == "bar"]
    assert len(bars) == 1 and len(bands) == 3


def test_measures_stand_beside_their_floor(there, monkeypatch):
    from gans import face

    monkeypatch.setattr(face, "COMPARED", 20)
    face.demo(["--data", "synthetic-faces", "--size", "16", "--batch", "8", "--steps", "20", "--out", "r"])
    measured = {name: value for row in log.read("r/log.jsonl") for name, value in row.get("measure", {}).items()}
    _, words = page_of(there / "r" / "report.html")
    assert f"sliced_wasserstein {measured['sliced_wasserstein']:.4g} {measured['floor']:.4g} 20" in words


def test_large_pictures_are_kept_small(there, monkeypatch):
    monkeypatch.setattr(report, "LARGE", 1000)
    dcgan.demo(["--data", "synthetic-faces", "--size", "16", "--width", "2", "--batch", "8", "--steps", "4",
                "--out", "r"])
    page, _ = page_of(there / "r" / "report.html")
    assert page.images and all(uri.startswith("data:image/jpeg") for uri in page.images)


def test_figures_that_are_no_numbers_are_called_so(tmp_path):
    made = tmp_path / "r"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"demo": "mnist", "seed": 1, "steps": 9}))
    (made / "log.jsonl").write_text(
        '{"step": 3, "loss": {"g": null}, "D": {"as": "logits", "real": null}, "measure": {"distance": null}}\n'
        '{"step": 9, "event": "checked", "name": "share", "value": null, "passed": false, "threshold": "<1"}\n')
    _, words = page_of(report.write(made))
    assert "distance no number 3" in words and "share no number <1 fail" in words
    assert "Step 3: not a number : loss.g became NaN or infinite" in words


def test_a_run_of_the_time_before_there_was_a_log_is_reported_by_its_losses(tmp_path):
    shutil.copytree(Path(__file__).parent / "run-0.1.0", tmp_path / "r")
    page, words = page_of(report.write(tmp_path / "r"))
    assert "Losses" in words and {"d_real", "d_fake", "g"} <= set(words.split())
    assert any(tag == "polyline" for tag, _ in page.tags)


@pytest.mark.parametrize("chapter, options, wanted", [
    ("xy", ["--steps", "3"], "On the way"), ("classifier", ["--data", "synthetic", "--steps", "60"], "Ladder"),
    ("ideal", ["--steps", "3"], "On the way")])
def test_what_is_no_gan_is_reported_without_what_only_a_gan_has(there, capsys, chapter, options, wanted):
    importlib.import_module(f"gans.{chapter}").demo([*options, "--out", "r"])
    page, words = page_of(there / "r" / "report.html")
    assert page.images and wanted in words and "Always of the same seeds" not in words
    assert f"{options[-1]} of {options[-1]} steps" in words
    said = "most take more than 3 steps to be seen" if chapter == "ideal" else "Nothing is NaN; its other signs"
    assert said in words and said.lower() in capsys.readouterr().out.lower()


def test_a_run_that_was_killed_is_reported_by_the_command(there, capsys, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(self, step, *_):
        if step == 30:
            raise Killed

    monkeypatch.setattr(run.Run, "look", kill)
    with pytest.raises(Killed):
        mnist.demo(["--batch", "8", "--steps", "120", "--out", "r"])
    shutil.rmtree("r/checkpoint")  # it had not been saved either
    assert report.main(["r"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote r/report.html"
    _, words = page_of(there / "r" / "report.html")
    assert "30 of 120 steps; still training, or killed" in words and "No picture was kept." in words


def test_a_run_that_was_interrupted_is_reported_on_the_way_out(there, monkeypatch):
    once = run.Run._after

    def after(self, step, *rest):
        if step == 20:
            signal.raise_signal(signal.SIGINT)
        once(self, step, *rest)

    monkeypatch.setattr(run.Run, "_after", after)
    with pytest.raises(SystemExit) as ended:
        pattern1010.demo(["--steps", "100", "--out", "r"])
    assert ended.value.code == 130
    assert "20 of 100 steps; interrupted" in page_of(there / "r" / "report.html")[1]


def test_names_that_look_like_html_are_text(tmp_path):
    made = tmp_path / "r"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"demo": "mnist", "seed": 1, "steps": 9, "data": "<b>&\"'</b>"}))
    (made / "log.jsonl").write_text('{"step": 9, "loss": {"<i>g": 0.5}, "measure": {"</td>": 1}}\n')
    page, words = page_of(report.write(made))
    assert "<b>&\"'</b>" in words and "<i>g" in words and not {"b", "i"} & {tag for tag, _ in page.tags}


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.0, 0.0, 0.0], [-3.0, 5e8, 2.0], [1e-9, 1e-8],
                                    list(np.linspace(-1, 1, 5000))])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_plot_stays_within_its_frame(values, logarithmic):
    text = svg.plot({"a": (range(1, len(values) + 1), values)}, "a title", last=len(values), ideals={"one": 1.0},
                    logarithmic=logarithmic)
    page = Page(text)
    for tag, attributes in page.tags:
        if tag == "circle":
            assert len(values) == 1 and svg.TOP <= float(attributes["cy"]) <= svg.BOTTOM
        if tag == "polyline":
            assert len(values) > 1
            points = [tuple(map(float, point.split(","))) for point in attributes["points"].split()]
            assert len(points) <= svg.POINTS
            assert all(svg.LEFT <= x <= svg.RIGHT and svg.TOP <= y <= svg.BOTTOM for x, y in points)
    assert len(text) < 30_000


def test_means_of_the_last_few_are_those_of_the_last_few():
    values = [*np.random.default_rng(0).random(20)]
    assert svg.smooth(values, 5) == pytest.approx([np.mean(values[max(0, k - 4):k + 1]) for k in range(20)])


# In a browser


@pytest.fixture
def browser(tmp_path):
    """Headless Chromium, which notes what a page asks for and what it complains of."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("there is no Chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=900,1400", f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()


def test_a_reader_moves_the_slider_and_nothing_leaves_the_page(there, browser):
    mnist.demo(["--batch", "8", "--steps", "60", "--out", "r"])
    path = (there / "r" / "report.html").resolve()
    browser.get(path.as_uri())
    shown = lambda: [image.get_attribute("data-step") for image in browser.find_elements("css selector", "#frames img")
                     if image.is_displayed()]
    cursors = lambda: {line.get_attribute("x1") for line in browser.find_elements("css selector", ".cursor")}
    assert shown() == ["60"] and cursors() == {str(svg.RIGHT)}
    slider = browser.find_element("id", "step")
    browser.execute_script("arguments[0].value = 0; arguments[0].dispatchEvent(new Event('input'));", slider)
    assert shown() == ["1"] and browser.find_element("id", "shown").text == "step 1"
    at, = cursors()
    assert float(at) == pytest.approx(svg.LEFT + (svg.RIGHT - svg.LEFT) / 60, abs=0.2)
    sizes = browser.execute_script("return [...document.images].map(i => [i.complete, i.naturalWidth])")
    assert sizes and all(complete and width for complete, width in sizes)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    sent = [message["params"] for entry in browser.get_log("performance")
            if (message := json.loads(entry["message"])["message"])["method"] == "Network.requestWillBeSent"]
    asked = {what["request"]["url"] for what in sent if what["documentURL"] == path.as_uri()}
    assert path.as_uri() in asked and all(url.startswith("data:") for url in asked - {path.as_uri()})
    assert browser.get_log("browser") == []


def test_the_page_is_dark_where_the_reader_prefers_it(there, browser):
    pattern1010.demo(["--steps", "60", "--out", "r"])
    colours = []
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.get((there / "r" / "report.html").resolve().as_uri())
        colours.append(browser.execute_script("const s = getComputedStyle(document.body);"
                                              "return [s.backgroundColor, s.color].map(c => c.match(/\\d+/g)"
                                              ".reduce((a, b) => a + Number(b), 0))"))
    (light_paper, light_ink), (dark_paper, dark_ink) = colours
    assert light_paper > 600 > light_ink + 300 and dark_paper < 200 and dark_ink > 500
