variable "name" {
  description = "Product slug, for descriptions; the resources carry the names in `names`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 48
    error_message = "name must be a slug: lower-case letters and digits, single hyphens, at most 48 characters."
  }
}

variable "names" {
  description = "Names of the resources. Bucket names are unique in all of Google Cloud."
  type = object({
    bucket     = string
    log_bucket = string
    key_ring   = string
    key        = string
  })

  validation {
    condition     = alltrue([for name in [var.names.bucket, var.names.log_bucket] : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", name)) && !startswith(name, "goog") && !strcontains(name, "google")])
    error_message = "Bucket names must be 3 to 63 lower-case letters, digits or hyphens, and may not look like Google's own."
  }

  validation {
    condition     = var.names.bucket != var.names.log_bucket
    error_message = "Every bucket needs a name of its own."
  }

  validation {
    condition     = alltrue([for name in [var.names.key_ring, var.names.key] : can(regex("^[A-Za-z0-9_-]{1,63}$", name))])
    error_message = "names.key_ring and names.key take at most 63 letters, digits, underscores and hyphens."
  }
}

variable "project_id" {
  description = "Existing project that receives everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be 6 to 30 lower-case letters, digits or hyphens, beginning with a letter."
  }
}

variable "location" {
  description = "Location of the buckets: a dual-region such as EUR4, or one region. A dual-region copies every object to its second region."
  type        = string
  default     = "EUR4"

  validation {
    condition     = can(regex("^([A-Za-z]+[0-9]+|[A-Za-z]+-[A-Za-z]+[0-9]+)$", var.location))
    error_message = "location must be a dual-region (EUR4) or a region (europe-west4); multi-regions do not say where the copies are."
  }
}

variable "kms_location" {
  description = "Location of the key ring; it must fit the buckets': eur4 for EUR4, the region for a region."
  type        = string
  default     = "eur4"

  validation {
    condition     = lower(var.kms_location) == lower(var.location)
    error_message = "kms_location must be the same place as location, or the bucket cannot use the key."
  }
}

variable "rpo" {
  description = "Replication of a dual-region: ASYNC_TURBO (15 minutes, with a service level) or DEFAULT (most within an hour, all within twelve). null in one region."
  type        = string
  default     = "ASYNC_TURBO"

  validation {
    condition     = var.rpo == null ? true : contains(["ASYNC_TURBO", "DEFAULT"], var.rpo)
    error_message = "rpo must be ASYNC_TURBO, DEFAULT or null."
  }

  validation {
    condition     = var.rpo == null ? true : !strcontains(var.location, "-")
    error_message = "rpo belongs to dual-regions only: set it to null in one region."
  }
}

variable "data_classification" {
  description = "Sensitivity of the stored data: public, internal, sensitive or restricted. It is written as a label and sets the floors that other inputs may not fall below."
  type        = string

  validation {
    condition     = contains(["public", "internal", "sensitive", "restricted"], var.data_classification)
    error_message = "data_classification must be one of public, internal, sensitive, restricted."
  }
}

variable "labels" {
  description = "Labels put on every resource that takes labels, from the product's tagging strategy."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.labels) <= 60
    error_message = "Google Cloud allows 64 labels per resource; leave room for the ones this module adds (at most 60 here)."
  }

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Label keys and values take at most 63 lower-case letters, digits, underscores and hyphens; a key begins with a letter."
  }
}

variable "storage_class" {
  description = "Storage class of new objects: STANDARD or NEARLINE. Both read within milliseconds."
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "NEARLINE"], var.storage_class)
    error_message = "storage_class must be STANDARD or NEARLINE."
  }
}

variable "key_rotation_days" {
  description = "Days between automatic rotations of the customer-managed key."
  type        = number
  default     = 90

  validation {
    condition     = var.key_rotation_days >= 1 && var.key_rotation_days <= 365 && floor(var.key_rotation_days) == var.key_rotation_days
    error_message = "key_rotation_days must be a whole number from 1 to 365."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.key_rotation_days <= 90
    error_message = "Keys of sensitive and restricted data must rotate at least every 90 days."
  }
}

variable "key_protection_level" {
  description = "Where the key lives: HSM, or SOFTWARE where the classification allows it."
  type        = string
  default     = "HSM"

  validation {
    condition     = contains(["HSM", "SOFTWARE"], var.key_protection_level)
    error_message = "key_protection_level must be HSM or SOFTWARE."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.key_protection_level == "HSM"
    error_message = "Keys of sensitive and restricted data must live in an HSM."
  }
}

