# What tells a person: a budget, failed EMR steps and clusters, and clusters that stay without work.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_sns_topic" "alarms" {
  name              = "${var.prefix}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

# Writes to the addresses itself, not through the topic: it reaches also those who never confirmed their subscription.
resource "aws_budgets_budget" "month" {
  name         = "${var.prefix}-month"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_usd)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:%s$%s", var.cost_tag.key, var.cost_tag.value)]
  }

  dynamic "notification" {
    for_each = {
      "well before" = { type = "ACTUAL", percent = 80 }
      "on the way"  = { type = "FORECASTED", percent = 100 }
      "too late"    = { type = "ACTUAL", percent = 100 }
    }

    content {
      notification_type          = notification.value.type
      threshold                  = notification.value.percent
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = var.emails
    }
  }
}

locals {
  # EMR's events carry no tags, so these are the failures of all clusters of the account in this region.
  failures = {
    failed-step = {
      type    = "EMR Step Status Change"
      states  = ["CANCELLED", "FAILED", "INTERRUPTED"]
      paths   = { cluster = "$.detail.clusterId", step = "$.detail.stepId", name = "$.detail.name", state = "$.detail.state" }
      message = "Step <name> (<step>) of EMR cluster <cluster>: expected to complete, is <state>. `tidemark status` names the batch."
    }
    failed-cluster = {
      type    = "EMR Cluster State Change"
      states  = ["TERMINATED_WITH_ERRORS"]
      paths   = { cluster = "$.detail.clusterId", name = "$.detail.name", state = "$.detail.state", message = "$.detail.message" }
      message = "EMR cluster <name> (<cluster>): expected to end without errors, is <state>: <message> Run the pipeline again: it resumes."
    }
  }
}

resource "aws_cloudwatch_event_rule" "failure" {
  for_each = local.failures

  name        = "${var.prefix}-${each.key}"
  description = "${each.value.type} to ${join(", ", each.value.states)}"
  event_pattern = jsonencode({
    source        = ["aws.emr"]
    "detail-type" = [each.value.type]
    detail        = { state = each.value.states }
  })
}

resource "aws_cloudwatch_event_target" "failure" {
  for_each = local.failures

  rule = aws_cloudwatch_event_rule.failure[each.key].name
  arn  = aws_sns_topic.alarms.arn

  input_transformer {
    input_paths    = each.value.paths
    input_template = "\"${each.value.message}\""
  }

  depends_on = [aws_sns_topic_policy.alarms]
}

resource "aws_cloudwatch_metric_alarm" "idle_cluster" {
  for_each = var.clusters

  alarm_name = "${var.prefix}-idle-${each.key}"
  alarm_description = join(" ", [
    "EMR cluster ${each.key} (${each.value}): expected work or auto-termination, got ${var.idle_minutes} idle minutes.",
    "Terminate it, or look why auto-termination did not.",
  ])
  namespace           = "AWS/ElasticMapReduce"
  metric_name         = "IsIdle"
  dimensions          = { JobFlowId = each.value }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = var.idle_minutes / 5
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  # A cluster that has ended reports nothing: that is what we want.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
}
