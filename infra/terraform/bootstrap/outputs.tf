output "bucket" {
  description = "The state bucket, for `terraform init -backend-config=\"bucket=…\"` in an environment."
  value       = aws_s3_bucket.state.bucket
}
