# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Who had a public port: what bngcli answers from configuration and log, with no
# daemon at all, is what the data plane really gave, in deterministic pools (RFC 7422)
# and others, across changes of the rule, restarts and rotation.
import datetime
import gzip
import json
import random
import socket
import struct
import time

import pytest

import sandbox
from lab import BUILD, Lab, default_config, wait_for

SUBSCRIBERS = "10.128.1.0/24"
REMOTE = socket.inet_aton("198.19.0.1")


def address_of(number):
    return f"10.128.1.{number}"


def mac_of(number):
    return bytes([2, 0, 0, 2, 0, number])


@pytest.fixture
def lab():
    config = default_config()
    config["cgnat"]["hold_down_seconds"] = 1
    with Lab(config) as lab:
        lab.logs = lab.directory / "log"
        lab.logs.mkdir()
        lab.logs.chmod(0o777)
        lab.path = lab.logs / "blocks.log"
        config["cgnat"]["log"] = {"file": {"path": str(lab.path)}}
        yield lab


def set_rule(lab, **deterministic):
    """A pool of 4 addresses with blocks of 64 ports; without a rule, dynamic."""
    pool = {"name": "default", "prefixes": ["203.0.113.0/31", "203.0.113.4/31"], "block_size": 64,
            "blocks_per_subscriber": 4}
    if deterministic:
        pool["deterministic"] = {"subscribers": [SUBSCRIBERS], **deterministic}
    lab.config["cgnat"]["pools"] = [pool]
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


def add_sessions(lab, numbers):
    lab.call("session.add", {"sessions": [
        {"address": address_of(number), "mac": mac_of(number).hex(":"), "interface": "access1"} for number in numbers]})


def frame(gateway, number, port):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 29, 0, 0, 64, 17, 0, socket.inet_aton(address_of(number)), REMOTE)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return gateway + mac_of(number) + b"\x08\x00" + header[:10] + struct.pack("!H", checksum) + header[12:] + \
        struct.pack("!HHHHB", port, 9, 9, 0, 0x78)


def send_frames(lab, numbers, ports):
    """UDP flows of each subscriber from these ports; how many packets."""
    gateway = bytes.fromhex(lab.mac(lab.gateway, "access1").replace(":", ""))
    frames = [frame(gateway, number, port) for number in numbers for port in ports]
    lab.send_frames(lab.load, "up0", frames)
    return len(frames)


def send(lab, numbers, ports):
    """The same; returns when all are forwarded."""
    before = lab.drops()["forward_up"]
    sent = send_frames(lab, numbers, ports)
    wait_for(f"{sent} packets forwarded", lambda: lab.drops()["forward_up"] == before + sent)


def blocks(lab):
    """(public address, first port) -> block, of those in use."""
    return {(block["public"], block["first"]): block for block in lab.call("cgnat.blocks", {"limit": 20000})["blocks"]
            if block["state"] == "allocated"}


def entries(lab):
    return [json.loads(line) for line in lab.path.read_text().split("\n")[:-1]] if lab.path.exists() else []  # whole ones


def logged(lab, kind):
    """(public address, first port) -> subscriber, of the log's records of this kind."""
    return {(entry["public"], entry["first"]): entry["address"] for entry in entries(lab) if entry["type"] == kind}


def pause():
    """A moment after what has happened and before what comes."""
    time.sleep(0.01)
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    time.sleep(0.01)
    return moment


def offline(lab, public, port, *options, status=0):
    result = lab.cli("--state", "/nonexistent", "--json", "cgnat", "lookup", f"{public}:{port}", "--config", lab.config_file,
                     *(options or ("--offline",)), check=False)
    assert result.returncode == status, result.stderr
    return json.loads(result.stdout)


