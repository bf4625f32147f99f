//! [`read_rows`]: the rows of a data file.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use crate::value::{Object, Value};

/// The most bytes of data that a batch reads: its rows are part of its journal.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// A row of data, by the number of its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// From 0, over all files of a folder.
    pub number: usize,
    /// Columns by name.
    pub columns: Object,
}

/// Reads a file, or all files of a folder in the order of their names: `.jsonl`, `.json` (a list of
/// objects), `.csv` or `.tsv` (with a line of names; every value is text).
///
/// # Errors
/// A sentence fragment with path and line.
pub fn read_rows(path: &Path) -> Result<Vec<Row>, String> {
    let shown = path.display();
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|error| format!("`{shown}`: {error}"))?;
        files = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file() && extension(path).is_some())
            .collect();
        files.sort();
        if files.is_empty() {
            return Err(format!(
                "the folder `{shown}` has no .jsonl, .json, .csv or .tsv file"
            ));
        }
    }
    let mut rows = Vec::new();
    let mut room = MAX_BYTES;
    for file in &files {
        let bytes = std::fs::metadata(file).map_err(|error| at(file, None, &plain(&error)))?;
        if !bytes.is_file() {
            return Err(at(file, None, "it is no file"));
        }
        room = room
            .checked_sub(bytes.len())
            .ok_or_else(|| format!("`{shown}` holds more than {} MiB", MAX_BYTES >> 20))?;
        for columns in read_file(file)? {
            let number = rows.len();
            rows.push(Row { number, columns });
        }
    }
    if rows.is_empty() {
        return Err(format!("`{shown}` has no rows"));
    }
    Ok(rows)
}

fn extension(path: &Path) -> Option<&'static str> {
    let found = path.extension()?.to_str()?.to_ascii_lowercase();
    ["jsonl", "json", "csv", "tsv"]
        .into_iter()
        .find(|known| *known == found)
}

fn read_file(path: &Path) -> Result<Vec<Object>, String> {
    match extension(path) {
        Some("jsonl") => json_lines(path),
        Some("json") => json(path),
        Some("csv") => separated(path, b','),
        Some("tsv") => separated(path, b'\t'),
        _ => Err(at(
            path,
            None,
            "its name does not end in .jsonl, .json, .csv or .tsv; convert it to one of these",
        )),
    }
}

fn json_lines(path: &Path) -> Result<Vec<Object>, String> {
    let file = std::fs::File::open(path).map_err(|error| at(path, None, &plain(&error)))?;
    let mut rows = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| at(path, Some(number + 1), &error.to_string()))?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(Value::Object(object)) => rows.push(object),
            Ok(other) => {
                let what = crate::value::type_name(&other);
                return Err(at(
                    path,
                    Some(number + 1),
                    &format!("a row is an object, and this is {what}"),
                ));
            }
            Err(error) => return Err(at(path, Some(number + 1), &error.to_string())),
        }
    }
    Ok(rows)
}

fn json(path: &Path) -> Result<Vec<Object>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| at(path, None, &plain(&error)))?;
    let wrong = || at(path, None, "it is no list of objects");
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::Object(object) => Ok(object),
                _ => Err(wrong()),
            })
            .collect(),
        Ok(_) => Err(wrong()),
        Err(error) => Err(at(path, Some(error.line()), &error.to_string())),
    }
}

fn separated(path: &Path, by: u8) -> Result<Vec<Object>, String> {
    let read = || -> Result<Vec<Object>, csv::Error> {
        let mut reader = csv::ReaderBuilder::new().delimiter(by).from_path(path)?;
        let names: Vec<String> = reader
            .headers()?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record?;
            let cells = record.iter().map(|cell| Value::String(cell.to_owned()));
            rows.push(names.iter().cloned().zip(cells).collect());
        }
        Ok(rows)
    };
    read().map_err(|error| at(path, None, &error.to_string()))
}

fn at(path: &Path, line: Option<usize>, message: &str) -> String {
    let path = path.display();
    match line {
        Some(line) => format!("`{path}`, line {line}: {message}"),
        None => format!("`{path}`: {message}"),
    }
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_come_from_files_of_four_kinds() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            read_rows(&path).map(|rows| {
                let rows = rows.into_iter().map(|row| Value::Object(row.columns));
                rows.collect::<Value>()
            })
        };
        let two = json!([{"a": 1}, {"a": "x\ny"}]);
        assert_eq!(
            read("a.jsonl", "\u{feff}{\"a\":1}\n\n{\"a\":\"x\\ny\"}\r\n"),
            Ok(two.clone())
        );
        assert_eq!(read("a.json", "[{\"a\":1},{\"a\":\"x\\ny\"}]"), Ok(two));
        let text = json!([{"a": "1", "b": "x,\"y\"\nz"}]);
        assert_eq!(read("a.csv", "a,b\n1,\"x,\"\"y\"\"\nz\"\n"), Ok(text));
        assert_eq!(
            read("a.tsv", "a\tb\n1\t2\n"),
            Ok(json!([{"a": "1", "b": "2"}]))
        );
        for (name, text, part) in [
            ("b.jsonl", "{\"a\":1}\nnope\n", "line 2"),
            ("b.jsonl", "[1]\n", "a row is an object"),
            ("b.json", "{}", "no list of objects"),
            ("b.csv", "a,b\n1\n", "b.csv"),
            ("b.parquet", "", "does not end in"),
            ("b.jsonl", "\n\n", "has no rows"),
        ] {
            let error = read(name, text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(read_rows(&dir.path().join("gone.jsonl")).is_err());
    }
}
