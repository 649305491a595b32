# The policies of the buckets. Who may read and write is decided by the roles of the other modules; here only what nobody may do.
# No bucket refuses requests from outside the VPC: Redshift's COPY of Parquet comes from Spectrum, which is outside.

data "aws_iam_policy_document" "tls_only" {
  for_each = local.buckets

  statement {
    sid    = "RefusePlainHttp"
    effect = "Deny"
    # wildcard: a refusal has to cover every action, also those that S3 will get
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.bucket[each.key].arn, "${aws_s3_bucket.bucket[each.key].arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "lake" {
  source_policy_documents = [data.aws_iam_policy_document.tls_only["lake"].json]

  # The ledger decides what has been read. IAM cannot tell creating an object from overwriting it; a bucket policy can, by
  # asking for If-None-Match. The memos looked.json may be overwritten: nothing decides by them.
  statement {
    sid     = "RefuseOverwritingTheLedger"
    effect  = "Deny"
    actions = ["s3:PutObject"]
    resources = [
      for name in ["*.plan.json", "*.outcome.json", "*.undo.json", "*/lease/*", "*/checkpoint/*"] :
      "${aws_s3_bucket.bucket["lake"].arn}/ledger/${name}"
    ]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    # The parts of a multipart upload cannot carry the header; the request that completes it must.
    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }
}

data "aws_iam_policy_document" "logs" {
  source_policy_documents = [data.aws_iam_policy_document.tls_only["logs"].json]

  # Each bucket's access log stays below its own prefix.
  dynamic "statement" {
    for_each = local.logged

    content {
      sid       = "AccessLogOf${title(statement.key)}"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.bucket["logs"].arn}/s3/${statement.key}/*"]

      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [aws_s3_bucket.bucket[statement.key].arn]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "bucket" {
  for_each = {
    lake      = data.aws_iam_policy_document.lake.json
    artifacts = data.aws_iam_policy_document.tls_only["artifacts"].json
    logs      = data.aws_iam_policy_document.logs.json
  }

  bucket = aws_s3_bucket.bucket[each.key].id
  policy = each.value

  # S3 handles one change of a bucket's access at a time and answers the other with 409.
  depends_on = [aws_s3_bucket_public_access_block.bucket]
}
