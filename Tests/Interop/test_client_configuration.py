"""Docker's config.json, and the variables that go with it: the stock clients and berth do the same with them."""
import json
import re

import pytest

from test_clients import NONE


@pytest.fixture
def configured(client, tmp_path):
    """The client with a config.json of its own: by --config."""
    def run(*arguments, configuration, **more):
        (tmp_path / "config.json").write_text(configuration if isinstance(configuration, str) else json.dumps(configuration))
        return client("--config", tmp_path, *arguments, **more)
    return run


def test_proxies(client, configured, box, daemon):
    proxies = {"default": {"httpProxy": "http://p:1", "noProxy": "a,b"}, "tcp://elsewhere:1": {"httpProxy": "http://q"}}
    said = configured("run", "--rm", *NONE, "-e", "no_proxy=mine", box, "env", configuration={"proxies": proxies}).stdout.splitlines()
    assert sorted(line for line in said if "proxy" in line.lower()) == [
        "HTTP_PROXY=http://p:1", "NO_PROXY=a,b", "http_proxy=http://p:1", "no_proxy=mine"]
    own = {"default": {"httpProxy": "http://p:1"}, f"unix://{client.socket}": {"httpsProxy": "http://own"}}
    said = configured("run", "--rm", *NONE, box, "env", configuration={"proxies": own}).stdout.splitlines()
    assert sorted(line for line in said if "proxy" in line.lower()) == ["HTTPS_PROXY=http://own", "https_proxy=http://own"]


def test_formats(client, configured, box, name):
    client("create", "--name", name, *NONE, box)
    configuration = {"psFormat": "<{{.Names}}>", "imagesFormat": "{{.Repository}}!", "networksFormat": "table {{.Name}}", "volumesFormat": "{{.Name}}!"}
    listed = configured("ps", "-a", configuration=configuration).stdout.splitlines()
    assert f"<{name}>" in listed
    assert configured("ps", "-a", "--format", "{{.Names}}", configuration=configuration).stdout.splitlines().count(name) == 1
    assert all(re.fullmatch("[0-9a-f]{12}", line) for line in configured("ps", "-aq", configuration=configuration).stdout.splitlines())
    assert box.split(":")[0] + "!" in configured("images", configuration=configuration).stdout.splitlines()
    assert configured("network", "ls", configuration=configuration).stdout.splitlines()[0].strip() == "NAME"
    volume = client.out("volume", "create")
    try:
        assert volume + "!" in configured("volume", "ls", configuration=configuration).stdout.splitlines()
    finally:
        client("volume", "rm", volume)


def test_keys(client, configured, box, name, tmp_path):
    client("run", "-dit", "--name", name, *NONE, box, "sh")
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-x,x"}')
    terminal = client.terminal("--config", tmp_path, "attach", name)
    terminal.send("echo it is $((6*7))\r")
    terminal.expect("it is 42")
    terminal.send("\x18x")
    # What a client says when one leaves differs; that it ends, and the container does not, is the same.
    terminal.expect("read escape sequence")
    terminal.wait()
    assert client.out("inspect", "--format", "{{.State.Running}}", name) == "true"


def test_filters_of_prunings(client, configured, box, name):
    client("create", "--name", name, "--label", "keep", *NONE, box)
    # The newest clients of Docker's add these filters only to others: that is given, too.
    configured("container", "prune", "-f", "--filter", "label=keep2", configuration={"pruneFilters": ["label!=keep"]})
    assert client.out("ps", "-aq", "--filter", f"name={name}")
    if client.is_berth:
        assert "Total reclaimed space: 0B" in configured("container", "prune", "-f", "--filter", "until=0s", configuration={"pruneFilters": ["label!=keep"]}).stdout
        assert client.out("ps", "-aq", "--filter", f"name={name}")


def test_a_broken_one_is_a_warning(client, configured):
    for text in ('{"psFormat": 3}', "{", "[]"):
        done = configured("ps", configuration=text)
        assert "WARNING: Error" in done.stderr and "config.json" in done.stderr and done.stdout.startswith("CONTAINER ID"), done


def test_headers_reach_the_daemon(client, configured):
    word = f"said-by-{client.name}"
    configured("ps", configuration={"HttpHeaders": {"X-Meta": word, "User-Agent": word}})
    asked = b"".join(bytes(asked) for asked, _ in client.recorder.conversations).decode("latin-1")
    assert re.search(f"(?im)^X-Meta: {word}\r$", asked) and not re.search(f"(?im)^User-Agent: {word}", asked)


def test_the_platform_that_is_meant(client, busybox_tar, monkeypatch):
    monkeypatch.setitem(client.environment, "DOCKER_DEFAULT_PLATFORM", "linux/arm64")
    reference = f"platform-{client.name}:1"
    client("import", busybox_tar, reference)
    try:
        assert client.out("image", "inspect", "--format", "{{.Architecture}}", reference) == "arm64"
    finally:
        client("rmi", reference)


def test_prune_everything(client, box, name):
    """Also asks for what builds have kept."""
    client("create", "--name", name, "--label", f"mine={name}", *NONE, box)
    mine = ("--filter", f"label=mine={name}")
    asked = client("system", "prune", *mine, input="n\n", status=None)
    assert "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n" in asked.stdout
    assert f"  Items to be pruned will be filtered with:\n  - label=mine={name}\n" in asked.stdout
    assert client.out("ps", "-aq", "--filter", f"name={name}")
    done = client("system", "prune", "-f", *mine)
    assert done.stdout.startswith("Deleted Containers:\n") and done.stdout.splitlines()[-1].startswith("Total reclaimed space: ")
    assert not client.out("ps", "-aq", "--filter", f"name={name}")
    wrong = client("system", "prune", "-f", "--volumes", "--filter", "until=1h", status=1)
    assert 'ERROR: The "until" filter is not supported with "--volumes"' in wrong.stderr
