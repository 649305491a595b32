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
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/1" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::bucket" }
  }
}

variables {
  prefix = "tidemark-test"
}

run "refuses_a_prefix_that_no_bucket_can_have" {
  command = plan
  variables { prefix = "Tidemark_Test" }
  expect_failures = [var.prefix]
}

run "refuses_a_retention_of_no_days" {
  command = plan
  variables { retention = { landing_days = 0 } }
  expect_failures = [var.retention]
}

run "names_carry_the_account" {
  assert {
    condition = { for noun, bucket in aws_s3_bucket.bucket : noun => bucket.bucket } == {
      artifacts = "tidemark-test-artifacts-111122223333"
      lake      = "tidemark-test-lake-111122223333"
      logs      = "tidemark-test-logs-111122223333"
    }
    error_message = "Bucket names are unique in the world only with the account in them."
  }
}

run "no_bucket_is_public" {
  assert {
    condition = length(aws_s3_bucket_public_access_block.bucket) == 3 && alltrue([
      for block in aws_s3_bucket_public_access_block.bucket :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "Each bucket has all four blocks."
  }

  assert {
    condition = length(aws_s3_bucket_ownership_controls.bucket) == 3 && alltrue([
      for controls in aws_s3_bucket_ownership_controls.bucket : one(controls.rule).object_ownership == "BucketOwnerEnforced"
    ])
    error_message = "No bucket has ACLs."
  }
}

run "data_is_encrypted_with_the_key" {
  assert {
    condition = alltrue([
      for noun in ["lake", "artifacts"] : one(one(
        aws_s3_bucket_server_side_encryption_configuration.bucket[noun].rule
      ).apply_server_side_encryption_by_default).kms_master_key_id == aws_kms_key.data.arn
    ])
    error_message = "Lake and artifacts are encrypted with the environment's key."
  }

  assert {
    condition     = aws_kms_key.data.enable_key_rotation
    error_message = "The key rotates."
  }
}

run "access_logs_can_be_delivered" {
  assert {
    condition = one(one(
      aws_s3_bucket_server_side_encryption_configuration.bucket["logs"].rule
    ).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "S3 delivers access logs only to a bucket of SSE-S3."
  }

  assert {
    condition = { for noun, logging in aws_s3_bucket_logging.bucket : noun => logging.target_prefix } == {
      artifacts = "s3/artifacts/"
      lake      = "s3/lake/"
    }
    error_message = "Lake and artifacts are logged below s3/."
  }

  assert {
    condition = { for s in data.aws_iam_policy_document.logs.statement : s.sid => one(s.resources) } == {
      AccessLogOfArtifacts = "arn:aws:s3:::bucket/s3/artifacts/*"
      AccessLogOfLake      = "arn:aws:s3:::bucket/s3/lake/*"
    }
    error_message = "S3 may write where it is told to log."
  }
}

run "plain_http_is_refused" {
  assert {
    condition = length(data.aws_iam_policy_document.tls_only) == 3 && alltrue([
      for policy in data.aws_iam_policy_document.tls_only :
      policy.statement[0].effect == "Deny"
      && policy.statement[0].actions == toset(["s3:*"])
      && one(policy.statement[0].condition).variable == "aws:SecureTransport"
    ])
    error_message = "Each bucket refuses requests without TLS."
  }

  assert {
    condition     = keys(aws_s3_bucket_policy.bucket) == ["artifacts", "lake", "logs"]
    error_message = "Each bucket has its policy."
  }
}

run "the_ledger_cannot_be_overwritten" {
  assert {
    condition = (
      data.aws_iam_policy_document.lake.statement[0].effect == "Deny"
      && data.aws_iam_policy_document.lake.statement[0].actions == toset(["s3:PutObject"])
      && contains(data.aws_iam_policy_document.lake.statement[0].resources, "arn:aws:s3:::bucket/ledger/*.outcome.json")
      && contains(data.aws_iam_policy_document.lake.statement[0].condition[*].variable, "s3:if-none-match")
    )
    error_message = "Plans, outcomes and leases are created, never overwritten."
  }

  assert {
    condition     = !anytrue([for arn in data.aws_iam_policy_document.lake.statement[0].resources : endswith(arn, "ledger/*")])
    error_message = "looked.json is a memo and is overwritten."
  }
}

run "only_landing_and_export_expire" {
  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule : rule.id => one(rule.expiration[*].days)
      if coalesce(one(rule.expiration[*].days), 0) > 0
    } == { landing = 14, export = 14 }
    error_message = "What the lake promises to keep has no expiry."
  }
}

run "no_expiry_covers_the_whole_lake" {
  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      one(rule.filter).prefix => one(rule.noncurrent_version_expiration).noncurrent_days
      if length(rule.noncurrent_version_expiration) > 0
    } == { "raw/" = 30, "curated/" = 7, "quarantine/" = 7, "ledger/" = 7, "landing/" = 7, "export/" = 7 }
    error_message = "Versions of raw/ live longer than the others: each prefix has a rule of its own."
  }
}

run "versions_are_kept" {
  assert {
    condition = alltrue([
      for noun in ["lake", "artifacts"] : one(aws_s3_bucket_versioning.bucket[noun].versioning_configuration).status == "Enabled"
    ])
    error_message = "A plan names the version of each raw object."
  }
}

run "services_use_the_key_only_for_this_account" {
  assert {
    condition = (
      one(data.aws_iam_policy_document.key.statement[2].condition).variable == "aws:SourceAccount"
      && one(data.aws_iam_policy_document.key.statement[2].condition).values == tolist(["111122223333"])
      && one(data.aws_iam_policy_document.key.statement[1].condition).values
      == tolist(["arn:aws:logs:eu-central-1:111122223333:log-group:*tidemark-test*"])
    )
    error_message = "No service uses the key for another account."
  }
}

run "a_destroy_keeps_data_unless_told" {
  assert {
    condition     = !anytrue([for bucket in aws_s3_bucket.bucket : bucket.force_destroy])
    error_message = "By default a bucket that holds anything stops a destroy."
  }
}
