"""SIGHUP and SIGTERM end a command as Ctrl-C does: with a code of its own, and without leftovers."""

import signal
import subprocess
import sys

import pytest

COMMAND = """
import signal, sys, time
from pathlib import Path
from treesent.cli.signals import ended_by_signals
from treesent.files import replacing_folder
if "nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
with ended_by_signals(), replacing_folder(Path(sys.argv[1])) as made:
    (made / "half").write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def _default_hangup():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(tmp_path, *arguments):
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "out"), *arguments]
    # Under nohup the tests themselves ignore SIGHUP, and would hand that on.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=_default_hangup
    )
    assert process.stdout.readline() == "ready\n"
    assert len(list(tmp_path.iterdir())) == 1
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_temporary_folder(tmp_path, number, code):
    with start(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(60) == code
    assert list(tmp_path.iterdir()) == []


def test_under_nohup_a_hangup_is_ignored(tmp_path):
    with start(tmp_path, "nohup") as process:
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        assert process.wait(60) == 0
    assert (tmp_path / "out" / "half").read_text() == "half"
