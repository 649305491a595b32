mock_provider "aws" {}

variables {
  prefix      = "tidemark-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d"
  connections = ["shop", "stackoverflow"]
}

run "makes_one_container_for_each_connection" {
  assert {
    condition = output.secret_names == {
      shop          = "tidemark-test/connection/shop"
      stackoverflow = "tidemark-test/connection/stackoverflow"
    }
    error_message = "A secret named <prefix>/connection/<pipeline> was expected for each connection."
  }

  assert {
    condition = alltrue([
      for pipeline in var.connections : output.secret_arns[pipeline] == aws_secretsmanager_secret.connection[pipeline].arn
    ])
    error_message = "Each pipeline must come out with the ARN of its own secret."
  }
}

run "encrypts_with_the_given_key_and_keeps_deleted_secrets_a_week" {
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.connection : secret.kms_key_id == var.kms_key_arn])
    error_message = "A secret is not encrypted with the project's key."
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.connection : secret.recovery_window_in_days == 7])
    error_message = "A deleted secret must be kept for 7 days."
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
  expect_failures = [var.connections]

  variables {
    connections = ["shop", "stack-overflow"]
  }
}

run "refuses_a_recovery_window_that_aws_does_not_have" {
  command         = plan
  expect_failures = [var.recovery_window_days]

  variables {
    recovery_window_days = 3
  }
}