variable "denied_tls_versions" {
  description = "TLS versions that the project refuses, by an organisation policy on the project (buckets have no setting of their own). Empty: an organisation policy above the project already does."
  type        = list(string)
  default     = ["TLS_VERSION_1", "TLS_VERSION_1_1"]

  validation {
    condition     = length(setsubtract(var.denied_tls_versions, ["TLS_VERSION_1", "TLS_VERSION_1_1"])) == 0
    error_message = "denied_tls_versions takes TLS_VERSION_1 and TLS_VERSION_1_1."
  }
}

variable "network" {
  description = <<-EOT
    Who may reach the data, by network: only callers inside the VPC Service Controls perimeter `service_perimeter`, into which the project is put
    (`join_service_perimeter = false`: it already is). A bucket in one region refuses, besides, every network but `vpc_networks`, when some are
    given; Cloud Storage has no such filter for dual-regions.
  EOT
  type = object({
    service_perimeter      = string
    join_service_perimeter = optional(bool, true)
    vpc_networks           = optional(list(string), [])
  })

  validation {
    condition     = can(regex("^accessPolicies/[0-9]+/servicePerimeters/[A-Za-z][A-Za-z0-9_]*$", var.network.service_perimeter))
    error_message = "network.service_perimeter must look like accessPolicies/123456789/servicePerimeters/storage."
  }

  validation {
    condition     = alltrue([for network in var.network.vpc_networks : can(regex("^projects/[^/]+/global/networks/[^/]+$", network))])
    error_message = "network.vpc_networks takes networks such as projects/host-project/global/networks/hub."
  }
}

variable "versioning_enabled" {
  description = "Keep every earlier version of an object. It excludes immutability: Cloud Storage accepts one of the two."
  type        = bool
  default     = true

  validation {
    condition     = var.versioning_enabled != var.immutability.enabled
    error_message = "Exactly one of versioning_enabled and immutability.enabled must be on: without both, overwritten data is lost; with both, Cloud Storage refuses the bucket."
  }
}

variable "immutability" {
  description = "Write-once retention of every object for `days`: `unlocked` can be shortened or removed, `locked` by nobody, for ever."
  type = object({
    enabled = optional(bool, false)
    mode    = optional(string, "unlocked")
    days    = optional(number, 30)
  })
  default = {}

  validation {
    condition     = !var.immutability.enabled || contains(["unlocked", "locked"], var.immutability.mode)
    error_message = "immutability.mode must be unlocked or locked."
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

variable "soft_delete_days" {
  description = "Days a deleted object or bucket can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days must be a whole number from 7 to 90 (the range of Cloud Storage)."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.soft_delete_days >= 30
    error_message = "Sensitive and restricted data must stay recoverable for at least 30 days."
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

variable "lifecycle_rules" {
  description = "Days after which objects move to NEARLINE and COLDLINE and are deleted. null: never."
  type = object({
    nearline_after_days = optional(number)
    coldline_after_days = optional(number)
    expire_after_days   = optional(number)
  })
  default = {}

  validation {
    condition     = var.lifecycle_rules.coldline_after_days == null ? true : var.lifecycle_rules.coldline_after_days > coalesce(var.lifecycle_rules.nearline_after_days, 0)
    error_message = "lifecycle_rules.coldline_after_days must be later than nearline_after_days."
  }

  validation {
    condition     = var.lifecycle_rules.expire_after_days == null ? true : var.lifecycle_rules.expire_after_days > max(coalesce(var.lifecycle_rules.nearline_after_days, 0), coalesce(var.lifecycle_rules.coldline_after_days, 0))
    error_message = "lifecycle_rules.expire_after_days must be later than nearline_after_days and coldline_after_days."
  }

  validation {
    condition     = var.lifecycle_rules.expire_after_days == null || !var.immutability.enabled ? true : var.lifecycle_rules.expire_after_days >= var.immutability.days
    error_message = "lifecycle_rules.expire_after_days may not be earlier than the end of immutability.days."
  }
}

variable "log_retention_days" {
  description = "Days that usage logs and data access audit logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 3650
    error_message = "log_retention_days must be from 30 to 3650 (the range of Cloud Logging)."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.log_retention_days >= 365
    error_message = "Access logs of sensitive and restricted data must be kept for at least 365 days."
  }
}

variable "log_location" {
  description = "Region that keeps the data access audit logs."
  type        = string
  default     = "europe-west4"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.log_location))
    error_message = "log_location must be a region, for example europe-west4."
  }
}
