# Events come into one stream; each delivery writes all of them, as they came, below a folder of raw/.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_kinesis_stream" "events" {
  name             = "${var.prefix}-events"
  shard_count      = var.stream.shards
  retention_period = var.stream.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn
}

resource "aws_kinesis_firehose_delivery_stream" "delivery" {
  for_each = var.deliveries

  name        = "${var.prefix}-${each.key}"
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.events.arn
    role_arn           = aws_iam_role.delivery[each.key].arn
  }

  extended_s3_configuration {
    role_arn    = aws_iam_role.delivery[each.key].arn
    bucket_arn  = var.lake.arn
    kms_key_arn = var.kms_key_arn
    prefix      = "${each.value.prefix}!{timestamp:yyyy/MM/dd/HH}/"
    # No pipeline can be called firehose-errors, so no feed reads it; below raw/ it is kept for ever.
    error_output_prefix = "raw/firehose-errors/${each.key}/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"
    # A pipeline looks every five minutes; earlier delivery would only make more and smaller objects.
    buffering_interval = 300
    buffering_size     = 64
    compression_format = "GZIP"

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery[each.key].name
      log_stream_name = aws_cloudwatch_log_stream.delivery[each.key].name
    }
  }

  # Firehose tries the role when it is made.
  depends_on = [aws_iam_role_policy.delivery]
}

resource "aws_cloudwatch_log_group" "delivery" {
  for_each = var.deliveries

  name              = "/aws/kinesisfirehose/${var.prefix}-${each.key}"
  kms_key_id        = var.kms_key_arn
  retention_in_days = 90
}

resource "aws_cloudwatch_log_stream" "delivery" {
  for_each = var.deliveries

  name           = "errors"
  log_group_name = aws_cloudwatch_log_group.delivery[each.key].name
}
