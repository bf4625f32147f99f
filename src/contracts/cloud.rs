//! [`Cloud`] and the never-empty list of them that a product targets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A cloud that flowctl can build for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Microsoft Azure.
    Azure,
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// Oracle Cloud Infrastructure.
    Oci,
}

impl Cloud {
    /// Every cloud, in the order in which the documentation names them.
    pub const ALL: [Self; 4] = [Self::Azure, Self::Aws, Self::Gcp, Self::Oci];

    /// The word used in inputs, paths and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Oci => "oci",
        }
    }

    /// The vendor's own name, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Azure => "Microsoft Azure",
            Self::Aws => "Amazon Web Services",
            Self::Gcp => "Google Cloud",
            Self::Oci => "Oracle Cloud Infrastructure",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The clouds of a product: at least one, each once, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Cloud>", into = "Vec<Cloud>")]
pub struct TargetClouds(Vec<Cloud>);

impl TargetClouds {
    /// The clouds in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Cloud] {
        &self.0
    }

    /// Whether the product targets this cloud.
    #[must_use]
    pub fn contains(&self, cloud: Cloud) -> bool {
        self.0.contains(&cloud)
    }

    /// The clouds in order.
    pub fn iter(&self) -> impl Iterator<Item = Cloud> + '_ {
        self.0.iter().copied()
    }
}

impl TryFrom<Vec<Cloud>> for TargetClouds {
    type Error = &'static str;

    fn try_from(clouds: Vec<Cloud>) -> Result<Self, Self::Error> {
        let mut kept = Vec::with_capacity(clouds.len());
        for cloud in clouds {
            if !kept.contains(&cloud) {
                kept.push(cloud);
            }
        }
        if kept.is_empty() {
            return Err("target_clouds names no cloud; choose from azure, aws, gcp, oci");
        }
        Ok(Self(kept))
    }
}

impl From<TargetClouds> for Vec<Cloud> {
    fn from(clouds: TargetClouds) -> Self {
        clouds.0
    }
}

#[cfg(test)]
impl schemars::JsonSchema for TargetClouds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TargetClouds".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let cloud = generator.subschema_for::<Cloud>();
        schemars::json_schema!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": cloud })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_duplicates_are_dropped() {
        let clouds: TargetClouds =
            serde_json::from_str(r#"["oci", "azure", "oci", "aws", "azure"]"#).unwrap();
        assert_eq!(clouds.as_slice(), [Cloud::Oci, Cloud::Azure, Cloud::Aws]);
        assert_eq!(
            serde_json::to_string(&clouds).unwrap(),
            r#"["oci","azure","aws"]"#
        );
    }

    #[test]
    fn an_empty_list_and_a_strange_cloud_are_refused() {
        assert!(serde_json::from_str::<TargetClouds>("[]").is_err());
        let error = serde_json::from_str::<TargetClouds>(r#"["ibm"]"#).unwrap_err();
        assert!(error.to_string().contains("azure"), "{error}");
    }
}
