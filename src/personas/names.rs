//! Resource names within each cloud's rules, derived from the slug.
//!
//! Globally unique names end in six hex digits of the slug's digest.

use crate::contracts::{AwsNames, AzureNames, GcpNames, OciNames, Slug};

/// Names on Azure: an account takes 24 letters and digits, a vault 24 with hyphens.
pub(super) fn azure(slug: &Slug) -> AzureNames {
    let digits = slug.digits();
    AzureNames {
        resource_group: format!("rg-{slug}"),
        storage_account: format!("st{}{digits}", slug.compact(16)),
        container: "data".to_owned(),
        key_vault: format!("kv-{}-{digits}", slug.cut(14)),
        key: "cmk-storage".to_owned(),
        identity: format!("id-{slug}"),
        log_workspace: format!("log-{slug}"),
        private_endpoint: format!("pe-{slug}-blob"),
    }
}

/// Names on AWS: a bucket takes 63 characters, a role 64.
pub(super) fn aws(slug: &Slug) -> AwsNames {
    // S3 reserves these prefixes.
    let reserved = ["sthree-", "xn--", "amzn-s3-demo-"];
    let stem = stem(
        slug,
        reserved
            .iter()
            .any(|prefix| format!("{slug}-").starts_with(prefix)),
    );
    let digits = slug.digits();
    AwsNames {
        bucket: format!("{stem}-data-{digits}"),
        replica_bucket: format!("{stem}-copy-{digits}"),
        log_bucket: format!("{stem}-logs-{digits}"),
        key_alias: format!("alias/{slug}"),
        replication_role: format!("{slug}-replication"),
    }
}

/// Names on Google Cloud: a bucket takes 63 characters and may not look like Google's own.
pub(super) fn gcp(slug: &Slug) -> GcpNames {
    let looks_like_google = ["google", "g00gle", "goog", "g0ogle", "go0gle"]
        .iter()
        .any(|word| slug.compact(usize::MAX).contains(word));
    let digits = slug.digits();
    // `google` may not stand anywhere in a bucket's name, so a prefix would not do.
    let stem = if looks_like_google {
        "product".to_owned()
    } else {
        stem(slug, false)
    };
    GcpNames {
        bucket: format!("{stem}-data-{digits}"),
        log_bucket: format!("{stem}-logs-{digits}"),
        key_ring: format!("{slug}-ring"),
        key: "cmk-storage".to_owned(),
    }
}

/// Names on OCI: unique within a tenancy's namespace only.
pub(super) fn oci(slug: &Slug) -> OciNames {
    OciNames {
        bucket: format!("{slug}-data"),
        replica_bucket: format!("{slug}-copy"),
        log_group: format!("{slug}-logs"),
        vault: format!("{slug}-vault"),
        key: "cmk-storage".to_owned(),
    }
}

fn stem(slug: &Slug, reserved: bool) -> String {
    if reserved {
        format!("p-{slug}")
    } else {
        slug.to_string()
    }
}

/// A tag's value within the rules of AWS, Azure and OCI together.
pub(super) fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " _.:=+-@".contains(c);
    text.chars()
        .take(128)
        .map(|c| if allowed(c) { c } else { '_' })
        .collect()
}

/// A label's value within Google Cloud's rules.
pub(super) fn label_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let lower = text.to_ascii_lowercase();
    lower
        .chars()
        .take(63)
        .map(|c| if allowed(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Slug> {
        let long = "z".repeat(200);
        [
            "abc",
            "Ünïcode Storage/..",
            &long,
            "倉庫製品",
            "🚀🚀🚀",
            "sthree x",
            "1-2-3",
            "My Google Drive",
        ]
        .iter()
        .map(|name| Slug::of(name))
        .collect()
    }

    #[test]
    fn azure_names_keep_to_the_rules() {
        for slug in samples() {
            let names = azure(&slug);
            assert!((3..=24).contains(&names.storage_account.len()), "{names:?}");
            assert!(
                names
                    .storage_account
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            );
            assert!((3..=24).contains(&names.key_vault.len()), "{names:?}");
            assert!(!names.key_vault.contains("--"), "{names:?}");
        }
    }

    #[test]
    fn bucket_names_keep_to_the_rules() {
        for slug in samples() {
            let (aws, gcp) = (aws(&slug), gcp(&slug));
            for name in [
                &aws.bucket,
                &aws.replica_bucket,
                &aws.log_bucket,
                &gcp.bucket,
                &gcp.log_bucket,
            ] {
                assert!((3..=63).contains(&name.len()), "{name}");
            }
            assert!(
                !aws.bucket.starts_with("sthree-") && !gcp.bucket.contains("goog"),
                "{gcp:?}"
            );
            assert!(aws.replication_role.len() <= 64);
        }
    }

    #[test]
    fn products_that_share_a_beginning_get_different_accounts() {
        let first = azure(&Slug::of("customer records archive one"));
        let second = azure(&Slug::of("customer records archive two"));
        assert_ne!(first.storage_account, second.storage_account);
        assert_ne!(first.key_vault, second.key_vault);
    }

    #[test]
    fn labels_are_lower_case() {
        assert_eq!(label_value("group:default/Team A"), "group_default_team_a");
        assert_eq!(tag_value("a<b>&c"), "a_b__c");
    }
}
