# What only the environment's owner knows; terraform.tfvars has the values. What a value must be, the modules say.

variable "region" {
  description = "AWS region of everything here."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as \"eu-central-1\"; got \"${var.region}\". Correct it in terraform.tfvars."
  }
}

variable "alert_emails" {
  description = "Addresses that the budget and the alarms write to; each gets a message to confirm first."
  type        = set(string)
  nullable    = false
  default     = [] # refused with the remedy by module guardrails
}

variable "monthly_budget_usd" {
  description = "Spending in US dollars a month at which the budget writes."
  type        = number
  nullable    = false
}

variable "source_networks" {
  description = "Where the Postgres sources are, which nodes may reach: name → network and port."
  type        = map(object({ cidr = string, port = optional(number, 5432) }))
  nullable    = false
  default     = {}
}

variable "reserved_cidrs" {
  description = "Networks that the new VPC will be connected to, and must not overlap."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "airflow_principals" {
  description = "ARNs of the roles that Airflow's machines have. Empty: the role or user that applies."
  type        = list(string)
  nullable    = false
  default     = []
}
