#!/usr/bin/env python3
"""Writes templates.json: what the installed ansible-core and jinja2 make of several hundred templates.

Each case is [kind, template, result] or [kind, template] for an error. Kinds: "string" is a string of a YAML file,
"file" a template file (escapes in strings), "lstrip" a file with lstrip_blocks, "notrim" a string with trim_blocks off,
"expression" a bare expression, "condition" a `when`.

    python3 generate.py > templates.json
"""
import json
import sys
import warnings

from ansible._internal._templating._engine import TemplateOptions
from ansible._internal._templating._jinja_bits import TemplateOverrides
from ansible._internal._templating._engine import TemplateEngine
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template
from ansible.utils.display import Display
import ansible
import jinja2

VARIABLES = {
    "n": 7, "neg": -7, "f": 2.5, "zero": 0, "t": True, "no": False, "nothing": None,
    "s": "hello world", "empty": "", "uni": "Größe ☕ ß", "quote": "it's", "both": "it's \"so\"", "lines": "one\ntwo\n\nfour\n",
    "num": "42", "ws": "  pad\t\n", "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "nested": [[1, 2], [3, [4, None]], 5],
    "mixed": [1, "a", 2.5, None, True], "el": [], "ed": {}, "d": {"b": 2, "a": 1, "C": 3},
    "deep": {"x": {"y": [{"z": "found"}]}, "items": "shadowed", "key with space": 1},
    "users": [
        {"name": "ada", "age": 36, "admin": True, "tags": ["x", "y"], "address": {"city": "London"}},
        {"name": "Bob", "age": 25, "admin": False, "tags": [], "address": {"city": "berlin"}},
        {"name": "cy", "age": 36, "tags": ["y"], "address": {"city": "Berlin"}},
    ],
    "a1": {"k": {"p": 1, "q": 2}, "l": [1, 2], "only": 1}, "a2": {"k": {"q": 3, "r": 4}, "l": [2, 3]},
    "ok": {"changed": False, "rc": 0}, "bad": {"failed": True, "changed": True}, "skip": {"skipped": True},
    "looped": {"results": [{"changed": False}, {"changed": True}]},
    "path": "/etc/ansible/hosts.d/main.tar.gz", "url": "http://user:pw@www.acme.com:9000/dir/index.html?q=a+b#frag",
    "b": "aGVsbG8=", "json": "{\"a\": [1, 2.0, null], \"b\": \"x\"}", "ver": "1.10.2", "big": 12345678901234567,
    "ints": [1, 2, 3, 4, 5, 6, 7], "floats": [0.1, 1e16, 1e-5, 1.0, 100.0, 123456789.123, 1e22, 3.14159],
}

