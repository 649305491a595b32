mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  prefix      = "tidemark-test"
  lake        = { name = "tidemark-test-lake-111122223333" }
  artifacts   = { name = "tidemark-test-artifacts-111122223333" }
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d"
  pipelines   = ["shop", "social"]
}

run "makes_one_database_for_each_pipeline_at_its_curated_tables" {
  assert {
    condition     = output.databases == { shop = "tidemark_test_shop", social = "tidemark_test_social" }
    error_message = "A database named <prefix>_<pipeline>, with _ for -, was expected for each pipeline."
  }

  assert {
    condition     = aws_glue_catalog_database.pipeline["shop"].location_uri == "s3://tidemark-test-lake-111122223333/curated/shop/"
    error_message = "The database must lie where the jobs write the curated tables."
  }
}

run "encrypts_results_and_lets_no_client_change_that" {
  assert {
    condition     = aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration
    error_message = "A client could choose where results go and how they are encrypted."
  }

  assert {
    condition = alltrue([
      for result in aws_athena_workgroup.this.configuration[0].result_configuration :
      result.output_location == "s3://tidemark-test-artifacts-111122223333/athena/" && result.expected_bucket_owner == "111122223333"
    ])
    error_message = "Results must go below athena/ of the account's own artifacts bucket."
  }

  assert {
    condition = [
      for encryption in aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration :
      "${encryption.encryption_option} ${encryption.kms_key_arn}"
    ] == ["SSE_KMS ${var.kms_key_arn}"]
    error_message = "Results must be encrypted with the project's key."
  }
}

run "stops_a_query_at_the_limit" {
  variables {
    max_scan_gb = 2
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 2147483648
    error_message = "2 GB are 2147483648 bytes."
  }
}

run "refuses_a_bad_prefix" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "Tidemark"
  }
}

run "refuses_the_alias_of_a_key" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "alias/tidemark-test"
  }
}

run "refuses_a_name_that_no_pipeline_can_have" {
  command         = plan
  expect_failures = [var.pipelines]

  variables {
    pipelines = ["shop", "stack-overflow"]
  }
}

run "refuses_no_limit" {
  command         = plan
  expect_failures = [var.max_scan_gb]

  variables {
    max_scan_gb = 0
  }
}
