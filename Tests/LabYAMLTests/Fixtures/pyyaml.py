#!/usr/bin/env python3
"""Writes pyyaml.json: what the real PyYAML makes of scalars and documents, as the tests of the `ansible` schema expect it.

    pip install PyYAML==6.0.3 && python3 pyyaml.py > pyyaml.json

    python3 pyyaml.py --fuzz SEED COUNT FILE... > table.json      # mutations of files; LABCTL_PYYAML_TABLE=table.json swift test

The loader is `CSafeLoader` (libyaml), which Ansible uses where it is compiled in. Every value is written with its type:
{"int": "420"}, {"float": "0.5"}, {"str": "x"}, {"bool": true}, {"null": true}, {"list": [...]}, {"map": [[key, value], ...]},
{"date": "text as written"}; what PyYAML refuses is {"error": "its message"}.
"""
import base64
import datetime
import itertools
import json
import random
import sys

import yaml


class Loader(yaml.CSafeLoader):
    """PyYAML's, but dates stay the text that was written: labctl has no type for them."""


class Date(str):
    pass


class Binary(str):
    pass


Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: Date(loader.construct_scalar(node)))


def typed(value):
    if value is None:
        return {"null": True}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, Date):
        return {"date": str(value)}
    if isinstance(value, bytes):
        return {"binary": base64.b64encode(value).decode()}
    if isinstance(value, str):
        return {"str": value}
    if isinstance(value, (list, tuple)):
        return {"list": [typed(item) for item in value]}
    if isinstance(value, set):
        return {"set": [typed(key) for key in sorted(value, key=str)]}
    if isinstance(value, dict):
        return {"map": [[typed(key), typed(item)] for key, item in value.items()]}
    raise TypeError(type(value))


def entry(text):
    try:
        return {"yaml": text, "documents": [typed(value) for value in yaml.load_all(text, Loader=Loader)]}
    except RecursionError:
        return {"yaml": text, "error": "a value that holds itself"}
    except Exception as error:
        return {"yaml": text, "error": type(error).__name__ + ": " + " ".join(str(error).split())[:200]}


WORDS = """
yes Yes YES yEs no No NO nO true True TRUE tRUE false False FALSE on On ON oN off Off OFF y Y n N t f T F
null Null NULL nULL ~ ~~ none None nil NaN nan inf Infinity undefined = == << <<< < > >> ? - -- --- ... . .. _ __
hello yesterday nowhere onion offline truest nullify .hidden ./path ../path /abs a-b a_b a:b :a a# a#b #a
""".split()

NUMBERS = """
0 00 000 -0 +0 1 -1 +1 01 07 08 09 010 0644 0777 0888 -0644 +0644 00644 1234567890 0_644 06_44 0644_ _0644
1_000 1_000_000 1__0 1_ _1 +1_000 -1_000 12e3 1e3 1E3 1e+3 1e-3 1.e3 1.e+3 1.0e3 1.0e+3 1.0E+3 1.0e-3 -1.0e+3 1.5e+300 1.5e+400
0.0 -0.0 +0.0 0. 1. 1.5 -1.5 +1.5 .5 -.5 +.5 .5e+3 .5e3 ._5 .5_0 1_0.5 1.5_0 1_000.5_0 1._5 0.1 0.30000000000000004 1.7976931348623157e+308
685.230_15e+03 685_230.15 190:20:30.15 190:20:30 1:30 1:3 1:60 1:59 1:5:9 1:05:09 01:30 0:30 00:30 -1:30 +1:30 1:30: :30 1: 1:30.5 1:30. 0:30.5 01:30.5 1_0:30
12:30:45 23:59 22:22 56:10 192.168.56.10 192.168.56.200-192.168.56.250 1.2.3 0.14.9 v0.14.9 10.0.0.0/8 1.2.3.4:80 ::1 fe80::1 00:1a:2b:3c:4d:5e 08:00:27:00:00:01
0x0 0x1F 0X1F 0xff 0xFF 0xfg 0x -0x1F +0x1F 0x1_F 0x_1 0x_ 0o0 0o17 0O17 0o8 -0o17 0b0 0b101 0B101 0b102 0b -0b101 +0b11 0b1_0 0b_ 0b_1
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615 123456789012345678901234567890 0xFFFFFFFFFFFFFFFF 0xFFFFFFFFFFFFFFFFF 07777777777777777777777
.inf .Inf .INF -.inf -.Inf -.INF +.inf +.Inf +.INF .nan .NaN .NAN -.nan .iNF inf -inf +inf .Nan
1e 1e+ e3 1.5e 1.5e+ 1.5.5 1..5 1,000 1,5 $1 1% 1k 1Mi 100m 0.5Gi 5s 10m 1h30m +  ++1 --1 +-1 -+1 1-1 1+1 1/2 1*2
2001-12-14 2001-1-1 2001-1-14 01-12-14 2001-12-14t21:59:43.10-05:00 2001-12-14T21:59:43Z 2001-12-14T21:59:43.5+01 2001-12-14T21:59:60Z
20011214 2001-12 2001-12-14-15 2001-12-14T 2001-12-14T21 2001-12-14T1:02:03 1999-00-00 2001/12/14 12.14.2001 -2001-12-14
""".split()

