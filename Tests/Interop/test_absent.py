"""Whatever Docker's API has: it is there, or what is not there is named. Where Docker has a word for that, it is Docker's."""
import json
import pathlib
import re
import shutil
import socket
import tempfile

import pytest
import yaml

from test_confinement import Docker

DOCUMENT = yaml.safe_load((pathlib.Path(__file__).parent / "v1.51.yaml").read_text())
ENDPOINTS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods if method in ("get", "post", "put", "delete", "head")]
KINDS = ("/plugins", "/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs")
# Docker goes on to look at the request, or does it.
MAKING = {("POST", "/swarm/init"), ("POST", "/swarm/join"), ("POST", "/plugins/pull"), ("POST", "/plugins/create"), ("GET", "/plugins/privileges"),
          ("POST", "/services/create"), ("POST", "/secrets/create"), ("POST", "/configs/create"), ("POST", "/plugins/{name}/set")}


def ask(path, method, target, version, query="", content=""):
    """The status and the body of an answer; for one that goes on, what comes of it at first."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.settimeout(20)
        target = re.sub(r"\{[^}]*\}", "nothing-there", target)
        type = "Content-Type: application/json\r\n" if content else ""
        connection.sendall((f"{method} /v{version}{target}{query} HTTP/1.1\r\nHost: x\r\n{type}Content-Length: {len(content)}\r\n"
                            f"Connection: close\r\n\r\n{content}").encode())
        data = b""
        while b"\r\n\r\n" not in data or (b"/events" not in target.encode() and not data.endswith(b"\n")):
            piece = connection.recv(65536)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("method, path", ENDPOINTS)
def test_every_endpoint_is_there_or_named(daemon, method, path):
    status, body = ask(daemon.socket, method, path, "1.51")
    assert b"page not found" not in body and status != 405, (status, body)


@pytest.fixture(scope="module")
def dockerd():
    base = tempfile.mkdtemp(prefix="dockerd-absent-")
    engine = Docker(base)
    yield engine
    engine.stop()
    shutil.rmtree(base)


@pytest.mark.parametrize("method, path", [endpoint for endpoint in ENDPOINTS if endpoint[1].startswith(KINDS) and endpoint not in MAKING])
def test_no_plugins_and_no_swarm_as_docker_says_it(daemon, dockerd, method, path):
    # What any of them wants to be told, so that none stops at that.
    told = ("1.41", "?version=1&timeout=0&stdout=1&remote=x/y", "{}" if method == "POST" and path != "/plugins/{name}/upgrade" else "[]" if method == "POST" else "")
    ours, theirs = ask(daemon.socket, method, path, *told), ask(str(dockerd.socket), method, path, *told)
    assert ours[0] == theirs[0], (ours, theirs)
    if ours[0] == 200:
        assert json.loads(ours[1]) == json.loads(theirs[1])
