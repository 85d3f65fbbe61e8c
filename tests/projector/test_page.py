"""The page itself, in a headless browser."""

import csv
import itertools
import threading

import numpy as np
import pytest

from tests.browser import Opened
from treesent.projector import MapOptions, project
from treesent.projector.codec import quantise, unit_rows
from treesent.projector.layouts import lay_out
from treesent.projector.map import write
from treesent.projector.points import Points
from treesent.projector.serve import make_server
from treesent.vectors.table import VectorTable

N_WORDS = 600
OPTIONS = MapOptions(sentiment="none", n_clusters=5, title="A map")


def _words():
    """Distinct names, some of which would harm a careless page."""
    odd = ["<b>bold</b>", "</script>", 'say "so"', "naïve", "日本", "emoji 😀", "semi-final", "a,b"]
    stems = [f"{a}{b}{c}" for a, b, c in itertools.product("bdfgklmnprst", "aeiou", "lmnrstxyzk")]
    return (*stems[: N_WORDS - len(odd)], *odd)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 24))
    matrix = 1.5 * centres[rng.integers(0, 5, N_WORDS)] + rng.normal(size=(N_WORDS, 24))
    return VectorTable(_words(), matrix.astype(np.float32))


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    return project(table, tmp_path_factory.mktemp("page") / "map.html", options=OPTIONS)


@pytest.fixture(scope="module")
def compared(table, tmp_path_factory):
    after = table.dense().copy()
    after[11] = 3 * after[200]
    second = VectorTable(table.words, after)
    return project(table, tmp_path_factory.mktemp("page") / "compared.html", second, OPTIONS)


READY = "async () => { window.app = await projector.ready; }"


@pytest.fixture
def open_page(browser):
    opened = []

    def open_(path, fragment="", **settings):
        address = path if isinstance(path, str) else path.as_uri()
        opened.append(Opened(browser, address + fragment, READY, **settings))
        return opened[-1]

    yield open_
    for one in opened:
        assert one.faults == []
        one.context.close()


@pytest.fixture
def page(open_page, file):
    return open_page(file)


# -- one file, and something in it


def test_nothing_is_requested_beyond_the_file(page, file):
    page("() => { app.search('bal'); app.setView('pca3d'); }")
    page.page.wait_for_timeout(200)
    assert page.requests == [file.as_uri()]


