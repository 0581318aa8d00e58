#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Boots Debian's Linux 6.1, the oldest kernel supported, under QEMU (software emulation)
# with a file system of a few files, all of it in memory: busybox, and what is to run
# there. What it prints is what is handed back. The kernel is kept in BUILD/kernel.
import os
import pathlib
import re
import subprocess

PACKAGE = "linux-image-cloud-amd64"
COMMAND_LINE = "console=ttyS0 loglevel=1 panic=-1"  # what the kernel said might be in the middle of a line
BUSYBOX = pathlib.Path("/bin/busybox")
INIT = """#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for directory in /run /tmp; do mount -t tmpfs tmpfs $directory; done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
for module in {modules}; do insmod /modules/$module.ko; done
echo
echo "kernel $(uname -r)"
{command}
echo "status $?"
dmesg | grep -E "WARNING:|BUG:|Oops"
echo "complaints $(dmesg | grep -cE "WARNING:|BUG:|Oops")"
poweroff -f
"""


def run(*command, cwd=None, **options):
    return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def fetch(directory, package):
    """A package, unpacked; downloaded once."""
    target = directory / package
    if not target.exists():
        directory.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package, cwd=directory)
        (archive,) = directory.glob(f"{package}_*.deb")
        run("dpkg-deb", "-x", str(archive), str(target))
        archive.unlink()
    return target


def kernel_fetch(directory, package=PACKAGE):
    """The newest 6.1 kernel that Debian offers under this name."""
    found = sorted(directory.glob("linux-image-6.1.*/boot/vmlinuz-*"))
    if not found:
        newest = re.search(r"linux-image-6\.1\.\S+", run("apt-cache", "depends", package)).group()
        found = sorted(fetch(directory, newest).glob("boot/vmlinuz-*"))
    return found[-1]


def modules_of(kernel, paths):
    """Where modules are in the file system: {name there: file here}."""
    tree = kernel.parents[1] / "lib/modules" / kernel.name.removeprefix("vmlinuz-") / "kernel"
    return {f"modules/{pathlib.Path(path).name}": tree / path for path in paths}


def libraries(*programs):
    """What the dynamic linker loads for them: {name there: file here}."""
    found = set()
    for program in programs:
        said = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        found.update(re.findall(r"(/\S+) \(0x", said))
    return {path.lstrip("/"): pathlib.Path(path).resolve() for path in found}


def archive_entry(name, data, mode, number, time):
    fields = (number, mode, 0, 0, 1, time, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def file_system_build(path, files, texts, folders=()):
    """An initramfs: a cpio archive in the "newc" format, of files (name: where it is here) and texts (name: text)."""
    names = [*files, *texts, *(f"{folder}/." for folder in folders)]
    parents = {str(parent) for name in names for parent in pathlib.PurePath(name).parents if str(parent) != "."}
    entries = [(name, b"", 0o40755, 0) for name in sorted(parents | set(folders))]
    entries += [(name, source.read_bytes(), 0o100755, int(source.stat().st_mtime)) for name, source in files.items()]
    entries += [(name, text.encode(), 0o100755, 0) for name, text in texts.items()]
    with open(path, "wb") as archive:
        for number, (name, data, mode, time) in enumerate([*entries, ("TRAILER!!!", b"", 0, 0)], 1):
            archive.write(archive_entry(name, data, mode, number, time))


def boot(directory, files, command, modules=(), texts=None, memory=1024, cpus=1, timeout=900):
    """What a machine with these files said while it ran a command of its shell, from the kernel's version on."""
    kernel = kernel_fetch(directory)
    image = directory / f"initramfs-{os.getpid()}"
    files = {**files, **modules_of(kernel, modules), "bin/busybox": BUSYBOX, "bin/sh": BUSYBOX}
    names = " ".join(pathlib.Path(module).stem for module in modules)
    init = INIT.format(modules=names, command=command)
    file_system_build(image, files, {"init": init, **(texts or {})}, ["proc", "sys", "dev", "run", "tmp"])
    try:
        said = run("qemu-system-x86_64", "-m", str(memory), "-smp", str(cpus), "-nographic", "-no-reboot", "-nodefaults",
                   "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(image), "-append", COMMAND_LINE,
                   stdin=subprocess.DEVNULL, timeout=timeout)
    finally:
        image.unlink()
    return said.replace("\r", "").partition("\nkernel ")[2]
