# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Logs of port blocks on the real gateway: each block that is given out or taken
# back is one record at each destination, whatever restarts or dies meanwhile.
# IPFIX is read by libfixbuf's own ipfixDump.
import collections
import json
import mmap
import os
import re
import select
import socket
import struct
import subprocess
import threading

import pytest
from scapy.all import Ether, IP, UDP  # pylint: disable=no-name-in-module

import sandbox
from lab import EXEMPT, Lab, default_config, wait_for

SYSLOG_PORT, IPFIX_PORT = 5514, 4739
META_EVENTS_LOST = 72  # offset of bng_meta.events_lost
LINE = re.compile(r"<134>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) bng-test bng-controld (?P<pid>\d+) (?P<type>\w+)"
                  r' \[meta sequenceId="(?P<sequence>\d+)"\] (?P<text>.*)')
Record = collections.namedtuple("Record", "type session address public first last")


class Collector:
    """Everything that comes to a socket inside a namespace, by a thread."""

    def __init__(self, listener):
        self.listener, self.ending = listener, False
        self.messages, self.stream = [], b""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        sockets = [self.listener]
        while not self.ending:
            for ready in select.select(sockets, [], [], 0.05)[0]:
                if ready is self.listener and ready.type == socket.SOCK_STREAM:
                    sockets.append(ready.accept()[0])
                elif ready is self.listener:
                    self.messages.append(ready.recv(65535))
                else:
                    self._read(ready, sockets)
        for entry in sockets:
            entry.close()

    def _read(self, connection, sockets):
        more = connection.recv(65536)
        self.stream += more
        if not more:
            sockets.remove(connection)
            connection.close()

    def end(self):
        self.ending = True
        self.thread.join()


