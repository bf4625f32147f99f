variable "name" {
  description = "Product slug, for descriptions; the resources carry the names in `names`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 48
    error_message = "name must be a slug: lower-case letters and digits, single hyphens, at most 48 characters."
  }
}

variable "names" {
  description = "Names of the resources. Storage account and key vault are unique in all of Azure."
  type = object({
    storage_account  = string
    container        = string
    key_vault        = string
    key              = string
    identity         = string
    log_workspace    = string
    private_endpoint = string
  })

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.names.storage_account))
    error_message = "names.storage_account must be 3 to 24 lower-case letters and digits."
  }

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.names.container)) && length(var.names.container) >= 3 && length(var.names.container) <= 63
    error_message = "names.container must be 3 to 63 lower-case letters, digits and single hyphens."
  }

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$", var.names.key_vault)) && !strcontains(var.names.key_vault, "--")
    error_message = "names.key_vault must be 3 to 24 letters, digits and single hyphens, beginning with a letter."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,127}$", var.names.key))
    error_message = "names.key must be 1 to 127 letters, digits and hyphens."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$", var.names.log_workspace))
    error_message = "names.log_workspace must be 4 to 63 letters, digits and hyphens."
  }
}

variable "resource_group_name" {
  description = "Existing resource group that receives everything."
  type        = string
}

variable "location" {
  description = "Azure region of the data, in Azure's short form, for example westeurope."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "location must be the short form of a region, for example westeurope."
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
    condition     = length(var.tags) <= 47
    error_message = "Azure allows 50 tags per resource; leave room for the ones this module adds (at most 47 here)."
  }

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && length(value) <= 256 && !can(regex("[<>%&\\\\?/]", key))])
    error_message = "A tag key has 1 to 128 characters, none of <>%&\\?/ (storage accounts allow 128), a value at most 256."
  }
}

variable "replication_type" {
  description = "Redundancy of the account. All accepted values copy to the paired region; RA* make the copy readable, G*ZRS spread the primary over zones."
  type        = string
  default     = "GZRS"

  validation {
    condition     = contains(["GRS", "RAGRS", "GZRS", "RAGZRS"], var.replication_type)
    error_message = "replication_type must be GRS, RAGRS, GZRS or RAGZRS."
  }
}

variable "access_tier" {
  description = "Tier of new blobs: Hot or Cool."
  type        = string
  default     = "Hot"

  validation {
    condition     = contains(["Hot", "Cool"], var.access_tier)
    error_message = "access_tier must be Hot or Cool."
  }
}

variable "minimum_tls_version" {
  description = "Oldest TLS version that the account accepts."
  type        = string
  default     = "TLS1_2"

  validation {
    condition     = contains(["TLS1_2"], var.minimum_tls_version)
    error_message = "minimum_tls_version must be TLS1_2, the highest floor that azurerm accepts; clients may still speak 1.3."
  }
}

variable "infrastructure_encryption_enabled" {
  description = "Encrypt a second time below the customer-managed key. It cannot be changed later without a new account."
  type        = bool
  default     = true

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.infrastructure_encryption_enabled
    error_message = "Sensitive and restricted data must be encrypted twice: infrastructure_encryption_enabled may not be false."
  }
}

variable "key_type" {
  description = "Type of the customer-managed key: RSA-HSM, or RSA in software where the classification allows it."
  type        = string
  default     = "RSA-HSM"

  validation {
    condition     = contains(["RSA-HSM", "RSA"], var.key_type)
    error_message = "key_type must be RSA-HSM or RSA: storage encrypts with RSA keys only."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.key_type == "RSA-HSM"
    error_message = "Keys of sensitive and restricted data must live in an HSM: key_type must be RSA-HSM."
  }
}

variable "key_size" {
  description = "Size of the customer-managed key in bits."
  type        = number
  default     = 3072

  validation {
    condition     = contains([2048, 3072, 4096], var.key_size)
    error_message = "key_size must be 2048, 3072 or 4096."
  }
}

variable "key_rotation_days" {
  description = "Days between automatic rotations of the customer-managed key."
  type        = number
  default     = 90

  validation {
    condition     = var.key_rotation_days >= 28 && var.key_rotation_days <= 730 && floor(var.key_rotation_days) == var.key_rotation_days
    error_message = "key_rotation_days must be a whole number from 28 to 730."
  }
}

variable "key_expiry_days" {
  description = "Days until a version of the customer-managed key expires."
  type        = number
  default     = 180

  validation {
    condition     = var.key_expiry_days >= var.key_rotation_days + 7 && floor(var.key_expiry_days) == var.key_expiry_days
    error_message = "key_expiry_days must be at least 7 days after key_rotation_days, or a version expires before its successor is in use."
  }
}

variable "network" {
  description = <<-EOT
    How account and vault are reached: through private endpoints in `subnet_id`, whose names resolve in the given private DNS zones (none: the
    landing zone registers them by policy). The public endpoints are switched off, so the machine that runs Terraform needs the same network.
  EOT
  type = object({
    subnet_id          = string
    blob_dns_zone_ids  = optional(list(string), [])
    vault_dns_zone_ids = optional(list(string), [])
  })

  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.network.subnet_id))
    error_message = "network.subnet_id must be the resource id of a subnet."
  }
}

