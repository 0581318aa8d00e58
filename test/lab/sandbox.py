# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A place for one test to make a mess in: a directory, network namespaces and
# processes of its own, gone when it is closed.
#
# What exists is also written to a record file, so that a sandbox whose owner was
# killed, or that was left running on purpose, can be ended by somebody else.
# Commands enter a namespace with nsenter, not `ip netns exec`: that one gives
# each command its own mount namespace, and a bpffs mounted in there would go,
# with every pin, when the command ends.
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

RECORDS = pathlib.Path("/run/holdfast-lab")
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def start_time(pid):
    """Ticks since boot at which a process began: tells it from a later one with the same id."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return None


def is_running(pid, started):
    return started is not None and start_time(pid) == started


@contextlib.contextmanager
def entered(namespace):
    """This thread's sockets belong to the namespace inside the block."""
    with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{namespace}") as inside:
        if libc.setns(inside.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            yield
        finally:
            libc.setns(before.fileno(), CLONE_NEWNET)


def open_wire(namespace, interface):
    """A socket for whole frames. Who sends is held up before a virtual cable's queue, of 256, is full: it would lose the rest."""
    with entered(namespace):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)  # twice that: 170 of the smallest frames
    wire.bind((interface, 0))
    return wire


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Sandbox:
    def __init__(self, keep=False):
        clean_abandoned()
        self.prefix = f"hf{os.getpid()}-{Sandbox.serial}-"
        Sandbox.serial += 1
        self.keep = keep
        self.namespaces = []
        self.processes = []
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-"))
        self.directory.chmod(0o755)
        RECORDS.mkdir(mode=0o700, exist_ok=True)
        self.record = RECORDS / f"{self.prefix}{self.directory.name}.json"
        self._write_record()

    serial = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _write_record(self):
        pids = [(process.pid, start_time(process.pid)) for process in self.processes if process.poll() is None]
        text = json.dumps({"owner": [os.getpid(), start_time(os.getpid())], "keep": self.keep,
                           "directory": str(self.directory), "namespaces": self.namespaces, "processes": pids})
        partial = self.record.with_suffix(".new")
        partial.write_text(text)
        partial.rename(self.record)

    def namespace(self, name):
        """Makes a namespace; returns its unique name."""
        full = self.prefix + name
        self.namespaces.append(full)
        self._write_record()
        run(["ip", "netns", "add", full])
        self.run(full, "ip", "link", "set", "lo", "up")
        self.run(full, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        return full

    def run(self, namespace, *command, **options):
        return run(["nsenter", f"--net=/run/netns/{namespace}", *map(str, command)], **options)

    def start(self, namespace, *command, log=None, **options):
        """Starts a process in a namespace; its output goes to `log` in the sandbox's directory."""
        output = open(self.directory / log, "ab") if log else subprocess.DEVNULL
        options.setdefault("stdout", output)
        options.setdefault("stderr", output)
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", *map(str, command)],
                                   preexec_fn=None if self.keep else die_with_parent,
                                   start_new_session=True, **options)
        if log:
            output.close()
        self.processes.append(process)
        self._write_record()
        return process

    def stop(self, process, how=signal.SIGTERM, timeout=60):
        """Ends one process and returns its status; kills it when it does not listen."""
        if process.poll() is None:
            process.send_signal(how)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process in self.processes:
                self.processes.remove(process)
                self._write_record()
        return status

    def veth(self, left, left_name, right, right_name, mtu=1500, queues=1):
        """A pair of virtual cables, offloads off so that what is on the wire is in the packet."""
        ends = ["mtu", mtu, "numrxqueues", queues, "numtxqueues", queues]
        run(["ip", "-n", left, "link", "add", left_name, *map(str, ends), "type", "veth",
             "peer", "name", right_name, *map(str, ends), "netns", right])
        for namespace, name in ((left, left_name), (right, right_name)):
            self.run(namespace, "ethtool", "-K", name, "rx", "off", "tx", "off", "tso", "off", "gso", "off",
                     "gro", "off", "txvlan", "off", "tx-vlan-stag-hw-insert", "off", stdout=subprocess.DEVNULL)
            run(["ip", "-n", namespace, "link", "set", name, "up"])

    def leave_running(self):
        """Forgets everything: `end_kept` will end it."""
        self.processes = []
        self.namespaces = []

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 5
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        remove(self.record, {"directory": str(self.directory), "namespaces": self.namespaces, "processes": []})
        self.namespaces = []


def run(command, check=True, **options):
    options.setdefault("text", True)
    if "capture_output" not in options:
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
    result = subprocess.run(command, **options)
    if check and result.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {result.returncode}: {result.stderr or ''}{result.stdout or ''}")
    return result


def mounts_under(directory):
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    return sorted((point for point in points if point.startswith(directory + "/")), reverse=True)


def remove(record, what):
    """Ends processes, namespaces, mounts and files of a sandbox, in this order."""
    for pid, started in what["processes"]:
        if is_running(pid, started):
            os.kill(pid, signal.SIGKILL)
    for namespace in what["namespaces"]:
        if not os.path.exists(f"/run/netns/{namespace}"):
            continue
        for pid in run(["ip", "netns", "pids", namespace], check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run(["ip", "netns", "del", namespace], check=False)
    for point in mounts_under(what["directory"]):
        run(["umount", "-l", point], check=False)
    shutil.rmtree(what["directory"], ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        record.unlink()


def records():
    for record in sorted(RECORDS.glob("*.json")) if RECORDS.is_dir() else []:
        with contextlib.suppress(OSError, ValueError):
            yield record, json.loads(record.read_text())


def clean_abandoned():
    """Removes sandboxes whose owner died without closing them."""
    for record, what in records():
        if not what["keep"] and not is_running(*what["owner"]):
            remove(record, what)


def end_kept():
    """Removes sandboxes that were left running on purpose; returns how many there were."""
    kept = [(record, what) for record, what in records() if what["keep"] and not is_running(*what["owner"])]
    for record, what in kept:
        remove(record, what)
    return len(kept)
