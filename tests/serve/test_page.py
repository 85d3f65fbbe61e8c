"""The page at / in a headless browser."""

import json
import urllib.parse
import xml.etree.ElementTree as ET

import pytest

from tests.browser import Opened
from tests.serve.servers import served
from tests.toy_pipeline import TEXT, toy_nlp
from treesent.trees.brackets import read_trees

READY = "async () => { window.app = treesent; await app.ready; }"
SET = "async (text) => { await app.setText(text); }"
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def served_page(toy):
    with served(toy, max_length=600) as one:
        yield one


@pytest.fixture
def open_page(browser, served_page):
    opened = []

    def open_(fragment="", server=served_page, **settings):
        opened.append(Opened(browser, f"{server.url}/{fragment}", READY, **settings))
        return opened[-1]

    yield open_
    for one in opened:
        assert one.faults == []
        one.context.close()


@pytest.fixture
def page(open_page):
    return open_page()


def row(server, text):
    return server.post(text=text, nodes="all").json()


def label(page):
    return page("() => document.querySelector('#whole .chip')?.textContent")


def shown(page):
    """The phrase that is looked at, and its probabilities in percent, the most positive first."""
    return page("""() => [document.querySelector('#details .phrase').textContent,
        [...document.querySelectorAll('#details dd')].map((one) => parseInt(one.textContent))]""")


def expected(text, phrase):
    return [text[phrase["start"] : phrase["end"]], [round(100 * p + 1e-9) for p in reversed(phrase["probs"])]]


def test_scores_appear_while_typing(page, served_page):
    page.page.focus("#text")
    page.page.keyboard.type("a good")
    page.page.wait_for_selector("#whole .chip")
    page.page.keyboard.type(" bad movie . it was great !")
    text = "a good bad movie . it was great !"
    page.page.wait_for_function("(n) => document.querySelectorAll('#sentences li').length === n", arg=2)
    found = row(served_page, text)
    assert label(page) == found["label"]
    sentences = page("() => [...document.querySelectorAll('#sentences span')].map((one) => one.textContent)")
    assert sentences == [sentence["text"] for sentence in found["sentences"]]
    page.page.fill("#text", "")
    page.page.wait_for_selector("#picture", state="hidden")
    assert page("() => document.querySelector('#result').hidden")


def test_the_tree_is_the_server_s_picture(page, served_page):
    page(SET, TEXT)
    picture = served_page.post("/v1/tree.svg", text=TEXT).text
    drawn = page("() => document.querySelector('#tree svg').outerHTML")

    def plain(source):
        texts = [
            (el.tag.rpartition("}")[2], el.text, el.get("fill"), el.get("d"))
            for el in ET.fromstring(source).iter()
        ]
        return [one for one in texts if one[0] in ("text", "title", "rect", "circle", "path")]

    assert plain(drawn) == plain(picture) and len(plain(drawn)) > 20


def test_hovering_shows_the_probabilities(page, served_page):
    page(SET, TEXT)
    phrases = row(served_page, TEXT)["sentences"][0]["phrases"]
    assert shown(page) == expected(TEXT, phrases[-1])
    for node in (0, 3, len(phrases) - 2):
        page.page.hover(f"#tree [data-node='{node}']")
        assert shown(page) == expected(TEXT, phrases[node])
        assert page("() => [...document.querySelectorAll('#tree .on')].map((one) => one.dataset.node)") == [
            str(node)
        ]
    under = page("() => document.querySelectorAll('#tree .under').length")
    inner = phrases[len(phrases) - 2]
    words = inner["end_token"] - inner["start_token"]
    assert under == 2 * words - 2


def test_keys_move_along_the_tree(page, served_page):
    page(SET, TEXT)
    phrases = row(served_page, TEXT)["sentences"][0]["phrases"]
    root = len(phrases) - 1
    parents = {
        child: node
        for node, one in enumerate(phrases)
        if one["left"] is not None
        for child in (one["left"], one["right"])
    }

    def press(*keys):
        for key in keys:
            page.page.keyboard.press(key)
        assert page("() => document.activeElement.dataset.node") == str(page("() => app.node"))
        return page("() => app.node")

    page.page.focus(f"#tree [data-node='{root}']")
    left, right = phrases[root]["left"], phrases[root]["right"]
    assert press("ArrowDown") == left
    assert press("ArrowRight") == right
    assert press("ArrowRight") == right  # nothing is beyond
    assert press("ArrowLeft") == left
    assert press("ArrowUp") == root
    assert press("ArrowUp") == root
    assert press("Home") == 0
    assert press("ArrowUp") == parents[0]
    assert press("End") == root
    press("Home")
    begins = [phrases[0]["start"]]
    for _ in range(12):
        node = press("ArrowRight")
        begins.append(phrases[node]["start"])
    assert begins == sorted(begins) and phrases[node]["end"] == phrases[root]["end"]
    names = page(
        "() => [...document.querySelectorAll('#tree [role=treeitem]')].map((one) => one.getAttribute('aria-label'))"
    )
    assert names == [f"{TEXT[one['start'] : one['end']]}: {one['label']}" for one in phrases]
    assert page("() => document.querySelectorAll('#tree [tabindex=\"0\"]').length") == 1


