variable "name" {
  description = "Product slug, for descriptions; the resources carry the names in `names`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 48
    error_message = "name must be a slug: lower-case letters and digits, single hyphens, at most 48 characters."
  }
}

variable "names" {
  description = "Names of the resources. Bucket names are unique in all of AWS. `replica_log_bucket` is derived from `replica_bucket` when it is left out."
  type = object({
    bucket             = string
    log_bucket         = string
    replica_bucket     = string
    replica_log_bucket = optional(string)
    key_alias          = string
    replication_role   = string
  })

  validation {
    condition = alltrue([
      for name in compact([var.names.bucket, var.names.log_bucket, var.names.replica_bucket, var.names.replica_log_bucket]) :
      can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", name))
    ])
    error_message = "Bucket names must be 3 to 63 lower-case letters, digits or hyphens, and may not begin or end with a hyphen."
  }

  validation {
    condition     = length(distinct(compact([var.names.bucket, var.names.log_bucket, var.names.replica_bucket, var.names.replica_log_bucket]))) == length(compact([var.names.bucket, var.names.log_bucket, var.names.replica_bucket, var.names.replica_log_bucket]))
    error_message = "Every bucket needs a name of its own."
  }

  validation {
    condition     = can(regex("^(alias/)?[A-Za-z0-9/_-]{1,240}$", var.names.key_alias)) && !startswith(trimprefix(var.names.key_alias, "alias/"), "aws/")
    error_message = "names.key_alias takes letters, digits, slashes, underscores and hyphens, and may not begin with aws/."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.names.replication_role))
    error_message = "names.replication_role must be at most 64 characters that IAM accepts."
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

variable "tags" {
  description = "Tags put on every resource, from the product's tagging strategy."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 45
    error_message = "AWS allows 50 tags per resource; leave room for the ones this module adds (at most 45 here)."
  }

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && length(value) <= 256 && !startswith(lower(key), "aws:")])
    error_message = "A tag key has 1 to 128 characters and may not begin with aws:, a value has at most 256."
  }
}

variable "minimum_tls_version" {
  description = "Oldest TLS version a request may use; the bucket policy refuses anything older."
  type        = string
  default     = "1.2"

  validation {
    condition     = contains(["1.2", "1.3"], var.minimum_tls_version)
    error_message = "minimum_tls_version must be 1.2 or 1.3."
  }
}

variable "key_rotation_days" {
  description = "Days between automatic rotations of the customer-managed keys."
  type        = number
  default     = 365

  validation {
    condition     = var.key_rotation_days >= 90 && var.key_rotation_days <= 2560 && floor(var.key_rotation_days) == var.key_rotation_days
    error_message = "key_rotation_days must be a whole number from 90 to 2560 (the range of AWS KMS)."
  }
}

variable "key_deletion_window_days" {
  description = "Days a deleted key can still be recovered."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_window_days >= 7 && var.key_deletion_window_days <= 30
    error_message = "key_deletion_window_days must be from 7 to 30 (the range of AWS KMS)."
  }
}

variable "key_administrator_arns" {
  description = "IAM principals that may administer (not use) the keys, beside what IAM policies of the account grant."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.key_administrator_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:", arn))])
    error_message = "key_administrator_arns takes ARNs of IAM principals; a wildcard principal is refused."
  }
}

