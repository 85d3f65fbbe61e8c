import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from treesent.cli import app
from treesent.errors import OutputError, VectorsError
from treesent.vectors.download import download, find_source, read_sources

DATA = bytes(range(256)) * 5000


class Server(BaseHTTPRequestHandler):
    """Serves ``data`` with ranges and a tag; ``cut`` ends the first answers early."""

    def do_GET(self):
        state = self.server.state
        state["requests"].append(self.headers.get("Range"))
        data, start = state["data"], 0
        asked = self.headers.get("Range")
        if asked and state["ranges"] and self.headers.get("If-Range") == state["tag"]:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            whole = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send_header("Content-Range", state.get("content_range") or whole)
        else:
            self.send_response(200)
        self.send_header("ETag", state["tag"])
        self.send_header("Content-Length", state.get("content_length") or str(len(data) - start))
        self.end_headers()
        end = len(data) if not state["cut"] else start + state["cut"].pop()
        self.wfile.write(data[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        http.state = {"data": DATA, "tag": '"one"', "ranges": True, "cut": [], "requests": []}
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        http.address = f"http://127.0.0.1:{http.server_port}/v.txt"
        yield http
        http.shutdown()
        thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_with_its_hash(server, tmp_path):
    told = []
    done = download(
        server.address, tmp_path / "v.txt", hashlib.sha256(DATA).hexdigest(), lambda *x: told.append(x)
    )
    assert done.verified and done.path.read_bytes() == DATA and names(tmp_path) == ["v.txt"]
    assert told[0] == (0, len(DATA)) and told[-1] == (len(DATA), len(DATA))


def test_an_unknown_hash_is_recorded_and_then_held_to(server, tmp_path):
    done = download(server.address, tmp_path / "v.txt")
    assert not done.verified and done.sha256 == hashlib.sha256(DATA).hexdigest()
    assert names(tmp_path) == ["v.txt", "v.txt.sha256"]
    assert download(server.address, tmp_path / "v.txt").verified
    assert len(server.state["requests"]) == 1
    (tmp_path / "v.txt").write_bytes(DATA[:-1])
    with pytest.raises(VectorsError, match="remove it and fetch it again"):
        download(server.address, tmp_path / "v.txt")


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server, tmp_path, ranges):
    server.state |= {"cut": [300_000], "ranges": ranges}
    with pytest.raises(VectorsError, match="Run again to continue"):
        download(server.address, tmp_path / "v.txt")
    assert names(tmp_path) == ["v.txt.part", "v.txt.part.tag"]
    download(server.address, tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_bytes() == DATA
    assert server.state["requests"] == [None, "bytes=300000-"]
    assert names(tmp_path) == ["v.txt", "v.txt.sha256"]


def test_a_file_that_changed_in_between_starts_anew(server, tmp_path):
    server.state["cut"] = [300_000]
    with pytest.raises(VectorsError):
        download(server.address, tmp_path / "v.txt")
    server.state |= {"data": DATA[::-1], "tag": '"two"'}
    download(server.address, tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_bytes() == DATA[::-1]


def test_a_part_that_was_whole_already(server, tmp_path):
    (tmp_path / "v.txt.part").write_bytes(DATA)
    (tmp_path / "v.txt.part.tag").write_text('"one"')
    download(server.address, tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_bytes() == DATA
    (tmp_path / "v.txt").unlink()
    (tmp_path / "v.txt.part").write_bytes(DATA + b"more")
    (tmp_path / "v.txt.part.tag").write_text('"one"')
    download(server.address, tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_bytes() == DATA


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    with pytest.raises(VectorsError, match="was deleted"):
        download(server.address, tmp_path / "v.txt", "0" * 64)
    assert "v.txt" not in names(tmp_path) and "v.txt.part" not in names(tmp_path)


def test_without_a_network_it_says_what_to_put_where(tmp_path):
    with pytest.raises(VectorsError, match=r"put the file here: .*v\.txt"):
        download("http://127.0.0.1:9/v.txt", tmp_path / "v.txt")
    with pytest.raises(VectorsError, match="not an http or https"):
        download("file:///etc/passwd", tmp_path / "v.txt")


def test_the_packaged_sources():
    sources = read_sources()
    assert {"glove-6b-50d", "glove-840b-300d", "word2vec-google-news-300d"} <= set(sources)
    for source in sources.values():
        assert source.licence and bool(source.address) != bool(source.gensim)
        assert not source.address or source.file
    with pytest.raises(VectorsError, match="glove-6b-50d"):
        find_source("glove-6b-50")


def test_the_command(server, tmp_path):
    sources = tmp_path / "s.toml"
    sources.write_text(
        f'[tiny]\naddress = "{server.address}"\nfile = "v.txt"\nwidth = 2\nn_words = 3\nlicence = "CC0"\n'
    )
    command = ["vectors", "download", "tiny", "--sources", str(sources), "-o", str(tmp_path / "got")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0 and (tmp_path / "got/v.txt").read_bytes() == DATA
    assert hashlib.sha256(DATA).hexdigest() in result.stderr
    assert "tiny" in CliRunner().invoke(app, ["vectors", "download", "--sources", str(sources)]).stdout
    for broken, message in (
        ("[tiny]\nwidht = 2\n", "unknown keys"),
        ("[tiny]\n", "lacks a key"),
        ("[", "cannot be read"),
    ):
        sources.write_text(broken)
        with pytest.raises(VectorsError, match=message):
            read_sources(sources)


def test_a_part_that_was_not_asked_for_is_never_glued_on(server, tmp_path):
    server.state["cut"] = [1000]
    with pytest.raises(VectorsError, match="cannot be fetched"):
        download(server.address, tmp_path / "v.txt")
    server.state["content_range"] = f"bytes 10-{len(DATA) - 1}/{len(DATA)}"
    done = download(server.address, tmp_path / "v.txt")
    assert done.path.read_bytes() == DATA
    assert server.state["requests"] == [None, "bytes=1000-", None]


@pytest.mark.parametrize("length", ["-1", "1e9", "many", ""])
def test_a_length_that_is_no_number(server, tmp_path, length):
    server.state["content_length"] = length or " "
    with pytest.raises(VectorsError, match=r"Content-Length|cannot be fetched"):
        download(server.address, tmp_path / "v.txt")
    assert "v.txt" not in names(tmp_path)


def test_plain_http_needs_a_hash(tmp_path):
    with pytest.raises(VectorsError, match=r"plain http can be changed on the way.*sha256"):
        download("http://vectors.example/v.txt", tmp_path / "v.txt")
    assert names(tmp_path) == []


@pytest.mark.parametrize("text", ["", "abc", "v.txt"])
def test_a_broken_record_of_the_hash(server, tmp_path, text):
    (tmp_path / "v.txt.sha256").write_text(text)
    with pytest.raises(VectorsError, match=r"v\.txt\.sha256 does not begin with a sha256"):
        download(server.address, tmp_path / "v.txt")


def test_a_full_disk(server, tmp_path, monkeypatch):
    (tmp_path / "v.txt.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"v\.txt\.part cannot be written: No space left"):
        download(server.address, tmp_path / "v.txt")


@pytest.mark.parametrize("file", ["../x", "/etc/x", "a/b", "..", "."])
def test_a_source_stays_in_its_folder(tmp_path, file):
    (tmp_path / "s.toml").write_text(
        f'[x]\nwidth = 2\nn_words = 3\nlicence = "none"\naddress = "https://e.example/x"\nfile = "{file}"\n'
    )
    with pytest.raises(VectorsError, match="a name without a folder"):
        read_sources(tmp_path / "s.toml")


@pytest.mark.parametrize("text", ["x = 1", "[x]\nwidth = 'wide'", "[x]\nunknown = 1", "[x", "\xff"])
def test_sources_that_make_no_sense(tmp_path, text):
    (tmp_path / "s.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(VectorsError, match=r"s\.toml"):
        read_sources(tmp_path / "s.toml")
