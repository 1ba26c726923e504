"""`app` serves the what-if application to a browser on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from supplychain.cli import options

Port = Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; the next free one if it is in use. 0: any.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the link; open no browser.")]
Policy = Annotated[str, typer.Option("--policy", help="Sourcing policy: a name in models/policies or a file.")]


def register(app: typer.Typer) -> None:
    """Add the command of this group."""

    @app.command("app")
    def serve_app(
        on: options.On = options.DEFAULT_DATE,
        policy: Policy = "balanced",
        port: Port = 0,
        no_browser: NoBrowser = False,
        *,
        wanted: options.CaseOptions,
        quiet: options.Quiet = False,
    ) -> None:
        """Open the what-if application: move a membership switch and see what changes. Ctrl+C ends it."""
        from supplychain.app.server import prepare, serve
        from supplychain.app.workspace import Setup
        from supplychain.cli.output import progress

        asked = wanted.described(on)
        setup = Setup(**{**asked, "products": tuple(sorted(set(asked["products"])))}, policy=policy)
        with progress(quiet) as step:
            step("reading facts and law")
            built = prepare(setup)
        serve(built, port, not no_browser, typer.echo)