MORE = [
    "2001-12-14 21:59:43.10 -5", "2001-12-14 21:59:43", "2001-12-14  21:59:43Z", "1 2", "1 : 2", "a b", "yes no", "0 0", "a\tb",
    "é", "naïve: x", "日本語", "\U0001f600", "a\u00a0b", "'yes'", '"yes"', "'0644'", '"0644"', "'null'", '""', "''", "'~'", "'<<'",
    "'it''s'", '"a\\tb"', '"\\x41\\u00e9\\U0001F600"', '"\\/"', '"a\\\n  b"', "'a\n  b'", '"a\n\n  b"', "a\n  b", "a\n\n  b",
    "!!str yes", "!!str 0644", "!!str", "!!str null", "!!int '12'", '!!int "0644"', "!!int 1_000", "!!int 0x1F", "!!int '1:30'",
    "!!float 1", "!!float '1.5'", "!!float 1e3", "!!float .inf", "!!float 1:30", "!!bool yes", "!!bool 'on'", "!!null x", "!!null ''",
    "!!null", "! 12", "! yes", "! a", "!!seq [1]", "!!map {a: 1}", "!!binary aGVsbG8=", "!!timestamp 2001-12-14", "!!set {a, b}",
    "!!omap [a: 1, b: 2]", "!!pairs [a: 1, a: 2]", "[yes, 0644, 1_000, 1:30, ~, <<]", "{yes: no, 0644: 1, 1.5: x, ~: y}",
    "[a, b: c, ? d : e, {f: g}]", "{a, b: , c: d}", "{a: b,}", "[a,]", "[]", "{}", "[a\n, b]", "{'a':b}", '{"a":1}', "[a:b]", "{a:b}",
    "[a#b]", "[a #b\n]", "*unknown", "&a b", "&a", "[&a b, *a]", "|\n  a\n  b\n", ">\n  a\n  b\n", "|-\n  a\n", "|+\n  a\n\n", ">-\n  a\n\n  b\n",
    ">\n  a\n   b\n  c\n", "|2\n   a\n", "|\n\n  a\n", "|\n  a\n \n  b\n", ">2-\n   a\n", "|  # comment\n  a\n", "| \n  a", "|\n  a", "|-\n  a", "|+\n  a",
    ">\n  a", ">+\n  a\n\n", "|\n", "|+\n\n", "-", "- ", "a # comment", "a #comment", "a# comment", "'a' # comment", '"a"#comment', "[a]#comment",
]

