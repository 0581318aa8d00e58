#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The data plane as another release might have it: a copy of its sources in which sessions and
# port blocks are laid out anew (every field elsewhere, the records larger), and the headers of
# the bridges from one to the other (dataplane/bridge.h). Written:
#
#   TARGET/dataplane/       the copy; bridge/shipped.h in it is for coming from what is shipped
#   TARGET/bridge/other.h   for coming from the copy, with the sources that are shipped
import pathlib
import re
import shutil
import sys

FIELD = re.compile(r"^\t(__u\d+|struct \w+) (\w+)(?:\[(\w+)\])?;", re.M)
# (size, alignment)
KINDS = {"__u8": (1, 1), "__u16": (2, 2), "__u32": (4, 4), "__u64": (8, 8), "struct bng_rate": (16, 8)}
# (header, struct, map, its new size, fields that are parts of one word)
CHANGED = [
    ("subscriber.h", "bng_subscriber", "subscriber", 320, [["outer_vid", "inner_vid"], ["mac", "state", "flags"]]),
    ("cgnat.h", "bng_port_block", "port_block", 64, [["generation", "state", "flags"]]),
]


class Struct:
    """One definition in a header's text."""

    def __init__(self, text, name):
        found = re.search(rf"^struct {name} {{\n(.*?)^}};\n", text, re.M | re.S)
        self.text, self.name, self.definition = text, name, found.group()
        self.fields = [match.groups("1") for match in FIELD.finditer(found.group(1))]
        self.meant = [field for field in self.fields if not field[1].startswith("reserved")]

    def size_of(self, field):
        kind, _, count = field
        number = int(count) if count.isdigit() else int(re.search(rf"#define {count}\s+(\d+)", self.text).group(1))
        return KINDS[kind][0] * number

    def rearranged(self, words, size):
        """Backwards, the widest first, so that nothing needs padding; a word of several fields among those of four bytes."""
        named = {field[1]: field for field in self.meant}
        parts = [(4, [named.pop(name) for name in word]) for word in words]
        parts += [(KINDS[field[0]][1], [field]) for field in named.values()]
        fields = [field for _, part in sorted(parts[::-1], key=lambda part: -part[0]) for field in part]
        fields.append(("__u8", "reserved_other", str(size - sum(map(self.size_of, fields)))))
        lines = "".join(f"\t{kind} {name}{'' if count == '1' else f'[{count}]'};\n" for kind, name, count in fields)
        return f"struct {self.name} {{\n{lines}}};\n"

    def with_other(self, definition, size):
        """The header with it, and without what was asserted about the places of the fields."""
        text = self.text.replace(self.definition, definition)
        text = re.sub(rf"^_Static_assert\(__builtin_offsetof\(struct {self.name},.*?;\n", "", text, flags=re.M)
        return re.sub(rf"(sizeof\(struct {self.name}\)) == \d+", rf"\1 == {size}", text)


def bridge_part(struct, item, old):
    """What a bridge's header says about one map; `old`: the definition as it was."""
    names = " ".join(f"F({name})" for _, name, _ in struct.meant)
    old = old.replace(f"struct {struct.name} {{", f"struct {struct.name}_old {{")
    return (f"#define BRIDGE_CHANGED_{item}\n{old}#define FIELDS_{item}(F) {names}\n"
            f"BRIDGE_BY_FIELDS({item}, struct {struct.name}_old, struct {struct.name}, FIELDS_{item})\n")


def main(source, target):
    copy, shipped, other = target / "dataplane", "", ""
    shutil.copytree(source, copy, dirs_exist_ok=True)
    for header, name, item, size, words in CHANGED:
        struct = Struct((source / "abi" / header).read_text(), name)
        definition = struct.rearranged(words, size)
        (copy / "abi" / header).write_text(struct.with_other(definition, size))
        shipped += bridge_part(struct, item, struct.definition)
        other += bridge_part(struct, item, definition)
    version = copy / "abi" / "version.h"
    version.write_text(re.sub(r"(BNG_ABI_VERSION )(\d+)", lambda found: f"{found[1]}{int(found[2]) + 1}", version.read_text()))
    for path, text in ((copy / "bridge" / "shipped.h", shipped), (target / "bridge" / "other.h", other)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
