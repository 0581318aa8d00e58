# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The gateway on the oldest kernel supported: gateway.py in a machine under QEMU.
import os
import pathlib
import re
import resource
import time

import pytest

import boot
import gateway
import userland

BUILD = pathlib.Path(os.environ["BNG_BUILD"])


@pytest.fixture(scope="module", name="said")
def said_by_the_machine():
    begin = time.monotonic()
    said = boot.boot(BUILD / "kernel", userland.files(BUILD), userland.command(), userland.MODULES, userland.accounts(),
                     memory=2048, cpus=2)  # a bridge needs a second one
    passed = "\n".join(re.findall(r"^passed .*", said, re.M))
    took, spent = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\nLinux {said.splitlines()[0]} under QEMU\n{passed}\n{took:.0f} s in all, {spent.ru_utime + spent.ru_stime:.0f} s of a CPU")
    return said


def test_it_is_linux_6_1_and_has_nothing_to_complain_of(said):
    assert said.startswith("6.1."), said
    assert "\nstatus 0\ncomplaints 0\n" in said, said


@pytest.mark.parametrize("step", [*(step.__name__ for step in gateway.STEPS), "all"])
def test_on_linux_6_1(said, step):
    assert re.search(rf"^passed {step}: ", said, re.M), said
