"""Whether objects of Kubernetes (YAML on standard input) are what a version of it knows: kubernetes-validate's schemas, strictly, and for
kinds of others the CustomResourceDefinitions in the files named. A line for each fault; a last one counts the objects by kind.

    python validate_manifests.py 1.27 [crd.yaml…] < manifests.yaml
"""

import collections
import sys

import jsonschema
import kubernetes_validate
import yaml


def closed(schema):
    """A CRD's schema as JSON Schema: fields that it does not name are faults, as `kubectl apply` with strict validation has it."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: closed(each) for name, each in schema.items() if name not in ("description", "format", "default")}
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if "properties" in schema:
        # Names of fields may be words of JSON Schema: they are kept as they are.
        result["properties"] = {name: closed(each) for name, each in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            result.setdefault("additionalProperties", False)
    return result


def read_definitions(paths):
    found = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for definition in yaml.safe_load_all(file):
                spec = definition["spec"]
                for version in spec["versions"]:
                    kind = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    found[kind] = closed(version["schema"]["openAPIV3Schema"])
    return found


def faults_of(item, version, definitions):
    known = definitions.get((item["apiVersion"], item["kind"]))
    if known is not None:
        item = {**item, "metadata": {}}
        for error in jsonschema.Draft202012Validator(known).iter_errors(item):
            yield f"{error.json_path}: {error.message}"
        return
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield error.message


def main(version, *paths):
    definitions, kinds, faults = read_definitions(paths), collections.Counter(), 0
    for item in yaml.safe_load_all(sys.stdin):
        if item is None:
            continue
        kinds[item["kind"]] += 1
        for fault in faults_of(item, version, definitions):
            faults += 1
            print(f"{item['kind']} {item['metadata']['name']}: {fault}")
    print(*(f"{kind}={count}" for kind, count in sorted(kinds.items())))
    sys.exit(1 if faults else 0)


main(*sys.argv[1:])
