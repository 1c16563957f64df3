"""The HTML page, in a browser: Debian's package `chromium`, or Chrome."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from test_trace_reports import ROWS, written

import mpsops
from mpsops import Trace

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(BROWSER is None, reason="no browser: Debian's package chromium has one")
# preferredColorScheme of Blink.
DARK, LIGHT = 0, 1


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "trace.html"
    Trace.from_json(written()).to_html(path)
    return path


def chromium(page: Path, *options: str, scheme: int = LIGHT) -> str:
    assert BROWSER is not None
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                BROWSER,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--blink-settings=preferredColorScheme={scheme}",
                "--window-size=1200,900",
                *options,
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return done.stdout


def with_script(page: Path, script: str) -> Path:
    """The page after `script`, which runs behind its own."""
    text = page.read_text().replace("</body>", f"<script>{script}</script></body>")
    page.write_text(text)
    return page


def test_page_is_self_contained(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"https?:|src=|@import|url\(", text)
    assert text.count("<svg") == 1 + len({(row.op, row.place) for row in ROWS})


def test_text_is_escaped(page: Path) -> None:
    assert "&lt;b|c&gt;.py:1" in page.read_text()
    assert "<b|c>" not in page.read_text()


def test_notebook_has_picture_and_table_without_script() -> None:
    html = Trace.from_json(written())._repr_html_()
    assert '<svg class="map"' in html
    assert "<script" not in html
    assert html.count("<tr>") == 1 + len(ROWS)


def test_a_long_notebook_table_is_cut() -> None:
    trace = mpsops.trace()
    trace._recorded = (
        [ROWS[0].__class__(f"aten::op{i}", "stock", "", 0, False, 1, 1e-3, 0) for i in range(30)],
        0,
        1,
    )
    assert trace._repr_html_().count("<tr>") == 26
    assert "5 more rows" in trace._repr_html_()


@browser
def test_a_click_sorts(page: Path) -> None:
    def order(clicks: str) -> list[str]:
        text = chromium(with_script(page, clicks), "--dump-dom")
        return re.findall(r"<tr><td><code>([^<]+)", text)

    assert order("")[0] == "take"
    assert order("heads[3].click()")[0] == "add.Tensor"
    assert order("heads[3].click()")[-1] == "add.Tensor"
    assert order("heads[0].click()")[0] == "add.Tensor"


@browser
def test_boxes_lie_inside_the_picture(page: Path) -> None:
    script = """
        const frame = document.querySelector(".map").getBoundingClientRect();
        const areas = [...document.querySelectorAll(".map rect")].map((r) => r.getBoundingClientRect());
        const inside = areas.every((a) => a.left >= frame.left - 1 && a.right <= frame.right + 1
            && a.top >= frame.top - 1 && a.bottom <= frame.bottom + 1 && a.width > 0 && a.height > 0);
        const sum = areas.reduce((all, a) => all + a.width * a.height, 0) / (frame.width * frame.height);
        const wide = document.documentElement.scrollWidth > innerWidth;
        document.title = `${inside} ${Math.abs(sum - 1) < 0.01} ${wide}`;
    """
    assert "<title>true true false</title>" in chromium(with_script(page, script), "--dump-dom")


@browser
def test_light_and_dark(page: Path, tmp_path: Path) -> None:
    """Text can be read on its background: contrast as in WCAG 2, AA."""
    script = """
        const luminance = (css) => {
          const part = css.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255);
          const linear = part.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
          return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        };
        const contrast = (a, b) => {
          const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
          return (x + 0.05) / (y + 0.05);
        };
        const page = getComputedStyle(document.body);
        const cells = [...document.querySelectorAll(".map svg")].filter((cell) => cell.querySelector("text"));
        const worst = Math.min(...cells.map((cell) => contrast(
            getComputedStyle(cell.querySelector("text")).fill,
            getComputedStyle(cell.querySelector("rect")).fill)));
        document.title = [page.backgroundColor, contrast(page.color, page.backgroundColor) > 7, worst > 4.5,
            cells.length > 3].join(" ");
    """
    with_script(page, script)
    titles = []
    pictures = []
    for scheme in (LIGHT, DARK):
        text = chromium(page, "--dump-dom", scheme=scheme)
        titles += re.findall(r"<title>(rgb[^<]*)</title>", text)
        picture = tmp_path / f"{scheme}.png"
        chromium(page, f"--screenshot={picture}", scheme=scheme)
        pictures.append(picture.read_bytes())
    assert titles == ["rgb(251, 251, 250) true true true", "rgb(20, 23, 27) true true true"]
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 10_000 for picture in pictures)
    assert pictures[0] != pictures[1]