def test_places_count_characters(page, served_page):
    text = "😀😀 a 𝒈𝒐𝒐𝒅 movie 😀 was great ."
    page(SET, text)
    phrases = row(served_page, text)["sentences"][0]["phrases"]
    for node in range(len(phrases)):
        page("(node) => app.choose(node)", node)
        assert shown(page)[0] == text[phrases[node]["start"] : phrases[node]["end"]]


def test_a_link_brings_the_same_view_back(page, open_page):
    page(SET, TEXT)
    page("async () => { await app.setSentence(1); app.choose(2, true); app.setTheme('dark'); app.note(); }")
    fragment = page("() => location.hash")
    assert urllib.parse.parse_qs(fragment[1:]) == {
        "text": [TEXT],
        "sentence": ["1"],
        "node": ["2"],
        "theme": ["dark"],
    }
    again = open_page(fragment)
    assert again("() => [app.text, app.sentence, app.node, app.theme]") == [TEXT, 1, 2, "dark"]
    assert shown(again) == shown(page)
    assert not [url for url in again.requests if "text=" in url.partition("#")[0]]


@pytest.mark.parametrize(
    "fragment", ["#text=good&sentence=99&node=99", "#sentence=-1&node=x", "#text=%ff%00", "#%", "#theme=x"]
)
def test_a_link_that_makes_no_sense_does_no_harm(open_page, fragment):
    opened = open_page(fragment)
    assert opened("() => app.theme") == "light"
    if "good" in fragment:
        assert opened("() => [app.sentence, app.node]") == [0, 0]
    opened.faults.clear()  # of a text that is refused, the browser says so too


def test_an_example_fills_the_text(page):
    page.page.click("#examples button")
    page.page.wait_for_selector("#tree svg")
    assert (
        page("() => document.querySelector('#text').value") == "The plot is thin, but the acting is superb."
    )


def test_what_is_saved_is_what_the_server_said(page, served_page):
    page(SET, TEXT)
    with page.page.expect_download() as saved:
        page.page.click("[data-do='json']")
    assert json.loads(saved.value.path().read_text()) == row(served_page, TEXT)
    with page.page.expect_download() as saved:
        page.page.click("[data-do='svg']")
    assert saved.value.path().read_text() == served_page.post("/v1/tree.svg", text=TEXT).text


def test_turning_and_scaling(page):
    page(SET, TEXT)
    size = """() => {
      const { width, height } = document.querySelector('#tree svg').getBoundingClientRect();
      return [width, height];
    }"""
    before = page(size)
    page.page.click("[data-do='larger']")
    assert page(size)[0] == pytest.approx(1.25 * before[0], rel=0.02)
    page.page.click("[data-do='fit']")
    assert page(size) == pytest.approx(before, abs=2)
    page.page.click("[data-do='turn']")
    page.page.wait_for_function("() => app.tree.beside && !document.querySelector('#tree.stale')")
    rects = page("() => [...document.querySelectorAll('#tree rect')].map((one) => one.x.baseVal.value)")
    assert len(set(rects)) == 1  # the words stand below each other


def test_dark_is_dark(open_page):
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light, dark = open_page(), open_page(color_scheme="dark")
    assert light(ground) == "rgb(251, 250, 247)" and dark(ground) == "rgb(17, 19, 26)"
    light.page.click("#theme")
    assert light(ground) == dark(ground)


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page):
    phone = open_page(**PHONE)
    phone(SET, TEXT)
    assert phone("() => document.documentElement.scrollWidth") <= 390
    rects = phone("() => [...document.querySelectorAll('#tree rect')].map((one) => one.x.baseVal.value)")
    assert len(set(rects)) == 1
    phone.page.tap("#tree [data-node='1']")
    assert phone("() => app.node") == 1


