"""What `/proc` tells, asked about processes that a test knows."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.bench.processes import file_system, listeners, machine_seconds, peak_memory, processor_seconds, tree

BUSY = "import sys, time\nwhile time.process_time() < 0.2: pass\nhold = bytearray(64 << 20)\nprint(flush=True)\ninput()"


def test_a_tree_holds_the_children_and_what_they_burnt() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()

        assert {os.getpid(), child.pid} <= set(tree([os.getpid()]))
        assert 0.2 <= processor_seconds([child.pid]) <= machine_seconds()
        assert peak_memory(child.pid) >= 64 << 20
        child.communicate(b"\n")

    assert child.pid not in tree([os.getpid()])


def test_a_process_that_is_gone_costs_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()

    assert processor_seconds([gone.pid]) == 0
    assert peak_memory(gone.pid) == 0


def test_who_listens_is_found_by_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        assert os.getpid() in listeners("127.0.0.1", port)
        assert listeners("registry.example", port) == ()

    assert listeners("127.0.0.1", port) == ()


def test_the_file_system_of_a_folder_is_named() -> None:
    assert file_system(Path("/proc/self")) == "proc"
