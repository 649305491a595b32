variable "prefix" {
  description = "First part of every name, such as \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = "prefix must be 3 to 31 of a-z, 0-9 and -, a letter first; got \"${var.prefix}\". Choose one such as \"tidemark-dev\"."
  }
}

variable "lake" {
  description = "The bucket that holds the curated tables."
  type        = object({ name = string })
  nullable    = false
}

variable "artifacts" {
  description = "The bucket that takes the results of queries, below athena/."
  type        = object({ name = string })
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts the results of queries."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias; got \"${var.kms_key_arn}\". Pass module.lake.kms_key_arn."
  }
}

variable "pipelines" {
  description = "The pipelines whose curated tables are queried; each gets a database."
  type        = set(string)
  nullable    = false

  validation {
    condition = alltrue([for pipeline in var.pipelines : can(regex("^[a-z][a-z0-9_]{0,62}$", pipeline))])
    error_message = format(
      "pipelines must be names of pipelines (a-z, 0-9 and _, a letter first); got %s. Use the names in conf/pipelines.",
      jsonencode(var.pipelines),
    )
  }
}

variable "max_scan_gb" {
  description = "A query that has read more than this is stopped."
  type        = number
  nullable    = false
  default     = 100

  validation {
    condition     = var.max_scan_gb >= 1 && var.max_scan_gb <= 10240 && floor(var.max_scan_gb) == var.max_scan_gb
    error_message = "max_scan_gb must be a whole number from 1 to 10240; got ${var.max_scan_gb}. Use 100, about 0.50 USD a query."
  }
}
