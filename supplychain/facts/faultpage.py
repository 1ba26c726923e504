"""One HTML page with every fault of a data package: opens from disk, fetches nothing, runs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, StrictUndefined

from supplychain.errors import Problem

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 1.8rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #d8dfe6; }
th { font-weight: 600; } td.place { white-space: nowrap; } code { overflow-wrap: anywhere; }
.error { color: #a3201d; font-weight: 600; } .warning { color: #7a5200; font-weight: 600; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ verdict }}</p>
{% for file, rows in groups %}
<h2>{{ file }}</h2>
<table>
<thead><tr><th>row</th><th>column</th><th>value</th><th>rule</th><th>what to do</th></tr></thead>
<tbody>
{% for severity, p in rows %}
<tr><td class="place"><span class="{{ severity }}">{{ severity }}</span> {{ p.row if p.row is not none else "" }}</td>
<td>{{ p.column }}</td><td><code>{{ p.value }}</code></td><td>{{ p.rule }} <small>[{{ p.code }}]</small></td>
<td>{{ p.cure }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endfor %}
</body>
</html>
"""


def fault_page(name: str, errors: Sequence[Problem], warnings: Sequence[Problem]) -> str:
    """Return the page: errors and warnings by file and row. Whatever the package says is shown as text."""
    found = [("error", problem) for problem in errors] + [("warning", problem) for problem in warnings]
    files = sorted({problem.file or problem.table for _, problem in found})
    groups = [
        (file or "the package", [entry for entry in found if (entry[1].file or entry[1].table) == file])
        for file in files
    ]
    verdict = "Refused" if errors else "Accepted"
    counts = (
        f"{verdict}: {len(errors)} errors, {len(warnings)} warnings. Rows are numbered as a spreadsheet shows them."
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_PAGE).render(title=f"Check of {name}", verdict=counts, groups=groups)
