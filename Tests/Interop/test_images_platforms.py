"""Indexes of several platforms: what others make is kept whole, and comes back as it was; each command takes the image that is asked for."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

import openapi
from test_hostile import Connection
from test_images_archives import BIN, buildah, engine, podman, run  # noqa: F401 (fixtures)

NAME = "registry.example/multi:1"
HOST = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
OTHER = "s390x"


class Multi:
    """An image of the same program for two platforms, as far as it says so itself, in a layout that umoci made."""

    def __init__(self, folder, busybox_tar):
        self.layout = folder / "layout"
        run("umoci", "init", "--layout", self.layout)
        for architecture in (OTHER, HOST):
            image = f"{self.layout}:{architecture}"
            run("umoci", "new", "--image", image)
            run("umoci", "config", "--image", image, "--architecture", architecture, "--os", "linux", "--config.cmd", "cat", "--config.cmd", "/platform")
            run("umoci", "unpack", "--image", image, folder / "bundle")
            run("tar", "-C", folder / "bundle/rootfs", "-xf", busybox_tar)
            (folder / "bundle/rootfs/platform").write_text(architecture + "\n")
            run("umoci", "repack", "--image", image, folder / "bundle")
            shutil.rmtree(folder / "bundle")
        run("umoci", "gc", "--layout", self.layout)
        index = json.loads((self.layout / "index.json").read_text())
        self.manifests = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"] for entry in index["manifests"]}
        self.ids = {name: json.loads(self.blob(digest))["config"]["digest"] for name, digest in self.manifests.items()}

    def blob(self, digest):
        return (self.layout / "blobs" / digest.replace(":", "/")).read_bytes()


@pytest.fixture(scope="module")
def multi(tmp_path_factory, busybox_tar):
    return Multi(tmp_path_factory.mktemp("multi"), busybox_tar)


@pytest.fixture(scope="module")
def archives(multi, buildah, podman, tmp_path_factory):  # noqa: F811
    """Archives of an index of both, by who made them."""
    folder = tmp_path_factory.mktemp("archives")
    for name, tool in (("buildah", buildah), ("podman", podman)):
        tool("manifest", "create", "list")
        for architecture in (OTHER, HOST):
            tool("manifest", "add", "list", f"oci:{multi.layout}:{architecture}")
        tool("manifest", "push", "--all", "list", f"oci-archive:{folder}/{name}.tar:{NAME}")
    run("skopeo", "copy", "-q", "--all", f"oci-archive:{folder}/buildah.tar:{NAME}", f"oci-archive:{folder}/skopeo.tar:{NAME}")
    return {name: folder / f"{name}.tar" for name in ("buildah", "podman", "skopeo")}


def members(path):
    with tarfile.open(path) as tar:
        return {member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()}


def digest_of(archive):
    return json.loads(members(archive)["index.json"])["manifests"][0]["digest"]


def blobs(files):
    found = {name: contents for name, contents in files.items() if name.startswith("blobs/")}
    assert all(hashlib.sha256(contents).hexdigest() == name.rsplit("/", 1)[1] for name, contents in found.items())
    return found


def load(engine, archive, *arguments):  # noqa: F811
    return engine.berth("load", "-i", archive, *arguments)


def ids(engine, *arguments):  # noqa: F811
    return set(engine.berth("images", "-q", "--no-trunc", *arguments).split())


@pytest.mark.parametrize("maker", ["buildah", "podman", "skopeo"])
def test_what_others_make_comes_back_byte_for_byte(engine, multi, archives, tmp_path, maker):  # noqa: F811
    archive, index = archives[maker], digest_of(archives[maker])
    assert load(engine, archive) == f"Loaded image: {NAME}"
    assert ids(engine) == {multi.ids[HOST]} and ids(engine, "--all") == set(multi.ids.values())
    kept = {f"blobs/sha256/{path.name}": path.read_bytes() for path in (engine.root / "content/blobs/sha256").iterdir()}
    assert kept == blobs(members(archive))
    engine.berth("save", "-o", tmp_path / "saved.tar", NAME)
    saved = members(tmp_path / "saved.tar")
    assert blobs(saved) == kept and digest_of(tmp_path / "saved.tar") == index
    # Others read it, and what they copy has the same index.
    run("skopeo", "copy", "-q", "--all", f"oci-archive:{tmp_path}/saved.tar:{NAME}", f"oci:{tmp_path}/copy:x")
    assert json.loads((tmp_path / "copy/index.json").read_text())["manifests"][0]["digest"] == index
    # And so is the store.
    assert run("skopeo", "inspect", "--raw", f"oci:{engine.root}/content:{NAME}") == members(archive)[f"blobs/{index.replace(':', '/')}"]
    for architecture, identity in multi.ids.items():
        inspected = json.loads(run("skopeo", "--override-arch", architecture, "inspect", "--config", f"oci:{engine.root}/content:{NAME}"))
        assert inspected["architecture"] == architecture
    # Everything of it goes with its name.
    engine.berth("rmi", NAME)
    assert list((engine.root / "content/blobs/sha256").iterdir()) == [] and ids(engine, "--all") == set()


def test_an_index_without_a_name_comes_back_byte_for_byte(engine, multi, archives, tmp_path):  # noqa: F811
    archive = tmp_path / "unnamed.tar"
    run("skopeo", "copy", "-q", "--all", f"oci-archive:{archives['skopeo']}:{NAME}", f"oci-archive:{archive}")
    index = digest_of(archive)
    assert index == digest_of(archives["skopeo"])
    assert load(engine, archive) == f"Loaded image ID: {index}"
    assert ids(engine) == ids(engine, "--filter", "dangling=true") == {multi.ids[HOST]} and ids(engine, "--all") == set(multi.ids.values())
    assert engine.berth("images", "--format", "{{.Repository}}:{{.Tag}}") == "<none>:<none>"
    engine.berth("save", "-o", tmp_path / "saved.tar", index)
    assert blobs(members(tmp_path / "saved.tar")) == blobs(members(archive)) and digest_of(tmp_path / "saved.tar") == index
    assert f"Deleted: {index}" in engine.berth("rmi", index)
    assert list((engine.root / "content/blobs/sha256").iterdir()) == [] and ids(engine, "--all") == set()
    # What is saved without a name is loaded without one, and pruned as what has none.
    load(engine, tmp_path / "saved.tar")
    assert f"deleted: {index}" in engine.berth("image", "prune", "-f").lower()
    assert list((engine.root / "content/blobs/sha256").iterdir()) == []


def test_others_load_what_is_saved(engine, multi, archives, podman, buildah, tmp_path):  # noqa: F811
    load(engine, archives["skopeo"])
    engine.berth("save", "-o", tmp_path / "saved.tar", NAME)
    podman("rmi", "--all", "--force")
    assert NAME in podman("load", "-q", "-i", tmp_path / "saved.tar")
    assert f"sha256:{json.loads(podman('inspect', '--type', 'image', NAME))[0]['Id']}" == multi.ids[HOST]
    pulled = buildah("pull", "-q", f"oci-archive:{tmp_path}/saved.tar:{NAME}").strip()
    assert f"sha256:{pulled}" == multi.ids[HOST]
    # One platform alone is an image as any other.
    engine.berth("save", "-o", tmp_path / "one.tar", "--platform", f"linux/{OTHER}", NAME)
    assert digest_of(tmp_path / "one.tar") == multi.manifests[OTHER]
    (tmp_path / "one").mkdir()
    run("tar", "-C", tmp_path / "one", "-xf", tmp_path / "one.tar")
    run("umoci", "unpack", "--image", f"{tmp_path}/one:{NAME}", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/platform").read_text() == f"{OTHER}\n"


def test_platforms_come_one_by_one(engine, multi, archives, tmp_path):  # noqa: F811
    load(engine, archives["skopeo"], "--platform", f"linux/{OTHER}")
    assert ids(engine, "--all") == {multi.ids[OTHER]} == ids(engine)
    load(engine, archives["skopeo"], "--platform", f"linux/{HOST}")
    assert ids(engine) == {multi.ids[HOST]} and ids(engine, "--all") == set(multi.ids.values())
    done = subprocess.run(
        [BIN / "berth", "-H", f"unix://{engine.socket}", "load", "-i", archives["skopeo"], "--platform", "linux/riscv64"],
        capture_output=True, text=True)
    assert done.returncode == 1 and f"there is linux/{OTHER}, linux/{HOST}" in done.stderr
    # A daemon that comes after this one knows the same.
    engine.stop()
    engine.start()
    assert ids(engine) == {multi.ids[HOST]} and ids(engine, "--all") == set(multi.ids.values())


@pytest.fixture
def loaded(client, archives):
    """The index under a name of the client's own."""
    name = f"multi-{client.name}:1"
    client("load", "-i", archives["skopeo"])
    client("tag", NAME, name)
    yield name
    client("rmi", "-f", name, NAME, status=None)


