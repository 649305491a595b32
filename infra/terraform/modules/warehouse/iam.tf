# The role that COPY takes: it reads what is exported for the warehouse and nothing else of the lake.

resource "aws_iam_role" "copy" {
  name               = "${var.prefix}-warehouse-copy"
  assume_role_policy = data.aws_iam_policy_document.copy_trust.json
}

resource "aws_iam_role_policy" "copy" {
  name   = "copy"
  role   = aws_iam_role.copy.name
  policy = data.aws_iam_policy_document.copy.json
}

data "aws_iam_policy_document" "copy_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["redshift-serverless.amazonaws.com", "redshift.amazonaws.com"]
    }

    # Redshift names the database user whose COPY it runs, for both kinds in this form.
    condition {
      test     = "StringLike"
      variable = "sts:ExternalId"
      values = [join(":", [
        "arn", data.aws_partition.current.partition, "redshift", data.aws_region.current.name,
        data.aws_caller_identity.current.account_id, "dbuser", "*",
      ])]
    }
  }
}

data "aws_iam_policy_document" "copy" {
  statement {
    sid       = "ReadExports"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake.arn}/export/*"]
  }

  statement {
    sid       = "FindExports"
    actions   = ["s3:ListBucket"]
    resources = [var.lake.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["export/*"]
    }
  }

  statement {
    sid       = "LocateBucket"
    actions   = ["s3:GetBucketLocation"]
    resources = [var.lake.arn]
  }

  statement {
    sid       = "DecryptExports"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${data.aws_region.current.name}.amazonaws.com"]
    }
  }
}
