//! [`Configuration`]: the `.tf` files of a tree, folder by folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl::{Block, Body};

use super::references::References;

/// A file that is not HCL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: String,
    /// What is wrong and where, on one line.
    pub message: String,
}

/// The `.tf` files of a tree, parsed. Folders are relative to its root, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    folders: BTreeMap<String, Arc<Folder>>,
}

/// What a folder holds: a module, in Terraform's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// The blocks of all files, in the order of their names.
    pub(super) blocks: Vec<Block>,
    /// What their expressions refer to.
    pub(super) references: References,
}

impl Configuration {
    /// Parses files, given as path and text; files that do not end in `.tf` are passed over.
    ///
    /// # Errors
    /// Every file that is not HCL.
    pub fn read<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<Problem>> {
        let (mut configuration, mut problems) = (Self::default(), Vec::new());
        let files: BTreeMap<&str, &str> = files
            .into_iter()
            .filter(|(path, _)| path.ends_with(".tf"))
            .collect();
        for (path, text) in files {
            match text.parse::<hcl::edit::structure::Body>() {
                Ok(body) => configuration.add(path, body),
                Err(error) => problems.push(Problem {
                    path: path.to_owned(),
                    message: one_line(&error),
                }),
            }
        }
        if problems.is_empty() {
            Ok(configuration)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, path: &str, body: hcl::edit::structure::Body) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = self.folders.entry(folder.to_owned()).or_default();
        let folder = Arc::make_mut(folder);
        folder.references.read(&body);
        folder.blocks.extend(Body::from(body).into_blocks());
    }

    pub(super) fn folder(&self, path: &str) -> Option<&Folder> {
        self.folders.get(path).map(Arc::as_ref)
    }

    /// The configuration with other blocks in some folders; `None` when `change` gave none for any.
    pub(super) fn changed(&self, change: impl Fn(&[Block]) -> Option<Vec<Block>>) -> Option<Self> {
        let mut changed = self.clone();
        let mut any = false;
        for folder in changed.folders.values_mut() {
            if let Some(blocks) = change(&folder.blocks) {
                *folder = Arc::new(Folder {
                    blocks,
                    references: folder.references.clone(),
                });
                any = true;
            }
        }
        any.then_some(changed)
    }

    /// Whether a folder is the same in both, and not only alike.
    pub(super) fn shares(&self, other: &Self, folder: &str) -> bool {
        match (self.folders.get(folder), other.folders.get(folder)) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        }
    }

    /// The blocks of a folder; none when there is no such folder.
    pub fn blocks(&self, folder: &str) -> impl Iterator<Item = &Block> {
        self.folders
            .get(folder)
            .into_iter()
            .flat_map(|folder| &folder.blocks)
    }
}

/// `line:column: message`, without the excerpt.
fn one_line(error: &hcl::edit::parser::Error) -> String {
    let location = error.location();
    let message = error.message().split_whitespace().collect::<Vec<_>>();
    format!(
        "{}:{}: {}",
        location.line(),
        location.column(),
        message.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_hcl_are_named_with_their_place() {
        let files = [
            ("a/main.tf", "x {\n  y = \n}\n"),
            ("a/README.md", "not = HCL ="),
            ("b/main.tf", "x {}\n"),
        ];
        let problems = Configuration::read(files).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path, "a/main.tf");
        assert!(problems[0].message.starts_with("2:"), "{problems:?}");
    }

    #[test]
    fn folders_are_modules() {
        let files = [
            ("a/x.tf", "r \"s\" {}\n"),
            ("a/y.tf", "r \"t\" {}\n"),
            ("a/b/z.tf", ""),
        ];
        let configuration = Configuration::read(files).unwrap();
        assert_eq!(configuration.blocks("a").count(), 2);
        assert_eq!(configuration.blocks("c").count(), 0);
    }
}
