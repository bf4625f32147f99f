//! `ProductManager`: turns what a user typed into a checked [`ProductRequest`].

use serde_json::json;

use super::input::{contract_port, optional, output, required, to_value};
use super::persona::Persona;
use crate::contracts::{DataClassification, ProductRequest, Slug, TargetClouds};
use crate::port::{Call, Effect, Failure, Host, Outcome, Port, Signature};
use crate::value::{Value, type_name};

/// The registration.
pub(super) const PERSONA: Persona = Persona {
    name: "ProductManager",
    tool: "product_manager.run",
    summary: "Checks and normalises what the product is to be.",
    effect: Effect::Pure,
    skills: &[],
    signature,
    function: run,
};

const DEFAULT_OWNER: &str = "platform-team";
/// The longest objective that makes sense: ten years, in minutes.
const LONGEST_MINUTES: u32 = 10 * 366 * 24 * 60;
/// No control characters and no line or paragraph separators: names stand in comments and headings.
const ONE_LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$";

fn signature() -> Signature {
    let minutes = json!({
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": LONGEST_MINUTES,
        "pattern": "^\\s*[0-9]{1,7}\\s*[mhd]?\\s*$",
    });
    Signature {
        inputs: vec![
            Port::new(
                "product_name",
                json!({ "type": "string", "minLength": 3, "maxLength": 200, "pattern": ONE_LINE }),
                "The product's name as people write it.",
            ),
            Port::new(
                "target_clouds",
                json!({
                    "type": "array",
                    "minItems": 1,
                    "items": { "type": "string", "enum": ["azure", "aws", "gcp", "oci"] },
                }),
                "The clouds to build for: azure, aws, gcp, oci.",
            ),
            Port::new(
                "data_classification",
                json!({ "type": "string", "enum": ["public", "internal", "sensitive", "restricted"] }),
                "How much the data must be protected: public, internal, sensitive or restricted.",
            ),
            Port::new(
                "rto_target",
                minutes.clone(),
                "Recovery time objective in whole minutes; `4h` and `2d` are read too.",
            ),
            Port::new(
                "rpo_target",
                minutes,
                "Recovery point objective in whole minutes; `15m` and `4h` are read too.",
            ),
            Port::new(
                "owner",
                json!({ "type": "string", "minLength": 1, "maxLength": 130 }),
                "The owning group as a Backstage entity reference; `platform-team` when left out.",
            )
            .optional(),
            Port::new(
                "description",
                json!({ "type": "string", "maxLength": 1000, "pattern": ONE_LINE }),
                "What the product is for, in one line.",
            )
            .optional(),
        ],
        outputs: vec![contract_port(
            "product_spec",
            "ProductRequest",
            "The checked request.",
        )],
        open: false,
    }
}

fn run(call: &Call<'_>, _: &dyn Host) -> Result<Outcome, Failure> {
    let product_name = product_name(&required::<String>(call, "product_name")?)?;
    let owner = owner(optional::<String>(call, "owner")?)?;
    let description = match optional::<String>(call, "description")? {
        Some(text) if !text.trim().is_empty() => one_line("description", text.trim(), 1000)?,
        _ => format!("Secure object storage for {product_name}."),
    };
    let request = ProductRequest {
        slug: Slug::of(&product_name),
        product_name,
        description,
        owner,
        target_clouds: required::<TargetClouds>(call, "target_clouds")?,
        data_classification: required::<DataClassification>(call, "data_classification")?,
        rto_target: minutes(call, "rto_target")?,
        rpo_target: minutes(call, "rpo_target")?,
    };
    Ok(Outcome {
        subject: Some(request.slug.to_string()),
        output: output([("product_spec", to_value(&request))]),
        ..Outcome::default()
    })
}

fn product_name(text: &str) -> Result<String, Failure> {
    let name = one_line("product_name", text.trim(), 200)?;
    let length = name.chars().count();
    if length < 3 {
        return Err(Failure::new(format!(
            "product_name has {length} characters after trimming, but needs 3 to 200"
        )));
    }
    Ok(name)
}

fn one_line(input: &str, text: &str, longest: usize) -> Result<String, Failure> {
    let length = text.chars().count();
    if length > longest {
        return Err(Failure::new(format!(
            "{input} has {length} characters, but at most {longest} are allowed"
        )));
    }
    let refused = |c: &char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if let Some(character) = text.chars().find(refused) {
        return Err(Failure::new(format!(
            "{input} contains the control character {}; it must be one line of text",
            character.escape_unicode()
        )));
    }
    Ok(text.to_owned())
}

