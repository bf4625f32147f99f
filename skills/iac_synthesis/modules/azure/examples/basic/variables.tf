variable "location" {
  description = "Region of the data."
  type        = string
  default     = "westeurope"
}

variable "unique_suffix" {
  description = "Up to eight lower-case letters and digits that make the global names unique."
  type        = string
}

variable "subnet_id" {
  description = "Subnet for the private endpoints."
  type        = string
}
