"""How logs are kept of containers that say nothing of it: dockerd's flags and its configuration file."""
import json
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Daemon
from test_life import Side

NONE = ("--network", "none")


class Told(Daemon):
    """berthd that is told more."""

    def __init__(self, base, *told):
        super().__init__(base)
        self.told = told

    def arguments(self):
        return [*super().arguments(), *self.told]


@pytest.fixture
def base():
    base = tempfile.mkdtemp(prefix="log-defaults-")
    yield base
    shutil.rmtree(base)


def log_of(side, *options):
    id = side.out("create", *NONE, *options, "box", "true")
    found = json.loads(side.inspect(id, "{{json .HostConfig.LogConfig}}"))
    side.out("rm", id)
    return found["Type"], found["Config"]


@pytest.mark.parametrize("by_file", [False, True])
def test_defaults(base, busybox_tar, by_file):
    if by_file:
        with open(f"{base}/daemon.json", "w") as file:
            json.dump({"log-driver": "local", "log-opts": {"max-size": "1m", "max-file": "2"}}, file)
        told = ["--config-file", f"{base}/daemon.json"]
    else:
        told = ["--log-driver", "local", "--log-opt", "max-size=1m", "--log-opt", "max-file=2"]
    daemon = Told(base, *told).start()
    side = Side("berthd", BIN / "berth", daemon.socket)
    assert side.out("info", "-f", "{{.LoggingDriver}}") == "local"
    side.out("import", busybox_tar, "box:latest")
    options = {"max-size": "1m", "max-file": "2"}
    assert log_of(side) == ("local", options)
    # What is said otherwise counts, and another driver has none of these.
    assert log_of(side, "--log-opt", "max-file=3") == ("local", options | {"max-file": "3"})
    assert log_of(side, "--log-driver", "json-file") == ("json-file", {})
    kept = side.out("create", "--name", "kept", *NONE, "box", "echo", "hi")
    daemon.stop()
    # What was in force when a container was made stays.
    daemon.told = []
    daemon.start()
    assert side.out("info", "-f", "{{.LoggingDriver}}") == "json-file"
    assert log_of(side) == ("json-file", {}) and side.inspect(kept, "{{.HostConfig.LogConfig.Type}}") == "local"
    assert side.out("start", "-a", "kept") == "hi" and side.out("logs", "kept") == "hi"
    daemon.stop()


@pytest.mark.parametrize("told, words", [
    (["--log-driver", "nope"], "logger: no log driver named 'nope' is registered"), (["--log-opt", "nope=1"], "failed to set log opts: unknown log opt 'nope' for json-file log driver"),
    (["--log-opt", "nope"], "invalid --log-opt 'nope'"), (["--log-opt", "max-size=x"], "failed to set log opts: invalid size: 'x'"),
])
def test_defaults_that_cannot_be(base, told, words):
    done = subprocess.run([*map(str, Told(base, *told).arguments())], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr


def test_what_is_said_twice_is_refused(base):
    with open(f"{base}/daemon.json", "w") as file:
        json.dump({"log-driver": "local"}, file)
    done = subprocess.run(
        [*map(str, Told(base, "--config-file", f"{base}/daemon.json", "--log-driver", "local").arguments())], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "log-driver is said both as a flag and in the configuration file" in done.stderr
