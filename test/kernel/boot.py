#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Boots Debian's Linux 6.1, the oldest kernel supported, under QEMU (software
# emulation) with a file system of a few files: busybox, the loader and the objects.
# Prints what the loader says. Kernel and file system are kept in BUILD/kernel.
import argparse
import gzip
import os
import pathlib
import re
import subprocess
import sys

OBJECTS = ("bng.bpf.o", "bng-bridge.bpf.o", "group.bpf.o")
PACKAGE = "linux-image-cloud-amd64"
INIT = """#!/busybox sh
/busybox mkdir -p /proc /sys
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
echo "kernel $(/busybox uname -r)"
status=0
for object in /*.bpf.o; do
	/load "$object" 2>&1 || status=1
done
echo "status $status"
/busybox poweroff -f
"""
COMMAND_LINE = "console=ttyS0 quiet panic=-1"


def run(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout


def kernel_fetch(directory):
    """The newest 6.1 kernel that Debian offers, unpacked; fetched once."""
    images = sorted(directory.glob("boot/vmlinuz-6.1.*"))
    if images:
        return images[-1]
    directory.mkdir(parents=True, exist_ok=True)
    package = re.search(r"linux-image-6\.1\.\S+", run("apt-cache", "depends", PACKAGE)).group()
    run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package, cwd=directory)
    (archive,) = directory.glob(f"{package}_*.deb")
    run("dpkg-deb", "-x", str(archive), str(directory))
    archive.unlink()
    return sorted(directory.glob("boot/vmlinuz-6.1.*"))[-1]


def archive_entry(name, data, mode, number):
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def file_system_build(path, loader, object_files):
    """An initramfs: a cpio archive in the "newc" format."""
    files = {"init": INIT.encode(), "busybox": pathlib.Path("/bin/busybox").read_bytes(),
             "load": loader.read_bytes(), **{file.name: file.read_bytes() for file in object_files}}
    entries = [archive_entry(name, data, 0o100755, number) for number, (name, data) in enumerate(files.items(), 1)]
    with gzip.open(path, "wb", compresslevel=1) as archive:
        archive.write(b"".join([*entries, archive_entry("TRAILER!!!", b"", 0, 0)]))


def boot(build, object_file=None, timeout=240):
    """What the machine printed, from the kernel's version on."""
    directory = build / "kernel"
    kernel = kernel_fetch(directory)
    image = directory / f"initramfs-{os.getpid()}.gz"
    objects = [object_file] if object_file else [build / "bpf" / name for name in OBJECTS]
    file_system_build(image, build / "bin" / "bng-kernel-load", objects)
    try:
        said = subprocess.run(
            ["qemu-system-x86_64", "-m", "1024", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio",
             "-kernel", str(kernel), "-initrd", str(image), "-append", COMMAND_LINE],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=timeout, check=True).stdout
    finally:
        image.unlink()
    return said.replace("\r", "").partition("kernel ")[2].partition("status ")


def main():
    parser = argparse.ArgumentParser(description="Loads the data plane into Linux 6.1 under QEMU.")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--object", type=pathlib.Path)
    args = parser.parse_args()
    said, _, status = boot(args.build.resolve(), args.object)
    print(f"kernel {said}", end="")
    return 0 if status.split()[:1] == ["0"] else 1


if __name__ == "__main__":
    sys.exit(main())
