"""Standard streams that are closed or full, Ctrl-C at any moment: one line says what happened, no traceback."""

import subprocess
import sys

import pytest

FAKE = """
import sys
import treesent
from tests.fakes import FakePipeline
treesent.load = lambda name: FakePipeline()
from treesent.__main__ import main
main()
"""


def run(command, code=FAKE, redirect="", **options):
    """Run a command with a shell's redirections of its streams."""
    words = [sys.executable, "-c", code, *map(str, command)]
    shell = ["sh", "-c", f'"$@" {redirect}', "sh", *words]
    return subprocess.run(shell, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "a.txt").write_text("good\nbad\n")
    return tmp_path / "a.txt"


def test_a_closed_standard_output_is_told(table):
    done = run(["score", table], redirect=">&-")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot be written" in done.stderr or "Bad file descriptor" in done.stderr


def test_a_closed_standard_output_does_not_matter_for_a_file(table):
    done = run(["score", table, "-o", f"{table}.csv"], redirect=">&-")
    assert done.returncode == 0, done.stderr
    assert (table.parent / "a.txt.csv").read_text().count("\n") == 3


def test_a_closed_standard_input_is_told(tmp_path):
    done = run(["score", "-", "-o", tmp_path / "b.csv"], redirect="<&-")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "b.csv").exists()


@pytest.mark.parametrize("command", [["score"], ["score", "--nodes", "all"]])
def test_a_full_standard_output_is_told(table, command):
    done = run([*command, table], redirect="> /dev/full")
    assert (
        done.returncode == 1 and "No space left on device" in done.stderr and "Traceback" not in done.stderr
    )


def test_help_on_a_full_disk_is_told():
    done = run(["--help"], redirect="> /dev/full")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr


def test_an_output_that_is_a_full_device_is_told(table):
    done = run(["score", table, "--output-format", "csv", "-o", "/dev/full"])
    assert done.returncode == 1 and "/dev/full cannot be written: No space left" in done.stderr, done.stderr


def test_dev_null_takes_the_output_and_stays(table):
    done = run(["score", table, "--output-format", "csv", "-o", "/dev/null"])
    assert done.returncode == 0, done.stderr
    assert subprocess.run(["test", "-c", "/dev/null"], check=False).returncode == 0


INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "treesent.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from treesent.__main__ import main
main()
"""


def test_control_c_while_modules_are_imported():
    done = run(["show", "Fine."], INTERRUPTED)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "treesent: interrupted\n")
