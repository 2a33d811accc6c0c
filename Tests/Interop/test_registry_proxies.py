"""Registries that are reached through proxies, as the daemon's environment says: as with Debian's dockerd."""
import base64
import http.client
import http.server
import json
import select
import shutil
import socket
import tempfile
import threading
import urllib.parse

import pytest

from conftest import wait_for
from test_confinement import Docker
from test_images_archives import run
from test_registry import Plain, Registry, TrustingDaemon, image

ADDRESS, PASSWORD = "10.213.7.2", "p@ss:word-8822"


class Proxy:
    """Connects to what it is asked for, or asks itself, where it knows who asks."""

    def __init__(self):
        self.seen, self.refused = [], []
        this = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def is_known(self):
                shown = self.headers.get("Proxy-Authorization", "")
                if shown == "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode():
                    this.seen.append((self.command, self.path))
                    return True
                this.refused.append((self.command, self.path, shown))
                self.send_response(407)
                self.send_header("Proxy-Authenticate", "Basic realm=test")
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = True
                return False

            def do_CONNECT(self):
                if not self.is_known():
                    return
                host, port = self.path.rsplit(":", 1)
                self.close_connection = True
                with socket.create_connection((host, int(port)), 20) as other:
                    self.send_response(200)
                    self.end_headers()
                    ends = {self.connection: other, other: self.connection}
                    while True:
                        for one in select.select(list(ends), [], [], 60)[0]:
                            data = one.recv(64 << 10)
                            if not data:
                                return
                            ends[one].sendall(data)

            def forward(self):
                if not self.is_known():
                    return
                url = urllib.parse.urlsplit(self.path)
                assert url.scheme == "http" and self.headers["Host"] == url.netloc
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection(url.netloc, timeout=20)
                connection.putrequest(self.command, url.path + (f"?{url.query}" if url.query else ""), skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if not name.lower().startswith("proxy-"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                data = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", answer.headers.get("Content-Length") or str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                connection.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        seen, self.seen = self.seen, []
        return seen


def environment(proxy, password=PASSWORD, exceptions=""):
    address = f"http://me:{urllib.parse.quote(password, safe='')}@{proxy.host}"
    return ["env", f"HTTP_PROXY={address}", f"HTTPS_PROXY={address}", f"NO_PROXY={exceptions}"]


class ProxiedDaemon(TrustingDaemon):
    def __init__(self, base, certificates, environment, *flags):
        super().__init__(base, certificates)
        self.flags, self.environment = flags, environment

    def arguments(self):
        return [*self.environment, *super().arguments()]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, image):
    """Two registries at an address that is not this machine itself, one of which speaks TLS, and one on loopback; and a proxy."""
    base = tmp_path_factory.mktemp("proxies")
    run("ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo")
    run("bash", "-euc", f"""
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj '/CN=test authority' -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj '/CN={ADDRESS}'
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile <(echo subjectAltName=IP:{ADDRESS})
        """, cwd=base)
    registries = []
    for name, address, http_settings in (
            ("plain", ADDRESS, {}), ("tls", ADDRESS, {"tls": {"certificate": str(base / "server.crt"), "key": str(base / "server.key")}}), ("own", "127.0.0.1", {})):
        (base / name).mkdir()
        registries.append(Registry(base / name, address=address, http=http_settings))
        run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{image.layout}:made", f"docker://{registries[-1].host}/sample:1")
    etc = base / "etc"
    (etc / "certs.d" / registries[1].host).mkdir(parents=True)
    shutil.copy(base / "ca.crt", etc / "certs.d" / registries[1].host / "ca.crt")
    (etc / "daemon.json").write_text(json.dumps({"insecure-registries": [registries[0].host]}))
    proxy = Proxy()
    yield (*registries, etc, proxy)
    proxy.server.shutdown()
    for registry in registries:
        registry.stop()
    run("ip", "address", "del", f"{ADDRESS}/32", "dev", "lo")


@pytest.fixture
def berthd(scene):
    started = []

    def start(*arguments, **more):
        base = tempfile.mkdtemp(prefix="berth-proxies-")
        started.append(ProxiedDaemon(base, scene[3], environment(scene[4], *arguments, **more), "--insecure-registry", scene[0].host).start())
        return Plain("berth", started[-1])

    yield start
    for daemon in started:
        daemon.stop()
        shutil.rmtree(daemon.base)


def through(proxy, plain, tls):
    """What the proxy has seen: for whom it was asked itself, and to whom it has connected."""
    seen = proxy.take()
    asked = {path for method, path in seen if method != "CONNECT" and path.startswith(f"http://{plain.host}/v2/")}
    assert len(asked) == len({path for method, path in seen if method != "CONNECT"}), seen
    return asked, {path for method, path in seen if method == "CONNECT"}


def test_pull_and_push(scene, image, berthd):
    plain, tls, own, etc, proxy = scene
    berth = berthd()
    proxy.take()
    layers = {f"http://{plain.host}/v2/sample/blobs/{layer['digest']}" for layer in image.manifest["layers"]}
    assert f"Digest: {image.manifest_digest}" in berth.out("pull", f"{plain.host}/sample:1").splitlines()
    asked, connected = through(proxy, plain, tls)
    assert layers <= asked and connected <= {plain.host}
    berth("rmi", f"{plain.host}/sample:1")
    assert f"Digest: {image.manifest_digest}" in berth.out("pull", f"{tls.host}/sample:1").splitlines()
    assert through(proxy, plain, tls) == (set(), {tls.host})
    # To a registry of this machine itself nobody is asked the way.
    berth("rmi", f"{tls.host}/sample:1")
    assert f"Digest: {image.manifest_digest}" in berth.out("pull", f"{own.host}/sample:1").splitlines()
    assert proxy.take() == []
    for registry in (plain, tls):
        berth("tag", f"{own.host}/sample:1", f"{registry.host}/pushed:1")
        assert berth.out("push", f"{registry.host}/pushed:1").splitlines()[-1].startswith(f"1: digest: {image.manifest_digest}")
    asked, connected = through(proxy, plain, tls)
    assert f"http://{plain.host}/v2/pushed/manifests/1" in asked and tls.host in connected
    assert plain.manifest("pushed", "1")[0] == image.manifest_digest
    assert proxy.refused == []


def test_dockerd_goes_the_same_way(scene, image):
    plain, tls, own, etc, proxy = scene
    base = tempfile.mkdtemp(prefix="docker-proxies-")
    docker = Docker(base, launcher=("unshare", "--mount", "bash", "-euc", 'mkdir -p /etc/docker; mount --bind "$0" /etc/docker; exec "$@"', etc, *environment(proxy)))
    try:
        proxy.take()
        docker.out("pull", f"{plain.host}/sample:1")
        asked, connected = through(proxy, plain, tls)
        assert {f"http://{plain.host}/v2/sample/blobs/{layer['digest']}" for layer in image.manifest["layers"]} <= asked and connected <= {plain.host}
        docker.out("rmi", f"{plain.host}/sample:1")
        docker.out("pull", f"{tls.host}/sample:1")
        assert through(proxy, plain, tls) == (set(), {tls.host})
        docker.out("pull", f"{own.host}/sample:1")
        assert proxy.take() == []
    finally:
        docker.stop()
        shutil.rmtree(base)


def test_a_certificate_for_the_proxys_address_is_not_for_anothers(scene, berthd, tmp_path):
    """The library that speaks TLS compares an address with the one that it is connected to, which is the proxy's."""
    plain, tls, own, etc, proxy = scene
    base = etc.parent
    run("bash", "-euc", f"""
        openssl req -newkey rsa:2048 -nodes -keyout key -out csr -subj '/CN=the proxy'
        openssl x509 -req -in csr -CA {base}/ca.crt -CAkey {base}/ca.key -CAcreateserial -out crt -days 2 -extfile <(echo subjectAltName=IP:127.0.0.1)
        """, cwd=tmp_path)
    other = Registry(tmp_path, address=ADDRESS, http={"tls": {"certificate": str(tmp_path / "crt"), "key": str(tmp_path / "key")}})
    shutil.copytree(etc / "certs.d" / tls.host, etc / "certs.d" / other.host)
    try:
        refused = berthd()("pull", f"{other.host}/sample:1", status=1).stderr
        assert f"the certificate of {ADDRESS}, for 'CN=the proxy' and signed by 'CN=test authority', is for other names: 127.0.0.1" in refused, refused
    finally:
        other.stop()


def test_exceptions(scene, image, berthd):
    plain, tls, own, etc, proxy = scene
    berth = berthd(exceptions=f"other.example,{ADDRESS}")
    proxy.take()
    for registry in (plain, tls):
        assert f"Digest: {image.manifest_digest}" in berth.out("pull", f"{registry.host}/sample:1").splitlines()
    assert proxy.take() == []


def test_a_proxy_that_does_not_know_who_asks(scene, berthd):
    plain, tls, own, etc, proxy = scene
    berth = berthd("another-5511")
    for registry in (plain, tls):
        refused = berth("pull", f"{registry.host}/sample:1", status=1).stderr
        assert "the proxy wants other credentials than its address has" in refused, refused
        assert "another-5511" not in refused and "another-5511" not in berth.daemon.log.read_text()
    assert proxy.refused and proxy.take() == []
    proxy.refused.clear()
