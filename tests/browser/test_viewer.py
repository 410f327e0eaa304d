"""The film itself: full depth, ruler, turns, maps of each disease, the ratio's lines."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from diagnosis.models import Analysis
from ml.imaging.write import to_dicom
from tests.accounts.factories import make_nurse, make_physician
from tests.diagnosis.factories import draw_png, make_analysis, make_film, make_result

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SignIn = Callable[[User], None]
GREYS = """() => {
  const canvas = document.querySelector('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const greys = [];
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) greys.push(data[i]);
  return { mean: greys.reduce((a, b) => a + b, 0) / greys.length, levels: new Set(greys).size };
}"""


def open_film(page: Page, analysis: Analysis) -> None:
    page.goto(f"/films/{analysis.film_id}/")
    page.wait_for_selector("canvas[data-painted]")


def smooth_film() -> Any:
    """A drawn chest of 14 bits, so smooth that 8 bits show its steps."""
    from ml.imaging.phantom import draw_phantom

    return to_dicom(draw_phantom(5, 900).film, name="Nobody", patient_id="")


@pytest.mark.parametrize("webgl", [True, False], ids=["WebGL2", "plain canvas"])
def test_full_depth_follows_the_picture_without_a_jump(
    page: Page, signed_in: SignIn, read_films: Callable[[], int], webgl: bool
) -> None:
    film = make_film(data=smooth_film(), format="dicom", width=900, height=900, bits=14)
    analysis = make_analysis(film, release="tiny")
    read_films()
    if not webgl:
        page.add_init_script(
            """const own = HTMLCanvasElement.prototype.getContext;
            HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
              return kind === "webgl2" ? null : own.call(this, kind, ...rest); };"""
        )
    held: list[Route] = []
    page.route("**/depth/", lambda route: held.append(route))  # noqa: PLW0108
    signed_in(make_physician())
    open_film(page, analysis)
    page.keyboard.press("b")
    page.wait_for_timeout(300)
    assert page.locator("canvas").get_attribute("data-depth") == "8"
    shallow = page.evaluate(GREYS)
    held[0].continue_()
    page.wait_for_selector("canvas[data-depth='16']")
    page.wait_for_timeout(300)
    deep = page.evaluate(GREYS)
    assert abs(deep["mean"] - shallow["mean"]) < 1
    page.locator("canvas").focus()
    for _ in range(32):  # the narrowest window: one step of 8 bits fills it
        page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_timeout(300)
    assert page.evaluate(GREYS)["levels"] > 32


def test_the_ruler_measures_in_mm_where_the_spacing_is_known(page: Page, signed_in: SignIn) -> None:
    film = make_film(width=1000, height=1250, pixel_spacing_mm=[0.2, 0.4])
    signed_in(make_physician())
    open_film(page, make_result(film))
    page.keyboard.press("r")
    expect(page.locator("[data-said]")).to_have_text("Length at the detector.")
    lengths = page.evaluate(
        """async () => {
          const { Viewer } = await import(document.querySelector('script[src*=film_page]').src
            .replace(/film_page[^/]*$/, 'viewer/viewer.js'));
          const read = Viewer.prototype.measure;
          const [width, height] = document.querySelector('[data-viewer]').dataset.mm.split(' ');
          const extent = { mm: [Number(width), Number(height)] };
          return [read.call({ extent }, [0, 0, 1, 0]), read.call({ extent }, [0, 0, 0, 1])]; }"""
    )
    assert [(one["length"], one["unit"]) for one in lengths] == [(400, "mm"), (250, "mm")]
    page.keyboard.press("r")
    expect(page.locator("[data-said]")).to_have_text("")


def test_without_spacing_the_ruler_says_that_it_counts_pixels(
    page: Page, signed_in: SignIn
) -> None:
    signed_in(make_nurse())
    open_film(page, make_result())
    page.get_by_role("button", name="Ruler").click()
    expect(page.locator("[data-said]")).to_contain_text("Pixel spacing not known")


def test_four_turns_lead_back(page: Page, signed_in: SignIn) -> None:
    signed_in(make_nurse())
    open_film(page, make_result())
    page.wait_for_selector("[data-viewer]:not([data-loading])")
    seen = []
    for _ in range(5):
        page.wait_for_timeout(120)
        seen.append(page.evaluate("document.querySelector('canvas').toDataURL()"))
        page.keyboard.press("t")
    assert seen[0] == seen[4]
    assert len(set(seen)) == 4


def test_each_finding_shows_where_the_network_looked_for_it(page: Page, signed_in: SignIn) -> None:
    signed_in(make_nurse())
    open_film(page, make_result())
    seen = []
    for code in ("Pneumothorax", "Effusion"):
        button = page.locator(f".finding-list button[data-disease={code}]")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator("[data-legend-of]")).to_have_text(f"where it looked for {code}:")
        page.wait_for_timeout(120)
        seen.append(page.evaluate("document.querySelector('canvas').toDataURL()"))
    assert len(set(seen)) == 2
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_the_ratio_is_drawn_as_its_two_lines(page: Page, signed_in: SignIn) -> None:
    signed_in(make_nurse())
    open_film(page, make_result())
    before = page.evaluate("document.querySelector('canvas').toDataURL()")
    page.keyboard.press("l")
    expect(page.locator("button[data-layer=anatomy]")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(120)
    assert page.evaluate("document.querySelector('canvas').toDataURL()") != before
    words = page.locator("[data-line=heart]").get_attribute("data-words")
    assert words == "heart 0.47 of the chest's width"


def test_a_page_weighs_little_without_its_film(page: Page, signed_in: SignIn) -> None:
    sizes: dict[str, int] = {}
    page.on("requestfinished", lambda r: sizes.update({r.url: r.sizes()["responseBodySize"]}))
    signed_in(make_physician())
    open_film(page, make_result())
    page.wait_for_timeout(500)
    kept = {url: size for url, size in sizes.items() if not ("/images/" in url or "/depth/" in url)}
    assert 20_000 < sum(kept.values()) <= 200_000, kept


def test_a_quick_read_needs_one_drop(
    page: Page, signed_in: SignIn, read_films: Callable[[], int], tmp_path: Any
) -> None:
    from diagnosis import quick_reading
    from ml.imaging.synthetic import sample_film
    from ml.imaging.write import to_png

    path = tmp_path / "film.png"
    path.write_bytes(to_png(sample_film(3, 512)))
    signed_in(make_nurse())
    page.goto("/quick/")
    page.locator("[type=file]").set_input_files(path)
    expect(page.locator("#quick")).to_contain_text("Reading the film")
    assert quick_reading.answer_next()
    page.wait_for_selector("canvas[data-painted]")
    verdict = page.locator(".quick-verdict").inner_text()
    expect(page.locator("#say")).to_contain_text("Probability of pneumonia")
    assert any(word in verdict for word in ("PNEUMONIA", "NORMAL"))
    expect(page.locator("[data-overlay]")).to_have_attribute("aria-pressed", "true")
    jet = page.evaluate("document.querySelector('canvas').toDataURL()")
    page.get_by_role("button", name="VIRIDIS").click()
    page.wait_for_timeout(120)
    assert page.evaluate("document.querySelector('canvas').toDataURL()") != jet


def test_a_quick_read_that_loses_the_line_keeps_its_film(
    page: Page, signed_in: SignIn, release: str, tmp_path: Any
) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(draw_png())
    signed_in(make_nurse())
    page.goto("/quick/")
    page.context.set_offline(True)
    page.locator("[type=file]").set_input_files(path)
    expect(page.get_by_role("alert")).to_contain_text("The film is still chosen here")
    expect(page.get_by_role("button", name="Read it")).to_be_focused()
    page.context.set_offline(False)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/quick/[0-9a-f-]{36}/$"))


def test_a_refused_file_is_said_on_the_page_which_takes_the_next(
    page: Page, signed_in: SignIn, release: str, tmp_path: Any
) -> None:
    wrong, right = tmp_path / "film.png", tmp_path / "other.png"
    wrong.write_bytes(b"no film")
    right.write_bytes(draw_png())
    signed_in(make_nurse())
    page.goto("/quick/")
    page.locator("[type=file]").set_input_files(wrong)
    expect(page.locator(".notice[role=alert]").first).to_be_focused()
    page.locator("[type=file]").set_input_files(right)
    expect(page).to_have_url(re.compile(r"/quick/[0-9a-f-]{36}/$"))
