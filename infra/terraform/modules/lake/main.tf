# Three buckets that differ in what they hold and how long: the lake, the artifacts (wheels, query results) and the logs.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  buckets = toset(["lake", "artifacts", "logs"])
  # The two whose access is logged and whose versions are kept. The logs bucket cannot log itself, and EMR rewrites its log
  # files every five minutes while a step runs.
  logged = toset(["lake", "artifacts"])
}

resource "aws_s3_bucket" "bucket" {
  for_each = local.buckets

  bucket        = "${var.prefix}-${each.key}-${local.account}"
  force_destroy = var.destroy_with_data
}

resource "aws_s3_bucket_ownership_controls" "bucket" {
  for_each = local.buckets

  bucket = aws_s3_bucket.bucket[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.bucket[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  for_each = local.buckets

  bucket = aws_s3_bucket.bucket[each.key].id

  rule {
    # One request to KMS for many objects: without it a job of 10,000 files makes 10,000 paid and throttled requests.
    bucket_key_enabled = each.key != "logs"

    apply_server_side_encryption_by_default {
      # S3 delivers server access logs only to a bucket whose default is SSE-S3.
      sse_algorithm     = each.key == "logs" ? "AES256" : "aws:kms"
      kms_master_key_id = each.key == "logs" ? null : aws_kms_key.data.arn
    }
  }
}

resource "aws_s3_bucket_versioning" "bucket" {
  for_each = local.logged

  bucket = aws_s3_bucket.bucket[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_logging" "bucket" {
  for_each = local.logged

  bucket        = aws_s3_bucket.bucket[each.key].id
  target_bucket = aws_s3_bucket.bucket["logs"].id
  target_prefix = "s3/${each.key}/"

  # S3 tries the delivery when logging is switched on.
  depends_on = [aws_s3_bucket_policy.bucket]
}
