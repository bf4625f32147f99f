//! `flowctl connection`.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Result;
use crate::cli::args::{
    Connection as Args, ConnectionDelete, ConnectionImport, ConnectionList, ConnectionPlaces,
    ConnectionSet, ConnectionShow,
};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, quote};
use crate::cli::render;
use crate::diagnostic::{nearest, or_list};
use crate::engine::Engine;
use crate::store;
use crate::tool::connection::{
    ConnectionProblem, Connections, Draft, KINDS, Kind, Listed, LoadFrom, UserFile, import,
    import_text, variable_of,
};

/// The most that is read from standard input.
const MAX_STDIN: u64 = 256 * 1024;
/// What prints the connections that Prompt Flow keeps.
const EXPORT: &str = "python -c 'import json; from promptflow.client import PFClient; c = PFClient().connections; print(json.dumps([c.get(x.name, with_secrets=True)._to_execution_connection_dict() for x in c.list()]))'";

pub(super) fn connection(engine: &Engine, args: &Args, output: &mut Output) -> Result {
    match args {
        Args::List(args) => list(engine, args, output),
        Args::Show(args) => show(engine, args, output),
        Args::Set(args) => set(engine, args, output),
        #[cfg(feature = "llm")]
        Args::Test(args) => super::connection_test::test(engine, args, output),
        #[cfg(not(feature = "llm"))]
        Args::Test(_) => Err(Failure::usage("this flowctl was built without HTTP")
            .help("build it with `cargo install --path . --features llm`")),
        Args::Delete(args) => delete(engine, args, output),
        Args::Import(args) => import_files(engine, args, output),
    }
}

/// Everything that there is; what is not right is told.
pub(super) fn load(
    engine: &Engine,
    places: &ConnectionPlaces,
    output: &mut Output,
) -> std::result::Result<Connections, Failure> {
    let folder = places.flow.as_deref().map(|flow| match flow.parent() {
        _ if flow.is_dir() => flow.to_owned(),
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    });
    let from = LoadFrom {
        given: places.connections.clone(),
        workspace: engine.layout.workspace().to_owned(),
        flow: folder,
        user: LoadFrom::user_file(engine.variable),
        variable: engine.variable,
    };
    let all = Connections::load(&from).map_err(Failure::Diagnostics)?;
    if !all.warnings().is_empty() {
        output.say(render::text(all.warnings()).trim_end());
    }
    Ok(all)
}

impl From<ConnectionProblem> for Failure {
    fn from(problem: ConnectionProblem) -> Self {
        Self::usage(problem.message).help(problem.help.join("\nhelp: "))
    }
}

fn list(engine: &Engine, args: &ConnectionList, output: &mut Output) -> Result {
    let all = load(engine, &args.places, output)?.list();
    if args.json {
        let told: Vec<_> = all.iter().map(Listed::to_json).collect();
        let whole = json!({ "connections": told });
        output.data(&serde_json::to_string_pretty(&whole).expect("JSON becomes text"))?;
        return Ok(Exit::SUCCESS);
    }
    let name = all
        .iter()
        .map(|one| one.name.chars().count())
        .max()
        .unwrap_or(0);
    let kind = all.iter().map(|one| one.kind.word.len()).max().unwrap_or(0);
    for one in &all {
        let state = match &one.problem {
            None => String::new(),
            Some(problem) => format!("  ({})", problem.message),
        };
        output.data(&format!(
            "{:name$}  {:kind$}  {}{state}",
            one.name, one.kind.word, one.origin
        ))?;
    }
    if all.is_empty() {
        output.say("there are no connections");
        let next = output.next("connection set NAME --type TYPE");
        output.say(&format!(
            "help: `{next}` makes one; the types are {}",
            types()
        ));
    }
    Ok(Exit::SUCCESS)
}

fn types() -> String {
    let words: Vec<String> = KINDS
        .iter()
        .map(|kind| format!("`{}`", kind.word))
        .collect();
    words.join(", ")
}

fn show(engine: &Engine, args: &ConnectionShow, output: &mut Output) -> Result {
    let one = load(engine, &args.places, output)?.show(&args.name)?;
    if args.json {
        let text = serde_json::to_string_pretty(&one.to_json()).expect("JSON becomes text");
        output.data(&text)?;
        return Ok(Exit::SUCCESS);
    }
    output.data(&format!(
        "{}: {}, from {}",
        one.name, one.kind.word, one.origin
    ))?;
    for other in &one.hidden {
        output.data(&format!("  also in {other}"))?;
    }
    for field in &one.fields {
        let value = match (&field.value, field.set) {
            (Some(value), _) => value.clone(),
            (None, true) => "[secret]".to_owned(),
            (None, false) => "not set".to_owned(),
        };
        let variable = match &field.variable {
            Some(variable) => format!("  (from `{variable}`)"),
            None => String::new(),
        };
        output.data(&format!("  {}: {value}{variable}", field.name))?;
    }
    if let Some(problem) = one.problem {
        output.say(&format!("note: {}", problem.message));
        for help in problem.help {
            output.say(&format!("help: {help}"));
        }
    }
    Ok(Exit::SUCCESS)
}

