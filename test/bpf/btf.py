# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# BTF to ctypes: the structs of an object file as Structures whose offsets and
# sizes are checked against the BTF, and its enumerators as a dictionary.
import ctypes
import json
import pathlib
import subprocess

TRANSPARENT = {"TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"}


class Btf:
    def __init__(self, path):
        if not pathlib.Path(path).exists():
            raise FileNotFoundError(f"{path} is not there: build first (ninja), or set BNG_BUILD to the build folder")
        dump = subprocess.run(["bpftool", "-j", "btf", "dump", "file", str(path)], check=True, capture_output=True)
        self.types = {entry["id"]: entry for entry in json.loads(dump.stdout)["types"]}
        self.structs = {}
        self.enums = {}
        for entry in self.types.values():
            if entry["kind"] == "STRUCT" and entry["name"].startswith("bng_"):
                self._struct(entry)
            if entry["kind"] == "ENUM":
                self.enums[entry["name"]] = {value["name"]: value["val"] for value in entry["values"]}

    def _integer(self, entry):
        signed = "SIGNED" in entry.get("encoding", "")
        return {(1, False): ctypes.c_uint8, (2, False): ctypes.c_uint16, (4, False): ctypes.c_uint32,
                (8, False): ctypes.c_uint64, (4, True): ctypes.c_int32, (8, True): ctypes.c_int64}[
                    entry["size"], signed]

    def _ctype(self, number):
        entry = self.types[number]
        while entry["kind"] in TRANSPARENT:
            entry = self.types[entry["type_id"]]
        if entry["kind"] == "INT":
            return self._integer(entry)
        if entry["kind"] == "ENUM":
            return ctypes.c_uint32
        if entry["kind"] == "ARRAY":
            return self._ctype(entry["type_id"]) * entry["nr_elems"]
        if entry["kind"] == "STRUCT":
            return self._struct(entry)
        raise TypeError(f"BTF kind {entry['kind']} has no place in a map")

    def _struct(self, entry):
        name = entry["name"]
        if name not in self.structs:
            fields = [(member["name"], self._ctype(member["type_id"])) for member in entry["members"]]
            built = type(name, (ctypes.Structure,), {"_fields_": fields})
            assert ctypes.sizeof(built) == entry["size"], name
            for member in entry["members"]:
                offset = getattr(built, member["name"]).offset
                assert offset * 8 == member["bits_offset"], f"{name}.{member['name']}"
            self.structs[name] = built
        return self.structs[name]

    def layout(self, name):
        """Flat list of (field, offset, size), to compare two objects."""
        built = self.structs[name]
        return [(field, getattr(built, field).offset, getattr(built, field).size) for field, _ in built._fields_]
