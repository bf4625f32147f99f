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
