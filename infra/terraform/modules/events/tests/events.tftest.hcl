mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/tidemark-test-delivery" }
  }
  mock_resource "aws_kinesis_stream" {
    defaults = { arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/tidemark-test-events" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:delivery" }
  }
}

variables {
  prefix      = "tidemark-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"
  lake        = { name = "tidemark-test-lake", arn = "arn:aws:s3:::tidemark-test-lake" }
  deliveries  = { social = { prefix = "raw/social/web-data/raw/" } }
}

run "refuses_a_prefix_that_firehose_cannot_name" {
  command = plan
  variables { prefix = "tidemark test" }
  expect_failures = [var.prefix]
}

run "refuses_a_stream_without_shards" {
  command = plan
  variables { stream = { shards = 0 } }
  expect_failures = [var.stream]
}

run "refuses_a_retention_that_kinesis_lacks" {
  command = plan
  variables { stream = { retention_hours = 12 } }
  expect_failures = [var.stream]
}

run "refuses_a_delivery_that_iam_cannot_name" {
  command = plan
  variables { deliveries = { "Web Data" = { prefix = "raw/social/" } } }
  expect_failures = [var.deliveries]
}

run "refuses_a_delivery_outside_raw" {
  command = plan
  variables { deliveries = { social = { prefix = "ledger/social/" } } }
  expect_failures = [var.deliveries]
}

run "refuses_two_deliveries_into_one_folder" {
  command = plan
  variables {
    deliveries = { first = { prefix = "raw/social/web-data/" }, second = { prefix = "raw/social/web-data/" } }
  }
  expect_failures = [var.deliveries]
}

run "events_are_encrypted_everywhere" {
  assert {
    condition     = aws_kinesis_stream.events.encryption_type == "KMS" && aws_kinesis_stream.events.kms_key_id == var.kms_key_arn
    error_message = "The stream is encrypted with the environment's key."
  }

  assert {
    condition = (
      one(aws_kinesis_firehose_delivery_stream.delivery["social"].extended_s3_configuration).kms_key_arn == var.kms_key_arn
      && aws_cloudwatch_log_group.delivery["social"].kms_key_id == var.kms_key_arn
    )
    error_message = "Objects and the delivery log are encrypted with the environment's key."
  }
}

run "objects_lie_where_the_feed_looks" {
  assert {
    condition = (
      one(aws_kinesis_firehose_delivery_stream.delivery["social"].extended_s3_configuration).prefix
      == "raw/social/web-data/raw/!{timestamp:yyyy/MM/dd/HH}/"
    )
    error_message = "The hour follows the folder, as in the feed's path."
  }
}

run "what_cannot_be_delivered_is_kept_and_named" {
  assert {
    condition = startswith(
      one(aws_kinesis_firehose_delivery_stream.delivery["social"].extended_s3_configuration).error_output_prefix,
      "raw/firehose-errors/social/"
    )
    error_message = "Failed records lie where no feed reads and nothing expires."
  }

  assert {
    condition = one(one(
      aws_kinesis_firehose_delivery_stream.delivery["social"].extended_s3_configuration
    ).cloudwatch_logging_options).enabled
    error_message = "Failed deliveries are logged."
  }
}

run "a_delivery_writes_only_below_its_folder" {
  assert {
    condition = { for s in data.aws_iam_policy_document.delivery["social"].statement : s.sid => s }.WriteObjects.resources == toset([
      "arn:aws:s3:::tidemark-test-lake/raw/social/web-data/raw/*",
      "arn:aws:s3:::tidemark-test-lake/raw/firehose-errors/social/*",
    ])
    error_message = "A delivery cannot write elsewhere in the lake."
  }

  assert {
    condition = !anytrue([
      for s in data.aws_iam_policy_document.delivery["social"].statement :
      contains(s.actions, "s3:GetObject") || contains(s.actions, "s3:DeleteObject")
    ])
    error_message = "A delivery neither reads nor deletes objects."
  }

  assert {
    condition = one([
      for s in data.aws_iam_policy_document.delivery["social"].statement : one(s.condition).values if s.sid == "DecryptStream"
    ]) == tolist([aws_kinesis_stream.events.arn])
    error_message = "The key decrypts this stream and no other."
  }
}

run "only_its_own_firehose_takes_the_role" {
  assert {
    condition = { for c in data.aws_iam_policy_document.delivery_trust["social"].statement[0].condition : c.variable => one(c.values) } == {
      "aws:SourceAccount" = "111122223333"
      "aws:SourceArn"     = "arn:aws:firehose:eu-central-1:111122223333:deliverystream/tidemark-test-social"
    }
    error_message = "No other Firehose, and none of another account, takes the role."
  }
}

run "a_producer_only_sends" {
  assert {
    condition = { for s in data.aws_iam_policy_document.producer.statement : s.sid => s.actions } == {
      SendEvents    = toset(["kinesis:PutRecord", "kinesis:PutRecords"])
      EncryptEvents = toset(["kms:GenerateDataKey"])
    }
    error_message = "A producer cannot read the stream."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.producer.statement[1].condition).variable == "kms:EncryptionContext:aws:kinesis:arn"
    error_message = "A producer uses the key for this stream only."
  }
}
