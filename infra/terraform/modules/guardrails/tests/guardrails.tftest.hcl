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
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:111122223333:tidemark-test-alarms" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:111122223333:rule/tidemark-test" }
  }
}

variables {
  prefix      = "tidemark-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"
  emails      = ["data@example.com"]
  monthly_usd = 100
}

run "refuses_a_prefix_that_is_none" {
  command = plan
  variables { prefix = "t" }
  expect_failures = [var.prefix]
}

run "refuses_a_budget_without_an_address" {
  command = plan
  variables { emails = [] }
  expect_failures = [var.emails]
}

run "refuses_an_address_that_is_none" {
  command = plan
  variables { emails = ["data@example.com", "data-team"] }
  expect_failures = [var.emails]
}

run "refuses_a_budget_of_nothing" {
  command = plan
  variables { monthly_usd = 0 }
  expect_failures = [var.monthly_usd]
}

run "refuses_an_idle_time_between_the_reports" {
  command = plan
  variables { idle_minutes = 7 }
  expect_failures = [var.idle_minutes]
}

run "the_budget_warns_before_the_limit_and_at_it" {
  assert {
    condition = toset([for n in aws_budgets_budget.month.notification : "${n.notification_type} ${n.threshold}"]) == toset([
      "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"
    ])
    error_message = "A forecast and two actual thresholds."
  }

  assert {
    condition     = alltrue([for n in aws_budgets_budget.month.notification : n.subscriber_email_addresses == toset(["data@example.com"])])
    error_message = "Each of them reaches the address."
  }

  assert {
    condition     = one(aws_budgets_budget.month.cost_filter).values == tolist(["user:project$tidemark"])
    error_message = "Only the project's spending counts."
  }
}

run "failures_reach_the_topic" {
  assert {
    condition = { for name, rule in aws_cloudwatch_event_rule.failure : name => jsondecode(rule.event_pattern).detail.state } == {
      failed-cluster = ["TERMINATED_WITH_ERRORS"]
      failed-step    = ["CANCELLED", "FAILED", "INTERRUPTED"]
    }
    error_message = "A step that is cancelled or interrupted has failed too."
  }

  assert {
    condition = length(aws_cloudwatch_event_target.failure) == 2 && alltrue([
      for target in aws_cloudwatch_event_target.failure : target.arn == aws_sns_topic.alarms.arn
    ])
    error_message = "Both rules write to the topic."
  }
}

run "an_idle_cluster_rings_after_two_hours" {
  variables { clusters = { shared = "j-1" } }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.idle_cluster["shared"].dimensions == tomap({ JobFlowId = "j-1" })
      && aws_cloudwatch_metric_alarm.idle_cluster["shared"].period == 300
      && aws_cloudwatch_metric_alarm.idle_cluster["shared"].evaluation_periods == 24
      && contains(aws_cloudwatch_metric_alarm.idle_cluster["shared"].alarm_actions, aws_sns_topic.alarms.arn)
    )
    error_message = "24 idle reports in a row ring the alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle_cluster["shared"].treat_missing_data == "notBreaching"
    error_message = "A cluster that has ended rings nothing."
  }
}

run "without_a_cluster_there_is_no_alarm" {
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.idle_cluster) == 0
    error_message = "An alarm costs money."
  }
}

run "the_topic_is_encrypted" {
  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == var.kms_key_arn
    error_message = "The topic is encrypted with the environment's key."
  }
}

run "only_our_rules_and_alarms_publish" {
  assert {
    condition = {
      for s in data.aws_iam_policy_document.alarms.statement : one(one(s.principals).identifiers) => s.condition[*].variable
      } == {
      "events.amazonaws.com"     = tolist(["aws:SourceArn"])
      "cloudwatch.amazonaws.com" = tolist(["aws:SourceArn", "aws:SourceAccount"])
    }
    error_message = "Two services publish, each only for what is ours."
  }

  assert {
    condition = alltrue([
      for s in data.aws_iam_policy_document.alarms.statement :
      s.actions == toset(["sns:Publish"]) && s.resources == toset([aws_sns_topic.alarms.arn])
    ])
    error_message = "They publish, and to this topic only."
  }

  assert {
    condition = one([
      for c in data.aws_iam_policy_document.alarms.statement[1].condition : one(c.values) if c.variable == "aws:SourceArn"
    ]) == "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:tidemark-test-idle-*"
    error_message = "Alarms of other projects do not publish here."
  }
}