variable "network" {
  description = <<-EOT
    Who may reach the data, by network. The data plane (reading, writing, deleting, listing objects) is refused to everybody who does not
    come through one of `vpc_endpoint_ids`, except the IAM principals in `exempt_principal_arns` (patterns allowed). It fails closed: with no
    endpoint listed nobody reaches the data. `organization_id`, when given, refuses principals of other AWS organisations too.
  EOT
  type = object({
    vpc_endpoint_ids      = optional(list(string), [])
    exempt_principal_arns = optional(list(string), [])
    organization_id       = optional(string)
  })
  default = {}

  validation {
    condition     = alltrue([for id in var.network.vpc_endpoint_ids : can(regex("^vpce-[0-9a-f]{8,17}$", id))])
    error_message = "network.vpc_endpoint_ids takes identifiers such as vpce-0123456789abcdef0."
  }

  validation {
    condition     = alltrue([for arn in var.network.exempt_principal_arns : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:.+", arn))])
    error_message = "network.exempt_principal_arns takes ARNs of principals of one account each; a wildcard account is refused."
  }

  validation {
    condition     = var.network.organization_id == null || can(regex("^o-[a-z0-9]{10,32}$", var.network.organization_id))
    error_message = "network.organization_id looks like o-a1b2c3d4e5."
  }
}

variable "versioning_enabled" {
  description = "Keep every earlier version of an object. S3 needs it for Object Lock and for replication, so it can only be on."
  type        = bool
  default     = true

  validation {
    condition     = var.versioning_enabled
    error_message = "versioning_enabled may not be false: Object Lock and replication need versions."
  }
}

variable "immutability" {
  description = "Write-once retention of every object version with Object Lock: `GOVERNANCE` can be lifted by a privileged role, `COMPLIANCE` by nobody, not even the root user, for `days`."
  type = object({
    enabled = optional(bool, true)
    mode    = optional(string, "GOVERNANCE")
    days    = optional(number, 30)
  })
  default = {}

  validation {
    condition     = !var.immutability.enabled || contains(["GOVERNANCE", "COMPLIANCE"], var.immutability.mode)
    error_message = "immutability.mode must be GOVERNANCE or COMPLIANCE."
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
  default     = 30

  validation {
    condition     = var.noncurrent_version_days >= 7 && var.noncurrent_version_days <= 3650 && floor(var.noncurrent_version_days) == var.noncurrent_version_days
    error_message = "noncurrent_version_days must be a whole number from 7 to 3650."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.noncurrent_version_days >= 30
    error_message = "Sensitive and restricted data must stay recoverable for at least 30 days."
  }
}

variable "lifecycle_rules" {
  description = "Days after which current objects move to infrequent access (`cool_after_days`) and to the archive (`archive_after_days`), and are deleted (`expire_after_days`). null: never."
  type = object({
    cool_after_days       = optional(number, 30)
    archive_after_days    = optional(number)
    archive_storage_class = optional(string, "GLACIER_IR")
    expire_after_days     = optional(number)
  })
  default = {}

  validation {
    condition     = var.lifecycle_rules.cool_after_days == null ? true : var.lifecycle_rules.cool_after_days >= 30
    error_message = "lifecycle_rules.cool_after_days must be at least 30: S3 moves nothing to STANDARD_IA earlier."
  }

  validation {
    condition     = var.lifecycle_rules.archive_after_days == null ? true : var.lifecycle_rules.archive_after_days >= coalesce(var.lifecycle_rules.cool_after_days, 0) + 30
    error_message = "lifecycle_rules.archive_after_days must be at least 30 days after cool_after_days."
  }

  validation {
    condition     = contains(["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], var.lifecycle_rules.archive_storage_class)
    error_message = "lifecycle_rules.archive_storage_class must be GLACIER_IR (milliseconds), GLACIER (minutes to hours) or DEEP_ARCHIVE (up to 48 hours)."
  }

  validation {
    condition     = var.lifecycle_rules.expire_after_days == null ? true : var.lifecycle_rules.expire_after_days > max(coalesce(var.lifecycle_rules.cool_after_days, 0), coalesce(var.lifecycle_rules.archive_after_days, 0))
    error_message = "lifecycle_rules.expire_after_days must be later than cool_after_days and archive_after_days."
  }

  validation {
    condition     = var.lifecycle_rules.expire_after_days == null || !var.immutability.enabled ? true : var.lifecycle_rules.expire_after_days >= var.immutability.days
    error_message = "lifecycle_rules.expire_after_days may not be earlier than the end of immutability.days."
  }
}

variable "replication" {
  description = <<-EOT
    Copy of every object version in the region of `aws.replica`, under a key of that region. `time_control` buys the 15-minute service level
    (S3 Replication Time Control); `latency_alarm_seconds` raises an alarm when replication falls behind the recovery point objective.
  EOT
  type = object({
    enabled               = optional(bool, true)
    time_control          = optional(bool, true)
    storage_class         = optional(string, "STANDARD")
    latency_alarm_seconds = optional(number, 900)
  })
  default = {}

  validation {
    condition     = contains(["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], var.replication.storage_class)
    error_message = "replication.storage_class must be STANDARD, STANDARD_IA, INTELLIGENT_TIERING or GLACIER_IR: a replica must be readable at once."
  }

  validation {
    condition     = var.replication.latency_alarm_seconds >= 60
    error_message = "replication.latency_alarm_seconds must be at least 60: CloudWatch publishes the latency once a minute."
  }

  validation {
    condition     = var.data_classification != "restricted" || var.replication.enabled
    error_message = "Restricted data must be replicated to a second region."
  }
}

variable "log_retention_days" {
  description = "Days that access logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = var.log_retention_days >= 90 && var.log_retention_days <= 3650
    error_message = "log_retention_days must be from 90 to 3650."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.log_retention_days >= 365
    error_message = "Access logs of sensitive and restricted data must be kept for at least 365 days."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told when replication falls behind."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:", arn))])
    error_message = "alarm_topic_arns takes ARNs of SNS topics."
  }
}
