"""The commands about what may come: `whatif`, `sweep`, `backtest`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.options import (
    DEFAULT_DATE,
    CaseOptions,
    Format,
    Horizons,
    Language,
    On,
    Output,
    OutputFormat,
    Quiet,
    Seed,
    Tongue,
    months,
)

if TYPE_CHECKING:
    import pandas as pd

    from supplychain.whatif.compare import Comparison


class Part(StrEnum):
    """Which table of a comparison the formats of one table (table, csv, parquet) carry."""

    headline = "headline"
    needs = "needs"
    plants = "plants"
    by_part = "split"
    choke_points = "choke_points"
    times = "times"
    weeks = "weeks"
    phases = "phases"
    costs = "costs"
    regrets = "regrets"


_SHOWN = {
    Part.headline: ["scenario", "measure", "horizon", "after", "short", "after_high", "short_high", "delta_after",
                    "delta_short", "margin_short"],
    Part.times: ["scenario", "plant", "item", "measure", "weeks_to_survive", "week_recovered", "loss_area",
                 "baseline_weeks_to_survive", "baseline_loss_area"],
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(whatif)
    app.command()(sweep)
    app.command()(resilience)
    app.command()(backtest)


def whatif(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="[SCENARIO]...", help="Bundled scenarios by name, or TOML files.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the bundled scenarios and stop.")] = False,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="As the arguments: a name or file; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another value of a scenario's parameter.")
    ] = None,
    on: On = DEFAULT_DATE,
    horizons: Horizons = "3,12,36",
    part: Annotated[Part, typer.Option("--part", help="Which table to write; JSON carries all.")] = Part.headline,
    page: Annotated[
        Path | None, typer.Option("--page", help="Also write a page with charts, and every table, into this folder.")
    ] = None,
    page_format: Annotated[
        list[str] | None,
        typer.Option("--page-format", help="html, pdf, xlsx, md, pptx or all; several with commas. Default: html."),
    ] = None,
    language: Language = Tongue.en,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact", help="Write codes into the page for organisations, supplies, plants, the buyer, your scenarios."
        ),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="File of the key to the codes. Default: PAGE.redaction-key.csv, beside the page."),
    ] = None,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Compare the case as it is with scenarios: losses over time, who is hit, choke points, stock, cost and regret."""
    from supplychain.cli.output import progress, show_table
    from supplychain.errors import UsageError

    if listing:
        show_table(_listing(), form, output, title="Bundled scenarios")
        return
    names = [*(scenarios or []), *(scenario or [])]
    if not names:
        raise UsageError("name a scenario, such as `supplychain whatif taiwan-outage`; --list tells the bundled ones")
    from supplychain.report.redact import key_place
    from supplychain.whatif.compare import compare
    from supplychain.whatif.scenario import load_scenario

    if redact and page is None:
        raise UsageError("--redact writes codes into a page: give --page FOLDER too")
    if key is not None and not redact:
        raise UsageError("--key names where the key of a redacted page goes: give --redact too")
    if redact and output is not None:
        raise UsageError("--output writes names: leave it out with --redact, and write the table in a run of its own")
    private = key_place(key, page) if redact and page is not None else None
    span = months(horizons)
    loaded = [load_scenario(name) for name in dict.fromkeys(names)]
    values = _values(set_ or [])
    for name in values:
        if not any(name in (one.parameters or {}) for one in loaded):
            known = sorted({key for one in loaded for key in one.parameters or {}})
            raise UsageError(f"no scenario here has a parameter {name!r}; there are: {', '.join(known) or 'none'}")
    loaded = [one.with_values({k: v for k, v in values.items() if k in (one.parameters or {})}) for one in loaded]
    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        found = compare(case, loaded, span, step)
        if page is not None:
            from supplychain.report import language as languages
            from supplychain.report.formats import chosen
            from supplychain.report.whatif_page import write_page

            step("writing the page")
            speech, formats = languages.language(language.value), chosen(page_format or ["html"])
            written = write_page(found, page, speech, formats, hide=redact, key_file=private)
    show_table(
        found.tables[part.value],
        form,
        output,
        title=f"What-if for {case.buyer} on {case.on}",
        columns=_SHOWN.get(part),
        notes=_notes(found),
        record=_record(found) if form is Format.json else None,
    )
    if page is not None:
        typer.echo(written, err=True)
    if private is not None and not quiet:
        typer.echo(f"the key to the codes, for you alone: {private}", err=True)


class Design(StrEnum):
    """How a sweep chooses its draws."""

    mc = "mc"
    lhs = "lhs"
    grid = "grid"
    one = "one"


class SweepPart(StrEnum):
    """Which table of a sweep to show."""

    ranges = "ranges"
    tornado = "tornado"
    ranking = "ranking"
    runs = "runs"
    expected = "expected"


