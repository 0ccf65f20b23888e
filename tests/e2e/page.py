# Reads the pages that dagrun writes: are they whole and safe, and what is in them?
import html.parser
import json
import re

from harness import check, equal

VOID = {'meta', 'br', 'input', 'col'}
# An SVG's elements may be closed at once.
DIGITS = {c: i for i, c in enumerate('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')}


class Page(html.parser.HTMLParser):
    """Tags are balanced, nothing is loaded from anywhere, and a script runs only by its nonce."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.tags, self.texts = [], [], [], []
        self.scripts, self.data, self.csp, self.tables = [], None, None, []
        check('\x00' not in text and not re.search('[\x01-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]', text), 'control characters')
        self.feed(text)
        self.close()
        equal(self.open, [], 'tags that are left open')
        equal(len(set(self.ids)), len(self.ids), 'ids: %s' % self.ids)
        check(text.startswith('<!DOCTYPE html>\n<html lang="en">'), 'the beginning')
        self.check_policy()

    def check_policy(self):
        policy = dict(p.strip().split(' ', 1) for p in self.csp.split(';'))
        equal(policy['default-src'], "'none'", 'default-src')
        nonce = re.fullmatch(r"'nonce-([0-9a-f]{32})'", policy['script-src']).group(1)
        equal(sorted(policy), ['base-uri', 'default-src', 'form-action', 'script-src', 'style-src'], 'policy')
        for attrs in self.scripts:
            check(attrs == {'nonce': nonce} or attrs == {'type': 'application/json', 'id': 'data'}, attrs)
        equal(len(self.scripts), 2, 'scripts')

    def handle_starttag(self, tag, attrs):
        self.tag(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tag(tag, dict(attrs))

    def tag(self, tag, attrs):
        self.tags.append(tag)
        check(tag not in ('link', 'img', 'iframe', 'object', 'base', 'form', 'image', 'use'), tag)
        for key, value in attrs.items():
            check(not key.startswith('on') and key not in ('src', 'style', 'srcset', 'xlink:href'), '%s %s' % (tag, key))
            check(key != 'href' or value.startswith('#'), value)
        if 'id' in attrs:
            self.ids.append(attrs['id'])
        if tag == 'script':
            self.scripts.append(attrs)
        if attrs.get('http-equiv') == 'Content-Security-Policy':
            self.csp = attrs['content']
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, '</%s> in %s' % (tag, self.open))
        self.open.pop()

    def handle_data(self, text):
        if self.open and self.open[-1] == 'script':
            if self.scripts[-1].get('id') == 'data':
                self.data = json.loads(text)
            return
        if self.open and self.open[-1] == 'style':
            check('@import' not in text and 'url(' not in text, text)
            return
        self.texts.append(text)
        for tag in reversed(self.open):
            if tag in ('td', 'th'):
                self.tables[-1][-1][-1] += text
                break

    def handle_comment(self, text):
        check(False, 'a comment: ' + text)

    def table(self, *heads):
        """The rows of the table whose head has these words."""
        for t in self.tables:
            if all(h in t[0] for h in heads):
                return [dict(zip(t[0], row)) for row in t[1:]]
        check(False, 'no table with %s' % (heads,))


def column(text):
    out, at, value = [], 0, 0

    def word():
        nonlocal at
        w, shift = 0, 0
        while True:
            d = DIGITS[text[at]]
            at += 1
            w |= (d & 31) << shift
            shift += 5
            if d < 32:
                return w
    while at < len(text):
        w = word()
        run = word() if w & 1 else 1
        z = w >> 1
        for _ in range(run):
            value += -(z + 1) // 2 if z & 1 else z // 2
            out.append(value)
    return out


def names(o):
    out, at, name = [], 0, ''
    # JavaScript counts in units of UTF-16.
    rest = o['rest'].encode('utf-16-le', 'surrogatepass')
    for shared, length in zip(column(o['shared']), column(o['length'])):
        head = name.encode('utf-16-le')[:2 * shared]
        name = (head + rest[2 * at:2 * (at + length)]).decode('utf-16-le')
        at += length
        out.append(name)
    equal(2 * at, len(rest), 'what is left of the names')
    return out


def read(path):
    with open(path, encoding='utf-8', newline='') as f:
        return Page(f.read())
