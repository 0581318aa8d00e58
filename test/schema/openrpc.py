# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Reads schemas/<server>.openrpc.json: what each method takes, gives and sends.
import functools
import json
import pathlib

import jsonschema

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
SERVERS = ("holder", "controld", "bngsync")
ERROR = {
    "type": "object", "required": ["code", "message"], "additionalProperties": False,
    "properties": {"code": {"type": "integer"}, "message": {"type": "string", "minLength": 1}, "data": {}},
}


def load(server):
    return json.loads((SCHEMAS / f"{server}.openrpc.json").read_text())


class Document:
    def __init__(self, server):
        self.root = load(server)
        self.components = {}
        self.methods = {method["name"]: method for method in self.root["methods"]}
        self.validators = {}

    def whole(self, node):
        """A schema with what it refers to in its place: a reference is looked up once, not for each value."""
        if isinstance(node, list):
            return [self.whole(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        if "$ref" not in node:
            return {name: self.whole(entry) for name, entry in node.items()}
        found = self.components.get(node["$ref"])
        if found is None:  # filled in afterwards: it may refer to itself
            found = self.components[node["$ref"]] = {}
            found.update(self.whole(self.resolve(node)))
        return found

    def _validator(self, schema):
        key = id(schema)
        if key not in self.validators:  # the schema is kept, so that its id stays its own
            self.validators[key] = (schema, jsonschema.Draft7Validator(self.whole(schema)))
        return self.validators[key][1]

    @functools.cache
    def params_schema(self, method):
        params = [self.resolve(param) for param in self.methods[method]["params"]]
        return {
            "type": "object", "additionalProperties": False,
            "properties": {param["name"]: param["schema"] for param in params},
            "required": [param["name"] for param in params if param.get("required")],
        }

    def resolve(self, node):
        while "$ref" in node:
            target = self.root
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def errors_of_request(self, request):
        return self.errors_of(self.params_schema(request["method"]), request.get("params", {}))

    def errors_of_result(self, method, result):
        return self.errors_of(self.resolve(self.methods[method]["result"])["schema"], result)

    def errors_of(self, schema, value):
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
                for error in self._validator(schema).iter_errors(value)]


def errors_of_exchange(document, request, reply):
    """What is wrong with one request and its reply, as a list of texts."""
    method = request.get("method")
    if "error" in reply:
        return [error.message for error in jsonschema.Draft7Validator(ERROR).iter_errors(reply["error"])]
    if method not in document.methods:
        return [f"{method} was answered but is not described"]
    errors = [f"{method} params {error}" for error in document.errors_of_request(request)]
    return errors + [f"{method} result {error}" for error in document.errors_of_result(method, reply.get("result"))]
