"""Templates on which flowctl and Jinja2 are compared; `scripts/jinja-differential` renders them with both."""

CONTEXT = {
    "x": "X", "s": "a,b", "n": 5, "f": 2.5, "t": True, "z": None, "e": "",
    "l": [1, 2, 3], "w": ["banana", "Apple", "cherry", "apple"], "m": [3, 1, 2],
    "d": {"b": 1, "a": ["x", None]}, "dd": {"b": 2, "A": 1, "c": 3},
    "o": [{"n": 1, "m": "p"}, {"n": 2, "m": "q"}, {"n": 3, "m": "p"}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}],
    "u": "é 🎉 ß", "h": "<b>&'\"", "long": "the quick brown fox jumps over the lazy dog",
    "text": "line one\nline two\n\nline four", "chat": [
        {"inputs": {"question": "q1"}, "outputs": {"answer": "a1"}},
        {"inputs": {"question": "q2"}, "outputs": {"answer": "a2"}}],
    "nested": {"a": {"b": [10, {"k": "v"}], "x.y": "dot", "0": "zero"}},
    "floats": [1e20, 1e16, 1e15, 1e-5, -0.0, 0.1, 1.0, 100.0], "big": 10**18,
}

TEMPLATES = r'''
{{x}} {{n}} {{f}} {{t}} {{z}} [{{e}}]
{{l}} {{d}} {{o}} {{floats}} {{big}} {{u}}
{{nope}}|{{nope|default('d')}}|{{nope or 'or'}}|{{z|default('d')}}|{{z|default('d', true)}}|{{e|d('x', boolean=true)}}
{{nope.y}}
{{nope[0]}}
{{nope()}}
{{nope + 1}}
{{nope < 1}}
{{nope == 1}} {{nope|length}} {{nope|list}} {{nope|join(',')}}{{nope|upper}}
{{d.b}} {{d['b']}} {{d.nope}}| {{d.nope.more}}
{{l.0}} {{l[1]}} {{l[-1]}} {{l[9]}}| {{s[0]}} {{s.0}}
{{x.__class__}}|
{{x.__class__.__mro__}}
{{l.__len__()}}
{{d.__getitem__}}
{{nested.a['x.y']}} {{nested.a.b[1].k}} {{nested['a']['0']}}
{{1 + 2 * 3 - 4 / 2}} {{7 // 2}} {{-7 // 2}} {{7 % 3}} {{-7 % 3}} {{7 % -3}} {{2 ** 10}} {{2 ** -1}} {{2 ** 0.5}}
{{-2 ** 2}} {{2 ** 3 ** 2}} {{10 / 4}} {{10 / 5}} {{7.5 // 2}} {{-7.5 % 2}}
{{1 / 0}}
{{1 // 0}}
{{1.5 % 0}}
{{'a' + 'b'}} {{'a' ~ 1 ~ none ~ [1]}} {{'ab' * 3}} {{3 * 'ab'}} {{[1] + [2]}} {{[0] * 3}} {{(1,) + (2,)}}
{{'a' + 1}}
{{1 + 'a'}}
{{[1] + (2,)}}
{{none + 1}}
{{'a' - 'b'}}
{{true + true}} {{true * 3}} {{-true}} {{+5}} {{- 5}}
{{1 < 2 < 3}} {{3 > 2 > 2}} {{1 == 1.0}} {{1 == true}} {{'a' < 'b'}} {{[1,2] < [1,3]}} {{(1,) < (2,)}}
{{1 < 'a'}}
{{none < 1}}
{{[1] < 1}}
{{1 != 2}} {{'a' in 'abc'}} {{2 in l}} {{'b' in d}} {{5 not in l}} {{not true}} {{not none}}
{{1 in 'abc'}}
{{1 in 5}}
{{1 in none}}
{{true and false}} {{1 and 2}} {{0 or 'x'}} {{none or 0}} {{'' and 1}}|
{{'y' if t else 'n'}} {{'y' if z else 'n'}} {{'y' if z}}| {{1 if false else 2 if false else 3}}
{{[1, 'a', none, true, 1.0]}} {{(1, 2)}} {{(1,)}} {{()}} {{ {} }} {{ {'a': 1, 2: 'b', none: []} }}
{{ {1: 'a', true: 'b', 1.0: 'c'} }}
{{ {[1]: 2} }}
{{1, 2}} {{ 'a' 'b' "c" }} {{'\n' ~ '\x41' ~ '\u00e9' ~ '\t|' ~ '\q'}}
{{1_000}} {{0x1F}} {{0b11}} {{0o17}} {{1e3}} {{1.5e-7}} {{1e16}} {{123456789.123}}
{{'%s' % x}} {{'%s-%d' % ('a', 5)}} {{'%(k)s' % {'k': 1}}} {{'%5.2f|%-5s|%05d' % (3.14159, 'a', 42)}} {{'%%'  % ()}}
{{'%d' % 'a'}}
{{'%s %s' % 'a'}}
{{'%s' % ('a', 'b')}}
{{'%r %r' % ('a', 1.0)}} {{'%x %X %o %e %g' % (255, 255, 8, 12345.678, 0.0001)}} {{'%+d % d' % (1, 1)}} {{'%c' % 65}} {{'%.3s' % 'abcdef'}}
{{'{} {}'.format(1, 'a')}} {{'{0}{1}{0}'.format(1, 2)}} {{'{a}'.format(a=1)}} {{'{:>5}|{:<5}|{:^5}'.format('a', 'b', 'c')}} {{'{{}}'.format()}}
{{'{:.2f} {:,} {:08.3f} {:+d} {:x} {:%}'.format(3.14159, 1234567, 3.14159, 5, 255, 0.25)}} {{'{!r}'.format('a')}} {{'{0[0]} {1[k]}'.format([7], {'k': 8})}}
{{'{}'.format()}}
{{'{:d}'.format('a')}}
{{'{'.format(1)}}
{{'%.2f'|format(3.14159)}} {{'%s-%05d'|format('a', 42)}} {{'%(a)s'|format(a=1)}}
{{s.upper()}} {{s.split(',')}} {{'a b  c'.split()}} {{' a '.strip()}}| {{'xxaxx'.strip('x')}} {{'a,b,c'.split(',', 1)}} {{'a,b,c'.rsplit(',', 1)}}
{{'abc'.find('c')}} {{'abc'.find('z')}} {{'abcabc'.count('b')}} {{'abc'.index('b')}} {{'abcabc'.rfind('b')}}
{{'abc'.index('z')}}
{{'abc'.startswith('a')}} {{'abc'.endswith(('x', 'c'))}} {{'abc'.startswith('b', 1)}} {{'Hello World'.swapcase()}} {{'hello world'.title()}} {{'hELLO'.capitalize()}}
{{'abc'.center(9, '*')}} {{'abc'.ljust(5)}}| {{'abc'.rjust(5)}} {{'-42'.zfill(6)}} {{'a-b-c'.partition('-')}} {{'a-b-c'.rpartition('-')}} {{'abc'.partition('x')}}
{{'a\nb\r\nc'.splitlines()}} {{', '.join(['a', 'b'])}} {{'abc'.replace('b', 'X')}} {{'aaa'.replace('a', 'b', 2)}} {{'abc'.removeprefix('a')}} {{'abc'.removesuffix('c')}}
{{', '.join([1, 2])}}
{{'abc'.isalpha()}} {{'12'.isdigit()}} {{'a1'.isalnum()}} {{' '.isspace()}} {{'Abc'.istitle()}} {{'abc'.islower()}} {{'ABC'.isupper()}} {{'a_b'.isidentifier()}} {{''.isalpha()}}
{{'a\tb'.expandtabs(4)}} {{'ß'.upper()}} {{'ẞ'.lower()}} {{'É'.casefold()}} {{u.upper()}} {{u|length}}
{{'abc'.nope()}}
{{'abc'.split('')}}
{{d.get('a')}} {{d.get('zz', 'dd')}} {{d.get('zz')}} {{d.keys()|list}} {{d.values()|list}} {{d.items()|list}} {{d.items()}} {{d.keys()}}
{% for k, v in d.items() %}{{k}}={{v}};{% endfor %}
{% for k in d %}{{k}};{% endfor %}{% for k, v in d|dictsort %}{{k}}={{v}};{% endfor %}{{dd|dictsort}} {{dd|dictsort(true)}} {{dd|dictsort(false, 'value')}} {{dd|dictsort(reverse=true)}}
{{l.index(2)}} {{l.count(1)}} {{(1,2,1).count(1)}} {{(1,2).index(2)}}
{{l.index(9)}}
{% set _ = l.append(9) %}{{l}}{% set _ = l.extend([7, 8]) %}{{l}}{% set _ = l.insert(0, 'z') %}{{l}} {{l.pop()}} {{l.pop(0)}} {{l}}
{% set _ = l.remove(2) %}{{l}}{% set _ = l.reverse() %}{{l}}{% set _ = l.sort() %}{{l}}{% set c = l.copy() %}{% set _ = c.clear() %}{{l}}{{c}}
{% set xs = [] %}{% for i in range(3) %}{% set _ = xs.append(i * 2) %}{% endfor %}{{xs}}
{% set _ = d.update({'c': 3}) %}{{d}}{% set _ = d.update(e=5) %}{{d}} {{d.pop('c')}} {{d.setdefault('q', 1)}} {{d}} {{d.popitem()}}
{% set xs = {} %}{% for i in o %}{% set _ = xs.update({i.m: i.n}) %}{% endfor %}{{xs}}
{{[].pop()}}
{{d.pop('zz')}}
{{ (5).bit_length() }} {{ (2.0).is_integer() }} {{n.real}} {{f.real}}
{{l[:2]}} {{l[1:]}} {{l[::-1]}} {{l[-2:]}} {{s[::-1]}} {{(1,2,3)[:2]}} {{l[5:]}} {{l[::2]}} {{'abcdef'[1:-1]}} {{l[2:0:-1]}}
{{l[::0]}}
{{range(3)|list}} {{range(1,6,2)|list}} {{range(5,0,-2)|list}} {{range(3)}} {{range(3)[1]}} {{range(3)|length}} {{3 in range(5)}}
{{range(1000000)|length}}
{{range('a')}}
{{dict(a=1, b=2)}} {{dict([('a', 1)])}} {{dict({'a': 1}, b=2)}}
{% for i in l %}{{loop.index}}{{loop.index0}}{{loop.revindex}}{{loop.revindex0}}{{loop.first}}{{loop.last}}{{loop.length}}{{loop.depth}}{{loop.depth0}};{% endfor %}
{% for i in l %}{{loop.previtem}}<{{i}}>{{loop.nextitem}};{% endfor %}{% for i in l %}{{loop.cycle('a', 'b')}}{% endfor %}{% for i in [1,1,2] %}{{loop.changed(i)}}{% endfor %}
{% for i in [] %}x{% else %}empty{% endfor %}{% for i in l if i > 1 %}{{loop.index}}:{{i}};{% endfor %}{% for i in l if i > 9 %}{% else %}none{% endfor %}
{% for a, b in [(1, 2), (3, 4)] %}{{a}}{{b}};{% endfor %}{% for (a, (b, c)) in [(1, (2, 3))] %}{{a}}{{b}}{{c}}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% for c in 'abc' %}{{c}}-{% endfor %}{% for i in nope %}x{% endfor %}
{% for i in tree recursive %}{{i.v}}{% if i.c %}({{loop(i.c)}}){% endif %}{{loop.depth}}{% endfor %}
{% for i in l %}{% for j in l %}{{loop.index}}{% endfor %}|{{loop.index}}{% endfor %}
{% for i in l %}{{loop}}{% endfor %}
{% set a = 1 %}{{a}}{% set a, b = 2, 3 %}{{a}}{{b}}{% set (c, d2) = [4, 5] %}{{c}}{{d2}}
{% set a = 1 %}{% for i in l %}{% set a = a + 1 %}{{a}}{% endfor %}{{a}}
{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ns.a}} {{ns}} {{ns.nope}}
{% set ns = namespace({'k': 1}, j=2) %}{{ns.k}}{{ns.j}}
{% set q.a = 1 %}
{% set block %}a{{x}}b{% endset %}[{{block}}]{% set block | upper %}a{{x}}b{% endset %}[{{block}}]
{% if false %}{% set y = 1 %}{% endif %}[{{y}}]{% if true %}{% set y = 2 %}{% endif %}[{{y}}]
{% with a = 1, b = 2 %}{{a}}{{b}}{% endwith %}[{{a}}]{% with %}{% set q = 5 %}{{q}}{% endwith %}[{{q}}]{% with a = n, b = a %}[{{b}}]{% endwith %}
{% macro m(a, b=2, *c) %}{% endmacro %}
{% macro m(a, b=2) %}<{{a}}|{{b}}>{% endmacro %}{{m(1)}}{{m(1, 3)}}{{m(b=5, a=4)}}{{m()}}
{% macro m(a) %}{{varargs}}{{kwargs}}{% endmacro %}{{m(1, 2, 3, k=4)}}
{% macro m(a) %}{{a}}{% endmacro %}{{m(1, 2)}}
{% macro m(a) %}{{a}}{% endmacro %}{{m(z=2)}}
{% macro m(a) %}{{a}}{% endmacro %}{{m.name}} {{m.arguments}} {{m.catch_kwargs}} {{m.catch_varargs}} {{m.caller}}
{% macro f(k) %}{% if k > 0 %}{{k}}{{f(k - 1)}}{% endif %}{% endmacro %}{{f(5)}}
{% macro f(k) %}{{f(k)}}{% endmacro %}{{f(1)}}
{% macro m() %}[{{caller()}}]{% endmacro %}{% call m() %}in{% endcall %}
{% macro m() %}[{{caller(1, 2)}}]{% endmacro %}{% call(a, b) m() %}{{a}}-{{b}}{% endcall %}
{% macro m() %}[{{caller}}]{% endmacro %}{{m()}}
{% set a = 1 %}{% macro m() %}{{a}}{% endmacro %}{% set a = 2 %}{{m()}}
{% macro m(a=[]) %}{% set _ = a.append(1) %}{{a}}{% endmacro %}{{m()}}{{m()}}
{% macro m(a, b=a) %}{{b}}{% endmacro %}{{m(7)}}
{% filter upper %}abc {{x}}{% endfilter %}{% filter replace('a', 'b')|upper %}aaa{% endfilter %}
{% block b %}B{{x}}{% endblock %}{% block c scoped %}C{% endblock c %} {{self.b()}}
{% for i in l %}{% block q %}[{{i}}]{% endblock %}{% endfor %}
{% for i in l %}{% block q scoped %}[{{i}}]{% endblock %}{% endfor %}
{% set v = 1 %}{% block b %}{{v}}{% endblock %}
{% raw %}{{x}} {% if %}{% endraw %} {% raw -%}  a  {%- endraw %}
{# comment #}a{#- c -#}  b
{% print x, 1 %} {{ self }}
{% include 'x' %}
{% import 'x' as y %}
{% extends 'x' %}
{% if false %}{% include 'x' %}{% endif %}ok
{% autoescape true %}{{h}}{{h|safe}}{{'<'}}{{h|e}}{% endautoescape %}{{h}}
{% set c = cycler('a', 'b') %}{{c.next()}}{{c.next()}}{{c.next()}}{{c.current}}{{c.reset()}}{{c.current}}
{% set j = joiner('; ') %}{% for i in l %}{{j()}}{{i}}{% endfor %}
{{-5|abs}} {{(-5)|abs}} {{-2.5|abs}}
{{'a'|abs}}
{{d|attr('keys')}}|{{d|attr('b')}}|{{x|attr('nope')}}
{{l|batch(2)|list}} {{l|batch(2, 'x')|list}} {{l|slice(2)|list}} {{l|slice(2, 'x')|list}} {{range(7)|slice(3)|list}}
{{'hello WORLD'|capitalize}} {{'foo-bar (baz) [qux]'|title}} {{'ABC'|lower}} {{'abc'|upper}} {{none|upper}} {{5|upper}} {{true|lower}}
{{'abc'|center(9)}}| {{'abc'|center(8)}}| {{'ab'|center(5)}}|
{{l|count}} {{'abc'|length}} {{d|length}}
{{5|length}}
{{h|e}} {{h|escape}} {{h|e|e}} {{h|forceescape}} {{h|e|forceescape}} {{h|safe|e}} {{[h|e]}} {{[h]|e}} {{none|e}}
{{(h|e) ~ '<'}} {{(h|e) + '<'}} {{'<' + (h|e)}} {{(h|e)|upper}} {{('<%s>'|safe) % '<'}} {{'<a>'|e|replace('&', 'x')}}
{{'<b>x</b> <!-- c --> y &amp; z'|striptags}} {{'<p>a\n  b</p>'|striptags}}
{{0|filesizeformat}} {{1|filesizeformat}} {{999|filesizeformat}} {{1000|filesizeformat}} {{123456789|filesizeformat}} {{1024|filesizeformat(true)}} {{1048576|filesizeformat(true)}} {{'2000'|filesizeformat}}
{{l|first}} {{l|last}} {{[]|first}}| {{''|last}}| {{'abc'|first}} {{d|first}}
{{[].first}} {{[]|first|upper}}
{{'5'|int}} {{'5.7'|int}} {{'x'|int}} {{'x'|int(7)}} {{5.9|int}} {{none|int}} {{'0x1A'|int(base=16)}} {{'11'|int(base=2)}} {{'0x1A'|int(base=0)}} {{true|int}} {{' 12 '|int}} {{'1_000'|int}} {{[]|int}}
{{'5'|float}} {{'x'|float}} {{'x'|float(1.5)}} {{'1e3'|float}} {{'nan'|float}} {{none|float}} {{5|float}} {{'inf'|float}}
{{42.55|round}} {{42.55|round(1)}} {{42.55|round(1, 'floor')}} {{42.1|round(method='ceil')}} {{2.5|round}} {{3.5|round}} {{1234|round(-2)}} {{2.675|round(2)}} {{5|round}} {{5|round|int}}
{{'x'|round}}
{{o|groupby('m')}} {% for g in o|groupby('m') %}{{g.grouper}}:{{g.list|length}};{% endfor %}{% for k, v in o|groupby('m') %}{{k}}={{v|map(attribute='n')|list}}{% endfor %}
{{w|groupby('0')}} {% for k, v in w|groupby(0) %}{{k}}{{v}}{% endfor %} {{[{'a': 'X'}, {'a': 'x'}]|groupby('a')}} {{[{'a': 'X'}, {'a': 'x'}]|groupby('a', case_sensitive=true)}} {{[{'a': 1}, {}]|groupby('a', default=0)}}
{{text|indent}} | {{text|indent(2)}} | {{text|indent(2, true)}} | {{text|indent(2, true, true)}} | {{text|indent('> ')}} | {{text|indent(first=true)}}
{{l|join}} {{l|join(', ')}} {{o|join('-', attribute='n')}} {{w|join('|')}} {{[1, none, 'a']|join(',')}} {{'abc'|join('-')}} {{d|join(',')}}
{{l|list}} {{'abc'|list}} {{d|list}} {{d|items|list}} {{nope|items|list}}
{{5|list}}
{{5|items}}
{{o|map(attribute='n')|list}} {{w|map('upper')|list}} {{o|map(attribute='zz', default='q')|list}} {{o|map(attribute='m')|map('upper')|join}} {{l|map('string')|join('-')}} {{[[1,2],[3]]|map('first')|list}} {{['a']|map('replace', 'a', 'b')|list}} {{[{'a': {'b': 1}}]|map(attribute='a.b')|list}}
{{l|map('nope')|list}}
{{l|map|list}}
{{l|max}} {{l|min}} {{w|max}} {{w|min}} {{o|max(attribute='n')}} {{[]|max}}| {{w|min(case_sensitive=true)}} {{'abc'|max}}
{{[1, 'a']|max}}
{{l|pprint}} {{d|pprint}} {{'abc'|pprint}} {{o|pprint}} {{[long, long, long]|pprint}} {{none|pprint}} {{ {'key': [long, long], 'other': {'a': long, 'b': long}}|pprint}}
{{l|reject('odd')|list}} {{l|select('odd')|list}} {{[0, 1, '', 'a', none]|select|list}} {{[0, 1]|reject|list}} {{l|select('gt', 1)|list}} {{l|select('in', [1, 3])|list}} {{l|select('divisibleby', 2)|list}}
{{o|selectattr('n', 'gt', 1)|map(attribute='m')|join(',')}} {{o|rejectattr('m', 'equalto', 'p')|list}} {{o|selectattr('m')|list|length}} {{o|selectattr('zz')|list}} {{o|selectattr('zz', 'undefined')|list|length}}
{{l|select('nope')|list}}
{{o|selectattr|list}}
{{s|replace('a', 'z')}} {{'aaa'|replace('a', 'b', 2)}} {{5|replace('5', '6')}} {{'abc'|replace('', '-')}}
{{l|reverse|list}} {{'abc'|reverse}} {{d|reverse|list}} {{(1,2)|reverse|list}} {{range(3)|reverse|list}}
{{h|safe}} {{x|string}} {{5|string}} {{l|string}} {{none|string}}
{{m|sort}} {{m|sort(reverse=true)}} {{w|sort}} {{w|sort(case_sensitive=true)}} {{o|sort(attribute='m')|map(attribute='n')|list}} {{o|sort(attribute='m,n', reverse=true)|map(attribute='n')|list}} {{'cab'|sort}} {{d|sort}}
{{[1, 'a']|sort}}
{{[none, 1]|sort}}
{{l|sum}} {{o|sum(attribute='n')}} {{[1.5, 2]|sum}} {{[]|sum}} {{[[1], [2]]|sum(start=[])}} {{l|sum(start=10)}}
{{['a']|sum}}
{{d|tojson}} {{o|tojson}} {{h|tojson}} {{u|tojson}} {{floats|tojson}} {{none|tojson}} {{t|tojson}} {{'a"b\\c\n'|tojson}} {{(1,2)|tojson}} {{ {1: 2}|tojson}} {{[]|tojson}} {{ {}|tojson}}
{{d|tojson(indent=2)}} {{o|tojson(2)}} {{[]|tojson(2)}} {{[[]]|tojson(indent=1)}}
{{nope|tojson}}
{{range(3)|tojson}}
{{ {'a': 1, 2: 3}|tojson}}
{{'  a '|trim}}| {{'xxaxx'|trim('x')}} {{5|trim}}
{{long|truncate(20)}} {{long|truncate(20, true)}} {{long|truncate(20, false, '!')}} {{long|truncate(40)}} {{long|truncate(20, leeway=0)}} {{'short'|truncate(3)}} {{'foo bar baz qux'|truncate(11, False, '...', 0)}}
{{'abcdef'|truncate(2)}}
{{[1,1,2]|unique|list}} {{w|unique|list}} {{w|unique(case_sensitive=true)|list}} {{o|unique(attribute='m')|map(attribute='n')|list}} {{'aAb'|unique|join}}
{{'a b/c?&=é'|urlencode}} {{ {'a b': 'c&d', 'e': 1}|urlencode}} {{[('a', 1)]|urlencode}} {{5|urlencode}}
{{'see https://x.org/a?b=c and www.y.com, or (http://z.net/a_(b)). mail a@b.co'|urlize}} {{'https://averylongurl.example.org/path'|urlize(15)}} {{'go http://a.b'|urlize(nofollow=true, target='_blank')}}
{{long|wordcount}} {{'a-b c_d, e'|wordcount}}
{{long|wordwrap(15)}} {{'abcdefghijklmnop'|wordwrap(5)}} {{'abcdefghijklmnop qr'|wordwrap(5, false)}} {{text|wordwrap(6)}} {{long|wordwrap(20, wrapstring=' / ')}} {{'well-known long-word test'|wordwrap(8)}}
{{ {'class': 'a b', 'id': none, 'x': '<', 'q': nope}|xmlattr}} {{ {'a': 1}|xmlattr(false)}} {{ {}|xmlattr}}|
{{ {'a b': 1}|xmlattr}}
{{x is defined}} {{nope is defined}} {{nope is undefined}} {{none is none}} {{s is string}} {{5 is odd}} {{4 is even}} {{l is iterable}} {{d is mapping}} {{3 is divisibleby 3}} {{s is sameas s}} {{l is sequence}} {{s is sequence}} {{d is sequence}} {{5 is sequence}}
{{5 is number}} {{5.0 is float}} {{5 is integer}} {{true is integer}} {{true is boolean}} {{true is number}} {{true is true}} {{1 is true}} {{false is false}} {{'a' is lower}} {{'A' is upper}} {{range is callable}} {{5 is iterable}} {{nope is iterable}} {{none is iterable}}
{{1 is eq 1}} {{1 is equalto(1)}} {{1 is ne 2}} {{1 is lt 2}} {{2 is ge 2}} {{1 is in [1]}} {{'upper' is filter}} {{'nope' is filter}} {{'odd' is test}} {{(h|e) is escaped}} {{h is escaped}} {{1 is not none}} {{x is not defined}}
{{'a' is odd}}
{{1 is divisibleby}}
{{ x is nope }}
{{ x|nope }}
{{ x|upper(1) }}
{{ l|join(',', 'n', 3) }}
{% if false %}{{ x|nope }}{% endif %}ok
{% if true %}{{ x|nope }}{% endif %}
{% if %}{% endif %}
{% for %}{% endfor %}
{% if x %}
{% endif %}
{% else %}
{% nope %}
{% do l.append(1) %}
{% for i in l %}{% break %}{% endfor %}
{% trans %}a{% endtrans %}
{{ x
{{ x }
{% if x }
{{ 'a }}
{{ a b }}
{{ (1 }}
{{ 1 + }}
{{ x..y }}
{{ x| }}
{{ [1, 2 }}
{{ {'a' 1} }}
{% set 1 = 2 %}
{% set x %}
{% macro %}{% endmacro %}
{% call x %}{% endcall %}
{% block a %}{% endblock %}{% block a %}{% endblock %}
{# unclosed
{% raw %}unclosed
{{ x ? 1 : 2 }}
{{ f(a=1, 2) }}
{{ f(**d, *l) }}
{{ dict(**{'a': 1}) }} {{ range(*[1, 3])|list }}
{{ x }}{{- x -}} {{ x }} {%- if true -%} a {%- endif -%} b
a {%- if true %} b {% endif -%} c {%+ if true +%} d {% endif %}
{% for c in chat %}\nuser:\n{{c.inputs.question}}\nassistant:\n{{c.outputs.answer}}\n{% endfor %}\nuser:\n{{x}}\n
system:\nYou are {{x}}.\n\n{% if l|length > 2 %}\nmany\n{% elif l %}\nfew\n{% else %}\nnone\n{% endif %}\n# user:\n{{text}}\n
{% for k, v in nested.a.items() %}- {{ k }}: {{ v }}\n{% endfor %}
{%- for i in l -%}\n  {{ i }}{{ ", " if not loop.last }}\n{%- endfor -%}\n
  {% if true %}\n  indented\n  {% endif %}\nend
{{ "%s" | format(x) }} {{ "a" if x == "X" else "b" }} {{ x|lower ~ "-" ~ n }} {{ (x ~ n)|lower }} {{ n|string + x }}
{{ l|first + 1 }} {{ l|length * 2 }} {{ l|sum / l|length }} {{ not l|length }} {{ -l|first }} {{ (l|length) - 1 }}
{{ l | map('int') | sum }} {{ '1,2,3'.split(',') | map('int') | list }} {{ [1.5, 2.5]|map('round')|list }}
{{ text.split('\n')[0] }} {{ text.splitlines()|length }} {{ (text.split('\n')|last).upper() }} {{ long.split()[2:4]|join(' ') }}
{{ o|map(attribute='n')|max }} {{ (o|last).m }} {{ o[0]['m'] }} {{ o[0].get('zz', 'none') }} {{ o|length }} {{ (o|selectattr('m', '==', 'q')|first).n }}
{{ d.items }}|{{ d.a }}|{{ d['keys'] is defined }}|{{ {'items': 5}.items is callable }}|{{ {'items': 5}['items'] }}
{{ d.a[1] is none }} {{ d.a|length }} {{ d.a[5] is defined }} {{ z is none }} {{ z.x is defined }}
{{ z.x }}|{{ z['x'] }}|{{ n.x }}|{{ n[0] }}
{{ z.x.y }}
{{ n.x.y }}
{{ x.upper().lower()[0]|upper ~ '!' }} {{ "a".join("bcd") }} {{ "%s" % [1, 2] }} {{ "%s" % {'a': 1} }} {{ "%s" % none }}
{{ [[1, 2], [3, 4]]|map('last')|list }} {{ [[1, 2], [3, 4]]|map('join', '-')|list }} {{ [3, 1]|sort|first }} {{ [] or 'empty' }}
{{ 'a' == "a" }} {{ 'a' != 'b' }} {{ none == none }} {{ [] == [] }} {{ {} == {} }} {{ [1, [2]] == [1, [2]] }} {{ (1,) == [1] }} {{ {'a': 1} == {'a': 1.0} }}
{{ 1.0 }} {{ 1e100 }} {{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 10 ** 20 }} {{ 2 ** 100 }} {{ 1e400 }} {{ -1e400 }} {{ 3.0 * 2 }} {{ 5 // 2.0 }} {{ 1.5e300 * 1e10 }}
{{ 5|string|length }} {{ n ~ '' is string }} {{ '5' == 5|string }} {{ '%d' % 5.9 }} {{ 5.0|int }} {{ 5.0 == 5 }}
{{ "a\\b" }} {{ 'it\'s' }} {{ "q\"q" }} {{ ["it's", 'q"q', 'b\\b', "both'\""] }} {{ ['\n', '\t', '\x00', 'é', '🎉'] }}
{{ l.append }}
{{ x.upper }}
{{ l|map('upper') }}
{{ nope ~ 'a' }} {{ nope|e }} {{ [nope] }} {{ nope in [1] }} {{ nope|int }}
{{ nope is none }} {{ nope == nope2 }} {{ not nope }} {{ nope and 1 }} {{ -nope }}
{% set a = nope %}{{ a is defined }}{{ a }}
{% for i in range(3) %}{% if loop.first %}{% set q = i %}{% endif %}{{ q }}{% endfor %}
{% for i in l %}{% if i == 2 %}{{ loop.index }}{% endif %}{% endfor %}{{ loop }}
{% macro item(t, v='-') -%}\n  * {{ t }}: {{ v }}\n{%- endmacro %}{{ item('a') }}{{ item('b', 2) }}
{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}
{% for i in l %}{% macro q() %}{{ i }}{% endmacro %}{{ q() }}{% endfor %}
{% set f2 = x.upper %}{{ f2() }} {% set parts = 'a-b'.split('-') %}{{ parts[1] }}
{{ (l + [4])|join(',') }} {{ (l|list + m|list)|sort }} {{ l + m == [1,2,3,3,1,2] }}
{{ {'a': {'b': 1}}.a.b }} {{ [{'a': 1}][0].a }} {{ ({'a': 1}).get('a') }} {{ 'abc'[1]|upper }} {{ ('a', 'b')[0] }}
{{ "{:05.1f}".format(2.345) }} {{ "{:>{w}}".format('a', w=4) }} {{ "{:e}".format(12345.678) }} {{ "{:g}".format(1e-10) }} {{ "{:,.2f}".format(1234567.891) }} {{ "{:_}".format(1234567) }} {{ "{:#x}".format(255) }} {{ "{:b}".format(5) }} {{ "{:s}".format('a') }} {{ "{}".format(none) }} {{ "{}".format([1, 'a']) }}
{{ "%s is %d years" | format("Bob", 5) }} {{ "%(a)s-%(b)s" | format(a=1, b=2) }} {{ "%5s|%-5s|" | format("a", "b") }}
{{ "{:<10}|{:>10}|{:^10}".format("a", 1, 2.5) }} {{ "{0!r:>8}".format("a") }} {{ "{:+.1e}".format(12345.0) }} {{ "{:.3}".format("abcdef") }} {{ "{:.3}".format(3.14159) }} {{ "{:5}".format(true) }} {{ "{:n}".format(1234) }} {{ "{:c}".format(65) }} {{ "{:08.2f}".format(-3.5) }} {{ "{: d}".format(5) }} {{ "{:#b}".format(5) }} {{ "{:#o}".format(8) }} {{ "{:X}".format(255) }} {{ "{:G}".format(1e-10) }} {{ "{:.0f}".format(2.5) }} {{ "{:,}".format(1234567.5) }} {{ "{:10,}".format(1234) }} {{ "{:010d}".format(-5) }}
{{ '%g %g %g %g' % (100000, 1000000, 0.0001, 0.00001) }} {{ '%.3g' % 1234.5 }} {{ '%#g' % 1.0 }} {{ '%G' % 1e-10 }} {{ '%E' % 1.5 }} {{ '%i' % 5 }} {{ '%u' % 5 }} {{ '%5.3d' % 7 }} {{ '%-08d|' % 5 }} {{ '%*d' % (5, 3) }} {{ '%.*f' % (2, 3.14159) }} {{ '%s' % 1.0 }} {{ '%s' % true }} {{ '%d' % true }} {{ '%f' % 1 }} {{ '%a' % 'b' }}
{{ '%y' % 1 }}
{{ '%' % 1 }}
{{ '%(x)s' % 1 }}
{{ '%(x)s' % {'y': 1} }}
{{ '%x' % 1.5 }}
{{ '%c' % 'ab' }}
{{ 'abc' * -1 }}| {{ [1] * 0 }} {{ 'abc' * true }} {{ 0.1 + 0.7 }} {{ 1e22 }} {{ 1e21 }} {{ 123456789012345680.0 }} {{ 0.00001 }} {{ 0.0001 }} {{ 1.10 }} {{ -0.0 }} {{ 0.0 * -1 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }}
{{ 7 / 7 }} {{ 2 ** 3.0 }} {{ 2.0 ** 3 }} {{ (-8) ** 2 }} {{ (-7) // 2.0 }} {{ 7 // -2 }} {{ -7 % -3 }} {{ 7.5 % -2 }} {{ true / 2 }} {{ 0 ** 0 }} {{ 1 // 1.0 }}
{{ 0.0 ** -1 }}
{{ (-8) ** 0.5 }}
{{ 2 ** 1000 }}
{{ 'a' < 1 }}
{{ {} < {} }}
{{ [1, 'a'] < [1, 2] }}
{{ (1, 2) == [1, 2] }} {{ 'a' == 1 }} {{ none == false }} {{ 0 == false }} {{ '' == none }} {{ 1.5 == 3/2 }} {{ 'b' > 'a' > 'A' }} {{ true < 2 }} {{ 10**18 == 1e18 }} {{ 2**53 + 1 == 2.0**53 }}
{{ 'a' in ['a', 'b'] and 'c' not in 'ab' }} {{ '' in 'abc' }} {{ (1, 2) in [(1, 2)] }} {{ 1 in {1: 2} }} {{ 1.0 in [1] }} {{ none in [none] }} {{ 2 in range(0, 10, 2) }} {{ 'k' in {'k': 1}.keys() }} {{ 1 in {'k': 1}.values() }} {{ ('k', 1) in {'k': 1}.items() }}
{{ [1] in {} }}
{{ not 1 == 2 }} {{ not (1 and 0) }} {{ 1 if not 0 else 2 }} {{ (1 or 2) and 3 }} {{ 1 and 2 or 3 }} {{ 0 and 2 or 3 }} {{ not not 5 }} {{ - 5 + 3 }} {{ -n ** 2 }} {{ (-n)|abs }} {{ 2 - -2 }} {{ 5 - 3 - 1 }} {{ 100 / 10 / 2 }} {{ 2 * 3 ~ 4 }} {{ 1 ~ 2 + 3 }} {{ 'a' ~ 'b' == 'ab' }}
{{ x if x is defined else 'no' }} {{ y2 if y2 is defined else 'no' }} {{ (x if t else 'b') ~ '!' }} {{ 'a' if z else 'b' if t else 'c' }} {{ [1 if t else 2, 3] }} {{ {'a': 1 if t else 2} }}
{{ [1, 2, 3,] }} {{ {'a': 1,} }} {{ (1, 2,) }} {{ range(2,)|list }} {{ [] }}{{ {} }} {{ [[], [[]], {}] }} {{ {'a': {'b': [1, {'c': none}]}} }}
{{ l[0] + l[-1] }} {{ l[1:2][0] }} {{ l[-3:-1] }} {{ s[::2] }} {{ s[-1:] }} {{ l[none:2] }} {{ l[10:20] }} {{ 'abc'[::-1] }} {{ 'abc'[5:] }}| {{ 'abc'[-2] }} {{ 'abc'[9] }}| {{ l['a'] }}| {{ l[1.0] }}| {{ d[1] }}| {{ d[none] }}|
{{ o[0].n }} {{ o[0]['n'] }} {{ o.0.n }} {{ (o|first)['m'] }} {{ o[-1].m ~ o[1].m }} {{ d.a.0 }} {{ d['a'][0] }} {{ d.a[-1] }} {{ nested.a.b.1.k }} {{ nested.a['0'] }} {{ nested.a.0 }}|
{{ {'a': 1}['a'] }} {{ {'a': 1}.get('b', 'c') }} {{ {'x': 1, 'y': 2}|length }} {{ {'b': 1, 'a': 2}|dictsort }} {{ {'b': 1, 'a': 2}|dictsort(by='value') }} {{ {1: 'a', 0: 'b'}|dictsort }} {{ {'a': 1}|items|list }} {{ {'a': 1}.items()|list }} {{ dict(a=1).a }}
{{ {'a': 1, 1: 2}|dictsort }}
{{ [3, 1, 2]|sort|join('<') }} {{ ['b', 'A', 'c']|sort }} {{ ['b', 'A', 'c']|sort(true) }} {{ [1.5, 1, true]|sort }} {{ [(2, 'a'), (1, 'b')]|sort }} {{ [[2], [1]]|sort }} {{ o|sort(attribute='n', reverse=true)|map(attribute='n')|join }} {{ nested.a.b|length }} {{ ['10', '9']|sort }} {{ 'hello'|sort|join }} {{ o|sort(attribute='m')|map(attribute='m')|join }} {{ [{'a': {'b': 2}}, {'a': {'b': 1}}]|sort(attribute='a.b')|map(attribute='a.b')|list }}
{{ o|sort(attribute='zz')|list }}
{{ o|map(attribute='zz')|list }} {{ o|map(attribute='zz')|join(',') }} {{ o|map(attribute='n')|sum }} {{ o|map('length')|list }} {{ ['1', '2']|map('int')|sum }} {{ [1, 2]|map('string')|list }} {{ w|map('lower')|unique|list }} {{ w|map('length')|max }} {{ [' a ', 'b ']|map('trim')|list }} {{ [1.234, 2.345]|map('round', 1)|list }} {{ ['a b', 'c']|map('title')|join }} {{ [[1, 2], [3]]|map('sum')|list }} {{ ['a', 'b']|map('upper')|map('lower')|list }} {{ [none, 1]|map('default', 'x')|list }} {{ w|map('capitalize')|join(' ') }} {{ o|map('tojson')|join }} {{ [1,2]|map('format')|list }}
{{ o|selectattr('n', 'odd')|map(attribute='n')|list }} {{ o|selectattr('m', 'in', ['q'])|list }} {{ o|selectattr('m', 'eq', 'p')|map(attribute='n')|join(',') }} {{ o|rejectattr('n', 'ge', 2)|list }} {{ o|selectattr('n', 'lessthan', 3)|list|length }} {{ w|select('lower')|list }} {{ w|reject('in', ['apple'])|list }} {{ [1, none, 2]|reject('none')|list }} {{ ['', 'a']|select|list }} {{ [1, 'a', [], {}]|select('string')|list }} {{ [[1], 'a', {}]|select('mapping')|list }} {{ o|selectattr('n', '>', 1)|list|length }} {{ l|select('>=', 2)|list }} {{ l|select('sameas', 2)|list }} {{ [nested]|selectattr('a.b')|list|length }} {{ l|select('defined')|list }}
{{ l|first }} {{ l|last }} {{ 'abc'|last }} {{ (1, 2)|first }} {{ range(5)|last }} {{ d|first }} {{ {}|first }}| {{ [[]]|first }} {{ l|random in l }} {{ []|random }}|
{{ l|map('upper')|last }}
{{ 5|first }}
{{ l|batch(2)|map('join', '-')|join('|') }} {% for row in range(5)|batch(2, '-') %}{{ row|join }};{% endfor %}{% for c in range(5)|slice(2) %}{{ c }}{% endfor %} {{ []|batch(2)|list }} {{ []|slice(2)|list }} {{ l|slice(5)|list }} {{ l|slice(2, 'z')|list }}
{{ 'abc'|batch(2)|list }} {{ l|batch(0)|list }}
{{ l|slice(0)|list }}
{{ 1234.5678|round(2) }} {{ 1234.5678|round(-2) }} {{ 0.5|round }} {{ 1.5|round }} {{ -2.5|round }} {{ 2.345|round(2) }} {{ 1e20|round }} {{ true|round }} {{ 42|round(1) }} {{ 42.7|round|int }} {{ 42.19|round(1, 'ceil') }} {{ 42|round(method='floor') }} {{ 15|round(-1) }} {{ 25|round(-1) }}
{{ 5|round(method='nope') }}
{{ '42'|int + 1 }} {{ '42.9'|int }} {{ '-5'|int }} {{ '+5'|int }} {{ ''|int }} {{ '1e3'|int }} {{ 'inf'|int }} {{ '0b11'|int(base=2) }} {{ 'ff'|int(base=16) }} {{ 'zz'|int(-1) }} {{ 1e3|int }} {{ false|int }} {{ {}|int(9) }} {{ '1_0'|float }} {{ ' 1.5 '|float }} {{ '1,5'|float }} {{ true|float }} {{ '-inf'|float }} {{ [1]|float(2) }}
{{ 'a'|e }} {{ '&amp;'|e }} {{ '&amp;'|safe|e }} {{ 1|e }} {{ [1, '<']|e }} {{ '<'|e|string }} {{ '<'|e is string }} {{ ('<'|e)|length }} {{ ('a'|e).upper() }} {{ ('<'|e).replace('&', '+') }} {{ ['<'|e, '>'] }} {{ ['<'|e, '>']|join }} {{ ('<'|e).split('t') }} {{ ('<'|e) == '&lt;' }} {{ ('<'|e)|tojson }} {{ '%s' % ('<'|e) }} {{ '%s'|safe % '<' }} {{ '{}'.format('<'|e) }} {{ ('<'|e)[0] }} {{ ('<'|e)|upper|e }} {{ ('a'|e) * 2 }} {{ ('a'|safe).join(['<', '>']) }} {{ ('x'|safe ~ '<')|e }}
{{ 'Hello World Foo'|truncate(8) }} {{ 'Hello World'|truncate(11) }} {{ 'Hello World Foo Bar'|truncate(10, true, '') }} {{ 'abc def'|truncate(3, end='…', leeway=0) }} {{ 'aaaaaaaaaaaaaaaaaaaa'|truncate(10) }} {{ 5|string|truncate }}
{{ 'a b  c'|wordcount }} {{ ''|wordcount }} {{ "don't stop"|wordcount }} {{ 'é ü'|wordcount }}
{{ 'the quick brown fox'|wordwrap(9) }}|{{ 'a\n\nb'|wordwrap(5) }}|{{ 'aaa bbb-ccc ddd'|wordwrap(5) }}|{{ '  lead and trail  '|wordwrap(6) }}|{{ 'x' * 20 }}|{{ ('x' * 20)|wordwrap(7, break_long_words=false) }}|{{ 'one two-three four'|wordwrap(10, break_on_hyphens=false) }}
{{ 'a\nb'|indent }}|{{ 'a\n\nb\n'|indent(2) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ ''|indent }}|{{ 'a'|indent(3, true) }}|{{ 'a\r\nb'|indent(1) }}
{{ 5|indent }}
{{ '<p>Hello <b>World</b></p>'|striptags }} {{ 'a < b > c'|striptags }} {{ '&lt;b&gt; &nbsp; &#39; &quot;'|striptags }} {{ 'a<!-- x -->b'|striptags }} {{ '<a\nhref="x">y</a>'|striptags }}
{{ 'Hello'|replace('l', 'L', 1) }} {{ 'a.b.c'|replace('.', '/') }} {{ 'aaa'|replace('aa', 'b') }} {{ none|replace('N', 'n') }} {{ 'a'|replace('b', 'c') }} {{ 'x'|replace('x', 1) }}
{{ 'hello world'|title }} {{ "it's o'neil"|title }} {{ 'HELLO'|title }} {{ 'a-b_c d'|title }} {{ '1a b2'|title }} {{ 'ǆ'|title }} {{ 'hello world'|capitalize }} {{ ''|capitalize }} {{ 'straße'|upper }} {{ 'İ'|lower|length }}
{{ '  x  '|trim }}| {{ 'xxhixx'|trim('x') }} {{ '\n\ta\n'|trim }}| {{ 'abcba'|trim('ab') }} {{ none|trim }}
{{ 'a b'|urlencode }} {{ 'a/b?c=d&e'|urlencode }} {{ {'q': 'a b', 'r': ['x']}|urlencode }} {{ 'ü'|urlencode }} {{ 5.5|urlencode }} {{ {}|urlencode }}| {{ '~-_.'|urlencode }} {{ [['a', 'b/c']]|urlencode }}
{{ 1000000|filesizeformat }} {{ 1500|filesizeformat }} {{ 1e15|filesizeformat }} {{ 1|filesizeformat(true) }} {{ 2048|filesizeformat(binary=true) }} {{ 1.0|filesizeformat }} {{ 0.5|filesizeformat }} {{ -5|filesizeformat }} {{ 1e30|filesizeformat }}
{{ 'x'|filesizeformat }}
{{ {'a': [1, {'b': none}], 'c': 'é<>'}|tojson }} {{ 'x'|tojson }} {{ 1.0|tojson }} {{ 1e100|tojson }} {{ [true, false, none]|tojson }} {{ "</script>"|tojson }} {{ "it's"|tojson }} {{ {'b': 1, 'a': 2}|tojson }} {{ {none: 1, 'a': 2}|tojson if false }} {{ {true: 1}|tojson }} {{ {1.5: 1}|tojson }} {{ '\u2028🎉\x7f\x01'|tojson }} {{ {'a': {'b': [1, 2]}}|tojson(indent=4) }} {{ [1]|tojson(0) }} {{ ((1, 2), [])|tojson }} {{ 'a'|tojson|upper }} {{ {'a': 'b'}|tojson|e }}
{{ l|tojson(indent='  ') }}
{{ ('a' * 100)|pprint|length }} {{ [1.0, 'a', none]|pprint }} {{ (1,)|pprint }} {{ {'b': 2, 'a': {'d': 1, 'c': 2}}|pprint }} {{ range(30)|list|pprint }} {{ ['a' * 30, 'b' * 30, 'c' * 30]|pprint }} {{ {'k': ['a' * 40, 'b' * 40]}|pprint }} {{ {}|pprint }} {{ [[('x' * 20, 1)] * 3] * 2 }} {{ ([('x' * 20, 1)] * 5)|pprint }} {{ {1: 'a', 'b': 2}|pprint }}
{% for i in 'ab' %}{% for j in 'cd' %}{{ i }}{{ j }}{{ loop.parent }}{% endfor %}{% endfor %}
{% for i in l %}{% set outer = loop %}{% for j in 'ab' %}{{ outer.index }}{{ loop.index }}{{ j }} {% endfor %}{% endfor %}
{% for i in l %}{{ loop.nextitem is defined }}{{ loop.previtem is defined }}{% endfor %} {% for i in l %}{{ loop.cycle('a', 'b', 'c') }}{{ loop.changed(i // 2) }}{% endfor %}
{% for i in l %}{% if loop.index is even %}e{% else %}o{% endif %}{% endfor %} {% for i in l|reverse %}{{ i }}{{ loop.last }}{% endfor %} {% for i in l|select('odd') %}{{ i }}{{ loop.length }}{% endfor %} {% for i in range(3) if i %}{{ i }}{{ loop.first }}{% endfor %}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ loop.index }}{{ k }}{{ v }}{% endfor %} {% for k in {'a': 1} %}{{ k }}{% endfor %} {% for v in {'a': 1}.values() %}{{ v }}{% endfor %} {% for i, (k, v) in [(1, ('a', 2))] %}{{ i }}{{ k }}{{ v }}{% endfor %} {% for x in [1, 2] %}{{ x }}{% endfor %}{{ x }}
{% for i in l %}{% if i == 2 %}{% set found = true %}{% endif %}{% endfor %}{{ found }}| {% set found = false %}{% for i in l %}{% if i == 2 %}{% set found = true %}{% endif %}{% endfor %}{{ found }}
{% if x %}a{% elif y %}b{% else %}c{% endif %} {% if not x %}a{% elif l %}b{% endif %} {% if z is none and l %}n{% endif %} {% if x == 'X' and (n > 3 or n < 1) %}y{% endif %} {% if 'a' in w %}1{% else %}2{% endif %}
{% set a %}  x {{ n }} {% endset %}[{{ a }}] {% set a = [] %}{% if a.append(1) %}{% endif %}{{ a }} {% set b = a %}{% set _ = b.append(2) %}{{ a }} {% set c = a[:] %}{% set _ = c.append(3) %}{{ a }}{{ c }} {% set dd2 = dict(d) %}{% set _ = dd2.update(b=9) %}{{ d.b }}{{ dd2.b }}
{% set ns = namespace(found=false, items=[]) %}{% for i in l %}{% set ns.items = ns.items + [i] %}{% if i > 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}{{ ns.items }}{{ ns['found'] }}
{% macro outer() %}{% macro inner(v) %}<{{ v }}>{% endmacro %}{{ inner(1) }}{{ inner(2) }}{% endmacro %}{{ outer() }}
{% macro m(a, b='x') %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{{ m(1) }}{% call m(2, b=3) %}body{{ n }}{% endcall %}
{% macro list(items) %}{% for i in items %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}{% endmacro %}{{ list(l) }} {{ list(['a']) }} {{ l|list }}
{% macro m(x) %}{{ x }}{{ n }}{% set n = 9 %}{{ n }}{% endmacro %}{{ m(1) }}{{ n }}{{ x }}
{% macro m() %}{{ varargs|join('-') }}|{{ kwargs|dictsort }}{% endmacro %}{{ m(1, 2, a=3) }}{{ m() }}{{ m(*l, **{'q': 1}) }}
{% macro a(n) %}{{ n }}{{ a(n - 1) if n > 0 }}{% endmacro %}{{ a(3) }}
{% call(x) nope() %}{% endcall %}
{% with %}{% set x = 'inner' %}{{ x }}{% endwith %}{{ x }} {% with x = 1 %}{% with x = x + 1 %}{{ x }}{% endwith %}{{ x }}{% endwith %} {% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}
{% filter indent(2) %}a\nb{% endfilter %} {% filter trim %}  x  {% endfilter %}| {% filter upper | replace('A', 'b') %}aa{{ x }}{% endfilter %}
{% raw %}{% for %}{{ }}{% endraw %}{{ x }}{% raw -%}   y   {%- endraw %} {%- raw %} z {% endraw -%} q
a{#- c -#} b {# multi\nline #}c\n{# end #}\nd {#+ p +#} e
{{- x }} {{ x -}}   y {%- if t -%} z {%- endif -%} w\n\n{{- x -}}\n\nv
{% if t -%}\n  a\n{%- else -%}\n  b\n{%- endif %}\nc {%+ if t %}d{% endif +%}\ne
line1\n{% set a = 1 %}\nline2\n\n{% for i in l %}\n- {{ i }}\n{% endfor %}\nend\n\n
{%- set system = "You are helpful." -%}\n{{ system }}\n{% for m in chat -%}\n{{ m.inputs.question }} -> {{ m.outputs.answer }}\n{% endfor -%}\nlast
{{ 'a' if nope }} {{ ('a' if nope) is defined }} {{ (nope if nope)|default('d') }} {{ nope.x if nope else 'safe' }} {{ (nope or {}).x }}| {{ (d.zz or {}).q }}| {{ d.zz|default({})|length }} {{ nope|default(x) }} {{ nope|default }}| {{ z|default('z', boolean=true) }} {{ 0|d(5, true) }}
{{ nope.x|default('d') }}
{{ (nope|default({})).x|default('d') }} {{ (d.zz.y is defined) if d.zz else 'no' }} {{ nope[:2] if nope else '' }} {{ nope is none }} {{ nope is string }} {{ nope is number }} {{ nope is mapping }} {{ nope is sequence }} {{ nope is callable }} {{ nope is sameas none }} {{ nope == none }} {{ nope != nope }} {{ nope|string }}| {{ nope|trim }}| {{ nope|replace('a', 'b') }}| {{ nope|first }}| {{ nope|sort }} {{ nope|unique|list }} {{ nope|sum }} {{ nope|min }}| {{ nope|batch(2)|list }} {{ nope|map('upper')|list }} {{ nope|select|list }} {{ nope|reverse|list }} {{ nope|wordcount }} {{ nope|urlencode }}| {{ nope|title }}| {{ nope|e }}|
{{ nope|tojson }}
{{ nope|round }}
{{ nope|abs }}
{{ nope|float }}
{{ nope|items|list }} {{ nope|dictsort }}
{{ nope|truncate }}
{{ nope|indent }}
{{ nope|pprint }}
{{ nope|groupby('a') }} {{ nope|format(1) }}| {{ nope|center(3) }}| {{ nope|length }} {{ nope|list }} {{ nope|last }}|
{{ nope|xmlattr }}
{{ nope|filesizeformat }}
{{ 'a' + nope }}
{{ [nope] + [1] }} {{ {'a': nope} }} {{ (nope, 1) }} {{ nope ~ nope }}| {{ 'x' in nope }} {{ nope not in [1] }} {{ [nope]|join('-') }}| {{ nope is in [1] }} {{ nope is eq 1 }} {{ nope is odd }}
{{ nope * 2 }}
{{ nope % 2 }}
{{ '%s' % nope }}| {{ '{}'.format(nope) }}| {{ '%d' % nope }}
{{ x.foo }}|{{ x.foo is defined }}|{{ x['foo'] }}|{{ n.foo }}|{{ l.foo }}|{{ none.foo }}|{{ true.foo }}|{{ l.foo|default('d') }}
{{ x.foo.bar }}
{{ x.foo() }}
{{ l.foo() }}
{{ d.zz() }}
{{ n() }}
{{ none() }}
{{ x._private }}|{{ d._x }}| {{ {'_x': 1}._x }} {{ {'__class__': 1}['__class__'] }}
{{ ''.__class__ }}|{{ [].__class__.__base__ }}
{{ x.__class__.__name__ }}
{{ x|attr('__class__') }}|{{ (x|attr('upper'))() }} {{ d|attr('get')('b') }}
{{ cycler }}
{{ cycler() }}
{{ range() }}
{{ range(1, 2, 3, 4) }}
{{ range(0, 10, 0) }}
{{ range(1.5) }}
{{ dict(1) }}
{{ dict([1]) }}
{{ joiner()() }}|{% set j = joiner() %}{{ j() }}{{ j() }} {% set c = cycler(1, 2) %}{{ c.current }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.next() }}
{% set q = namespace() %}{% set q.x = 1 %}{{ q.x }} {{ q.y }}| {{ q.y is defined }} {{ namespace(a=1).a }}
{{ 'aXbXc'.split('X') }} {{ 'a,,b'.split(',') }} {{ ''.split(',') }} {{ ''.split() }} {{ ' a b '.split(' ') }} {{ 'a b c d'.split(None, 2) }} {{ 'a b c d'.rsplit(None, 1) }} {{ 'a,b'.split(sep=',') }} {{ 'a,b,c'.split(',', maxsplit=1) }} {{ 'abc'.split('b', 0) }}
{{ 'abc'.replace('', '-') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'abc'.find('') }} {{ 'abc'.find('b', 2) }} {{ 'abcb'.find('b', -2) }} {{ 'abc'.rfind('') }} {{ 'éa'.find('a') }} {{ 'abc'.startswith('') }} {{ 'abc'.endswith('bc', 1) }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abcabc'.index('c', 3) }}
{{ 'abc'.find(1) }}
{{ 'abc'.startswith(1) }}
{{ 'a'.join('xyz') }} {{ ''.join(['a', 'b']) }} {{ '-'.join({'a': 1, 'b': 2}) }} {{ '-'.join(('a',)) }} {{ '\n'.join(w) }}
{{ 'abc'.strip('ac') }} {{ '  a'.lstrip() }} {{ 'a  '.rstrip() }}| {{ 'www.x.com'.strip('w.mo') }} {{ 'abc'.lstrip('ab') }} {{ '\t\na '.strip() }} {{ 'a'.strip(none) }}
{{ 'abc'.title() }} {{ "they're".title() }} {{ 'aBc'.swapcase() }} {{ 'ABC'.lower() }} {{ 'ß'.casefold() }} {{ 'ﬁ'.upper() }} {{ 'a1b'.capitalize() }} {{ 'x'.center(4) }}| {{ 'xy'.center(5, '-') }} {{ 'x'.ljust(3, '.') }} {{ 'x'.rjust(3, '0') }} {{ '5'.zfill(3) }} {{ '+5'.zfill(4) }} {{ 'ab'.zfill(1) }}
{{ 'x'.center(4, 'ab') }}
{{ '12'.isdigit() }} {{ '1.2'.isdigit() }} {{ '²'.isdigit() }} {{ '½'.isnumeric() }} {{ '١'.isdecimal() }} {{ 'aé'.isalpha() }} {{ 'a b'.isalpha() }} {{ ''.isspace() }} {{ 'A1'.isupper() }} {{ '1'.isupper() }} {{ 'Ab Cd'.istitle() }} {{ 'abc\n'.isprintable() }} {{ '1a'.isidentifier() }} {{ 'abc'.isascii() }} {{ 'é'.isascii() }}
{{ 'abc'.upper(1) }}
{{ 'abc'.split(1) }}
{{ 'abc'.replace('a') }}
{{ 'abc'.encode() }}
{{ '٣'|int }}
{{ 1 is odd if true else 2 }}
{{ {'a': 1}.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1}.items() }} {{ {'a': 1}.copy() }} {{ {'a': 1}.pop('a') }} {{ {'a': 1}.pop('b', 2) }} {{ {}.setdefault('a', []) }} {{ {'a': 1}.get('a') }} {{ {'a': 1}.keys()|length }} {{ {'a': 1}.keys()|first }} {{ ({'a': 1}.items()|first)[0] }} {{ dict.fromkeys(['a'], 1) if false }} {{ {'a': 1}.keys()|list + [2] }}
{{ {}.popitem() }}
{{ {}.get() }}
{{ [1, 2].index(3) }}
{{ [1].remove(2) }}
{{ [1, 2].pop(5) }}
{{ [3, 1].sort() }} {% set a = [3, 1] %}{% set _ = a.sort(reverse=true) %}{{ a }} {{ [1, 2].copy() }} {{ [1].count(true) }} {{ [1, 2].insert(0, 5) }} {{ (1, 2).index(1) }} {{ [1, 2].pop() }} {{ [[1]].pop().append(2) }} {% set a = [1, 2] %}{% set _ = a.insert(-1, 9) %}{{ a }} {% set _ = a.insert(100, 8) %}{{ a }} {% set _ = a.extend('xy') %}{{ a }} {% set _ = a.clear() %}{{ a }}
{{ 1.5.is_integer() }} {{ 3|int is integer }} {{ (3).bit_length() }} {{ 1.0 is integer }} {{ 1 is float }} {{ true is integer }} {{ '1' is number }}
{{ 1 is sameas true }} {{ none is sameas none }} {{ 'a' is sameas 'a' }} {{ [] is sameas [] }} {{ 5 is divisibleby(5) }} {{ 5.5 is divisibleby 5 }} {{ 'abc' is in 'xabcx' }} {{ 'A' is upper }} {{ '1' is lower }} {{ 1 is lower }} {{ 'x' is iterable }} {{ {} is iterable }} {{ range(2) is sequence }} {{ (1,) is sequence }} {{ {}.keys() is sequence }} {{ [1]|map('int') is iterable }} {{ [1]|map('int') is sequence }} {{ loop is defined }} {{ none is not string }} {{ x.upper is callable }} {{ 'int' is filter }} {{ 'mapping' is test }} {{ true is boolean and 1 is not boolean }} {{ 2 is even and not 3 is even }}
{{ 1 is divisibleby 0 }}
{{ 'a' is even }}
{{ none is lower }} {{ [] is upper }}
{{ 5 is gt }}
{{ l is eq [1,2,3] }} {{ 1 is gt 0 }} {{ 'a' is lt 'b' }} {{ 1 is == 1 }}
{{ '' ~ none }} {{ none|string }} {{ none ~ true }} {{ [none, true]|join }} {{ [none]|join('x') }} {{ true|string|lower }} {{ true|tojson }} {{ none|length if false }}
{{ none|length }}
{{ none|first }}
{{ none|join }}
{{ none|sort }}
{{ 1|list }}
{{ 1|reverse }}
{{ 1|join }}
{{ x|nope(1) if false }}
{{ (x is nope) if false }}
{{ }}
{% %}
{{ x, }} {{ (x,) }}
{{ x = 1 }}
{{ x == }}
{{ [1, }}
{{ {1} }}
{{ "a }}
{% if x = 1 %}{% endif %}
{% for x of l %}{% endfor %}
{% for in l %}{% endfor %}
{% set x y %}{% endset %}
{% set x.y.z = 1 %}
{% set x[0] = 1 %}
{% endfor %}
{% if x %}{% endfor %}
{% for i in l %}{% else %}{% else %}{% endfor %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(a, a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% block %}{% endblock %}
{% filter %}x{% endfilter %}
{% filter nope %}x{% endfilter %}
{% with a %}{% endwith %}
{% call %}{% endcall %}
{% elif x %}
{% include %}
{% autoescape %}{% endautoescape %}
{{ x | upper | }}
{{ x.1a }}
{{ 1.x }}
{{ 0x }} {{ 1__0 }}
{{ x! }}
{{ x @ y }}
{{ $x }}
{{ x; y }}
{{ f"a" }}
{{ x if }}
{{ not }}
{{ x is }}
{{ x is not }}
{{ (x }}
{{ x] }}
{{ x.}}
{{ x[}} ]
{% raw %}a
{% raw %}a{% endra %}
{#
{{ '{{' }} {{ "}}" }} {{ '%}' }} {{ '{#' }} {{ {'a': '}'} }}
{ { x } } {% raw %}{{{% endraw %} }} %} #} {x} {%raw%}x{%endraw%} {{x}}{{x}}
{{x}}{%if t%}y{%endif%}{#c#}{{  x  }}{%  if  t  %}z{%  endif  %}
'''


def templates():
    for line in TEMPLATES.strip("\n").split("\n"):
        # `\n` outside of tags is written out: a template of several lines.
        yield line if "{{'" in line or "'\\n" in line or '"\\' in line else line.replace("\\n", "\n")
