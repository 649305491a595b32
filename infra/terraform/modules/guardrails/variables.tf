variable "prefix" {
  description = "Beginning of every name, for instance \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = <<-EOT
      prefix: expected 3 to 31 lower-case letters, digits and hyphens, beginning with a letter; got "${var.prefix}".
      Shorten or rewrite it.
    EOT
  }
}

variable "kms_key_arn" {
  description = "Key of the topic. Its policy has to admit CloudWatch and EventBridge."
  type        = string
  nullable    = false
}

variable "emails" {
  description = "Addresses that the budget and the alarms write to."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.emails) > 0
    error_message = <<-EOT
      emails: expected at least one address for the budget of ${var.monthly_usd} USD a month, got none.
      Name somebody who can stop the spending: a budget that tells nobody is no budget.
    EOT
  }

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "emails: expected addresses such as \"data@example.com\"; got ${jsonencode(var.emails)}. Correct the one that is none."
  }
}

variable "monthly_usd" {
  description = "Limit of a month's spending in US dollars."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_usd > 0
    error_message = "monthly_usd: expected more than 0, got ${var.monthly_usd}. Set what the environment may cost in a month."
  }
}

variable "cost_tag" {
  description = "The tag whose spending the budget counts: one of the provider's default_tags, activated for cost allocation (README)."
  type        = object({ key = string, value = string })
  nullable    = false
  default     = { key = "project", value = "tidemark" }
}

variable "clusters" {
  description = "EMR clusters that stay, name to id: an alarm rings when one is idle. Transient clusters end by themselves."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "idle_minutes" {
  description = "Idle time until the alarm. To be longer than the auto-termination of the clusters, so that it rings when that fails."
  type        = number
  nullable    = false
  default     = 120

  validation {
    condition     = var.idle_minutes > 0 && var.idle_minutes <= 1440 && var.idle_minutes % 5 == 0
    error_message = <<-EOT
      idle_minutes: expected a multiple of 5 up to 1440, got ${var.idle_minutes}.
      Take the next one: EMR reports idleness every five minutes, and an alarm looks back a day at most.
    EOT
  }
}
