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

variable "lake" {
  description = "Bucket that the events are delivered to."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the stream, the delivered objects and the delivery log."
  type        = string
  nullable    = false
}

variable "stream" {
  description = "A shard takes 1 MB or 1000 events a second. retention_hours is how long events wait when a delivery stands still."
  type = object({
    shards          = optional(number, 1)
    retention_hours = optional(number, 24)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.stream.shards >= 1 && floor(var.stream.shards) == var.stream.shards
    error_message = "stream.shards: expected a whole number, 1 or more; got ${var.stream.shards}. Correct it."
  }

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "stream.retention_hours: expected 24 to 8760, got ${var.stream.retention_hours}. Choose a time that Kinesis offers."
  }
}

variable "deliveries" {
  description = "Name of a delivery to the folder of the lake that it fills; the hour, yyyy/MM/dd/HH/ in UTC, is appended."
  type        = map(object({ prefix = string }))
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.deliveries) : can(regex("^[a-z][a-z0-9-]{0,31}$", name))])
    error_message = <<-EOT
      deliveries: expected names of up to 32 lower-case letters, digits and hyphens; got ${jsonencode(keys(var.deliveries))}.
      Rename the one that differs: Firehose and IAM take their names from it.
    EOT
  }

  validation {
    condition     = alltrue([for delivery in var.deliveries : can(regex("^raw/[a-z0-9_]+/([A-Za-z0-9_.-]+/)*$", delivery.prefix))])
    error_message = <<-EOT
      deliveries: expected each prefix as "raw/<pipeline>/<folder>/", got ${jsonencode(values(var.deliveries)[*].prefix)}.
      Begin with raw/ and the pipeline's name, and end with a slash: it is the folder of the feed's path.
    EOT
  }

  validation {
    condition     = length(distinct(values(var.deliveries)[*].prefix)) == length(var.deliveries)
    error_message = <<-EOT
      deliveries: expected a folder for each, got ${jsonencode(values(var.deliveries)[*].prefix)}.
      Give each a prefix of its own: two in one folder deliver each event twice.
    EOT
  }
}
