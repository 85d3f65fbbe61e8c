"""What the server answers: the same numbers as the command and the component."""

import json
import xml.etree.ElementTree as ET

import pytest

from tests.serve.servers import served
from tests.toy_pipeline import TEXT, toy_nlp
from treesent.pipeline.treeview import trees_of
from treesent.render import to_svg
from treesent.scoring import ScoreOptions, score

TEXTS = [TEXT, "", "a good movie .", "  ", "<b>naïve</b> & \u2028 日本 😀 it"]


def written(nlp, tmp_path, nodes, rows):
    """What ``treesent score`` writes, line by line."""
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    score(source, output, nlp, ScoreOptions(nodes=nodes, overwrite=True))
    return output.read_text(encoding="utf-8").split("\n")[:-1]


def near(one, other):
    """Equal but for the last digit: it depends on what else is in the batch."""
    if isinstance(one, float):
        return one == pytest.approx(other, abs=2e-6)
    if isinstance(one, dict):
        return list(one) == list(other) and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return one == other


@pytest.mark.parametrize("nodes", ["none", "sentences", "all"])
def test_rows_are_those_of_the_command(server, toy, tmp_path, nodes):
    lines = written(toy, tmp_path, nodes, [json.dumps({"text": text}) for text in TEXTS])
    answer = server.post(texts=TEXTS, nodes=nodes)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json() == {"results": [json.loads(line) for line in lines]}
    assert near(server.post(text=TEXT, nodes=nodes).json(), json.loads(lines[0]))


@pytest.mark.parametrize("nodes", ["none", "all"])
def test_a_stream_is_the_command_s_output_to_the_letter(server, toy, tmp_path, nodes):
    rows = [f'{{"id": 1.{i:03d}0, "text": "a good movie number {i} ."}}' for i in range(150)]
    answer = server.client.post(
        f"/v1/score?nodes={nodes}",
        content="\n".join(rows).encode(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.split("\n")[:-1] == written(toy, tmp_path, nodes, rows)


def test_a_line_comes_out_for_each_that_goes_in(server):
    lines = [b'{"text": "a good movie"}', b"", b'{"txt": 1}', b"[1]", b'{"text": "\xff"}', b'{"text": null}']
    lines += [b'{"text": "a", "label": 1}', b'{"text": "' + b"x" * 5000 + b'"}', b'{"text": "bad"}']
    answer = server.client.post(
        "/v1/score", content=b"\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
    )
    rows = [json.loads(line) for line in answer.text.splitlines()]
    places = [row["error"]["place"] if "error" in row else row["text"] for row in rows]
    assert places == ["a good movie", "line 3", "line 4", "line 5", None, "line 7", "line 8", "bad"]
    statuses = [row["error"]["status"] for row in rows if "error" in row]
    assert statuses == [422, 400, 400, 422, 413]
    assert "0xff at 10 is not UTF-8" in rows[3]["error"]["message"] and rows[4]["label"] is None


def test_the_picture_is_that_of_show(server, toy):
    trees = trees_of(toy(TEXT))
    assert [tree.text for tree in trees] == [sent._.tree.text for sent in toy(TEXT).sents]
    for number, tree in enumerate(trees):
        answer = server.post("/v1/tree.svg", text=TEXT, sentence=number, orientation="right")
        assert answer.text == to_svg(tree, "right") and answer.headers["content-type"] == "image/svg+xml"
        assert "sandbox" in answer.headers["content-security-policy"]
    missing = server.post("/v1/tree.svg", text=TEXT, sentence=2).json()["error"]
    assert missing["place"] == "sentence" and "has 2 sentences" in missing["message"]
    assert server.post("/v1/tree.svg", text=" ").json()["error"]["message"] == "has no words; send a sentence"


HOSTILE = [
    "</svg><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\x1b[31m\x01b & ]]> <!--",
    "{{x}}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(server, text):
    picture = server.post("/v1/tree.svg", text=text)
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(picture.content).iter()}
    assert tags <= {"svg", "g", "path", "rect", "circle", "text", "title"}
    assert server.post(text=text).json()["text"] == text


def test_the_model_says_what_it_is(server, toy):
    model = server.client.get("/v1/model").json()
    assert model["labels"] == list(toy.get_pipe("treesent").labels)
    assert model["columns"] == [name for name in server.post(text="good").json() if name != "text"]
    assert model["limits"] == {"body_bytes": 4000, "texts": 8, "text_characters": 500, "seconds": 30.0}


@pytest.mark.parametrize("kept", [False, True])
def test_the_description_s_examples_work(toy, tmp_path, kept):
    with served(toy, corrections=tmp_path / "kept.txt" if kept else None) as server:
        assert examples(server) == 5 + kept


def examples(server):
    """Try each example of the description; gives how many there are."""
    paths = server.client.get("/openapi.json").json()["paths"]
    tried = 0
    for path, methods in paths.items():
        for method, operation in methods.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                values = [one["value"] for one in content.get("examples", {}).values()]
                bodies = [json.dumps(value) for value in values] or [content["example"]]
                for body in bodies:
                    answer = server.client.request(method, path, content=body, headers={"Content-Type": kind})
                    said = operation["responses"][str(answer.status_code)]["content"]
                    assert answer.status_code == 200 and answer.headers["content-type"] in said
                    tried += 1
            if method == "get":
                assert server.client.get(path).status_code == 200
    return tried


def test_numbers_for_prometheus(toy):
    with served(toy) as server:
        server.post(texts=["good", "bad ."])
        server.post(text=5)
        server.client.get("/nowhere")
        assert server.metric("treesent_texts_total") == 2
        assert server.metric('treesent_requests_total{path="/v1/score",status="200"}') == 1
        assert server.metric('treesent_requests_total{path="/v1/score",status="422"}') == 1
        assert server.metric('treesent_requests_total{path="other",status="404"}') == 1
        assert server.metric('treesent_request_seconds_bucket{path="/v1/score",le="+Inf"}') == 2
        assert server.metric("treesent_characters_total") == len("goodbad .")
        assert server.metric("treesent_resident_bytes") >= 0


def test_classes_without_values_or_others_than_five_are_served():
    with served(toy_nlp(n_classes=3)) as server:
        row = server.post(text="a good movie", nodes="all").json()
        assert (
            len(row["sentences"][0]["probs"]) == 3
            and row["label"] in server.client.get("/v1/model").json()["labels"]
        )
