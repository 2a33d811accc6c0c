"""Checks answers of the Engine API against Docker's own OpenAPI document."""
import functools
import json
import pathlib
import re

import jsonschema
import yaml

DOCUMENT = pathlib.Path(__file__).resolve().with_name("v1.51.yaml")


# Answers that are bytes of a process, archives, or lines of progress that the document has no schema for.
STREAMS = ("/images/create", "/images/load", "/images/get", "/images/{name}/get", "/containers/{id}/logs", "/containers/{id}/attach", "/exec/{id}/start")

# What Docker answers and its document does not say: such an answer has the form of every other error.
UNDOCUMENTED = {
    ("POST", "/containers/{id}/start", 400),  # the command cannot be executed
    ("GET", "/images/get", 404), ("GET", "/images/{name}/get", 404),  # there is no such image
    ("POST", "/images/load", 400),  # what was sent is no archive of images
    ("GET", "/images/{name}/json", 400),  # manifests and a platform
    ("POST", "/images/prune", 400),  # a filter that is none
    ("GET", "/containers/{id}/top", 409),  # of a container that does not run
    ("GET", "/containers/{id}/logs", 501),  # without a log
    ("POST", "/commit", 400),  # a change that is none, a name that no layer can have
}


@functools.lru_cache(None)
def document():
    with open(DOCUMENT) as file:
        found = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    # It asks for a member that it does not have, and that Docker does not send.
    data = found["definitions"]["ImageManifestSummary"]["properties"]["ImageData"]
    assert "UnpackedSize" not in data["properties"]
    data["required"].remove("UnpackedSize")
    return found


def nullable(schema):
    """Swagger 2.0 says x-nullable; JSON Schema says a list of types. A Go server writes null for an empty list or map too."""
    if isinstance(schema, list):
        return [nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: nullable(value) for key, value in schema.items() if key not in ("example", "examples", "format")}
    kind = result.get("type")
    if isinstance(kind, str) and (schema.get("x-nullable") or schema.get("x-omitempty") or kind in ("array", "object")):
        result["type"] = [kind, "null"]
        if "enum" in result:
            result["enum"] = result["enum"] + [None]
    if schema.get("x-nullable") and "$ref" in result:
        result = {"anyOf": [result, {"type": "null"}]}
    return result


@functools.lru_cache(None)
def routes():
    found = []
    for path, methods in document()["paths"].items():
        pattern = re.compile("^(?:/v[0-9.]+)?" + re.sub(r"\{name\}", "(?:.+)", re.sub(r"\{(?!name)[a-z]+\}", "[^/]+", path)) + "$")
        for method, operation in methods.items():
            if method in ("get", "post", "put", "delete", "head"):
                found.append((method.upper(), pattern, path, operation))
    # A longer template is the more particular one: /containers/json before /containers/{id}.
    return sorted(found, key=lambda route: -len(re.sub(r"\{[a-z]+\}", "", route[2])))


# What Docker writes as null and its document does not say.
NULL = {"/exec/{id}/json": ["ExitCode"]}  # while it runs


@functools.lru_cache(None)
def validator(path, method, status):
    operation = document()["paths"][path][method.lower()]
    responses = operation["responses"]
    response = responses.get(str(status), responses.get(status))
    if response is None:
        raise AssertionError(f"{method} {path} answered {status}, which the specification does not have")
    schema = response.get("schema")
    if schema is None:
        return None
    whole = dict(nullable(schema))
    for name in NULL.get(path, []):
        whole["properties"][name] = {"anyOf": [whole["properties"][name], {"type": "null"}]}
    whole["definitions"] = nullable(document()["definitions"])
    return jsonschema.Draft4Validator(whole)


def check(method, target, status, body):
    """Raises AssertionError if the answer is not one that the document allows. Returns the path's template."""
    path = target.split("?")[0]
    if "/berth/v1/" in path:
        return None  # not Docker's: tests of their own look at what these answer
    for route_method, pattern, template, _ in routes():
        if route_method == method and pattern.match(path):
            break
    else:
        raise AssertionError(f"{method} {path} is not in the specification")
    if status == 101 or (status < 400 and template in STREAMS):
        return template
    if (method, template, status) in UNDOCUMENTED:
        status = 500
    against = validator(template, method, status)
    if against is None or not body:
        return template
    try:
        values = [json.loads(body)]
    except ValueError:
        # A stream of JSON values, one a line (events, progress).
        values = [json.loads(line) for line in body.decode().splitlines() if line.strip()]
    for value in values:
        for problem in against.iter_errors(value):
            raise AssertionError(f"{method} {path} {status}: {'/'.join(map(str, problem.absolute_path))}: {problem.message[:400]}")
    return template
