"""How images were made, and which of them go when nobody needs them."""
import json
import shutil
import subprocess
import tempfile
import time

import pytest

from conftest import Client, Daemon, clients
from test_confinement import Docker
from test_images_archives import BIN, Image, run

NONE = ("--network", "none")


@pytest.fixture(scope="module", params=clients())
def alone(request):
    """A client of a daemon that nothing else uses."""
    base = tempfile.mkdtemp(prefix="berth-store-")
    daemon = Daemon(base).start()
    client = Client(request.param, clients()[request.param], daemon)
    yield client
    client.check_answers()
    daemon.stop()
    shutil.rmtree(base)


@pytest.fixture
def store(alone):
    """Left as it was found: empty."""
    yield alone
    for kind, remove in (("ps", "rm"), ("images", "rmi")):
        if found := alone.out(kind, "-aq").split():
            alone(remove, "-f", *dict.fromkeys(found))


def add(client, tmp_path, text, *name, labels=()):
    """An image with one file; its id."""
    root = tmp_path / f"root-{text}"
    root.mkdir(exist_ok=True)
    (root / "file").write_text(text)
    tar = tmp_path / f"{text}.tar"
    shutil.make_archive(str(tar)[:-4], "tar", root)
    changes = [part for label in labels for part in ("--change", f"LABEL {label}")]
    return client.out("import", *changes, tar, *name)


def ids(client):
    return set(client.out("images", "-aq", "--no-trunc").split())


# How images were made

def test_history(client, box, name):
    reference = f"history-{client.name}:1"
    client("run", "--name", name, *NONE, box, "sh", "-c", "echo hello >/new")
    top = client.out("commit", "-m", "some words", name, reference)
    parent = client.out("image", "inspect", "-f", "{{.Id}}", box)
    rows = [line.split("|") for line in client.out("history", "--no-trunc", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}", reference).splitlines()]
    assert rows[0] == [top, "sh -c echo hello >/new", "6B", "some words"]
    assert [row[0] for row in rows] == [top, parent] and rows[1][2].endswith("MB")
    assert client.out("image", "history", "-q", reference).splitlines() == [identity[7:19] for identity in (top, parent)]
    client("rmi", reference)
    assert "No such image" in client("history", reference, status=1).stderr


def test_the_table_of_a_history(client, box, name):
    reference = f"long-{client.name}:1"
    client("run", "--name", name, *NONE, box, "echo", "x" * 60)
    identity = client.out("commit", name, reference)
    heading, first, _ = client.out("history", reference).splitlines()
    assert heading.split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert first.split()[0] == identity[7:19] and "echo " + "x" * 39 + "…" in first and first.split()[-1] == "0B" and "ago" in first
    heading, first, last = client.out("history", "--human=false", "--no-trunc", reference).splitlines()
    assert heading.split() == ["IMAGE", "CREATED", "AT", "CREATED", "BY", "SIZE", "COMMENT"]
    created = json.loads(client.out("image", "inspect", reference))[0]["Created"]
    assert first.split()[:2] == [identity, created.split(".")[0] + "Z"] and "x" * 60 in first and first.split()[-1] == "0"
    size = json.loads(client.out("image", "inspect", box))[0]["Size"]
    assert str(size) in last.split()
    client("rmi", reference)


def test_docker_tells_the_same_history(store, tmp_path):
    image = Image(tmp_path)
    archive = tmp_path / "image.tar"
    base = tempfile.mkdtemp(prefix="docker-store-")
    docker = Docker(base)
    try:
        run("umoci", "config", "--image", f"{image.layout}:made", "--history.created_by", "x" * 60, "--history.comment", "some words")
        shutil.make_archive(str(tmp_path / "image"), "tar", image.layout)
        store("load", "-i", archive)
        store("tag", store.out("images", "-q"), "made:1")
        saved = tmp_path / "saved.tar"
        store("save", "-o", saved, "made:1")
        docker.out("load", "-i", saved)
        columns = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Comment}}"
        for flags in (["--no-trunc", "--format", columns], ["--format", f"table {columns}"], ["-q"], ["-q", "--no-trunc"]):
            assert store.out("history", *flags, "made:1") == docker.out("history", *flags, "made:1").strip(), flags
        assert "x" * 44 + "…\tsome words" in store.out("history", "--format", columns, "made:1")
        # Docker counts the targets of symbolic links as bytes of files.
        ours, theirs = ([int(line) for line in out("history", "-H=false", "--format", "{{.Size}}", "made:1").splitlines()] for out in (store.out, docker.out))
        assert [bool(size) for size in ours] == [bool(size) for size in theirs] and 0 in ours
        assert sum(ours) == json.loads(store.out("image", "inspect", "made:1"))[0]["Size"]
    finally:
        docker.stop()
        shutil.rmtree(base)


# Which images go

def test_prune_takes_what_has_no_name(store, tmp_path):
    named = add(store, tmp_path, "named", "named:1")
    lost = add(store, tmp_path, "lost")
    done = store.out("image", "prune", "-f").splitlines()
    assert done[:2] == ["Deleted Images:", f"deleted: {lost}"] and done[2].startswith("deleted: sha256:")
    assert done[-1] == "Total reclaimed space: 4B"
    assert ids(store) == {named}
    assert store.out("image", "prune", "-f") == "Total reclaimed space: 0B"


