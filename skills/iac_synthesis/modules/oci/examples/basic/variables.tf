variable "region" {
  description = "Region of the data."
  type        = string
  default     = "eu-frankfurt-1"
}

variable "replica_region" {
  description = "Region of the copy."
  type        = string
  default     = "eu-amsterdam-1"
}

variable "home_region" {
  description = "Home region of the tenancy, where IAM is changed."
  type        = string
  default     = "eu-frankfurt-1"
}

variable "tenancy_id" {
  description = "OCID of the tenancy."
  type        = string
}

variable "compartment_id" {
  description = "OCID of the compartment."
  type        = string
}

variable "vcn_id" {
  description = "OCID of the VCN from which the data is reached."
  type        = string
}
