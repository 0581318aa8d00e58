# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The golden packets that an upgrade is tried with (test/golden/) still end as their files
# say, with this object.
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "golden"))
import golden  # noqa: E402
import make  # noqa: E402
import test_packet_verdicts  # noqa: E402

# What a packet ends in for reasons that lie outside the maps, or in too many of them.
OUTSIDE = make.NO_WORLD | {"PASS_NEIGHBOUR", "DROP_NO_ROUTE", "DROP_CGNAT_FLOW_FULL", "DROP_FRAGMENT_FULL", "DROP_TUNNEL_FULL"}


@pytest.mark.parametrize("feature", golden.features())
def test_golden_packets_end_as_their_file_says(loaded_plane, feature):
    document, frames = golden.load(feature)
    found = {packet["what"] + "/" + packet["program"]: golden.run(loaded_plane, document, packet, frame)
             for packet, frame in zip(document["packets"], frames)}
    assert found == {packet["what"] + "/" + packet["program"]: packet["verdict"] for packet in document["packets"]}


def test_a_wrong_verdict_would_be_seen(loaded_plane):
    document, frames = golden.load("antispoof")
    place = next(number for number, packet in enumerate(document["packets"]) if packet["verdict"] == "drop_spoof_mac")
    packet, frame = document["packets"][place], bytearray(frames[place])
    frame[11] = 21  # the session's: its slot
    assert golden.run(loaded_plane, document, packet, bytes(frame)) != packet["verdict"]


def test_every_verdict_has_a_golden_packet():
    """A new row of test_packet_verdicts.py: run test/golden/make.py."""
    there = {packet["verdict"] for feature in golden.features() for packet in golden.load(feature)[0]["packets"]}
    wanted = {golden.VERDICT_TEXT[row.verdict] for row in test_packet_verdicts.ROWS if row.verdict not in OUTSIDE}
    assert wanted - there == set()
    assert {row.description for row in make.BUGS} == {packet["what"] for packet in golden.load("bugs")[0]["packets"]}
