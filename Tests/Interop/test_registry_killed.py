"""A daemon that is killed at any point of a pull: the next one fetches what is missing, and nothing else."""
import gzip
import hashlib
import http.server
import io
import json
import os
import random
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading

import pytest

from conftest import Daemon
from test_registry import Plain

POINTS = 50
# All of them for whoever has the time; else some, always the same.
CHOSEN = range(POINTS) if os.environ.get("BERTH_LONG") else sorted(random.Random(7).sample(range(POINTS), 7))


class CountingRegistry:
    """Serves an image of three layers that cannot be compressed, counts what it gives, and does something when it has given so much."""

    def __init__(self):
        self.blobs, self.lock = {}, threading.Lock()
        self.begin(None, lambda: None)

        def keep(kind, data):
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            self.blobs[digest] = data
            return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(data)}

        layers, diff_ids = [], []
        for number, size in enumerate((1 << 20, 3 << 20, 6 << 20)):
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w") as tar:
                for part in range(4):
                    member = tarfile.TarInfo(f"layer{number}/part{part}")
                    member.size = size // 4
                    tar.addfile(member, io.BytesIO(os.urandom(member.size)))
            diff_ids.append("sha256:" + hashlib.sha256(packed.getvalue()).hexdigest())
            layers.append(keep("layer.v1.tar+gzip", gzip.compress(packed.getvalue(), 1, mtime=0)))
        self.layers = {layer["digest"]: layer["size"] for layer in layers}
        configuration = keep("config.v1+json", json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode())
        self.id = configuration["digest"]
        self.manifest = keep("manifest.v1+json", json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": configuration, "layers": layers}).encode())["digest"]
        this = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                name = self.path.removeprefix("/v2/").split("/")[-1]
                digest = this.manifest if name == "1" else name
                body = b"{}" if self.path in ("/v2", "/v2/") else this.blobs[digest]
                begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(body) - begin))
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
                if "/manifests/" in self.path:
                    self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
                    self.send_header("Docker-Content-Digest", digest)
                self.end_headers()
                if self.command == "HEAD":
                    return
                if digest not in this.layers:
                    if digest:
                        this.documents.append(digest)
                    return self.wfile.write(body)
                try:
                    for place in range(begin, len(body), 16 << 10):
                        if not this.may_give(len(body[place:place + (16 << 10)])):
                            break
                        self.wfile.write(body[place:place + (16 << 10)])
                        self.wfile.flush()
                    else:
                        return
                except OSError:
                    pass
                self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def server_bind(self):
                # What is in the kernel's hands is counted and not there yet: let it be little.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
                super().server_bind()

        self.server = Server(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.server.server_address[1]}/killed:1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def begin(self, limit, act):
        """From now on counts anew; before it gives more than `limit` bytes of layers, it does `act`, and gives nothing more."""
        with self.lock:
            self.given, self.limit, self.act, self.documents, self.is_over = 0, limit, act, [], False

    def may_give(self, count):
        with self.lock:
            if self.is_over:
                return False
            if self.limit is not None and self.given + count > self.limit:
                self.is_over = True
                self.act()
                return False
            self.given += count
            return True


@pytest.fixture(scope="module")
def registry():
    registry = CountingRegistry()
    yield registry
    registry.server.shutdown()


@pytest.fixture(scope="module")
def killed():
    base = tempfile.mkdtemp(prefix="berth-killed-")
    daemon = Daemon(base).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


def have(daemon, registry):
    """How many bytes of the layers are on the disk, whole or in part."""
    content = daemon.base / "root/content"
    whole = sum(size for digest, size in registry.layers.items() if (content / "blobs/sha256" / digest.split(":")[1]).exists())
    return whole + sum(path.stat().st_size for path in (content / "ingest").glob("part-*"))


@pytest.mark.parametrize("point", CHOSEN)
def test_killed_at_a_point_of_the_bytes(point, registry, killed):
    berth = Plain("berth", killed)
    total = sum(registry.layers.values())
    limit = total * (2 * point + 1) // (2 * POINTS)
    assert have(killed, registry) == 0
    registry.begin(limit, killed.process.kill)
    pull = berth.start("pull", registry.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert pull.wait(60) != 0
    assert killed.process.wait(20) != 0
    there = have(killed, registry)
    # What is counted and not there was in the kernel's hands, or in the daemon's: less than a MiB for each of three layers.
    assert limit - there <= 3 << 20, f"of {limit} bytes that were given, {there} are there"
    killed.start()
    assert berth.out("images", "-aq") == ""
    registry.begin(None, lambda: None)
    assert f"Digest: {registry.manifest}" in berth.out("pull", registry.name).splitlines()
    assert registry.given <= total - there, f"{registry.given} bytes came, and {total - there} were missing"
    assert len(registry.documents) == len(set(registry.documents)) <= 2
    assert json.loads(berth.out("image", "inspect", registry.name))[0]["Id"] == registry.id
    assert berth.out("system", "check", "-q") == ""
    berth("rmi", registry.name)
