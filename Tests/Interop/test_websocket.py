"""Attaching over WebSocket, by a client that is not ours, to berthd and to Debian's dockerd: the same frames."""
import shutil
import socket
import subprocess
import tempfile

import docker as docker_library
import pytest
import websocket

from conftest import Daemon
from test_confinement import Docker


@pytest.fixture(scope="module", params=["berthd", "dockerd"])
def engine(request, busybox_tar):
    base = tempfile.mkdtemp(prefix=f"{request.param}-websocket-")
    engine = Daemon(base).start() if request.param == "berthd" else Docker(base)
    client = docker_library.DockerClient(base_url=f"unix://{engine.socket}", timeout=60)
    client.api.import_image(str(busybox_tar), repository="box", tag="latest")
    yield str(engine.socket), client
    for container in client.containers.list(all=True):
        container.remove(force=True)
    engine.stop()
    shutil.rmtree(base)


def attach(path, container, version="1.41", **parameters):
    """A connection; what is not asked for is not asked for."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.settimeout(20)
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return websocket.create_connection(f"ws://localhost/v{version}/containers/{container.id}/attach/ws?{query}", socket=connection, timeout=20)


def frames(connection):
    """All that comes, to its end: the kinds of frames, and their bytes as one."""
    kinds, data = set(), b""
    # Not recv_data(), which answers the last one: to nobody, where the engine has gone by then.
    while (frame := connection.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
        if frame.opcode != websocket.ABNF.OPCODE_PONG:
            kinds.add(frame.opcode)
            data += frame.data
    return kinds, data, frame.data


def made(client, command, **more):
    return client.containers.create("box:latest", command, network_mode="none", **more)


@pytest.mark.parametrize("terminal", [False, True])
def test_both_ways(engine, terminal):
    path, client = engine
    container = made(client, ["sh", "-c", "echo first; while read line; do echo got $line; echo err $line >&2; [ $line = end ] && exit 3; done"],
                     stdin_open=True, tty=terminal)
    connection = attach(path, container, stdin=1, stdout=1, stderr=1, stream=1)
    container.start()
    assert connection.recv_data() == (websocket.ABNF.OPCODE_BINARY, b"first\r\n" if terminal else b"first\n")
    connection.ping("are you there")
    connection.send_binary(b"o")
    connection.send("ne\n")
    connection.send_binary(b"end\n")
    kinds, data, reason = frames(connection)
    assert kinds == {websocket.ABNF.OPCODE_BINARY} and reason == b"\x03\xe8"
    lines = data.replace(b"\r", b"").decode().split("\n")
    # Two streams of one process in one: in whatever order; a terminal says what was typed, too.
    assert {"got one", "err one", "got end", "err end"} <= set(lines), data
    assert container.wait()["StatusCode"] == 3


def test_logs_and_no_stream(engine):
    path, client = engine
    container = made(client, ["sh", "-c", "echo out; echo err >&2"])
    container.start()
    container.wait()
    assert sorted(frames(attach(path, container, logs=1, stdout=1, stderr=1))[1].decode().split()) == ["err", "out"]


def test_text_frames_of_old(engine):
    path, client = engine
    container = made(client, ["sh", "-c", "echo out"])
    connection = attach(path, container, version="1.27", stdout=1, stream=1)
    container.start()
    kinds, data, _ = frames(connection)
    assert kinds == {websocket.ABNF.OPCODE_TEXT} and data == b"out\n"


def test_the_end_of_the_clients(engine):
    """A client that goes away has also given all that it gives: whoever reads it comes to the end (docker-py asks for that by itself, StdinOnce)."""
    path, client = engine
    container = made(client, ["sh", "-c", "cat; echo that was all"], stdin_open=True)
    connection = attach(path, container, stdin=1, stdout=1, stream=1)
    container.start()
    connection.send_binary(b"some\n")
    assert connection.recv_data()[1] == b"some\n"
    connection.close()
    assert container.wait()["StatusCode"] == 0
    assert container.logs() == b"some\nthat was all\n"


@pytest.mark.parametrize("headers, status", [
    (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"], 400),
    (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 1", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400),
    ([], 400),
])
def test_no_handshake(engine, headers, status):
    path, client = engine
    container = made(client, ["true"])
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.settimeout(20)
        lines = [f"GET /v1.41/containers/{container.id}/attach/ws?stream=1&stdout=1 HTTP/1.1", "Host: x", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(65536).split(b" ")[1] == str(status).encode()


def test_nobody_there(engine):
    path, client = engine
    container = made(client, ["true"])
    container.remove()
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        attach(path, container, stream=1, stdout=1)
    assert refused.value.status_code == 404