def test_clients_take_the_platform_that_they_ask_for(client, loaded, multi, archives, tmp_path):
    host, other = f"linux/{HOST}", f"linux/{OTHER}"
    assert client.out("inspect", "--format", "{{.Id}} {{.Architecture}}", loaded) == f"{multi.ids[HOST]} {HOST}"
    assert loaded in client.out("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    assert client.out("run", "--rm", "--network", "none", loaded) == HOST
    assert client.out("run", "--rm", "--network", "none", "--platform", other, loaded) == OTHER
    index = digest_of(archives["skopeo"])
    assert client.out("run", "--rm", "--network", "none", f"{loaded.split(':')[0]}@{index}") == HOST
    container = client.out("create", "--network", "none", "--platform", other, loaded, "sh")
    assert client.out("inspect", "--format", "{{.Image}}", container) == multi.ids[OTHER]
    # The image of a container holds the name of its index.
    assert "is using its referenced image" in client("rmi", loaded, NAME, status=1).stderr
    client("tag", NAME, loaded)
    made = client.out("commit", container)
    assert client.out("inspect", "--format", "{{.Architecture}}", made) == OTHER
    client("rmi", made)
    client("rm", container)
    if client.name == "docker-debian":
        return
    assert client.out("image", "inspect", "--platform", other, "--format", "{{.Id}}", loaded) == multi.ids[OTHER]
    assert "does not provide the specified platform (linux/riscv64)" in client(
        "image", "inspect", "--platform", "linux/riscv64", loaded, status=1).stderr
    assert client.out("history", "--platform", other, "-q", "--no-trunc", loaded).splitlines()[0] == multi.ids[OTHER]
    client("save", "--platform", other, "-o", tmp_path / "one.tar", loaded)
    assert digest_of(tmp_path / "one.tar") == multi.manifests[OTHER]
    assert "--force" in client("rmi", "--platform", other, loaded, status=1).stderr.replace("—-", "--")
    assert multi.ids[OTHER] in client.out("rmi", "--force", "--platform", other, loaded)
    assert client.out("run", "--rm", "--network", "none", loaded) == HOST
    client("image", "inspect", "--platform", other, loaded, status=1)
    client("load", "--platform", other, "-i", archives["skopeo"])
    assert client.out("image", "inspect", "--platform", other, "--format", "{{.Id}}", loaded) == multi.ids[OTHER]


def test_clients_are_warned_of_what_does_not_run_here(client, archives, multi):
    client("load", "-i", archives["skopeo"])
    client("tag", multi.ids[OTHER], f"foreign-{client.name}:1")
    done = client("run", "--rm", "--network", "none", f"foreign-{client.name}:1")
    assert done.stdout == f"{OTHER}\n"
    assert f"The requested image's platform (linux/{OTHER}) does not match the detected host platform (linux/{HOST}" in done.stderr
    quiet = client("run", "--rm", "--network", "none", "--platform", f"linux/{OTHER}", f"foreign-{client.name}:1")
    assert "does not match" not in quiet.stderr
    client("rmi", f"foreign-{client.name}:1", NAME)


def test_what_docker_has_not_takes_a_platform_too(engine, multi, archives):  # noqa: F811
    load(engine, archives["buildah"])
    for architecture, identity in multi.ids.items():
        named = ["--platform", f"linux/{architecture}", NAME]
        assert f"{identity[7:19]}: " in engine.berth("image", "layers", *named).splitlines()[0]
        # Of one layer it is the image itself.
        assert engine.berth("image", "squash", *named) == identity
        assert engine.berth("image", "diff", "--format", "json", *named, identity) == ""
        moved = engine.berth("image", "rebase", "--from", NAME, "--onto", NAME, *named)
        assert engine.berth("image", "inspect", "-f", "{{.Architecture}}", moved) == architecture


def get(engine, target, status=200):  # noqa: F811
    connection = Connection(engine.socket)
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == status, body
    openapi.check("GET", target, status, body)
    return body


def test_manifests_are_told(engine, multi, archives):  # noqa: F811
    load(engine, archives["skopeo"])
    index = digest_of(archives["skopeo"])
    container = engine.berth("create", "--network", "none", NAME, "sh")
    [listed] = json.loads(get(engine, "/v1.51/images/json?manifests=1"))
    inspected = json.loads(get(engine, f"/v1.51/images/{NAME}/json?manifests=1"))
    assert listed["Descriptor"]["digest"] == inspected["Descriptor"]["digest"] == index
    assert listed["Manifests"] == inspected["Manifests"]
    blobs_of = {identity: json.loads(multi.blob(multi.manifests[name])) for name, identity in multi.ids.items()}
    for told, architecture in zip(listed["Manifests"], (OTHER, HOST), strict=True):
        assert told["ID"] == told["Descriptor"]["digest"] == multi.manifests[architecture]
        assert told["Available"] and told["Kind"] == "image" and told["ImageData"]["Platform"]["architecture"] == architecture
        manifest = blobs_of[multi.ids[architecture]]
        content = told["Descriptor"]["size"] + sum(part["size"] for part in [manifest["config"], *manifest["layers"]])
        assert told["Size"] == {"Content": content, "Total": content + told["ImageData"]["Size"]["Unpacked"]}
        assert told["ImageData"]["Size"]["Unpacked"] > 0
        assert told["ImageData"]["Containers"] == ([container] if architecture == HOST else [])
    # Nobody who does not ask, or cannot, is told.
    assert "Manifests" not in json.loads(get(engine, "/v1.51/images/json"))[0]
    old = json.loads(get(engine, "/v1.46/images/json?manifests=1"))[0]
    assert "Manifests" not in old and "Descriptor" not in old
    assert "Manifests" not in json.loads(get(engine, f"/v1.47/images/{NAME}/json?manifests=1"))
    refused = get(engine, f"/v1.51/images/{NAME}/json?manifests=1&platform=linux/{OTHER}", status=400)
    assert json.loads(refused)["message"] == "conflicting options: manifests and platform options cannot both be set"
    engine.berth("rm", container)


def test_clients_show_trees(client, loaded):
    if client.name != "docker-newer":
        return  # it has none
    lines = client.out("image", "ls", "--tree").splitlines()
    shown = [line for line in lines if f"linux/{HOST}" in line or f"linux/{OTHER}" in line]
    assert len(shown) >= 2 and any(loaded in line for line in lines)
