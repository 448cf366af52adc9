"""The approval page's one style sheet: no fonts, images or scripts, light and dark, readable at any width."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

CSS: Final = b"""
:root {
  color-scheme: light dark;
  --ink: #16202b; --soft: #55626f; --paper: #ffffff; --ground: #eef1f4; --line: #d5dce3;
  --accent: #0b5cad; --accent-ink: #ffffff;
  --danger: #a3161f; --danger-ground: #fdecec; --warning: #7a4b00; --warning-ground: #fff4dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e9eef3; --soft: #a3b0bd; --paper: #19212a; --ground: #0f151b; --line: #33404d;
    --accent: #7db8f5; --accent-ink: #08192b;
    --danger: #ff9b9b; --danger-ground: #3a181b; --warning: #ffd08a; --warning-ground: #35280f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.5rem 1rem 3rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
}
main {
  max-width: 38rem; margin: 0 auto; padding: 1.5rem 1.75rem 1.75rem;
  background: var(--paper); border: 1px solid var(--line); border-radius: 14px;
}
.brand { max-width: 38rem; margin: 0 auto .75rem; color: var(--soft); font-size: .875rem; }
h1 { margin: 0 0 .25rem; font-size: 1.3rem; line-height: 1.3; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
.soft { color: var(--soft); font-size: .9rem; }
dl { margin: 1rem 0 0; }
dl > div { padding: .6rem 0; border-top: 1px solid var(--line); }
dl > div:not(.lead) { display: grid; grid-template-columns: 9rem 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.lead dd { font-size: 1.35rem; line-height: 1.4; font-weight: 600; }
.lead.amount dd { font-size: 2.4rem; line-height: 1.2; }
.lead.payee dd, .digest dd { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.lead.payee dd { font-size: 1.05rem; }
.digest dd { font-size: .8rem; color: var(--soft); }
.findings { list-style: none; margin: 1rem 0 0; padding: 0; }
.findings li { margin: .5rem 0; padding: .6rem .8rem; border-left: 5px solid var(--line); background: var(--ground); }
.findings .warning { border-color: var(--warning); background: var(--warning-ground); color: var(--warning); }
.findings .danger { border-color: var(--danger); background: var(--danger-ground); color: var(--danger); }
.alert {
  margin: 0 0 1rem; padding: .7rem .9rem; border-left: 5px solid var(--danger);
  background: var(--danger-ground); color: var(--danger); font-weight: 600;
}
.confirm { margin-top: 1.25rem; padding-top: 1rem; border-top: 3px solid var(--line); }
.match { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin: 0 0 .5rem; }
.match strong { font: 700 1.9rem/1.2 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.codes { display: grid; align-items: end; gap: .25rem 1rem;
  grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); }
label { display: block; margin: .5rem 0 .25rem; font-weight: 600; }
input[type=text] {
  width: 100%; padding: .6rem .7rem; border: 1px solid var(--soft); border-radius: 8px;
  background: var(--paper); color: var(--ink);
  font: 1.2rem/1.3 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; letter-spacing: .08em;
}
button {
  min-height: 3rem; margin-top: 1rem; padding: .6rem 1.4rem; border: 2px solid var(--accent); border-radius: 8px;
  background: var(--accent); color: var(--accent-ink); cursor: pointer;
  font: inherit; font-size: 1.05rem; font-weight: 600;
}
button.wide { width: 100%; }
button.quiet { background: transparent; color: var(--ink); border-color: var(--soft); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.requests { list-style: none; margin: 1rem 0 0; padding: 0; }
.requests li { padding: .75rem 0; border-top: 1px solid var(--line); }
.requests a { display: block; font-weight: 600; overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  main { padding: 1.1rem 1rem 1.25rem; }
  dl > div:not(.lead) { grid-template-columns: 1fr; }
  .lead.amount dd { font-size: 1.9rem; }
}
"""
"""Served as /style.css."""

INTEGRITY: Final = "sha256-" + base64.b64encode(hashlib.sha256(CSS).digest()).decode("ascii")
"""What the page pins the sheet to. Source: Subresource Integrity."""