def sweep(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Bundled scenarios or TOML files.")],
    folder: Annotated[Path, typer.Option("--output", help="Folder of the sweep; a sweep found there is resumed.")],
    design: Annotated[
        Design, typer.Option("--design", help="mc, lhs (Latin hypercube), grid, or one at a time (tornado).")
    ] = Design.mc,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Draws of mc and lhs.")] = 200,
    points: Annotated[int, typer.Option("--points", min=1, help="Values per dimension of a grid.")] = 3,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="NAME[=LOW..HIGH]", help="An assumption to vary beside the parameters; or all."),
    ] = None,
    data: Annotated[bool, typer.Option("--data", help="Also draw the figures anew, within their quality.")] = False,
    both: Annotated[bool, typer.Option("--both-bounds", help="Also the losses if unknown facts were adverse.")] = False,
    horizons: Horizons = "12",
    most: Annotated[
        int, typer.Option("--max-scenarios", min=1, help="Refuse, with an estimate, a sweep of more runs.")
    ] = 20_000,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Local processes; 0 = one per core.")] = 0,
    cluster: Annotated[
        str, typer.Option("--cluster", help="Dask: local, tcp://127.0.0.1:PORT or tls://HOST:PORT.")
    ] = "",
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that one run may take.")] = 600.0,
    outcome: Annotated[str, typer.Option("--outcome", help="Column that tornado and ranking speak of.")] = "",
    part: Annotated[SweepPart, typer.Option("--part", help="Which table to show.")] = SweepPart.ranges,
    on: On = DEFAULT_DATE,
    *,
    wanted: CaseOptions,
    seed: Seed = 0,
    form: OutputFormat = Format.table,
    quiet: Quiet = False,
) -> None:
    """Run scenarios under many draws of parameters, assumptions and figures; resumable, on processes or a Dask
    cluster."""
    from supplychain.cli.output import progress, remark, show_table
    from supplychain.errors import EnvironmentFault, UsageError
    from supplychain.whatif import sensitivity
    from supplychain.whatif import workers as work
    from supplychain.whatif.scenario import load_scenario
    from supplychain.whatif.store import opened
    from supplychain.whatif.sweep import CaseSpec, make_plan

    asked = wanted.described(on)
    paths = {name: _absolute(asked[name]) for name in ("network", "regimes", "assumptions")}
    spec = CaseSpec(**{**asked, **paths, "overlays": tuple(map(_absolute, asked["overlays"]))})
    loaded = [load_scenario(name) for name in dict.fromkeys(scenarios)]
    with progress(quiet) as step:
        step("planning")
        plan = make_plan(
            spec, loaded, design.value, samples, points, seed, tuple(vary or ()), data, months(horizons), both, most
        )
        with opened(folder, plan) as store:
            if cluster:
                work.run_cluster(store, cluster, workers or work.cores(), step, timeout)
            else:
                work.run_local(store, workers or work.cores(), timeout, step)
            table = store.table()
            if not len(table):
                raise EnvironmentFault(f"no run finished: {next(iter(store.failed.values()), '')}")
            path = store.finish()
            failed = dict(store.failed)
    columns = sensitivity.outcome_columns(table)
    chosen = outcome or columns[_usual(columns)]
    if chosen not in columns:
        raise UsageError(f"--outcome {chosen!r} is not one of {', '.join(columns)}")
    shown = {
        SweepPart.ranges: lambda: sensitivity.ranges(table),
        SweepPart.tornado: lambda: sensitivity.tornado(table, plan, chosen),
        SweepPart.ranking: lambda: sensitivity.rank_stability(table, chosen),
        SweepPart.runs: lambda: table,
        SweepPart.expected: lambda: sensitivity.expected(table, plan, chosen),
    }[part]()
    notes = [f"{len(table):,} of {plan.runs:,} runs; table: {path}", f"tornado and ranking speak of {chosen}"]
    notes += [f"failed: run {number}: {why}" for number, why in sorted(failed.items())[:20]]
    record = {
        "runs": plan.runs, "finished": len(table), "failed": failed, "seed": seed, "design": design.value,
        "dimensions": [vars(dim) for dim in plan.dims], "table": str(path), "outcome": chosen,
    }  # fmt: skip
    show_table(shown, form, None, title=f"Sweep for {wanted.buyer} on {on}", notes=notes,
               record=record if form is Format.json else None)  # fmt: skip
    if failed:
        remark(f"{len(failed)} runs failed; the others are kept", quiet=quiet)
        raise typer.Exit(5)


