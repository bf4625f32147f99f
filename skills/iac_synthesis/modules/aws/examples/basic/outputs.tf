output "bucket_name" {
  description = "Name of the bucket that holds the data."
  value       = module.storage.bucket_name
}
