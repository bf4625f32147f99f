variable "region" {
  description = "Region of the data."
  type        = string
  default     = "eu-central-1"
}

variable "replica_region" {
  description = "Region of the copy."
  type        = string
  default     = "eu-west-1"
}

variable "vpc_endpoint_ids" {
  description = "S3 VPC endpoints through which the data is reached; none: nobody reaches it."
  type        = list(string)
  default     = []
}

variable "unique_suffix" {
  description = "A few lower-case letters and digits that make the bucket names unique in all of AWS."
  type        = string
}
