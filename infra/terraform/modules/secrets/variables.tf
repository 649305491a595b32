variable "prefix" {
  description = "First part of every name, such as \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = "prefix must be 3 to 31 of a-z, 0-9 and -, a letter first; got \"${var.prefix}\". Choose one such as \"tidemark-dev\"."
  }
}

variable "kms_key_arn" {
  description = "The key that encrypts the secrets."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias; got \"${var.kms_key_arn}\". Pass module.lake.kms_key_arn."
  }
}

variable "connections" {
  description = "The pipelines that read from a Postgres database. Each gets a secret for its source's address."
  type        = set(string)
  nullable    = false

  validation {
    condition = alltrue([for pipeline in var.connections : can(regex("^[a-z][a-z0-9_]{0,62}$", pipeline))])
    error_message = format(
      "connections must be names of pipelines (a-z, 0-9 and _, a letter first); got %s. Use the names in conf/pipelines.",
      jsonencode(var.connections),
    )
  }
}

variable "recovery_window_days" {
  description = "How long a deleted secret can be brought back; its name is taken until then. 0 deletes at once."
  type        = number
  nullable    = false
  default     = 7

  validation {
    condition     = contains(concat([0], range(7, 31)), var.recovery_window_days)
    error_message = "recovery_window_days must be 0 or a whole number from 7 to 30; got ${var.recovery_window_days}. Use 7."
  }
}
