//! Where terraform may take providers from: folders on this machine, never the network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::port::Host;

/// The registry that a short provider address means.
const REGISTRY: &str = "registry.terraform.io";

/// Local folders in terraform's mirror layout.
pub(super) struct Mirrors {
    folders: Vec<PathBuf>,
}

impl Mirrors {
    /// Looks for folders: those that the environment names, those of the user's CLI configuration, and
    /// terraform's own implied ones.
    pub(super) fn find(host: &dyn Host) -> Self {
        let variable = |name: &str| {
            host.variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let home = variable("HOME");
        let named = [
            "FLOWCTL_TF_MIRROR",
            "TF_PLUGIN_MIRROR",
            "TF_PLUGIN_CACHE_DIR",
        ]
        .iter()
        .filter_map(|name| variable(name));
        let mut folders: Vec<PathBuf> = named.collect();
        let config =
            variable("TF_CLI_CONFIG_FILE").or_else(|| Some(home.as_ref()?.join(".terraformrc")));
        if let Some(text) = config.and_then(|path| std::fs::read_to_string(path).ok()) {
            folders.extend(folders_of_config(&text));
        }
        folders.extend(home.map(|home| home.join(".terraform.d/plugins")));
        folders.extend(
            [
                "/usr/local/share/terraform/plugins",
                "/usr/share/terraform/plugins",
                "/opt/tf-plugins",
            ]
            .map(PathBuf::from),
        );
        let mut seen = BTreeSet::new();
        folders.retain(|folder| folder.is_dir() && seen.insert(folder.clone()));
        Self { folders }
    }

    /// A CLI configuration with these folders as the only sources.
    pub(super) fn config(&self) -> String {
        let mut text = "disable_checkpoint = true\nprovider_installation {\n".to_owned();
        for folder in &self.folders {
            let path = folder
                .display()
                .to_string()
                .replace('\\', "\\\\")
                .replace('"', "\\\"");
            text.push_str("  filesystem_mirror {\n    path = \"");
            text.push_str(&path);
            text.push_str("\"\n  }\n");
        }
        if self.folders.is_empty() {
            // Without any method terraform would fall back to the registry.
            text.push_str("  filesystem_mirror {\n    path = \"/nonexistent\"\n  }\n");
        }
        text.push_str("}\n");
        text
    }

    /// Names a provider that a configuration needs and no folder has.
    pub(super) fn missing(&self, root: &Path, folder: &Path) -> Option<String> {
        let mut addresses = BTreeSet::new();
        required_providers(root, folder, &mut addresses);
        let absent = addresses.iter().find(|address| {
            !self
                .folders
                .iter()
                .any(|mirror| mirror.join(address.as_str()).is_dir())
        })?;
        let short = absent
            .strip_prefix(REGISTRY)
            .unwrap_or(absent)
            .trim_start_matches('/');
        let folders: Vec<String> = self
            .folders
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        let looked = if folders.is_empty() {
            "no mirror folder was found; FLOWCTL_TF_MIRROR names one".to_owned()
        } else {
            format!("looked in {}", folders.join(", "))
        };
        Some(format!("provider {short} is in no local mirror ({looked})"))
    }
}

/// Paths of `filesystem_mirror` blocks and the cache folder; network sources are left out.
fn folders_of_config(text: &str) -> Vec<PathBuf> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', '/']));
    let values = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let wanted = matches!(name.trim(), "path" | "plugin_cache_dir");
        wanted.then(|| PathBuf::from(value.trim().trim_matches('"')))
    });
    values.collect()
}

/// Collects the addresses in `source = "a/b"` of a folder and of the local modules that it calls.
fn required_providers(root: &Path, folder: &Path, addresses: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let files = entries.flatten().map(|entry| entry.path());
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "tf")) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for source in sources(&text) {
            if source.starts_with("./") || source.starts_with("../") {
                let module = folder.join(source);
                // A module that calls its own folder, or one outside, is terraform's to refuse.
                let inside = module.canonicalize().is_ok_and(|module| {
                    root.canonicalize()
                        .is_ok_and(|root| module.starts_with(root))
                        && folder.canonicalize().is_ok_and(|own| own != module)
                });
                if inside {
                    required_providers(root, &module, addresses);
                }
            } else {
                addresses.insert(match source.split('/').count() {
                    2 => format!("{REGISTRY}/{source}"),
                    _ => source,
                });
            }
        }
    }
}

fn sources(text: &str) -> Vec<String> {
    let values = text.match_indices("source").filter_map(|(at, word)| {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let rest = text[at + word.len()..]
            .trim_start()
            .strip_prefix('=')?
            .trim_start();
        let value = rest.strip_prefix('"')?.split('"').next()?;
        (value.contains('/') && !value.contains("${")).then(|| value.to_owned())
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_are_taken_from_a_configuration() {
        let text = "provider_installation {\n  filesystem_mirror {\n    path    = \"/m\"\n  }\n  network_mirror {\n    url = \"https://x\"\n  }\n  direct {}\n}\n# path = \"/no\"\nplugin_cache_dir = \"/c\"\n";
        assert_eq!(
            folders_of_config(text),
            [PathBuf::from("/m"), PathBuf::from("/c")]
        );
    }

    #[test]
    fn the_configuration_never_falls_back_to_the_network() {
        let config = Mirrors {
            folders: Vec::new(),
        }
        .config();
        assert!(config.contains("/nonexistent") && !config.contains("direct"));
    }

    #[test]
    fn a_missing_provider_is_named_also_behind_a_module() {
        let scratch = tempfile::tempdir().unwrap();
        let (stack, module) = (scratch.path().join("stack"), scratch.path().join("module"));
        std::fs::create_dir_all(&stack).unwrap();
        std::fs::create_dir_all(&module).unwrap();
        std::fs::write(
            stack.join("main.tf"),
            "module \"m\" {\n  source = \"../module\"\n}\n",
        )
        .unwrap();
        std::fs::write(
            module.join("v.tf"),
            "a = { source = \"hashicorp/azurerm\" }\n",
        )
        .unwrap();
        let none = Mirrors {
            folders: Vec::new(),
        };
        let reason = none.missing(scratch.path(), &stack).unwrap();
        assert!(
            reason.contains("provider hashicorp/azurerm is in no local mirror"),
            "{reason}"
        );
        let mirror = scratch.path().join("mirror");
        std::fs::create_dir_all(mirror.join(REGISTRY).join("hashicorp/azurerm")).unwrap();
        assert_eq!(
            Mirrors {
                folders: vec![mirror]
            }
            .missing(scratch.path(), &stack),
            None
        );
    }
}