fn user_path(engine: &Engine) -> std::result::Result<PathBuf, Failure> {
    LoadFrom::user_file(engine.variable).ok_or_else(|| {
        Failure::usage("there is no place for connections of your own")
            .help("set HOME or XDG_CONFIG_HOME; or write `connections.yaml` into the workspace")
    })
}

fn save(path: &Path, file: &UserFile) -> std::result::Result<(), Failure> {
    store::replace_private(path, file.text().as_bytes())?;
    Ok(())
}

fn set(engine: &Engine, args: &ConnectionSet, output: &mut Output) -> Result {
    let path = user_path(engine)?;
    let mut file = UserFile::open(&path).map_err(Failure::Diagnostics)?;
    let mut draft = begin(engine, args, &file, output)?;
    for pair in &args.fields {
        let (field, value) = split(pair, "FIELD=VALUE")?;
        if draft.is_secret(field) || (draft.kind().is_custom() && sounds_secret(field)) {
            return Err(Failure::usage(format!(
                "`{field}` is a secret, and arguments are seen by everybody on this machine"
            ))
            .help(format!(
                "leave it out and be asked; or `--stdin {field}`, or `--from-env {field}=VARIABLE`; and make a new key, as this one was seen"
            )));
        }
        know(&draft, field)?;
        draft.set(field, value, false);
    }
    for pair in &args.from_env {
        let (field, variable) = split(pair, "--from-env FIELD=VARIABLE")?;
        know(&draft, field)?;
        let secret = draft.is_secret(field) || draft.kind().is_custom();
        draft.set(field, &format!("${{env:{variable}}}"), secret);
    }
    if let Some(field) = &args.stdin {
        know(&draft, field)?;
        let value = read_stdin()?;
        draft.set(field, &value, true);
    }
    for field in &args.secret {
        know(&draft, field)?;
        let value = ask(&draft, field)?;
        draft.set(field, &value, true);
    }
    let (secrets, others) = draft.open();
    if let Some(field) = others.first() {
        return Err(Failure::usage(format!(
            "a connection of type `{}` needs `{field}`",
            draft.kind().word
        ))
        .help(format!("add `{field}=VALUE`")));
    }
    for field in secrets {
        let value = ask(&draft, &field)?;
        draft.set(&field, &value, true);
    }
    let name = draft.name().to_owned();
    file.put(draft);
    save(&path, &file)?;
    output.say(&format!("`{name}` is in {}", path.display()));
    tell_winner(engine, &args.places, &name, &path, output)?;
    Ok(Exit::SUCCESS)
}

/// What is changed: the user's own, else a copy of another, else a new one.
fn begin(
    engine: &Engine,
    args: &ConnectionSet,
    file: &UserFile,
    output: &mut Output,
) -> std::result::Result<Draft, Failure> {
    let kind = args.kind.as_deref().map(find_kind).transpose()?;
    let known = match file.find(&args.name) {
        Some(own) => Some(own),
        None => load(engine, &args.places, output)?.draft(&args.name),
    };
    match (known, kind) {
        (Some(known), None) => Ok(known),
        (Some(known), Some(kind)) if known.kind() == kind => Ok(known),
        (_, Some(kind)) => {
            if args.name.trim().is_empty() || args.name.chars().any(char::is_control) {
                return Err(Failure::usage("a connection needs a name that can be seen"));
            }
            Ok(Draft::new(&args.name, kind))
        }
        (None, None) => Err(Failure::usage(format!(
            "there is no connection `{}` yet, so its type must be said",
            args.name
        ))
        .help(format!("add `--type TYPE`: {}", types()))),
    }
}

fn find_kind(word: &str) -> std::result::Result<&'static Kind, Failure> {
    Kind::find(word).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no connection type `{word}`"));
        match nearest(word, KINDS.iter().map(|kind| kind.word)) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help(format!("the types are {}", types())),
        }
    })
}

/// The connection may not be the one that flows get.
fn tell_winner(
    engine: &Engine,
    places: &ConnectionPlaces,
    name: &str,
    path: &Path,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let shown = load(engine, places, output)?.show(name)?;
    if shown.origin != path.display().to_string() {
        output.say(&format!(
            "note: `{}` has it as well, and wins; yours fills in what is open there",
            shown.origin
        ));
    }
    Ok(())
}

fn split<'a>(pair: &'a str, form: &str) -> std::result::Result<(&'a str, &'a str), Failure> {
    // What has no `=` may be a secret that was pasted: it is not shown.
    match pair.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field, value)),
        _ => Err(Failure::usage("a field has no value").help(format!("write {form}"))),
    }
}

