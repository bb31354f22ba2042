"""Pages of what is wrong with a file as YAML."""

from rankspec.checks.pages.page import Page

_REQUEST = """\
request:
  body:
    model: "{{ model }}"
    documents: "{{ texts }}"
    top_n: "{{ top_n }}"
"""

PAGES = {
    "yaml-syntax": Page(
        "error",
        "The file is not YAML",
        "The file cannot be parsed. The place is where the parser gave up; the mistake is often a little before it: a "
        "bracket or a quote that is not closed, or a line that is indented otherwise than its neighbours.",
        "Nothing else can be said of a file that cannot be read.",
        bad="endpoint: {base_url: https://api.toy.example, path: /v1/rerank\n",
        good="endpoint: {base_url: https://api.toy.example, path: /v1/rerank}\n",
    ),
    "yaml-tab": Page(
        "error",
        "A tab is used for indentation",
        "A line is indented with a tab. YAML takes spaces only.",
        "How wide a tab is depends on the editor, so YAML does not let it say what belongs to what.",
        bad="limits:\n\tdocuments: 1000\n",
        good="limits:\n  documents: 1000\n",
    ),
    "yaml-surprise": Page(
        "error",
        "A plain value that YAML readers do not agree on",
        "Without quotes this is a date, a number in another base, a boolean or null to some YAML readers and text to "
        "others. Numbers are written as in JSON, and true, false and null in lower case; text that looks like "
        "something else is put in quotes.",
        "An unquoted no becomes false, 12:30 becomes 750, and 2026-01-15 becomes a date: what is sent is then not "
        "what the file says.",
        bad='documentation:\n  - {title: Rerank, url: "https://toy.example/docs/rerank", read: 2026-01-15}\n',
        good='documentation:\n  - {title: Rerank, url: "https://toy.example/docs/rerank", read: "2026-01-15"}\n',
    ),
    "yaml-duplicate-key": Page(
        "error",
        "A key stands in an object twice",
        "The same key is given two values in one object.",
        "Most YAML readers keep the last value and lose the first without a word.",
        bad="limits:\n  documents: 1000\n  documents: 2000\n",
        good="limits:\n  documents: 1000\n",
    ),
    "yaml-alias": Page(
        "error",
        "An anchor or an alias is used",
        "Anchors (&name) and aliases (*name) are not read in specs. Write the value out where it is needed.",
        "A value that stands somewhere else is overlooked when the file is read or changed.",
        bad=(
            "documentation:\n"
            '  - {title: Rerank, url: "https://toy.example/docs/rerank", read: &day "2026-01-15"}\n'
            '  - {title: Errors, url: "https://toy.example/docs/errors", read: *day}\n'
        ),
        good=(
            "documentation:\n"
            '  - {title: Rerank, url: "https://toy.example/docs/rerank", read: "2026-01-15"}\n'
            '  - {title: Errors, url: "https://toy.example/docs/errors", read: "2026-01-15"}\n'
        ),
    ),
    "yaml-tag": Page(
        "error",
        "A tag is used",
        "Tags such as !!int or !name are not read in specs. Write the value in the form that its type has.",
        "Tags make YAML readers build objects of their own types; a spec holds plain data only.",
        bad='limits:\n  documents: !!int "1000"\n',
        good="limits:\n  documents: 1000\n",
    ),
    "yaml-key": Page(
        "error",
        "A key is not text",
        "A list or an object stands where a key is expected. Most often it is an expression that lacks its quotes: to "
        'YAML a value that begins with {{ is an object in an object, so it is written "{{ query }}".',
        "A spec becomes JSON, in which every key is text.",
        bad=f"{_REQUEST}    query: {{{{ query }}}}\n",
        good=f'{_REQUEST}    query: "{{{{ query }}}}"\n',
    ),
    "yaml-documents": Page(
        "error",
        "The file holds more than one document",
        "A line of three hyphens begins a second document. A spec file holds one.",
        "The second one would not be read.",
        bad="title: Toy\n---\n",
        good="title: Toy\n",
    ),
    "yaml-empty": Page(
        "error",
        "The file is empty",
        "The file holds nothing, or comments only.",
        "A spec needs at least its version, its name, and what it extends.",
        bad="# to be written\n",
        good="spec_version: 2\nprovider: toy\nextends: cohere\n",
        is_whole=True,
    ),
    "yaml-too-deep": Page(
        "error",
        "The file is nested too deeply",
        "Lists and objects stand in each other more than 60 levels deep.",
        "No provider's format needs it, and it would slow down whatever reads the spec.",
        bad=f"request:\n  body: {'[' * 61}{']' * 61}\n",
        good=(
            'request:\n  body: {model: "{{ model }}", query: "{{ query }}", documents: "{{ texts }}", '
            'top_n: "{{ top_n }}"}\n'
        ),
    ),
    "yaml-too-large": Page(
        "error",
        "The file is too large",
        "The file has more than 1,000,000 characters.",
        "A spec of that size is a mistake: another kind of file, or recorded replies that were not cut short.",
        bad="# more than 1,000,000 characters\n",
        good="spec_version: 2\nprovider: toy\nextends: cohere\n",
        is_whole=True,
    ),
    "yaml-unreadable": Page(
        "error",
        "The file cannot be read",
        "The file cannot be opened, or is not UTF-8. Save it as UTF-8.",
        "In another encoding letters beyond a to z come out as something else.",
        bad="title: Caf\\xe9  # saved as Latin-1\n",
        good="title: Café  # saved as UTF-8\n",
    ),
}
