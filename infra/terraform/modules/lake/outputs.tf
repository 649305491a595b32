# Only once their policies stand: what another module puts there is never without TLS or open to the public.

output "lake" {
  description = "Bucket of raw/, landing/, curated/, quarantine/, export/ and ledger/."
  value       = { name = aws_s3_bucket.bucket["lake"].id, arn = aws_s3_bucket.bucket["lake"].arn }
  depends_on  = [aws_s3_bucket_policy.bucket]
}

output "artifacts" {
  description = "Bucket of wheels and, below athena/, query results."
  value       = { name = aws_s3_bucket.bucket["artifacts"].id, arn = aws_s3_bucket.bucket["artifacts"].arn }
  depends_on  = [aws_s3_bucket_policy.bucket]
}

output "logs" {
  description = "Bucket of EMR's logs and, below s3/, the access logs of the other two."
  value       = { name = aws_s3_bucket.bucket["logs"].id, arn = aws_s3_bucket.bucket["logs"].arn }
  depends_on  = [aws_s3_bucket_policy.bucket]
}

output "kms_key_arn" {
  description = "Key of all data."
  value       = aws_kms_key.data.arn
}
