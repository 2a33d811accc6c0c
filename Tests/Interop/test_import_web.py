"""`import` of an address: the daemon fetches it, for the stock clients and for berth alike."""
import gzip
import hashlib
import http.server
import json
import threading

import pytest


@pytest.fixture(scope="module")
def web(busybox_tar):
    tar = busybox_tar.read_bytes()
    packed = gzip.compress(tar, 1)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            place = self.path.partition("?")[0]
            if place == "/moved":
                self.send_response(302)
                self.send_header("Location", "/rootfs.tar.gz")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            content = {"/rootfs.tar": tar, "/rootfs.tar.gz": packed, "/short": tar[:100_000], "/text": b"no archive at all\n" * 100}.get(place)
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(tar if place == "/short" else content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")
            if place == "/short":
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.mark.parametrize("place", ["/rootfs.tar", "/rootfs.tar.gz", "/moved?secret=1"])
def test_from_the_web(client, web, busybox_tar, place):
    reference = f"web-{client.name}:1"
    said = client.out("import", "--change", 'CMD ["echo", "hello"]', f"{web}{place}", reference).splitlines()
    try:
        assert said[0].startswith("Downloading from http://127.0.0.1") and "secret" not in said[0]
        image = json.loads(client.out("image", "inspect", reference))[0]
        assert image["Id"] == said[-1]
        assert image["RootFS"]["Layers"] == ["sha256:" + hashlib.sha256(busybox_tar.read_bytes()).hexdigest()]
        assert image["Comment"] == "Imported from " + web + ("/rootfs.tar.gz" if place.startswith("/moved") else place)
        assert client.out("run", "--rm", "--network", "none", reference) == "hello"
    finally:
        client("rmi", reference)


@pytest.mark.parametrize("place, words", [("/nothing", "404"), ("/short", "ended before"), ("/text", "archive")])
def test_what_cannot_be_had(client, web, place, words):
    reference = f"web-{client.name}:none"
    done = client("import", f"{web}{place}", reference, status=1)
    assert words in done.stderr, done.stderr
    assert client.out("images", "-q", reference) == ""


def test_nobody_there(client):
    done = client("import", "http://127.0.0.1:1/x", status=1)
    assert "127.0.0.1" in done.stderr and "refused" in done.stderr
