"""A class of assets as lines for a person: its parts and limits, and TOML that is ready to fill in."""

from __future__ import annotations

from models.assets.library import template_of
from models.assets.template import Template


def describe_class(name: str) -> list[str]:
    """What a class watches, which channels it wants, and where each limit comes from."""
    template = template_of(name)
    lines = [
        f"{name}: {template.title} / {template.title_zh}",
        template.text,
        template.text_zh,
        "",
        "channels:",
    ]
    for role in template.roles:
        units = ", ".join((role.unit, *role.also)).strip(", ")
        wanted = "" if role.required else " (may be left out)"
        kinds = " or ".join(role.kinds)
        lines.append(
            f"  {role.name}: {role.title} / {role.title_zh}; kind {kinds}; unit {units or 'none'}{wanted}"
        )
    lines += ["", "parameters:"]
    for parameter in template.parameters:
        within = f"{parameter.minimum:g} to {parameter.maximum:g}"
        lines += [
            f"  {parameter.name} = {parameter.default:g} {parameter.unit} ({within}): "
            f"{parameter.title} / {parameter.title_zh}",
            f"    {parameter.source}",
        ]
    lines += ["", "alerts:"]
    for monitor in template.monitors:
        told = f"{monitor.title} / {monitor.title_zh}"
        lines.append(f"  {monitor.name}: {told}; {monitor.detector}; {monitor.hazard}, {monitor.severity}")
    return [*lines, "", "gateway.toml:", "", *ready_toml(name)]


def ready_toml(name: str) -> list[str]:
    """An `[[assets]]` table with every part and every parameter, and the channels it speaks of.

    >>> ready_toml("freezer")[:3]
    ['[[assets]]', 'name = "freezer-1"', 'class = "freezer"']
    """
    template = template_of(name)
    asset = name.replace("_", "-") + "-1"
    parts = ", ".join(f'{role.name} = "{asset}/{role.name}"' for role in template.roles)
    values = ", ".join(f"{p.name} = {p.default:g}" for p in template.parameters)
    table = ["[[assets]]", f'name = "{asset}"', f'class = "{name}"', 'place = "b1"']
    return [*table, f"channels = {{ {parts} }}", f"parameters = {{ {values} }}", *_channels(asset, template)]


def _channels(asset: str, template: Template) -> list[str]:
    """As comments: which device they come from only the site knows."""
    lines = ["# the channels, under the device they come from:"]
    for role in template.roles:
        lines += [
            "# [[devices.channels]]",
            f'# name = "{asset}/{role.name}"',
            f'# kind = "{role.kinds[0]}"',
            f'# source = "..."      # {role.title}',
        ]
    return lines