def check_block(lab, block, *options):
    """The answer without daemons about one port of a block is what the data plane says."""
    port = random.randint(block["first"], block["last"])
    found = offline(lab, block["public"], port, *options)
    kind = "deterministic" if block["deterministic"] else "dynamic overflow"
    assert [(holder["kind"], holder["address"]) for holder in found["holders"]] == [(kind, block["address"])], found
    holder, = found["holders"]
    assert holder["first"] <= block["first"] and block["last"] <= holder["last"]
    assert holder["session"] == (None if block["deterministic"] else block["session"])
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_rfc7422_the_answer_offline_is_what_the_data_plane_gave(lab, seed):
    """Any rule: every block in use, a port in each, and only overflow in the log."""
    chance = random.Random(seed)
    own = chance.randint(1, 3)
    set_rule(lab, blocks=own, first_port=chance.randint(1024, 9000), dynamic_blocks=chance.randint(40, 200),
             **({"subscribers_per_address": chance.randint(64, 200)} if seed != 2 else {}))
    lab.start_daemons()
    numbers = chance.sample(range(2, 255), 8)
    add_sessions(lab, numbers)
    send(lab, numbers, range(4000, 4000 + own * 64))
    own_blocks = blocks(lab)
    assert len(own_blocks) == 8 * own and all(block["deterministic"] for block in own_blocks.values())
    send(lab, numbers[:4], range(5000, 5010))
    used = blocks(lab)
    overflow = {key: block["address"] for key, block in used.items() if not block["deterministic"]}
    assert len(used) == 8 * own + 4 and sorted(overflow.values()) == sorted(map(address_of, numbers[:4]))
    wait_for("the log", lambda: logged(lab, "block_allocated") == overflow)
    assert [entry["type"] for entry in entries(lab)] == ["deterministic_pools"] + ["block_allocated"] * 4
    lab.stop(lab.controld)
    for block in used.values():
        check_block(lab, block)
    free = next(port for port in range(65535, 1024, -64) if ("203.0.113.0", port - 63) not in used)
    assert offline(lab, "203.0.113.0", free)["answer"] == "nobody"


def test_rfc6888_req14_a_change_of_the_rule_is_in_the_log_and_moves_nobody(lab):
    set_rule(lab, subscribers_per_address=100)
    lab.start_daemons()
    add_sessions(lab, [10, 11])
    send(lab, [10, 11], range(4000, 4010))
    before, first, digest = blocks(lab), pause(), lab.digest()
    set_rule(lab, subscribers_per_address=100, first_port=9000)
    assert lab.digest() == digest
    assert {key: block["address"] for key, block in blocks(lab).items()} == \
        {key: block["address"] for key, block in before.items()}
    send(lab, [10], range(4000, 4070))  # what was there, and more than its old block holds
    second = pause()
    wait_for("what is left of the old rule", lambda: set(before) <= set(logged(lab, "block_allocated")))
    new = {key: block for key, block in blocks(lab).items() if key not in before}
    assert [(block["address"], block["deterministic"]) for block in new.values()] == [(address_of(10), True)]
    set_rule(lab)
    third = pause()
    wait_for("what is left of the second rule", lambda: set(new) <= set(logged(lab, "block_allocated")))
    lab.stop(lab.controld)
    for block in before.values():
        check_block(lab, block, "--at", first)
        check_block(lab, dict(block, deterministic=False), "--at", second)
    for block in new.values():
        check_block(lab, block, "--at", second)
        found = offline(lab, block["public"], block["first"], "--at", third)
        assert [(holder["kind"], holder["session"]) for holder in found["holders"]] == [("dynamic", block["session"])]
    assert [len(entry["pools"]) for entry in entries(lab) if entry["type"] == "deterministic_pools"] == [1, 1, 0]


def test_blocks_of_a_gone_rule_are_logged_when_they_go_back(lab):
    set_rule(lab, subscribers_per_address=100)
    lab.start_daemons()
    add_sessions(lab, [10])
    send(lab, [10], [4000])
    (key, block), = blocks(lab).items()
    set_rule(lab)
    wait_for("it to be logged", lambda: logged(lab, "block_allocated") == {key: address_of(10)})
    held = pause()
    lab.call("session.disconnect", {"address": address_of(10)})
    wait_for("it to go back", lambda: logged(lab, "block_freed") == {key: address_of(10)})
    gone = pause()
    assert offline(lab, *key, "--at", held)["holders"][0]["session"] == block["session"]
    assert offline(lab, *key, "--at", gone)["answer"] == "nobody"
    assert offline(lab, *key, "--at", "2020-01-01T00:00:00Z", status=1)["answer"] == "not covered by the log"