def test_a_served_page_requests_itself_alone(open_page, file):
    server = make_server(file.read_bytes())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        opened = open_page(address)
        opened.page.wait_for_timeout(200)
        assert opened.requests == [address]
        opened.page.goto("about:blank")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_policy_forbids_requests(page):
    refused = page("() => fetch('https://example.org/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    page.faults.clear()  # the browser reports what the policy stopped


COLOURS = """() => {
  const { data } = app.context.getImageData(0, 0, app.canvas.width, app.canvas.height);
  const seen = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    seen.set(colour, (seen.get(colour) ?? 0) + 1);
  }
  const ground = Math.max(...seen.values());
  return { kinds: seen.size, ground, pixels: data.length / 4, first: [...data.slice(0, 3)] };
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["pca", "pca3d"])
def test_pixels_are_not_blank(open_page, file, theme, view):
    opened = open_page(file, f"#view={view}", color_scheme=theme)
    found = opened(COLOURS)
    assert found["kinds"] > 100
    assert 0.5 < found["ground"] / found["pixels"] < 0.99
    assert sum(found["first"]) > 700 if theme == "light" else sum(found["first"]) < 120


def test_names_arrive_as_they_were(page, table):
    assert page("() => app.names") == list(table.words)
    page("() => app.select(app.find('<b>bold</b>'), false)")
    assert page.page.inner_text("#panel h2") == "<b>bold</b>"


# -- vectors


def test_neighbours_are_numpys(page, table):
    coded = quantise(table.dense()).rows()
    unit = unit_rows(coded)
    for word in ("bal", "semi-final", "日本"):
        row = table.row(word)
        cosine = unit @ unit[row]
        cosine[row] = -2
        expected = np.argsort(-cosine, kind="stable")[:10]
        found = page("(word) => projector.neighbours(word, 10)", word)
        assert [name for name, _ in found] == [table.words[i] for i in expected]
        np.testing.assert_allclose([value for _, value in found], cosine[expected], atol=1e-5)


def test_neighbours_are_those_of_the_floats(page, table):
    unit = unit_rows(table.dense())
    shared = 0
    for row in range(0, N_WORDS, 7):
        cosine = unit @ unit[row]
        cosine[row] = -2
        exact = {table.words[i] for i in np.argsort(-cosine)[:10]}
        found = page("(word) => projector.neighbours(word, 10)", table.words[row])
        shared += len(exact & {name for name, _ in found})
    assert shared / (10 * len(range(0, N_WORDS, 7))) >= 0.97


def test_analogies_are_gensims(page, table):
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(24)
    vectors.add_vectors(list(table.words), quantise(table.dense()).rows())
    for a, b, c in (("bal", "dex", "fix"), ("gor", "naïve", "日本")):
        expected = vectors.most_similar(positive=[a, c], negative=[b], topn=10)
        found = page("(text) => projector.formula(text)", f"{a} - {b} + {c}")
        assert [name for name, _ in found] == [name for name, _ in expected]
        np.testing.assert_allclose([v for _, v in found], [v for _, v in expected], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "terms", "unknown"),
    [
        ("bal - dex", [("bal", 1), ("dex", -1)], []),
        ("bal-dex+fix", [("bal", 1), ("dex", -1), ("fix", 1)], []),
        ("semi-final + bal", [("semi-final", 1), ("bal", 1)], []),
        ("semi-final", [("semi-final", 1)], []),
        ("- bal + 2 * dex", [("bal", -1), ("dex", 2)], []),
        ("emoji 😀 − bal", [("emoji 😀", 1), ("bal", -1)], []),
        ("BAL", [("bal", 1)], []),
        ("bal - nowhere", [("bal", 1)], ["nowhere"]),
        ("", [], []),
    ],
)
def test_formulas(page, text, terms, unknown):
    found = page("(text) => app.answer(text)", text)
    names = page("() => app.names")
    assert [(names[term["index"]], term["weight"]) for term in found["terms"]] == terms
    assert found["unknown"] == unknown


def test_a_word_without_a_vector_has_no_neighbours(open_page, tmp_path):
    matrix = np.eye(5, dtype=np.float32)
    matrix[2] = 0
    path = write(Points(tuple("abcde"), matrix), tmp_path / "zero.html", "zero", "", OPTIONS)
    opened = open_page(path)
    opened("() => app.select(2, true)")
    assert "zero" in opened.page.inner_text("#panel")
    assert opened("() => projector.neighbours('c')") == []


# -- search


def test_search_completes(page):
    page.page.keyboard.press("/")
    page.page.keyboard.type("ba")
    options = page.page.locator("#options li")
    shown = options.all_inner_texts()
    assert len(shown) == 8
    assert all(text.startswith("ba") for text in shown)
    assert page.page.get_attribute("#query", "aria-expanded") == "true"
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowDown")
    assert page.page.get_attribute("#query", "aria-activedescendant") == "option-1"
    page.page.keyboard.press("Enter")
    assert page.page.inner_text("#panel h2") == shown[1].strip()
    assert page.page.is_hidden("#options")
    assert shown[1].strip() in page.page.inner_text("#live")


def test_search_completes_the_last_term_of_a_formula(page):
    page.page.fill("#query", "bal - dex + fi")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    text = page.page.input_value("#query")
    assert text.startswith("bal - dex + fi")
    assert page("() => app.focus.kind") == "formula"
    assert page("() => app.near.length") == 12


def test_search_says_what_is_not_there(page):
    page.page.fill("#query", "xyzzy")
    page.page.keyboard.press("Enter")
    assert "xyzzy" in page.page.inner_text("#toast")
    page.page.fill("#query", "bal - xyzzy")
    page.page.keyboard.press("Enter")
    assert "“xyzzy” is not on this map" in page.page.inner_text("#panel")


# -- layouts


def test_layouts_are_those_that_were_computed(page, table):
    (layout,) = lay_out(Points(tuple(table.words), table.dense()))
    places = np.array(page("() => [...app.layouts[0].places]")).reshape(-1, 3)
    np.testing.assert_allclose(places, layout.places, atol=2e-5)


def test_every_view_is_a_button(page):
    titles = page.page.locator("#views button").all_inner_texts()
    assert titles == ["PCA 2D", "PCA 3D", "Axes"]
    for title in titles:
        page.page.get_by_role("radio", name=title).click()
        assert page("() => app.view.title") == title
        page("() => { app.stale = true; app.draw(); }")
        assert page.page.locator("#views [aria-checked=true]").inner_text() == title


def test_passage_is_animated(open_page, file):
    opened = open_page(file)
    opened("() => { app.still = false; app.setAxes('bal - dex', 'fix'); }")
    opened.page.wait_for_timeout(120)
    middle = opened("() => Boolean(app.flight?.places)")
    opened.page.wait_for_function("() => !app.flight")
    assert middle
    assert opened("() => app.places.every((value, at) => value === app.view.layout.places[at])")


def test_drag_moves_in_two_dimensions_and_turns_in_three(page):
    def drag():
        page.page.mouse.move(600, 600)
        page.page.mouse.down()
        page.page.mouse.move(680, 640, steps=4)
        page.page.mouse.up()

    page("() => app.setView('pca')")
    before = page("() => ({ ...app.camera })")
    drag()
    after = page("() => ({ ...app.camera })")
    assert (after["x"] - before["x"]) * after["scale"] == pytest.approx(-80)
    assert (after["y"] - before["y"]) * after["scale"] == pytest.approx(40)
    page("() => app.setView('pca3d')")
    before = page("() => ({ ...app.camera })")
    drag()
    after = page("() => ({ ...app.camera })")
    assert after["yaw"] != before["yaw"]
    assert after["x"] == before["x"]


def test_the_wheel_zooms_about_the_pointer(page):
    page("() => app.setView('pca')")
    where = """() => {
      const { x, y, scale, middle } = app.camera;
      return [x + (500 - middle[0]) / scale, y - (300 - middle[1]) / scale];
    }"""
    before, scale = page(where), page("() => app.camera.scale")
    page.page.mouse.move(500, 300)
    page.page.mouse.wheel(0, -300)
    page.page.wait_for_function("(scale) => app.camera.scale > scale", arg=scale)
    np.testing.assert_allclose(page(where), before, atol=1e-6)


def test_axes_are_cosines(page, table):
    page("() => app.setAxes('bal - dex', 'fix')")
    unit = unit_rows(quantise(table.dense()).rows())
    rows = [unit[table.row(word)] for word in ("bal", "dex", "fix")]
    places = np.array(page("() => [...app.places]")).reshape(-1, 3)
    across = unit @ (rows[0] - rows[1])
    np.testing.assert_allclose(np.corrcoef(places[:, 0], across)[0, 1], 1, atol=1e-6)
    np.testing.assert_allclose(np.corrcoef(places[:, 1], unit @ rows[2])[0, 1], 1, atol=1e-6)
    assert np.sign(places[table.row("dex"), 0]) == -1


def test_an_axis_of_an_unknown_word_is_refused(page):
    page.page.get_by_role("radio", name="Axes").click()
    page.page.fill("#axis-x", "bal - nowhere")
    page.page.keyboard.press("Enter")
    assert page.page.inner_text("#axis-fault") == "not on this map: nowhere"


# -- labels


OVERLAPS = """() => {
  const { xs, ys } = app.screen;
  const boxes = app.labels.placed.map(({ i, dx, dy, size, weight }) => {
    const h = size * 1.1;
    return [xs[i] + dx, ys[i] + dy - h / 2, app.labels.width(i, size, weight), h];
  });
  let overlaps = 0;
  boxes.forEach((a, k) => boxes.slice(0, k).forEach((b) => {
    if (a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3]) overlaps++;
  }));
  return { labels: boxes.length, overlaps };
}"""


@pytest.mark.parametrize("script", ["app.setView('pca')", "app.setView('pca3d')", "app.search('bal')"])
def test_labels_do_not_overlap(page, script):
    page(f"() => {{ {script}; app.draw(); }}")
    found = page(OVERLAPS)
    assert found["labels"] >= 12
    assert found["overlaps"] == 0


def test_more_labels_appear_on_the_way_in(page):
    page("() => { app.setView('pca'); app.draw(); }")
    shown = """() => {
      const { xs, ys } = app.screen;
      const inView = (i) => xs[i] > 0 && xs[i] < 1200 && ys[i] > 0 && ys[i] < 800;
      const points = app.names.map((_, i) => i).filter(inView).length;
      return app.labels.placed.length / points;
    }"""
    before = page(shown)
    page("() => { app.zoomBy(5); app.draw(); }")
    assert page(shown) > 2 * before


def test_hover_names_the_point_under_the_pointer(page):
    page("() => { app.setView('pca'); app.draw(); }")
    x, y = page("() => [app.screen.xs[5], app.screen.ys[5]]")
    page.page.mouse.move(x, y)
    found = page("() => app.hover")
    there = page("(i) => [app.screen.xs[i], app.screen.ys[i]]", found)
    assert np.hypot(*np.subtract(there, (x, y))) < 1.5
    page.page.mouse.click(x, y)
    assert page.page.inner_text("#panel h2") == page("(i) => app.names[i]", found)


# -- selection and export


def test_a_box_selects_what_lies_in_it(page, tmp_path):
    page("() => { app.setView('pca'); app.draw(); }")
    xs, ys = (np.array(page(f"() => [...app.screen.{axis}]")) for axis in ("xs", "ys"))
    page.page.keyboard.press("b")
    page.page.mouse.move(480, 300)
    page.page.mouse.down()
    page.page.mouse.move(700, 520, steps=3)
    page.page.mouse.up()
    expected = np.flatnonzero((xs > 480) & (xs < 700) & (ys > 300) & (ys < 520)).tolist()
    assert 5 < len(expected) < N_WORDS
    assert page("() => app.focus.indices") == expected
    assert page.page.inner_text("#panel h2") == f"{len(expected)} selected"
    with page.page.expect_download() as wait:
        page.page.get_by_role("button", name="Save CSV").click()
    wait.value.save_as(tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = page("() => app.names")
    assert [row["name"] for row in rows] == [names[i] for i in expected]
    assert rows[0].keys() == {"name", "frequency rank", "cluster", "pca_x", "pca_y", "pca_z"}
    assert [int(row["frequency rank"]) for row in rows] == [i + 1 for i in expected]


def test_csv_quotes_what_needs_it(page):
    page("() => app.choose(['a,b', 'say \"so\"'].map((name) => app.find(name)))")
    with page.page.expect_download() as wait:
        page.page.get_by_role("button", name="Save CSV").click()
    rows = list(csv.reader(wait.value.path().read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows[1:]] == ["a,b", 'say "so"']


def test_a_lasso_selects_what_lies_in_it(page):
    page("() => { app.setView('pca'); app.draw(); }")
    xs, ys = (np.array(page(f"() => [...app.screen.{axis}]")) for axis in ("xs", "ys"))
    page.page.keyboard.press("l")
    corners = [(500, 250), (800, 250), (500, 550)]
    page.page.mouse.move(*corners[0])
    page.page.mouse.down()
    for corner in corners[1:]:
        page.page.mouse.move(*corner, steps=5)
    page.page.mouse.up()
    expected = np.flatnonzero((xs > 500) & (ys > 250) & ((xs - 500) + (ys - 250) < 300)).tolist()
    assert len(expected) > 5
    assert page("() => app.focus.indices") == expected
    assert page("() => app.tool") == "pan"


def test_the_picture_is_saved(page, tmp_path):
    with page.page.expect_download() as wait:
        page.page.get_by_role("button", name="Save the picture").click()
    assert wait.value.suggested_filename == "A-map.png"
    assert wait.value.path().read_bytes().startswith(b"\x89PNG\r\n")


# -- colours


def test_a_group_can_be_hidden(page):
    page("() => app.setColour('cluster')")
    page.page.locator("#scale li button").first.click()
    shown, groups = page("() => [[...app.shown], [...app.column.values]]")
    assert [bool(value) for value in shown] == [group != 0 for group in groups]
    assert page.page.locator("#scale li button").first.get_attribute("aria-pressed") == "false"


def test_a_group_can_be_shown_alone_and_keeps_the_focus(page):
    page("() => app.setColour('cluster')")
    button = page.page.locator("#scale li button").nth(1)
    button.dblclick()
    assert page("() => [...app.hidden].sort()") == [0, 2, 3, 4]
    button.focus()
    page.page.keyboard.press("Enter")
    assert page("() => document.activeElement.getAttribute('aria-pressed')") == "false"


def test_colours_follow_the_column(page):
    page.page.select_option("#colour", "frequency rank")
    assert len(set(page("() => [...app.colour]"))) > 50
    page.page.select_option("#colour", "cluster")
    assert len(set(page("() => [...app.colour]"))) == 5
    page.page.select_option("#colour", "")
    assert len(set(page("() => [...app.colour]"))) == 1


# -- before and after


def test_points_move_from_before_to_after(open_page, compared, table):
    opened = open_page(compared)
    opened("() => app.setView('pca', true)")
    before = np.array(opened("() => [...app.places]"))
    opened.page.fill("#time", "1")
    after = np.array(opened("() => [...app.places]"))
    opened.page.fill("#time", "0.5")
    np.testing.assert_allclose(opened("() => [...app.places]"), (before + after) / 2, atol=1e-6)
    moved = np.linalg.norm((after - before).reshape(-1, 3), axis=1)
    assert moved.argmax() == 11
    assert opened("() => app.movers[0]") == 11
    word, nearest = table.words[11], table.words[200]
    assert opened("(w) => projector.neighbours(w, 1, 'after')", word)[0][0] == nearest
    opened("() => app.select(11, false)")
    opened.page.get_by_role("button", name="after", exact=True).click()
    assert opened("() => app.phase") == 1
    first = opened.page.locator("#panel .near button").first
    assert nearest in first.inner_text()
    assert "new" in first.get_attribute("class")


def test_one_table_has_no_slider(page):
    assert page.page.is_hidden("#phase")


# -- links, keys, narrow screens


@pytest.mark.parametrize(
    "script",
    [
        "app.setView('pca3d'); app.setColour('cluster'); app.setHidden([1, 2]); app.camera.rotate(50, 20)",
        "app.setTheme('dark'); app.search('bal - dex + fix'); app.camera.pan(30, 40)",
        "app.setAxes('bal - dex', 'fix'); app.select(app.find('</script>'), true)",
    ],
)
def test_a_link_restores_the_view(open_page, file, script):
    state = """() => {
      const { camera, focus, axes, near, view } = app;
      const numbers = [camera.x, camera.y, camera.zoom, camera.turn].map((value) => value.toFixed(2));
      return [view.key, app.theme, app.column.name, [...app.hidden], focus, axes, near.length, ...numbers];
    }"""
    first = open_page(file)
    first(f"() => {{ {script}; app.invalidate('points'); }}")
    first.page.wait_for_timeout(600)
    fragment = first("() => location.hash")
    second = open_page(file, fragment)
    assert second(state) == first(state)


@pytest.mark.parametrize(
    "fragment", ["#view=nothing", "#name=nobody&colour=none", "#%E0%A4%A", "#at=1,b,", "#phase=x"]
)
def test_a_broken_link_shows_the_map(open_page, file, fragment):
    opened = open_page(file, fragment)
    assert opened(COLOURS)["kinds"] > 50


def test_everything_by_keyboard(page):
    keyboard = page.page.keyboard
    keyboard.press("2")
    assert page("() => app.view.key") == "pca3d"
    yaw = page("() => app.camera.yaw")
    keyboard.press("ArrowRight")
    assert page("() => app.camera.yaw") > yaw
    theme = page("() => app.theme")
    keyboard.press("d")
    assert page("() => app.theme") != theme
    page("() => app.search('bal')")
    near = page("() => app.near.map(({ index }) => index)")
    keyboard.press("n")
    keyboard.press("n")
    assert page("() => app.hover") == near[1]
    page.page.focus("#map")
    keyboard.press("Enter")
    assert page("() => app.focus.index") == near[1]
    keyboard.press("Escape")
    assert page("() => app.focus") is None
    scale = page("() => app.camera.scale")
    keyboard.press("+")
    assert page("() => app.camera.scale") > scale
    keyboard.press("0")
    assert page("() => app.camera.zoom") == pytest.approx(0.94, abs=0.07)
    keyboard.press("?")
    assert page.page.get_by_role("heading", name="How to read this map").is_visible()


def test_every_control_has_a_name(page):
    page("() => app.search('bal')")
    nameless = page(
        """() => [...document.querySelectorAll('button, input, select, canvas')].filter((control) => {
          const named = control.ariaLabel || control.textContent.trim() || control.labels?.length;
          return control.checkVisibility() && !named;
        }).length"""
    )
    assert nameless == 0


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_cards_stay_on_the_screen(open_page, file, width):
    opened = open_page(file, viewport={"width": width, "height": 760})
    opened("() => app.search('bal')")
    out = opened(
        """() => [...document.querySelectorAll('.card')].filter((card) => {
          const { left, right, top, bottom } = card.getBoundingClientRect();
          const off = left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
          return card.checkVisibility() && off;
        }).map((card) => card.id)"""
    )
    assert out == []
