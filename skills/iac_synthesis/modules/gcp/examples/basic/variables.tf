variable "project_id" {
  description = "Project that receives everything."
  type        = string
}

variable "service_perimeter" {
  description = "VPC Service Controls perimeter that the project joins, accessPolicies/…/servicePerimeters/…"
  type        = string
}

variable "unique_suffix" {
  description = "A few lower-case letters and digits that make the bucket names unique in all of Google Cloud."
  type        = string
}
