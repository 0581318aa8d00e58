# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A destination becomes exempt while subscribers talk to it: who did before goes on
# translated until the mapping ends, everybody else sees it untranslated at once.
import struct

import pytest

import abi
import frames
from plane import REMOTE, be32
from test_cgnat_mapping import open_port, reaches


def exempt(plane, network_first, length=32):
    """As controld does: the entry with the next epoch, then the epoch."""
    epoch = plane.meta.exempt_epoch + 1
    add(plane, network_first, length, epoch)
    plane.meta.exempt_epoch = epoch
    return epoch


def add(plane, first, length, epoch):
    plane.maps["exempt"].update(struct.pack("=II", length, be32(first)),
                                struct.pack("=I", abi.EXEMPT_PERMANENT | epoch << abi.EXEMPT_EPOCH_SHIFT))
    plane.meta.exempt_count += 1


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_a_flow_keeps_its_mapping_and_a_new_one_gets_none(plane, protocol):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    exempt(plane, REMOTE)
    for _ in range(5):
        plane.advance_seconds(50)
        assert open_port(plane, session, 4000, protocol) == public
        assert reaches(plane, public, session, 4000, protocol)
    assert open_port(plane, session, 4001, protocol) == "FORWARD_UP_EXEMPT"
    assert session.record.mappings == 1


def test_a_long_flow_is_kept_however_old_the_entry_gets(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    exempt(plane, REMOTE)
    for _ in range(100):
        plane.advance_seconds(250)
        assert open_port(plane, session, 4000) == public


def test_the_mapping_ends_and_with_it_the_translation(plane):
    session = plane.session("10.0.0.5")
    open_port(plane, session, 4000)
    exempt(plane, REMOTE)
    plane.advance_seconds(301)
    assert open_port(plane, session, 4000) == "FORWARD_UP_EXEMPT"
    # Revived by another destination it is a new mapping, younger than the entry.
    assert isinstance(open_port(plane, session, 4000, remote="192.0.2.2"), int)
    assert open_port(plane, session, 4000) == "FORWARD_UP_EXEMPT"


def test_an_entry_that_is_settled_is_for_everybody(plane):
    session = plane.session("10.0.0.5")
    open_port(plane, session, 4000)
    plane.exempt_add(f"{REMOTE}/32")
    assert open_port(plane, session, 4000) == "FORWARD_UP_EXEMPT"


def test_each_entry_has_its_own_before_and_after(plane):
    session = plane.session("10.0.0.5")
    exempt(plane, "192.0.2.2")
    public = open_port(plane, session, 4000)
    exempt(plane, REMOTE)
    assert open_port(plane, session, 4000) == public
    assert open_port(plane, session, 4000, remote="192.0.2.2") == "FORWARD_UP_EXEMPT"


def test_an_entry_that_is_not_announced_yet_disturbs_nobody(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    add(plane, REMOTE, 32, plane.meta.exempt_epoch + 1)
    assert open_port(plane, session, 4000) == public
    assert open_port(plane, session, 4001) == "FORWARD_UP_EXEMPT"


@pytest.mark.parametrize("later, kept", [(0, True), (14, True), (15, False)])
def test_a_flow_outlives_fourteen_more_lists(plane, later, kept):
    """The epoch of a mapping has four bits: what is older counts as young."""
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    exempt(plane, REMOTE)
    plane.meta.exempt_epoch += later
    assert (open_port(plane, session, 4000) == public) is kept
