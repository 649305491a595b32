data "aws_iam_policy_document" "tls_only" {
  statement {
    sid    = "TlsOnly"
    effect = "Deny"
    # wildcard: a refusal must hold for every action
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
