# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The oldest kernel supported accepts every program of the object.
import os
import pathlib
import re

import boot

BUILD = pathlib.Path(os.environ["BNG_BUILD"])


def test_linux_6_1_accepts_every_program():
    """Those of the object, and the one of reuseport groups, which its kernel cannot run by BPF_PROG_TEST_RUN."""
    said, _, status = boot.boot(BUILD)
    assert said.startswith("6.1."), said
    assert status.split()[0] == "0", said
    assert re.findall(r"^loaded (\w+)", said, re.M) == [
        "bng_access", "bng_canary_access", "bng_core", "bng_canary_core", "bng_inject", "bng_canary_inject", "bng_sweep",
        "group_select", "group_forget"]


def test_what_linux_6_1_refuses_is_seen():
    said, _, status = boot.boot(BUILD, BUILD / "bpf" / "holder_refused.bpf.o")
    assert status.split()[0] == "1" and "refused" in said.split("\n")
