output "bucket_name" {
  description = "Name of the bucket."
  value       = module.storage.bucket_name
}
