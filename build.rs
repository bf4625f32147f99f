//! Writes the list of built-in skills and flows, which go into the binary as they lie in the
//! repository, so that flowctl runs in an empty folder.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts through the environment"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut text = String::new();
    for (name, dir) in [("SKILLS", "skills"), ("FLOWS", "flows")] {
        println!("cargo::rerun-if-changed={dir}");
        let mut files = Vec::new();
        collect(&root.join(dir), &mut files)?;
        files.sort();
        _ = writeln!(text, "pub(super) static {name}: &[(&str, &[u8])] = &[");
        for file in files {
            println!("cargo::rerun-if-changed={}", file.display());
            let relative = file.strip_prefix(root.join(dir)).unwrap_or(&file);
            let relative = relative
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/");
            _ = writeln!(
                text,
                "    ({relative:?}, include_bytes!({:?})),",
                file.display().to_string()
            );
        }
        text.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("builtin.rs"), text)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(".terraform"));
        if path.is_dir() && !hidden {
            collect(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
