output "bucket_url" {
  description = "URL of the bucket."
  value       = module.storage.bucket_url
}
