# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# One loaded data plane for all tests in this folder, emptied before each; a bridge beside it
# for those who ask for one.
import pytest

import abi
from bridge import Bridge
from plane import Plane


@pytest.fixture(scope="session")
def loaded_plane():
    plane = Plane()
    yield plane
    plane.close()


@pytest.fixture
def plane(loaded_plane):
    """In its namespace, with one pool (0) of one public address."""
    loaded_plane.reset()
    loaded_plane.pool_build()
    with loaded_plane.namespace.entered():
        yield loaded_plane


@pytest.fixture(scope="session")
def loaded_bridge(loaded_plane):
    with loaded_plane.namespace.entered():
        bridge = Bridge(loaded_plane, abi.BUILD / "bpf" / "bng-bridge.bpf.o")
    yield bridge
    bridge.close()


@pytest.fixture
def bridge(plane, loaded_bridge):
    """Not yet opened."""
    loaded_bridge.reset()
    return loaded_bridge
