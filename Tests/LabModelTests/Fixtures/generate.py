#!/usr/bin/env python3
"""Asks the installed ansible-core what inventories, patterns and variable precedence mean, and writes the answers down.

Run it in this folder after changing an inventory or a pattern:  python3 generate.py
It writes expected/*.json and the files of precedence/. The tests compare labctl's model with them.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
INVENTORIES = {
    "yaml": ["inventories/yaml/lab.yml"],
    "ini": ["inventories/ranges.ini"],
    "folder": ["inventories/folder"],
    "several": ["inventories/yaml/lab.yml", "inventories/folder"],
    "list": ["h1,h2:2222,n1"],
}
PATTERNS = {
    "yaml": [
        "all", "*", "lab", "workers", "w1", "w*", "w[12]", "w?", "lab:!w2", "lab,!w2", "!w2", "&workers", "lab:&special",
        "workers[0]", "workers[-1]", "workers[0:1]", "workers[1:]", "lab[2]", "~w[13]", "~odd-.*-01", "w1,cp1,w1",
        "special:low", "ungrouped", "empty_group", "cp1:w*:!w3:&lab", "localhost", "odd-[!a]-01", "control_plane,w2",
        "all:!workers:!special", "cp1,lab", "*-01", "special[1:2],!odd-b-01",
    ],
    "ini": [
        "all", "db", "everything", "web", "db:&web", "replicas:primary", "*.example.com", "web0?.example.com", "n*",
        "web:!db", "db[0]", "~db-[ab]", "all[1:3]", "port.example.com", "stray",
    ],
    "folder": ["all", "lab", "other", "lab:&other", "lab:!a1"],
    "several": ["all", "lab", "lab:!workers"],
    "list": ["all", "h2", "n*"],
}


def ansible_environment():
    env = dict(os.environ, ANSIBLE_LOCALHOST_WARNING="False", ANSIBLE_DEPRECATION_WARNINGS="False",
               ANSIBLE_PYTHON_INTERPRETER=sys.executable)
    env.pop("ANSIBLE_CONFIG", None)
    return env


def inventories():
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    answers = {}
    for name, sources in INVENTORIES.items():
        command = ["ansible-inventory", "--list"]
        for source in sources:
            command += ["-i", source]
        out = subprocess.run(command, cwd=HERE, env=ansible_environment(), capture_output=True, text=True, check=True).stdout
        manager = InventoryManager(loader=DataLoader(), sources=sources)
        answers[name] = {
            "sources": sources,
            "list": json.loads(out),
            "groups": {g: [h.name for h in group.get_hosts()] for g, group in manager.groups.items()},
            "group_names": {
                h.name: sorted(g.name for g in h.groups if g.name != "all") for h in manager.get_hosts("all")
            },
            "patterns": {p: [h.name for h in manager.get_hosts(p)] for p in PATTERNS[name]},
        }
    write("expected/inventories.json", answers)


# Lowest precedence first, as Ansible's documentation has them; ansible-playbook's answer is what counts.
LEVELS = [
    "role_defaults", "inventory_all", "inventory_group", "inventory_group_vars_all", "playbook_group_vars_all",
    "inventory_group_vars", "playbook_group_vars", "inventory_host", "inventory_host_vars", "playbook_host_vars",
    "play_vars", "play_vars_files", "role_vars", "block_vars", "task_vars", "include_vars", "set_fact", "role_params",
    "include_params", "extra_vars",
]


def variables(level):
    result = {"own_" + level: level}
    for other in LEVELS:
        if other != level:
            a, b = sorted([LEVELS.index(level), LEVELS.index(other)])
            result["pair_%02d_%02d" % (a, b)] = level
    return result


def precedence():
    root = os.path.join(HERE, "precedence")
    shutil.rmtree(root, ignore_errors=True)
    v = {level: variables(level) for level in LEVELS}
    names = sorted({name for level in LEVELS for name in v[level]})
    write("precedence/inventory/hosts.yml", {"all": {"vars": v["inventory_all"], "children": {
        "web": {"vars": v["inventory_group"], "hosts": {"h1": dict(v["inventory_host"], ansible_connection="local")}}}}})
    write("precedence/inventory/group_vars/all.yml", v["inventory_group_vars_all"])
    write("precedence/inventory/group_vars/web.yml", v["inventory_group_vars"])
    write("precedence/inventory/host_vars/h1.yml", v["inventory_host_vars"])
    write("precedence/group_vars/all.yml", v["playbook_group_vars_all"])
    write("precedence/group_vars/web.yml", v["playbook_group_vars"])
    write("precedence/host_vars/h1.yml", v["playbook_host_vars"])
    write("precedence/files/vars_file.yml", v["play_vars_files"])
    write("precedence/files/include_vars.yml", v["include_vars"])
    write("precedence/files/extra.yml", v["extra_vars"])
    write("precedence/roles/r/defaults/main.yml", v["role_defaults"])
    write("precedence/roles/r/vars/main.yml", v["role_vars"])
    write("precedence/roles/r/tasks/main.yml", [
        {"name": "read", "include_vars": {"file": "{{ playbook_dir }}/files/include_vars.yml"}},
        {"name": "set", "set_fact": v["set_fact"]},
        {"name": "go on", "include_tasks": "inner.yml", "vars": v["include_params"]},
    ])
    content = {name: "{{ %s }}" % name for name in names}
    write("precedence/roles/r/tasks/inner.yml", [
        {"name": "block", "vars": v["block_vars"], "block": [
            {"name": "answer", "vars": v["task_vars"], "set_fact": {"answer": content}},
            {"name": "write", "copy": {"dest": "{{ lookup('env', 'ANSWER') }}", "content": "{{ answer | to_json }}"}}]}])
    write("precedence/play.yml", [{
        "name": "precedence", "hosts": "h1", "gather_facts": False, "vars": v["play_vars"],
        "vars_files": ["files/vars_file.yml"], "roles": [dict(v["role_params"], role="r")]}])
    with tempfile.TemporaryDirectory() as folder:
        answer = os.path.join(folder, "answer.json")
        subprocess.run(
            ["ansible-playbook", "-i", "inventory", "play.yml", "-e", "@files/extra.yml"], cwd=root,
            env=dict(ansible_environment(), ANSWER=answer), check=True, stdout=subprocess.DEVNULL)
        with open(answer) as file:
            write("expected/precedence.json", json.load(file))


def site():
    """The order in which tasks run, and the tags of each."""
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "site/site.yml"]
    env = ansible_environment()
    listed = subprocess.run(command + ["--list-tasks"], cwd=HERE, env=env, capture_output=True, text=True, check=True).stdout
    tags = []
    for line in listed.splitlines():
        if line.startswith("      ") and "\tTAGS: [" in line:
            name, names = line.strip().split("\tTAGS: [")
            tags.append({"name": name, "tags": sorted(names.rstrip("]").split(", "))})
    out = subprocess.run(
        command + ["-e", '{"a": true}'], cwd=HERE, env=env, capture_output=True, text=True, check=True).stdout
    order = [line[len("TASK ["):line.rindex("]")] for line in out.splitlines() if line.startswith("TASK [")]
    write("expected/site.json", {"order": order, "tags": tags})


def splitting():
    """How Ansible reads one-line arguments, host ranges and values of INI inventories."""
    from ansible._internal._datatag._tags import Origin
    from ansible.parsing.splitter import parse_kv
    from ansible.plugins.inventory import expand_hostname_range
    from ansible.plugins.inventory.ini import InventoryModule

    lines = [
        "src=a dest=b", "src=a dest='b c'", 'src="a b" mode=0644', "a=b=c", "msg={{ x }} y=1",
        "msg='{{ a }} {{ b }}' c=d", "msg={{ a | default('x y') }} z", "ls -l", "ls -l creates=/x",
        "echo a=b chdir=/tmp c", "echo 'a b'  \"c  d\"", "one\ntwo three\n", "creates='/a b' sh -c 'x y'",
        "a\\=b c=d", "x='it''s'", "text=a\\nb", "path=C:\\\\x", "a= b", "=x", "k='v\"w'", "list=[1, 2]",
        "{% if a %}b c{% endif %} d=e", "executable=/bin/bash echo x=y", "a=1 a=2", "uni=\\u00e9 hex=\\x41",
        'quoted="a\\"b"', "tail=x\\", "removes=/y", "stdin='a=b c' cat",
    ]
    ranges = [
        "w[1:3]", "w[01:03]", "w[a:c]", "[a:b][1:2]", "n[1:9:4]x", "n[:2]", "x-[08:10].lab", "y[A:C]", "z[y:B]", "p[0:0]",
    ]
    values = [
        "1", "-1", "+2", "0", "00", "0644", "1_000", "1__0", "0x1F", "0o17", "0b11", "1.5", ".5", "5.", "1e3", "1e-3",
        "-0.5", "'a'", '"a"', "'a' 'b'", "'a\\nb'", '"a\\tb"', "'\\x41'", "'\\u00e9'", "True", "true", "False", "None",
        "null", "yes", "[1, 2]", "[1, 'a', None]", "[]", "[1,]", "(1, 2)", "(1)", "(1,)", "()", "{'a': 1}", "{}",
        "{'a': [1, {'b': 2}]}", "{1}", "[1", "a b", "a=b", "'a", "1 2", "hello", "[a]", "1.2.3", "12:30", "0.14.9", "1,2",
        "~", "- 1", "--1", "1L", "nan", "Truex", "1 # c", "{{ x }}", "[{{ x }}]", "'it''s'", "'\\q'", "{'a': 1, 'a': 2}",
        "[1, [2, (3, 4)]]", "-", "'", "r'a\\b'", "b'a'", "f'a'", "1+1", "...",
    ]
    module = InventoryModule()
    module._origin = Origin(path="/x")
    write("expected/splitting.json", {
        "arguments": [{"text": t, "command": parse_kv(t, check_raw=True), "module": parse_kv(t)} for t in lines],
        "ranges": [{"text": r, "names": expand_hostname_range(r)} for r in ranges],
        "values": [{"text": v, "value": module._parse_value(v)} for v in values],
    })


def write(path, value):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    os.chdir(HERE)
    inventories()
    precedence()
    site()
    splitting()
    sys.exit(0)
