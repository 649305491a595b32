# A role for each delivery, which writes below its own folder, and a policy for whoever sends events.

resource "aws_iam_role" "delivery" {
  for_each = var.deliveries

  name               = "${var.prefix}-delivery-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.delivery_trust[each.key].json
}

resource "aws_iam_role_policy" "delivery" {
  for_each = var.deliveries

  name   = "delivery"
  role   = aws_iam_role.delivery[each.key].name
  policy = data.aws_iam_policy_document.delivery[each.key].json
}

data "aws_iam_policy_document" "delivery_trust" {
  for_each = var.deliveries

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values = [join(":", [
        "arn", data.aws_partition.current.partition, "firehose", data.aws_region.current.name,
        data.aws_caller_identity.current.account_id, "deliverystream/${var.prefix}-${each.key}",
      ])]
    }
  }
}

data "aws_iam_policy_document" "delivery" {
  for_each = var.deliveries

  statement {
    sid       = "ReadStream"
    actions   = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
    resources = [aws_kinesis_stream.events.arn]
  }

  statement {
    sid       = "DecryptStream"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:kinesis:arn"
      values   = [aws_kinesis_stream.events.arn]
    }
  }

  statement {
    sid     = "WriteObjects"
    actions = ["s3:AbortMultipartUpload", "s3:PutObject"]
    resources = [
      "${var.lake.arn}/${each.value.prefix}*",
      "${var.lake.arn}/raw/firehose-errors/${each.key}/*",
    ]
  }

  statement {
    sid       = "FindBucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.lake.arn]
  }

  # Decrypt too: S3 needs it to put the parts of an upload together.
  statement {
    sid       = "EncryptObjects"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${data.aws_region.current.name}.amazonaws.com"]
    }
  }

  statement {
    sid       = "ReportErrors"
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.delivery[each.key].arn}:log-stream:errors"]
  }
}

# Attached by whoever runs the producer, which is not part of this project.
resource "aws_iam_policy" "producer" {
  name        = "${var.prefix}-events-producer"
  description = "Sends events to ${aws_kinesis_stream.events.name}"
  policy      = data.aws_iam_policy_document.producer.json
}

data "aws_iam_policy_document" "producer" {
  statement {
    sid       = "SendEvents"
    actions   = ["kinesis:PutRecord", "kinesis:PutRecords"]
    resources = [aws_kinesis_stream.events.arn]
  }

  statement {
    sid       = "EncryptEvents"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:kinesis:arn"
      values   = [aws_kinesis_stream.events.arn]
    }
  }
}
