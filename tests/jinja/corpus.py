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
'''


def templates():
    for line in TEMPLATES.strip("\n").split("\n"):
        # `\n` outside of tags is written out: a template of several lines.
        yield line if "{{'" in line or "'\\n" in line or '"\\' in line else line.replace("\\n", "\n")