def test_the_rule_does_without_controld_and_survives_it(lab):
    """With controld dead the first packet gets the block of the rule; since when it is in force is not forgotten."""
    set_rule(lab, subscribers_per_address=100)
    lab.start_daemons()
    add_sessions(lab, [10, 11])
    wait_for("the rule in the log", lambda: entries(lab))
    since = entries(lab)[0]["since"]
    lab.controld.kill()
    lab.reap(lab.controld)
    send_frames(lab, [11], range(4000, 4080))
    lab.start_controld()
    used = wait_for("two blocks", lambda: len(found := blocks(lab)) == 2 and found)
    assert sorted(block["deterministic"] for block in used.values()) == [False, True]
    wait_for("the log", lambda: len(logged(lab, "block_allocated")) == 1)
    for block in used.values():
        check_block(lab, block)
        live = lab.call("cgnat.lookup", {"public": block["public"], "port": block["first"]})
        assert live["deterministic"] == (block["address"] if block["deterministic"] else None)
    assert [entry["since"] for entry in entries(lab) if entry["type"] == "deterministic_pools"] == [since] * 2


def test_rotated_and_compressed_files_are_read(lab):
    lab.config["cgnat"]["log"]["file"].update(max_bytes=4096, keep=9)
    set_rule(lab, subscribers_per_address=100)
    lab.start_daemons()
    numbers = range(10, 70)
    add_sessions(lab, numbers)
    send(lab, numbers, range(4000, 4065))
    overflow = [block for block in blocks(lab).values() if not block["deterministic"]]
    assert len(overflow) == 60
    wait_for("the log", lambda: lab.call("blocklog.status")["destinations"][0]["sent"] == 60)
    files = sorted(lab.logs.glob("blocks.log.*"))
    assert len(files) >= 2
    for file in files:
        assert json.loads(file.read_text().splitlines()[0])["type"] == "deterministic_pools"
    (lab.logs / "blocks.log.1.gz").write_bytes(gzip.compress(files[0].read_bytes()))
    files[0].unlink()
    for block in random.Random(5).sample(overflow, 8):
        found = check_block(lab, block, "--log", lab.path)
        assert len(found["log"]["files"]) == len(files) + 1
    damaged = lab.logs / "blocks.log.2.gz"
    damaged.write_bytes((lab.logs / "blocks.log.1.gz").read_bytes()[:200])
    notes = offline(lab, "203.0.113.0", 65535)["notes"]
    assert any("blocks.log.2.gz: is damaged" in note for note in notes)


def test_a_dynamic_pool_is_answered_from_the_log(lab):
    set_rule(lab)
    lab.start_daemons()
    add_sessions(lab, [10])
    before = pause()
    send(lab, [10], [4000])
    (key, block), = blocks(lab).items()
    wait_for("the log", lambda: logged(lab, "block_allocated"))
    found = offline(lab, *key)
    assert [(holder["kind"], holder["session"], holder["address"]) for holder in found["holders"]] == \
        [("dynamic", block["session"], address_of(10))]
    assert offline(lab, *key, "--at", before, status=1)["answer"] == "not covered by the log"
    text = lab.cli("cgnat", "lookup", "{}:{}".format(*key), "--offline", "--config", lab.config_file).stdout
    assert "dynamic block" in text and "not that the log knows of" in text
    live = lab.cli_json("cgnat", "lookup", "{}:{}".format(*key))
    assert (live["state"] in ("allocated", "mapped"), live["deterministic"]) == (True, None)


WRONG = [
    (["--at", "yesterday"], 2, '--at: "yesterday": must be a moment such as 2026-11-20T10:00:05Z'),
    (["--at", "2020-02-30T10:00:00Z"], 2, "must be a moment"),
    (["--at", "9999-01-01T00:00:00Z"], 1, "9999-01-01T00:00:00.000Z is in the future"),
    (["--config", "/nonexistent"], 1, "/nonexistent: unable to open /nonexistent"),
    (["--log", "/nonexistent.log"], 1, "/nonexistent.log: no such log file"),
]


def test_errors_of_the_command_line_say_what_is_wrong():
    for arguments, status, text in WRONG:
        result = sandbox.run([str(BUILD / "bin" / "bngcli"), "cgnat", "lookup", "203.0.113.0:1", *arguments], check=False)
        assert result.returncode == status and text in result.stderr, arguments
