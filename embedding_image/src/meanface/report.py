"""`report.html`: the result as one self-contained page."""

from __future__ import annotations

from html import escape
from string import Template

from meanface.result import Result

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Mean face of $dataset</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); --bar: #2b6cb0; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { border-bottom: 1px solid var(--line); padding: .25rem 1rem .25rem 0; }
th { text-align: left; font-weight: 600; } td { overflow-wrap: anywhere; } td.number { text-align: right; }
svg { width: 100%; height: auto; } svg rect { fill: var(--bar); } svg line { stroke: currentColor; }
svg text { fill: currentColor; font-size: 11px; } code { overflow-wrap: anywhere; }
</style>
<h1>Mean face of $dataset</h1>
<p>$faces faces in $photos_with_face of $photos photos. Fingerprint <code>$fingerprint</code>.</p>
$warnings
<h2>What became of the photos</h2>
$outcomes
<h2>The mean embedding</h2>
<p>128 components, unitless; the thin line on each bar is one standard error to either side.</p>
$chart
<h2>Files</h2>
<p>In <code>$location</code>:</p>
$artifacts
<h2>Settings</h2>
$settings
<h2>Versions</h2>
$versions
</html>
""")


def html(result: Result) -> str:
    """The page; every name in it is escaped, and it loads nothing."""
    return _PAGE.substitute(
        dataset=escape(result.dataset),
        faces=f"{result.faces:,}",
        photos_with_face=f"{result.photos_with_face:,}",
        photos=f"{result.photos:,}",
        fingerprint=result.fingerprint[:16],
        warnings="".join(f"<p><strong>Warning:</strong> {escape(warning)}</p>" for warning in result.warnings),
        outcomes=_table({outcome.value: f"{count:,}" for outcome, count in result.outcomes.items()}, numbers=True),
        chart=_bars(result.mean, result.standard_error or [0.0] * len(result.mean)),
        location=escape(result.location),
        artifacts=_table(result.artifacts),
        settings=_table({name: "" if value is None else str(value) for name, value in result.settings.items()}),
        versions=_table(result.versions),
    )


def _table(rows: dict[str, str], *, numbers: bool = False) -> str:
    kind = ' class="number"' if numbers else ""
    cells = (f"<tr><th>{escape(name)}</th><td{kind}>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{''.join(cells)}</table>"


def _bars(values: list[float], errors: list[float]) -> str:
    """A bar chart: one bar per component, its standard error as a line."""
    width, height, left = 960, 240, 40
    step = (width - left) / len(values)
    top = max(abs(value) + error for value, error in zip(values, errors, strict=True)) or 1.0

    def y(value: float) -> float:
        return height / 2 - value / top * (height / 2 - 12)

    marks = []
    for index, (value, error) in enumerate(zip(values, errors, strict=True)):
        x, low, high = left + index * step, min(y(0), y(value)), abs(y(value) - y(0))
        middle = x + step / 2
        marks.append(
            f'<rect x="{x + 0.5:.1f}" y="{low:.1f}" width="{step - 1:.1f}" height="{high:.1f}">'
            f"<title>component {index}: {value:.6f} ± {error:.6f}</title></rect>"
            f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(value - error):.1f}" y2="{y(value + error):.1f}"/>'
        )
    labels = "".join(f'<text x="0" y="{y(v) + 4:.1f}">{v:+.2f}</text>' for v in (top, 0.0, -top))
    axis = f'<line x1="{left}" x2="{width}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>'
    title = f"bar chart of {len(values)} components between {min(values):.3f} and {max(values):.3f}"
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">{axis}{labels}{"".join(marks)}</svg>'
