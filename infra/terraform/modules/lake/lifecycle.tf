# Where rules overlap S3 takes the shorter time. So no expiry covers the whole lake: it would cut raw/ down to the days of the others.

locals {
  # null: current objects stay for ever.
  lake_prefixes = {
    "raw/"        = { expire = null, noncurrent = var.retention.noncurrent_raw_days }
    "curated/"    = { expire = null, noncurrent = var.retention.noncurrent_days }
    "quarantine/" = { expire = null, noncurrent = var.retention.noncurrent_days }
    "ledger/"     = { expire = null, noncurrent = var.retention.noncurrent_days }
    "landing/"    = { expire = var.retention.landing_days, noncurrent = var.retention.noncurrent_days }
    "export/"     = { expire = var.retention.export_days, noncurrent = var.retention.noncurrent_days }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.bucket["lake"].id

  dynamic "rule" {
    for_each = local.lake_prefixes

    content {
      id     = trimsuffix(rule.key, "/")
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value.expire
        # What VACUUM deletes leaves markers, which slow every listing. S3 takes days or this, and clears markers itself with days.
        expired_object_delete_marker = rule.value.expire == null ? true : null
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value.noncurrent
      }
    }
  }

  rule {
    id     = "uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.bucket]
}

resource "aws_s3_bucket_lifecycle_configuration" "artifacts" {
  bucket = aws_s3_bucket.bucket["artifacts"].id

  rule {
    id     = "all"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.retention.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "athena"
    status = "Enabled"

    filter {
      prefix = "athena/"
    }

    expiration {
      days = var.retention.query_result_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.bucket]
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.bucket["logs"].id

  rule {
    id     = "all"
    status = "Enabled"

    filter {}

    expiration {
      days = var.retention.log_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