fn know(draft: &Draft, field: &str) -> std::result::Result<(), Failure> {
    let kind = draft.kind();
    if kind.is_custom() || kind.field(field).is_some() {
        return Ok(());
    }
    let failure = Failure::usage(format!(
        "a connection of type `{}` has no field `{field}`",
        kind.word
    ));
    Err(match nearest(field, kind.names()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(format!("its fields are {}", or_list(kind.names()))),
    })
}

/// Names that nobody gives to what may be seen.
fn sounds_secret(field: &str) -> bool {
    let lower = field.to_ascii_lowercase();
    [
        "key",
        "secret",
        "token",
        "password",
        "passwd",
        "pwd",
        "credential",
        "connection_string",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

/// Asks without showing what is typed.
fn ask(draft: &Draft, field: &str) -> std::result::Result<String, Failure> {
    let name = draft.name();
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "the secret `{field}` of `{name}` is missing, and nobody is there to be asked"
        ))
        .help(format!(
            "`… | flowctl connection set {} --stdin {field}`, or `--from-env {field}={}`",
            quote(name),
            variable_of(name, field)
        )));
    }
    let terminal = console::Term::stderr();
    let typed = terminal
        .write_str(&format!("{field} of {name} (not shown): "))
        .and_then(|()| terminal.read_secure_line())
        .map_err(|error| Failure::usage(format!("cannot ask for `{field}`: {error}")))?;
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(Failure::usage(format!(
            "nothing was typed for `{field}`; nothing was changed"
        )));
    }
    Ok(typed.to_owned())
}

fn read_stdin() -> std::result::Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_STDIN + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
    if text.len() as u64 > MAX_STDIN {
        return Err(Failure::usage(format!(
            "standard input has more than {MAX_STDIN} bytes"
        )));
    }
    // A newline at the end comes from `echo`; those of a PEM file are its own.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Failure::usage(
            "standard input is empty; nothing was changed",
        ));
    }
    Ok(if line.contains('\n') {
        text
    } else {
        line.to_owned()
    })
}

fn delete(engine: &Engine, args: &ConnectionDelete, output: &mut Output) -> Result {
    let path = user_path(engine)?;
    let mut file = UserFile::open(&path).map_err(Failure::Diagnostics)?;
    if !file.remove(&args.name) {
        let places = ConnectionPlaces {
            connections: Vec::new(),
            flow: None,
        };
        let elsewhere = load(engine, &places, output)?.show(&args.name)?;
        return Err(
            Failure::usage(format!("`{}` is not in {}", args.name, path.display()))
                .help(format!("it is in {}; remove it there", elsewhere.origin)),
        );
    }
    save(&path, &file)?;
    output.say(&format!("removed `{}` from {}", args.name, path.display()));
    Ok(Exit::SUCCESS)
}

fn import_files(engine: &Engine, args: &ConnectionImport, output: &mut Output) -> Result {
    let database = args.files.iter().find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "sqlite")
    });
    if args.files.is_empty() || database.is_some() {
        let next = output.next("connection import -");
        return Err(Failure::usage(match database {
            Some(file) => format!(
                "the secrets in `{}` are encrypted with a key in the keyring, which Prompt Flow has",
                file.display()
            ),
            None => "no file is given".to_owned(),
        })
        .help(format!(
            "let Prompt Flow print its connections into flowctl, where it is installed:\n  {EXPORT} | {next}"
        )));
    }
    let path = user_path(engine)?;
    let mut file = UserFile::open(&path).map_err(Failure::Diagnostics)?;
    let mut taken = Vec::new();
    for from in &args.files {
        let drafts = if from == Path::new("-") {
            import_text("standard input", &read_stdin()?)
        } else {
            import(from)
        };
        for draft in drafts.map_err(Failure::Diagnostics)? {
            if !args.replace && file.find(draft.name()).is_some() {
                return Err(Failure::usage(format!(
                    "`{}` is in {} already; nothing was changed",
                    draft.name(),
                    path.display()
                ))
                .help("`--replace` takes the new one in its place"));
            }
            taken.push(draft.clone());
            file.put(draft);
        }
    }
    for draft in &mut taken {
        let (secrets, _) = draft.open();
        if secrets.is_empty() || !std::io::stdin().is_terminal() {
            continue;
        }
        for field in secrets {
            let value = ask(draft, &field)?;
            draft.set(&field, &value, true);
        }
        file.put(draft.clone());
    }
    if taken.is_empty() {
        output.say("there was no connection in it; nothing was changed");
        return Ok(Exit::SUCCESS);
    }
    save(&path, &file)?;
    for draft in &taken {
        let (open, _) = draft.open();
        let next = match open.as_slice() {
            [] => String::new(),
            fields => format!(
                ", without its {}: `{}` asks",
                fields.join(", "),
                output.next(&format!("connection set {}", quote(draft.name())))
            ),
        };
        output.say(&format!(
            "took over `{}` ({}){next}",
            draft.name(),
            draft.kind().word
        ));
    }
    output.say(&format!("they are in {}", path.display()));
    Ok(Exit::SUCCESS)
}
