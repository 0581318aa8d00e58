# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Data planes that do something wrong: built once with all faults of a test in them, which one is on is a number
# in the object's read-only data.
import pathlib

import sandbox

TOP = pathlib.Path(__file__).resolve().parents[2]
MARK = 0x2174_6c75_6166_6e62  # "bnfault!"
NUMBER = f"""
const volatile __u64 fault[2] SEC(".rodata.fault") = {{0x{MARK:x}ULL, 0}};

"""


def changed_build(lab, name, edits):
    """The data plane built with other text: `edits` are (file, what is there once, what stands there instead)."""
    copy = lab.directory / name
    copy.mkdir()
    sandbox.run(["cp", "-r", str(TOP / "dataplane"), str(copy)])
    for file, old, new in edits:
        source = copy / "dataplane" / file
        text = source.read_text()
        assert text.count(old) == 1, old
        source.write_text(text.replace(old, new))
    return lab.second_build(name=name, top=copy)


class FaultyPlane:
    """`edits` are of bng.bpf.c: (what is there once, what stands there instead); fault[1] is the number, 0: none."""

    def __init__(self, lab, name, edits):
        self.lab, self.name = lab, name
        behind = "\nchar LICENSE"  # all includes
        edits = [("bng.bpf.c", old, new) for old, new in [(behind, NUMBER + behind), *edits]]
        self.bytes = changed_build(lab, name, edits).read_bytes()

    def object(self, number):
        """The file of the data plane with this fault."""
        mark = MARK.to_bytes(8, "little")
        assert self.bytes.count(mark) == 1
        path = self.lab.directory / f"{self.name}{number}.bpf.o"
        path.write_bytes(self.bytes.replace(mark + bytes(8), mark + number.to_bytes(8, "little")))
        path.chmod(0o644)
        return path
