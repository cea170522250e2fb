"""Texts of Jira Cloud, which come as documents of nodes (the Atlassian Document Format), as Markdown."""

from tickethub.transfer.rows import listing, mapping, text, whole

DEEPEST = 30  # lists and quotes within each other; what is deeper is shown as text, since each adds to every line
MARKS = {"strong": "**{}**", "em": "*{}*", "code": "`{}`", "strike": "~~{}~~"}


def as_markdown(node, depth=0):
    """The Markdown of a node. What has no counterpart there gives the text within."""
    return "\n\n".join(filter(None, (block(each, depth) for each in listing(node.get("content")))))


def block(node, depth):
    kind, inner = node.get("type"), listing(node.get("content"))
    attributes = mapping(node.get("attrs"))
    if depth > DEEPEST:
        return inline(inner)
    match kind:
        case "heading":
            return "#" * min(whole(attributes.get("level")) or 1, 6) + " " + inline(inner)
        case "codeBlock":
            return f"```{text(attributes.get('language'))}\n{inline(inner)}\n```"
        case "bulletList" | "taskList":
            return "\n".join(item("- ", each, depth + 1) for each in inner)
        case "orderedList":
            return "\n".join(item(f"{number}. ", each, depth + 1) for number, each in enumerate(inner, 1))
        case "blockquote":
            return "\n".join(f"> {line}".rstrip() for line in as_markdown(node, depth + 1).splitlines())
        case "rule":
            return "---"
    return (
        inline(inner) if any("text" in each for each in inner) or kind == "paragraph" else as_markdown(node, depth + 1)
    )


def item(mark, node, depth):
    body = block(node, depth) if node.get("type") == "taskItem" else as_markdown(node, depth)
    first, *rest = body.splitlines() or [""]
    return "\n".join([mark + first, *(" " * len(mark) + line if line else "" for line in rest)])


def inline(nodes):
    return "".join(map(span, nodes))


def span(node):
    attributes = mapping(node.get("attrs"))
    if node.get("type") == "hardBreak":
        return "\n"
    shown = text(node.get("text")) or text(attributes.get("text")) or text(attributes.get("url"))
    for mark in {text(mark.get("type")): mark for mark in listing(node.get("marks"))}.values():  # each but once
        if mark.get("type") == "link":
            shown = f"[{shown}]({text(mapping(mark.get('attrs')).get('href'))})"
        else:
            shown = MARKS.get(text(mark.get("type")), "{}").replace("{}", shown)
    return shown or inline(listing(node.get("content")))