STRINGS = r"""
plain
{{ n }}
{{ f }}
{{ t }}
{{ nothing }}
{{ s }}
{{ l }}
{{ d }}
{{ ed }}
{{ n }}{{ f }}
{{ n }} {{ t }} {{ nothing }} {{ f }}
x{{ nothing }}y
{{ '' }}{{ n }}
{{ nothing }}{{ n }}
 {{ n }}
{{ l }}{{ '' }}
{{ mixed }} as text
{{ d }} as text
{{ quote }}|{{ [quote] }}|{{ [both] }}
{{ [uni, '☕', 'a\tb'] }} x
{{ floats }} x
{{ floats | map('string') | list }}
{{ big }} {{ big * 2 }}
{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }}
{{ 7 / 2 }}
{{ 6 / 2 }}
{{ 2 ** 10 }}
{{ 2 ** -1 }}
{{ 2 ** 3 ** 2 }}
{{ -2 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }}
{{ 1e3 }} {{ 1.5e-7 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1 // 0 }}
{{ 'a' + 'b' }}
{{ 'a' ~ 1 ~ none ~ true ~ 2.0 }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'ab' * 3 }}
{{ [1] * 2 + [3] }}
{{ (1, 2) + (3,) }}
{{ 'a' 'b' }}
{{ "%s-%05.1f-%d-%x" % ('x', 2.25, 42, 255) }}
{{ "%(a)s %(b)d" % {'a': 1, 'b': 2} }}
{{ "%d%%" % 5 }}
{{ "%s" % [1, 2] }}
{{ "%5s|%-5s|%+d|% d|%05d|%.3s|%e|%g" % ('a', 'b', 3, 4, -42, 'abcdef', 12345.678, 0.00001234) }}
{{ "%r %s" % ('x', 'y') }}
{{ "%d" % 'x' }}
{{ "%s %s" % 'x' }}
{{ "%i" % 3.9 }}
{{ "%#x %o %c" % (255, 8, 'z') }}
{{ true + 1 }}
{{ true == 1 }} {{ 1 == 1.0 }} {{ 'a' == 1 }} {{ none == false }} {{ [1] == [1.0] }} {{ (1,) == [1] }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 3 > 2 >= 2 }}
{{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ [1, 2] < [1, 3] }} {{ [1] < [1, 0] }}
{{ 1 < 'a' }}
{{ 'a' >= 1 }}
{{ none < 1 }}
{{ [1] < 'a' }}
{{ 1 in l }} {{ 9 in l }} {{ 9 not in l }} {{ 'ell' in s }} {{ 'a' in d }} {{ 'z' in d }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ not n }} {{ not '' }} {{ not [] }} {{ not {} }} {{ not 0.0 }}
{{ n and s }}
{{ zero and s }}
{{ zero or s }}
{{ empty or el or 'last' }}
{{ n == 7 and not no or false }}
{{ 'yes' if t else 'no' }}
{{ 'yes' if no else 'no' }}
{{ 'a' if no else 'b' if no else 'c' }}
{{ 'x' if no }}
{{ ('x' if no) | default('fallback') }}
{{ -n }} {{ +n }} {{ -f }} {{ - -n }}
{{ -'a' }}
{{ missing }}
{{ missing.attribute }}
{{ missing | default('d') }}
{{ missing.a.b.c | default('d') }}
{{ missing['a'][0] | default('d') }}
{{ d.missing | default('d') }}
{{ d.missing.more | default('d') }}
{{ missing | upper | default('d') }}
{{ nothing | default('d') }}
{{ nothing | default('d', true) }}
{{ empty | default('d', true) }}
{{ empty | default('d', boolean=true) }}
{{ zero | d(5, true) }}
{{ missing | d }}
{{ missing | default(omit) }}
{{ missing is defined }} {{ n is defined }} {{ d.zzz is defined }} {{ missing is undefined }} {{ missing.x is not defined }}
{{ missing == 1 }}
{{ missing + 1 }}
{{ not missing }}
{{ [missing] }}
{{ [missing, 1] | length }}
{{ missing ~ 'x' }}
{{ missing in l }}
{{ l in missing }}
{{ missing or 'x' }}
{{ missing | mandatory }}
{{ n | mandatory }}
{{ l[0] }} {{ l[-1] }} {{ l.0 }}
{{ l[9] }}
{{ l[9] | default('none') }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[:5] }} {{ s[-5:] }} {{ s[::2] }}
{{ ints[1:3] }} {{ ints[::2] }} {{ ints[::-1] }} {{ ints[-2:] }} {{ ints[:-2] }} {{ ints[5:1:-2] }}
{{ ints[1:3] }}
{{ d['a'] }} {{ d.a }} {{ deep['key with space'] }}
{{ deep.x.y[0].z }}
{{ deep.x.y.0.z }}
{{ deep['items'] }}
{{ deep.items() | list | length }}
{{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 5) }}
{{ d.keys() | list }}
{{ d.keys() }}
{{ d.values() | list }}
{{ d.items() | list }}
{{ d.items() }}
{{ d.items() | list }} t
{{ d.items() | string }}
{{ (1, 'a') }}
{{ (1, 'a') }} t
{{ (1, 'a') | string }}
{{ (1,) ~ '' }}
{{ () ~ '' }}
{{ {'a': 1, 'b': [1, 2]} }}
{{ {'a': (1, 2)} }} t
{{ {1: 'x', true: 'y'} }}
{{ {1: 'x'}[1] }} {{ {1: 'x'}[1.0] }} {{ {'1': 'x'}.get(1) }}
{{ {n: s}[7] }}
{{ [1, [2, 'x'], {'k': none}] }}
{{ [1, 2,] }}
{{ [] }} {{ {} }}
{{ s.upper() }} {{ s.title() }} {{ s.capitalize() }} {{ s.swapcase() }}
{{ 'Hello'.lower() }} {{ 'ß'.upper() }} {{ "they're bill's".title() }}
{{ s.split() }}
{{ s.split('o') }}
{{ s.split('l', 1) }}
{{ s.rsplit('l', 1) }}
{{ 'a,b,,c'.split(',') }}
{{ '  a  b  '.split() }}
{{ '  a  b  c '.split(none, 1) }}
{{ '  a  b  c '.rsplit(none, 1) }}
{{ ws.strip() }}|{{ ws.lstrip() }}|{{ ws.rstrip() }}|
{{ 'xxaxx'.strip('x') }} {{ 'xyaxy'.lstrip('yx') }} {{ 'file.txt'.rstrip('.txt') }}
{{ s.startswith('he') }} {{ s.endswith('ld') }} {{ s.startswith(('x', 'h')) }} {{ s.startswith('w', 6) }}
{{ s.replace('o', '0') }} {{ s.replace('o', '0', 1) }} {{ 'abc'.replace('', '-') }}
{{ ','.join(words) }}
{{ ','.join(l) }}
{{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('z') }} {{ s.find('o', 5) }} {{ s.index('w') }} {{ s.count('l') }} {{ s.count('') }}
{{ s.index('z') }}
{{ lines.splitlines() }}
{{ lines.splitlines(true) }}
{{ 'a\r\nb\rc'.splitlines() }}
{{ '12'.isdigit() }} {{ '1a'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ 'Ab'.islower() }} {{ 'AB1'.isupper() }} {{ '½'.isnumeric() }} {{ '²'.isdigit() }} {{ '²'.isdecimal() }}
{{ 'a'.center(5) }}|{{ 'ab'.center(5) }}|{{ 'a'.center(4, '*') }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '.') }}|{{ '-4'.zfill(5) }}|{{ '4'.zfill(3) }}
{{ 'a-b-c'.partition('-') }} t
{{ 'a-b-c'.rpartition('-') }} t
{{ 'abc'.partition('-') | list }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.yml'.removesuffix('.yml') }}
{{ 'a\tb'.expandtabs(4) }}
{{ '{} {}'.format('a', 1) }} {{ '{1} {0}'.format('a', 'b') }} {{ '{x}'.format(x=5) }}
{{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{:#x}|{:b}|{:+}|{:e}|{:%}'.format('a', 'b', 'c', 42, 3.14159, 1234567, 255, 255, 5, 3, 12345.6789, 0.25) }}
{{ '{0[a]} {1[0]} {{x}}'.format(d, l) }}
{{ '{!r:>5}'.format('a') }}
{{ '{}'.format() }}
{{ l.index(2) }} {{ l.count(1) }}
{{ l.index(99) }}
{{ l.append(4) }}{{ l }}
{% set x = [] %}{% set _ = x.append(1) %}{% set _ = x.extend([2, 3]) %}{{ x }}
{% set x = [1, 2, 3] %}{% set y = x.pop() %}{{ x }}{{ y }}{{ x.pop(0) }}{{ x }}
{% set x = [3, 1, 2] %}{% set _ = x.sort() %}{{ x }}{% set _ = x.reverse() %}{{ x }}{% set _ = x.insert(1, 9) %}{{ x }}{% set _ = x.remove(9) %}{{ x }}
{% set x = {} %}{% set _ = x.update({'a': 1}) %}{% set _ = x.update(b=2) %}{{ x }}{{ x.pop('a') }}{{ x }}{{ x.setdefault('c', 3) }}{{ x }}
{% set x = {'a': {'b': []}} %}{% set _ = x.a.b.append(1) %}{{ x }}
{{ l.copy() }}
{{ s.nosuch }}
{{ s.nosuch() }}
{{ n() }}
{{ s() }}
{{ s.upper }}
{{ range(3) }}
{{ range(3) | list }}
{{ range(1, 10, 3) | list }} {{ range(5, 0, -2) | list }}
{{ range(3) | map('string') | list }}
{{ range(1000000000) | first }}
{{ dict(a=1, b=2) }}
{{ dict([['a', 1], ['b', 2]]) }}
{{ dict([('a', 1)], b=2) }}
{{ dict(['a', 'b'] | zip([1, 2])) }}
{% if n %}yes{% endif %}
{% if no %}yes{% endif %}
{% if no %}a{% elif t %}b{% else %}c{% endif %}
{% if no %}a{% elif no %}b{% else %}c{% endif %}
{% if n == 7 %}{{ n }}{% endif %}
{% if n == 7 %} {{ n }}{% endif %}
{% for i in l %}{{ i }}{% endfor %}
{% for i in [5] %}{{ i }}{% endfor %}
{% for i in l %}{{ i }},{% endfor %}
{% for i in el %}x{% else %}none{% endfor %}
{% for i in el %}x{% endfor %}
{% for i in l if i > 1 %}{{ loop.index }}:{{ i }} {% endfor %}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }} {% endfor %}
{% for k in d %}{{ k }} {% endfor %}
{% for c in 'abc' %}{{ c }}.{% endfor %}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }} {% endfor %}
{% for a, b in [(1, 2, 3)] %}x{% endfor %}
{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}
{% for x in l %}{{ loop.previtem | default('-') }}{{ loop.nextitem | default('-') }} {% endfor %}
{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}<{{ loop(x) }}>{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}
{% for u in users %}{% for t in u.tags %}{{ u.name }}{{ t }}{{ loop.index }} {% endfor %}{% endfor %}
{% set x = 0 %}{% for i in l %}{% set x = x + i %}{% endfor %}{{ x }}
{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set x = 1, 2 %}{{ x }}
{% set x %}a{{ n }}b{% endset %}{{ x }}
{% set x %}{{ n }}{% endset %}{{ x }}
{% set x | upper %}abc{% endset %}{{ x }}
{% set x = 5 %}
{% set x = 5 %}{{ x }}
{% with x = 1, y = 2 %}{{ x }}{{ y }}{% endwith %}
{% with x = n %}{% set n = 9 %}{{ x }}{{ n }}{% endwith %}{{ n }}
{% filter upper %}abc{{ s }}{% endfilter %}
{% filter replace('a', 'b') | upper %}banana{% endfilter %}
{% raw %}{{ n }} {% if %}{% endraw %}
{% raw -%}  {{ n }}  {%- endraw %} x
{# comment #}
a{# comment #}b
a {#- comment -#} b
{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(a=4, b=5) }}
{% macro m() %}{{ n }}{% endmacro %}{{ m() }}
{% macro m() %}{% endmacro %}{{ m() }}
{% macro m(a) %}{{ a | default('none') }}{% endmacro %}{{ m() }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}
{% macro m(a) %}x{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}x{% endmacro %}{{ m(b=2) }}
{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}
{% macro m() %}[{{ caller(5) }}]{% endmacro %}{% call(x) m() %}in{{ x }}{% endcall %}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}
{% block b %}x{{ n }}{% endblock %}
{% print n %}
{%- if t -%}  a  {%- endif -%}
a {%- if t %} b {% endif -%} c
a {{- n -}} b
{{ n }}{{ n }}
{% if t %}{% for i in l %}{{ i }}{% endfor %}{% endif %}
{% include 'x' %}
{% extends 'x' %}
{% do x %}
{% unknown %}
{% if t %}
{% endif %}
{% for x in %}{% endfor %}
{{ n
{{ n }
{{ }}
{{ n n }}
{{ (n }}
{{ n) }}
{{ [1, 2 }}
{{ 'abc }}
{{ n | }}
{{ n | nosuchfilter }}
{{ n is nosuchtest }}
{{ n ! }}
{{ n.  }}
{{ f(a=1, 2) }}
{{ {'a' 1} }}
{% set %}
{% set x y %}
{# open
{% raw %} open
{{ s | upper }} {{ s | lower }} {{ s | title }} {{ s | capitalize }}
{{ "foo-bar (baz) it's" | title }}
{{ ws | trim }}|{{ 'xxa' | trim('x') }}
{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }}
{{ n | string }}
{{ 5 | upper }}
{{ none | upper }}
{{ s | split }} {{ s | split('o') }}
{{ 'a,b' | split(',') }}
{{ 5 | split }}
{{ l | join }} {{ l | join(',') }} {{ users | join(',', attribute='name') }} {{ 'abc' | join('-') }}
{{ l | length }} {{ s | count }} {{ d | length }} {{ uni | length }}
{{ 5 | length }}
{{ l | first }} {{ l | last }} {{ s | first }} {{ s | last }} {{ d | first }}
{{ el | first }}
{{ el | first | default('e') }}
{{ l | min }} {{ l | max }} {{ words | min }} {{ words | max }} {{ words | max(case_sensitive=true) }}
{{ users | min(attribute='age') }}
{{ el | max | default('none') }}
{{ l | sum }} {{ users | sum(attribute='age') }} {{ l | sum(start=10) }} {{ floats | sum }}
{{ words | sum }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ words | sort }} {{ words | sort(case_sensitive=true) }}
{{ users | sort(attribute='age') | map(attribute='name') | list }}
{{ users | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }}
{{ users | sort(attribute='address.city') | map(attribute='name') | list }}
{{ mixed | sort }}
{{ d | sort }}
{{ l | reverse }}
{{ l | reverse | list }} {{ s | reverse }}
{{ 'abc' | list }} {{ d | list }} {{ (1, 2) | list }}
{{ 5 | list }}
{{ users | map(attribute='name') }}
{{ users | map(attribute='name') | join(',') }}
{{ users | map(attribute='admin', default='?') | list }}
{{ users | map(attribute='admin') | list }}
{{ users | map(attribute='address.city') | list }}
{{ users | map(attribute='tags.0', default='-') | list }}
{{ words | map('upper') | list }} {{ words | map('replace', 'a', 'x') | list }}
{{ words | map('nosuch') | list }}
{{ l | map('pow', 2) | list }}
{{ ints | select('odd') | list }} {{ ints | reject('odd') | list }} {{ ints | select('divisibleby', 3) | list }} {{ ints | select('>', 5) | list }} {{ mixed | select | list }}
{{ ints | select('in', [1, 2]) | list }}
{{ users | selectattr('admin', 'defined') | selectattr('admin') | map(attribute='name') | list }}
{{ users | selectattr('age', '==', 36) | map(attribute='name') | list }} {{ users | rejectattr('age', 'eq', 36) | map(attribute='name') | list }}
{{ users | selectattr('name', 'match', '^[a-c]') | map(attribute='name') | list }}
{{ users | selectattr('tags', 'contains', 'y') | map(attribute='name') | list }}
{{ users | selectattr('nosuch') | list }}
{{ users | groupby('age') }}
{% for g in users | groupby('age') %}{{ g.grouper }}:{{ g.list | length }} {% endfor %}
{% for k, v in users | groupby('address.city') %}{{ k }}:{{ v | map(attribute='name') | join(',') }} {% endfor %}
{{ ints | batch(3) | list }} {{ ints | batch(3, 0) | list }} {{ ints | slice(3) | list }} {{ ints | slice(3, 'x') | list }}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(by='value') }} {{ d | dictsort(reverse=true) }}
{{ d | dict2items }}
{{ d | dict2items(key_name='k', value_name='v') }}
{{ d | dict2items | items2dict }}
{{ [{'k': 'a', 'v': 1}] | items2dict(key_name='k', value_name='v') }}
{{ l | dict2items }}
{{ [1] | items2dict }}
{{ a1 | combine(a2) }}
{{ a1 | combine(a2, recursive=true) }}
{{ a1 | combine(a2, recursive=true, list_merge='append') }}
{{ a1 | combine(a2, list_merge='prepend') }}
{{ a1 | combine(a2, list_merge='append_rp') }}
{{ a1 | combine(a2, list_merge='prepend_rp') }}
{{ a1 | combine(a2, list_merge='keep') }}
{{ [a1, a2] | combine }}
{{ {'a': 1} | combine({'b': 2}, {'a': 3, 'c': 4}) }}
{{ {} | combine({'b': 2}) }}
{{ a1 | combine(l) }}
{{ a1 | combine(a2, foo=1) }}
{{ nested | flatten }} {{ nested | flatten(1) }} {{ nested | flatten(levels=1, skip_nulls=false) }} {{ nested | flatten(skip_nulls=false) }}
{{ l | zip(words) | list }} {{ l | zip(words) }}
{{ l | zip(words, ints) | map('join') | list }}
{{ l | zip_longest(words, fillvalue='-') | list }}
{{ [1, 2] | product(['a', 'b']) | list }} {{ [0, 1] | product(repeat=2) | list }}
{{ [1, 2, 3] | permutations(2) | list | length }} {{ [1, 2, 3] | combinations(2) | list }}
{{ [1, 2, 1, 3] | unique }} {{ ['a', 'A', 'b'] | unique }} {{ ['a', 'A'] | unique(case_sensitive=true) }} {{ users | unique(attribute='age') | map(attribute='name') | list }}
{{ [1, 2] | union([2, 3]) | sort }} {{ [1, 2] | intersect([2, 3]) }} {{ [1, 2] | difference([2, 3]) }} {{ [1, 2] | symmetric_difference([2, 3]) | sort }}
{{ [{'a': 1}] | union([{'a': 1}, {'b': 2}]) }} {{ [{'a': 1}, {'b': 2}] | difference([{'a': 1}]) }}
{{ d | to_json }}
{{ deep | to_json }}
{{ mixed | to_json }} {{ uni | to_json }} {{ uni | to_json(ensure_ascii=false) }} {{ floats | to_json }}
{{ d | to_json(sort_keys=true) }} {{ d | to_json(indent=2) }}
{{ d | to_nice_json }}
{{ deep | to_nice_json(indent=2) }}
{{ [] | to_nice_json }} {{ {} | to_nice_json }} {{ 'a' | to_nice_json }}
{{ "a\"b\\c/\n" | to_json }}
{{ json | from_json }}
{{ (json | from_json).a[1] }}
{{ 'x' | from_json }}
{{ '<a href="x">&' | tojson }} {{ d | tojson }}
{{ s | regex_search('w(or)') }} {{ s | regex_search('w(or)(l)', '\1', '\2') }} {{ s | regex_search('(?P<x>w)', '\g<x>') }}
{{ s | regex_search('zzz') }}
{{ s | regex_search('WORLD', ignorecase=true) }} {{ lines | regex_search('^two$', multiline=true) }}
{{ s | regex_replace('o', '0') }} {{ s | regex_replace('(\w+) (\w+)', '\2 \1') }} {{ s | regex_replace('^', '> ') }} {{ s | regex_replace('o', '0', count=1) }}
{{ 'aaa' | regex_replace('a*', 'x') }} {{ 'abc' | regex_replace('', '-') }} {{ 'abc' | regex_replace('x*', '-') }}
{{ 'foo.bar' | regex_replace('\.', '-') }} {{ 'foobar' | regex_replace('(?<=foo)bar', 'X') }} {{ 'a1b22' | regex_replace('\d+', '#') }} {{ 'ab' | regex_replace('(?P<l>.)(.)', '\g<2>\g<l>') }}
{{ 'ABC' | regex_replace('b', 'x', ignorecase=true) }} {{ 'a\nb' | regex_replace('$', '!', multiline=true) }}
{{ 'price: 12 and 30' | regex_findall('\d+') }} {{ 'a=1,b=2' | regex_findall('(\w)=(\d)') }} {{ 'a=1,b=2' | regex_findall('(\w)=') }}
{{ '^f.*o(.*)$' | regex_escape }} {{ 'a-b c#d' | regex_escape }} {{ '^f.*o(.*)$' | regex_escape('posix_basic') }}
{{ s | regex_replace('(', 'x') }}
{{ s | regex_replace('[', 'x') }}
{{ s | regex_replace('*', 'x') }}
{{ 'x' | regex_replace('x', '\9') }}
{{ 'hello' | b64encode }} {{ b | b64decode }} {{ uni | b64encode }} {{ uni | b64encode | b64decode }} {{ 'a' | b64encode }} {{ 'ab' | b64encode }} {{ '>>>???' | b64encode(urlsafe=true) }}
{{ 'hi' | b64encode(encoding='utf-16-le') }} {{ 'aABpAA==' | b64decode(encoding='utf-16-le') }}
{{ 'a' | b64decode }}
{{ s | quote }} {{ 'safe-1.0/x' | quote }} {{ quote | quote }} {{ '' | quote }} {{ none | quote }} {{ 5 | quote }}
{{ path | basename }} {{ path | dirname }} {{ path | splitext }} {{ '/' | basename }} {{ 'x' | dirname }} {{ '/a/b/' | basename }} {{ '/a/b/' | dirname }} {{ '//a' | dirname }} {{ '.bashrc' | splitext }}
{{ ['/a', 'b', '/c', 'd'] | path_join }} {{ ['a', 'b/'] | path_join }} {{ 'x' | path_join }} {{ ['a', ''] | path_join }}
{{ '/a/./b/../c//d' | normpath }} {{ '../x/..' | normpath }} {{ '' | normpath }} {{ '/a/b/c' | relpath('/a/d') }} {{ ['/usr/lib', '/usr/local/lib'] | commonpath }}
{{ 'C:\\dir\\file.txt' | win_basename }} {{ 'C:\\dir\\file.txt' | win_dirname }} {{ 'C:\\dir' | win_splitdrive }}
{{ t | ternary('y', 'n') }} {{ no | ternary('y', 'n') }} {{ nothing | ternary('y', 'n', 'z') }} {{ nothing | ternary('y', 'n') }}
{{ n | type_debug }} {{ s | type_debug }} {{ l | type_debug }} {{ d | type_debug }} {{ f | type_debug }} {{ t | type_debug }} {{ nothing | type_debug }}
{{ url | urlsplit }}
{{ url | urlsplit('hostname') }} {{ url | urlsplit('port') }} {{ 'a/b' | urlsplit('scheme') }} {{ 'http://[::1]:80/x' | urlsplit('hostname') }}
{{ 'a b/c?d=é' | urlencode }} {{ {'a': 'x y', 'b': 1} | urlencode }} {{ [['a', '/']] | urlencode }} {{ 'a%20b+c' | urldecode }}
{{ lines | indent }}
{{ lines | indent(2, true) }}|{{ lines | indent(2, first=true, blank=true) }}|{{ 'a\nb' | indent('> ') }}
{{ "foo bar baz qux quux" | truncate(9) }} {{ "foo bar baz qux quux" | truncate(9, true) }} {{ "foo bar baz qux" | truncate(11) }} {{ "foo bar baz qux" | truncate(11, false, '..', 0) }}
{{ "the quick brown fox jumps over the lazy dog" | wordwrap(10) }}
{{ "a verylongwordindeed b" | wordwrap(8) }}
{{ "well-known hyphen-ated words-and more" | wordwrap(10) }} {{ "verylongword x" | wordwrap(5, false) }} {{ "a b c" | wordwrap(2, wrapstring='|') }}
{{ 'a' | center(5) }}| {{ s | wordcount }}
{{ "%s %d" | format('a', 5) }} {{ "%(x)s" | format(x=1) }}
{{ 2.567 | round }} {{ 2.567 | round(2) }} {{ 2.567 | round(1, 'floor') }} {{ 2.1 | round(0, 'ceil') }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 0.125 | round(2) }} {{ 2.675 | round(2) }} {{ 7 | round }} {{ 1234 | round(-2) }} {{ 1234.5 | round(-2) }} {{ -2.5 | round }}
{{ -5 | abs }} {{ -5.5 | abs }} {{ neg | abs }}
{{ '42' | int }} {{ '42.7' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ '0x1A' | int(base=16) }} {{ '1A' | int(0, 16) }} {{ 3.9 | int }} {{ true | int }} {{ none | int }} {{ ' 7 ' | int }} {{ '1_000' | int }} {{ '-5' | int }} {{ '1e3' | int }}
{{ '4.5' | float }} {{ 'x' | float }} {{ 'x' | float(1.5) }} {{ 3 | float }} {{ '1e3' | float }} {{ '.5' | float }} {{ '5.' | float }} {{ ' 2 ' | float }}
{{ 'yes' | bool }} {{ 'no' | bool }} {{ 'True' | bool }} {{ 'off' | bool }} {{ 1 | bool }} {{ 0 | bool }} {{ true | bool }} {{ 'on' | bool }}
{{ 100 | log }} {{ 100 | log(10) }} {{ 2 | pow(3) }} {{ 9 | root }} {{ 27 | root(3) }}
{{ 1024 | human_readable }} {{ 1048576 | human_readable }} {{ 1500 | human_readable(true) }} {{ 123456789 | human_readable(unit='K') }} {{ 10 | human_readable }} {{ '10M' | human_to_bytes }} {{ '1.5 GB' | human_to_bytes }} {{ '7' | human_to_bytes }} {{ 1000 | filesizeformat }} {{ 1500000 | filesizeformat(true) }}
{{ 'x' | human_to_bytes }}
{{ 'text' | comment }}
{{ 'a\nb' | comment('c') }}
{{ 'text' | comment('cblock') }}
{{ 'text' | comment('xml') }}
{{ 'text' | comment('plain', prefix='#######\n#', postfix='#\n#######', decoration='; ') }}
{{ 'text' | comment(beginning='<<', end='>>', prefix_count=2) }}
{{ 'x' | comment('nosuch') }}
{{ users | subelements('tags') | map('last') | list }}
{{ users | subelements('nosuch', skip_missing=true) }}
{{ users | subelements('nosuch') }}
{{ 'a' | extract(d) }} {{ ['a', 'b'] | map('extract', d) | list }} {{ 'x' | extract(deep, ['y', 0, 'z']) }} {{ 0 | extract(l) }}
{{ [{'k': 'a', 'v': 1}, {'k': 'b', 'v': 2}] | rekey_on_member('k') }}
{{ '<b>x</b> &amp; <!-- c --> y' | striptags }} {{ '<a>&"' | escape }} {{ '<a>' | e }} {{ '<a>' | safe }}
{{ {'a': 1, 'b': none, 'c': '<'} | xmlattr }}
{{ d | items | list }}
{{ s | ansible.builtin.upper }} {{ [1, 1] | ansible.builtin.unique }}
{{ d | community.general.json_query('x') }}
{{ '%Y-%m-%d' | strftime(0, true) }} {{ '%H:%M' | strftime(3600, utc=true) }}
{{ n is odd }} {{ n is even }} {{ n is divisibleby 7 }} {{ n is divisibleby(3) }}
{{ n is integer }} {{ f is float }} {{ t is integer }} {{ t is boolean }} {{ t is number }} {{ n is number }} {{ s is number }} {{ n is float }}
{{ s is string }} {{ l is string }} {{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ s is sequence }} {{ n is sequence }} {{ l is iterable }} {{ n is iterable }} {{ d is iterable }} {{ d is sequence }}
{{ nothing is none }} {{ n is none }} {{ n is not none }} {{ t is true }} {{ no is false }} {{ 1 is true }}
{{ n is sameas 7 }} {{ t is sameas true }} {{ n is eq 7 }} {{ n is equalto(7) }} {{ n is ne 8 }} {{ n is lt 8 }} {{ n is le 7 }} {{ n is gt 6 }} {{ n is ge 7 }} {{ n is greaterthan 9 }}
{{ 1 is in l }} {{ l is contains(1) }} {{ 1 is not in l }} {{ 'a' is in d }}
{{ s is match('hel') }} {{ s is match('ello') }} {{ s is search('ello') }} {{ s is regex('^h.*d$') }} {{ s is match('HEL', ignorecase=true) }} {{ s is regex('wor', match_type='match') }}
{{ 5 is match('5') }}
{{ ver is version('1.9', '>') }} {{ ver is version('1.10.2') }} {{ ver is version('1.10.2', 'ge') }} {{ ver is version('2', '<') }} {{ '1.0a' is version('1.0b', 'lt') }} {{ '1.2.3' is version('1.2.3-rc.1', 'gt', version_type='semver') }} {{ '1.2' is version('1.2.0', 'eq', strict=true) }} {{ '1.0rc1' is version('1.0', '<', version_type='pep440') }}
{{ ver is version('1.0', 'nosuch') }}
{{ ver is ansible.builtin.version('1.0', '>=') }} {{ ver is version_compare('1.0', '>=') }}
{{ '1.0.0-alpha' is version('1.0.0', '<', version_type='semver') }} {{ '1.0.0-alpha.1' is version('1.0.0-alpha.beta', '<', version_type='semver') }} {{ '1.0.0+build' is version('1.0.0', '==', version_type='semver') }}
{{ '1.0.dev1' is version('1.0a1', '<', version_type='pep440') }} {{ '1.0.post1' is version('1.0', '>', version_type='pep440') }} {{ '1!1.0' is version('2.0', '>', version_type='pep440') }} {{ 'v1.29.3' is version('v1.30', '<') }}
{{ [1, 2] is subset([1, 2, 3]) }} {{ [1, 2, 3] is superset([1]) }} {{ [1, 9] is subset([1]) }}
{{ [true, 1] is all }} {{ [true, 0] is all }} {{ [0, 1] is any }} {{ [] is any }} {{ [] is all }}
{{ 'x' is truthy }} {{ '' is falsy }} {{ 'no' is truthy(convert_bool=true) }} {{ 'no' is truthy }}
{{ ok is succeeded }} {{ ok is success }} {{ ok is failed }} {{ bad is failed }} {{ bad is changed }} {{ ok is changed }} {{ skip is skipped }} {{ ok is skipped }} {{ looped is changed }} {{ ok is not failed }}
{{ s is failed }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'Abc' is upper }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ 'nosuch' is filter }}
{{ '/a' is abs }} {{ 'http://x' is url }} {{ 'x' is url }} {{ 'urn:x' is urn }} {{ s.upper is callable }} {{ n is callable }}
{{ n is defined and n > 5 }}
{{ (n is odd) == true }} {{ n is odd and n is not even }}
{{ 'a' is in ['a'] and 'b' is not in ['a'] }}
{{ n | string | length }}
{{ n + l | length }}
{{ (n, l | length) }}
{{ -1 | abs }}
{{ l | map('string') | map('regex_replace', '^', 'x') | list }}
{{ "a" if n is odd else "b" }}
{{ l | select('gt', 1) | map('multiply', 2) | list }}
{{ {'a': n}['a'] }} {{ {'a': {'b': l}}.a.b[1] }}
{{ [{'a': 1}, {'a': 2}] | map(attribute='a') | sum }}
{{ dict(words | zip(ints)) | dictsort }}
{{ (d | dict2items | sort(attribute='value') | last).key }}
{{ lookup('nosuch', 'x') }}
{{ lookup('vars', 'n') }} {{ lookup('vars', 'nosuch', default='d') }}
{{ lookup('vars', 'n', 's', wantlist=true) }} {{ query('vars', 'n') }} {{ lookup('vars', 'num', 's') }}
{{ undef() }}
{{ undef(hint='set it') | default('x') }}
{{ missing if missing is defined else 'absent' }}
{{ [1, 2, omit] }}
{{ {'a': omit, 'b': 1} }}
{% set ns = namespace(found=false) %}{% for u in users %}{% if u.name == 'cy' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}
{{ '\n' | length }}
{{ "a\tb\\c" }}
{{ 'it\'s' }}
{% set x = "a\tb\\n\x41\u00e9" %}{{ x }}
{{ '{{ n }}' | length }}
{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}
{{ '12' | int + 1 }}
{{ '5' * 2 }}
{{ 3 * '5' }}
{{ 1.0 * 3 }} {{ 1e2 | int }} {{ 10 / 4 * 2 }}
{{ 0.1 + 0.2 }} {{ 1.1 * 3 }} {{ 1 / 3 }} {{ 2 / 3 * 100 }} {{ 1e300 * 10 }}
{{ 100000000000000000.0 }} {{ 1234567890123456.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }}
{{ 'a' < 'B' }} {{ 'ä' > 'z' }}
{{ (n > 5) | ternary('big', 'small') }}
{{ s | hash('nosuchhash') }}
{{ users[0].name ~ '@' ~ users[0]['address'].city | lower }}
{{ users | map(attribute='name') | map('lower') | sort | join(', ') }}
{{ users | items2dict(key_name='name', value_name='age') }}
{{ d.items() | sort(attribute='1') | map('first') | join }}
{{ ([1, 2] + [3]) | max }}
{{ s.split(' ')[1][0] | upper }}
{{ s | list | unique | sort | join }}
{{ '%s' % none }} {{ '%s' % (1,) }} {{ '%5.2f%%' % 99.5 }}
{{ "{{" }} {{ '}}' }}
{{ {'a': {'b': 1}} }}
{{ {'a': {'b': 1}}.a.b }}
{{ l is sameas l }}
{{ nested[1][1][0] }}
{{ nested.1.1.0 }}
{{ 1 if 1 else 2 if 2 else 3 }}
{{ none is defined }}
{{ loop }}
{{ self }}
{{ 'a' in 'abc' and 'd' not in 'abc' }}
{{ not n == 7 }}
{{ n != 7 or n != 8 }}
{{ [n, s][0] }}
{{ (lambda) }}
{{ s|upper|lower|title }}
{{s}}{{n}}
{{-s-}}
{{ l | sort | first }} {{ (l | sort)[1:] }}
{{ '.'.join(s.split()) }}
{{ '"' + s + '"' }}
{{ 10 | string ~ 'px' }}
{{ true and false or true }}
{{ missing is defined and missing.x }}
{{ 5 is not divisibleby 2 }}
{{ 5 > 3 and 'a' or 'b' }}
{{ "abc"[1] }} {{ "abc".upper()[0] }} {{ [1,2,3][-1] }} {{ (1,2,3)[1:] }}
{{ d == {'a': 1, 'b': 2, 'C': 3} }}
{{ lines }}
{{ lines }}x
{{ 60 | random(seed=5) }} {{ 59 | random(seed=0) }} {{ 50 | random(2, 7, seed=5) }} {{ 100 | random(seed=1099511627779) }} {{ 9 | random(seed=-7) }}
{{ [1, 2, 3, 4, 5, 6] | shuffle(seed=3) }} {{ 'abcdef' | list | random(seed=9) }} {{ 'abcdef' | random(seed=1) }}
{{ lookup('vars', '{{ "n" }}') }}
{{ json }}
{{ none | map('upper') }} {{ '' | select }} {{ 0 | list }}
{{ none | map('upper') }} {{ '' | select }} {{ none | selectattr('x') }}
{{ missing | items }}
{{ range(3) | default([]) }} {{ range(3) | to_json }}
{{ 0 ** -0.5 }}
{{ json | wordwrap(5) }} {{ '  http://h/p\n' | urlsplit('hostname') }}
{% set x = [1, 2] %}{{ x }}
{% set x = {'a': l} %}{% set _ = x.a.append(4) %}{{ x.a }} {{ l }}
{% for u in users if u.age > 30 %}{{ loop.index }}/{{ loop.length }} {{ u.name }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for i in ints %}{% if i is odd %}{{ i }}{% elif i == 4 %}four{% else %}-{% endif %}{% endfor %}
{{ ['a', 'b'] is contains('a') }} {{ 'a' is contains('a') }} {{ d is contains('a') }}
{{ words | sort | join(' ') | replace('A', 'x') | upper }}
{{ users | map(attribute='tags') | flatten | unique | list }}
{{ users | map(attribute='tags') | list }}
{{ users | map(attribute='tags') | sum(start=[]) }}
{{ users | json_query('x') }}
{{ (ints | length > 3) | ternary('many', 'few') }}
{{ ints | map('string') | join('+') ~ '=' ~ ints | sum }}
{{ ints | select('even') | map('int') | max }}
{{ d | dict2items | selectattr('value', '>', 1) | map(attribute='key') | sort }}
{{ 'a.b.c'.split('.')[-1] }} {{ 'a.b.c' | splitext | first }} {{ path | basename | splitext | last }}
{{ dict(users | map(attribute='name') | zip(users | map(attribute='age'))) }}
{{ [a1, a2] | combine(recursive=true) }}
{{ users | rejectattr('admin', 'defined') | map(attribute='name') | first }}
{{ users | selectattr('address.city', 'equalto', 'London') | list | length }}
{{ users | selectattr('admin', 'undefined') | map(attribute='name') }}
{{ users | map('combine', {'x': 1}) | map(attribute='x') }}
{{ l | map('extract', ['zero', 'one', 'two', 'three']) }}
{{ 'abc' | map('upper') | join }}
{{ {'b': 1, 'a': 2} | items | list }} {{ d | items | map('first') | sort }}
{{ '%s' | format(l) }} {{ '%02d:%02d' | format(5, 7) }}
{{ [1, 2, 3] | first + [4] | first }}
{{ (n / 2) | round | int }} {{ (n / 2) | int }} {{ n // 2 }}
{{ '10' is version('9', '>') }} {{ '1.30.0' is version('1.9.0', '>=') }} {{ 'v1.2' is version('v1.10', '<') }}
{{ '192.168.1.10'.split('.') | map('int') | list }} {{ '192.168.1.0/24'.split('/')[1] | int }}
{{ '192.168.1.10' is match('^(\d{1,3}\.){3}\d{1,3}$') }} {{ '192.168.1.10' is match('^(\d{1,3}\.){3}\d{1,3}$') }}
{{ s is search('o w') and s is not search('x') }}
{{ n in [1, 7] and s in ['hello world'] }}
{{ [] + [1] if t else [] }}
{{ ok.rc == 0 and not ok.changed }} {{ ok.rc | default(1) != 0 }} {{ (ok.stdout | default('')) is search('x') }}
{{ ok.stdout_lines | default([]) | length }} {{ missing | default({}) }} {{ (missing | default({})).key | default('k') }}
{{ groups['workers'] | default([]) }}
{{ hostvars['h'].ip | default('none') }}
{{ 'a' ~ ('b' if t else 'c') ~ n }} {{ 'pre-' + s | upper }} {{ ('pre-' + s) | upper }}
{{ "http://%s:%d/" | format('h', 80) }} {{ 'x=' ~ [1, 2] | join(',') }}
{{ true | string }} {{ 1.0 | string }} {{ none | string }} {{ [1, 'a'] | string }} {{ true | lower }}
{{ 'true' | bool and 'yes' | bool }} {{ 'False' | bool or 'no' | bool }} {{ '' | bool }} {{ none | bool }}
{{ 1 == true }} {{ 'true' == true }} {{ 0 == false }} {{ '' == none }}
{{ 3 | string + '4' }} {{ 3 ~ '4' | int }} {{ '3' | int + 4 }}
{{ "a" "b" ~ "c" }} {{ 'tab	here' }} {{ "quote"inside" }} {{ 'back\slash' }}
"""

