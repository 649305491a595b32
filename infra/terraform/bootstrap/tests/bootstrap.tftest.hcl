# Only plans: the bucket cannot be destroyed, not even by a test.
mock_provider "aws" {
  override_during = plan

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::tidemark-state-111122223333-eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  region = "eu-central-1"
}

run "names_the_bucket_after_account_and_region" {
  command = plan

  assert {
    condition     = output.bucket == "tidemark-state-111122223333-eu-central-1"
    error_message = "tidemark-state-<account>-<region> was expected."
  }
}

run "keeps_old_states_for_90_days" {
  command = plan

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "Without versions a broken state cannot be undone."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.state.rule : rule.noncurrent_version_expiration[0].noncurrent_days
    ] == [90]
    error_message = "Old versions must be kept for 90 days."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.state.rule : rule.expiration[0].expired_object_delete_marker
    ] == [true]
    error_message = "Of what is current only the markers of deleted locks may expire."
  }
}

run "encrypts_and_closes_the_bucket" {
  command = plan

  assert {
    condition = [
      for rule in aws_s3_bucket_server_side_encryption_configuration.state.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm
    ] == ["aws:kms"]
    error_message = "The state must be encrypted with a KMS key."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "The state must not become public."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.state.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Access must not depend on object ACLs."
  }
}

run "refuses_every_request_without_tls" {
  command = plan

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.tls_only.statement : alltrue([
        statement.effect == "Deny",
        statement.actions == toset(["s3:*"]),
        statement.resources == toset([aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]),
        [for condition in statement.condition : "${condition.variable} ${one(condition.values)}"] == ["aws:SecureTransport false"],
      ])
    ])
    error_message = "The policy must deny all of S3 to requests without TLS, and nothing else."
  }
}

run "refuses_a_zone_for_a_region" {
  command         = plan
  expect_failures = [var.region]

  variables {
    region = "eu-central-1a"
  }
}
