variable "prefix" {
  description = "Beginning of every name, for instance \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = <<-EOT
      prefix: expected 3 to 31 lower-case letters, digits and hyphens, beginning with a letter; got "${var.prefix}".
      Shorten or rewrite it: bucket names are built from it.
    EOT
  }
}

variable "retention" {
  description = "Days until objects go. Current objects of raw/, curated/, quarantine/ and ledger/ stay for ever."
  type = object({
    landing_days        = optional(number, 14)
    export_days         = optional(number, 14)
    noncurrent_raw_days = optional(number, 30)
    noncurrent_days     = optional(number, 7)
    query_result_days   = optional(number, 7)
    log_days            = optional(number, 90)
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for days in values(var.retention) : days >= 1 && floor(days) == days])
    error_message = <<-EOT
      retention: expected whole days, 1 or more; got ${jsonencode(var.retention)}.
      Correct the number: S3 refuses it only in the middle of an apply.
    EOT
  }
}

variable "destroy_with_data" {
  description = "Whether a destroy may empty the buckets. Without it, a destroy stops at the first bucket that holds anything."
  type        = bool
  nullable    = false
  default     = false
}
