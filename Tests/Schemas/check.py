"""Reads {"schema": …, "value": …} and writes the list of what the value says that its schema does not allow."""
import json
import pathlib
import sys
import urllib.parse

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Interop"))
import openapi  # noqa: E402


def from_file(name):
    """A schema of the OCI's, with the files beside it that it names. Their `id`s are addresses of the net: taken out, nothing is fetched."""
    path = HERE / name

    def without_ids(value):
        if isinstance(value, dict):
            return {key: without_ids(item) for key, item in value.items() if not (key == "id" and isinstance(item, str) and item.startswith("http"))}
        return [without_ids(item) for item in value] if isinstance(value, list) else value

    def load(uri):
        parts = urllib.parse.urlparse(uri)
        if parts.scheme != "file":
            raise AssertionError(f"{uri} is not beside the tests")
        return without_ids(json.loads(pathlib.Path(parts.path).read_text()))

    resolver = jsonschema.RefResolver(path.as_uri(), load(path.as_uri()), handlers={"file": load})
    return jsonschema.Draft4Validator({"$ref": path.as_uri()}, resolver=resolver)


def strict(schema, definitions, beside):
    """Closes every object that lists its members: `allOf` is merged, and what is not listed is refused."""
    if isinstance(schema, list):
        return [strict(item, definitions, beside) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema:
        merged = {key: value for key, value in schema.items() if key not in ("allOf", "properties")}
        properties = dict(schema.get("properties", {}))
        for part in schema["allOf"]:
            while "$ref" in part:
                part = definitions[part["$ref"].rsplit("/", 1)[1]]
            if "allOf" in part:
                part = strict_merge(part, definitions)
            properties.update(part.get("properties", {}))
            for key, value in part.items():
                merged.setdefault(key, value)
        merged["properties"] = properties
        schema = merged
    result = {key: strict(value, definitions, beside) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        result["additionalProperties"] = False
        for name in beside:
            result["properties"].setdefault(name, {})
    return result


def strict_merge(schema, definitions):
    properties = dict(schema.get("properties", {}))
    for part in schema["allOf"]:
        while "$ref" in part:
            part = definitions[part["$ref"].rsplit("/", 1)[1]]
        properties.update((strict_merge(part, definitions) if "allOf" in part else part).get("properties", {}))
    return {"type": "object", "properties": properties}


def titled(value):
    """The schemas that the document has at its paths alone, by their titles."""
    if isinstance(value, dict):
        if isinstance(value.get("schema"), dict) and "title" in value["schema"]:
            yield value["schema"]["title"], value["schema"]
        for item in value.values():
            yield from titled(item)
    elif isinstance(value, list):
        for item in value:
            yield from titled(item)


def from_document(name, beside):
    definitions = {**dict(titled(openapi.document()["paths"])), **openapi.document()["definitions"]}
    if name not in definitions:
        raise AssertionError(f"the document has no {name}")
    closed = openapi.nullable({key: strict(value, definitions, beside) for key, value in definitions.items()})
    return jsonschema.Draft4Validator({"$ref": f"#/definitions/{name}", "definitions": closed})


def main():
    asked = json.load(sys.stdin)
    schema = asked["schema"]
    validator = from_file(schema["file"]) if "file" in schema else from_document(schema["definition"], schema["beside"])
    found = [f"{'/'.join(map(str, problem.absolute_path))}: {problem.message[:300]}" for problem in validator.iter_errors(asked["value"])]
    json.dump(found, sys.stdout)


main()
