"""berth image copy: what goes between registries, layouts, archives and the daemon's images is the same at both ends, as skopeo sees it. And the daemon's images as a registry."""
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from conftest import BIN
from test_images_archives import run
from test_images_archives import image as image  # noqa: F401, a fixture
from test_registry import Plain, Registry, RegistryDaemon, free_port


@pytest.fixture(scope="module")
def registry(tmp_path_factory, image):
    registry = Registry(tmp_path_factory.mktemp("registry"))
    run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{image.layout}:made", f"docker://{registry.host}/sample:1")
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def served():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def berth(served):
    base = tempfile.mkdtemp(prefix="berth-copy-")
    daemon = RegistryDaemon(base, "--registry", served).start()
    yield Plain("berth", daemon)
    daemon.stop()
    shutil.rmtree(base)


@pytest.fixture(autouse=True)
def nothing_is_left(berth):
    yield
    for name in berth.out("images", "-aq").split():
        berth("rmi", "-f", name, status=None)


def digest(place):
    raw = run("skopeo", "inspect", "--raw", *(["--tls-verify=false"] if place.startswith("docker:") else []), place)
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def sources(image, registry, berth, folder):
    """The same image in each kind of place."""
    run("skopeo", "copy", "-q", f"oci:{image.layout}:made", f"oci-archive:{folder}/made.tar:made")
    berth("image", "copy", f"oci:{image.layout}:made", "berth:here:1")
    return {
        "registry": f"docker://{registry.host}/sample:1", "layout": f"oci:{image.layout}:made", "archive": f"oci-archive:{folder}/made.tar:made",
        "store": "berth:here:1"}


@pytest.mark.parametrize("kind", ["registry", "layout", "archive", "store"])
def test_the_digest_is_the_same_at_both_ends(berth, image, registry, tmp_path, kind):
    source = sources(image, registry, berth, tmp_path)[kind]
    name = f"{registry.host}/to/{kind}"
    assert berth.out("image", "copy", source, f"docker://{name}:2") == f"{name}@{image.manifest_digest}"
    assert digest(f"docker://{name}:2") == image.manifest_digest

    assert berth.out("image", "copy", source, f"oci:{tmp_path}/layout:x") == f"{tmp_path}/layout"
    assert berth.out("image", "copy", source, f"oci:{tmp_path}/layout:y") == f"{tmp_path}/layout"
    for tag in "xy":
        assert digest(f"oci:{tmp_path}/layout:{tag}") == image.manifest_digest
    run("umoci", "unpack", "--image", f"{tmp_path}/layout:x", tmp_path / "bundle")

    berth("image", "copy", source, f"oci-archive:{tmp_path}/one.tar:some/name:3")
    assert digest(f"oci-archive:{tmp_path}/one.tar:some/name:3") == image.manifest_digest

    # Docker's archives have no manifest that others read: the image's id is what stays.
    berth("image", "copy", source, f"docker-archive:{tmp_path}/docker.tar:some/name:3")
    inspected = json.loads(run("skopeo", "inspect", "--config", "--raw", f"docker-archive:{tmp_path}/docker.tar:some/name:3"))
    assert inspected["rootfs"]["diff_ids"] == image.diff_ids
    with tarfile.open(tmp_path / "docker.tar") as tar:
        [item] = json.load(tar.extractfile("manifest.json"))
    assert item["RepoTags"] == ["some/name:3"] and item["Config"].endswith(image.id.split(":")[1])

    assert berth.out("image", "copy", source, "berth:there:1") == f"there@{image.manifest_digest}"
    assert json.loads(berth.out("image", "inspect", "there:1"))[0]["Id"] == image.id


def test_archives_of_docker(berth, image, registry, tmp_path):
    run("skopeo", "copy", "-q", f"oci:{image.layout}:made", f"docker-archive:{tmp_path}/docker.tar:named:1")
    for source in (f"docker-archive:{tmp_path}/docker.tar", f"docker-archive:{tmp_path}/docker.tar:named:1"):
        berth("image", "copy", source, f"docker://{registry.host}/from/docker:1")
        config = run("skopeo", "inspect", "--tls-verify=false", "--config", "--raw", f"docker://{registry.host}/from/docker:1")
        assert json.loads(config)["rootfs"]["diff_ids"] == image.diff_ids
    # Loaded and pushed, it is the same manifest.
    berth("load", "-i", tmp_path / "docker.tar")
    berth("tag", "named:1", f"{registry.host}/from/load:1")
    berth("push", f"{registry.host}/from/load:1")
    assert digest(f"docker://{registry.host}/from/load:1") == digest(f"docker://{registry.host}/from/docker:1")
    failed = berth("image", "copy", f"docker-archive:{tmp_path}/docker.tar:other:1", "berth:x", status=1)
    assert "the archive has no image 'other:1': it has named:1" in failed.stderr