/// Checks an entity reference by Backstage's rules: `[kind:][namespace/]name`.
fn owner(text: Option<String>) -> Result<String, Failure> {
    let text = text.unwrap_or_default();
    let text = text.trim();
    if text.is_empty() {
        return Ok(DEFAULT_OWNER.to_owned());
    }
    let (kind, rest) = match text.split_once(':') {
        Some((kind, rest)) => (Some(kind), rest),
        None => (None, text),
    };
    let (namespace, name) = match rest.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, rest),
    };
    let fits = kind.is_none_or(|kind| matches!(kind, "group" | "user"))
        && namespace.is_none_or(|namespace| is_entity_name(namespace, "-"))
        && is_entity_name(name, "-_.");
    if fits {
        return Ok(text.to_owned());
    }
    Err(Failure::new(format!(
        "owner `{text}` is not a Backstage entity reference"
    ))
    .help("write a group such as `platform-team` or `group:default/platform-team`"))
}

/// Words of letters and digits with one separator between two of them, at most 63 characters.
fn is_entity_name(text: &str, separators: &str) -> bool {
    text.len() <= 63
        && text
            .split(|c| separators.contains(c))
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Reads whole minutes: a number, or text such as `30`, `15m`, `4h`, `2d`.
fn minutes(call: &Call<'_>, name: &str) -> Result<u32, Failure> {
    let value = required::<Value>(call, name)?;
    let minutes = match &value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => minutes_of_text(text),
        other => {
            return Err(Failure::new(format!(
                "{name} is {}, but must be whole minutes",
                type_name(other)
            )));
        }
    };
    let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
    minutes
        .filter(|minutes| *minutes <= LONGEST_MINUTES)
        .ok_or_else(|| {
            Failure::new(format!(
                "{name} is `{}`, which is no duration",
                crate::value::to_text(&value)
            ))
            .help("write whole minutes (`30`), or `15m`, `4h`, `2d`; at most ten years")
        })
}

fn minutes_of_text(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = match text.as_bytes().last()? {
        b'm' => (&text[..text.len() - 1], 1),
        b'h' => (&text[..text.len() - 1], 60),
        b'd' => (&text[..text.len() - 1], 24 * 60),
        _ => (text, 1),
    };
    let digits = digits.trim_end();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personas::testing::{NoHost, call};

    fn inputs() -> Value {
        json!({
            "product_name": "  Secure Storage ",
            "target_clouds": ["aws", "azure", "aws"],
            "data_classification": "sensitive",
            "rto_target": "4h",
            "rpo_target": 15,
        })
    }

    fn run_with(change: impl FnOnce(&mut Value)) -> Result<Value, Failure> {
        let mut inputs = inputs();
        change(&mut inputs);
        call(&PERSONA, &inputs, &NoHost).map(|outcome| outcome.output["product_spec"].clone())
    }

    #[test]
    fn the_request_is_normalised() {
        let spec = run_with(|_| ()).unwrap();
        assert_eq!(
            spec,
            json!({
                "product_name": "Secure Storage",
                "slug": "secure-storage",
                "description": "Secure object storage for Secure Storage.",
                "owner": "platform-team",
                "target_clouds": ["aws", "azure"],
                "data_classification": "sensitive",
                "rto_target": 240,
                "rpo_target": 15,
            })
        );
    }

    #[test]
    fn durations_are_minutes() {
        for (text, minutes) in [
            ("30", 30),
            ("15m", 15),
            (" 2 d ", 2880),
            ("0", 0),
            ("4h", 240),
        ] {
            let spec = run_with(|inputs| inputs["rto_target"] = json!(text)).unwrap();
            assert_eq!(spec["rto_target"], minutes, "{text}");
        }
        for bad in [
            json!("4w"),
            json!("-1"),
            json!(-1),
            json!(1.5),
            json!("h"),
            json!("99999999d"),
        ] {
            assert!(
                run_with(|inputs| inputs["rto_target"] = bad.clone()).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_length_counts_after_trimming_and_in_characters() {
        assert!(run_with(|inputs| inputs["product_name"] = json!(" ab ")).is_err());
        assert!(run_with(|inputs| inputs["product_name"] = json!("abc")).is_ok());
        assert!(run_with(|inputs| inputs["product_name"] = json!("庫".repeat(200))).is_ok());
        assert!(run_with(|inputs| inputs["product_name"] = json!("a".repeat(201))).is_err());
    }

    #[test]
    fn names_on_two_lines_are_refused() {
        let failure = run_with(|inputs| inputs["product_name"] = json!("a\nb c")).unwrap_err();
        assert!(failure.message.contains("\\u{a}"), "{}", failure.message);
    }

    #[test]
    fn owners_are_entity_references() {
        for good in [
            "team-a",
            "group:default/team-a",
            "user:jane.doe",
            "default/x_y",
        ] {
            let spec = run_with(|inputs| inputs["owner"] = json!(good)).unwrap();
            assert_eq!(spec["owner"], good);
        }
        for bad in [
            "a@b.example",
            "team a",
            "role:x",
            "a/b/c",
            "-x",
            "group:",
            "<b>",
        ] {
            assert!(
                run_with(|inputs| inputs["owner"] = json!(bad)).is_err(),
                "{bad}"
            );
        }
        let spec = run_with(|inputs| inputs["owner"] = json!("  ")).unwrap();
        assert_eq!(spec["owner"], DEFAULT_OWNER);
    }
}
