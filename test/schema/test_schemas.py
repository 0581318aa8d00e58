# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The machine-readable contracts are whole: valid JSON Schema and OpenRPC, every
# method of docs/protocol.md described, the documented configuration accepted.
import json
import re

import jsonschema
import pytest

import openrpc

PROTOCOL = (openrpc.SCHEMAS.parent / "docs" / "protocol.md").read_text()
HEADINGS = {"holder": "## holder.sock", "controld": "## control/controld.sock", "bngsync": "## control/bngsync.sock"}


def documented_methods(server):
    """The first column of the section's table of methods; other tables have other things."""
    section = PROTOCOL.split(HEADINGS[server])[1].split("\n## ")[0]
    (table,) = re.findall(r"^\| method \|.*\n(?:\|.*\n)+", section, re.MULTILINE)
    return set(re.findall(r"^\| `([a-z0-9_.]+)` \|", table, re.MULTILINE))


def every_schema(node):
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict):
            yield node["schema"]
        for value in node.values():
            yield from every_schema(value)
    elif isinstance(node, list):
        for value in node:
            yield from every_schema(value)


@pytest.mark.parametrize("server", openrpc.SERVERS)
def test_document_describes_what_the_protocol_lists(server):
    document = openrpc.Document(server)
    assert documented_methods(server)
    assert documented_methods(server) - set(document.methods) == set()
    assert document.root["openrpc"].startswith("1.") and document.root["info"]["title"]


@pytest.mark.parametrize("path", sorted(openrpc.SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_no_member_is_written_twice(path):
    """A reader of JSON would take the last one, and not say so."""
    def members(pairs):
        assert len(dict(pairs)) == len(pairs), [name for name, _ in pairs]
        return dict(pairs)
    json.loads(path.read_text(), object_pairs_hook=members)


@pytest.mark.parametrize("server", openrpc.SERVERS)
def test_schemas_are_valid_and_say_something(server):
    document = openrpc.Document(server)
    for schema in [*every_schema(document.root["methods"]), *document.root.get("components", {}).get("schemas", {}).values()]:
        jsonschema.Draft7Validator.check_schema(schema)
    for method in document.methods.values():
        assert method["result"]["schema"], f"{method['name']}: an empty schema accepts anything"


def test_documented_configuration_is_valid():
    schema = json.loads((openrpc.SCHEMAS / "config.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    example = json.loads(re.search(r"```json\n(.*?)```", PROTOCOL.split("## Configuration")[1], re.DOTALL).group(1))
    jsonschema.Draft7Validator(schema).validate(example)
    example["cgnat"]["hold_down"] = 1
    assert list(jsonschema.Draft7Validator(schema).iter_errors(example)) != []
