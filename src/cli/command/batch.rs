//! `flowctl batch`.

use serde_json::json;

use super::Result;
use super::drive::{Manner, drive, with_code, with_secrets};
use super::run::{flow_file, invalid};
use crate::cli::args::Batch;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, quote};
use crate::cli::{render, report};
use crate::engine::{Engine, LineError, Mapping, OpenRun, Results, Row, read_rows};
use crate::flow::{Part, ROWS, Selection};
use crate::id::RunId;
use crate::plan::{Plan, Scope, Step};
use crate::value::{Object, Value};

/// Lines at the same time, when nobody says otherwise.
pub(crate) const CONCURRENCY: u16 = 8;

pub(super) fn batch(engine: &Engine, args: &Batch, output: &mut Output) -> Result {
    let mut engine = with_code(
        &with_secrets(engine, &args.drive.secrets)?,
        &args.drive.code,
    );
    engine.surroundings.selection = Selection {
        variant: args.variant.clone(),
        part: Part::Lines,
    };
    engine.surroundings.processes = processes(args.drive.concurrency);
    let engine = &engine;
    let json = args.drive.json;
    let mapping = Mapping::parse(args.map.iter().map(String::as_str)).map_err(Failure::usage)?;
    let (compiled, warnings) = match engine.compile(&flow_file(&args.flow)?) {
        Ok(compiled) => compiled,
        Err(problems) => return invalid(problems, json, output),
    };
    if !warnings.is_empty() {
        output.say_styled(render::text(&warnings).trim_end());
    }
    let line = line_of(&compiled.plan);
    if line.inputs.is_empty() {
        return Err(Failure::usage(
            "the flow takes no inputs, so that all lines would be the same",
        )
        .help("declare inputs, or run it once with `flowctl run`"));
    }
    let data = args.data.as_deref().map(read_rows).transpose();
    let data: Option<Vec<Row>> =
        data.map_err(|message| Failure::usage(format!("the data cannot be read: {message}")))?;
    let earlier = args.run.as_deref().or(args.failed_of.as_deref());
    let earlier = earlier.map(|run| earlier_batch(engine, run)).transpose()?;
    let rows = if let (Some(_), Some(earlier)) = (&args.failed_of, &earlier) {
        failed_lines(earlier)
    } else {
        mapped_lines(&mapping, data.as_deref(), earlier.as_ref(), line)?
    };
    if rows.is_empty() {
        return Err(Failure::usage("there is no line to run"));
    }
    let id = args
        .run_id
        .as_deref()
        .map(RunId::parse)
        .transpose()
        .map_err(Failure::usage)?;
    let given = Object::from_iter([(ROWS.to_owned(), Value::Array(rows))]);
    let driver = match engine.start(compiled, &given, id) {
        Ok(driver) => driver,
        Err(crate::engine::Error::Invalid(problems)) => return invalid(problems, json, output),
        Err(error) => return Err(error.into()),
    };
    if !json {
        let run = format!("run {} of {}", driver.dir().id, driver.plan().root().name);
        output.say(&run);
    }
    let manner = Manner {
        concurrency: args.drive.concurrency.unwrap_or(CONCURRENCY),
        json,
        outputs: true,
    };
    drive(driver, None, manner, output)
}

/// The lines of an earlier batch that failed, as they were.
fn failed_lines(earlier: &Results) -> Vec<Value> {
    let line = |error: &LineError| json!({ "line_number": error.number, "inputs": earlier.inputs_of(error.number) });
    earlier.errors.iter().map(line).collect()
}

fn mapped_lines(
    mapping: &Mapping,
    data: Option<&[Row]>,
    earlier: Option<&Results>,
    line: &Scope,
) -> std::result::Result<Vec<Value>, Failure> {
    if data.is_none() && !mapping.asks_run() {
        return Err(Failure::usage("there is no data").help(
            "give `--data FILE`, or map inputs to an earlier batch: `--run RUN --map 'NAME=${run.outputs.NAME}'`",
        ));
    }
    if mapping.asks_run() && earlier.is_none() {
        return Err(Failure::usage("the mapping asks for an earlier batch")
            .help("say which one with `--run RUN`"));
    }
    let lines = mapping.lines(data, earlier, &line.inputs);
    if !lines.missing.is_empty() {
        return Err(Failure::usage(format!(
            "no row has what these inputs are mapped to: {}",
            lines.missing.join(", ")
        ))
        .help("name a column with `--map 'NAME=${data.COLUMN}'`"));
    }
    Ok(lines.rows)
}

/// As many processes as lines run at the same time and there are processors for.
pub(super) fn processes(concurrency: Option<u16>) -> usize {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    usize::from(concurrency.unwrap_or(CONCURRENCY)).min(processors)
}

/// The flow of one line.
fn line_of(plan: &Plan) -> &Scope {
    let sub = plan.root().nodes.iter().find_map(|node| match node.step {
        Step::Flow(scope) if node.foreach.is_some() => Some(scope),
        _ => None,
    });
    plan.scope(sub.expect("a batch runs its lines as a sub-flow"))
}

fn earlier_batch(engine: &Engine, run: &str) -> std::result::Result<Results, Failure> {
    let dir = engine.layout.find(run)?;
    let open = engine.read_run(&dir)?;
    Results::of(&open)?.ok_or_else(|| {
        Failure::usage(format!("the run {} is no batch", dir.id))
            .help("`flowctl runs` lists the runs")
    })
}

/// Says what came of a batch, and writes it where programs look for it.
pub(super) fn conclude(
    dir: &std::path::Path,
    run: &OpenRun,
    results: &Results,
    status: &str,
    json: bool,
    output: &mut Output,
) -> Result {
    results.write(dir).map_err(crate::engine::Error::from)?;
    let succeeded = results.succeeded().count();
    let failed = results.errors.len();
    if json {
        let mut whole = report::json(run, status)?;
        whole["lines"] = results.lines().into();
        whole["errors"] = results.failures().into();
        whole["metrics"] = results.metrics.clone().into();
        // Node by node it stands in the journal; here it would bury the lines.
        whole["nodes"] = json!({});
        output.data(&serde_json::to_string_pretty(&whole).expect("JSON becomes text"))?;
    } else {
        const SHOWN: usize = 10;
        for error in results.errors.iter().take(SHOWN) {
            let node = error
                .node
                .as_ref()
                .map_or_else(String::new, |node| format!(" in `{node}`"));
            let first = error.message.lines().next().unwrap_or_default();
            output.say(&format!("  line {}{node}: {first}", error.number));
        }
        if failed > SHOWN {
            output.say(&format!("  and {} more; see errors.jsonl", failed - SHOWN));
        }
        for (node, message) in &results.failed_aggregations {
            output.say(&format!("  `{node}` failed: {message}"));
        }
        output.say(&format!(
            "{status}: run {}: {succeeded} of {} lines succeeded, {failed} failed",
            run.id(),
            results.total
        ));
        for (name, value) in &results.metrics {
            output.say(&format!("  {name} = {value}"));
        }
        output.say(&format!("  results  {}", dir.display()));
        if status == "interrupted" {
            let resume = output.next(&format!("resume {}", run.id()));
            output.say(&format!("  resume   {resume}"));
        } else if failed > 0 {
            let again = output.next(&format!(
                "batch {} --failed-of {}",
                quote(&run.started.path),
                run.id()
            ));
            output.say(&format!("  again    {again}"));
        }
    }
    // A bad row does not sink the others; when there are no others, nothing was achieved.
    Ok(if status == "succeeded" && succeeded == 0 {
        Exit::FAILED
    } else {
        Exit::SUCCESS
    })
}
