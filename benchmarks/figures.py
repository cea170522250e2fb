"""Draw curves as SVG, for the docs."""

import math
from pathlib import Path
from xml.sax.saxutils import escape

from serving import ROOT

IMAGES = ROOT / "docs/images"
WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 48
COLORS = ["#1f6feb", "#d73a4a", "#0e8a16", "#b08800", "#6f42c1", "#0a7ea4", "#6b7280", "#c2410c"]


def draw(name, title, across, up, curves):
    """Draw `{label: [(x, y), …]}` on logarithmic axes into docs/images/NAME.svg; give its path."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    place_x = scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    place_y = scale(10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys))), HEIGHT - BOTTOM, TOP)
    parts = [text(LEFT, 22, title, size=15), text(LEFT, HEIGHT - 10, across), text(4, TOP - 8, up)]
    parts += [text(place_x(x), HEIGHT - BOTTOM + 16, f"{x:,.0f}", anchor="middle") for x in sorted(set(xs))]
    for power in range(math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys))) + 1):
        y = place_y(10**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(text(LEFT - 6, y + 4, f"{10**power:,g}", anchor="end"))
    ends = []
    for color, (label, points) in zip(COLORS * 2, curves.items(), strict=False):
        places = [(place_x(x), place_y(y)) for x, y in sorted(points)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        ends.append([places[-1][1], label, color])
    for y, label, color in apart(ends):
        parts.append(text(WIDTH - RIGHT + 8, y + 4, label, color=color))
    path = Path(IMAGES, f"{name}.svg")
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
    return path


def scale(low, high, start, end):
    """Where a value from `low` to `high` stands between two ends, by its logarithm."""
    width = math.log(high / low) or 1
    return lambda value: start + (end - start) * math.log(value / low) / width


def apart(ends):
    """The labels of curves from top to bottom, none over another."""
    last = -math.inf
    for end in sorted(ends):
        last = end[0] = max(end[0], last + 14)
        yield end


def text(x, y, words, size=12, anchor="start", color="#24292f"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}">{escape(words)}</text>'
    )
