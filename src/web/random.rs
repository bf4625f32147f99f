//! Words that nobody guesses.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::state::WebError;
use crate::engine::private_folder;
use crate::store::{Error, create_private};

/// 256 bits, as text.
pub(super) fn word() -> Result<String, WebError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| WebError::Keys(error.to_string()))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A word that is kept in a private file; made when there is none. Whoever comes first makes it.
pub(super) fn kept(dir: &Path, name: &str) -> Result<String, WebError> {
    private_folder(dir)?;
    let path = dir.join(name);
    if !path.exists() {
        create_private(&path, word()?.as_bytes())?;
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let word = text.trim();
    if word.len() < 40 {
        return Err(WebError::Keys(format!(
            "`{}` holds too little; remove it, and a new one is made",
            path.display()
        )));
    }
    Ok(word.to_owned())
}