MULTILINE = [
    ("string", "{{ n }}\n"), ("string", "{{ s }}\n"), ("string", "{{ s }}\n\n"), ("string", "text\n"),
    ("string", "{% if t %}\nyes\n{% endif %}\n"), ("string", "a\n{% for i in l %}\n  - {{ i }}\n{% endfor %}\nb\n"),
    ("string", "{# c #}\nx\n"), ("string", "{% set x = 1 %}\n{{ x }}\n"), ("string", "a\n\n{%- if t %}\n\nb\n{% endif +%}\n\nc"),
    ("string", "  {% if t %}\n  x\n  {% endif %}\n"), ("lstrip", "  {% if t %}\n  x\n  {% endif %}\n"),
    ("lstrip", "a\n\t{% for i in l %}\n\t{{ i }}\n\t{% endfor %}\nb\n"), ("lstrip", "  {%+ if t %}\nx{% endif %}\n"),
    ("lstrip", "a  {% if t %}b{% endif %}  {# c #}\n   {# d #}\n e\n"), ("lstrip", "   {{ n }}\n   {% raw %}\n x{% endraw %}\ny"),
    ("notrim", "{% if t %}\nyes\n{% endif %}\n"), ("notrim", "{% for i in l %}\n{{ i }}\n{%- endfor %}\n"),
    ("notrim", "{# c #}\nx"), ("file", "{{ 'a\\tb\\n' }}|{{ \"\\x41\\\\\" }}\n"), ("file", "{{ 'a\\'b' }}"),
    ("file", "{{ s | regex_replace('(o)', '\\\\1\\\\1') }}"), ("string", "{{ s | regex_replace('(o)', '\\1\\1') }}"),
    ("string", "a\r\nb {{ n }}\r\nc"), ("string", "{% raw %}\n{{ x }}\n{% endraw %}\nz\n"),
    ("string", "{{ [1,\n 2,\n 3] }}"), ("string", "{{ {\n 'a': 1\n} }}"), ("string", "{%\n if t\n%}x{% endif %}"),
    ("file", "server {\n{% for u in users %}\n  user {{ u.name }}{% if not loop.last %},{% endif %}\n\n{% endfor %}\n}\n"),
    ("file", "{% macro item(x) -%}\n  [{{ x }}]\n{%- endmacro %}\n{% for i in l %}{{ item(i) }}{% endfor %}\n"),
    ("string", "{{ s }} \n"), ("string", "\n{{ n }}"), ("string", "{{ n }}\n{{ n }}\n"), ("string", "{{ none }}\n"),
    ("string", "{% if no %}x{% endif %}\n"), ("string", "{{ lines }}\n"), ("string", "{{ lines }}"),
    ("string", "{%- set x = 1 -%}\n\n  {{ x }}"), ("string", "{{ n -}}\n  {{- n }}"),
    ("file", "#jinja2: trim_blocks: False\n{% if t %}\nx\n{% endif %}\n"),
    ("file", "#jinja2: lstrip_blocks: True, trim_blocks: True\n  {% if t %}\n  x\n  {% endif %}\n"),
    ("file", "#jinja2:variable_start_string:'[%', variable_end_string:'%]'\n[% n %] {{ n }}\n"),
    ("file", "#jinja2: nosuch: True\nx"), ("file", "#jinja2: trim_blocks\nx"), ("string", "#jinja2: trim_blocks: True\nplain\n"),
    ("file", " #jinja2: trim_blocks: False\n{% if t %}\nx{% endif %}"), ("string", "#jinja2: trim_blocks: 'x'\n{{ n }}"),
]

