# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The oldest kernel supported accepts every program of the object.
import os
import pathlib
import re
import subprocess

import boot

BUILD = pathlib.Path(os.environ["BNG_BUILD"])


def test_linux_6_1_accepts_every_program():
    """Those of the object and of the bridge, and the one of reuseport groups, which its kernel cannot run by BPF_PROG_TEST_RUN."""
    said, _, status = boot.boot(BUILD)
    assert said.startswith("6.1."), said
    assert status.split()[0] == "0", said
    assert re.findall(r"^loaded (\w+)", said, re.M) == [
        "bng_migrate", "bng_migrate_check", "bng_access", "bng_core", "bng_inject", "bng_sweep",
        "bng_access", "bng_canary_access", "bng_core", "bng_canary_core", "bng_inject", "bng_canary_inject", "bng_sweep",
        "group_select", "group_forget"]


def test_what_linux_6_1_refuses_is_seen():
    said, _, status = boot.boot(BUILD, BUILD / "bpf" / "holder_refused.bpf.o")
    assert status.split()[0] == "1" and "refused" in said.split("\n")


def test_what_only_linux_6_1_refuses_is_refused_there_with_the_reason():
    """So that staging refuses it (test_holder.py): stack counts in larger units there."""
    path = BUILD / "bpf" / "holder_deep.bpf.o"
    said, _, status = boot.boot(BUILD, path)
    assert status.split()[0] == "1" and "refused" in said.split("\n")
    assert re.search(r"combined stack size of \d calls is \d+\. Too large", said), said
    here = subprocess.run([BUILD / "bin" / "bng-kernel-load", path], capture_output=True, text=True)
    assert here.returncode == 0 and "loaded bng_core" in here.stdout
