#!/usr/bin/python3
"""changes.py SEED TREE NEW UPPER: changes TREE at random, and writes what has changed as an image's layer says it.

Takes some of TREE away, puts what is in NEW on top, and leaves in UPPER (a directory) and UPPER.list (names, each with a NUL, in the order of
an archive) the layer that makes the tree as it was into the tree as it is: OCI image specification, Image Layer Filesystem Changeset.
"""
import os
import random
import shutil
import stat
import subprocess
import sys

seed, tree, new, upper = int(sys.argv[1]), *map(os.fsencode, sys.argv[2:5])
chance = random.Random(seed)
os.mkdir(upper)
names = []


def copy(source, target):
    subprocess.run(["cp", "-a", "--no-preserve=links", "--sparse=always", "--no-target-directory", source, target], check=True)


def write(path):
    """Puts one name of the tree into the layer; what a directory has in it is not part of that."""
    source, target = os.path.join(tree, path), os.path.join(upper, path)
    status = os.lstat(source)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if stat.S_ISDIR(status.st_mode):
        if not os.path.isdir(target):
            os.mkdir(target)
        os.chown(target, status.st_uid, status.st_gid)
        os.chmod(target, stat.S_IMODE(status.st_mode))
        for name in os.listxattr(source):
            os.setxattr(target, name, os.getxattr(source, name))
    else:
        copy(source, target)
    if path not in names:
        names.append(path)


def instruct(path):
    target = os.path.join(upper, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    open(target, "w").close()
    names.append(path)


def below(root):
    found = []
    for directory, directories, files in os.walk(root):
        for name in sorted(directories + files):
            found.append(os.path.relpath(os.path.join(directory, name), root))
    return sorted(found)


# Names that several names are of stay: a layer would have to bring all of them.
single = [p for p in below(tree) if os.path.isdir(os.path.join(tree, p)) or os.lstat(os.path.join(tree, p)).st_nlink == 1]
holders = {os.path.dirname(p) for p in below(tree) if p not in single}


def is_free(path):
    return not any(h == path or h.startswith(path + b"/") for h in holders)


def remove(path):
    whole = os.path.join(tree, path)
    if os.path.isdir(whole) and not os.path.islink(whole):
        shutil.rmtree(whole)
    else:
        os.unlink(whole)


changed = set()
for path in chance.sample(single, len(single) // 3):
    if not os.path.lexists(os.path.join(tree, path)) or not is_free(path) or any(path.startswith(c + b"/") or c.startswith(path + b"/") for c in changed):
        continue
    changed.add(path)
    directory, name = os.path.split(path)
    is_directory = stat.S_ISDIR(os.lstat(os.path.join(tree, path)).st_mode)
    way = chance.choice(["gone", "file", "directory", "opaque" if is_directory else "gone"])
    if len(name) > 250:
        continue
    if way == "gone":
        remove(path)
        instruct(os.path.join(directory, b".wh." + name))
    elif way == "file":
        remove(path)
        with open(os.path.join(tree, path), "wb") as file:
            file.write(b"changed")
        write(path)
    elif way == "directory":
        was = is_directory
        remove(path)
        os.mkdir(os.path.join(tree, path))
        with open(os.path.join(tree, path, b"changed"), "wb") as file:
            file.write(b"changed")
        # What a directory was is not seen in the new one: by a whiteout before it, or by its being opaque.
        if was and chance.random() < 0.5:
            instruct(os.path.join(directory, b".wh." + name))
            write(path)
        else:
            write(path)
            if was:
                instruct(os.path.join(path, b".wh..wh..opq"))
        write(os.path.join(path, b"changed"))
    else:
        for entry in os.listdir(os.path.join(tree, path)):
            remove(os.path.join(path, entry))
        write(path)
        instruct(os.path.join(path, b".wh..wh..opq"))
for entry in sorted(os.listdir(new)):
    target = os.path.join(tree, b"new-" + entry[:200])
    if os.path.lexists(target) or os.lstat(os.path.join(new, entry)).st_nlink > 1 and not os.path.isdir(os.path.join(new, entry)):
        continue
    copy(os.path.join(new, entry), target)
    write(os.path.relpath(target, tree))
    if os.path.isdir(target) and not os.path.islink(target):
        for path in below(target):
            write(os.path.join(os.path.relpath(target, tree), path))

# Every directory on the way says what it is, and times of directories are looked at when nothing changes them any more.
for path in list(names):
    parent = os.path.dirname(path)
    while True:
        if parent not in names and os.path.isdir(os.path.join(tree, parent)):
            write(parent)
        if not parent:
            break
        parent = os.path.dirname(parent)
for path in below(tree) + [b""]:
    if os.path.isdir(os.path.join(tree, path)) and not os.path.islink(os.path.join(tree, path)) and path in names:
        os.utime(os.path.join(tree, path), ns=(5 * 10**9 + 7, 5 * 10**9 + 7))
        os.utime(os.path.join(upper, path), ns=(5 * 10**9 + 7, 5 * 10**9 + 7))

with open(upper + b".list", "wb") as file:
    # Directories before what is in them, and else in the order in which things were done.
    for path in sorted(names, key=lambda p: p.count(b"/") if p else -1):
        file.write((b"./" + path if path else b".") + b"\0")
