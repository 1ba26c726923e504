"""`report` writes a run (page, tables, manifest); `verify` checks one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supplychain.cli import options

Policy = Annotated[str | None, typer.Option("--policy", help="Sourcing policy: a name in models/policies or a file.")]
Folder = Annotated[
    Path | None, typer.Option("--output", help="Folder of the run. Default: reports/BUYER-DATE in this directory.")
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format", help="html, pdf, xlsx, md, pptx or all; several with commas or repeated. Default: html,pdf,xlsx."
    ),
]


Redact = Annotated[
    bool,
    typer.Option(
        "--redact", help="Write codes for organisations, supplies, plants, the buyer and sources of the data."
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="File of the key to the codes. Default: FOLDER.redaction-key.csv, beside the folder."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""

    @app.command()
    def report(
        on: options.On = options.DEFAULT_DATE,
        policy: Policy = None,
        output: Folder = None,
        written: Formats = None,
        language: options.Language = options.Tongue.en,
        redact: Redact = False,
        key: KeyFile = None,
        *,
        wanted: options.CaseOptions,
        seed: options.Seed = 0,
        quiet: options.Quiet = False,
    ) -> None:
        """Write the report (page, PDF, workbook), its tables (CSV, Parquet) and a manifest. Prints the page's path."""
        from supplychain.cli.output import progress
        from supplychain.errors import UsageError
        from supplychain.report.formats import chosen
        from supplychain.report.make import Request, default_folder, key_path, make

        if key is not None and not redact:
            raise UsageError("--key names where the key of a redacted report goes: give --redact too")
        request = Request(
            **wanted.described(on),
            policy=policy,
            seed=seed,
            language=language.value,
            redact=redact,
            key=key,
            formats=chosen(written or ()),
        )
        with progress(quiet) as step:
            page = make(request, output, step)
        typer.echo(page)
        if redact and not quiet:
            private = key_path(request, output or default_folder(request))
            typer.echo(f"the key to the codes, for you alone: {private}", err=True)

    @app.command()
    def verify(
        run: Annotated[Path, typer.Argument(help="What a command wrote: a folder, or a file.")],
        files_only: Annotated[
            bool, typer.Option("--files-only", help="Compare the files' hashes; compute nothing again.")
        ] = False,
        key: Annotated[
            Path | None, typer.Option("--key", help="Key of a redacted report: without it only hashes are compared.")
        ] = None,
        quiet: options.Quiet = False,
    ) -> None:
        """Check a run: files and inputs against the manifest's hashes, then everything computed again and compared."""
        from supplychain.cli.output import progress, show_table
        from supplychain.cli.record import repeat
        from supplychain.report.verify import verify as check

        with progress(quiet) as step:
            verdict = check(run, step, recompute=not files_only, repeat=repeat, key=key)
        bad = verdict.table[verdict.table["outcome"] != "same"]
        if len(bad):
            show_table(bad, title="What differs")
        typer.echo(verdict.sentence)
        raise typer.Exit(0 if verdict.good else 4)