EXPRESSIONS = r"""
n
n == 7
missing
missing is defined
missing | default(5)
l | length > 2
'a\tb'
s is search('w') and n > 3
d
l[0]
(1, 2)
ok is failed or bad is failed
n ==
n n
not missing
users | selectattr('admin', 'defined') | list | length == 2
nothing
'x' if n else 'y'
inventory_hostname in groups['x']
{'a': 1}
1 + 1
s.split()[0] == 'hello'
lookup('vars', 's') == 'hello world'
"""

CONDITIONS = r"""
n == 7
n == 8
t
no
not no
missing is defined
missing
bad is failed
n is defined and n > 5
n in [7, 8]
'a' in words
d.a == 1
d.zz is defined
s | length > 3
s is match('hello')
ver is version('1.9', '>=')
true
false
(n > 5) and (s == 'hello world')
n > 5 or missing
users | length == 3
not (ok is changed)
num | int == 42
num == '42'
{{ t }}
{{ n == 7 }}
s == "{{ s }}"
"{{ n }}" == '7'
n == {{ n }}
"""


def main() -> None:
    warnings.simplefilter("ignore")
    for name in ("display", "warning", "deprecated", "error_as_warning"):
        setattr(Display, name, lambda *a, **k: None)
    engine = TemplateEngine(DataLoader(), variables=VARIABLES)

    def render(kind: str, text: str):
        import copy

        engine.available_variables = copy.deepcopy(VARIABLES)
        trusted = trust_as_template(text)
        if kind == "expression":
            return engine.evaluate_expression(trusted)
        if kind == "condition":
            return engine.evaluate_conditional(trusted)
        overrides = {"lstrip": {"lstrip_blocks": True}, "notrim": {"trim_blocks": False}}.get(kind, {})
        return engine.template(
            trusted,
            options=TemplateOptions(
                escape_backslashes=kind not in ("file", "lstrip"), overrides=TemplateOverrides(**overrides),
                value_for_omit="<omitted>",
            ),
        )

    cases = [("string", line) for line in STRINGS.strip("\n").split("\n")]
    cases += MULTILINE
    cases += [("expression", line) for line in EXPRESSIONS.strip("\n").split("\n")]
    cases += [("condition", line) for line in CONDITIONS.strip("\n").split("\n")]
    rows = []
    for kind, text in cases:
        try:
            rows.append([kind, text, render(kind, text)])
        except Exception:
            rows.append([kind, text])
    out = sys.stdout
    out.write("{\n")
    out.write(f'"generated by": {json.dumps(f"ansible-core {ansible.__version__}, jinja2 {jinja2.__version__}")},\n')
    out.write(f'"variables": {json.dumps(VARIABLES, ensure_ascii=False)},\n"cases": [\n')
    out.write(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    out.write("\n]\n}\n")


if __name__ == "__main__":
    main()