DOCUMENTS = [
    "", "\n", "# only a comment\n", "---\n", "---\n---\n", "---\n...\n", "...\n", "--- a\n--- b\n", "a\n...\nb\n", "a\n---\nb\n...\n---\nc\n",
    "%YAML 1.1\n---\na\n", "%YAML 1.2\n---\nyes\n", "%TAG !e! tag:example.com,2000:\n---\na\n", "\ufeffa: 1\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2\r",
    "a: b\n", "a:\n", "a: \n", "a:\nb:\n", "a: ~\n", "a:   b   \n", "a :  b\n", "'a': b\n", '"a": b\n', "a b: c d\n", "a: b: c\n", "a: 'b': c\n",
    "yes: 1\nno: 2\n", "2: a\n1.5: b\ntrue: c\nnull: d\n", "0644: a\n", "? a\n: b\n", "? a\n", "? - a\n: b\n", "? [a, b]\n: c\n", "{a: 1}: b\n", "[a]: b\n", ": a\n",
    "a:\n  b: 1\n  c: 2\nd: 3\n", "a:\n    b: 1\n    c:\n       d: 2\n", "a:\n- 1\n- 2\nb: 3\n", "a:\n  - 1\n  - 2\nb: 3\n", "- a\n- b\n", "- a: 1\n  b: 2\n- c: 3\n",
    "-   a: 1\n    b: 2\n", "- - a\n  - b\n- - c\n", "-\n  a: 1\n-\n  - b\n", "- a\n-\n- b\n", "a:\n- - 1\n  - 2\n- 3\n", "a: [1,\n  2,\n 3]\n", "a: [\n  1\n]\nb: 2\n", "a: {\n  b: 1\n}\nc: 2\n",
    "a: [1,\n2]\n", "a: \"b\nc\"\n", "a: 'b\nc'\nd: e\n", "a: b\n  c\nd: e\n", "a:\n  b\n  c\n", "a: b\n c\n", "a: b #c\n# d\ne: f\n", "a: b\n   # c\nd: e\n", "  a: 1\n  b: 2\n", "a: 1\n\n\nb: 2\n",
    "a: |\n  x\n  y\nb: >\n  x\n  y\n", "a: |\n    x\n      y\n    z\n", "a: |+\n  x\n\nb: 1\n", "a: |-\n  x\n\n\nb: 1\n", "- |\n x\n- >\n y\n", "a: >\n\n  x\n\n\n  y\n   z\n\n  w\n", "a: |1\n  x\n", "a: |\n\n\nb: 1\n", "a: |\n  # no comment\n  x\n# comment\nb: 1\n",
    "base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3\n", "base: &b {x: 1, y: 2}\nd:\n  y: 3\n  <<: *b\n", "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n", "a: &a {x: 1}\nb:\n  <<: *a\n  <<: {y: 2}\n",
    "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\n", "a: {<<: {x: 1, y: 2}, x: 3}\n", "a: {<<: [{x: 1}, {x: 2}, {w: 5}]}\n", "a: {<<: []}\n", "a: {<<: x}\n", "a: {<<: [x]}\n", "a: {<<: ~}\n", "a: {'<<': {x: 1}}\n", "<<: {a: 1}\nb: 2\n", "- <<\n", "a: <<\n",
    "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "a: &x\n  - 1\nb: *x\n", "&x a: *x\n", "a: &x !!str 1\nb: !!str &y 2\n", "- &a a\n- *a\n", "a: *b\n", "*a: b\n", "&a a: 1\n*a : 2\n",
    "a: {{ x }}\n", "a: \"{{ x }}\"\n", "a: x {{ y }}\n", "a: %x\n", "a: @x\n", "a: `x`\n", "a: !x y\n", "a: - b\n", "a: ? b\n", "a: |x\n  y\n", "a: >x\n  y\n", "a: &\n", "a: *\n", "a: ,\n", "a: ]\n", "a: }\n", "a: #b\n", "a: 'b\n", "a: \"b\n", "a: [b\n", "a: {b\n",
    "a:\tb\n", "a: \tb\n", "\ta: b\n", "a:\n\tb: c\n", "a:\n  b: c\n\td: e\n", "a: b\t\n", "a: b\t# c\n", "- \ta\n", "-\ta\n", "a:\n  - b\n -c\n", "a:\n   b: 1\n  c: 2\n", "a: 1\n b: 2\n", "a: 1\n- b\n", "- a\nb: 1\n", "a\nb: 1\n", "a:1\n", "a:1\nb:2\n", "a:1\nb: 2\n",
    "a: 1\na: 2\n", "{a: 1, a: 2}\n", "a: 1\n'a': 2\n", "a: {b: 1}\na: {c: 2}\n", "1: a\n'1': b\n", "yes: a\ntrue: b\n",
    "- name: Install MetalLB\n  become: false\n  command: >\n    kubectl apply --server-side --force-conflicts -f\n    https://x/v{{ metallb_version }}/config/manifests/metallb-native.yaml\n  environment:\n    KUBECONFIG: /home/vagrant/.kube/config\n",
    "- hosts: all\n  gather_facts: no\n  vars:\n    mode: 0644\n    version: 0.14.9\n    port: 8080\n    time: 12:30\n    list: [a, b]\n  tasks:\n    - file: path=/tmp/x mode=0755 state=directory\n      when: x is defined and y == 'z'\n      tags: [a, b]\n",
    "- shell: |\n    set -e\n    if true; then\n      echo hi\n    fi\n  args:\n    chdir: /tmp\n    creates: /tmp/x\n", "a: foo\\bar\n", "a: \"foo\\\\bar\"\n", "a: \"\\.\"\n", "a: 'foo\\bar'\n", "a: C:\\x\n", "url: http://x/y?z=1&w=2#f\n", "t: a:b:c\n", "e: ''\nf: \"\"\n", "a: ' b '\n", "a: -1\nb: - 1\n", "a: -b\n", "a: ?b\n", "a: :b\n", "a: b:\n", "a: b :c\n", "a: [b :c]\n", "[?x]\n", "[:x]\n", "[a, :b, 'c':d, *e :f]\n", "{ :x }\n", "{!!str :x, &a :y}\n", "[-]\n", "[-, - ]\n", "&a:b c\n", ">\n#  x\n", "a:\n|\n  b\n", "- >\n    \n  # c\n", "a: {b :c}\n", "k: [a, 'b', \"c\", 1, 1.5, yes, null, ~]\n",
    "a: \"x\\\n   y\"\n", "a: \"x  \n   y\"\n", "a: \"x\\n\n   y\"\n", "a: 'x\n\n\n  y'\n", "a: x\n\n\n  y\nb: z\n", "a: \u2028b\n", "a: x\u0085y\n", "a: x\u2028y\n",
    "--- |\n  a\n", "--- >\n  a\n  b\n", "--- a: b\n", "--- - a\n", "--- {a: b}\n", "--- [a]\n--- [b]\n", "--- !!map\na: b\n", "--- &x\na: b\n", "--- 'a\n  b'\n", "--- # c\na: b\n", "---a\n", "--- a\n  b\n", "---\na: b\n---\nc: d\n", "a: b\n--- \n", "a: b\n...\n# c\n", "a: b\n... # c\n", "a: b\n...x\n",
]


