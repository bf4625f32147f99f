variable "name" {
  description = "Product slug, for descriptions; the resources carry the names in `names`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 48
    error_message = "name must be a slug: lower-case letters and digits, single hyphens, at most 48 characters."
  }
}

variable "names" {
  description = "Names of the resources. Bucket names are unique in the tenancy's namespace."
  type = object({
    bucket         = string
    replica_bucket = string
    log_group      = string
    vault          = string
    key            = string
  })

  validation {
    condition     = alltrue([for name in values(var.names) : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", name))])
    error_message = "Names take at most 100 letters, digits, dots, underscores and hyphens."
  }

  validation {
    condition     = var.names.bucket != var.names.replica_bucket
    error_message = "Every bucket needs a name of its own."
  }
}

variable "tenancy_id" {
  description = "OCID of the tenancy; network sources live there."
  type        = string

  validation {
    condition     = startswith(var.tenancy_id, "ocid1.tenancy.")
    error_message = "tenancy_id must be the OCID of a tenancy."
  }
}

variable "compartment_id" {
  description = "OCID of the compartment that receives everything else."
  type        = string

  validation {
    condition     = startswith(var.compartment_id, "ocid1.compartment.")
    error_message = "compartment_id must be the OCID of a compartment; the root compartment is refused."
  }
}

variable "region" {
  description = "Region of the data, for example eu-frankfurt-1; the same as that of the `oci` provider."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.region))
    error_message = "region must look like eu-frankfurt-1."
  }
}

variable "data_classification" {
  description = "Sensitivity of the stored data: public, internal, sensitive or restricted. It is written as a tag and sets the floors that other inputs may not fall below."
  type        = string

  validation {
    condition     = contains(["public", "internal", "sensitive", "restricted"], var.data_classification)
    error_message = "data_classification must be one of public, internal, sensitive, restricted."
  }
}

variable "freeform_tags" {
  description = "Tags put on every resource, from the product's tagging strategy."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.freeform_tags) <= 8
    error_message = "OCI allows 10 freeform tags per resource; leave room for the ones this module adds (at most 8 here)."
  }

  validation {
    condition     = alltrue([for key, value in var.freeform_tags : can(regex("^[^. ]{1,100}$", key)) && length(value) <= 256])
    error_message = "A tag key has 1 to 100 characters without dots and spaces, a value at most 256."
  }
}

variable "key_protection_mode" {
  description = "Where the key lives: HSM, or SOFTWARE where the classification allows it."
  type        = string
  default     = "HSM"

  validation {
    condition     = contains(["HSM", "SOFTWARE"], var.key_protection_mode)
    error_message = "key_protection_mode must be HSM or SOFTWARE."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.key_protection_mode == "HSM"
    error_message = "Keys of sensitive and restricted data must live in an HSM."
  }
}

variable "key_rotation_days" {
  description = "Days between automatic rotations of the customer-managed keys."
  type        = number
  default     = 90

  validation {
    condition     = var.key_rotation_days >= 60 && var.key_rotation_days <= 365 && floor(var.key_rotation_days) == var.key_rotation_days
    error_message = "key_rotation_days must be a whole number from 60 to 365 (the range of OCI Vault)."
  }
}

variable "vault_type" {
  description = "VIRTUAL_PRIVATE: an HSM partition of its own, the only type whose keys rotate by themselves. DEFAULT: shared, far cheaper, rotated by hand."
  type        = string
  default     = "VIRTUAL_PRIVATE"

  validation {
    condition     = contains(["VIRTUAL_PRIVATE", "DEFAULT"], var.vault_type)
    error_message = "vault_type must be VIRTUAL_PRIVATE or DEFAULT."
  }

  validation {
    condition     = var.data_classification != "restricted" || var.vault_type == "VIRTUAL_PRIVATE"
    error_message = "Keys of restricted data must rotate by themselves: vault_type must be VIRTUAL_PRIVATE."
  }
}

variable "network" {
  description = <<-EOT
    Who may reach the data, by network: requests from the VCNs `vcn_ids` only (within `vcn_cidr_blocks`), through their service gateways. IAM grants
    carry this as a condition, so with no group in `access` nobody reaches the data. With `private_endpoint_subnet_id` the bucket gets an address
    inside that subnet too.
  EOT
  type = object({
    vcn_ids                    = list(string)
    vcn_cidr_blocks            = optional(list(string), ["0.0.0.0/0"])
    private_endpoint_subnet_id = optional(string)
  })

  validation {
    condition     = length(var.network.vcn_ids) > 0 && alltrue([for id in var.network.vcn_ids : startswith(id, "ocid1.vcn.")])
    error_message = "network.vcn_ids needs at least one OCID of a VCN."
  }

  validation {
    condition     = var.network.private_endpoint_subnet_id == null ? true : startswith(var.network.private_endpoint_subnet_id, "ocid1.subnet.")
    error_message = "network.private_endpoint_subnet_id must be the OCID of a subnet."
  }
}

