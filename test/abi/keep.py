#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Keeps the compiled data plane of a version for ever, so that every later one is tested
# to take over from it and to hand back to it (test/netns/test_upgrade_downgrade.py):
#   test/abi/keep.py build/release/bpf/bng.bpf.o "what is new in its layout"
# The folder is ABI.N: BNG_ABI_VERSION of the tree, and the next free number.
import argparse
import lzma
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
LICENCE = "<!-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only -->"


def versions():
    """Folders that are kept, the oldest first."""
    return sorted((path.parent for path in HERE.glob("*/bng.bpf.o.xz")),
                  key=lambda path: [int(part) for part in path.name.split(".")])


def unpack(folder, target):
    target.write_bytes(lzma.decompress((folder / "bng.bpf.o.xz").read_bytes()))
    target.chmod(0o644)
    return target


def main():
    parser = argparse.ArgumentParser(description="Keeps a compiled data plane for the tests of upgrades.")
    parser.add_argument("object", type=pathlib.Path)
    parser.add_argument("note")
    args = parser.parse_args()
    header = (TOP / "dataplane" / "abi" / "version.h").read_text()
    abi = re.search(r"^#define BNG_ABI_VERSION (\d+)", header, re.M).group(1)
    number = len([path for path in versions() if path.name.split(".")[0] == abi])
    commit = subprocess.run(["git", "-C", str(TOP), "log", "-1", "--format=%h of %cs"], check=True, capture_output=True,
                            text=True).stdout.strip()
    folder = HERE / f"{abi}.{number}"
    folder.mkdir()
    (folder / "bng.bpf.o.xz").write_bytes(lzma.compress(args.object.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    (folder / "notes.md").write_text(f"{LICENCE}\nBNG_ABI_VERSION {abi}, commit {commit}: {args.note}\n")
    print(f"{folder.relative_to(TOP)}: {(folder / 'bng.bpf.o.xz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