def test_prune_of_all_spares_what_containers_are_made_of(store, busybox_tar, tmp_path):
    store("import", "--change", 'CMD ["sleep", "1000"]', busybox_tar, "box")
    store("tag", "box", "second:1")
    running = store.out("run", "-d", *NONE, "box")
    stopped = add(store, tmp_path, "stopped", "stopped:1")
    store("create", *NONE, "stopped:1", "x")
    unused = add(store, tmp_path, "unused", "unused:1")
    store("tag", unused, "unused:2")
    done = store.out("image", "prune", "--all", "--force").splitlines()
    assert done[:4] == ["Deleted Images:", "untagged: unused:1", "untagged: unused:2", f"deleted: {unused}"]
    assert done[-1] == "Total reclaimed space: 6B"
    assert set(store.out("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()) == {"box:latest", "second:1", "stopped:1"}
    assert stopped in ids(store)
    store("rm", "-f", running)


def test_layers_that_another_image_has_are_not_reclaimed(store, busybox_tar):
    store("import", busybox_tar, "box")
    container = store.out("create", *NONE, "box", "sh")
    copy = store.out("commit", container)
    done = store.out("image", "prune", "-f").splitlines()
    assert done == ["Deleted Images:", f"deleted: {copy}", "", "Total reclaimed space: 0B"]
    assert store.out("run", "--rm", *NONE, "box", "echo", "there") == "there"


@pytest.mark.parametrize("filters, gone", [
    (["label=kind"], {"a", "b"}), (["label=kind=a"], {"a"}), (["label!=kind"], {"c"}), (["label!=kind=a"], {"b", "c"}),
    (["label=kind", "label=more"], {"b"}), (["label!=kind=a", "label!=more"], {"c"}), (["until=1h"], set()), (["until=2100-01-01"], {"a", "b", "c"}),
    (["until=0s", "label=more"], {"b"}), (["until=1"], set()), (["dangling=false"], {"a", "b", "c", "named"}), (["dangling=true"], {"a", "b", "c"}),
])
def test_filters_of_prune(store, tmp_path, filters, gone):
    images = {
        "a": add(store, tmp_path, "a", labels=["kind=a"]), "b": add(store, tmp_path, "b", labels=["kind=b", "more=x"]), "c": add(store, tmp_path, "c"),
        "named": add(store, tmp_path, "named", "named:1"),
    }
    store("image", "prune", "-f", *[part for each in filters for part in ("--filter", each)])
    assert ids(store) == {identity for key, identity in images.items() if key not in gone}


@pytest.mark.parametrize("filters, words", [
    (["nonsense=x"], "nvalid filter 'nonsense'"), (["dangling=maybe"], "nvalid filter 'dangling=["), (["until=1h", "until=2h"], "more than one until filter"),
    (["until=yesterday"], "until=yesterday"),
])
def test_filters_that_are_none_remove_nothing(store, tmp_path, filters, words):
    image = add(store, tmp_path, "kept")
    assert words in store("image", "prune", "-f", *[part for each in filters for part in ("--filter", each)], status=1).stderr
    assert ids(store) == {image}


@pytest.mark.parametrize("flags, warning", [
    ([], "WARNING! This will remove all dangling images."),
    (["-a"], "WARNING! This will remove all images without at least one container associated to them."),
])
def test_prune_asks_first(store, tmp_path, flags, warning):
    image = add(store, tmp_path, "asked")
    for answer in ("n\n", "yes\n", "\n", ""):
        refused = store("image", "prune", *flags, input=answer, status=None)
        assert refused.stdout.startswith(f"{warning}\nAre you sure you want to continue? [y/N] ") and ids(store) == {image}, answer
    assert f"deleted: {image}" in store("image", "prune", *flags, input="Y\n").stdout
    assert ids(store) == set()


def test_prune_is_told_of(store, tmp_path):
    image = add(store, tmp_path, "told")
    store("image", "prune", "-f")
    # Docker's clients say whole seconds.
    events = store.out("events", "--since", "1m", "--until", int(time.time()) + 1, "--filter", "type=image", "--format", "{{json .}}").splitlines()
    last = [json.loads(event) for event in events[-2:]]
    assert [event["Action"] for event in last] == ["delete", "prune"] and last[0]["Actor"]["ID"] == image
    assert last[1]["Actor"]["Attributes"] == {"reclaimed": "4"}


def test_want_of_space_is_told_before_anything_is_written(tmp_path):
    base = tempfile.mkdtemp(prefix="berth-space-")
    root = f"{base}/root"
    run("mkdir", root)
    run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", root)
    daemon = Daemon(base).start()
    try:
        run("truncate", "-s", "64M", tmp_path / "large.tar")
        before = run("find", f"{root}/content", f"{root}/overlay2")
        for arguments in (("import", tmp_path / "large.tar"), ("load", "-i", tmp_path / "large.tar")):
            done = subprocess.run([BIN / "berth", "-H", f"unix://{daemon.socket}", *arguments], capture_output=True, text=True, timeout=60)
            assert done.returncode == 1
            words = f"not enough space for the archive: it needs at least {64 << 20} bytes, and the file system of '{root}/content' has "
            assert words in done.stderr and "'prune'" in done.stderr
        assert run("find", f"{root}/content", f"{root}/overlay2") == before
    finally:
        daemon.stop()
        run("umount", root)
    shutil.rmtree(base)
