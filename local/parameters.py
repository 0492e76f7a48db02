"""Write the reference of the stack's parameters from the template: `make parameters`."""

from change_control.sources import template

from local.cloud import ROOT

WRITTEN = ROOT / "docs" / "reference" / "parameters.md"
HEADING = """# Stack parameters

For platform teams who deploy the stack: every parameter of `template.yaml`, its default, and what
it does. [Deploy to AWS](../how-to/deploy-to-aws.md#parameters-worth-a-decision) says which ones
deserve a decision. Change them with `--parameter-overrides` of `sam deploy`, or in
`samconfig.toml`.

`make parameters` writes this page from the template.
"""


def document() -> str:
    """Return the page: a table for each group of parameters, in the template's order."""
    read = template()
    groups = read.read["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    lines = [HEADING]
    for group in groups:
        lines += [
            f"## {group['Label']['default']}",
            "",
            "| parameter | default | |",
            "|---|---|---|",
        ]
        for name in group["Parameters"]:
            told = read.parameters[name]
            default = f"`{told['Default']}`" if str(told.get("Default", "")) else ""
            described = " ".join(told["Description"].split()).replace("|", "\\|")
            lines.append(f"| `{name}` | {default} | {described} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    WRITTEN.write_text(document(), encoding="utf-8")
