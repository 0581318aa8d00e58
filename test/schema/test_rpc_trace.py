# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Runs last: every request and reply that the other tests recorded
# (BNG_RPC_TRACE) is what schemas/ says. This file adds calls of its own, so that
# the recording is never empty.
import collections
import concurrent.futures
import json
import os
import pathlib

import pytest

import openrpc
from lab import Lab

HARMLESS = {
    "holder": ["holder.status", "swap.status", "fd.list"],
    "controld": ["status", "session.list", "cgnat.pools", "cgnat.reputation", "cgnat.steering", "cgnat.blocks",
                 "cgnat.mappings", "accounting.stats", "cgnat.tunnels", "cgnat.digest", "drops",
                 "interfaces", "maps", "blocklog.status", "issu.status", "issu.history", "config.show", "config.reload"],
    "bngsync": ["sync.status"],
}


def call_bngsync(lab):
    """Each method, and what it tells a subscriber."""
    document = openrpc.Document("bngsync")
    with lab.rpc("bngsync") as sync:
        sync.call("sync.publish", {"topic": "lease", "records": [{"key": "a", "value": {"x": 1}}, {"key": "b", "value": {}}]})
        sync.call("sync.delete", {"topic": "lease", "keys": ["b"]})
        sync.call("sync.get", {"topic": "lease", "key": "a"})
        told = sync.call("sync.subscribe", {"topic": "lease"})
        sync.call("sync.subscribe", {"topic": "lease", "since": 1, "store": told["store"]})
        for name, schema in (("records", "records"), ("snapshot_done", "mark")):
            line = sync.next_notification(10)
            assert line["method"] == f"sync.{name}"
            assert document.errors_of({"$ref": f"#/components/schemas/{schema}"}, line["params"]) == []


def call_the_rest(lab):
    """Methods that other tests reach through bngcli or not at all."""
    with lab.rpc("holder") as holder:
        holder.call("map.open", {"names": ["meta", "pool"]})
        holder.call("program.open", {"names": ["bng_access"]})
    with open(lab.object, "rb") as object_file, lab.rpc() as controld:
        controld.call("events.follow")
        controld.call("config.check", {"file": str(lab.config_file)})
        controld.call("issu.plan", {"name": "bng"}, [object_file.fileno()])
        controld.call("issu.upgrade", {"name": "bng"}, [object_file.fileno()])
        controld.call("issu.rollback")
        controld.call("issu.verify", {"seconds": 1})


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory):
    path = os.environ.setdefault("BNG_RPC_TRACE", str(tmp_path_factory.mktemp("trace") / "trace.jsonl"))
    with Lab() as lab:
        lab.start_holder()
        lab.start_bngsync()
        call_bngsync(lab)  # before there is a controld, whose topics these are
        lab.start_controld()
        for server, methods in HARMLESS.items():
            with lab.rpc(server) as client:
                for method in methods:
                    client.call(method)
        call_the_rest(lab)
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def errors_in(server, entries):
    document, wrong = openrpc.Document(server), collections.Counter()
    for entry in entries:
        wrong.update(openrpc.errors_of_exchange(document, entry["request"], entry["reply"]))
    return wrong


def different(entries):
    """Each once that differs in more than the id of the call."""
    found = {}
    for entry in entries:
        request, reply = ({name: value for name, value in side.items() if name != "id"} for side in (entry["request"], entry["reply"]))
        found[json.dumps([request, reply], sort_keys=True)] = entry
    return list(found.values())


@pytest.mark.parametrize("server", openrpc.SERVERS)
def test_every_recorded_exchange_matches_the_schema(server, exchanges):
    document = openrpc.Document(server)
    seen = [entry for entry in exchanges if entry["server"] == server]
    judged, wrong, parts = different(seen), collections.Counter(), 8
    with concurrent.futures.ProcessPoolExecutor() as pool:  # nothing else runs by now
        for found in pool.map(errors_in, [server] * parts, [judged[part::parts] for part in range(parts)]):
            wrong.update(found)
    assert wrong == {}
    answered = {entry["request"]["method"] for entry in seen if "result" in entry["reply"]}
    assert answered >= set(HARMLESS[server])
    unseen = sorted(set(document.methods) - answered)
    print(f"\n{server}: {len(seen)} exchanges, {len(judged)} different, {len(answered)} methods, never answered: {unseen}")


@pytest.mark.parametrize("server", openrpc.SERVERS)
def test_a_wrong_exchange_would_be_seen(server, exchanges):
    document = openrpc.Document(server)
    good = next(entry for entry in exchanges if entry["server"] == server and "result" in entry["reply"])
    reply = dict(good["reply"], result=["not", "an", "object"])
    assert openrpc.errors_of_exchange(document, good["request"], reply) != []
    assert openrpc.errors_of_exchange(document, good["request"], dict(good["reply"], error={"code": "text"})) != []
