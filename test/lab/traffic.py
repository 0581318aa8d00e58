# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Real sockets in namespaces: a server that says who called, and small clients.
import contextlib
import json
import os
import select
import socket
import struct
import threading
import time

import sandbox


class WhoCalled:
    """UDP and TCP on one port of each address: tells each caller the "address port" it is seen as."""

    def __init__(self, namespace, *addresses, port=7000):
        self.ending = False
        self.sockets, self.threads = [], []
        for address in addresses:
            for kind, serve in ((socket.SOCK_DGRAM, self._serve_udp), (socket.SOCK_STREAM, self._serve_tcp)):
                with sandbox.entered(namespace):
                    listener = socket.socket(socket.AF_INET, kind)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.settimeout(0.1)
                if kind == socket.SOCK_STREAM:
                    listener.listen(64)
                self.sockets.append(listener)
                self.threads.append(threading.Thread(target=serve, args=[listener], daemon=True))
        for thread in self.threads:
            thread.start()

    def _serve_udp(self, listener):
        while not self.ending:
            with contextlib.suppress(TimeoutError):
                _, caller = listener.recvfrom(2048)
                listener.sendto("{} {}".format(*caller).encode(), caller)

    def _serve_tcp(self, listener):
        while not self.ending:
            with contextlib.suppress(TimeoutError):
                connection, caller = listener.accept()
                connection.sendall("{} {}\n".format(*caller).encode())
                connection.close()

    def close(self):
        self.ending = True
        for thread in self.threads:
            thread.join()
        for listener in self.sockets:
            listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


class Echoes:
    """Echo requests from a namespace. Unlike ping it waits for answers that are late, also for the last ones."""

    def __init__(self, namespace, address, size=56, whole=False):
        self.address, self.size, self.sent, self.answered = address, size, 0, set()
        self.identity = os.urandom(2)
        with sandbox.entered(namespace):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setblocking(False)
        if whole:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)

    def send(self):
        body = self.identity + struct.pack("!HI", self.sent & 0xffff, self.sent) + bytes(self.size - 4)
        total = 0x0800 + sum(struct.unpack(f"!{len(body) // 2}H", body))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        self.sent += 1
        with contextlib.suppress(OSError):  # what cannot be sent is not answered
            self.socket.sendto(struct.pack("!BBH", 8, 0, ~total & 0xffff) + body, (self.address, 0))

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while packet := self.socket.recv(65535):
                kind, identity, number = packet[20], packet[24:26], packet[28:32]
                if kind == 0 and identity == self.identity:
                    self.answered.add(number)

    def wait(self, patience):
        """How many were answered: all, or as many as were when the time was over."""
        deadline = time.monotonic() + patience
        while self.read() or len(self.answered) < self.sent:
            if not select.select([self.socket], [], [], max(0, deadline - time.monotonic()))[0]:
                break
        return len(self.answered)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()


def echoes(namespace, address, count=3, interval=0.05, patience=60, **options):
    """Answers to so many echo requests; `patience`: seconds for those that are missing in the end."""
    with Echoes(namespace, address, **options) as made:
        for number in range(count):
            time.sleep(interval if number else 0)
            made.send()
        return made.wait(patience)


def udp_socket(namespace, port=0, address="0.0.0.0"):
    with sandbox.entered(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind((address, port))
    client.settimeout(20)
    return client


def ask(client, address, port=7000):
    """(address, port) under which the server sees this socket."""
    client.sendto(b"who", (address, port))
    seen, number = client.recvfrom(2048)[0].decode().split()
    return seen, int(number)


def tcp_ask(namespace, address, port=7000, timeout=20):
    with sandbox.entered(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with client:
        client.settimeout(timeout)
        client.connect((address, port))
        seen, number = client.makefile().readline().split()
    return seen, int(number)


class Iperf:
    """iperf3 over TCP from a client to a server in the internet, running in the background."""

    def __init__(self, client, address, seconds, port=5201, reverse=False):
        lab = client.lab
        self.lab = lab
        self.server = lab.start(lab.internet, "iperf3", "-s", "-1", "-p", port, log="iperf-server.log")
        self._wait_listening(port)
        self.report = lab.directory / f"iperf-{client.name}-{port}.json"
        self.report.unlink(missing_ok=True)  # iperf3 appends
        command = ["iperf3", "-c", address, "-p", port, "-t", seconds, "-J", "--logfile", self.report]
        self.client = lab.start(client.namespace, *command, *(["-R"] if reverse else []), log="iperf-client.log")

    def _wait_listening(self, port):
        for _ in range(1000):
            if f":{port} " in self.lab.run(self.lab.internet, "ss", "-Hltn").stdout:
                return
            time.sleep(0.05)
        raise TimeoutError("iperf3 -s does not listen")

    def result(self, timeout=120):
        """Bytes received and retransmissions of the sender."""
        status = self.client.wait(timeout)
        report = json.loads(self.report.read_text())
        if status or "error" in report:
            raise RuntimeError(f"iperf3: status {status}: {report.get('error')}")
        return report["end"]["sum_received"]["bytes"], report["end"]["sum_sent"].get("retransmits", 0)