def listen(lab, kind, port):
    with sandbox.entered(lab.internet):
        listener = socket.socket(socket.AF_INET, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    listener.bind((EXEMPT, port))
    if kind == socket.SOCK_STREAM:
        listener.listen(8)
    return Collector(listener)


def syslog_records(messages):
    found = []
    for message in messages:
        match = LINE.fullmatch(message.decode("ascii"))
        assert match, message
        text = dict(word.split("=", 1) for word in match["text"].split())
        found.append(Record(match["type"], int(text["session"]), text["address"], text["public"], int(text["first"]),
                            int(text["last"])))
    return found


def file_entries(*paths):
    return [json.loads(line) for path in paths for line in path.read_text().split("\n")[:-1]]  # whole ones


def file_records(*paths):
    return [Record(entry["type"], entry["session"], entry["address"], entry["public"], entry["first"], entry["last"])
            for entry in file_entries(*paths) if entry["type"].startswith("block_")]


def whole_messages(stream):
    """As much of the stream as is complete: each message says how long it is."""
    end = 0
    while end + 4 <= len(stream) and end + struct.unpack_from("!H", stream, end + 2)[0] <= len(stream):
        end += struct.unpack_from("!H", stream, end + 2)[0]
    return stream[:end]


def ipfix_dump(stream):
    """The data records as ipfixDump prints them: a dict of element name and text each."""
    result = subprocess.run(["ipfixDump", "--data"], input=whole_messages(stream), capture_output=True, check=True)
    records = []
    for line in result.stdout.decode().splitlines():
        if line.startswith("--- data record"):
            records.append({})
        match = re.match(r"\s+\(\d+\)(?: \(S\))?\s+(\w+) : (.*)", line)
        if match:
            records[-1][match[1]] = match[2].strip()
    return records


NAT_EVENTS = {"16": "block_allocated", "17": "block_freed"}


def ipfix_records(stream):
    return [Record(NAT_EVENTS[entry["natEvent"]], int(entry["commonPropertiesId"]), entry["sourceIPv4Address"],
                   entry["postNATSourceIPv4Address"], int(entry["portRangeStart"]), int(entry["portRangeEnd"]))
            for entry in ipfix_dump(stream) if "natEvent" in entry]


def collected(collector, count):
    """What came over TCP; the gateway knows that it arrived before the collector has read it."""
    return wait_for(f"{count} IPFIX records", lambda: len(found := ipfix_records(collector.stream)) >= count and found)


def heard(collector, count):
    """The same of syslog over UDP, a record in each message."""
    wait_for(f"{count} messages", lambda: len(collector.messages) >= count)
    return syslog_records(collector.messages)


def config_with_log(**log):
    config = default_config()
    config["cgnat"]["hold_down_seconds"] = 1
    config["cgnat"]["log"] = log
    return config


@pytest.fixture
def lab():
    with Lab(config_with_log()) as lab:
        lab.logs = lab.directory / "log"
        lab.logs.mkdir()
        lab.logs.chmod(0o777)
        lab.path = lab.logs / "blocks.log"
        yield lab


def apply_log(lab, **log):
    lab.config["cgnat"]["log"] = log
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


def add_sessions(lab, first, count):
    lab.call("session.add", {"sessions": [
        {"address": f"10.128.1.{first + i}", "mac": f"02:00:00:02:00:{first + i:02x}", "interface": "access1"}
        for i in range(count)]})


def send(lab, first, count):
    """One packet of each subscriber: its first block."""
    lab.send_frames(lab.load, "up0", [
        Ether(src=f"02:00:00:02:00:{first + i:02x}", dst=lab.mac(lab.gateway, "access1"))
        / IP(src=f"10.128.1.{first + i}", dst="198.19.0.1") / UDP(sport=4000, dport=9) / b"x" for i in range(count)])


def blocks(lab):
    """What the data plane says itself: public address and first port -> (address, session)."""
    return {(block["public"], block["first"]): (block["address"], block["session"], block["last"])
            for block in lab.call("cgnat.blocks", {"limit": 20000})["blocks"] if block["state"] == "allocated"}


def expected(lab):
    return sorted(Record("block_allocated", session, address, public, first, last)
                  for (public, first), (address, session, last) in blocks(lab).items())


def freed(records):
    return sorted(record._replace(type="block_freed") for record in records)


def status(lab):
    return {entry["name"]: entry for entry in lab.call("blocklog.status")["destinations"]}


def wait_sent(lab, name, count):
    return wait_for(f"{count} records at {name}: {status(lab)}", lambda: status(lab)[name]["sent"] >= count
                    and status(lab)[name]["queued"] == 0)


def disconnect(lab, first, count):
    for i in range(count):
        lab.call("session.disconnect", {"address": f"10.128.1.{first + i}"})
    wait_for("the sweep to take the blocks back", lambda: lab.call("status")["sessions"]["closing"] == 0)


def test_rfc6888_req12_rfc6888_req14_rfc8158_s4_6_10_each_block_is_one_record_at_every_destination(lab):
    syslog, ipfix = listen(lab, socket.SOCK_DGRAM, SYSLOG_PORT), listen(lab, socket.SOCK_STREAM, IPFIX_PORT)
    lab.start_daemons()
    apply_log(lab, file={"path": str(lab.path)},
              syslog={"address": EXEMPT, "port": SYSLOG_PORT, "hostname": "bng-test"},
              ipfix={"address": EXEMPT, "observation_domain": 7})
    add_sessions(lab, 10, 60)
    send(lab, 10, 60)
    wait_for("60 blocks", lambda: len(blocks(lab)) == 60)
    allocated = expected(lab)
    for name in ("file", "syslog", "ipfix"):
        wait_sent(lab, name, 60)
    disconnect(lab, 10, 20)
    for name in ("file", "syslog", "ipfix"):
        wait_sent(lab, name, 80)
    gone = freed(record for record in allocated if int(record.address.split(".")[3]) < 30)
    assert len(gone) == 20
    assert sorted(file_records(lab.path)) == sorted(allocated + gone)
    assert sorted(heard(syslog, 80)) == sorted(allocated + gone)
    assert [int(LINE.fullmatch(message.decode())["sequence"]) for message in syslog.messages] == list(range(1, 81))
    assert sorted(collected(ipfix, 80)) == sorted(allocated + gone)
    assert struct.unpack("!HHIII", ipfix.stream[:16])[4] == 7
    assert {(entry["sent"], entry["queued"], entry["lost"], entry["state"]) for entry in status(lab).values()} == {
        (80, 0, 0, "ok")}
    assert "80" in lab.cli("cgnat", "log").stdout and "failing" not in lab.cli("cgnat", "log").stdout
    syslog.end()
    ipfix.end()


@pytest.mark.parametrize("how", ["term", "kill"])
def test_a_restart_of_controld_loses_nothing(lab, how):
    """Blocks are taken before, while it is away, and after; the file has each exactly once."""
    apply_log(lab, file={"path": str(lab.path)})
    lab.start_daemons()
    add_sessions(lab, 10, 60)
    send(lab, 10, 20)
    wait_sent(lab, "file", 20)
    if how == "term":
        assert lab.stop(lab.controld) == 0
    else:
        lab.controld.kill()
        lab.reap(lab.controld)
    send(lab, 30, 20)
    lab.start_controld()
    send(lab, 50, 20)
    wait_sent(lab, "file", 60)
    assert sorted(file_records(lab.path)) == expected(lab) and len(expected(lab)) == 60


def test_records_wait_for_a_dead_collector_across_a_restart(lab):
    """They are in memory that is not controld's: a kill -9 does not take them."""
    apply_log(lab, ipfix={"address": EXEMPT}, syslog={"address": EXEMPT, "port": SYSLOG_PORT, "hostname": "bng-test"})
    lab.start_daemons()
    add_sessions(lab, 10, 40)
    send(lab, 10, 40)
    wait_for("both collectors to be seen dead", lambda: {
        (name, entry["state"], entry["queued"], entry["sent"]) for name, entry in status(lab).items()} == {
            ("ipfix", "failing", 40, 0), ("syslog", "failing", 40, 0)})
    assert f"tcp:{EXEMPT}:4739: Connection refused" in status(lab)["ipfix"]["error"]
    lab.controld.kill()
    lab.reap(lab.controld)
    syslog, ipfix = listen(lab, socket.SOCK_DGRAM, SYSLOG_PORT), listen(lab, socket.SOCK_STREAM, IPFIX_PORT)
    lab.start_controld()
    wait_sent(lab, "ipfix", 40)
    wait_sent(lab, "syslog", 40)
    assert sorted(collected(ipfix, 40)) == expected(lab)
    assert sorted(heard(syslog, 40)) == expected(lab)
    syslog.end()
    ipfix.end()


def test_a_collector_that_dies_gets_the_rest_when_it_is_back(lab):
    ipfix = listen(lab, socket.SOCK_STREAM, IPFIX_PORT)
    apply_log(lab, ipfix={"address": EXEMPT})
    lab.start_daemons()
    add_sessions(lab, 10, 40)
    send(lab, 10, 20)
    wait_sent(lab, "ipfix", 20)
    first = sorted(collected(ipfix, 20))
    ipfix.end()
    send(lab, 30, 20)
    wait_for("it to be seen", lambda: status(lab)["ipfix"]["state"] == "failing")
    second = listen(lab, socket.SOCK_STREAM, IPFIX_PORT)
    wait_sent(lab, "ipfix", 40)
    assert sorted(first + collected(second, 20)) == expected(lab)
    second.end()


def test_ipfix_over_udp_is_decoded(lab):
    ipfix = listen(lab, socket.SOCK_DGRAM, IPFIX_PORT)
    apply_log(lab, ipfix={"address": EXEMPT, "protocol": "udp"})
    lab.start_daemons()
    add_sessions(lab, 10, 100)
    send(lab, 10, 100)
    wait_sent(lab, "ipfix", 100)
    wait_for("100 records", lambda: len(ipfix_records(b"".join(ipfix.messages))) >= 100)
    assert sorted(ipfix_records(b"".join(ipfix.messages))) == expected(lab) and len(expected(lab)) == 100
    assert max(map(len, ipfix.messages)) <= 1400
    ipfix.end()


def test_syslog_over_a_unix_socket(lab):
    path = lab.logs / "dev-log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.settimeout(60)
        apply_log(lab, syslog={"path": str(path), "hostname": "bng-test"})
        lab.start_daemons()
        add_sessions(lab, 10, 100)
        send(lab, 10, 100)
        # The kernel queues some ten datagrams for a slow reader; the rest waits in the gateway.
        wait_for("100 blocks", lambda: len(blocks(lab)) == 100)
        messages = [listener.recv(65535) for _ in range(100)]
        wait_sent(lab, "syslog", 100)
        assert sorted(syslog_records(messages)) == expected(lab)
        listener.settimeout(0.3)
        with pytest.raises(TimeoutError):
            listener.recv(65535)


def test_what_does_not_fit_into_memory_is_counted_and_said(lab):
    apply_log(lab, queue_records=16, ipfix={"address": EXEMPT}, file={"path": str(lab.path)})
    lab.start_daemons()
    add_sessions(lab, 10, 40)
    send(lab, 10, 40)
    wait_for("24 lost records", lambda: status(lab)["ipfix"]["lost"] == 24)
    assert status(lab)["ipfix"]["queued"] == 16
    ipfix = listen(lab, socket.SOCK_STREAM, IPFIX_PORT)
    wait_for("the 16 others", lambda: status(lab)["ipfix"]["sent"] == 16)
    assert len(collected(ipfix, 16)) == 16
    losses = wait_for("the record of losses", lambda: [entry for entry in ipfix_dump(ipfix.stream) if "notSentFlowTotalCount" in entry])
    assert [entry["notSentFlowTotalCount"] for entry in losses] == ["24"]
    ipfix.end()


def test_events_that_the_ring_lost_are_on_record(lab):
    """The data plane's counter is moved while controld is away, as a full ring would."""
    apply_log(lab, file={"path": str(lab.path)})
    lab.start_daemons()
    assert lab.stop(lab.controld) == 0
    with lab.rpc("holder") as holder:
        _, fds = holder.call_fds("map.open", {"names": ["meta"]})
    with mmap.mmap(fds[0], mmap.PAGESIZE) as meta:
        before = struct.unpack_from("=Q", meta, META_EVENTS_LOST)[0]
        struct.pack_into("=Q", meta, META_EVENTS_LOST, before + 5)
    os.close(fds[0])
    lab.start_controld()
    entry = wait_for("the record", lambda: file_entries(lab.path) if lab.path.exists() else None)
    assert [(line["type"], line["count"]) for line in entry] == [("events_lost", 5)]
    assert lab.call("blocklog.status")["events_lost"] == 5


def test_a_full_disk_touches_nobody_and_is_caught_up(lab):
    lab.start_daemons()
    sandbox.run(["mount", "-t", "tmpfs", "-o", "size=32k,mode=0777", "tmpfs", str(lab.logs)])
    apply_log(lab, file={"path": str(lab.path), "max_bytes": 0})
    (lab.logs / "ballast").write_bytes(b"x" * 28 * 1024)
    add_sessions(lab, 10, 100)
    send(lab, 10, 100)
    wait_for("the full disk to be seen", lambda: status(lab)["file"]["state"] == "failing")
    assert "No space left on device" in status(lab)["file"]["error"]
    wait_for("100 blocks all the same", lambda: len(blocks(lab)) == 100)
    assert status(lab)["file"]["queued"] > 0
    (lab.logs / "ballast").unlink()
    wait_sent(lab, "file", 100)
    assert sorted(file_records(lab.path)) == expected(lab)
    assert status(lab)["file"]["state"] == "ok" and status(lab)["file"]["lost"] == 0


def test_logrotate_may_move_the_file_away(lab):
    apply_log(lab, file={"path": str(lab.path)})
    lab.start_daemons()
    add_sessions(lab, 10, 40)
    send(lab, 10, 20)
    wait_sent(lab, "file", 20)
    os.rename(lab.path, lab.logs / "moved")
    send(lab, 30, 20)
    wait_sent(lab, "file", 40)
    assert len(file_records(lab.path)) == len(file_records(lab.logs / "moved")) == 20
    assert sorted(file_records(lab.path, lab.logs / "moved")) == expected(lab)


def test_a_reload_changes_destinations_live(lab):
    apply_log(lab, file={"path": str(lab.path)})
    lab.start_daemons()
    add_sessions(lab, 10, 60)
    send(lab, 10, 20)
    wait_sent(lab, "file", 20)
    apply_log(lab, queue_records=32, file={"path": str(lab.logs / "other.log")})
    send(lab, 30, 20)
    wait_sent(lab, "file", 40)
    apply_log(lab)
    assert lab.call("blocklog.status")["destinations"] == []
    assert "not logged" in lab.cli("cgnat", "log").stdout
    send(lab, 50, 20)
    assert len(file_records(lab.path)) == len(file_records(lab.logs / "other.log")) == 20
