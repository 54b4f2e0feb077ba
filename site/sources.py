"""Files of the repository that pages name, and what pages keep beside their text.

A hook of MkDocs. A link to a file outside ``docs/`` leads to a page that shows the file; the
notebook and the changes are pages; drawings stand in the page, where its colours reach them.
"""

import json
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
#: Links out of ``docs/``, as GitHub follows them.
OUTSIDE = re.compile(r"\]\((?:\.\./)+([^)#\s]+)(#[^)\s]*)?\)")
#: Links into it from elsewhere.
INSIDE = re.compile(r"\]\((?:\.\./)*docs/")
#: Links that show the name of their file, which readers of the site do not see.
NAMED = re.compile(r"\[([\w-]+)\.md\]\(")
DRAWING = re.compile(r"^!\[([^\]]*)\]\((pictures/[\w-]+\.svg)\)$", re.M)
#: A mark before a block of commands: why tests do not run it.
MARK = re.compile(r"^( *)<!-- needs: ([^>]*?) -->\n", re.M)
#: Pages made of files elsewhere, by their place in the site.
MADE = {"changes.md": "CHANGELOG.md", "tour.md": "examples/tour.ipynb"}
#: What the theme asks a network for, so that its search works on files.
SHIM, OWN_SHIM = "https://unpkg.com/iframe-worker/shim", "vendor/iframe-worker.js"
LANGUAGES = {".py": "python", ".json": "json", ".h": "c", ".cpp": "cpp", ".v": "verilog"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files elsewhere, and of those that pages link."""
    wanted = set()
    for file in files.documentation_pages():
        for found in OUTSIDE.finditer(file.content_string):
            path = found[1]
            if not (ROOT / path).is_file():
                raise PluginError(f"{file.src_uri} must link a file that is there, not {path}")
            wanted.add(path)
    for place, path in MADE.items():
        files.append(File.generated(config, place, content=shown(path)))
    for path in sorted(wanted - set(MADE.values())):
        files.append(File.generated(config, _place(path), content=shown(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to those pages, put drawings in place, and show what a block needs."""
    depth = len(PurePosixPath(page.file.src_uri).parts) - 1
    markdown = NAMED.sub(lambda found: f"[{found[1].replace('-', ' ')}](", markdown)
    made = {path: place for place, path in MADE.items()}

    def link(found: re.Match) -> str:
        place = made.get(found[1], _place(found[1]))
        return f"]({'../' * depth}{place}{found[2] or ''})"

    markdown = OUTSIDE.sub(link, markdown)
    markdown = MARK.sub(lambda found: f"{found[1]}{badge(found[2])}\n\n", markdown)
    return DRAWING.sub(lambda found: drawing(found[2], found[1]) or found[0], markdown)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Take the search's helper from the site itself, not from a network."""
    depth = len(PurePosixPath(page.url).parts) - 1
    return output.replace(SHIM, f"{'../' * depth}{OWN_SHIM}")


def on_post_template(output_content: str, *, template_name: str, config: MkDocsConfig) -> str:
    """Do the same for pages without a text, such as that of a page that is not there."""
    return output_content.replace(SHIM, OWN_SHIM)


def badge(needs: str) -> str:
    """Return what a reader sees of a mark."""
    verb = "takes" if needs == "minutes" else "needs"
    return f'<p class="needs">{verb} {needs}</p>'


def drawing(path: str, text: str) -> str:
    """Return an SVG of ``docs/`` as a part of its page, with a text for those who do not see it.

    Nothing of one that takes no colour of the page: a plot stays a picture.
    """
    source = (ROOT / "docs" / path).read_text(encoding="utf-8")
    if "var(--bf-" not in source:
        return ""
    source = re.sub(r"<\?xml.*?\?>\s*|<!--.*?-->\s*", "", source, flags=re.S)
    source = re.sub(r"\n\s*", " ", source).strip()
    return f'<figure class="drawing" markdown="0" aria-label="{text}">{source}</figure>'


def shown(path: str) -> str:
    """Return a page that shows a file of the repository."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path in MADE.values():
        text = notebook(text) if path.endswith(".ipynb") else text
        return INSIDE.sub("](", text)
    language = LANGUAGES.get(PurePosixPath(path).suffix, "text")
    return f"# {path}\n\n````{language}\n{text.rstrip()}\n````\n"


def notebook(text: str) -> str:
    """Return a notebook as Markdown: its texts, its code and what that came to."""
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            said = output.get("text") or output.get("data", {}).get("text/plain", "")
            if said:
                parts.append(f"```text\n{''.join(said).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def _place(path: str) -> str:
    """Return where the page of a file stands."""
    return f"sources/{path}.md"
