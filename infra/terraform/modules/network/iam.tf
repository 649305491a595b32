# What may pass the S3 gateway. It grants nothing by itself; it keeps a stolen or foreign credential from carrying data to a bucket
# of another account. The buckets outside are those that EMR's management guide lists for private subnets (release 8.0.0 on).

locals {
  region = data.aws_region.current.name
  bucket = "arn:${data.aws_partition.current.partition}:s3:::"

  emr_instance_data = local.region == "ap-southeast-2" ? "aws157-instance-data-bucket" : "aws157-instance-data"
}

data "aws_iam_policy_document" "s3_endpoint" {
  statement {
    sid = "OwnAccount"
    # wildcard: the roles decide about actions; a list here would only be a second copy of theirs
    actions = ["s3:*"]
    # wildcard: buckets of the account are made elsewhere; the condition below holds out all others
    resources = ["*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }

  # Anonymous reads of the nodes while they start: no condition on the caller is possible.
  statement {
    sid     = "EmrStart"
    actions = ["s3:GetObject"]
    resources = [
      "${local.bucket}al2023-repos-${local.region}-de612dc2/*",
      "${local.bucket}repo.${local.region}.emr.amazonaws.com/*",
      "${local.bucket}${local.emr_instance_data}-0-prod-${local.region}/*",
      "${local.bucket}${local.emr_instance_data}-1-prod-${local.region}/*",
    ]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  statement {
    sid       = "EmrSystemLogs"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket}aws157-logs-prod${local.region == "us-east-1" ? "" : "-${local.region}"}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  # The Spark history that outlives a transient cluster.
  statement {
    sid       = "EmrApplicationHistory"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${local.bucket}prod.${local.region}.appinfo.src/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}
