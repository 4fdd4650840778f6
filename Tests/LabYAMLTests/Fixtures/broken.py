#!/usr/bin/env python3
"""Writes docs/yaml-errors.md: what labctl, Ansible and kubectl say about the files in `broken/`, side by side.

    python3 broken.py > ../../../docs/yaml-errors.md

Needs `ansible-playbook` and `kubectl`. What labctl says is read from `broken/*.txt`, which the tests hold to the truth.
Manifests (they begin with `apiVersion`) are shown to kubectl, all others to `ansible-playbook --syntax-check`.
"""
import os
import pathlib
import re
import subprocess

FOLDER = pathlib.Path(__file__).with_name("broken")


def run(*command):
    environment = dict(os.environ, ANSIBLE_NOCOLOR="1", ANSIBLE_LOCALHOST_WARNING="False", ANSIBLE_INVENTORY_UNPARSED_WARNING="False", COLUMNS="200")
    result = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, env=environment)
    text = (result.stdout + result.stderr).replace(str(FOLDER) + "/", "").rstrip()
    text = re.sub(r"Use --syntax-check .*", "", text)
    return text, result.returncode


def main():
    print("# What labctl says about broken YAML")
    print()
    print("The files are in [Tests/LabYAMLTests/Fixtures/broken](../Tests/LabYAMLTests/Fixtures/broken). This page is written by")
    print("`Tests/LabYAMLTests/Fixtures/broken.py`; the tests hold labctl to its part of it.")
    ansible = subprocess.run(["ansible-playbook", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    kubectl = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True).stdout.split("\n")[0]
    print(f"The others are `{ansible}` and kubectl ({kubectl}).")
    for path in sorted(FOLDER.glob("*.yml")):
        text = path.read_text()
        print(f"\n## {path.stem[3:].replace('-', ' ')}\n")
        print("```yaml\n" + text.rstrip("\n") + "\n```\n")
        print("labctl:\n\n```text\n" + path.with_suffix(".txt").read_text().rstrip("\n") + "\n```\n")
        if text.startswith("apiVersion"):
            output, status = run("kubectl", "annotate", "--local", "-o", "json", "-f", path.name, "x=y")
            name = "kubectl"
        else:
            output, status = run("ansible-playbook", "--syntax-check", "-i", "localhost,", path.name)
            name = "ansible-playbook --syntax-check"
        verdict = "" if status else " (no complaint)"
        print(f"{name}{verdict}:\n\n```text\n{output}\n```")


main()
