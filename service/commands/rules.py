"""`minhbach rules`: the rule catalogue."""

from __future__ import annotations

import click

from service.console import json_option, start


@click.group("rules", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    r"""Các quy tắc: căn cứ pháp lý, tham số, ví dụ / the rules: law, parameters, examples.

    \b
    Ví dụ / Examples:
      minhbach rules list
      minhbach rules show BED-01
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@command.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """Liệt kê / list."""
    from detectors.base import rules

    _, console = start(as_json)
    rows = [
        {
            "id": r.id,
            "version": r.version,
            "scheme": r.scheme,
            "severity": r.severity,
            "title_vi": r.title_vi,
            "title_en": r.title_en,
            "legal_basis": r.legal_basis,
        }
        for r in rules()
    ]
    title = console.text("title_vi", "title_en")
    console.result(
        {"rules": rows},
        lambda: console.table(
            ["id", "v", "severity", "scheme", console.text("Nội dung", "Title"), console.text("Căn cứ", "Law")],
            [(r["id"], r["version"], r["severity"], r["scheme"], r[title], r["legal_basis"]) for r in rows],
        ),
    )


@command.command("show")
@click.argument("rule_id")
@json_option
def show(rule_id: str, as_json: bool) -> None:
    """Một quy tắc / one rule."""
    from detectors.base import rules

    _, console = start(as_json)
    found = {r.id: r for r in rules()}
    if rule_id not in found:
        raise click.BadParameter(f"{rule_id}: {', '.join(found)}", param_hint="RULE_ID")
    rule = found[rule_id]
    console.result(
        {
            "id": rule.id,
            "version": rule.version,
            "scheme": rule.scheme,
            "severity": rule.severity,
            "title_vi": rule.title_vi,
            "title_en": rule.title_en,
            "legal_basis": rule.legal_basis,
            "valid_from": rule.valid_from,
            "valid_to": rule.valid_to,
            "needs": list(rule.needs),
            "catalogues": list(rule.catalogues),
            "parameters": dict(rule.parameters),
            "known_gaps": rule.known_gaps,
            "examples": [f"{e.kind}: {e.title}" for e in rule.examples],
        }
    )