def resilience(
    top: Annotated[int, typer.Option("--top", min=0, help="Rows to show; 0 = all.")] = 20,
    recovery: Annotated[
        float, typer.Option("--recovery-months", min=0, help="Time to recover of all; 0 = as the facts record.")
    ] = 0.0,
    on: On = DEFAULT_DATE,
    *,
    wanted: CaseOptions,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Time to survive against time to recover, and the risk exposure index, of every maker and of each country's
    sites."""
    from supplychain.analysis.resilience import risk_exposure
    from supplychain.cli.output import progress, show_table

    with progress(quiet) as step:
        step("reading facts and law")
        case = wanted.load(on)
        found = risk_exposure(case, recovery_months=recovery or None, step=step)
    notes = [
        f"impact in {found.unit}: least loss until recovery; index: impact over the largest. {found.examined:,} "
        f"disruptions examined, {len(found.table):,} not covered by spare capacity. Months; inf: more than ten years.",
        *(f"warning: {warning}" for warning in found.warnings),
    ]
    show_table(
        found.table.head(top) if top and form is Format.table else found.table,
        form,
        output,
        title=f"Risk exposure of {case.buyer}",
        notes=notes,
        record={"buyer": case.buyer, "on": case.on.isoformat(), "unit": found.unit, "warnings": list(found.warnings)}
        if form is Format.json
        else None,
    )


def backtest(
    events: Annotated[list[str] | None, typer.Argument(metavar="[EVENT]...", help="Default: all bundled ones.")] = None,
    form: OutputFormat = Format.table,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Run dated events as known on the day before, and compare the bracket with what the sources report happened."""
    import pandas as pd

    from supplychain.cli.output import progress, show_table
    from supplychain.whatif.backtest import backtest as run_one
    from supplychain.whatif.backtest import backtests

    found = []
    with progress(quiet) as step:
        for name in events or backtests():
            step(f"running {name}")
            found.append(run_one(name))
    table = pd.concat([one.table for one in found], ignore_index=True)
    counts = table["verdict"].value_counts()
    notes = [
        "after, short, high: the bracket as known the day before; days: the assumption. "
        + ", ".join(f"{counts[word]} {word}" for word in ("inside", "below", "above", "not judged") if word in counts),
        *(f"{one.name}: known only later: {text}" for one in found for text in one.later),
    ]
    show_table(
        table,
        form,
        output,
        title="Backtests",
        columns=["event", "what", "destination", "horizon", "after", "short", "high", "observed_low", "observed_high",
                 "verdict"],
        notes=notes,
        record={one.name: {"title": one.title, "on": one.on, "later": list(one.later)} for one in found}
        if form is Format.json
        else None,
    )  # fmt: skip


def _absolute(path: Path | None) -> str:
    return str(path.resolve()) if path is not None else ""


def _usual(columns: list[str]) -> int:
    """The outcome that people ask for first: the loss at leave, in the short run, at the last horizon."""
    plain = [at for at, name in enumerate(columns) if name.startswith("at_leave") and name.endswith("_short")]
    return next(at for at in reversed(plain) if "margin" not in columns[at])


def _values(given: list[str]) -> dict[str, float]:
    from supplychain.errors import UsageError

    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise UsageError(f"--set {text!r} is not NAME=VALUE with a number, such as --set part=0.5")
    return found


def _listing() -> pd.DataFrame:
    import pandas as pd

    from supplychain.whatif.scenario import load_scenario, presets

    rows = []
    for name in presets():
        one = load_scenario(name)
        rows.append((name, one.title, one.question, ", ".join(one.parameters or {}), str(one.on or "")))
    return pd.DataFrame(rows, columns=["scenario", "title", "question", "parameters", "on"])


def _notes(found: Comparison) -> list[str]:
    notes = [
        "Fractions of the need lost, buyer's mean; horizons in months. [after, short]: after re-sourcing, short run, "
        "on what is known; *_high: if every unknown fact were adverse. delta: to the baseline.",
        "margin_short: USD a year at risk in the short run, a plant's output being lost with its worst need.",
    ]
    for side in found.sides:
        r = side.regret
        if r.regret == r.regret:
            notes.append(
                f"{side.name}: a year's cost to serve: plan held {r.held:,.4g}, plan made for it {r.new:,.4g} "
                f"{r.currency}; regret {r.regret:,.4g}"
            )
        rows = found.choke_points[found.choke_points["scenario"] == side.name]
        for change in ("became", "stopped"):
            some = rows[rows["change"] == change]
            told = [f"{row.kind} {row.element}" for row in some.head(6).itertuples()]
            more = f" and {len(some) - 6} more" if len(some) > 6 else ""
            if told:
                verb = "became choke points" if change == "became" else "are choke points no longer"
                notes.append(f"{side.name}: {', '.join(told)}{more} {verb}")
    return [*notes, *(f"warning: {warning}" for warning in found.warnings)]


def _record(found: Comparison) -> dict[str, Any]:
    case = found.case
    sides = []
    for side in (found.baseline, *found.sides):
        one = side.applied.scenario
        sides.append(
            {
                "scenario": one.name,
                "title": one.title,
                "question": one.question,
                "on": str(side.applied.case.on),
                "sources": list(one.sources),
                "assumes": list(one.assumes),
                "parameters": one.values,
                "actions": [action.words for action in one.actions],
                "probability": one.probability,
                "status": list(side.outlook.statuses),
            }
        )
    return {
        "buyer": case.buyer,
        "on": case.on.isoformat(),
        "products": list(case.products),
        "known_as_of": case.book.known_as_of.isoformat(),
        "illustrative": case.illustrative,
        "scenarios": sides,
        "warnings": list(found.warnings),
        "assumptions": case.assumptions.table.to_dict("records"),
        **{name: table.to_dict("records") for name, table in found.tables.items() if name != "headline"},
    }
