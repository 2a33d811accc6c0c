"""What berth says without a daemon: help, completion, mistakes."""
import re
import subprocess

import pytest

from conftest import BIN

COMMANDS = [
    "attach", "commit", "cp", "create", "diff", "edit", "events", "exec", "export", "history", "images", "import", "info", "inspect", "kill", "load", "logs", "pause", "port", "ps", "rename", "restart", "rm",
    "login", "logout", "pull", "push", "rmi", "run", "save", "search", "start", "stats", "stop", "tag", "top", "unpause", "update", "version", "wait", "why", "completion", "container run", "container cp", "container ls", "container inspect", "container prune", "image history",
    "image diff", "image layers", "image ls", "image inspect", "image prune", "image rebase", "image rm", "image squash",
    "network connect", "network create", "network disconnect", "network inspect", "network ls", "network prune", "network rm", "system check", "system info", "system jobs", "system prune",
    "image pull", "image push", "image copy", "jobs ls", "jobs follow", "jobs cancel", "manifest inspect", "registry ls", "registry rm", "registry tags",
    "volume create", "volume inspect", "volume ls", "volume prune", "volume rm", "volume update",
]


def berth(*words, environment=None, input=None):
    return subprocess.run(
        [BIN / "berth", *words], capture_output=True, text=True, input=input, timeout=20,
        env={"PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nonexistent/api.sock", **(environment or {})})


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_usage_flags_and_examples(command):
    done = berth(*command.split(), "--help")
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith(f"Usage:  berth {command} ")
    assert "\nOptions:\n" in done.stdout
    options = done.stdout.split("\nOptions:\n")[1].split("\n\n")[0]
    # Each flag is on a line of its own, with words about it, and none in the parser's own form.
    assert not re.search(r"--[a-z0-9-]+ +--|--[a-z0-9-]+$|/--no-|default: -[a-zA-Z-]", options, re.M), options
    examples = done.stdout.split("\nExamples:\n")[1].splitlines()
    assert examples and all(re.search(r"\bberth [a-z]", line) for line in examples)
    assert berth("help", *command.split()).stdout == done.stdout


def test_every_command_is_in_the_help():
    listed = re.findall(r"^  ([a-z]+) {2,}", berth("--help").stdout, re.M)
    assert set(listed) == {command for command in COMMANDS if " " not in command} | {
        "container", "image", "jobs", "manifest", "network", "registry", "system", "volume"}


@pytest.mark.parametrize("words, hint", [
    (["rnu"], "'berth run'"), (["container", "strat"], "'berth container start' or 'berth container stats'"), (["ps", "--al"], "'--all'"), (["run", "--nmae", "x", "y"], "'--name'"),
])
def test_slips_are_answered_with_what_was_meant(words, hint):
    done = berth(*words)
    assert done.returncode in (1, 125) and not done.stdout
    assert f"Did you mean {hint}?" in done.stderr


def test_no_daemon():
    done = berth("ps")
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot connect to the daemon at unix:///nonexistent/api.sock: ") and "berthd" in done.stderr
    assert berth("run", "x").returncode == 125
    assert "tcp://[::1]:1" in berth("-H", "tcp://[::1]:1", "ps").stderr
    assert berth("-H", "carrier://pigeon", "ps").returncode == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell):
    assert "berth __complete" in berth("completion", shell).stdout


def test_completion_in_bash():
    script = berth("completion", "bash").stdout + """
        COMP_WORDS=(berth container st); COMP_CWORD=2; _berth; echo "${COMPREPLY[*]}"
        COMP_WORDS=(berth run --net); COMP_CWORD=2; _berth; echo "${COMPREPLY[*]}"
        COMP_WORDS=(berth completion ''); COMP_CWORD=2; _berth; echo "${COMPREPLY[*]}"
    """
    done = subprocess.run(["bash", "-u"], input=script, capture_output=True, text=True, env={"PATH": f"{BIN}:/usr/bin:/bin"}, timeout=20)
    assert done.stdout.splitlines() == ["start stats stop", "--network --network-alias", "bash zsh fish"], done.stderr


@pytest.mark.parametrize("command, words", [
    ("trust", "nothing is signed"), ("build", "berth import"),
    ("nothing", "is not a berth command"), ("strat", "Did you mean 'berth start' or 'berth stats'?"),
])
def test_commands_that_are_not_there_say_why(command, words):
    done = berth(command, "x")
    assert done.returncode == 1 and done.stdout == ""
    assert words in done.stderr and done.stderr.endswith("See 'berth --help'\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal_and_shows_each_flag_once(command):
    text = berth(*command.split(), "--help").stdout
    assert all(len(line) <= 100 for line in text.splitlines())
    flags = re.findall(r"^  (?:-., )?(--[a-z0-9-]+)", text, re.M)
    assert len(flags) == len(set(flags)) and not [flag for flag in flags if flag.replace("--no-", "--") in flags and flag.startswith("--no-")]
    assert not re.search(r"^  --[a-z0-9-]+$", text, re.M), "a flag without words on its line"


def test_what_the_commands_have_written_down_of_their_flags_is_what_they_declare():
    done = berth("__flags")
    assert (done.returncode, done.stdout) == (0, "")
