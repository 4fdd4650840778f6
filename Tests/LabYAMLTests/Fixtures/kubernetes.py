#!/usr/bin/env python3
"""Writes kubernetes.json: what the real kubectl makes of scalars and documents, for the tests of the `kubernetes` schema.

    python3 kubernetes.py > kubernetes.json

`kubectl annotate --local` reads a manifest as `apply` does (sigs.k8s.io/yaml to JSON) and prints it as JSON without asking a
server. Each text stands as the value of `spec`; an entry is {"yaml": text, "json": value} or {"yaml": text, "error": message}.
"""
import concurrent.futures
import importlib.util
import io
import json
import pathlib
import subprocess
import sys

TEXTS = """
spec: {y: n}
spec: {Y: N, no: 1}
spec: {on: off}
spec: {yes: no}
spec: {1000000.0: a, 999999.0: b, 1e20: c, 1e21: d}
spec: [1e15, 1e17, 1.2345678901234567e17, 9007199254740993.0, 1e18, 9223372036854775807.0, 9.3e18, 1e20, 1e21, 123456789.0, -1e19]
spec: {1: a}
spec: {1.5: a}
spec: {1e3: a}
spec: {1e22: a}
spec: {1000000.5: a}
spec: {0.1: a}
spec: {0.00001: a}
spec: {16777217: a, 16777217.5: b}
spec: {123456789.5: a}
spec: {-0.0: a}
spec: {0x10: a, 0b11: b, 0o17: c, 016: d}
spec: {~: a}
spec: {2001-12-14: a}
spec: {? [a] : b}
spec: {"1": a}
spec: {'yes': a}
spec: {.inf: a}
""".strip().split("\n")

DOCUMENTS = [
    "a: &s {x: 1}\nspec:\n  x: 3\n  <<: *s\n", "a: &s {x: 1}\nspec:\n  <<: *s\n  x: 3\n", "a: &s {x: 1}\nb: &t {x: 2, y: 3}\nspec:\n  <<: [*s, *t]\n",
    "spec: {<<: 1}\n", "spec: {<<: [1]}\n", "spec: {'<<': {a: 1}}\n", "spec:\n- a\n- b\n", "spec: [\n  a\n]\n", "spec: {\n  a: 1\n}\n", "spec: \"a\nb\"\n",
    "spec: |\n  a\n  b\n", "spec: >-\n  a\n  b\n", "spec: |\n  a", "spec: *x\n", "spec: &x [*x]\n", "spec: a: b\n", "spec:\n\ta: b\n", "spec: 'a'#c\n", "spec: {a: {b: }}\n",
    "spec: {{ x }}\n", "spec: !foo 5\n", "spec: !foo [5]\n", "spec: ! 5\n", "spec: !!int abc\n", "spec: !!bool 1\n", "spec: !!float 5\n", "spec: !!null ''\n", "spec: [?x]\n", "spec: [-]\n",
]


def run(text):
    manifest = "apiVersion: v1\nkind: X\nmetadata: {name: a}\n" + text
    result = subprocess.run(["kubectl", "annotate", "--local", "-o", "json", "-f", "-", "z=1"], input=manifest.encode(), capture_output=True)
    if result.returncode != 0:
        return {"yaml": text, "error": result.stderr.decode(errors="replace").strip()[:200]}
    return {"yaml": text, "json": json.loads(result.stdout)["spec"] if "spec" in json.loads(result.stdout) else None}


def pyyaml_table():
    """The words and numbers of pyyaml.py, without running it."""
    path = pathlib.Path(__file__).with_name("pyyaml.py")
    spec = importlib.util.spec_from_file_location("pyyaml", path)
    module = importlib.util.module_from_spec(spec)
    arguments, sys.argv = sys.argv, ["pyyaml.py", "--none"]
    spec.loader.exec_module(module)
    sys.argv = arguments
    return module


def main():
    module = pyyaml_table()
    scalars = list(dict.fromkeys(module.WORDS + module.NUMBERS))
    texts = [f"spec: {scalar}\n" for scalar in scalars] + [text + "\n" for text in TEXTS] + DOCUMENTS
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        entries = list(pool.map(run, texts))
    version = subprocess.run(["kubectl", "version", "--client"], capture_output=True).stdout.decode().split("\n")[0]
    json.dump({"kubectl": version, "entries": entries}, sys.stdout, ensure_ascii=True, indent=0)
    print()


main()
