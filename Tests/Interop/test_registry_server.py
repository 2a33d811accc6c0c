"""Other people's clients against berth registry serve: what they push is what they and the others pull, digest for digest."""
import base64
import gzip
import hashlib
import http.client
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile

import pytest

from conftest import BIN, wait_for
from test_confinement import Docker

# What oras needs is looked for behind Debian's own packages, which others use.
sys.path += filter(None, [os.environ.get("BERTH_PYTHON")])

# alice: secret
USERS = "alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"


class Registry:
    def __init__(self, base, *flags):
        self.base, self.flags = pathlib.Path(base), flags
        self.log = self.base / "registry.log"
        (self.base / "users").write_text(USERS)
        self.start()

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BIN / "berth", "registry", "serve", "--store", self.base / "store", "--listen", "127.0.0.1:0", *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.base)
        self.address = wait_for(self.listens, f"the registry to listen: {self.log}")

    def listens(self):
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r"registry at http://(\S+)", self.log.read_text())
        return found and found[1]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 0, self.log.read_text()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        if "--htpasswd" in self.flags:
            headers["Authorization"] = "Basic " + base64.b64encode(b"alice:secret").decode()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()

    def digest(self, name, tag):
        status, headers, body = self.ask("GET", f"/v2/{name}/manifests/{tag}", Accept="application/vnd.oci.image.manifest.v1+json")
        assert status == 200
        assert headers["Docker-Content-Digest"] == "sha256:" + hashlib.sha256(body).hexdigest()
        return headers["Docker-Content-Digest"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("registry"), "--htpasswd", "users")
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """An image layout of one image of one layer, made by hand."""
    base = tmp_path_factory.mktemp("layout")
    blobs = base / "blobs/sha256"
    blobs.mkdir(parents=True)

    def keep(media_type, data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("data")
        member.size = 300_000
        tar.addfile(member, io.BytesIO(os.urandom(300_000)))
    plain = packed.getvalue()
    layer = keep("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(plain, mtime=0))
    configuration = keep("application/vnd.oci.image.config.v1+json", json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/data"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}).encode())
    manifest = keep("application/vnd.oci.image.manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": configuration, "layers": [layer]}).encode())
    (base / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (base / "index.json").write_text(json.dumps({
        "schemaVersion": 2, "manifests": [{**manifest, "annotations": {"org.opencontainers.image.ref.name": "t"}}]}))
    return base, manifest["digest"]


def run(*words, input=None, environment=None):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, input=input, timeout=120, env={**os.environ, **(environment or {})})
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def test_skopeo(registry, layout, tmp_path):
    folder, digest = layout
    place = f"docker://{registry.address}/skopeo/image"
    run("skopeo", "copy", "--dest-creds", "alice:secret", "--dest-tls-verify=false", f"oci:{folder}:t", f"{place}:one")
    assert registry.digest("skopeo/image", "one") == digest
    run("skopeo", "copy", "--src-creds", "alice:secret", "--src-tls-verify=false", "--dest-creds", "alice:secret", "--dest-tls-verify=false",
        f"{place}:one", f"docker://{registry.address}/other/image:two")
    run("skopeo", "copy", "--src-creds", "alice:secret", "--src-tls-verify=false", f"docker://{registry.address}/other/image@{digest}", f"oci:{tmp_path / 'back'}:t")
    assert json.loads((tmp_path / "back/index.json").read_text())["manifests"][0]["digest"] == digest
    listed = json.loads(run("skopeo", "list-tags", "--creds", "alice:secret", "--tls-verify=false", f"docker://{registry.address}/skopeo/image"))
    assert listed["Tags"] == ["one"]
    run("skopeo", "delete", "--creds", "alice:secret", "--tls-verify=false", f"docker://{registry.address}/other/image:two")
    assert registry.ask("GET", "/v2/other/image/manifests/two")[0] == 404
    refused = subprocess.run(
        ["skopeo", "inspect", "--creds", "alice:wrong", "--tls-verify=false", f"{place}:one"], capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0 and "unauthorized" in refused.stderr.lower(), refused.stderr


@pytest.mark.parametrize("tool", ["podman", "buildah"])
def test_podman_and_buildah(registry, layout, tmp_path, tool, request):
    folder, digest = layout
    # podman takes no runroot of more than 50 characters.
    run_root = tempfile.mkdtemp(prefix="run-", dir="/tmp")
    request.addfinalizer(lambda: shutil.rmtree(run_root))
    store = [tool, "--root", tmp_path / "root", "--runroot", run_root, "--storage-driver", "vfs"]
    environment = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    name = f"{registry.address}/{tool}/image:t"
    run(*store, "login", "--tls-verify=false", "-u", "alice", "-p", "secret", registry.address, environment=environment)
    run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{folder}:t", f"docker://{name}", environment=environment)
    run(*store, "pull", "--tls-verify=false", name, environment=environment)
    again = f"{registry.address}/{tool}/again"
    run(*store, "push", "--tls-verify=false", "--digestfile", tmp_path / "digest", name, f"docker://{again}:t", environment=environment)
    assert registry.digest(f"{tool}/again", "t") == (tmp_path / "digest").read_text().strip()
    run(*store, "rmi", "-a", "-f", environment=environment)
    run(*store, "pull", "--tls-verify=false", f"{again}@{registry.digest(f'{tool}/again', 't')}", environment=environment)


def docker_clients():
    found = ["/usr/bin/docker"]
    newer = shutil.which("docker")
    return found + ([newer] if newer and os.path.realpath(newer) != os.path.realpath(found[0]) else [])


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory):
    docker = Docker(tmp_path_factory.mktemp("dockerd"))
    yield docker
    docker.stop()


@pytest.mark.parametrize("program", docker_clients())
def test_docker(registry, layout, dockerd, tmp_path, program):
    folder, digest = layout

    def docker(*words, input=None):
        return run(program, "-H", f"unix://{dockerd.socket}", *words, input=input, environment={"DOCKER_CONFIG": str(tmp_path / "config")})

    own = "newer" if program != "/usr/bin/docker" else "debian"
    archive, name, mounted = tmp_path / "image.tar", f"{registry.address}/docker/image", f"{registry.address}/docker/{own}"
    run("skopeo", "copy", f"oci:{folder}:t", f"docker-archive:{archive}:{name}:t")
    docker("load", "-i", archive)
    assert "Login Succeeded" in docker("login", "-u", "alice", "--password-stdin", registry.address, input="secret")
    pushed = re.search(r"digest: (sha256:\w+)", docker("push", f"{name}:t"))[1]
    assert registry.digest("docker/image", "t") == pushed
    docker("rmi", f"{name}:t")
    assert pushed in docker("pull", f"{name}:t")
    docker("tag", f"{name}:t", f"{mounted}:t")
    assert "Mounted from" in docker("push", f"{mounted}:t")
    assert registry.digest(f"docker/{own}", "t") == pushed
    docker("rmi", f"{name}:t", f"{mounted}:t")
    docker("pull", f"{mounted}@{pushed}")
    docker("logout", registry.address)
    refused = subprocess.run(
        [program, "-H", f"unix://{dockerd.socket}", "pull", f"{name}:t"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "DOCKER_CONFIG": str(tmp_path / "config")})
    assert refused.returncode != 0 and "no basic auth credentials" in refused.stderr, refused.stderr


def test_killed_in_the_middle_of_an_upload(tmp_path):
    registry = Registry(tmp_path, "--collect-every", "1")
    blob = os.urandom(6 << 20)
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    kept = os.urandom(1000)
    assert registry.ask("POST", "/v2/a/blobs/uploads/?digest=sha256:" + hashlib.sha256(kept).hexdigest(), kept)[0] == 201
    status, headers, _ = registry.ask("POST", "/v2/a/blobs/uploads/")
    assert status == 202
    place = headers["Location"]
    connection = http.client.HTTPConnection(registry.address, timeout=20)
    connection.putrequest("PATCH", place)
    connection.putheader("Content-Length", str(len(blob)))
    connection.endheaders(blob[: 4 << 20])
    data = tmp_path / "store" / "uploads" / place.rsplit("/", 1)[1] / "data"
    wait_for(lambda: data.stat().st_size >= 2 << 20, "some of the upload to be written")
    registry.process.kill()
    registry.process.wait(20)
    registry.start()
    assert registry.ask("GET", "/v2/a/blobs/sha256:" + hashlib.sha256(kept).hexdigest())[2] == kept
    status, headers, _ = registry.ask("GET", place)
    assert status == 204
    come = int(headers["Range"].split("-")[1]) + 1
    assert 2 << 20 <= come <= 4 << 20
    status, headers, body = registry.ask("PUT", f"{place}?digest={digest}", blob[come:], **{"Content-Range": f"{come}-{len(blob) - 1}"})
    assert status == 201, body
    assert registry.ask("GET", f"/v2/a/blobs/{digest}")[2] == blob
    registry.stop()


def test_what_it_does_not_start_with(tmp_path):
    def refused(*flags):
        done = subprocess.run([BIN / "berth", "registry", "serve", "--store", tmp_path / "s", *flags], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0
        return done.stderr

    assert "--plain-http" in refused("--listen", "0.0.0.0:0")
    assert "belong together" in refused("--tls-cert", "x")
    assert "belong together" in refused("--token-realm", "x")
    assert "no rule" in refused("--allow", "x")
    assert "number of bytes" in refused("--quota", "much")
    assert "cannot read the password file" in refused("--htpasswd", str(tmp_path / "none"))
    help = run(BIN / "berth", "registry", "serve", "--help")
    assert "Examples:" in help and "--htpasswd" in help
    alone = tmp_path / "berth"
    shutil.copy(BIN / "berth", alone)
    missing = subprocess.run([alone, "registry", "serve"], capture_output=True, text=True, timeout=20, env={"PATH": "/nonexistent"})
    assert missing.returncode == 125 and "neither beside this program nor on PATH" in missing.stderr


@pytest.mark.skipif(importlib.util.find_spec("oras") is None, reason="oras (PyPI) is not installed: pip install oras")
def test_oras(registry, tmp_path):
    import oras.client

    client = oras.client.OrasClient(hostname=registry.address, insecure=True, auth_backend="basic")
    # Its login would ask a daemon at the default socket.
    client.auth.set_basic_auth("alice", "secret")
    file = tmp_path / "artifact.txt"
    file.write_text("words")
    answer = client.push(target=f"{registry.address}/oras/thing:t", files=[str(file)], disable_path_validation=True)
    assert answer.status_code == 201
    assert registry.digest("oras/thing", "t") == answer.headers["Docker-Content-Digest"]
    back = client.pull(target=f"{registry.address}/oras/thing:t", outdir=str(tmp_path / "back"))
    assert pathlib.Path(back[0]).read_text() == "words"
