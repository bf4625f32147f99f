//! [`Images`]: images among the inputs become parts of messages.
//!
//! An image is a value with one key, `data:image/png;base64` or `…;url`. In a template it stands alone on
//! a line, as `![image]({{ picture }})` or `{{ picture }}`.

use serde_json::json;

use crate::port::Failure;
use crate::value::{Digest, Object, Value};

/// The images of a prompt by the words that stand for them in the rendered text.
#[derive(Debug, Default)]
pub struct Images(Vec<(String, String)>);

impl Images {
    /// Takes the images out of the inputs: a word stands in the place of each.
    ///
    /// # Errors
    /// For an image that is still the path of a file: whoever resolved the inputs did not read it.
    pub fn take(&mut self, value: Value) -> Result<Value, Failure> {
        Ok(match value {
            Value::Object(entries) => {
                if let Some(url) = image_url(&entries)? {
                    let word = format!("Image({})", &Digest::of(url.as_bytes()).hex()[..8]);
                    if self.0.iter().all(|(known, _)| *known != word) {
                        self.0.push((word.clone(), url));
                    }
                    return Ok(word.into());
                }
                let mut taken = Object::new();
                for (key, value) in entries {
                    taken.insert(key, self.take(value)?);
                }
                taken.into()
            }
            Value::Array(items) => {
                let items: Result<Vec<_>, _> =
                    items.into_iter().map(|item| self.take(item)).collect();
                items?.into()
            }
            other => other,
        })
    }

    /// The content of a message: the text, or its lines and images as parts when it has images.
    pub(super) fn content(&self, text: &str) -> Value {
        let text = text.trim();
        if self.0.is_empty() {
            return text.into();
        }
        // An image in the middle of a line has a line of its own.
        let mut text = text.to_owned();
        for (word, _) in &self.0 {
            for tag in ["![image](", "![ image ]("] {
                text = text.replace(&format!("{tag}{word})"), &format!("\n{word}\n"));
            }
        }
        let text = text.trim();
        let image_of = |line: &str| self.0.iter().find(|(word, _)| word == line.trim());
        if !text.lines().any(|line| image_of(line).is_some()) {
            return text.into();
        }
        let mut parts = Vec::new();
        for line in text.lines() {
            if let Some((_, url)) = image_of(line) {
                parts.push(json!({ "type": "image_url", "image_url": { "url": url } }));
            } else if !line.trim().is_empty() {
                parts.push(json!({ "type": "text", "text": line }));
            }
        }
        parts.into()
    }
}

/// The address of an image, if a value is one.
fn image_url(entries: &Object) -> Result<Option<String>, Failure> {
    let mut entries = entries.iter();
    let (Some((key, Value::String(content))), None) = (entries.next(), entries.next()) else {
        return Ok(None);
    };
    let Some((mime, form)) = key
        .strip_prefix("data:")
        .filter(|mime| mime.starts_with("image/"))
        .and_then(|rest| rest.split_once(';'))
    else {
        return Ok(None);
    };
    match form {
        "base64" => Ok(Some(format!("data:{mime};base64,{content}"))),
        "url" => Ok(Some(content.clone())),
        "path" => Err(
            Failure::new(format!("the image `{content}` was not read")).help(
                "give it as `data:image/png;base64`, or declare the flow input as `type: image`",
            ),
        ),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_become_parts_of_their_message() {
        let mut images = Images::default();
        let word = images
            .take(json!({"data:image/png;base64": "AAAA"}))
            .unwrap();
        let word = word.as_str().unwrap();
        assert_eq!(
            images.content(&format!(" look\n\n![image]({word})\nand {word}\n{word} ")),
            json!([
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "text", "text": format!("and {word}")},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ])
        );
        assert_eq!(images.content(" plain "), json!("plain"));
        let nested = images.take(json!([{"data:image/jpeg;url": "http://x/y"}, {"a": 1}]));
        assert!(nested.unwrap()[0].as_str().unwrap().starts_with("Image("));
        assert!(
            images
                .take(json!({"data:image/png;path": "a.png"}))
                .is_err()
        );
    }
}