PIECES = """: |- |: |, |[|]|{|}|#| #|\n|\n  |\n    |  | |'|"|''|\\|&a |*a|!x |!!str |<<: *a|? |- |-|---\n|...\n||-\n|>\n|>+|%|@|`|\t|~|yes|0644|1:30|a|key: value|- item|{{ x }}|é|=|.|_""".split("|")


def mutate(random, texts):
    text = random.choice(texts)
    if len(text) > 600:
        start = random.randrange(len(text) - 400)
        text = text[text.find("\n", start) + 1:start + 400]
    for _ in range(random.choice([0, 1, 1, 1, 2, 3, 5])):
        at = random.randrange(len(text) + 1)
        kind = random.randrange(5)
        if kind < 2:
            text = text[:at] + random.choice(PIECES) + text[at:]
        elif kind == 2:
            text = text[:at] + text[at + random.choice([1, 1, 2, 5]):]
        elif kind == 3:
            other = random.choice(texts)
            start = random.randrange(len(other) + 1)
            text = text[:at] + other[start:start + random.randrange(30)] + text[at:]
        else:
            lines = text.split("\n")
            line = random.randrange(len(lines))
            lines[line] = random.choice(["  " + lines[line], lines[line][1:], lines[line].lstrip(), lines[line] + " " + lines[line]])
            text = "\n".join(lines)
    return text


def fuzz(seed, count, paths):
    generator = random.Random(seed)
    texts = [open(path, encoding="utf-8", errors="ignore", newline="").read() for path in paths] + DOCUMENTS + MORE
    texts = [text for text in texts if "\0" not in text]
    entries = []
    for _ in range(count):
        text = mutate(generator, texts)
        if not any(character in text for character in "\u0085\u2028\u2029"):
            entries.append(entry(text))
    json.dump({"entries": entries}, sys.stdout)


def main():
    scalars = list(dict.fromkeys(WORDS + NUMBERS + MORE))
    entries = [entry(text) for text in scalars]
    # The same scalars as the items of a list, the values of a map, its keys, and inside of brackets.
    for text in WORDS + NUMBERS:
        entries.append(entry(f"- {text}\n"))
        entries.append(entry(f"key: {text}\nnext: 1\n"))
    for text in NUMBERS[::7] + WORDS[::5]:
        entries.append(entry(f"{text}: value\n"))
        entries.append(entry(f"[{text}, {text}]\n"))
    # Every number with every sign and a few ends.
    for sign, body, end in itertools.product(["", "-", "+"], ["0", "7", "08", "1_0", "1:2", "1.5", ".5", "1e5", "0x1", "0b1", "0o7"], ["", "_", ".", ":", "e+1", ":1", ".1"]):
        entries.append(entry(f"[{sign}{body}{end}]"))
    entries += [entry(text) for text in DOCUMENTS]
    unique = list({item["yaml"]: item for item in entries}.values())
    json.dump({"PyYAML": yaml.__version__, "libyaml": yaml.__with_libyaml__, "entries": unique}, sys.stdout, ensure_ascii=True, indent=0)
    print()


if sys.argv[1:2] == ["--fuzz"]:
    fuzz(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
elif not sys.argv[1:]:
    main()