variable "versioning_enabled" {
  description = "Keep every earlier version of a blob. Immutability and point-in-time restore need it."
  type        = bool
  default     = true
}

variable "immutability" {
  description = "Write-once retention of every blob version: `Unlocked` can be shortened or removed by a privileged role, `Locked` by nobody, for `days`."
  type = object({
    enabled = optional(bool, true)
    mode    = optional(string, "Unlocked")
    days    = optional(number, 30)
  })
  default = {}

  validation {
    condition     = !var.immutability.enabled || contains(["Unlocked", "Locked"], var.immutability.mode)
    error_message = "immutability.mode must be Unlocked or Locked."
  }

  validation {
    condition     = !var.immutability.enabled || (var.immutability.days >= 1 && var.immutability.days <= 146000 && floor(var.immutability.days) == var.immutability.days)
    error_message = "immutability.days must be a whole number from 1 to 146000."
  }

  validation {
    condition     = var.data_classification != "restricted" || var.immutability.enabled
    error_message = "Restricted data must be immutable: immutability.enabled may not be false."
  }

  validation {
    condition     = !var.immutability.enabled || var.versioning_enabled
    error_message = "Version-level immutability needs versioning_enabled."
  }
}

variable "point_in_time_restore_days" {
  description = "Days to which the containers can be set back; 0 is off. Azure does not combine it with version-level immutability."
  type        = number
  default     = 0

  validation {
    condition     = var.point_in_time_restore_days == 0 || (var.point_in_time_restore_days >= 1 && var.point_in_time_restore_days < var.soft_delete_days)
    error_message = "point_in_time_restore_days must be 0, or from 1 to less than soft_delete_days."
  }

  validation {
    condition     = var.point_in_time_restore_days == 0 || (var.versioning_enabled && !var.immutability.enabled)
    error_message = "point_in_time_restore_days needs versioning_enabled, and cannot be combined with immutability."
  }
}

variable "soft_delete_days" {
  description = "Days a deleted blob, version or container stays recoverable."
  type        = number
  default     = 30

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 365 && floor(var.soft_delete_days) == var.soft_delete_days
    error_message = "soft_delete_days must be a whole number from 7 to 365."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.soft_delete_days >= 30
    error_message = "Sensitive and restricted data must stay recoverable for at least 30 days."
  }
}

variable "lifecycle_rules" {
  description = "Days after which blobs move to the cool and cold tiers and are deleted, and after which earlier versions are deleted. null: never."
  type = object({
    cool_after_days         = optional(number)
    cold_after_days         = optional(number)
    expire_after_days       = optional(number)
    noncurrent_version_days = optional(number, 90)
  })
  default = {}

  validation {
    condition     = var.lifecycle_rules.cold_after_days == null ? true : var.lifecycle_rules.cold_after_days > coalesce(var.lifecycle_rules.cool_after_days, 0)
    error_message = "lifecycle_rules.cold_after_days must be later than cool_after_days."
  }

  validation {
    condition     = var.lifecycle_rules.expire_after_days == null ? true : var.lifecycle_rules.expire_after_days > max(coalesce(var.lifecycle_rules.cool_after_days, 0), coalesce(var.lifecycle_rules.cold_after_days, 0))
    error_message = "lifecycle_rules.expire_after_days must be later than cool_after_days and cold_after_days."
  }

  validation {
    condition     = var.lifecycle_rules.expire_after_days == null || !var.immutability.enabled ? true : var.lifecycle_rules.expire_after_days >= var.immutability.days
    error_message = "lifecycle_rules.expire_after_days may not be earlier than the end of immutability.days."
  }

  validation {
    condition     = var.lifecycle_rules.noncurrent_version_days >= 1
    error_message = "lifecycle_rules.noncurrent_version_days must be at least 1."
  }
}

variable "log_retention_days" {
  description = "Days that access and audit logs are kept: interactively up to 730, beyond that in the workspace's long-term storage."
  type        = number
  default     = 365

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 4383
    error_message = "log_retention_days must be from 30 to 4383 (twelve years)."
  }

  validation {
    condition     = !contains(["sensitive", "restricted"], var.data_classification) || var.log_retention_days >= 365
    error_message = "Access logs of sensitive and restricted data must be kept for at least 365 days."
  }
}

variable "defender" {
  description = "Microsoft Defender for Storage on this account: scanning of uploads for malware up to a monthly cap in GB, and discovery of sensitive data."
  type = object({
    enabled              = optional(bool, true)
    malware_scan_cap_gb  = optional(number, 5000)
    sensitive_data_scans = optional(bool, true)
  })
  default = {}
}

variable "delete_lock" {
  description = "Put a CanNotDelete lock on the account and the vault."
  type        = bool
  default     = true
}