variable "access" {
  description = "IAM groups that may read, or read and write, the objects, from the given networks only. A group of another identity domain is written 'Domain'/'Group'."
  type = object({
    reader_groups = optional(list(string), [])
    writer_groups = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for group in concat(var.access.reader_groups, var.access.writer_groups) : can(regex("^('[A-Za-z0-9 ._-]{1,100}'/)?'?[A-Za-z0-9._-]{1,100}'?$", group))])
    error_message = "access takes names of groups, letters, digits, dots, underscores and hyphens; any-user and policies smuggled into a name are refused."
  }

  validation {
    condition     = !anytrue([for group in concat(var.access.reader_groups, var.access.writer_groups) : contains(["any-user", "any-group"], lower(group))])
    error_message = "access must name groups: any-user would open the bucket to everybody."
  }
}

variable "auto_tiering" {
  description = "Move objects that nobody reads to the infrequent access tier: InfrequentAccess or Disabled. They stay readable at once."
  type        = string
  default     = "InfrequentAccess"

  validation {
    condition     = contains(["InfrequentAccess", "Disabled"], var.auto_tiering)
    error_message = "auto_tiering must be InfrequentAccess or Disabled."
  }
}

variable "versioning" {
  description = "Keep every earlier version of an object: Enabled or Disabled. It excludes immutability: Object Storage accepts one of the two."
  type        = string
  default     = "Enabled"

  validation {
    condition     = contains(["Enabled", "Disabled"], var.versioning)
    error_message = "versioning must be Enabled or Disabled."
  }

  validation {
    condition     = (var.versioning == "Enabled") != var.immutability.enabled
    error_message = "Exactly one of versioning and immutability.enabled must be on: without both, overwritten data is lost; with both, Object Storage refuses the bucket."
  }
}

variable "immutability" {
  description = "Write-once retention rule for `days`: `unlocked` can be changed or removed; `locked` becomes unchangeable at `lock_time` (RFC 3339, at least 14 days ahead), for ever."
  type = object({
    enabled   = optional(bool, false)
    mode      = optional(string, "unlocked")
    days      = optional(number, 30)
    lock_time = optional(string)
  })
  default = {}

  validation {
    condition     = !var.immutability.enabled || contains(["unlocked", "locked"], var.immutability.mode)
    error_message = "immutability.mode must be unlocked or locked."
  }

  validation {
    condition     = !var.immutability.enabled || var.immutability.mode != "locked" ? true : can(formatdate("YYYY", var.immutability.lock_time))
    error_message = "A locked rule needs immutability.lock_time as an RFC 3339 time."
  }

  validation {
    condition     = !var.immutability.enabled || (var.immutability.days >= 1 && var.immutability.days <= 36500 && floor(var.immutability.days) == var.immutability.days)
    error_message = "immutability.days must be a whole number from 1 to 36500."
  }

  validation {
    condition     = var.data_classification != "restricted" || var.immutability.enabled
    error_message = "Restricted data must be immutable: immutability.enabled may not be false."
  }
}

variable "noncurrent_version_days" {
  description = "Days an overwritten or deleted object version stays recoverable; after them the lifecycle removes it."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_version_days >= 7 && var.noncurrent_version_days <= 3650 && floor(var.noncurrent_version_days) == var.noncurrent_version_days
    error_message = "noncurrent_version_days must be a whole number from 7 to 3650."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.noncurrent_version_days >= 30
    error_message = "Versions of sensitive and restricted data must stay recoverable for at least 30 days."
  }
}

variable "replication" {
  description = "Copy of every object in `region`, into a bucket that is read-only as long as the policy stands."
  type = object({
    enabled = optional(bool, true)
    region  = string
  })

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.replication.region)) && (!var.replication.enabled || var.replication.region != var.region)
    error_message = "replication.region must be another region, such as eu-amsterdam-1."
  }
}

variable "log_retention_days" {
  description = "Days that access logs are to be kept. OCI Logging keeps at most 180 and rounds to months of 30 days; what is asked for beyond is up to the tenancy's archive (see README)."
  type        = number
  default     = 365

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 3650
    error_message = "log_retention_days must be from 30 to 3650."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.log_retention_days >= 365
    error_message = "Access logs of sensitive and restricted data must be kept for at least 365 days."
  }
}