HOSTILE = [
    "<img src=x onerror='window.hacked=1'> a good movie .",
    "</svg><script>window.hacked=1</script> good",
    "good\"'><svg onload=window.hacked=1> ]]> &lt; {{NEGATIVE}} ${1}",
    "javascript:window.hacked=1 \u202egood\u2028movie \x1b[31m",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(open_page, text):
    opened = open_page("#" + urllib.parse.urlencode({"text": text}))
    assert opened("() => app.row.text") == text and opened("() => window.hacked") is None
    count = "() => document.querySelectorAll('script, img, svg [onload], [onerror]').length"
    assert opened(count) == 1  # the page's own script
    assert opened("() => document.querySelector('#sentences span').textContent").strip() in text


def test_only_its_own_server_is_asked_and_no_other_can_be(page, served_page):
    page(SET, TEXT)
    assert {url.split("/")[2] for url in page.requests} == {f"127.0.0.1:{served_page.port}"}
    refused = page("() => fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert refused == "refused" and page.faults
    page.faults.clear()  # the browser reports what the policy stopped
    run = """() => {
      const script = document.createElement('script');
      script.textContent = 'window.hacked = 1';
      document.body.append(script);
      return window.hacked;
    }"""
    assert page(run) is None
    page.faults.clear()


def test_a_refusal_is_told_and_goes_away(page):
    page(SET, "x" * 601)
    assert "601 characters, 600 is the most" in page("() => document.querySelector('#fault').textContent")
    assert page("() => document.querySelector('#picture').hidden")
    page(SET, "good movie")
    assert page("() => document.querySelector('#fault').textContent") == "" and label(page)
    page.faults.clear()  # the browser reports each 422


def test_only_the_last_text_is_shown(page, served_page):
    page(
        "async () => { app.setText('a bad film'); app.setText('terrible'); await app.setText('great movie !'); }"
    )
    page.page.wait_for_timeout(300)
    assert page("() => app.row.text") == "great movie !"
    assert label(page) == row(served_page, "great movie !")["label"]


def test_a_token_is_asked_for(browser):
    token = "0123456789abcdef"
    with served(toy_nlp(), token=token) as server:
        opened = Opened(browser, f"{server.url}/", "() => { window.app = treesent; }")
        for typed in ("wrong", token):
            opened.page.wait_for_selector("#key[open]")
            opened.page.fill("#token", typed)
            opened.page.keyboard.press("Enter")
        opened.page.evaluate("async () => { await app.ready; await app.setText('good'); }")
        assert opened("() => app.labels.length") == 5 and label(opened)
        assert token not in opened.page.url
        opened.context.close()


def test_labels_are_corrected_with_pointer_and_keys(browser, toy, tmp_path):
    path = tmp_path / "corrections.txt"
    labels = toy.get_pipe("treesent").labels
    with served(toy, corrections=path) as server:
        opened = Opened(browser, f"{server.url}/", READY)
        opened(SET, TEXT)
        opened.page.hover("#tree [data-node='3']")
        opened.page.click(f"#correct button:text-is('{labels[0]}')")
        opened.page.wait_for_selector("#tree .kept")
        pressed = "() => [...document.querySelectorAll('#correct [aria-pressed=true]')].map((one) => one.textContent)"
        assert opened(pressed) == [labels[0]]
        opened("() => app.choose(app.tree.phrases.length - 1, true)")
        opened.page.keyboard.press("5")
        opened.page.wait_for_function("() => document.querySelectorAll('#tree .kept').length === 2")
        (tree,) = read_trees(path)
        assert {node: label for node, label in enumerate(tree.label.tolist()) if label >= 0} == {
            3: 0,
            tree.root: 4,
        }
        # It is there when one comes back, and can be taken back.
        opened("async () => { await app.setSentence(1); await app.setSentence(0, 3); }")
        assert opened(
            "() => [...document.querySelectorAll('#tree .kept')].map((one) => +one.dataset.node)"
        ) == [3, tree.root]
        opened.page.click(f"#correct button:text-is('{labels[0]}')")
        opened.page.wait_for_function("() => document.querySelectorAll('#tree .kept').length === 1")
        opened("() => app.choose(app.tree.phrases.length - 1, true)")
        opened.page.keyboard.press("Delete")
        opened.page.wait_for_function("() => document.querySelectorAll('#tree .kept').length === 0")
        assert path.read_text() == "" and opened.faults == []
        opened.context.close()


def test_without_a_file_nothing_can_be_corrected(page):
    page(SET, TEXT)
    assert page("() => document.querySelector('#correct')") is None
    page.page.focus("#tree [tabindex='0']")
    page.page.keyboard.press("5")
    page.page.wait_for_timeout(100)
    assert not [url for url in page.requests if "corrections" in url]
