# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A shadow: a generation loaded again with maps of its own, which lives as long as
# the descriptors that were asked for, and changes nothing that is there.
import json
import os
import pathlib
import time

import pytest

from holder_fixture import HolderLab, object_file

NOT_FOUND = -32002
NAMES = ["session", "count", "bng_access"]


@pytest.fixture
def lab():
    with HolderLab() as made:
        made.start()
        yield made


def info(fd):
    """What /proc says of a descriptor of a map or program."""
    lines = pathlib.Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def map_exists(lab, number):
    return any(entry["id"] == int(number) for entry in lab.bpftool("map"))


def test_a_shadow_is_as_large_as_the_live_one_and_gone_with_its_descriptors(lab):
    first = lab.stage("holder_v1", session=99)["generation"]
    lab.commit(first)
    second = lab.stage("holder_v2")["generation"]
    before = lab.call("holder.status")
    live = {entry["name"]: entry for entry in before["maps"]}
    seen = set()
    with lab.client() as client:
        for generation in (first, second):
            client.received_fds = []
            assert client.call("object.shadow", {"generation": generation, "names": NAMES}) == {"names": NAMES}
            session, count, program = map(info, client.received_fds)
            assert session["max_entries"] == "99" and session["map_id"] != str(live["session"]["id"])
            assert count["map_id"] != str(live["count"]["id"])
            assert int(program["prog_id"]) not in lab.programs_of(generation).values()
            seen |= {session["map_id"], count["map_id"]}
            for fd in client.received_fds:
                os.close(fd)
        client.received_fds = []
    assert len(seen) == 4
    deadline = time.monotonic() + 60  # the kernel frees in its own time
    while any(map_exists(lab, number) for number in seen):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    after = lab.call("holder.status")
    for entry in (before, after):
        entry.pop("uptime_ns"), entry.pop("sweep")
    assert after == before


def test_objects_are_kept_as_long_as_their_generation(lab):
    first = lab.stage_and_commit("holder_v1")
    second = lab.stage("holder_v2")["generation"]
    objects = lab.state / "objects"
    assert {path.name for path in objects.iterdir()} == {str(first), str(second)}
    kept = objects / str(second)
    assert kept.read_bytes() == object_file("holder_v2").read_bytes() and kept.stat().st_mode & 0o777 == 0o600
    lab.call("object.drop", {"generation": second})
    assert {path.name for path in objects.iterdir()} == {str(first)}
    (objects / "77").write_bytes(b"left over")
    lab.kill()
    lab.start()
    assert {path.name for path in objects.iterdir()} == {str(first)}
    assert lab.stage_refused("holder_exchanged").message
    assert {path.name for path in objects.iterdir()} == {str(first)}


def test_what_cannot_be_given_is_named(lab):
    first = lab.stage_and_commit("holder_v1")
    assert lab.refused("object.shadow", {"generation": 7, "names": NAMES}).message == \
        "shadow of generation 7: there is no such generation"
    error = lab.refused("object.shadow", {"generation": first, "names": ["session", "nothing"]})
    assert error.code == NOT_FOUND and error.message.endswith("nothing: there is none of this name")
    with lab.client() as client:
        params = {"generation": first, "names": ["nothing", "session", "nor this", "bng_core"], "optional": True}
        assert client.call("object.shadow", params) == {"names": ["session", "bng_core"]}
        assert "map_id" in info(client.received_fds[0]) and "prog_id" in info(client.received_fds[1])
        assert len(client.received_fds) == 2
    (lab.state / "objects" / str(first)).unlink()
    error = lab.refused("object.shadow", {"generation": first, "names": NAMES})
    assert error.code == NOT_FOUND and error.message.endswith("an earlier bpfholder loaded it")
    (lab.state / "objects" / str(first)).write_bytes(b"no object")
    error = lab.refused("object.shadow", {"generation": first, "names": NAMES})
    assert "loading it with maps as large as the live ones" in error.message


def test_without_room_for_a_copy_nothing_is_staged(lab):
    first = lab.stage_and_commit("holder_v1")
    (lab.state / "objects" / "2").mkdir()  # no file can be written there
    error = lab.stage_refused("holder_v2")
    assert "keeping a copy of the object" in error.message
    (lab.state / "objects" / "2").rmdir()
    assert [entry["generation"] for entry in lab.call("holder.status")["generations"]] == [first]
    assert lab.stage("holder_v2")["generation"] == 2
    assert json.loads((lab.state / "journal.json").read_text())["committing"] is False