@pytest.fixture(scope="module")
def index(tmp_path_factory, image):
    """A layout of an index of two platforms, which have the same layers, and what is attached to one."""
    folder = tmp_path_factory.mktemp("index")
    shutil.copytree(image.layout, folder / "layout")
    blobs = folder / "layout/blobs/sha256"

    def keep(value, kind, **more):
        data = json.dumps(value).encode()
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}.v1+json", "digest": f"sha256:{name}", "size": len(data), **more}

    members = []
    for architecture in ("amd64", "riscv64"):
        config = {**json.loads(image.blob(image.id)), "architecture": architecture}
        manifest = {**image.manifest, "config": keep(config, "config")}
        members.append(keep(manifest, "manifest", platform={"os": "linux", "architecture": architecture}))
    statement = keep({"predicateType": "https://slsa.dev/provenance/v0.2"}, "config")
    attestation = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": keep({"architecture": "unknown", "os": "unknown"}, "config"),
        "layers": [{**statement, "mediaType": "application/vnd.in-toto+json"}]}
    members.append(keep(attestation, "manifest", platform={"os": "unknown", "architecture": "unknown"}, annotations={
        "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": members[0]["digest"]}))
    top = keep({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": members}, "index")
    (folder / "layout/index.json").write_text(json.dumps({
        "schemaVersion": 2, "manifests": [{**top, "annotations": {"org.opencontainers.image.ref.name": "both"}}]}))
    return folder / "layout", top["digest"], [member["digest"] for member in members]


def test_an_index_goes_whole_or_one_platform_of_it(berth, index, registry, tmp_path):
    layout, whole, members = index
    source = f"oci:{layout}:both"
    name = f"{registry.host}/index"
    assert berth.out("image", "copy", "--all", source, f"docker://{name}:all") == f"{name}@{whole}"
    for member in members:
        assert digest(f"docker://{name}@{member}") == member
    assert berth.out("image", "copy", "--platform", "linux/riscv64", source, f"docker://{name}:one") == f"{name}@{members[1]}"
    run("skopeo", "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false", f"docker://{name}:all", f"oci:{tmp_path}/theirs:x")
    berth("image", "copy", f"docker://{name}:all", f"oci:{tmp_path}/ours:x")
    assert digest(f"oci:{tmp_path}/ours:x") == digest(f"oci:{tmp_path}/theirs:x") == whole
    assert {path.name for path in (tmp_path / "ours/blobs/sha256").iterdir()} == {path.name for path in (tmp_path / "theirs/blobs/sha256").iterdir()}

    # What takes one image gets the one for this machine, unless all are asked for.
    berth("image", "copy", source, f"docker-archive:{tmp_path}/one.tar:x:1")
    config = json.loads(run("skopeo", "inspect", "--config", "--raw", f"docker-archive:{tmp_path}/one.tar:x:1"))
    assert config["architecture"] == "amd64"
    failed = berth("image", "copy", "--all", source, f"docker-archive:{tmp_path}/two.tar:x:1", status=1)
    assert "cannot be copied with all its platforms" in failed.stderr and not (tmp_path / "two.tar").exists()
    assert "--all and --platform" in berth("image", "copy", "--all", "--platform", "linux", source, "berth:x", status=1).stderr
    failed = berth("image", "copy", "--platform", "linux/s390x", source, f"docker://{name}:none", status=1)
    assert "no matching manifest for linux/s390x" in failed.stderr

    # The daemon's images keep the index, and one image of it; from there that one goes on.
    assert berth.out("image", "copy", f"docker://{name}:all", "berth:both:1") == f"both@{whole}"
    assert berth.out("image", "copy", "berth:both:1", f"docker://{name}:back") == f"{name}@{members[0]}"
    failed = berth("image", "copy", "--all", "berth:both:1", f"docker://{name}:back", status=1)
    assert "not all that its index names is here" in failed.stderr


def test_paths_are_the_clients(berth, image, tmp_path):
    """Relative ones begin where the client is, and a daemon that could not open them is no matter."""
    for source, target in ((f"oci:{image.layout}:made", "oci-archive:a.tar:made"), ("oci-archive:a.tar:made", "oci:l:made"), ("oci:l:made", "oci:m:made")):
        done = subprocess.run(
            [berth.program, "image", "copy", source, target], cwd=tmp_path, env=berth.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert digest(f"oci:{tmp_path}/m:made") == image.manifest_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "l", "m"]


@pytest.mark.parametrize("source, target, words", [
    ("sample", "berth:x", "'sample' is no place of an image"),
    ("oci:", "berth:x", "names no file"),
    ("oci:/nowhere:x", "berth:x", "open /nowhere:"),
    ("oci-archive:/etc/passwd", "berth:x", "archive"),
    ("berth:absent", "oci:/tmp/never-made", "No such image: absent"),
    ("berth:absent", "docker://127.0.0.1:1/x@sha256:" + 64 * "0", "bytes that give an image its digest"),
    ("docker://127.0.0.1:1/x", "oci-archive:/nowhere/a.tar", "127.0.0.1:1"),
])
def test_mistakes(berth, source, target, words):
    failed = berth("image", "copy", source, target, status=1)
    assert words in failed.stderr and "\n" not in failed.stderr.strip()


def test_a_damaged_layout_names_nothing(berth, image, registry, tmp_path):
    shutil.copytree(image.layout, tmp_path / "l")
    layer = tmp_path / "l/blobs" / image.manifest["layers"][0]["digest"].replace(":", "/")
    layer.write_bytes(layer.read_bytes()[:-1] + bytes([layer.read_bytes()[-1] ^ 1]))
    assert "damaged" in berth("image", "copy", f"oci:{tmp_path}/l:made", f"docker://{registry.host}/damaged:1", status=1).stderr
    layer.unlink()
    assert "does not have the blob" in berth("image", "copy", f"oci:{tmp_path}/l:made", f"docker://{registry.host}/damaged:1", status=1).stderr
    assert "damaged" not in run("skopeo", "list-tags", "--tls-verify=false", f"docker://{registry.host}/sample").decode()
    assert berth.out("images", "-aq") == ""


def test_the_daemons_images_are_a_registry(berth, served, image, tmp_path):
    berth("image", "copy", f"oci:{image.layout}:made", "berth:here:1")
    assert digest(f"docker://{served}/library/here:1") == image.manifest_digest
    run("skopeo", "copy", "-q", "--preserve-digests", "--src-tls-verify=false", f"docker://{served}/library/here:1", f"oci:{tmp_path}/l:x")
    assert digest(f"oci:{tmp_path}/l:x") == image.manifest_digest
    # It is read while the daemon works on it, and takes nothing.
    berth("tag", "here:1", "here:2")
    assert digest(f"docker://{served}/library/here:2") == image.manifest_digest
    refused = subprocess.run(
        ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{image.layout}:made", f"docker://{served}/library/new:1"], capture_output=True, text=True)
    assert refused.returncode != 0
    berth("rmi", "-f", "here:1", "here:2")
    gone = subprocess.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{served}/library/here:1"], capture_output=True, text=True)
    assert gone.returncode != 0 and "unknown" in gone.stderr


def test_a_cache_of_another_registry(berth, image, tmp_path):
    upstream = Registry(tmp_path)
    run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{image.layout}:made", f"docker://{upstream.host}/team/sample:1")
    from test_registry_server import Registry as Own
    folder = tmp_path / "cache"
    folder.mkdir()
    cache = Own(folder, "--cache-of", f"http://{upstream.host}")
    try:
        assert digest(f"docker://{cache.address}/team/sample:1") == image.manifest_digest
        berth("image", "copy", f"docker://{cache.address}/team/sample:1", f"oci:{tmp_path}/first:x")
        upstream.stop()
        # What was asked for is here, also by its tag.
        berth("image", "copy", f"docker://{cache.address}/team/sample:1", f"oci:{tmp_path}/second:x")
        assert digest(f"oci:{tmp_path}/second:x") == image.manifest_digest
        assert berth("image", "copy", f"docker://{cache.address}/team/other:1", f"oci:{tmp_path}/third:x", status=1).stderr
        assert berth("image", "copy", f"oci:{tmp_path}/first:x", f"docker://{cache.address}/team/new:1", status=1).stderr
    finally:
        cache.stop()


@pytest.mark.parametrize("flags, words", [
    (["--offline"], "only with --cache-of"),
    (["--cache-of", "not a host"], "is no registry"),
    (["--cache-of", "docker.io", "--collect-every", "5"], "with --cache-of"),
])
def test_flags_that_say_nothing(tmp_path, flags, words):
    done = subprocess.run([BIN / "berth", "registry", "serve", "--store", tmp_path / "s", "--listen", "127.0.0.1:0", *flags], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("flags, words", [
    (["--registry", ":5000"], "--registry-plain-http"), (["--registry", "nothing"], "has no port"),
    (["--registry-allow", "anyone:*:pull"], "give that as well"), (["--registry", "127.0.0.1:0", "--registry-tls-cert", "x"], "belong together"),
])
def test_flags_of_the_daemons_registry(tmp_path, flags, words):
    done = subprocess.run(
        [BIN / "berthd", "--root", tmp_path / "root", "--exec-root", tmp_path / "run", "-H", f"unix://{tmp_path}/s", *flags],
        capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr


def test_a_push_says_what_goes_instead_of_an_index(berth, index, registry):
    layout, whole, members = index
    name = f"{registry.host}/instead:1"
    berth("image", "copy", f"oci:{layout}:both", f"berth:{name}")
    pushed = berth("push", name)
    assert f"1: digest: {members[0]} size: " in pushed.stdout
    assert pushed.stderr.split() == [
        *"Info -> Not all multiplatform-content is present and only the available single-platform image was pushed".split(), whole, "->", members[0]]
    # One that was asked for is no surprise.
    assert berth("push", "--platform", "linux/amd64", name).stderr == ""


def test_manifests_are_shown_with_what_docker_adds(berth, index, registry, tmp_path):
    layout, whole, members = index
    name = f"{registry.host}/shown:1"
    berth("image", "copy", f"oci:{layout}:both", f"docker://{name}")
    shown = json.loads(berth.out("manifest", "inspect", "-v", name))
    assert [entry["Descriptor"]["digest"] for entry in shown] == members
    assert [entry["Ref"] for entry in shown] == [f"{name}@{member}" for member in members]
    assert shown[1]["Descriptor"]["platform"] == {"architecture": "riscv64", "os": "linux"}
    raw = json.loads(run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/shown@{members[0]}"))
    assert shown[0]["OCIManifest"] == raw and shown[0]["Descriptor"]["size"] == len(
        run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/shown@{members[0]}"))
    one = json.loads(berth.out("manifest", "inspect", "--verbose", f"{registry.host}/shown@{members[1]}"))
    assert one["Descriptor"]["platform"] == {"architecture": "riscv64", "os": "linux"}
    # A registry in Docker's own words.
    run("skopeo", "copy", "-q", "--format", "v2s2", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{registry.host}/sample:1", f"docker://{registry.host}/v2:1")
    one = json.loads(berth.out("manifest", "inspect", "-v", f"{registry.host}/v2:1"))
    assert one["Ref"] == f"{registry.host}/v2:1" and one["SchemaV2Manifest"]["schemaVersion"] == 2


def test_an_insecure_registry_is_asked_for_once(berth, image, tmp_path):
    """A registry with a certificate of nobody's, at an address that is not the loopback."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=nobody", "-keyout", key, "-out", certificate)
    run("ip", "address", "add", "192.0.2.77/32", "dev", "lo")
    try:
        secured = Registry(tmp_path, address="192.0.2.77", http={"tls": {"certificate": str(certificate), "key": str(key)}})
        run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{image.layout}:made", f"docker://{secured.host}/sample:1")
        assert "certificate" in berth("manifest", "inspect", f"{secured.host}/sample:1", status=1).stderr
        for words in (["--insecure"], ["--insecure", "-v"]):
            assert image.id in berth.out("manifest", "inspect", *words, f"{secured.host}/sample:1")
        assert "certificate" in berth("manifest", "inspect", f"{secured.host}/sample:1", status=1).stderr
        secured.stop()
    finally:
        run("ip", "address", "del", "192.0.2.77/32", "dev", "lo")


def test_unpacking_is_told_in_bytes(berth, registry, tmp_path):
    """What takes long to unpack has come long before: how far that is, is told as Docker tells it, in bytes of the layer as it came."""
    tree = tmp_path / "tree"
    tree.mkdir()
    with open(tree / "a", "wb") as zeros:
        zeros.truncate(300 << 20)
    (tree / "b").write_bytes(os.urandom(24 << 20))
    run("tar", "-C", tree, "-cf", tmp_path / "root.tar", "a", "b")
    name = f"{registry.host}/slow:1"
    berth("import", tmp_path / "root.tar", name)
    berth("push", name)
    size = json.loads(run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"))["layers"][0]["size"]
    berth("rmi", name)
    berth("image", "prune", "-f")
    socket = berth.environment["DOCKER_HOST"].removeprefix("unix://")
    answer = run("curl", "-sS", "--unix-socket", socket, "-X", "POST", f"http://d/images/create?fromImage={registry.host}/slow&tag=1")
    lines = [json.loads(line) for line in answer.splitlines()]
    told = [line["progressDetail"] for line in lines if line.get("status") == "Extracting"]
    assert told and all(detail["total"] == size and detail["current"] <= size for detail in told), lines
    assert [detail["current"] for detail in told] == sorted(detail["current"] for detail in told)
