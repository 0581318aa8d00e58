# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# After an object that has named reserved bytes of a map follows one that does not know them:
# where they hold nothing.
import pytest

from holder_fixture import holder_with
from rpc import RpcError
from test_holder import INCOMPATIBLE, results, snapshot

MAC, LIMIT, ASKED = 8, 16, 20  # bytes of struct session in holder_grown


lab = holder_with()


def put_session(lab, index, mac=0x0a, limit=0, asked=0):
    value = bytearray(32)
    value[MAC], value[LIMIT], value[ASKED] = mac, limit, asked
    lab.bpftool("map", "update", "pinned", lab.pin("map/session"), "key", index, 0, 0, 0, "value", *value)


def get_session(lab, index):
    entry = lab.bpftool("map", "lookup", "pinned", lab.pin("map/session"), "key", index, 0, 0, 0)
    return bytes(int(byte, 16) for byte in entry["value"])


def test_an_object_that_knows_less_may_follow_where_what_it_does_not_know_holds_nothing(lab):
    grown = lab.stage_and_commit("holder_grown")
    put_session(lab, 3, asked=7)  # transient: it may become zero
    staged = lab.stage("holder_v2")
    assert next(row for row in staged["maps"] if row["name"] == "session") == {
        "name": "session", "result": "compatible", "detail": "value.limit"}
    put_session(lab, 5, asked=1, limit=1)  # since it was staged
    before = snapshot(lab)
    with pytest.raises(RpcError) as refused:
        lab.commit(staged["generation"])
    assert refused.value.code == INCOMPATIBLE and "map session, value.limit" in refused.value.message
    assert "limit (u32, byte 16), in use by entry 5; nothing was changed" in refused.value.message
    assert snapshot(lab) == before and get_session(lab, 3)[ASKED] == 7
    put_session(lab, 5, asked=1)
    lab.commit(staged["generation"])
    lab.assert_runs(staged["generation"])
    for index in (3, 5):
        assert get_session(lab, index) == bytes(MAC) + b"\x0a" + bytes(23)
    assert results(lab.stage("holder_grown"))["session"] == "compatible"
    lab.call("swap.rollback", {"generation": grown})
    lab.assert_runs(grown)


def test_what_is_transient_becomes_zero_though_the_holder_dies_before(lab):
    lab.stage_and_commit("holder_grown")
    put_session(lab, 3, asked=7)
    staged = lab.stage("holder_v2")["generation"]
    lab.stop()
    lab.start(die_at="commit_vacate")
    lab.dies(lambda: lab.commit(staged))
    assert get_session(lab, 3)[ASKED] == 7
    lab.start()
    lab.assert_runs(staged)
    assert get_session(lab, 3) == bytes(MAC) + b"\x0a" + bytes(23)


def test_what_holds_something_is_named_and_nothing_is_changed(lab):
    lab.stage_and_commit("holder_grown")
    put_session(lab, 3, limit=5)
    before = snapshot(lab)
    error = lab.stage_refused("holder_v2")
    assert error.code == INCOMPATIBLE
    assert error.data == {"map": "session", "result": "incompatible", "field": "value.limit", "found": "nothing",
                          "expected": "limit (u32, byte 16), in use by entry 3"}
    assert snapshot(lab) == before
    lab.call("swap.rollback")  # what has run here may always come back
    lab.assert_runs(1)
